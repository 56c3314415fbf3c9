//! A slide for tests: every child of a known grid has a colour of its own.

use crate::geometry::{LevelRegion, Mpp};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::{LevelInfo, Rgba, SlideError, SlideInfo, SlideSource};

/// One level, squares of `square_px` px, each with a colour of its own; stained everywhere, or
/// glass where `tissue` says no.
pub struct MarkedSlide {
    info: SlideInfo,
    square_px: i64,
    tissue: fn(i64, i64) -> bool,
    /// Regions that start left of this fail.
    failing_until: i64,
}

impl MarkedSlide {
    pub fn new(side_px: u64, mpp: Option<f64>, square_px: i64) -> Self {
        let phantom = PhantomSource::new(PhantomSpec::preset(Tissue::Brain, 1)).unwrap();
        let mut info = phantom.info().clone();
        info.name = "marked".into();
        info.mpp = mpp.and_then(Mpp::square);
        info.levels = vec![LevelInfo {
            size_px: (side_px, side_px),
            scale: (1.0, 1.0),
            native_tile_px: None,
        }];
        Self {
            info,
            square_px,
            tissue: |_, _| true,
            failing_until: i64::MIN,
        }
    }

    pub fn with_tissue(mut self, tissue: fn(i64, i64) -> bool) -> Self {
        self.tissue = tissue;
        self
    }

    pub fn failing_left_of(mut self, x: i64) -> Self {
        self.failing_until = x;
        self
    }

    /// Colour of the square (`column`, `row`): stained, and different for neighbours up to 16 away.
    pub fn colour(column: i64, row: i64) -> [u8; 3] {
        let step = |v: i64| (v.rem_euclid(16) * 5) as u8;
        [120 + step(column), 60 + step(row), 150]
    }
}

impl SlideSource for MarkedSlide {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        // Overviews are large and always succeed.
        if region.x < self.failing_until && region.width < 1000 {
            return Err(SlideError::Region {
                slide: "marked".into(),
                level,
                x: region.x,
                y: region.y,
                reason: "as told".into(),
            });
        }
        let side = self.info.levels[0].size_px.0 as i64;
        let mut out = Rgba::transparent(region.width, region.height);
        for (index, pixel) in out.data.chunks_exact_mut(4).enumerate() {
            let x = region.x + (index % region.width as usize) as i64;
            let y = region.y + (index / region.width as usize) as i64;
            if !(0..side).contains(&x) || !(0..side).contains(&y) {
                continue;
            }
            let [r, g, b] = if (self.tissue)(x, y) {
                Self::colour(x / self.square_px, y / self.square_px)
            } else {
                [239, 237, 238]
            };
            pixel.copy_from_slice(&[r, g, b, 255]);
        }
        Ok(out)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        Err(SlideError::Associated {
            slide: "marked".into(),
            name: name.into(),
            reason: "there is none".into(),
        })
    }
}
