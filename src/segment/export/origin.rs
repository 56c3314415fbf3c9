//! What a live map was made by.

use std::collections::BTreeMap;

use crate::model::dfa::ClassBias;
use crate::segment::Settings;
use crate::segment::live::Analysis;
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

impl MapOrigin {
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

    /// What `parfocal segment` would be run with, but for the grid, which follows from the model.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            encoder_hash: self.encoder_hash(),
            bias: bias_by_class(&self.bias),
            ..Settings::new(self.mpp(), 0, &self.model_hash())
        }
    }
}
