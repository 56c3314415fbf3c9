//! Where the bias begins and whether it moves: Dynamic Focal Attention and its baselines.

use serde::{Deserialize, Serialize};

use crate::model::dfa::weights::{LOGIT_ADJUSTED, logit_adjustment};
use crate::model::dfa::{BiasError, Prior, centred};

/// Dice is kept within these before its logarithm is taken (methods 1.4).
const DICE: [f64; 2] = [0.05, 0.95];

/// One row of the comparison (methods 1.4). All run by the same code with the same seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// b = 0.
    None,
    /// b = δ where training begins, and never moves.
    Frozen,
    /// b = α · centred log π(f): as `frozen`, its α chosen on validation.
    Frequency,
    /// b = α · centred log π(Dice of a first trained model).
    Difficulty,
    /// b begins at δ and is trained.
    Dfa,
    /// b = centred log π + δ, with δ beginning at 0 and trained.
    Anchored,
    /// b = 0, the cross-entropy weighted by 1 / f.
    InverseFrequency,
    /// b = 0, the loss weighted by (1 − accuracy)^τ of the epoch before.
    DifficultyLoss,
    /// b = 0, and z − τ ln f after training.
    LogitAdjusted,
}

/// What a mode needs to know of the data.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Share of the training pixels that each class has, K values; 0 for none.
    pub fractions: &'a [f64],
    /// Dice of each class by a first model trained without bias; for [`Mode::Difficulty`].
    pub dice: Option<&'a [f64]>,
}

/// A bias at its start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// What does not move, K values, centred.
    pub fixed: Vec<f64>,
    /// Where what moves begins, K values, centred.
    pub moving: Vec<f64>,
    /// Whether it moves.
    pub trained: bool,
}

impl Start {
    /// b at the start, K values, centred.
    pub fn bias(&self) -> Vec<f64> {
        let both = self.fixed.iter().zip(&self.moving);
        both.map(|(fixed, moving)| fixed + moving).collect()
    }
}

/// A mode that can't begin.
#[derive(Debug, thiserror::Error)]
pub enum ModeError {
    /// A mode of that name there is not.
    #[error("no mode is called '{name}'; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The second stage without the first.
    #[error(
        "mode difficulty needs the Dice of a first model, {expected} values, one a class; it has \
         {found}"
    )]
    NoDice {
        /// Values given.
        found: usize,
        /// Values wanted.
        expected: usize,
    },
    /// The same, of a settings file.
    #[error(
        "mode difficulty is a second stage and needs a table [first_dice]: the Dice of each class by \
         a first model, as a report of `eval dfa` has it"
    )]
    NoFirstStage,
    /// The prior.
    #[error(transparent)]
    Prior(#[from] BiasError),
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Frozen,
        Self::Frequency,
        Self::Difficulty,
        Self::Dfa,
        Self::Anchored,
        Self::InverseFrequency,
        Self::DifficultyLoss,
        Self::LogitAdjusted,
    ];

    /// Its name, as in settings and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Frozen => "frozen",
            Self::Frequency => "frequency",
            Self::Difficulty => "difficulty",
            Self::Dfa => "dfa",
            Self::Anchored => "anchored",
            Self::InverseFrequency => "inverse-frequency",
            Self::DifficultyLoss => "difficulty-loss",
            Self::LogitAdjusted => LOGIT_ADJUSTED,
        }
    }

    /// The mode called `name`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> Result<Self, ModeError> {
        let found = Self::ALL.into_iter().find(|mode| mode.name() == name);
        found.ok_or_else(|| ModeError::Unknown {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }

    /// The bias where training begins.
    ///
    /// # Errors
    /// When a fraction is none, or the mode needs a Dice for each class and has not got it.
    pub fn start(self, prior: &Prior, known: Known<'_>) -> Result<Start, ModeError> {
        let classes = known.fractions.len();
        let zeros = vec![0.0; classes];
        let delta = prior.delta(known.fractions)?;
        let start = |fixed: Vec<f64>, moving: Vec<f64>, trained| Start {
            fixed: centred(&fixed),
            moving: centred(&moving),
            trained,
        };
        Ok(match self {
            Self::None | Self::InverseFrequency | Self::DifficultyLoss | Self::LogitAdjusted => {
                start(zeros.clone(), zeros, false)
            }
            Self::Frozen | Self::Frequency => start(delta, zeros, false),
            Self::Dfa => start(zeros, delta, true),
            Self::Anchored => {
                let whole = Prior {
                    alpha: 1.0,
                    ..*prior
                };
                start(whole.delta(known.fractions)?, zeros, true)
            }
            Self::Difficulty => {
                let dice = known.dice.unwrap_or(&[]);
                if dice.len() != classes {
                    return Err(ModeError::NoDice {
                        found: dice.len(),
                        expected: classes,
                    });
                }
                let clamped: Vec<f64> = dice.iter().map(|d| d.clamp(DICE[0], DICE[1])).collect();
                start(prior.delta(&clamped)?, zeros, false)
            }
        })
    }

    /// Factors on the classes' loss from the start, with mean 1 over classes that have pixels.
    pub fn loss_weights(self, fractions: &[f64]) -> Vec<f64> {
        match self {
            Self::InverseFrequency => mean_one(fractions, |f| 1.0 / f),
            _ => vec![1.0; fractions.len()],
        }
    }

    /// What is added to the logits after training, for a temperature `tau`; mostly nothing.
    pub fn logit_offsets(self, fractions: &[f64], tau: f64) -> Vec<f64> {
        match self {
            Self::LogitAdjusted => logit_adjustment(fractions, tau),
            _ => vec![0.0; fractions.len()],
        }
    }
}

