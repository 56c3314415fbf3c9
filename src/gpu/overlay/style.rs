//! How an overlay looks, as plain data, and the colours that come with it.

use serde::{Deserialize, Serialize};

use crate::labels::{FAILED, Texel, UNKNOWN, class_colours, default_palette};

/// What is drawn of a region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverlayShape {
    /// Its area.
    #[default]
    Fill,
    /// Its border.
    Outline,
    /// Area and border.
    Both,
}

/// Which part of a texel is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverlayContent {
    /// The class, in its colour.
    #[default]
    Classes,
    /// `Texel::value` as a heat map.
    Value,
    /// `Texel::extra` as a heat map.
    Extra,
    /// `code`, `any` and `value` as red, green and blue, known where `extra` is not 0. Has no
    /// outlines.
    Colours,
}

impl OverlayContent {
    /// Whether a texel says something; where it does not, the next layer shows.
    pub fn is_known(self, texel: Texel) -> bool {
        match self {
            Self::Colours => texel.extra != 0,
            _ => texel.code != UNKNOWN,
        }
    }
}

/// How an overlay is shown. Turning any of it costs a few uniforms: no page is copied again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverlayStyle {
    /// Of areas, 0 to 1. Outlines are opaque; at 0 nothing is drawn, not even these.
    pub opacity: f32,
    /// Areas, borders or both.
    pub shape: OverlayShape,
    /// Width of outlines, screen px; rounded to 1 to 8.
    pub outline_px: f32,
    /// Which part of a texel is drawn.
    pub content: OverlayContent,
    /// Colour and visibility of each class: sRGB, and an alpha that the opacity is multiplied with.
    /// Classes with alpha 0 and those beyond its end are hidden.
    pub palette: Vec<[u8; 4]>,
    /// Draws on coarser levels the class that is to stay visible, not the most frequent one.
    pub show_any: bool,
    /// Whether what is provisional is hatched.
    pub mark_provisional: bool,
    /// Whether a grey veil lies where there is no class, since nothing was analysed or is yet: for
    /// maps that say something by leaving tissue as it is. Not with a swipe, whose sides are two
    /// maps.
    pub veils_rest: bool,
    /// Where the layers of before end and those of now begin, as a share of the viewport's width.
    pub swipe: Option<f32>,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self {
            opacity: 0.45,
            shape: OverlayShape::Fill,
            outline_px: 2.0,
            content: OverlayContent::Classes,
            palette: default_palette().map(|[r, g, b]| [r, g, b, 255]).to_vec(),
            show_any: false,
            mark_provisional: true,
            veils_rest: false,
            swipe: None,
        }
    }
}

/// How much of a class's colour is left in its outline: dark enough for pink, white and yellow.
const OUTLINE_LIGHT: f32 = 0.7;

/// Red, green and blue of the veil over what is not analysed.
pub(super) const VEIL_GREY: u8 = 96;

/// What the veil makes of glass, about: for legends.
pub const VEILED_GLASS_RGB: [u8; 3] = [190; 3];

/// How much of the areas' opacity it has: less than a class, and more than the eye overlooks.
pub(super) const VEIL_SHARE: f64 = 0.6;

/// The widest outline, screen px: half of it is within the margin of a label map.
const MOST_OUTLINE_PX: f32 = 8.0;

impl OverlayStyle {
    /// Whether there is anything to draw.
    pub fn is_visible(&self) -> bool {
        self.opacity > 0.0
    }

    /// Of areas, within 0 to 1.
    pub(super) fn fill_opacity(&self) -> f32 {
        self.opacity.clamp(0.0, 1.0)
    }

    pub(super) fn has_fill(&self) -> bool {
        self.shape != OverlayShape::Outline || self.content == OverlayContent::Colours
    }

    /// Whether the veil is drawn.
    pub fn has_veil(&self) -> bool {
        self.veils_rest && self.swipe.is_none() && self.content != OverlayContent::Colours
    }

    /// Width of outlines in whole screen px; 0 where there are none.
    pub(super) fn whole_outline_px(&self) -> u8 {
        match (self.shape, self.content) {
            (OverlayShape::Fill, _) | (_, OverlayContent::Colours) => 0,
            _ => self.outline_px.round().clamp(1.0, MOST_OUTLINE_PX) as u8,
        }
    }

