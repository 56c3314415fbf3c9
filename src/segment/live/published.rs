//! What the engine shows to others: maps of labels, and how far it is.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::layer::LayerKey;
use crate::geometry::SlideRect;
use crate::labels::{
    FAILED, LabelPyramid, PAGE_PX, Page, PageId, Raster, Texel, UNKNOWN, is_class,
};

/// How far the engine is, for the status bar and the panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveStatus {
    /// Tiles of the fields that are still to be worked on.
    pub waiting: usize,
    /// Tiles encoded since the start.
    pub encoded: u64,
    /// Tiles decoded since the start.
    pub decoded: u64,
    /// Tiles encoded and decoded a second, over the last of them; 0 before the first.
    pub tiles_per_s: f64,
    /// Bytes of kept features.
    pub feature_bytes: u64,
    /// Bytes of kept scores.
    pub score_bytes: u64,
    /// Seconds from the last change of the bias until all of the field showed it.
    pub turn_s: Option<f64>,
    /// Seconds of encoding and decoding that the tiles of that field took when they were new.
    pub full_s: Option<f64>,
    /// What failed last.
    pub failure: Option<String>,
    /// Whether only the middle of the first field is worked on: it has too many px.
    pub is_cut: bool,
    /// Areas of the first field, where they are known.
    pub areas: Option<FieldAreas>,
}

/// A map of labels and the areas of its classes.
pub struct Published {
    /// The pages.
    pub pyramid: LabelPyramid,
    /// Px of every class in each page of level 0 that was ever made.
    counts: HashMap<PageId, Vec<u32>>,
    /// Square millimetres of one px.
    px_mm2: f64,
    classes: usize,
}

impl Published {
    /// Nothing known yet.
    pub fn new(pyramid: LabelPyramid, classes: usize, px_mm2: f64) -> Self {
        Self {
            pyramid,
            counts: HashMap::new(),
            px_mm2,
            classes,
        }
    }

    /// Changes px of columns `x` and rows `y` of a page of level 0; see [`LabelPyramid::edit`].
    pub fn edit(
        &mut self,
        id: PageId,
        x: Range<u32>,
        y: Range<u32>,
        per_side: u32,
        change: impl FnOnce(&mut Page),
    ) {
        let classes = self.classes;
        // A page that was dropped is counted as it was until it is made again.
        let mut counts = match self.pyramid.peek(id) {
            Some(_) => self.counts.remove(&id).unwrap_or_else(|| vec![0; classes]),
            None => vec![0; classes],
        };
        self.pyramid
            .edit(id, x.clone(), y.clone(), per_side, |page| {
                tally(page, &x, &y, &mut counts, |count| {
                    *count = count.saturating_sub(1)
                });
                change(page);
                tally(page, &x, &y, &mut counts, |count| *count += 1);
            });
        self.counts.insert(id, counts);
    }

    /// Brings the px of a page of any level up to what is drawn already; see [`LabelPyramid::fill`].
    pub fn fill(&mut self, id: PageId, texels: Vec<Texel>) {
        if id.level == 0 {
            let mut counts = vec![0; self.classes];
            for texel in &texels {
                if let Some(count) = counts.get_mut(usize::from(texel.code)) {
                    *count += 1;
                }
            }
            self.counts.insert(id, counts);
        }
        self.pyramid.fill(id, texels);
    }

    /// mm² of each class in all that was analysed of the slide.
    pub fn areas_mm2(&self) -> Vec<f64> {
        let mut areas = vec![0.0; self.classes];
        for counts in self.counts.values() {
            for (area, count) in areas.iter_mut().zip(counts) {
                *area += f64::from(*count) * self.px_mm2;
            }
        }
        areas
    }
}

/// Areas of the classes of a field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldAreas {
    /// The slide, by its number in [`LayerKey`].
    pub slide: u64,
    /// The field, level-0 px.
    pub seen: SlideRect,
    /// Of each class in the field, mm².
    pub field_mm2: Vec<f64>,
    /// Mean value of the px that have a class, 0–1: their class's probability, unless another
    /// class's is kept. None where there are no such px.
    pub probability: Option<f64>,
    /// How much of the field was looked at, 0–1.
    pub known: f64,
    /// Of each class in all that was analysed of the slide, mm².
    pub slide_mm2: Vec<f64>,
}

fn mean_value(sum: u64, px: u64) -> Option<f64> {
    (px > 0).then(|| sum as f64 / 255.0 / px as f64)
}

