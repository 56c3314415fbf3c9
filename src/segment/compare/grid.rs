//! Where two maps are sampled.

use std::ops::Range;

use super::source::LabelMap;
use super::{CompareError, Steps};
use crate::geometry::{Mpp, SlidePoint, SlideRect};
use crate::labels::{NO_STAMP, PAGE_PX, PageId, Raster, UNKNOWN};

/// Px of a field at most: of a larger one px are coarser.
pub const MOST_PX: u64 = 4 << 20;

/// Powers of two within this count as reached, log2.
const TOLERANCE: f64 = 1e-6;

/// A part of a raster that is anchored to the slide.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldGrid {
    /// The raster, from the slide's origin on.
    pub raster: Raster,
    /// Columns of the field.
    pub x: Range<u32>,
    /// Rows of the field.
    pub y: Range<u32>,
    /// Width and height of a px, µm.
    pub px_um: (f64, f64),
}

impl FieldGrid {
    /// The px in a field of the finer of two rasters, or of the first coarser level of it that has
    /// no more of them than `MOST_PX`. `None` where there are none.
    pub fn over(rasters: [Raster; 2], field: &SlideRect, mpp: Mpp) -> Option<Self> {
        let [first, second] = rasters;
        let finer = match area(&first) <= area(&second) {
            true => first,
            false => second,
        };
        // Px of coarser levels reach beyond the map.
        finer.px_in(field)?;
        (0..32).find_map(|level| {
            let raster = finer.level(level);
            let (x, y) = raster.px_in(field)?;
            let px = x.len() as u64 * y.len() as u64;
            let fits = px <= MOST_PX;
            let scale = raster.slide_px_per_px;
            fits.then_some(Self {
                px_um: (scale.0 * mpp.x, scale.1 * mpp.y),
                raster,
                x,
                y,
            })
        })
    }

    /// Columns and rows.
    pub fn size_px(&self) -> (usize, usize) {
        (self.x.len(), self.y.len())
    }

    /// Px in all.
    pub fn px(&self) -> usize {
        self.x.len() * self.y.len()
    }

    /// What px of the field, counted from its first, cover on the slide.
    pub fn slide_rect(&self, x: Range<usize>, y: Range<usize>) -> SlideRect {
        let from =
            |range: Range<usize>, start: u32| start + range.start as u32..start + range.end as u32;
        self.raster
            .slide_rect(from(x, self.x.start), from(y, self.y.start))
    }

    /// The middle of a px of the field, by its place in rows from the top.
    pub fn center(&self, at: usize) -> SlidePoint {
        let (x, y) = (at % self.x.len(), at / self.x.len());
        self.slide_rect(x..x + 1, y..y + 1).center()
    }

    /// Side in px of squares that are wider than a px of the coarser of two rasters by one: what
    /// is narrower may come from sampling alone.
    pub(super) fn sliver_px(&self, rasters: [Raster; 2]) -> usize {
        let coarser = rasters.iter().map(|raster| {
            let level = raster.level(self.level_of(raster));
            level.slide_px_per_px.0 / self.raster.slide_px_per_px.0
        });
        1 + coarser.fold(1.0, f64::max).round() as usize
    }

    /// The coarsest level of a raster whose px are no coarser than the grid's, or 0.
    fn level_of(&self, raster: &Raster) -> u8 {
        let ratio = self.raster.slide_px_per_px.0 / raster.slide_px_per_px.0;
        let level = (ratio.log2() + TOLERANCE).floor().max(0.0);
        (level as u8).min(raster.coarsest())
    }

    /// Pages that are read of a raster.
    pub(super) fn pages_under(&self, raster: &Raster) -> u64 {
        let (columns, rows) = self.under(raster);
        (by_page(&columns).count() * by_page(&rows).count()) as u64
    }

    /// The columns and rows of a raster, at its level, in which the middles of the field's columns
    /// and rows lie; without those beyond it.
    fn under(&self, raster: &Raster) -> (Vec<u32>, Vec<u32>) {
        let source = raster.level(self.level_of(raster));
        let (own, theirs) = (self.raster.slide_px_per_px, source.slide_px_per_px);
        let along = |px: &Range<u32>, ratio: f64, side: u32| {
            let under = px.clone().map(|at| ((f64::from(at) + 0.5) * ratio) as u32);
            under.take_while(|at| *at < side).collect()
        };
        (
            along(&self.x, own.0 / theirs.0, source.size_px.0),
            along(&self.y, own.1 / theirs.1, source.size_px.1),
        )
    }

    /// The codes of a map at the middles of the field's px, rows from the top, as `table` has
    /// them; and whether all of them are what is asked for now.
    pub(super) fn codes(
        &self,
        map: &dyn LabelMap,
        table: &[u8; 256],
        steps: &mut Steps,
    ) -> Result<(Vec<u8>, bool), CompareError> {
        let raster = map.raster();
        let level = self.level_of(&raster);
        let (columns, rows) = self.under(&raster);
        let mut codes = vec![UNKNOWN; self.px()];
        let mut oldest = NO_STAMP;
        for (top, rows) in by_page(&rows) {
            for (left, columns) in by_page(&columns) {
                let (col, row) = (columns[0] / PAGE_PX, rows[0] / PAGE_PX);
                if let Some(page) = map.page(PageId { level, col, row })? {
                    oldest = oldest.min(page.oldest_in(&within(columns), &within(rows)));
                    for (y, line) in rows
                        .iter()
                        .zip(codes[top * self.x.len()..].chunks_mut(self.x.len()))
                    {
                        let start = (y % PAGE_PX * PAGE_PX) as usize;
                        let texels = &page.texels()[start..start + PAGE_PX as usize];
                        for (x, code) in columns.iter().zip(&mut line[left..]) {
                            let texel = texels[(x % PAGE_PX) as usize];
                            *code = table[usize::from(texel.code)];
                        }
                    }
                }
                steps.step()?;
            }
        }
        // Asked last: what is read after a turn of the bias, or before, is known to be mixed.
        Ok((codes, oldest >= map.stamp()))
    }
}

/// Slide px² of a px.
fn area(raster: &Raster) -> f64 {
    raster.slide_px_per_px.0 * raster.slide_px_per_px.1
}

/// Columns or rows that lie in one page, with the place of their first in the list.
fn by_page(px: &[u32]) -> impl Iterator<Item = (usize, &[u32])> {
    let mut place = 0;
    px.chunk_by(|a, b| a / PAGE_PX == b / PAGE_PX)
        .map(move |part| {
            let first = place;
            place += part.len();
            (first, part)
        })
}

/// From the first to the last of a page's columns or rows, counted from the page's first.
fn within(px: &[u32]) -> Range<u32> {
    let last = px.last().copied().unwrap_or_default();
    px[0] % PAGE_PX..last % PAGE_PX + 1
}
