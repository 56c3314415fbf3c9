//! What a live map was made by.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::dfa::ClassBias;
use crate::segment::Settings;
use crate::segment::fusion::Fusion;
use crate::segment::live::{Analysis, MAGNIFICATIONS};
use crate::segment::network::{bias_by_class, plain};

/// The model, its dials and the magnification behind a map, for provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct MapOrigin {
    /// The model's name: the shipped one's, or its file's without a folder.
    pub model: String,
    /// SHA-256 of the decoder's file, hexadecimal.
    pub decoder_sha256: String,
    /// SHA-256 of the encoder's file, hexadecimal.
    pub encoder_sha256: String,
    /// The bias in its parts; what the user added among them.
    pub bias: ClassBias,
    /// Added to the finished scores by class, in the order of the bias; no part of Dynamic Focal
    /// Attention. Empty for none.
    pub output_offsets: Vec<f32>,
    /// Which map of the slide.
    pub analysis: Analysis,
}

/// How maps of two magnifications went into one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FusionUsed {
    /// w, the finer map's share in log p, 0–1; the coarser one has the rest. None where maps are
    /// compared and not fused.
    pub weight_of_fine: Option<f64>,
    /// T of each map that has a say, > 0, by its magnification: `40x`.
    pub temperature: BTreeMap<String, f64>,
}

impl std::fmt::Display for FusionUsed {
    /// `w 0.1; T 10x 1.427, 40x 2.089`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(weight) = self.weight_of_fine {
            write!(f, "w {weight}; ")?;
        }
        let each = self.temperature.iter();
        let each: Vec<String> = each.map(|(map, t)| format!("{map} {t}")).collect();
        write!(f, "T {}", each.join(", "))
    }
}

impl MapOrigin {
    /// How maps were fused or brought to one measure; none where the map is of one magnification as
    /// the model gives it.
    pub fn fusion(&self) -> Option<FusionUsed> {
        let (fusion, scale) = (
            Fusion::of_decoder(&self.decoder_sha256),
            self.analysis.scale(),
        );
        let weight_of_fine = match self.analysis {
            Analysis::Plain(_) => return None,
            Analysis::Agreement(_) => None,
            Analysis::Fused(_) | Analysis::InPlace(_) | Analysis::Alone(_) => {
                Some(plain(&fusion.weight(scale)))
            }
        };
        let temperature = self.analysis.tile_scales().map(|scale| {
            let magnification = MAGNIFICATIONS[usize::from(scale)].to_string();
            (magnification, plain(&fusion.temperature(scale)))
        });
        Some(FusionUsed {
            weight_of_fine,
            temperature: temperature.collect(),
        })
    }

    /// Scale of the map's px, µm.
    pub fn mpp(&self) -> f64 {
        self.analysis.magnification().mpp()
    }

    /// Hash of the decoder as files state it.
    pub fn model_hash(&self) -> String {
        format!("sha256:{}", self.decoder_sha256)
    }

    /// Hash of the encoder as files state it.
    pub fn encoder_hash(&self) -> String {
        format!("sha256:{}", self.encoder_sha256)
    }

    /// What the user added to the scores, by class name; none where nothing was.
    pub fn offsets_by_class(&self) -> BTreeMap<String, f64> {
        if self.output_offsets.iter().all(|offset| *offset == 0.0) {
            return BTreeMap::new();
        }
        let names = self.bias.classes().iter().cloned();
        names.zip(self.output_offsets.iter().map(plain)).collect()
    }

    /// What the user turned, in lines: `Bias turned: tumor +0.50`. None where what was learned is in
    /// use.
    pub fn turned(&self) -> Vec<String> {
        let said = |what: &str, values: &[f32]| {
            let each = self.bias.classes().iter().zip(values);
            let each = each.filter(|(_, value)| **value != 0.0);
            let each: Vec<String> = each
                .map(|(name, value)| format!("{name} {value:+.2}"))
                .collect();
            (!each.is_empty()).then(|| format!("{what}: {}", each.join(", ")))
        };
        let bias = said("Bias turned", self.bias.offset());
        let output = said("Output offset", &self.output_offsets);
        bias.into_iter().chain(output).collect()
    }

    /// What `parfocal segment` would be run with, but for the grid, which follows from the model.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            encoder_hash: self.encoder_hash(),
            bias: bias_by_class(&self.bias),
            ..Settings::new(self.mpp(), 0, &self.model_hash())
        }
    }
}
