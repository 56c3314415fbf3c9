//! What a decoder is made of.

use serde::{Deserialize, Serialize};

/// Most classes that a decoder takes: one a code of an 8-bit mask.
pub const MOST_CLASSES: usize = 256;

/// What stands between the up-scaling layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Exact GELU, as in SAM.
    Gelu,
    /// ReLU: on a processor a fraction of GELU's cost.
    Relu,
}

/// Shape of a decoder; the number of classes is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// What this shape is called.
    pub name: String,
    /// Width of the encoder's tokens.
    pub encoder_width: usize,
    /// Width D of image and class tokens; a multiple of 8.
    pub width: usize,
    /// Attention heads; divides `width` and `cross_width`.
    pub heads: usize,
    /// Inner width of the attention between class and image tokens.
    pub cross_width: usize,
    /// Hidden width of the class tokens' feed-forward part.
    pub mlp_width: usize,
    /// Two-way blocks, each with one biased attention.
    pub depth: usize,
    /// In the up-scaling.
    pub activation: Activation,
}

/// A decoder that can't be built, or input that does not fit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecoderError {
    /// No shape of that name.
    #[error("no decoder is called '{0}'; there are tiny and sam-path")]
    UnknownName(String),
    /// A number that can't be.
    #[error("decoder '{name}': {what}")]
    Invalid {
        /// Name of the shape.
        name: String,
        /// What is wrong, and what was expected.
        what: String,
    },
}

impl DecoderConfig {
    /// The decoder that ships, on the `tiny` encoder; *ours*: narrow, so that decoding again for a
    /// changed bias costs little beside encoding.
    pub fn tiny() -> Self {
        Self {
            name: "tiny".to_owned(),
            encoder_width: 192,
            width: 128,
            heads: 4,
            cross_width: 64,
            mlp_width: 256,
            depth: 2,
            activation: Activation::Relu,
        }
    }

    /// The size of SAM-Path's decoder (arXiv 2307.09570), on the `small` encoder.
    pub fn sam_path() -> Self {
        Self {
            name: "sam-path".to_owned(),
            encoder_width: 384,
            width: 256,
            heads: 8,
            cross_width: 128,
            mlp_width: 2048,
            depth: 2,
            activation: Activation::Gelu,
        }
    }

    /// The shape called `name`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self, DecoderError> {
        [Self::tiny(), Self::sam_path()]
            .into_iter()
            .find(|config| config.name == name)
            .ok_or_else(|| DecoderError::UnknownName(name.to_owned()))
    }

    /// The same shape on an encoder of another width.
    #[must_use]
    pub fn on(self, encoder_width: usize) -> Self {
        Self {
            encoder_width,
            ..self
        }
    }

    /// Checks that a decoder of this shape can be built.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self) -> Result<(), DecoderError> {
        let sizes = [
            ("encoder_width", self.encoder_width, 8192),
            ("width", self.width, 4096),
            ("heads", self.heads, 256),
            ("cross_width", self.cross_width, 4096),
            ("mlp_width", self.mlp_width, 65_536),
            ("depth", self.depth, 64),
        ];
        for (what, value, most) in sizes {
            if !(1..=most).contains(&value) {
                return Err(self.invalid(format!("{what} is {value}, not in 1..={most}")));
            }
        }
        if !self.width.is_multiple_of(8) {
            let width = self.width;
            return Err(self.invalid(format!("width {width} is no multiple of 8")));
        }
        let heads = self.heads;
        for (what, width) in [("width", self.width), ("cross_width", self.cross_width)] {
            if !width.is_multiple_of(heads) {
                return Err(self.invalid(format!("{heads} heads do not divide {what} {width}")));
            }
        }
        Ok(())
    }

    /// Checks a number of classes.
    ///
    /// # Errors
    /// When there is none, or more than [`MOST_CLASSES`].
    pub fn check_classes(&self, classes: usize) -> Result<(), DecoderError> {
        match (1..=MOST_CLASSES).contains(&classes) {
            true => Ok(()),
            false => Err(self.invalid(format!("{classes} classes, not in 1..={MOST_CLASSES}"))),
        }
    }

    pub(super) fn invalid(&self, what: String) -> DecoderError {
        let name = self.name.clone();
        DecoderError::Invalid { name, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EncoderConfig;

    #[test]
    fn shapes_that_ship_are_sound_and_found_by_name() {
        for name in ["tiny", "sam-path"] {
            DecoderConfig::named(name).unwrap().check().unwrap();
        }
        let error = DecoderConfig::named("huge").unwrap_err().to_string();
        assert!(
            error.contains("'huge'") && error.contains("sam-path"),
            "{error}"
        );
        assert_eq!(
            DecoderConfig::tiny().encoder_width,
            EncoderConfig::tiny().width
        );
        let small = EncoderConfig::small().width;
        assert_eq!(DecoderConfig::sam_path().encoder_width, small);
        assert_eq!(DecoderConfig::tiny().on(small).encoder_width, small);
    }

    #[test]
    fn what_can_not_be_is_refused_in_words() {
        let tiny = DecoderConfig::tiny;
        for (config, words) in [
            (DecoderConfig { depth: 0, ..tiny() }, "depth is 0"),
            (
                DecoderConfig {
                    width: 100,
                    ..tiny()
                },
                "width 100 is no multiple of 8",
            ),
            (
                DecoderConfig { heads: 3, ..tiny() },
                "3 heads do not divide width 128",
            ),
            (
                DecoderConfig {
                    cross_width: 66,
                    ..tiny()
                },
                "cross_width 66",
            ),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(
                error.contains(words) && error.contains("'tiny'"),
                "{words}: {error}"
            );
        }
        assert!(tiny().check_classes(1).is_ok());
        for classes in [0, 257] {
            let error = tiny().check_classes(classes).unwrap_err().to_string();
            assert!(error.contains(&format!("{classes} classes")), "{error}");
        }
    }
}
