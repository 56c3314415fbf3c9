//! How training crops are taken.

use serde::{Deserialize, Serialize};

use super::SetError;
use crate::learn::sampling::AugmentConfig;

/// Settings of the crops; every one has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CropConfig {
    /// Side S of every tile, px; 16–2048.
    pub tile_px: usize,
    /// Crops a step, B; 1–4096.
    pub samples: usize,
    /// Range of the scale, µm/px, log-uniform. An image that is coarser shifts it to what it has,
    /// one that is too small for a tile as far as that helps.
    pub mpp: [f64; 2],
    /// How many times finer than its own px an image may be shown; 1 = never, at most 8.
    pub upsample: f64,
    /// Width over height of a crop before it is made square lies between this and its inverse,
    /// log-uniform; 1 = square, at most 2.
    pub aspect: f64,
    /// Whether crops are mirrored and turned by quarters.
    pub turn: bool,
    /// A crop in which less than this share of the px is scored is drawn again, 0–1.
    pub min_scored: f64,
    /// Share of the crops that have a px of a class at their middle (or as near as the image's
    /// border allows), every class equally often, 0–1. Above 0 the network sees other class
    /// frequencies than the set's, which the census and every prior made of it go by.
    pub balanced: f64,
    /// Where above 0, the crops of `pool_steps` steps are of this many images, drawn anew after
    /// that: for sets too large for `cache_mib`. With 0 every crop may be of any image.
    pub pool_items: usize,
    /// See `pool_items`; at least 1.
    pub pool_steps: u64,
    /// Decoded images kept in memory, MiB; at least one is.
    pub cache_mib: usize,
    /// What is done to each tile's look.
    pub augment: AugmentConfig,
}

impl Default for CropConfig {
    fn default() -> Self {
        Self {
            tile_px: 128,
            samples: 16,
            mpp: [0.8, 1.25],
            upsample: 1.0,
            aspect: 1.15,
            turn: true,
            min_scored: 0.1,
            balanced: 0.0,
            pool_items: 0,
            pool_steps: 200,
            cache_mib: 512,
            augment: AugmentConfig::default(),
        }
    }
}

impl CropConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn validate(&self) -> Result<(), SetError> {
        for (setting, value, low, high) in [
            ("tile_px", self.tile_px, 16, 2048),
            ("samples", self.samples, 1, 4096),
        ] {
            if !(low..=high).contains(&value) {
                let expected = format!("must be {low} to {high}");
                return Err(SetError::setting(setting, value, expected));
            }
        }
        let [low, high] = self.mpp;
        if !(low >= 0.05 && low <= high && high <= 1000.0) {
            let expected = "must be two rising numbers from 0.05 to 1000 µm/px";
            return Err(SetError::setting("mpp", self.mpp, expected));
        }
        for (setting, value, low, high) in [
            ("upsample", self.upsample, 1.0, 8.0),
            ("aspect", self.aspect, 1.0, 2.0),
            ("min_scored", self.min_scored, 0.0, 1.0),
            ("balanced", self.balanced, 0.0, 1.0),
        ] {
            if !(low..=high).contains(&value) {
                let expected = format!("must be {low} to {high}");
                return Err(SetError::setting(setting, value, expected));
            }
        }
        if self.pool_steps == 0 {
            return Err(SetError::setting("pool_steps", 0, "must be at least 1"));
        }
        Ok(self.augment.validate()?)
    }

    /// The finest scale at which an image of `mpp` is shown, µm/px.
    pub(super) fn finest_mpp(&self, mpp: f64) -> f64 {
        self.mpp[0].max(mpp / self.upsample)
    }

    /// The scales at which an image is shown whose px are `mpp` µm and whose shorter side is
    /// `side_um`.
    pub(super) fn range_mpp(&self, mpp: f64, side_um: f64) -> [f64; 2] {
        let low = self.finest_mpp(mpp);
        let fits = side_um / (self.tile_px as f64 * self.aspect);
        [low, self.mpp[1].min(fits).max(low)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_follow_what_an_image_has() {
        let config = CropConfig {
            mpp: [0.8, 2.4],
            aspect: 1.0,
            ..CropConfig::default()
        };
        assert_eq!(config.range_mpp(0.25, 1000.0), [0.8, 2.4]);
        assert_eq!(config.range_mpp(1.0, 1000.0), [1.0, 2.4]);
        assert_eq!(config.range_mpp(1.0, 192.0), [1.0, 1.5]);
        assert_eq!(config.range_mpp(16.0, 9600.0), [16.0, 16.0]);
        assert_eq!(config.range_mpp(0.25, 50.0), [0.8, 0.8]);
        let enlarging = CropConfig {
            upsample: 4.0,
            ..config
        };
        assert_eq!(enlarging.range_mpp(4.0, 9600.0), [1.0, 2.4]);
    }

    #[test]
    fn what_can_not_be_is_named() {
        assert!(CropConfig::default().validate().is_ok());
        for (text, expected) in [
            ("tile_px = 8", "tile_px = 8"),
            ("samples = 0", "samples"),
            ("mpp = [2.0, 1.0]", "mpp"),
            ("upsample = 0.5", "upsample"),
            ("aspect = nan", "aspect"),
            ("balanced = 2.0", "balanced"),
            ("pool_steps = 0", "pool_steps"),
            ("augment.blur = 3.0", "blur"),
        ] {
            let config: CropConfig = toml::from_str(text).unwrap();
            let refused = config.validate().unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        assert!(toml::from_str::<CropConfig>("tile = 8").is_err());
    }
}
