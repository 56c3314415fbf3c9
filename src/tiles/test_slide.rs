//! A slide for tests: every pixel's colour follows from its place.

use std::collections::BTreeMap;

use crate::geometry::{LevelRegion, level_scale};
use crate::slide::{LevelInfo, Rgba, ScaleOrigin, SlideError, SlideHash, SlideInfo, SlideSource};

/// A slide without pixels, with levels of the given sizes.
pub fn info_with_levels(sizes_px: &[(u64, u64)]) -> SlideInfo {
    let level = |&size_px: &(u64, u64)| LevelInfo {
        size_px,
        scale: level_scale(sizes_px[0], size_px),
        native_tile_px: None,
    };
    SlideInfo {
        name: "test".into(),
        path: None,
        vendor: "test".into(),
        levels: sizes_px.iter().map(level).collect(),
        mpp: None,
        scale_origin: ScaleOrigin::Missing,
        objective_power: None,
        bounds: None,
        background_rgb: [255; 3],
        icc_profile: None,
        properties: BTreeMap::new(),
        associated: Vec::new(),
        hash: SlideHash("test".into()),
    }
}

/// One level, red from x, green from y, blue from both.
pub struct GradientSlide {
    info: SlideInfo,
    failing: Option<(i64, i64)>,
}

impl GradientSlide {
    pub fn new(width: u64, height: u64) -> Self {
        Self {
            info: info_with_levels(&[(width, height)]),
            failing: None,
        }
    }

    /// Reading the region that starts at (`x`, `y`) fails.
    pub fn failing_at(mut self, x: i64, y: i64) -> Self {
        self.failing = Some((x, y));
        self
    }
}

impl SlideSource for GradientSlide {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        if self.failing == Some((region.x, region.y)) {
            let (x, y) = (region.x, region.y);
            return Err(SlideError::Region {
                slide: "test".into(),
                level,
                x,
                y,
                reason: "as told".into(),
            });
        }
        let mut out = Rgba::transparent(region.width, region.height);
        for (index, pixel) in out.data.chunks_exact_mut(4).enumerate() {
            let x = region.x + (index % region.width as usize) as i64;
            let y = region.y + (index / region.width as usize) as i64;
            pixel.copy_from_slice(&[(x * 7 + y) as u8, (y * 5) as u8, (x ^ y) as u8, 255]);
        }
        Ok(out)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        let (slide, name) = ("test".into(), name.into());
        Err(SlideError::Associated {
            slide,
            name,
            reason: "there is none".into(),
        })
    }
}
