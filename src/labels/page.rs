//! A page of a label raster.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::raster::PAGE_PX;

/// Code of px that were looked at and are no tissue.
pub const NOT_ANALYSED: u8 = 255;

/// Code of px of which nothing is known yet: what lies under them shows.
pub const UNKNOWN: u8 = 254;

/// Code of px whose analysis failed.
pub const FAILED: u8 = 253;

/// Whether a code names a class.
pub fn is_class(code: u8) -> bool {
    code < FAILED
}

/// What is known of one px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Texel {
    /// The class, or one of the codes above; of coarser levels the most frequent one under it.
    pub code: u8,
    /// The class under it that is to stay visible however small it is; `code` on level 0.
    pub any: u8,
    /// A value 0–1 as 0–255, such as the class's probability.
    pub value: u8,
    /// Another one, such as the entropy.
    pub extra: u8,
}

impl Texel {
    /// Nothing known.
    pub const UNKNOWN: Self = Self::of(UNKNOWN);

    /// A class or code without values.
    pub const fn of(code: u8) -> Self {
        Self {
            code,
            any: code,
            value: 0,
            extra: 0,
        }
    }
}

/// Stamp of blocks of which nothing is known.
pub const NO_STAMP: u64 = u64::MAX;

/// Blocks along a page's side that are told apart by [`Page::current_blocks`].
pub const BLOCKS: u32 = 8;

/// The px of a page where they are drawn from, such as in the memory of a graphics card. What it is
/// only those know who put it there and who draw.
pub type Resident = Arc<dyn Any + Send + Sync>;

/// [`PAGE_PX`] × [`PAGE_PX`] px, and what they were made for: equal square blocks have stamps, which
/// are greater for what was asked for later, and 0 where something is missing that the px should
/// follow from.
#[derive(Debug, Clone)]
pub struct Page {
    texels: Vec<Texel>,
    per_side: u32,
    stamps: Vec<u64>,
    version: u64,
    resident: Option<Resident>,
}

impl Page {
    /// Nothing known; one block, of this stamp.
    pub fn new(stamp: u64) -> Self {
        let mut page = Self::in_blocks(1);
        page.set_stamp((0, 0), stamp);
        page
    }

    /// Nothing known; so many blocks along each side, a power of two.
    pub fn in_blocks(per_side: u32) -> Self {
        let px = (PAGE_PX * PAGE_PX) as usize;
        Self {
            texels: vec![Texel::UNKNOWN; px],
            per_side,
            stamps: vec![NO_STAMP; (per_side * per_side) as usize],
            version: next_version(),
            resident: None,
        }
    }

    /// Blocks along each side.
    pub fn per_side(&self) -> u32 {
        self.per_side
    }

    /// Stamp of a block, by its column and row; [`NO_STAMP`] where nothing is known.
    pub fn stamp(&self, (column, row): (u32, u32)) -> u64 {
        self.stamps[(row * self.per_side + column) as usize]
    }

    /// Stamps a block.
    pub fn set_stamp(&mut self, (column, row): (u32, u32), stamp: u64) {
        self.stamps[(row * self.per_side + column) as usize] = stamp;
    }

    /// The least stamp of all that is known.
    pub fn oldest(&self) -> u64 {
        self.stamps.iter().copied().min().unwrap_or(NO_STAMP)
    }

    /// The least stamp within columns `x` and rows `y` of px.
    pub fn oldest_in(&self, x: &Range<u32>, y: &Range<u32>) -> u64 {
        let side = PAGE_PX / self.per_side;
        let along = |px: &Range<u32>| px.start / side..px.end.div_ceil(side);
        let columns = along(x);
        let stamps =
            along(y).flat_map(|row| columns.clone().map(move |column| self.stamp((column, row))));
        stamps.min().unwrap_or(NO_STAMP)
    }

    /// One bit for each of [`BLOCKS`]² parts of the page, row by row from the lowest bit on: whether
    /// all that is known there has at least this stamp.
    pub fn current_blocks(&self, stamp: u64) -> u64 {
        if self.oldest() >= stamp {
            return u64::MAX;
        }
        let side = PAGE_PX / BLOCKS;
        let px = |index: u32| index * side..(index + 1) * side;
        let is_current = |bit: &u32| self.oldest_in(&px(bit % BLOCKS), &px(bit / BLOCKS)) >= stamp;
        let bits = (0..BLOCKS * BLOCKS).filter(is_current);
        bits.fold(0, |all, bit| all | 1 << bit)
    }

    /// A number that no other content of any page has: what was copied elsewhere under it is still
    /// right.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All px, rows from the top.
    pub fn texels(&self) -> &[Texel] {
        &self.texels
    }

    /// All px, to change them; the page counts as another one from here on.
    pub fn texels_mut(&mut self) -> &mut [Texel] {
        self.version = next_version();
        self.resident = None;
        &mut self.texels
    }

    /// The px where they are drawn from, where they are there already. They may be newer than
    /// [`Self::texels`], never older.
    pub fn resident(&self) -> Option<&Resident> {
        self.resident.as_ref()
    }

    /// Tells where the px are drawn from.
    pub fn set_resident(&mut self, resident: Resident) {
        self.resident = Some(resident);
    }

    /// The px that are drawn were changed: the page counts as another one. [`Self::fill`] follows.
    pub fn renew(&mut self) {
        self.version = next_version();
    }

    /// Brings [`Self::texels`] up to what is drawn already, [`PAGE_PX`]² px.
    pub fn fill(&mut self, texels: Vec<Texel>) {
        if texels.len() == self.texels.len() {
            self.texels = texels;
        }
    }

    /// The px in column `x` and row `y` of the page, each less than [`PAGE_PX`].
    pub fn texel(&self, x: u32, y: u32) -> Texel {
        self.texels[(y * PAGE_PX + x) as usize]
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        size_of_val(self.texels.as_slice()) as u64
    }
}

fn next_version() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn px_that_come_later_are_no_other_page_and_changed_ones_are_drawn_from_here() {
        let mut page = Page::new(1);
        page.set_resident(Arc::new(7_u8));
        let drawn = page.version();
        page.renew();
        let renewed = page.version();
        page.fill(vec![Texel::of(3); (PAGE_PX * PAGE_PX) as usize]);
        assert!(drawn != renewed && page.version() == renewed);
        assert_eq!(
            (page.texel(9, 9).code, page.resident().is_some()),
            (3, true)
        );
        page.texels_mut()[0] = Texel::of(4);
        assert!(page.resident().is_none() && page.version() != renewed);
    }

    #[test]
    fn blocks_have_stamps_and_parts_know_whether_they_are_current() {
        let mut page = Page::in_blocks(16);
        assert_eq!(
            (page.oldest(), page.current_blocks(9)),
            (NO_STAMP, u64::MAX)
        );
        page.set_stamp((1, 0), 3);
        page.set_stamp((15, 15), 5);
        assert_eq!(page.oldest(), 3);
        assert_eq!(page.current_blocks(3), u64::MAX);
        assert_eq!(page.current_blocks(4), u64::MAX - 1);
        assert_eq!(page.current_blocks(6), u64::MAX - 1 - (1 << 63));
        assert_eq!(page.oldest_in(&(16..17), &(0..1)), 3);
        assert_eq!(page.oldest_in(&(32..256), &(0..240)), NO_STAMP);
        assert_eq!(Page::new(2).current_blocks(3), 0);
    }
}
