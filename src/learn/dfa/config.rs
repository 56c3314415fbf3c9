//! What a training of the decoder is made of.

use serde::{Deserialize, Serialize};

use super::mode::Mode;
use crate::model::dfa::{DecoderConfig, DecoderError, Prior};

/// Weights of the losses (methods 1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Focal loss.
    pub focal: f64,
    /// Soft Dice.
    pub dice: f64,
    /// Error of the foretold IoU.
    pub iou: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            focal: 0.25,
            dice: 0.75,
            iou: 0.0625,
        }
    }
}

/// On which grid the loss is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossGrid {
    /// That of the masks, four cells a token, against the share of each cell that each class
    /// covers: a sixteenth of the work where a patch has 16 px (*ours*).
    Mask,
    /// The tile's own pixels, masks enlarged bilinearly.
    Tile,
}

/// How it learns (methods 1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Greatest and last learning rate of the decoder.
    pub learning_rate: [f64; 2],
    /// Steps of its rise.
    pub warm_up_steps: u64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Greatest norm of the decoder's gradient, and of the encoder's.
    pub most_gradient: f64,
    /// The bias learns at this many times the greatest rate, throughout.
    pub bias_rate_factor: f64,
    /// Greatest norm of the bias's gradient.
    pub most_bias_gradient: f64,
    /// The encoder learns at this many times the decoder's rate; 0 leaves it frozen.
    pub encoder_rate_factor: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            learning_rate: [1e-4, 1e-6],
            warm_up_steps: 50,
            weight_decay: 0.01,
            most_gradient: 1.0,
            bias_rate_factor: 20.0,
            most_bias_gradient: 0.5,
            encoder_rate_factor: 0.0,
        }
    }
}

/// Everything that training depends on but the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DfaConfig {
    /// Seed of first weights and of the order of tiles.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Name of the decoder's shape.
    #[serde(default = "tiny")]
    pub decoder: String,
    /// Which row of the comparison.
    #[serde(default = "dfa")]
    pub mode: Mode,
    /// Where the bias begins.
    #[serde(default)]
    pub prior: Prior,
    /// τ of `difficulty-loss` and of `logit-adjusted`.
    #[serde(default = "one")]
    pub tau: f64,
    /// Steps of an epoch, after which `difficulty-loss` weights anew.
    #[serde(default = "hundred")]
    pub epoch_steps: u64,
    /// Weights of the losses.
    #[serde(default)]
    pub loss: LossWeights,
    /// On which grid it is taken.
    #[serde(default = "mask")]
    pub loss_grid: LossGrid,
    /// How it learns.
    #[serde(default)]
    pub pace: Pace,
    /// Steps between two looks at the attention.
    #[serde(default = "twenty_five")]
    pub look_every_steps: u64,
    /// Minutes between checkpoints; at most five.
    #[serde(default = "five")]
    pub checkpoint_minutes: f64,
}

fn tiny() -> String {
    DecoderConfig::tiny().name
}

fn dfa() -> Mode {
    Mode::Dfa
}

fn mask() -> LossGrid {
    LossGrid::Mask
}

fn one() -> f64 {
    1.0
}

fn hundred() -> u64 {
    100
}

fn twenty_five() -> u64 {
    25
}

fn five() -> f64 {
    5.0
}

/// A configuration that no run can have.
#[derive(Debug, thiserror::Error)]
pub enum DfaConfigError {
    /// A value out of its range.
    #[error("{what} is {value}, not in {low}..={high}")]
    OutOfRange {
        /// Which value, as in the file.
        what: &'static str,
        /// The value.
        value: f64,
        /// Least allowed.
        low: f64,
        /// Greatest allowed.
        high: f64,
    },
    /// The decoder.
    #[error(transparent)]
    Decoder(#[from] DecoderError),
}

impl DfaConfig {
    /// The decoder's shape, on an encoder of `width`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn decoder(&self, width: usize) -> Result<DecoderConfig, DecoderError> {
        Ok(DecoderConfig::named(&self.decoder)?.on(width))
    }

    /// Whether the encoder is trained too.
    pub fn fine_tunes(&self) -> bool {
        self.pace.encoder_rate_factor > 0.0
    }

    /// Checks every value.
    ///
    /// # Errors
    /// With the first that is wrong.
    pub fn check(&self) -> Result<(), DfaConfigError> {
        DecoderConfig::named(&self.decoder)?;
        let pace = &self.pace;
        for (what, value, low, high) in [
            ("steps", self.steps as f64, 1.0, 1e8),
            ("tau", self.tau, 0.0, 10.0),
            ("epoch_steps", self.epoch_steps as f64, 1.0, 1e8),
            ("look_every_steps", self.look_every_steps as f64, 1.0, 1e8),
            ("prior.alpha", self.prior.alpha, -100.0, 100.0),
            ("prior.gamma", self.prior.gamma, 0.0, 100.0),
            ("loss.focal", self.loss.focal, 0.0, 100.0),
            ("loss.dice", self.loss.dice, 0.0, 100.0),
            ("loss.iou", self.loss.iou, 0.0, 100.0),
            ("pace.learning_rate[0]", pace.learning_rate[0], 0.0, 1.0),
            ("pace.learning_rate[1]", pace.learning_rate[1], 0.0, 1.0),
            ("pace.weight_decay", pace.weight_decay, 0.0, 1.0),
            ("pace.most_gradient", pace.most_gradient, 1e-6, 1e6),
            ("pace.bias_rate_factor", pace.bias_rate_factor, 0.0, 1e4),
            (
                "pace.most_bias_gradient",
                pace.most_bias_gradient,
                1e-6,
                1e6,
            ),
            (
                "pace.encoder_rate_factor",
                pace.encoder_rate_factor,
                0.0,
                10.0,
            ),
            ("checkpoint_minutes", self.checkpoint_minutes, 0.0, 5.0),
        ] {
            // Written so that a NaN is out of range too.
            if !(low..=high).contains(&value) {
                return Err(DfaConfigError::OutOfRange {
                    what,
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_gives_the_methods_values() {
        let config: DfaConfig = toml::from_str("seed = 1\nsteps = 10\n").unwrap();
        config.check().unwrap();
        assert_eq!(
            (config.loss.focal, config.loss.dice, config.loss.iou),
            (0.25, 0.75, 0.0625)
        );
        assert_eq!(
            (config.pace.bias_rate_factor, config.mode),
            (20.0, Mode::Dfa)
        );
        assert!(!config.fine_tunes());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| {
            let config: DfaConfig =
                toml::from_str(&format!("seed = 1\nsteps = 10\n{text}")).unwrap();
            config.check().unwrap_err().to_string()
        };
        assert!(wrong("epoch_steps = 0").contains("epoch_steps is 0"));
        assert!(wrong("tau = nan").contains("tau is NaN"));
        assert!(wrong("decoder = \"huge\"").contains("'huge'"));
        assert!(toml::from_str::<DfaConfig>("seed = 1\nsteps = 1\nmodes = 3").is_err());
    }
}
