//! How large a mask is on the slide.

use crate::geometry::{Mpp, level_scale};
use crate::slide::SlideInfo;

use super::raster::Raster;

/// By its own scale a mask may miss the slide's size by this part: stated scales are rounded.
const SCALE_TOLERANCE: f64 = 0.005;

/// The raster of a mask of `size_px` that covers the slide: by its own scale `mpp` where the slide
/// has one too, else by the sizes of both.
///
/// # Errors
/// In words, when the mask does not cover the slide, from its first px to its last.
pub(super) fn place(
    size_px: (u32, u32),
    mpp: Option<Mpp>,
    slide: &SlideInfo,
) -> Result<Raster, String> {
    let slide_px_per_px = match (mpp, slide.mpp) {
        (Some(mask), Some(slide)) => (mask.x / slide.x, mask.y / slide.y),
        _ => by_size(size_px, slide)?,
    };
    let raster = Raster {
        slide_px_per_px,
        size_px,
    };
    let along = |px: u32, scale: f64, full: f64| {
        let off = (f64::from(px) * scale - full).abs();
        off <= scale.max(full * SCALE_TOLERANCE)
    };
    let full = slide.size();
    let fits = along(size_px.0, slide_px_per_px.0, full.width)
        && along(size_px.1, slide_px_per_px.1, full.height);
    if fits {
        return Ok(raster);
    }
    Err(format!(
        "by its own scale the mask covers {:.0} x {:.0} px of the slide, which has {} x {} px: it \
         is of another slide or of a part of this one, or one of the scales is wrong",
        f64::from(size_px.0) * slide_px_per_px.0,
        f64::from(size_px.1) * slide_px_per_px.1,
        full.width,
        full.height
    ))
}

/// Slide px per mask px where one number fits both axes within a px of the mask.
fn by_size(size_px: (u32, u32), slide: &SlideInfo) -> Result<(f64, f64), String> {
    let full = slide.size();
    // Scales with which a side of `px` is at most a px off.
    let range = |px: u32, full: f64| {
        let px = f64::from(px);
        (full / (px + 1.0), full / (px - 1.0).max(0.5))
    };
    let (x, y) = (range(size_px.0, full.width), range(size_px.1, full.height));
    if x.0.max(y.0) > x.1.min(y.1) {
        return Err(format!(
            "the mask is {} x {} px and the slide {} x {} px: the sides have different ratios, so \
             that it can't cover the whole slide",
            size_px.0, size_px.1, full.width, full.height
        ));
    }
    let full = (full.width as u64, full.height as u64);
    Ok(level_scale(full, (size_px.0.into(), size_px.1.into())))
}
