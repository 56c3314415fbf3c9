//! A label raster in memory: pages of all levels, limited in bytes.

use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;

use super::page::{Page, Texel, UNKNOWN, is_class};
use super::raster::{PAGE_PX, PageId, Raster};

/// Which class stays visible when several share a px of a coarser level: the one with the greatest
/// rank. Codes that are no classes have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranks([u8; 256]);

impl Ranks {
    /// The rarer a class the greater its rank. `share`: of each class, in any unit.
    pub fn by_rarity(share: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..share.len().min(256)).collect();
        order.sort_by(|a, b| share[*b].total_cmp(&share[*a]));
        let mut ranks = [0_u8; 256];
        for (rank, code) in order.into_iter().enumerate() {
            ranks[code] = rank as u8;
        }
        Self(ranks)
    }

    /// The rank of each code; only those of classes count.
    pub fn table(&self) -> &[u8; 256] {
        &self.0
    }

    pub(super) fn of(&self, code: u8) -> Option<u8> {
        is_class(code).then(|| self.0[usize::from(code)])
    }
}

/// The pages of a raster that are known, with their coarser levels; those that were not looked at
/// for longest go first.
pub struct LabelPyramid {
    raster: Raster,
    /// None where px are colours.
    ranks: Option<Ranks>,
    stamp: u64,
    pages: LruCache<PageId, Arc<Page>>,
    bytes: u64,
    limit_bytes: u64,
}

impl LabelPyramid {
    /// Nothing known yet.
    pub fn new(raster: Raster, ranks: Ranks, limit_bytes: u64) -> Self {
        Self::reduced(raster, Some(ranks), limit_bytes)
    }

    /// Nothing known yet of a raster of colours: `code`, `any` and `value` are red, green and blue
    /// of px whose `extra` is not 0, and coarser levels have their means.
    pub fn of_colours(raster: Raster, limit_bytes: u64) -> Self {
        Self::reduced(raster, None, limit_bytes)
    }

