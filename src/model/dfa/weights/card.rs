//! What a decoder's weights file says beside its tensors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::dfa::bias::ClassBias;
use crate::model::dfa::config::DecoderConfig;

/// Key of the note that says how a decoder was trained, such as `dfa`.
pub const MODE: &str = "mode";

/// Key of the note with the τ of logit adjustment.
pub const TAU: &str = "tau";

/// Key of the note with each class's share of the training px, in the order of the classes, with
/// spaces between.
pub const CLASS_FRACTIONS: &str = "class_fractions";

/// The mode whose logits are adjusted after training.
pub const LOGIT_ADJUSTED: &str = "logit-adjusted";

/// −τ ln f of each class's share f of the training px, which logit adjustment adds to its logits
/// (methods 1.4); 0 for a class without px.
pub fn logit_adjustment(fractions: &[f64], tau: f64) -> Vec<f64> {
    let offset = |f: &f64| if *f > 0.0 { -tau * f.ln() } else { 0.0 };
    fractions.iter().map(offset).collect()
}

/// Largest tile, px.
const MOST_TILE_PX: usize = 8192;

/// A class as masks and pictures know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLabel {
    /// Its name, by which its bias is found.
    pub name: String,
    /// Its code in masks.
    pub code: u16,
    /// Red, green, blue, sRGB.
    pub colour: [u8; 3],
}

/// What has to be known of a decoder to use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderCard {
    /// The scored classes; mask c is the c-th.
    pub classes: Vec<ClassLabel>,
    /// Their bias in its parts.
    pub bias: ClassBias,
    /// SHA-256 of the weights file of the encoder that it was trained on, hexadecimal.
    pub encoder_sha256: String,
    /// Side of the tiles that it was trained on, px.
    pub tile_px: usize,
    /// Least and most µm/px that it was trained on.
    pub mpp: [f64; 2],
    /// Program and version that wrote the file.
    pub program: String,
    /// Where the weights come from.
    #[serde(skip)]
    pub notes: BTreeMap<String, String>,
}

impl DecoderCard {
    /// This program's name and version, for [`DecoderCard::program`].
    pub fn this_program() -> String {
        format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    }

    /// Names of the classes, in their order.
    pub fn class_names(&self) -> Vec<String> {
        self.classes
            .iter()
            .map(|class| class.name.clone())
            .collect()
    }

    /// What is added to the logits of each class: −τ ln f where the decoder was trained for logit
    /// adjustment (methods 1.4), 0 for a class without training px and in every other mode.
    ///
    /// # Errors
    /// When that mode's τ or fractions are not in the notes.
    pub fn logit_offsets(&self) -> Result<Vec<f32>, String> {
        let note = |key: &str| self.notes.get(key).map_or("", String::as_str);
        if note(MODE) != LOGIT_ADJUSTED {
            return Ok(vec![0.0; self.classes.len()]);
        }
        let numbers = |key: &str, count: usize| {
            let read = note(key).split_whitespace().map(str::parse::<f64>);
            let read = read.collect::<Result<Vec<f64>, _>>().ok();
            read.filter(|read| read.len() == count && read.iter().all(|n| n.is_finite()))
                .ok_or_else(|| {
                    format!(
                        "its note '{key}' is '{}', expected {count} numbers",
                        note(key)
                    )
                })
        };
        let tau = numbers(TAU, 1)?[0];
        let fractions = numbers(CLASS_FRACTIONS, self.classes.len())?;
        let offsets = logit_adjustment(&fractions, tau).into_iter();
        Ok(offsets.map(|offset| offset as f32).collect())
    }

    /// Checks that it can be the card of a decoder of this shape.
    ///
    /// # Errors
    /// With the first thing that is wrong, and what was expected.
    pub fn check(&self, config: &DecoderConfig) -> Result<(), String> {
        let words = |error: super::DecoderError| error.to_string();
        config.check().map_err(words)?;
        config.check_classes(self.classes.len()).map_err(words)?;
        let names = self.class_names();
        if self.bias.classes() != names {
            let (found, expected) = (self.bias.classes().join(", "), names.join(", "));
            return Err(format!("a bias of classes {found}, expected {expected}"));
        }
        let twice = |(n, class): &(usize, &ClassLabel)| {
            self.classes[..*n]
                .iter()
                .any(|other| other.code == class.code)
        };
        if let Some((_, class)) = self.classes.iter().enumerate().find(twice) {
            let (name, code) = (&class.name, class.code);
            return Err(format!("class '{name}' has the code {code} of another"));
        }
        if !(1..=MOST_TILE_PX).contains(&self.tile_px) {
            let side = self.tile_px;
            return Err(format!("tile_px is {side}, not in 1..={MOST_TILE_PX}"));
        }
        let [least, most] = self.mpp;
        if !(least > 0.0 && least <= most && most.is_finite()) {
            return Err(format!(
                "mpp from {least} to {most}, expected two positive numbers in order"
            ));
        }
        let hash = &self.encoder_sha256;
        let is_hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
        match hash.len() == 64 && hash.chars().all(is_hex) {
            true => Ok(()),
            false => Err(format!(
                "encoder_sha256 is '{hash}', expected 64 digits 0-9 and a-f"
            )),
        }
    }
}
