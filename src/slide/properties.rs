//! What OpenSlide's properties say of scale, bounds, background and tiles.

use std::collections::BTreeMap;

use super::ScaleOrigin;
use crate::geometry::{Magnification, Mpp, SlidePoint, SlideRect, SlideSize};

/// The coarsest scale believed of a format that anything writes: beyond it, the resolution of a
/// TIFF is a printer's (72 dots an inch are 353 µm), not a microscope's.
pub const COARSEST_PLAUSIBLE_MPP: f64 = 20.0;

/// Glass that was not scanned is white where the file names no colour.
const WHITE_RGB: [u8; 3] = [255, 255, 255];

/// Microns per level-0 pixel and where they are from: stated ones before those that an objective
/// power implies.
pub fn scale(properties: &BTreeMap<String, String>) -> (Option<Mpp>, ScaleOrigin) {
    if let Some(mpp) = stated_mpp(properties) {
        return (Some(mpp), ScaleOrigin::Mpp);
    }
    let power = objective_power(properties).map(|power| Magnification(power).mpp());
    match power.and_then(Mpp::square) {
        Some(mpp) => (Some(mpp), ScaleOrigin::ObjectivePower),
        None => (None, ScaleOrigin::Missing),
    }
}

/// The objective power that the file states: finite and > 0.
pub fn objective_power(properties: &BTreeMap<String, String>) -> Option<f64> {
    number(properties, "openslide.objective-power").filter(|power| *power > 0.0)
}

/// The scanned part of a slide of `size`, level-0 px; `None` where that is the whole slide or the
/// file says nothing sensible.
pub fn bounds(properties: &BTreeMap<String, String>, size: SlideSize) -> Option<SlideRect> {
    let side = |name: &str| number(properties, &format!("openslide.bounds-{name}"));
    let origin = SlidePoint::new(side("x")?, side("y")?);
    let stated =
        SlideRect::from_origin_and_size(origin, SlideSize::new(side("width")?, side("height")?));
    let whole = SlideRect::from_origin_and_size(SlidePoint::origin(), size);
    stated
        .intersection(&whole)
        .filter(|part| !part.is_empty() && *part != whole)
}

/// Colour of glass that was not scanned; white where none is stated.
pub fn background_rgb(properties: &BTreeMap<String, String>) -> [u8; 3] {
    properties
        .get("openslide.background-color")
        .and_then(|hex| parse_hex_rgb(hex))
        .unwrap_or(WHITE_RGB)
}

/// Width and height of the tiles that level `level` is stored in, level px; each at least 1.
pub fn native_tile_px(properties: &BTreeMap<String, String>, level: usize) -> Option<(u32, u32)> {
    let side = |name: &str| {
        let text = properties.get(&format!("openslide.level[{level}].tile-{name}"))?;
        text.parse::<u32>().ok().filter(|px| *px > 0)
    };
    Some((side("width")?, side("height")?))
}

fn stated_mpp(properties: &BTreeMap<String, String>) -> Option<Mpp> {
    let x = number(properties, "openslide.mpp-x");
    let y = number(properties, "openslide.mpp-y");
    let mpp = Mpp::new(x.or(y)?, y.or(x)?)?;
    let any_program_writes_it = properties
        .get("openslide.vendor")
        .is_some_and(|vendor| vendor == "generic-tiff");
    (!any_program_writes_it || mpp.mean() < COARSEST_PLAUSIBLE_MPP).then_some(mpp)
}

fn number(properties: &BTreeMap<String, String>, name: &str) -> Option<f64> {
    let value: f64 = properties.get(name)?.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

fn parse_hex_rgb(hex: &str) -> Option<[u8; 3]> {
    if hex.len() != 6 {
        return None;
    }
    let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| (format!("openslide.{name}"), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn stated_microns_go_before_the_objective() {
        let both = properties(&[
            ("mpp-x", "0.499"),
            ("mpp-y", "0.5"),
            ("objective-power", "40"),
        ]);
        assert_eq!(scale(&both), (Mpp::new(0.499, 0.5), ScaleOrigin::Mpp));
        let power = properties(&[("objective-power", "40")]);
        assert_eq!(
            scale(&power),
            (Mpp::square(0.25), ScaleOrigin::ObjectivePower)
        );
        assert_eq!(
            scale(&properties(&[("mpp-x", "0"), ("mpp-y", "nan")])),
            (None, ScaleOrigin::Missing)
        );
    }

    #[test]
    fn a_printers_resolution_is_no_scale() {
        let printer = properties(&[
            ("vendor", "generic-tiff"),
            ("mpp-x", "352.8"),
            ("mpp-y", "352.8"),
        ]);
        assert_eq!(scale(&printer), (None, ScaleOrigin::Missing));
        let dicom = properties(&[("vendor", "dicom"), ("mpp-x", "28.97"), ("mpp-y", "28.97")]);
        assert_eq!(scale(&dicom), (Mpp::square(28.97), ScaleOrigin::Mpp));
    }

    #[test]
    fn bounds_are_cut_to_the_slide() {
        let sides = |x, y, width, height| {
            properties(&[
                ("bounds-x", x),
                ("bounds-y", y),
                ("bounds-width", width),
                ("bounds-height", height),
            ])
        };
        let size = SlideSize::new(100.0, 80.0);
        let part = bounds(&sides("10", "20", "30", "400"), size).unwrap();
        assert_eq!(
            (part.min, part.max),
            (SlidePoint::new(10.0, 20.0), SlidePoint::new(40.0, 80.0))
        );
        assert_eq!(
            bounds(&sides("0", "0", "100", "80"), size),
            None,
            "the whole slide"
        );
        assert_eq!(
            bounds(&sides("500", "0", "10", "10"), size),
            None,
            "beyond the slide"
        );
    }

    #[test]
    fn background_is_white_unless_stated() {
        assert_eq!(
            background_rgb(&properties(&[("background-color", "1a2B3c")])),
            [0x1a, 0x2b, 0x3c]
        );
        assert_eq!(
            background_rgb(&properties(&[("background-color", "é0000")])),
            WHITE_RGB
        );
    }
}
