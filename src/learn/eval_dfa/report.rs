//! What an evaluation found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bias::ClassBias;
use crate::learn::seg_metrics::SegReport;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// Program and version.
    pub program: String,
    /// What was judged.
    pub model: Identity,
    /// What it was judged on.
    pub data: Identity,
    /// Name of the split, such as `test`.
    pub split: String,
    /// Which bias the model was trained with, such as `dfa`.
    pub mode: String,
    /// Settings that the figures depend on, by name.
    pub settings: BTreeMap<String, String>,
    /// The split at each scale, the first being the one meant.
    pub parts: Vec<Part>,
    /// The bias of each class; empty where the model has none.
    pub bias: Vec<ClassBias>,
    /// What else has to be known to read the figures.
    pub notes: Vec<String>,
}

/// A file or a set of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name, for people.
    pub name: String,
    /// Hash of its content, with the kind of hash in front.
    pub hash: String,
}

/// The split at one scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is called, such as `10x`; letters, digits and `-` go into names of files.
    pub name: String,
    /// Scale of the class maps, µm/px.
    pub mpp: f64,
    /// The model's figures.
    pub scores: SegReport,
    /// What colour alone reaches on the same pixels.
    pub colour_floor: Option<ColourFloor>,
}

/// A classifier of single pixels, see [`super::ColourFit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColourFloor {
    /// How much the classes' frequencies were taken out, 0–1.
    pub frequency_power: f64,
    /// Pixels that it was fitted on.
    pub training_px: u64,
    /// Its figures.
    pub scores: SegReport,
}

impl EvalReport {
    /// This program's name and version.
    pub fn this_program() -> String {
        format!("parfocal {}", env!("CARGO_PKG_VERSION"))
    }

    /// As JSON, ending in a line break.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl Part {
    /// Dice of colour alone, of one class.
    pub fn floor_dice(&self, class: usize) -> Option<f64> {
        self.colour_floor.as_ref()?.scores.classes.get(class)?.dice
    }

    /// Macro Dice of colour alone.
    pub fn floor_macro_dice(&self) -> Option<f64> {
        self.colour_floor.as_ref()?.scores.macros.dice
    }

    /// Name and scale.
    pub fn label(&self) -> String {
        format!("{}, {} µm/px", self.name, self.mpp)
    }
}
