//! Dials as a file: for which model, and what each class's dial stands at.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::app::overlay::{DialSet, Dials};
use crate::files;
use crate::jobs::live::LiveModelFacts;

/// What the file calls itself.
const FORMAT: &str = "parfocal dials 1";

/// Dials of a few hundred classes are far shorter, bytes.
const MOST_BYTES: u64 = 4 << 20;

/// One class's dials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedDial {
    /// The class.
    pub class: String,
    /// Its bias where training began.
    pub prior: f32,
    /// What training added.
    pub learned: f32,
    /// What the user added.
    pub offset: f32,
    /// What was added to its finished scores: no part of the bias.
    pub output_offset: f32,
}

/// Dials under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialPreset {
    format: String,
    /// Its name.
    pub name: String,
    /// Which stain or scanner it suits; may be empty.
    pub note: String,
    /// SHA-256 of the decoder's file, hexadecimal.
    pub model_sha256: String,
    /// Class by class, in the model's order.
    pub dials: Vec<SavedDial>,
}

impl DialPreset {
    /// The dials as they stand.
    pub fn of(facts: &LiveModelFacts, dials: &Dials, name: String, note: String) -> Self {
        let (offsets, outputs) = (dials.values(DialSet::Bias), dials.values(DialSet::Output));
        let of_class = |(n, class): (usize, &String)| SavedDial {
            class: class.clone(),
            prior: facts.bias.prior()[n],
            learned: facts.bias.learned()[n],
            offset: offsets.get(n).copied().unwrap_or(0.0),
            output_offset: outputs.get(n).copied().unwrap_or(0.0),
        };
        let classes = facts.bias.classes().iter().enumerate();
        Self {
            format: FORMAT.to_owned(),
            name,
            note,
            model_sha256: facts.sha256.clone(),
            dials: classes.map(of_class).collect(),
        }
    }

    /// As a file's text.
    ///
    /// # Errors
    /// When a number is none.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|error| error.to_string())
    }

    /// From a file's text.
    ///
    /// # Errors
    /// When it is none, with the reason.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let preset: Self = serde_json::from_str(text)
            .map_err(|error| format!("no dials that were saved: {error}"))?;
        if preset.format != FORMAT {
            return Err(format!(
                "dials of format '{}', not '{FORMAT}'",
                preset.format
            ));
        }
        let numbers = preset.dials.iter();
        let numbers = numbers.flat_map(|dial| [dial.offset, dial.output_offset]);
        match numbers
            .into_iter()
            .all(|value| value.is_finite() && value.abs() <= 1000.0)
        {
            true => Ok(preset),
            false => Err("dials beyond ±1000".to_owned()),
        }
    }

    /// From a file.
    ///
    /// # Errors
    /// When it can't be read or holds none, with its name and the reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = files::read_at_most(path, MOST_BYTES).map_err(|error| error.to_string());
        let saved = text.and_then(|text| Self::from_json(&text));
        saved.map_err(|reason| format!("{}: {reason}", path.display()))
    }

    /// Bias and output offsets, by class, for the model of these `classes` whose decoder's file has
    /// that SHA-256, hexadecimal.
    ///
    /// # Errors
    /// When they were made with another model: the same numbers mean other things there.
    pub fn for_model(
        &self,
        classes: &[String],
        sha256: &str,
    ) -> Result<(Vec<f32>, Vec<f32>), String> {
        let names = self.dials.iter().map(|dial| &dial.class);
        if !names.eq(classes) {
            return Err(format!(
                "made for a model with the classes {}",
                self.class_names()
            ));
        }
        if self.model_sha256 != sha256 {
            return Err(format!(
                "made with other weights ({}…) than those that are open ({}…)",
                start_of(&self.model_sha256),
                start_of(sha256)
            ));
        }
        let of = |value: fn(&SavedDial) -> f32| self.dials.iter().map(value).collect();
        Ok((of(|dial| dial.offset), of(|dial| dial.output_offset)))
    }

    fn class_names(&self) -> String {
        let names: Vec<&str> = self.dials.iter().map(|dial| dial.class.as_str()).collect();
        names.join(", ")
    }
}

fn start_of(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset() -> DialPreset {
        let dial = |class: &str, offset: f32| SavedDial {
            class: class.into(),
            prior: 0.5,
            learned: 0.25,
            offset,
            output_offset: 0.0,
        };
        DialPreset {
            format: FORMAT.into(),
            name: "pale slides".into(),
            note: "scanner B".into(),
            model_sha256: "ab".into(),
            dials: vec![dial("tumor", 1.5), dial("stroma", 0.0)],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = preset().to_json().unwrap();
        assert_eq!(DialPreset::from_json(&text).unwrap(), preset());
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let text = preset().to_json().unwrap();
        for (from, to, said) in [
            (FORMAT, "parfocal dials 2", "format"),
            ("1.5", "1e9", "beyond"),
            ("\"dials\"", "\"knobs\"", "no dials"),
        ] {
            let error = DialPreset::from_json(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
