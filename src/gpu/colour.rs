//! Display adjustments and the colour-profile table. Nothing here touches a tile.

use anyhow::Context as _;
use bytemuck::{Pod, Zeroable};
use moxcms::{ColorProfile, Layout, TransformOptions};
use serde::{Deserialize, Serialize};

/// Which stain's picture is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StainView {
    /// The slide as it is.
    #[default]
    All,
    /// Haematoxylin alone.
    Haematoxylin,
    /// Eosin alone.
    Eosin,
    /// What neither stain explains.
    Residual,
}

/// How the picture is shown. The model's input and every export of raw pixels ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DisplayAdjust {
    /// Added to every channel; −1 to 1, 0 changes nothing.
    pub brightness: f32,
    /// Factor about mid grey; 0 to 4, 1 changes nothing.
    pub contrast: f32,
    /// Exponent 1/gamma is applied last; 0.2 to 5, 1 changes nothing.
    pub gamma: f32,
    /// Which stain is shown.
    pub stain: StainView,
    /// Whether the slide's ICC profile is applied.
    pub use_profile: bool,
}

impl Default for DisplayAdjust {
    fn default() -> Self {
        Self {
            brightness: 0.0,
            contrast: 1.0,
            gamma: 1.0,
            stain: StainView::All,
            use_profile: true,
        }
    }
}

/// The shader's `Colour`. Keep in sync with `shaders/shared/colour.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct ColourUniform {
    adjust: [f32; 4],
    profile: [f32; 4],
    stain_shown: [u32; 4],
    stain: [[f32; 4]; 3],
    unstain: [[f32; 4]; 3],
}

/// Unit optical-density vectors of haematoxylin and eosin, and a residual orthogonal to both.
/// Ruifrok & Johnston, Anal Quant Cytol Histol 23 (2001), the values that ImageJ and QuPath use.
const HAEMATOXYLIN: [f64; 3] = [0.650, 0.704, 0.286];
const EOSIN: [f64; 3] = [0.072, 0.990, 0.105];

impl ColourUniform {
    /// `profile_side` is the table's number of entries a side where the slide has a profile.
    pub fn new(display: &DisplayAdjust, profile_side: Option<u32>) -> Self {
        let stains = stain_rows();
        let inverse = invert(stains);
        let applied = f32::from(u8::from(display.use_profile && profile_side.is_some()));
        let wide = |v: [f64; 3]| [v[0] as f32, v[1] as f32, v[2] as f32, 0.0];
        Self {
            adjust: [
                display.brightness,
                display.contrast,
                1.0 / display.gamma.max(0.01),
                0.0,
            ],
            profile: [applied, profile_side.unwrap_or(2) as f32, 0.0, 0.0],
            stain_shown: [display.stain as u32, 0, 0, 0],
            stain: stains.map(wide),
            unstain: inverse.map(wide),
        }
    }
}

fn stain_rows() -> [[f64; 3]; 3] {
    let (h, e) = (unit(HAEMATOXYLIN), unit(EOSIN));
    let cross = [
        h[1] * e[2] - h[2] * e[1],
        h[2] * e[0] - h[0] * e[2],
        h[0] * e[1] - h[1] * e[0],
    ];
    // The residual vector is taken by magnitude, as in the original, so that it shows as a colour.
    [h, e, unit(cross.map(f64::abs))]
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v.map(|x| x / length)
}

/// Inverse of a 3×3 matrix given by rows; the stain matrix is regular.
fn invert(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor =
        |r0: usize, r1: usize, c0: usize, c1: usize| m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0];
    let cofactors = [
        [minor(1, 2, 1, 2), -minor(1, 2, 0, 2), minor(1, 2, 0, 1)],
        [-minor(0, 2, 1, 2), minor(0, 2, 0, 2), -minor(0, 2, 0, 1)],
        [minor(0, 1, 1, 2), -minor(0, 1, 0, 2), minor(0, 1, 0, 1)],
    ];
    let determinant: f64 = (0..3).map(|c| m[0][c] * cofactors[0][c]).sum();
    std::array::from_fn(|row| std::array::from_fn(|col| cofactors[col][row] / determinant))
}

/// Entries along each axis of the profile table: 65 keep a smooth profile within a grey level, and
/// 99 % of all colours within two where a profile reaches beyond sRGB and is cut off there. With
/// 33, the cut colours' neighbours are off by up to 20.
pub const TABLE_SIDE: u32 = 65;

/// Stored colour to sRGB, sampled on a cube.
pub struct ColourTable {
    /// `TABLE_SIDE³` RGBA entries, red fastest.
    pub rgba: Vec<u8>,
}

impl ColourTable {
    /// Builds the table from an ICC profile (relative colorimetric unless the profile says
    /// otherwise, as OpenSlide's documentation advises).
    ///
    /// # Errors
    /// When the profile can't be parsed or is not for RGB pixels.
    pub fn from_icc(profile: &[u8]) -> anyhow::Result<Self> {
        let profile = ColorProfile::new_from_slice(profile)
            .context("the slide's colour profile is damaged")?;
        let transform = profile
            .create_transform_16bit(
                Layout::Rgba,
                &ColorProfile::new_srgb(),
                Layout::Rgba,
                TransformOptions::default(),
            )
            .context("the slide's colour profile does not describe RGB pixels")?;
        // In 16 bits: the shader takes entries as evenly spaced, and 8 bits would round them off.
        let level = |i: u32| (i * 65_535 / (TABLE_SIDE - 1)) as u16;
        let side = 0..TABLE_SIDE;
        let stored: Vec<u16> = side
            .clone()
            .flat_map(|b| side.clone().map(move |g| (b, g)))
            .flat_map(|(b, g)| {
                (0..TABLE_SIDE).flat_map(move |r| [level(r), level(g), level(b), u16::MAX])
            })
            .collect();
        let mut shown = vec![0; stored.len()];
        transform
            .transform(&stored, &mut shown)
            .context("the slide's colour profile can't be applied")?;
        let byte = |value: u16| ((u32::from(value) + 128) / 257) as u8;
        let rgba = shown.into_iter().map(byte).collect();
        Ok(Self { rgba })
    }

    /// A table that changes nothing to a grey level, for slides without a profile.
    pub fn smallest() -> Vec<u8> {
        (0..8u8)
            .flat_map(|i| [i & 1, i >> 1 & 1, i >> 2 & 1, 1].map(|bit| bit * 255))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmixing_undoes_mixing() {
        let (stains, inverse) = (stain_rows(), invert(stain_rows()));
        for (stain, row) in stains.iter().enumerate() {
            for other in 0..3 {
                let product: f64 = row.iter().zip(inverse).map(|(s, i)| s * i[other]).sum();
                let expected = f64::from(u8::from(stain == other));
                assert!((product - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_table_from_srgb_changes_nothing() {
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        let table = ColourTable::from_icc(&srgb).unwrap();
        let level = |i: u32| (i * 255 + TABLE_SIDE / 2) / (TABLE_SIDE - 1);
        for (index, entry) in table.rgba.chunks_exact(4).enumerate() {
            let index = index as u32;
            let stored = [
                index % TABLE_SIDE,
                index / TABLE_SIDE % TABLE_SIDE,
                index / TABLE_SIDE / TABLE_SIDE,
            ]
            .map(level);
            for (value, want) in entry.iter().zip(stored) {
                assert!(
                    u32::from(*value).abs_diff(want) <= 1,
                    "{entry:?} for {stored:?}"
                );
            }
        }
    }

    #[test]
    fn a_damaged_profile_is_an_error() {
        assert!(ColourTable::from_icc(b"not a profile").is_err());
    }
}
