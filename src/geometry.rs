//! Spaces and units. Every point, vector, size and transform carries its space in its type,
//! and every transform is named `target_from_source`.
//!
//! Slide space is level-0 pixels in `f64` everywhere: a slide may be 300,000 px wide, where an
//! `f32` is already wrong by a thirtieth of a pixel, and by far more once it is transformed.

mod distance;
mod scale_bar;
mod view;

pub use distance::ColumnDistances;
pub use scale_bar::ScaleBar;
pub use view::View;

use serde::{Deserialize, Serialize};

/// Level-0 pixels of a slide: x to the right, y down, origin at the slide's top-left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlidePx {}

/// Pixels of one pyramid level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelPx {}

/// Physical pixels of a view, origin at its top-left corner (not egui's logical points).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenPx {}

/// Microns on the glass, origin at the slide's level-0 origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Um {}

/// A place on the slide, level-0 px.
pub type SlidePoint = euclid::Point2D<f64, SlidePx>;
/// A way on the slide, level-0 px.
pub type SlideVector = euclid::Vector2D<f64, SlidePx>;
/// A width and height on the slide, level-0 px.
pub type SlideSize = euclid::Size2D<f64, SlidePx>;
/// An upright rectangle on the slide, level-0 px.
pub type SlideRect = euclid::Box2D<f64, SlidePx>;
/// A place on one level, level px.
pub type LevelPoint = euclid::Point2D<f64, LevelPx>;
/// A place in a view, physical px from its top-left corner.
pub type ScreenPoint = euclid::Point2D<f64, ScreenPx>;
/// A way in a view, physical px.
pub type ScreenVector = euclid::Vector2D<f64, ScreenPx>;
/// Width and height of a view, physical px.
pub type ScreenSize = euclid::Size2D<f64, ScreenPx>;
/// A place on the glass, µm from the slide's origin.
pub type UmPoint = euclid::Point2D<f64, Um>;
/// A width and height on the glass, µm.
pub type UmSize = euclid::Size2D<f64, Um>;

/// An integer rectangle of one pyramid level: what a tile covers. `origin` may be negative or
/// beyond the level, as scanners' readers allow; such pixels are transparent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LevelRegion {
    /// Left edge, level px.
    pub x: i64,
    /// Top edge, level px.
    pub y: i64,
    /// Width, level px.
    pub width: u32,
    /// Height, level px.
    pub height: u32,
}

impl LevelRegion {
    /// Number of pixels covered.
    pub fn area_px(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// The microns one µm/px of which is called 10x: magnification = 10 / mpp.
const MPP_AT_1X: f64 = 10.0;

/// Microns per level-0 pixel, one value an axis (scanners with non-square pixels exist).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mpp {
    /// Microns per pixel along x; finite and > 0.
    pub x: f64,
    /// Microns per pixel along y; finite and > 0.
    pub y: f64,
}

impl Mpp {
    /// Square pixels of `mpp` µm. `None` where `mpp` is not a plausible scale.
    pub fn square(mpp: f64) -> Option<Self> {
        Self::new(mpp, mpp)
    }

    /// `None` unless both are finite and between 1 nm and 10 mm per pixel: a file that claims
    /// anything else is wrong, and a wrong scale is worse than none.
    pub fn new(x: f64, y: f64) -> Option<Self> {
        let plausible = |v: f64| v.is_finite() && (1e-3..=1e4).contains(&v);
        (plausible(x) && plausible(y)).then_some(Self { x, y })
    }

    /// The geometric mean of both axes, used where one number has to stand for the slide.
    pub fn mean(&self) -> f64 {
        (self.x * self.y).sqrt()
    }

    /// Slide position in microns.
    pub fn um_from_slide(&self, point: SlidePoint) -> UmPoint {
        UmPoint::new(point.x * self.x, point.y * self.y)
    }

    /// Position in microns as level-0 pixels.
    pub fn slide_from_um(&self, point: UmPoint) -> SlidePoint {
        SlidePoint::new(point.x / self.x, point.y / self.y)
    }
}

/// Objective-equivalent magnification: 10x is 1.0 µm/px, 40x is 0.25 µm/px.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Magnification(pub f64);

impl Magnification {
    /// The magnification at which one pixel covers `mpp` microns.
    pub fn from_mpp(mpp: f64) -> Self {
        Self(MPP_AT_1X / mpp)
    }

    /// Microns per pixel at this magnification.
    pub fn mpp(self) -> f64 {
        MPP_AT_1X / self.0
    }
}

impl std::fmt::Display for Magnification {
    /// As printed on an objective: `40x`, `2.5x`, `0.31x`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.0 >= 10.0 { 1 } else { 2 };
        let text = format!("{:.digits$}", self.0);
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        write!(f, "{text}x")
    }
}

/// Slide px per level px along both axes of a level, exact where the pyramid is.
///
/// OpenSlide's `downsample` is a mean of two rounded ratios; its error reaches 15 px at a large
/// slide's far edge. Where both `full / level` ratios round to one integer `k` and both level
/// sides are what truncating or rounding a division by `k` can give, the scale is exactly `k`;
/// otherwise each axis keeps its own ratio.
pub fn level_scale(full_px: (u64, u64), level_px: (u64, u64)) -> (f64, f64) {
    let ratio = |full: u64, level: u64| full as f64 / level.max(1) as f64;
    let (ratio_x, ratio_y) = (ratio(full_px.0, level_px.0), ratio(full_px.1, level_px.1));
    let k = ratio_x.round();
    let fits = |full: u64, level: u64| (full as f64 - k * level as f64).abs() < k;
    let exact = k >= 1.0
        && k == ratio_y.round()
        && fits(full_px.0, level_px.0)
        && fits(full_px.1, level_px.1);
    if exact { (k, k) } else { (ratio_x, ratio_y) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_levels_have_an_exact_integer_scale() {
        assert_eq!(level_scale((46000, 32914), (11500, 8228)), (4.0, 4.0));
        assert_eq!(level_scale((46000, 32914), (2875, 2057)), (16.0, 16.0));
        assert_eq!(level_scale((300, 250), (37, 31)), (8.0, 8.0));
    }

    #[test]
    fn an_inexact_level_keeps_one_ratio_an_axis() {
        let (x, y) = level_scale((1000, 1000), (333, 500));
        assert_eq!((x, y), (1000.0 / 333.0, 2.0));
    }

    #[test]
    fn magnification_reads_as_on_an_objective() {
        assert_eq!(Magnification::from_mpp(0.25).to_string(), "40x");
        assert_eq!(Magnification::from_mpp(4.0).to_string(), "2.5x");
        assert_eq!(Magnification::from_mpp(0.499).to_string(), "20x");
        assert_eq!(Magnification::from_mpp(32.5).to_string(), "0.31x");
        assert_eq!(Magnification(100.0).to_string(), "100x");
    }

    #[test]
    fn an_implausible_scale_is_no_scale() {
        assert!(Mpp::new(0.0, 0.25).is_none());
        assert!(Mpp::new(f64::NAN, 0.25).is_none());
        assert!(Mpp::new(0.25, 1e9).is_none());
    }
}
