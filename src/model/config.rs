//! What an encoder is made of.

use serde::{Deserialize, Serialize};

/// The feed-forward part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MlpKind {
    /// Linear, exact GELU, linear.
    Gelu,
    /// Linear, ReLU, linear: as good in small models, and far cheaper on a processor, where the
    /// error function of GELU takes as long as half the matrix products.
    Relu,
    /// Linear to twice the hidden width, SiLU of the first half times the second, linear
    /// (Shazeer, "GLU Variants Improve Transformer", 2020), as in the large DINOv2 models.
    SwiGlu,
}

impl MlpKind {
    /// Width that the first linear layer gives, where the second takes `mlp_width`.
    pub fn inner_width(self, mlp_width: usize) -> usize {
        match self {
            Self::Gelu | Self::Relu => mlp_width,
            Self::SwiGlu => 2 * mlp_width,
        }
    }
}

/// Shape of a Vision Transformer encoder (Dosovitskiy et al., 2021), with what DINOv2 adds to it
/// (Oquab et al., 2023; registers: Darcet et al., 2023).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// What this shape is called.
    pub name: String,
    /// Embedding width D.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; divides `width`.
    pub heads: usize,
    /// Hidden width of the feed-forward part.
    pub mlp_width: usize,
    /// Its kind.
    pub mlp: MlpKind,
    /// Side of a patch, px.
    pub patch_px: usize,
    /// Side of the grid on which positions are stored; other grids resample it.
    pub position_grid: usize,
    /// Whether the class token has a position of its own.
    pub class_position: bool,
    /// Register tokens, without positions.
    pub registers: usize,
    /// Start value of LayerScale; none without it.
    pub layer_scale: Option<f64>,
    /// Mean of the training pixels per channel, sRGB 0–1.
    pub pixel_mean: [f32; 3],
    /// Their standard deviation.
    pub pixel_std: [f32; 3],
}

/// An encoder shape that can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No shape of that name.
    #[error("no encoder is called '{0}'; there are tiny, small and dinov2-small")]
    UnknownName(String),
    /// A number that can't be.
    #[error("encoder '{name}': {what}")]
    Invalid {
        /// Name of the shape.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Means of the pixels of ImageNet, which DINOv2 was trained with.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Round numbers near those of H&E tissue; what matters is that they never change.
const STAINED_MEAN: [f32; 3] = [0.75, 0.6, 0.72];
const STAINED_STD: [f32; 3] = [0.18, 0.2, 0.16];

impl EncoderConfig {
    /// The encoder that ships: 2.8 million parameters, 64 tokens from a tile of 128 px.
    pub fn tiny() -> Self {
        Self {
            name: "tiny".to_owned(),
            width: 192,
            depth: 6,
            heads: 3,
            mlp_width: 768,
            mlp: MlpKind::Relu,
            patch_px: 16,
            position_grid: 8,
            class_position: false,
            registers: 0,
            layer_scale: None,
            pixel_mean: STAINED_MEAN,
            pixel_std: STAINED_STD,
        }
    }

    /// For those with a GPU: 22 million parameters.
    pub fn small() -> Self {
        Self {
            name: "small".to_owned(),
            width: 384,
            depth: 12,
            heads: 6,
            mlp_width: 1536,
            mlp: MlpKind::Gelu,
            position_grid: 14,
            registers: 4,
            layer_scale: Some(1e-5),
            ..Self::tiny()
        }
    }

    /// The shape of `vit_small_patch14_reg4_dinov2`, which holds such a checkpoint.
    pub fn dinov2_small() -> Self {
        Self {
            name: "dinov2-small".to_owned(),
            patch_px: 14,
            position_grid: 37,
            pixel_mean: IMAGENET_MEAN,
            pixel_std: IMAGENET_STD,
            ..Self::small()
        }
    }

    /// The shape called `name`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        [Self::tiny(), Self::small(), Self::dinov2_small()]
            .into_iter()
            .find(|config| config.name == name)
            .ok_or_else(|| ConfigError::UnknownName(name.to_owned()))
    }

    /// Checks that an encoder of this shape can be built.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let invalid = |what: String| ConfigError::Invalid {
            name: self.name.clone(),
            what,
        };
        let sizes = [
            ("width", self.width, 8192),
            ("depth", self.depth, 128),
            ("heads", self.heads, 256),
            ("mlp_width", self.mlp_width, 65_536),
            ("patch_px", self.patch_px, 256),
            ("position_grid", self.position_grid, 256),
        ];
        for (what, value, most) in sizes {
            if !(1..=most).contains(&value) {
                return Err(invalid(format!("{what} is {value}, not in 1..={most}")));
            }
        }
        if self.registers > 64 {
            return Err(invalid(format!("registers is {}, over 64", self.registers)));
        }
        if !self.width.is_multiple_of(self.heads) {
            let (width, heads) = (self.width, self.heads);
            return Err(invalid(format!(
                "{heads} heads do not divide width {width}"
            )));
        }
        let pixels = self.pixel_mean.iter().chain(&self.pixel_std);
        if pixels.clone().any(|value| !value.is_finite())
            || self.pixel_std.iter().any(|s| *s <= 0.0)
        {
            return Err(invalid("pixel mean or deviation is no number".to_owned()));
        }
        Ok(())
    }

    /// Tokens along a side of a tile of `tile_px` pixels.
    ///
    /// # Errors
    /// When patches do not fill the tile.
    pub fn grid(&self, tile_px: usize) -> Result<usize, ConfigError> {
        if tile_px == 0 || !tile_px.is_multiple_of(self.patch_px) {
            return Err(ConfigError::Invalid {
                name: self.name.clone(),
                what: format!(
                    "a tile of {tile_px} px is no multiple of its patch of {} px",
                    self.patch_px
                ),
            });
        }
        Ok(tile_px / self.patch_px)
    }

    /// Tokens before the patches: the class token and the registers.
    pub fn prefix_tokens(&self) -> usize {
        1 + self.registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_ship_are_sound_and_found_by_name() {
        for name in ["tiny", "small", "dinov2-small"] {
            EncoderConfig::named(name).unwrap().check().unwrap();
        }
        let error = EncoderConfig::named("huge").unwrap_err();
        assert!(error.to_string().contains("tiny"));
    }

    #[test]
    fn what_can_not_be_is_refused_in_words() {
        let config = EncoderConfig {
            heads: 5,
            ..EncoderConfig::tiny()
        };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("5 heads do not divide width 192"), "{error}");
        let error = EncoderConfig::tiny().grid(100).unwrap_err().to_string();
        assert!(error.contains("100 px"), "{error}");
        assert_eq!(EncoderConfig::tiny().grid(256).unwrap(), 16);
    }
}
