//! From pages to rows of codes, and what is left out on the way.

use crate::labels::{FAILED, NOT_ANALYSED, PAGE_PX, Page, UNKNOWN};
use crate::segment::assemble::FILE_TILE_PX;

use super::snapshot::MapSnapshot;

// A row of the file's tiles is a row of pages.
const _: () = assert!(FILE_TILE_PX == PAGE_PX);

/// Px by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PxCounts {
    /// Of each class.
    pub classes: Vec<u64>,
    /// Looked at, and no tissue.
    pub no_tissue: u64,
    /// Their analysis failed.
    pub failed: u64,
    /// Made for another bias or other offsets than what is asked for.
    pub older: u64,
    /// Made without all the tiles that have a say on them.
    pub incomplete: u64,
}

/// What a block of a page was made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Now,
    Before,
    OfSomeTiles,
}

impl Made {
    fn of(stamp: u64, asked: u64) -> Self {
        match stamp {
            0 => Self::OfSomeTiles,
            stamp if stamp < asked => Self::Before,
            _ => Self::Now,
        }
    }
}

/// Codes of a map, one row of pages after the other.
pub struct CodeRows<'a> {
    snapshot: &'a MapSnapshot,
    /// The row of pages that comes next.
    next: u32,
    counts: PxCounts,
}

impl<'a> CodeRows<'a> {
    /// Of a map with so many classes.
    pub fn new(snapshot: &'a MapSnapshot, classes: usize) -> Self {
        Self {
            snapshot,
            next: 0,
            counts: PxCounts {
                classes: vec![0; classes],
                ..PxCounts::default()
            },
        }
    }

    /// The next rows of px, which are those of the next row of pages. What is no class made for
    /// what is asked for now is [`NOT_ANALYSED`].
    pub fn take(&mut self, rows: u32) -> Vec<u8> {
        let (width, columns) = (
            self.snapshot.raster().size_px.0 as usize,
            self.snapshot.raster().pages().0,
        );
        let mut codes = vec![NOT_ANALYSED; width * rows as usize];
        for column in 0..columns {
            if let Some(page) = self.snapshot.page(column, self.next) {
                let left = (column * PAGE_PX) as usize;
                self.put(page, &mut codes, left, width);
            }
        }
        self.next += 1;
        codes
    }

    /// Writes a page's px that lie within the map, from column `left` on, into rows of `width` px.
    fn put(&mut self, page: &Page, codes: &mut [u8], left: usize, width: usize) {
        let columns = (PAGE_PX as usize).min(width - left);
        let (asked, side) = (self.snapshot.stamp(), PAGE_PX / page.per_side());
        let lines = codes.chunks_exact_mut(width).zip(0..PAGE_PX);
        for (line, y) in lines {
            let line = &mut line[left..left + columns];
            for (code, x) in line.iter_mut().zip(0..PAGE_PX) {
                let made = Made::of(page.stamp((x / side, y / side)), asked);
                *code = self.counts.tell(page.texel(x, y).code, made);
            }
        }
    }

    /// What became of the px so far.
    pub fn counts(self) -> PxCounts {
        self.counts
    }
}

impl PxCounts {
    /// What is written for a px; counts it.
    fn tell(&mut self, code: u8, made: Made) -> u8 {
        let counter = match (made, code) {
            (_, UNKNOWN) => return NOT_ANALYSED,
            (_, FAILED) => &mut self.failed,
            // What is tissue hangs on no bias and no tile.
            (_, NOT_ANALYSED) => &mut self.no_tissue,
            (Made::Before, _) => &mut self.older,
            (Made::OfSomeTiles, _) => &mut self.incomplete,
            (Made::Now, class) => match self.classes.get_mut(usize::from(class)) {
                Some(count) => {
                    *count += 1;
                    return class;
                }
                None => &mut self.failed,
            },
        };
        *counter += 1;
        NOT_ANALYSED
    }
}
