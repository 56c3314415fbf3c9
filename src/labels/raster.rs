//! Where the px of a label raster lie on the slide.

use std::ops::Range;

use crate::geometry::{SlidePoint, SlideRect};

/// Side of a page, px.
pub const PAGE_PX: u32 = 256;

/// A square of [`PAGE_PX`] px of one level of a raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageId {
    /// 0 is the raster itself, each further level has half as many px along both axes.
    pub level: u8,
    /// From the left.
    pub col: u32,
    /// From the top.
    pub row: u32,
}

impl PageId {
    /// The page of the next coarser level that holds this one.
    pub fn parent(self) -> Self {
        Self {
            level: self.level + 1,
            col: self.col / 2,
            row: self.row / 2,
        }
    }
}

/// A raster whose px (0, 0) begins at the slide's level-0 origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raster {
    /// Level-0 px of the slide that one px covers, along x and y; > 0.
    pub slide_px_per_px: (f64, f64),
    /// Width and height, px; at least 1.
    pub size_px: (u32, u32),
}

impl Raster {
    /// The raster of a level: px of twice the side from level to level, and as many as touch it.
    #[must_use]
    pub fn level(&self, level: u8) -> Self {
        let factor = 2.0_f64.powi(level.into());
        let side = |px: u32| px.div_ceil(1_u32.checked_shl(level.into()).unwrap_or(u32::MAX));
        Self {
            slide_px_per_px: (
                self.slide_px_per_px.0 * factor,
                self.slide_px_per_px.1 * factor,
            ),
            size_px: (side(self.size_px.0).max(1), side(self.size_px.1).max(1)),
        }
    }

    /// The first level that one page holds.
    pub fn coarsest(&self) -> u8 {
        let longer = self.size_px.0.max(self.size_px.1);
        let pages = longer.div_ceil(PAGE_PX).next_power_of_two();
        pages.trailing_zeros() as u8
    }

    /// The finest level of which a px covers at least a screen px, so that none falls between
    /// samples. `slide_px_per_screen_px` is the view's, along x.
    pub fn level_for(&self, slide_px_per_screen_px: f64) -> u8 {
        let ratio = slide_px_per_screen_px / self.slide_px_per_px.0;
        // A view at the raster's own scale is one, whatever the last bits say.
        let level = (ratio.log2() - 1e-6).ceil().max(0.0);
        (level as u8).min(self.coarsest())
    }

    /// Number of pages of this raster along x and y.
    pub fn pages(&self) -> (u32, u32) {
        (
            self.size_px.0.div_ceil(PAGE_PX),
            self.size_px.1.div_ceil(PAGE_PX),
        )
    }

    /// Slide px covered by px `x`, `y` of this raster.
    pub fn slide_rect(&self, x: Range<u32>, y: Range<u32>) -> SlideRect {
        let at = |x: u32, y: u32| {
            SlidePoint::new(
                f64::from(x) * self.slide_px_per_px.0,
                f64::from(y) * self.slide_px_per_px.1,
            )
        };
        SlideRect::new(at(x.start, y.start), at(x.end, y.end))
    }

    /// The px of this raster that a rectangle of the slide touches; `None` where it touches none.
    pub fn px_in(&self, rect: &SlideRect) -> Option<(Range<u32>, Range<u32>)> {
        let along = |from: f64, to: f64, scale: f64, side: u32| {
            let within = |at: f64| at.clamp(0.0, f64::from(side)) as u32;
            within((from / scale).floor())..within((to / scale).ceil())
        };
        let (scale, size) = (self.slide_px_per_px, self.size_px);
        let x = along(rect.min.x, rect.max.x, scale.0, size.0);
        let y = along(rect.min.y, rect.max.y, scale.1, size.1);
        (!x.is_empty() && !y.is_empty()).then_some((x, y))
    }

    /// The pages of `level` that a rectangle of the slide touches, row by row; `self` is level 0.
    pub fn pages_in(&self, level: u8, rect: &SlideRect) -> Vec<PageId> {
        let Some((x, y)) = self.level(level).px_in(rect) else {
            return Vec::new();
        };
        let pages = |px: &Range<u32>| px.start / PAGE_PX..px.end.div_ceil(PAGE_PX);
        let of_row = |row: u32| pages(&x).map(move |col| PageId { level, col, row });
        pages(&y).flat_map(of_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: Raster = Raster {
        slide_px_per_px: (4.0, 4.0),
        size_px: (1001, 257),
    };

    #[test]
    fn levels_halve_and_keep_every_px() {
        let coarse = ODD.level(1);
        assert_eq!(coarse.size_px, (501, 129));
        assert_eq!(coarse.slide_px_per_px, (8.0, 8.0));
        assert_eq!(ODD.coarsest(), 2);
        assert_eq!(ODD.level(2).pages(), (1, 1));
        assert_eq!(ODD.level(40).size_px, (1, 1));
        assert_eq!(ODD.pages(), (4, 2));
    }

    #[test]
    fn a_level_px_covers_at_least_a_screen_px() {
        for (view, level) in [(0.5, 0), (4.0, 0), (4.1, 1), (8.0, 1), (9.0, 2), (900.0, 2)] {
            assert_eq!(ODD.level_for(view), level, "{view}");
        }
    }

    #[test]
    fn pages_under_a_rectangle_are_found_and_none_beyond() {
        let rect =
            |x0, y0, x1, y1| SlideRect::new(SlidePoint::new(x0, y0), SlidePoint::new(x1, y1));
        let found = ODD.pages_in(0, &rect(1000.0, -50.0, 1030.0, 9.0));
        let cols: Vec<(u32, u32)> = found.iter().map(|page| (page.col, page.row)).collect();
        assert_eq!(cols, [(0, 0), (1, 0)]);
        assert_eq!(ODD.pages_in(0, &rect(-1e6, -1e6, 1e6, 1e6)).len(), 8);
        assert!(ODD.pages_in(0, &rect(4004.0, 0.0, 5000.0, 9.0)).is_empty());
        let px = ODD.slide_rect(250..251, 0..2);
        assert_eq!(ODD.px_in(&px), Some((250..251, 0..2)));
    }
}
