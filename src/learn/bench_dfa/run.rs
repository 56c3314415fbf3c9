//! What one training reached.

use serde::{Deserialize, Serialize};

use super::roles::Role;
use crate::learn::statistics::mean;

/// Which training.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunKey {
    /// Name of the mode, such as `dfa`: letters, digits and `-`.
    pub mode: String,
    /// Seed of the training.
    pub seed: u64,
    /// Row of the Latin square; 0 where roles are not rotated.
    pub rotation: usize,
}

/// One finished training and its test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Which training.
    #[serde(flatten)]
    pub key: RunKey,
    /// Hash of all settings that the benchmark's runs share: runs of others are refused.
    pub settings: String,
    /// Program and version.
    pub program: String,
    /// Seconds of training.
    pub seconds: f64,
    /// Mean Dice of the classes that have one, 0–1.
    pub macro_dice: f64,
    /// α or τ, where it was chosen on validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<f64>,
    /// Each class, in the order of the indices.
    pub classes: Vec<ClassRun>,
}

/// One class of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassRun {
    /// Its name.
    pub class: String,
    /// What it was made to be, in phantom sets with roles.
    pub role: Option<Role>,
    /// Share of the training pixels, 0–1.
    pub frequency: f64,
    /// 1 − Dice of independent `none` runs (see [`measured_difficulty`]), 0–1.
    pub difficulty: Option<f64>,
    /// Dice over the test split, 0–1; `None` where the class is neither there nor predicted.
    pub dice: Option<f64>,
    /// Its bias, in modes that have one.
    pub bias: Option<BiasFigures>,
}

/// The bias of one class at the end of a run, centred over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BiasFigures {
    /// b_c.
    pub learned: f64,
    /// b_c less that at the start.
    pub change: f64,
    /// b_c plus the mean of the rest of the attention logit.
    pub effective_offset: Option<f64>,
    /// Share of attention, 0–1.
    pub attention_share: Option<f64>,
}

impl ClassRun {
    /// Intersection over union over the test split, 0–1: Dice / (2 − Dice), of the same pixels.
    pub fn iou(&self) -> Option<f64> {
        self.dice.map(|dice| dice / (2.0 - dice))
    }
}

impl RunResult {
    /// That class of the run.
    pub fn class(&self, name: &str) -> Option<&ClassRun> {
        self.classes.iter().find(|class| class.class == name)
    }
}

/// How hard a class is in a rotation: the mean of 1 − Dice over `none_runs` of that rotation. They
/// must be other runs than those that are compared. `None` when none of them scores the class.
pub fn measured_difficulty(none_runs: &[RunResult], class: &str, rotation: usize) -> Option<f64> {
    let of_rotation = none_runs.iter().filter(|run| run.key.rotation == rotation);
    let dice = of_rotation.filter_map(|run| run.class(class)?.dice);
    let difficulties: Vec<f64> = dice.map(|dice| 1.0 - dice).collect();
    (!difficulties.is_empty()).then(|| mean(&difficulties))
}
