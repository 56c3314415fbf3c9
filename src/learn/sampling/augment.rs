//! What is done to a tile: other stain, other light, other optics, other compression.
//!
//! Nothing here moves a px, so parents and children stay aligned.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SamplingError;
use super::optics::{blur, through_jpeg};
use super::stain::StainChange;

/// How strongly tiles are changed. Blur and JPEG work on parents and children alike, so that
/// sharpness does not tell the scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Haematoxylin and eosin, each times 1 ± this; 0–0.9.
    pub stain_scale: f64,
    /// What neither dye explains, times 1 ± this; 0–0.9.
    pub residual_scale: f64,
    /// Amount of each dye plus or minus this, in optical density (natural logarithm); 0–0.5.
    pub stain_shift: f64,
    /// Brightness plus or minus this, sRGB 0–1; 0–0.5.
    pub brightness: f64,
    /// Contrast around the tile's mean, times 1 ± this; 0–0.9.
    pub contrast: f64,
    /// Probability of blur, 0–1.
    pub blur: f64,
    /// Range of its standard deviation, px; 0.05–8.
    pub blur_sigma_px: [f64; 2],
    /// Probability of JPEG, 0–1.
    pub jpeg: f64,
    /// Range of its quality, 1–100; half of the time colour is stored at half the resolution.
    pub jpeg_quality: [u8; 2],
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            stain_scale: 0.25,
            residual_scale: 0.25,
            stain_shift: 0.02,
            brightness: 0.04,
            contrast: 0.12,
            blur: 0.4,
            blur_sigma_px: [0.3, 1.0],
            jpeg: 0.25,
            jpeg_quality: [40, 95],
        }
    }
}

impl AugmentConfig {
    /// Tiles as the slide has them.
    pub fn none() -> Self {
        Self {
            stain_scale: 0.0,
            residual_scale: 0.0,
            stain_shift: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            blur: 0.0,
            jpeg: 0.0,
            ..Self::default()
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        for (setting, value, high) in [
            ("stain_scale", self.stain_scale, 0.9),
            ("residual_scale", self.residual_scale, 0.9),
            ("stain_shift", self.stain_shift, 0.5),
            ("brightness", self.brightness, 0.5),
            ("contrast", self.contrast, 0.9),
            ("blur", self.blur, 1.0),
            ("jpeg", self.jpeg, 1.0),
        ] {
            if !(0.0..=high).contains(&value) {
                return Err(SamplingError::setting(
                    setting,
                    value,
                    format!("must be 0 to {high}"),
                ));
            }
        }
        let [low, high] = self.blur_sigma_px;
        if !(low >= 0.05 && low <= high && high <= 8.0) {
            let expected = "must be two rising numbers from 0.05 to 8 px";
            return Err(SamplingError::setting(
                "blur_sigma_px",
                self.blur_sigma_px,
                expected,
            ));
        }
        let [low, high] = self.jpeg_quality;
        if low < 1 || low > high || high > 100 {
            let expected = "must be two rising numbers from 1 to 100";
            return Err(SamplingError::setting(
                "jpeg_quality",
                self.jpeg_quality,
                expected,
            ));
        }
        Ok(())
    }

    /// One view of a tile of `side` × `side` RGB px: writes planes of sRGB, 0–1, to `planes`
    /// (`3 · side²` values).
    pub(in crate::learn) fn apply(
        &self,
        rgb: &[u8],
        side: usize,
        rng: &mut ChaCha8Rng,
        planes: &mut [f32],
    ) {
        StainChange::draw(self, rng).apply(rgb, planes);
        let mut within = |bound: f64| (bound * (2.0 * rng.random::<f64>() - 1.0)) as f32;
        light(planes, within(self.brightness), 1.0 + within(self.contrast));
        if rng.random::<f64>() < self.blur {
            let [low, high] = self.blur_sigma_px;
            blur(planes, side, low + (high - low) * rng.random::<f64>());
        }
        if rng.random::<f64>() < self.jpeg {
            let [low, high] = self.jpeg_quality;
            let (quality, halved) = (rng.random_range(low..=high), rng.random());
            compress(planes, side, quality, halved);
        }
    }
}

/// Brightness and contrast around the mean, then cut to 0–1.
fn light(planes: &mut [f32], brightness: f32, contrast: f32) {
    let mean = planes.iter().sum::<f32>() / planes.len().max(1) as f32;
    let offset = mean * (1.0 - contrast) + brightness;
    for value in planes {
        *value = (*value * contrast + offset).clamp(0.0, 1.0);
    }
}

fn compress(planes: &mut [f32], side: usize, quality: u8, halved: bool) {
    let area = side * side;
    let mut rgb = vec![0_u8; area * 3];
    for (lane, plane) in planes.chunks_exact(area).enumerate() {
        for (pixel, value) in rgb.chunks_exact_mut(3).zip(plane) {
            pixel[lane] = (value * 255.0 + 0.5) as u8;
        }
    }
    let Some(after) = through_jpeg(&rgb, side, quality, halved) else {
        return;
    };
    for (lane, plane) in planes.chunks_exact_mut(area).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(after.chunks_exact(3)) {
            *value = f32::from(pixel[lane]) / 255.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn tile(side: usize) -> Vec<u8> {
        let pink = |i: usize| [225, 150 + (i % 40) as u8, 190 + (i / side % 30) as u8];
        (0..side * side).flat_map(pink).collect()
    }

    #[test]
    fn none_leaves_the_pixels() {
        let rgb = tile(32);
        let mut planes = vec![0.0; rgb.len()];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        AugmentConfig::none().apply(&rgb, 32, &mut rng, &mut planes);
        for (index, pixel) in rgb.chunks_exact(3).enumerate() {
            for lane in 0..3 {
                let value = planes[lane * 32 * 32 + index] * 255.0;
                assert!((value - f32::from(pixel[lane])).abs() < 0.02);
            }
        }
    }

    #[test]
    fn views_stay_in_range_near_the_tile_and_differ() {
        let rgb = tile(64);
        let mean_before = rgb.iter().map(|v| f32::from(*v)).sum::<f32>() / rgb.len() as f32 / 255.0;
        let config = AugmentConfig::default();
        let mut means = Vec::new();
        for seed in 0..60 {
            let mut planes = vec![f32::NAN; rgb.len()];
            config.apply(&rgb, 64, &mut ChaCha8Rng::seed_from_u64(seed), &mut planes);
            assert!(planes.iter().all(|v| (0.0..=1.0).contains(v)));
            means.push(planes.iter().sum::<f32>() / planes.len() as f32);
        }
        let mean = means.iter().sum::<f32>() / means.len() as f32;
        assert!((mean - mean_before).abs() < 0.02, "{mean} of {mean_before}");
        let furthest = means.iter().map(|m| (m - mean).abs()).fold(0.0, f32::max);
        assert!((0.02..0.2).contains(&furthest), "{furthest}");
    }

    #[test]
    fn equal_keys_give_equal_views() {
        let rgb = tile(32);
        let view = |seed| {
            let mut planes = vec![0.0; rgb.len()];
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            AugmentConfig::default().apply(&rgb, 32, &mut rng, &mut planes);
            planes
        };
        assert_eq!(view(5), view(5));
        assert_ne!(view(5), view(6));
    }
}
