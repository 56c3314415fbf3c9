//! Where two maps differ, as labels that an overlay can draw.

use std::ops::Range;

use super::Comparison;
use crate::labels::{LabelPyramid, PAGE_PX, Page, PageId, Texel};
use crate::segment::agreement::{DIFFERS, difference_ranks};

/// Stamps of pages that are what was asked for, and of those that are not.
const CURRENT: u64 = 1;
const PROVISIONAL: u64 = 0;

impl Comparison {
    /// Of each px of the grid, rows from the top, [`crate::segment::agreement::difference`].
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// The same as labels on the grid's raster: differing px stay visible at low power as
    /// [`Texel::any`], and [`Texel::value`] is the share of them under a px. Nothing is known
    /// beyond the field.
    pub fn difference(&self) -> LabelPyramid {
        let (x, y) = (&self.grid.x, &self.grid.y);
        let pages = |px: &Range<u32>| px.start / PAGE_PX..px.end.div_ceil(PAGE_PX);
        let ids = pages(y).flat_map(|row| pages(x).map(move |col| PageId { level: 0, col, row }));
        let mut pyramid = LabelPyramid::new(self.grid.raster, difference_ranks(), u64::MAX);
        pyramid.put(ids.map(|id| (id, self.page(id))));
        pyramid
    }

    fn page(&self, id: PageId) -> Page {
        let mut page = Page::new(if self.provisional {
            PROVISIONAL
        } else {
            CURRENT
        });
        let (x, y) = (shared(&self.grid.x, id.col), shared(&self.grid.y, id.row));
        let width = self.grid.x.len();
        let left = (x.start - self.grid.x.start) as usize;
        for row in y {
            let from = (row - self.grid.y.start) as usize * width + left;
            let to = (row % PAGE_PX * PAGE_PX + x.start % PAGE_PX) as usize;
            let texels = &mut page.texels_mut()[to..to + x.len()];
            for (texel, code) in texels.iter_mut().zip(&self.codes[from..]) {
                let value = if *code == DIFFERS { u8::MAX } else { 0 };
                *texel = Texel {
                    value,
                    ..Texel::of(*code)
                };
            }
        }
        page
    }
}

/// What a range of px and a page's share.
fn shared(px: &Range<u32>, page: u32) -> Range<u32> {
    let start = page * PAGE_PX;
    px.start.max(start)..px.end.min(start + PAGE_PX)
}