    /// Whether a class is shown.
    pub fn shows(&self, code: u8) -> bool {
        let colour = self.palette.get(usize::from(code));
        code < FAILED && colour.is_some_and(|colour| colour[3] > 0)
    }

    /// The shader's `colours`: 256 of areas, by class or by value, then 256 of outlines by class,
    /// transparent where the class is not shown. RGBA, red in the lowest byte.
    pub(super) fn colours(&self) -> [u32; 512] {
        let is_heat = matches!(self.content, OverlayContent::Value | OverlayContent::Extra);
        let area = |index: u8| match self.palette.get(usize::from(index)) {
            _ if is_heat => opaque(heat_rgb(index)),
            Some(colour) => *colour,
            None => [0; 4],
        };
        let line = |code: u8| match self.palette.get(usize::from(code)) {
            Some([r, g, b, _]) if self.shows(code) => opaque(outline_rgb([*r, *g, *b])),
            _ => [0; 4],
        };
        std::array::from_fn(|n| {
            let index = n as u8;
            u32::from_le_bytes(if n < 256 { area(index) } else { line(index) })
        })
    }
}

/// Colour of the outline of a class that has this colour.
pub fn outline_rgb(rgb: [u8; 3]) -> [u8; 3] {
    rgb.map(|value| (f32::from(value) * OUTLINE_LIGHT).round() as u8)
}

fn opaque([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 255]
}

/// The colours of a model's classes, all shown; see [`class_colours`].
pub fn class_palette(own: &[[u8; 3]]) -> Vec<[u8; 4]> {
    class_colours(own).into_iter().map(opaque).collect()
}

/// Colour of a heat map, 0 the least: viridis (Smith & van der Walt, matplotlib 2.0), whose steps
/// look alike and grow lighter, for the colour-blind too. From nine of its colours, straight
/// between them.
pub fn heat_rgb(value: u8) -> [u8; 3] {
    const VIRIDIS: [[u8; 3]; 9] = [
        [68, 1, 84],
        [71, 44, 122],
        [59, 81, 139],
        [44, 113, 142],
        [33, 144, 141],
        [39, 173, 129],
        [92, 200, 99],
        [170, 220, 50],
        [253, 231, 37],
    ];
    let at = f32::from(value) / 255.0 * 8.0;
    let first = (at as usize).min(7);
    let part = at - first as f32;
    std::array::from_fn(|c| {
        let (low, high) = (VIRIDIS[first][c], VIRIDIS[first + 1][c]);
        (f32::from(low) * (1.0 - part) + f32::from(high) * part).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear([r, g, b]: [u8; 3]) -> [f64; 3] {
        [r, g, b].map(|v| (f64::from(v) / 255.0).powf(2.2))
    }

    #[test]
    fn the_heat_map_grows_lighter_in_even_steps() {
        let light = |value: u8| {
            let [r, g, b] = linear(heat_rgb(value));
            (0.2126 * r + 0.7152 * g + 0.0722 * b).cbrt()
        };
        let steps: Vec<f64> = (1..=255).map(|v| light(v) - light(v - 1)).collect();
        assert!(steps.iter().all(|step| *step > -0.004), "{steps:?}");
        let eighths = (0..8).map(|n| light(n * 31 + 31) - light(n * 31));
        assert!(eighths.clone().all(|step| (0.05..0.13).contains(&step)));
    }

    #[test]
    fn hidden_classes_have_no_outline_and_codes_no_colour() {
        let style = OverlayStyle {
            palette: vec![[200, 100, 50, 255], [1, 2, 3, 0]],
            ..OverlayStyle::default()
        };
        let colours = style.colours();
        assert_eq!(colours.len(), 512);
        assert_eq!(colours[0].to_le_bytes(), [200, 100, 50, 255]);
        assert_eq!(colours[256].to_le_bytes(), [140, 70, 35, 255]);
        assert_eq!((colours[257], colours[256 + 2], colours[511]), (0, 0, 0));
        assert!(style.shows(0) && !style.shows(1) && !style.shows(2) && !style.shows(FAILED));
    }
}
