//! How families are sampled.

use serde::{Deserialize, Serialize};

use super::{AugmentConfig, CHILDREN, GRID, SamplingError};
use crate::slide::MAX_REGION_PX;

/// Settings of the sampling; every one has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingConfig {
    /// Side S of every tile, px: a multiple of four of the encoder's patches, so that a child
    /// covers whole tokens of its parent.
    pub tile_px: usize,
    /// Families a step, B.
    pub families: usize,
    /// At most this many children of a family are kept, 1–16; a random choice where more have
    /// tissue.
    pub children_per_family: usize,
    /// Range of the parent's scale, µm/px, log-uniform; children are at a quarter of it. A source
    /// that is coarser shifts it to what it has.
    pub parent_mpp: [f64; 2],
    /// A family whose parent has less than this share of tissue is drawn again, 0–1.
    pub min_parent_tissue: f64,
    /// A child with less than this share of tissue is left out, 0–1.
    pub min_child_tissue: f64,
    /// Whether families are mirrored and turned by quarters, as a whole.
    pub turn: bool,
    /// What is done to each tile.
    pub augment: AugmentConfig,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            tile_px: 128,
            families: 32,
            children_per_family: CHILDREN,
            parent_mpp: [0.8, 2.4],
            min_parent_tissue: 0.5,
            min_child_tissue: 0.5,
            turn: true,
            augment: AugmentConfig::default(),
        }
    }
}

impl SamplingConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        self.validate_tile()?;
        if !(1..=4096).contains(&self.families) {
            return Err(SamplingError::setting(
                "families",
                self.families,
                "must be 1 to 4096",
            ));
        }
        if !(1..=CHILDREN).contains(&self.children_per_family) {
            let kept = self.children_per_family;
            return Err(SamplingError::setting(
                "children_per_family",
                kept,
                "must be 1 to 16",
            ));
        }
        let [low, high] = self.parent_mpp;
        if !(low >= 0.05 && low <= high && high <= 100.0) {
            let expected = "must be two rising numbers from 0.05 to 100 µm/px";
            return Err(SamplingError::setting(
                "parent_mpp",
                self.parent_mpp,
                expected,
            ));
        }
        for (setting, share) in [
            ("min_parent_tissue", self.min_parent_tissue),
            ("min_child_tissue", self.min_child_tissue),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(SamplingError::setting(setting, share, "must be 0 to 1"));
            }
        }
        self.augment.validate()
    }

    fn validate_tile(&self) -> Result<(), SamplingError> {
        let tile = self.tile_px;
        if tile == 0 || !tile.is_multiple_of(GRID) {
            let expected = format!("must be a multiple of {GRID}, so that children are whole px");
            return Err(SamplingError::setting("tile_px", tile, expected));
        }
        let field = (tile * GRID) as u64;
        if field.saturating_mul(field) > MAX_REGION_PX {
            return Err(SamplingError::setting(
                "tile_px",
                tile,
                "must be at most 1024",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut SamplingConfig)) -> String {
        let mut config = SamplingConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn what_can_not_be_is_named() {
        assert!(SamplingConfig::default().validate().is_ok());
        assert!(refused(|c| c.tile_px = 142).contains("tile_px = 142"));
        assert!(refused(|c| c.tile_px = 4096).contains("at most 1024"));
        assert!(refused(|c| c.children_per_family = 17).contains("children_per_family"));
        assert!(refused(|c| c.parent_mpp = [2.4, 0.8]).contains("parent_mpp"));
        assert!(refused(|c| c.parent_mpp = [f64::NAN, 0.8]).contains("parent_mpp"));
        assert!(refused(|c| c.min_child_tissue = 1.5).contains("min_child_tissue"));
        assert!(refused(|c| c.augment.jpeg_quality = [0, 90]).contains("jpeg_quality"));
    }

    #[test]
    fn settings_are_read_from_toml_and_unknown_ones_refused() {
        let config: SamplingConfig = toml::from_str("families = 8\n[augment]\nblur = 0.1").unwrap();
        assert_eq!((config.families, config.augment.blur), (8, 0.1));
        let error = toml::from_str::<SamplingConfig>("fams = 8").unwrap_err();
        assert!(error.to_string().contains("fams"));
    }
}