/// What two ranges share; empty where they share nothing.
fn both(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

/// Px of a page's column or row of px, counted from the page's first.
fn within(px: &Range<u32>, page: u32) -> Range<u32> {
    let start = page * PAGE_PX;
    let of_page = both(px, &(start..start + PAGE_PX));
    of_page.start - start..of_page.end - start
}

/// Does something to the count of the class of each px of a part of a page.
fn tally(
    page: &Page,
    x: &Range<u32>,
    y: &Range<u32>,
    counts: &mut [u32],
    count: impl Fn(&mut u32),
) {
    for row in y.clone() {
        let line = |column: u32| (row * PAGE_PX + column) as usize;
        for texel in &page.texels()[line(x.start)..line(x.end)] {
            if let Some(of_class) = counts.get_mut(usize::from(texel.code)) {
                count(of_class);
            }
        }
    }
}

/// The maps, shared between the engine and those who show them. Held for look-ups and for putting
/// finished pages in, never while computing.
#[derive(Clone, Default)]
pub struct SharedLayers(Arc<Mutex<HashMap<LayerKey, Published>>>);

impl SharedLayers {
    /// All maps. A thread that panicked leaves whole pages behind.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<LayerKey, Published>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page, and which of its parts are what is asked for now; see [`Page::current_blocks`].
    pub fn page(&self, key: LayerKey, id: PageId) -> Option<(Arc<Page>, u64)> {
        let mut layers = self.lock();
        let pyramid = &mut layers.get_mut(&key)?.pyramid;
        let page = pyramid.page(id)?;
        let current = page.current_blocks(pyramid.stamp());
        Some((page, current))
    }

    /// A page; does not count as looked at.
    pub fn peek(&self, key: LayerKey, id: PageId) -> Option<Arc<Page>> {
        self.lock().get(&key)?.pyramid.peek(id).cloned()
    }

    /// What the px of a map are stamped with that are what is asked for now, or with more.
    pub fn stamp(&self, key: LayerKey) -> Option<u64> {
        Some(self.lock().get(&key)?.pyramid.stamp())
    }

    /// Areas of a field. Only px of columns `x` and rows `y` of the map are looked at, which are
    /// those that are worked on. Pages are counted after the maps are free again.
    pub fn areas(
        &self,
        key: LayerKey,
        seen: &SlideRect,
        x: &Range<u32>,
        y: &Range<u32>,
    ) -> Option<FieldAreas> {
        let layers = self.lock();
        let published = layers.get(&key)?;
        let (px_mm2, classes) = (published.px_mm2, published.classes);
        let slide_mm2 = published.areas_mm2();
        let raster = *published.pyramid.raster();
        let (seen_x, seen_y) = raster.px_in(seen)?;
        let (x, y) = (both(&seen_x, x), both(&seen_y, y));
        let ids = raster.pages_in(0, &raster.slide_rect(x.clone(), y.clone()));
        let held = |id: &PageId| Some((*id, Arc::clone(published.pyramid.peek(*id)?)));
        let pages: Vec<(PageId, Arc<Page>)> = ids.iter().filter_map(held).collect();
        drop(layers);
        let mut px = vec![0_u32; classes];
        let (mut known, mut values) = (0_u64, 0_u64);
        for (id, page) in &pages {
            let (x, y) = (within(&x, id.col), within(&y, id.row));
            tally(page, &x, &y, &mut px, |count| *count += 1);
            for row in y {
                let code = |column: u32| page.texel(column, row).code;
                let is_known = |column: &u32| ![UNKNOWN, FAILED].contains(&code(*column));
                known += x.clone().filter(is_known).count() as u64;
                let of_class = x.clone().map(|column| page.texel(column, row));
                let of_class = of_class.filter(|texel| is_class(texel.code));
                values += of_class.map(|texel| u64::from(texel.value)).sum::<u64>();
            }
        }
        let all = seen_x.len() as f64 * seen_y.len() as f64;
        Some(FieldAreas {
            slide: key.slide,
            seen: *seen,
            field_mm2: px.iter().map(|px| f64::from(*px) * px_mm2).collect(),
            probability: mean_value(values, px.iter().map(|px| u64::from(*px)).sum()),
            known: known as f64 / all,
            slide_mm2,
        })
    }

    /// All pages of a map as they are now; none is copied.
    pub fn snapshot(&self, key: LayerKey) -> Option<(Raster, HashMap<PageId, Arc<Page>>)> {
        let layers = self.lock();
        let pyramid = &layers.get(&key)?.pyramid;
        let pages = pyramid.pages().map(|(id, page)| (id, Arc::clone(page)));
        Some((*pyramid.raster(), pages.collect()))
    }

    /// Where the px of a map lie.
    pub fn raster(&self, key: LayerKey) -> Option<Raster> {
        Some(*self.lock().get(&key)?.pyramid.raster())
    }
}