    fn reduced(raster: Raster, ranks: Option<Ranks>, limit_bytes: u64) -> Self {
        Self {
            raster,
            ranks,
            stamp: 1,
            pages: LruCache::unbounded(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// Where its px lie.
    pub fn raster(&self) -> &Raster {
        &self.raster
    }

    /// Which class stays visible on coarser levels.
    pub fn ranks(&self) -> Option<&Ranks> {
        self.ranks.as_ref()
    }

    /// Bytes of all pages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A page, which counts as looked at.
    pub fn page(&mut self, id: PageId) -> Option<Arc<Page>> {
        self.pages.get(&id).cloned()
    }

    /// A page; does not count as looked at.
    pub fn peek(&self, id: PageId) -> Option<&Arc<Page>> {
        self.pages.peek(&id)
    }

    /// Puts whole pages of level 0 in and brings the coarser levels up to date.
    pub fn put(&mut self, changed: impl IntoIterator<Item = (PageId, Page)>) {
        for (id, page) in changed {
            self.edit(id, 0..PAGE_PX, 0..PAGE_PX, 1, |held| *held = page);
        }
    }

    /// Changes px of columns `x` and rows `y` of a page of level 0, and what the coarser levels make
    /// of them. A page that is not held begins with nothing known and `per_side` blocks a side.
    pub fn edit(
        &mut self,
        id: PageId,
        x: Range<u32>,
        y: Range<u32>,
        per_side: u32,
        change: impl FnOnce(&mut Page),
    ) {
        change(self.page_mut(id, per_side));
        self.renew_parents(id, (x, y), true);
    }

    /// Stamps a block, by its column and row, whose px `x` × `y` are drawn already, with those that
    /// follow from it on the coarser levels. They come here by [`Self::fill`].
    pub fn restamp(
        &mut self,
        id: PageId,
        (x, y): (Range<u32>, Range<u32>),
        per_side: u32,
        block: (u32, u32),
        stamp: u64,
    ) {
        let page = self.page_mut(id, per_side);
        page.set_stamp(block, stamp);
        page.renew();
        self.renew_parents(id, (x, y), false);
    }

    /// Brings the px of a page of any level up to what is drawn, where the page is still held.
    pub fn fill(&mut self, id: PageId, texels: Vec<Texel>) {
        if let Some(page) = self.pages.peek_mut(&id) {
            Arc::make_mut(page).fill(texels);
        }
    }

    /// A page of any level, to change its stamps or where it is drawn from. One that is not held
    /// begins with nothing known and `per_side` blocks a side.
    pub fn page_mut(&mut self, id: PageId, per_side: u32) -> &mut Page {
        let bytes = &mut self.bytes;
        let page = self.pages.get_or_insert_mut(id, || {
            let page = Page::in_blocks(per_side);
            *bytes += page.bytes();
            Arc::new(page)
        });
        Arc::make_mut(page)
    }

    /// Renews what follows from px of a page of level 0 on all coarser levels; the px too if
    /// `with_px`.
    fn renew_parents(&mut self, id: PageId, px: (Range<u32>, Range<u32>), with_px: bool) {
        let (mut child, (mut x, mut y)) = (id, px);
        for _ in 0..self.raster.coarsest() {
            (child, x, y) = self.renew_parent(child, &x, &y, with_px);
        }
        self.shrink();
    }

    /// Renews the part of a page's parent that follows from some of its px; tells which part.
    fn renew_parent(
        &mut self,
        child: PageId,
        x: &Range<u32>,
        y: &Range<u32>,
        with_px: bool,
    ) -> (PageId, Range<u32>, Range<u32>) {
        let id = child.parent();
        let within = |px: &Range<u32>, index: u32| {
            let start = (index % 2) * (PAGE_PX / 2);
            start + px.start / 2..start + px.end.div_ceil(2)
        };
        let (x, y) = (within(x, child.col), within(y, child.row));
        let child = self.pages.peek(&child).cloned();
        let per_side = child.as_ref().map_or(2, |child| child.per_side().max(2));
        let ranks = self.ranks.clone();
        let page = self.page_mut(id, per_side);
        if let Some(child) = child {
            match (with_px, &ranks) {
                (true, Some(ranks)) => {
                    reduce_into(page, &x, &y, &child, |four| reduce(four, ranks));
                }
                (true, None) => reduce_into(page, &x, &y, &child, mean_colour),
                (false, _) => page.renew(),
            }
            restamp(page, &x, &y, &child);
        }
        (id, x, y)
    }

    fn shrink(&mut self) {
        while self.bytes > self.limit_bytes && self.pages.len() > 1 {
            let gone = self.pages.pop_lru();
            self.bytes -= gone.map_or(0, |(_, page)| page.bytes());
        }
    }

    /// All pages that are held, in no order.
    pub fn pages(&self) -> impl Iterator<Item = (PageId, &Arc<Page>)> {
        self.pages.iter().map(|(id, page)| (*id, page))
    }

    /// What pages are to be stamped with that are made for what is asked for now.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Something else is asked for from now on, with a stamp that others share; never an earlier
    /// one. Pages made before are provisional: they are shown until others come.
    pub fn ask_for(&mut self, stamp: u64) {
        self.stamp = self.stamp.max(stamp);
    }

    /// Whether a page is what is asked for now.
    pub fn is_current(&self, page: &Page) -> bool {
        page.oldest() >= self.stamp
    }
}

/// Writes a page, reduced to a quarter, to its place in its parent.
pub(super) fn reduce_page(parent: &mut Page, id: PageId, child: &Page, ranks: &Ranks) {
    let half = PAGE_PX / 2;
    let quarter = |index: u32| (index % 2) * half..(index % 2 + 1) * half;
    let (x, y) = (quarter(id.col), quarter(id.row));
    reduce_into(parent, &x, &y, child, |four| reduce(four, ranks));
}

/// Fills columns `x` and rows `y` of a parent with what they are in its child, four px as one.
fn reduce_into(
    parent: &mut Page,
    x: &Range<u32>,
    y: &Range<u32>,
    child: &Page,
    one_of: impl Fn(&[Texel; 4]) -> Texel,
) {
    let half = PAGE_PX / 2;
    let texels = parent.texels_mut();
    for row in y.clone() {
        for column in x.clone() {
            let (left, top) = (2 * (column % half), 2 * (row % half));
            let four =
                [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| child.texel(left + dx, top + dy));
            texels[(row * PAGE_PX + column) as usize] = one_of(&four);
        }
    }
}

/// Stamps the blocks of a parent's columns `x` and rows `y` with the oldest that they follow from.
fn restamp(parent: &mut Page, x: &Range<u32>, y: &Range<u32>, child: &Page) {
    let side = PAGE_PX / parent.per_side();
    let half = PAGE_PX / 2;
    let blocks = |px: &Range<u32>| px.start / side..px.end.div_ceil(side);
    let under = |block: u32| {
        let start = 2 * ((block * side) % half);
        start..start + 2 * side
    };
    for row in blocks(y) {
        for column in blocks(x) {
            let oldest = child.oldest_in(&under(column), &under(row));
            parent.set_stamp((column, row), oldest);
        }
    }
}

/// Four px as one: the most frequent code of those known, of equals the one of greatest rank; and
/// the class of greatest rank of all.
fn reduce(four: &[Texel; 4], ranks: &Ranks) -> Texel {
    let [first, ..] = *four;
    // Within an area, which is nearly everywhere.
    if first.any == first.code && *four == [first; 4] {
        return first;
    }
    let is_same = |texel: &Texel| texel.code == first.code && texel.any == first.code;
    if is_class(first.code) && four.iter().all(is_same) {
        let mean = |pick: fn(&Texel) -> u8| {
            let sum: u32 = four.iter().map(|texel| u32::from(pick(texel))).sum();
            ((sum + 2) / 4) as u8
        };
        return Texel {
            value: mean(|texel| texel.value),
            extra: mean(|texel| texel.extra),
            ..first
        };
    }
    let votes = |code: u8| four.iter().filter(|texel| texel.code == code).count();
    let known = || four.iter().filter(|texel| texel.code != UNKNOWN);
    let best = known().max_by_key(|texel| (votes(texel.code), ranks.of(texel.code)));
    let Some(best) = best else {
        return Texel::UNKNOWN;
    };
    let any = known().filter_map(|texel| ranks.of(texel.any).map(|rank| (rank, texel.any)));
    let mean = |pick: fn(&Texel) -> u8| {
        let sum: u32 = known().map(|texel| u32::from(pick(texel))).sum();
        let count = known().count() as u32;
        ((sum + count / 2) / count) as u8
    };
    Texel {
        code: best.code,
        any: any.max().map_or(best.code, |(_, code)| code),
        value: mean(|texel| texel.value),
        extra: mean(|texel| texel.extra),
    }
}

/// Four px of colour as one: the means of those that are known.
fn mean_colour(four: &[Texel; 4]) -> Texel {
    let known = || four.iter().filter(|texel| texel.extra != 0);
    let count = known().count() as u32;
    if count == 0 {
        return Texel::UNKNOWN;
    }
    let mean = |pick: fn(&Texel) -> u8| {
        let sum: u32 = known().map(|texel| u32::from(pick(texel))).sum();
        ((sum + count / 2) / count) as u8
    };
    Texel {
        code: mean(|texel| texel.code),
        any: mean(|texel| texel.any),
        value: mean(|texel| texel.value),
        extra: u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::NOT_ANALYSED;
    use super::*;

    const BYTES: u64 = (PAGE_PX * PAGE_PX * 4) as u64;

    fn pyramid(limit_pages: u64) -> LabelPyramid {
        let raster = Raster {
            slide_px_per_px: (1.0, 1.0),
            size_px: (1000, 600),
        };
        // Class 2 is the rarest.
        LabelPyramid::new(
            raster,
            Ranks::by_rarity(&[5.0, 2.0, 0.1]),
            limit_pages * BYTES,
        )
    }

    fn id(level: u8, col: u32, row: u32) -> PageId {
        PageId { level, col, row }
    }

    fn painted(code_at: impl Fn(u32, u32) -> u8) -> Page {
        let mut page = Page::new(1);
        for (n, texel) in (0..).zip(page.texels_mut()) {
            *texel = Texel::of(code_at(n % PAGE_PX, n / PAGE_PX));
        }
        page
    }

    #[test]
    fn coarser_levels_have_the_mode_and_keep_the_rare() {
        let mut pyramid = pyramid(100);
        let page = painted(|x, y| match (x, y) {
            (7, 9) => 2,
            (x, _) if x < 100 => 0,
            (x, _) if x < 200 => 1,
            _ => NOT_ANALYSED,
        });
        pyramid.put([(id(0, 3, 1), page)]);
        let coarse = pyramid.page(id(1, 1, 0)).unwrap();
        let at = |x: u32, y: u32| {
            let texel = coarse.texel(128 + x, 128 + y);
            (texel.code, texel.any)
        };
        assert_eq!(at(3, 4), (0, 2), "one of four is outvoted, and still there");
        assert_eq!(at(4, 4), (0, 0));
        assert_eq!(at(60, 0), (1, 1));
        assert_eq!(at(127, 127), (NOT_ANALYSED, NOT_ANALYSED));
        assert_eq!(coarse.texel(0, 0), Texel::UNKNOWN, "a neighbour's place");
        let coarsest = pyramid.page(id(2, 0, 0)).unwrap();
        assert_eq!(coarsest.texel(192 + 1, 64 + 2).any, 2);
        assert_eq!(pyramid.bytes(), 3 * BYTES);
    }

    #[test]
    fn a_part_changes_as_the_whole_would() {
        let (mut whole, mut parts) = (pyramid(100), pyramid(100));
        let rule = |x: u32, y: u32| ((x / 3 + y / 5) % 4) as u8;
        whole.put([(id(0, 1, 1), painted(rule))]);
        for (x, y) in [(0..100, 0..256), (100..256, 0..17), (100..256, 17..256)] {
            parts.edit(id(0, 1, 1), x.clone(), y.clone(), 1, |page| {
                for row in y.clone() {
                    for column in x.clone() {
                        let at = (row * PAGE_PX + column) as usize;
                        page.texels_mut()[at] = Texel::of(rule(column, row));
                    }
                }
            });
        }
        for level in 0..3 {
            let at = id(level, 1 >> level, 1 >> level);
            let texels = |pyramid: &LabelPyramid| pyramid.peek(at).unwrap().texels().to_vec();
            assert!(texels(&whole) == texels(&parts), "level {level}");
        }
        assert_eq!(whole.bytes(), parts.bytes());
    }

    #[test]
    fn stamps_that_come_before_the_px_are_those_of_an_edit() {
        let (mut edited, mut stamped) = (pyramid(100), pyramid(100));
        for (block, stamp) in [((0, 0), 3), ((3, 1), 2), ((1, 1), 4)] {
            let side = PAGE_PX / 4;
            let px = |n: u32| n * side..(n + 1) * side;
            let (x, y) = (px(block.0), px(block.1));
            edited.edit(id(0, 1, 1), x.clone(), y.clone(), 4, |page| {
                page.set_stamp(block, stamp);
                page.texels_mut();
            });
            stamped.restamp(id(0, 1, 1), (x, y), 4, block, stamp);
        }
        for level in 0..3 {
            let at = id(level, 1 >> level, 1 >> level);
            let stamps = |pyramid: &LabelPyramid| {
                let page = pyramid.peek(at).unwrap();
                let current = [1, 3, 4, 5].map(|stamp| page.current_blocks(stamp));
                (page.per_side(), current)
            };
            assert_eq!(stamps(&edited), stamps(&stamped), "level {level}");
        }
        let version = stamped.peek(id(1, 0, 0)).unwrap().version();
        stamped.fill(
            id(1, 0, 0),
            vec![Texel::of(2); (PAGE_PX * PAGE_PX) as usize],
        );
        let page = stamped.peek(id(1, 0, 0)).unwrap();
        assert_eq!((page.texel(0, 0).code, page.version()), (2, version));
        stamped.fill(id(1, 9, 9), Vec::new());
        assert_eq!(edited.bytes(), stamped.bytes());
    }

    #[test]
    fn within_a_class_values_are_means_rounded_half_up() {
        let ranks = Ranks::by_rarity(&[5.0, 2.0, 0.1]);
        let with = |code: u8, value: u8, extra: u8| Texel {
            value,
            extra,
            ..Texel::of(code)
        };
        let of_class = [(10, 255), (11, 255), (12, 255), (13, 254)];
        let four = of_class.map(|(value, extra)| with(1, value, extra));
        assert_eq!(reduce(&four, &ranks), with(1, 12, 255));
        // A rarer class under one of them stays visible.
        let four = [Texel { any: 2, ..four[0] }, four[1], four[2], four[3]];
        let seen = Texel {
            any: 2,
            ..with(1, 12, 255)
        };
        assert_eq!(reduce(&four, &ranks), seen);
    }

    #[test]
    fn of_equals_the_rarer_wins_and_the_unknown_has_no_vote() {
        let ranks = Ranks::by_rarity(&[5.0, 2.0, 0.1]);
        let four = |codes: [u8; 4]| reduce(&codes.map(Texel::of), &ranks).code;
        assert_eq!(four([0, 1, 0, 1]), 1);
        assert_eq!(four([UNKNOWN, UNKNOWN, UNKNOWN, 0]), 0);
        assert_eq!(four([UNKNOWN; 4]), UNKNOWN);
        assert_eq!(four([NOT_ANALYSED, NOT_ANALYSED, 2, 1]), NOT_ANALYSED);
        assert_eq!(four([NOT_ANALYSED, NOT_ANALYSED, 0, 0]), 0);
    }

    #[test]
    fn memory_is_limited_and_the_unseen_go_first() {
        let mut pyramid = pyramid(6);
        for col in 0..3 {
            pyramid.put([(id(0, col, 0), painted(|_, _| 1))]);
            assert!(pyramid.bytes() <= 6 * BYTES);
        }
        pyramid.page(id(0, 0, 0)).unwrap();
        pyramid.put([(id(0, 0, 2), painted(|_, _| 1))]);
        assert!(pyramid.bytes() <= 6 * BYTES, "{}", pyramid.bytes());
        assert!(pyramid.peek(id(0, 1, 0)).is_none());
        assert!(pyramid.peek(id(0, 0, 2)).is_some());
    }

    #[test]
    fn outdated_pages_are_kept_and_known_to_be() {
        let mut pyramid = pyramid(9);
        pyramid.put([(id(0, 0, 0), painted(|_, _| 1))]);
        let page = |pyramid: &LabelPyramid, level| {
            let page = pyramid.peek(id(level, 0, 0)).unwrap().clone();
            (pyramid.is_current(&page), page.version())
        };
        let before = page(&pyramid, 0);
        assert!(before.0 && page(&pyramid, 1).0);
        pyramid.ask_for(2);
        assert_eq!(page(&pyramid, 0), (false, before.1));
        let mut renewed = painted(|_, _| 2);
        renewed.set_stamp((0, 0), pyramid.stamp());
        pyramid.put([(id(0, 1, 0), renewed)]);
        assert!(!page(&pyramid, 1).0, "one of its children is old");
        let mut renewed = painted(|_, _| 2);
        renewed.set_stamp((0, 0), pyramid.stamp());
        pyramid.put([(id(0, 0, 0), renewed)]);
        assert!(page(&pyramid, 0).0 && page(&pyramid, 1).0 && page(&pyramid, 2).0);
        assert_ne!(page(&pyramid, 0).1, before.1);
    }

    #[test]
    fn colours_are_averaged_over_what_is_known() {
        let raster = Raster {
            slide_px_per_px: (1.0, 1.0),
            size_px: (1000, 600),
        };
        let mut pyramid = LabelPyramid::of_colours(raster, u64::MAX);
        let mut page = Page::new(1);
        let colour = |code: u8, any: u8, value: u8| Texel {
            code,
            any,
            value,
            extra: 255,
        };
        page.texels_mut()[0] = colour(250, 10, 255);
        page.texels_mut()[1] = colour(251, 20, 0);
        let id = PageId {
            level: 0,
            col: 0,
            row: 0,
        };
        pyramid.put([(id, page)]);
        let parent = pyramid.page(id.parent()).unwrap();
        assert_eq!(parent.texel(0, 0), colour(251, 15, 128));
        assert_eq!(parent.texel(1, 0), Texel::UNKNOWN);
    }
}