/// `weight` of each fraction, over their mean; 0 for a class without pixels.
pub fn mean_one(fractions: &[f64], weight: impl Fn(f64) -> f64) -> Vec<f64> {
    let of = |f: &f64| if *f > 0.0 { weight(*f) } else { 0.0 };
    let raw: Vec<f64> = fractions.iter().map(of).collect();
    let count = fractions.iter().filter(|f| **f > 0.0).count().max(1) as f64;
    let mean = raw.iter().sum::<f64>() / count;
    raw.iter().map(|weight| weight / mean.max(1e-12)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRACTIONS: [f64; 3] = [0.7, 0.27, 0.03];

    fn start(mode: Mode, dice: Option<&[f64]>) -> Start {
        let known = Known {
            fractions: &FRACTIONS,
            dice,
        };
        mode.start(&Prior::default(), known).unwrap()
    }

    #[test]
    fn every_mode_is_found_by_its_name() {
        for mode in Mode::ALL {
            assert_eq!(Mode::named(mode.name()).unwrap(), mode);
            let text = toml::Value::try_from(mode).unwrap();
            assert_eq!(text.as_str(), Some(mode.name()));
        }
        let error = Mode::named("focal").unwrap_err().to_string();
        assert!(error.contains("'focal'") && error.contains("anchored"));
    }

    #[test]
    fn starts_are_those_of_the_table() {
        let delta = Prior::default().delta(&FRACTIONS).unwrap();
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        let zeros = [0.0; 3];
        for mode in [Mode::None, Mode::InverseFrequency, Mode::LogitAdjusted] {
            assert_eq!(start(mode, None).fixed, zeros);
            assert!(!start(mode, None).trained);
        }
        let frozen = start(Mode::Frozen, None);
        assert!(near(&frozen.fixed, &delta) && !frozen.trained);
        let dfa = start(Mode::Dfa, None);
        assert!(near(&dfa.moving, &delta) && dfa.trained && dfa.fixed == zeros);
        let anchored = start(Mode::Anchored, None);
        let twice: Vec<f64> = delta.iter().map(|d| d * 2.0).collect();
        assert!(near(&anchored.fixed, &twice) && anchored.trained && anchored.moving == zeros);
    }

    #[test]
    fn the_harder_class_is_raised_and_the_first_stage_is_needed() {
        let hard = start(Mode::Difficulty, Some(&[0.99, 0.9, 0.01]));
        assert!(hard.fixed[2] > hard.fixed[1] && hard.fixed[1] > hard.fixed[0]);
        let limits = 2.0 * 0.5 * ((0.95_f64).ln() - (0.05_f64).ln());
        assert!((hard.fixed[2] - hard.fixed[0] - limits).abs() < 1e-9);
        let known = Known {
            fractions: &FRACTIONS,
            dice: None,
        };
        let error = Mode::Difficulty
            .start(&Prior::default(), known)
            .unwrap_err();
        assert!(error.to_string().contains("3 values"));
    }

    #[test]
    fn losses_and_logits_are_changed_where_the_table_says() {
        let weights = Mode::InverseFrequency.loss_weights(&FRACTIONS);
        assert!((weights.iter().sum::<f64>() - 3.0).abs() < 1e-9);
        assert!((weights[2] / weights[0] - 0.7 / 0.03).abs() < 1e-9);
        assert_eq!(Mode::Dfa.loss_weights(&FRACTIONS), [1.0; 3]);
        assert_eq!(Mode::InverseFrequency.loss_weights(&[0.5, 0.0])[1], 0.0);
        let offsets = Mode::LogitAdjusted.logit_offsets(&[0.5, 0.0], 2.0);
        assert!((offsets[0] - 2.0 * 2.0_f64.ln()).abs() < 1e-12 && offsets[1] == 0.0);
        assert_eq!(Mode::Dfa.logit_offsets(&FRACTIONS, 1.0), [0.0; 3]);
    }
}
