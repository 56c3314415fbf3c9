//! What a decoder is trained and judged on: a set, its split and counts, and the encoder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::hex;
use crate::learn::sets::{
    Census, CropConfig, FoldConfig, MaskSet, SetConfig, SetError, Split, SplitConfig, census,
    folds, split,
};
use crate::model::Encoder;
use crate::model::weights::{self, WeightsError};

/// Settings of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneConfig {
    /// The encoder's weights; relative to the settings file.
    pub encoder: PathBuf,
    /// The set.
    pub set: SetConfig,
    /// How it is split.
    #[serde(default)]
    pub split: SplitConfig,
    /// Folds in place of that split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<FoldConfig>,
    /// Which of the folds, from 0.
    #[serde(default)]
    pub fold: usize,
    /// How training crops are taken.
    #[serde(default)]
    pub crops: CropConfig,
}

impl SceneConfig {
    /// The parts of the set.
    ///
    /// # Errors
    /// When it can't be split so, or has not as many folds.
    pub fn split_of(&self, set: &dyn MaskSet) -> Result<Split, SetError> {
        let Some(config) = &self.folds else {
            return split(set, &self.split);
        };
        let mut all = folds(set, config)?;
        match self.fold < all.len() {
            true => Ok(all.swap_remove(self.fold)),
            false => {
                let expected = format!("must be below the number of folds, {}", all.len());
                Err(SetError::setting("fold", self.fold, expected))
            }
        }
    }
}

/// Data or weights that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The encoder's weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// An open set, counted and split, and the encoder.
pub struct Scene {
    /// The set.
    pub set: Arc<dyn MaskSet>,
    /// Its parts.
    pub split: Split,
    /// Px of every class in every item.
    pub census: Census,
    /// f_c of the training part.
    pub fractions: Vec<f64>,
    /// What a report should mention.
    pub remarks: Vec<String>,
    /// The encoder, without autodiff.
    pub encoder: Encoder,
    /// SHA-256 of its file.
    pub encoder_sha256: String,
}

impl Scene {
    /// Opens all of it; relative paths are relative to `base`. Every mask is read once, of which
    /// `progress` hears in items.
    ///
    /// # Errors
    /// When anything can't be read, a code is unknown, a part of the split is empty or training
    /// lacks a class; the message names the file.
    pub fn open(
        config: &SceneConfig,
        base: &Path,
        device: &Device,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self, SceneError> {
        config.crops.validate()?;
        let path = base.join(&config.encoder);
        let encoder = weights::load(&path, device)?;
        let encoder_sha256 = weights::hash_of(&path)?;
        let set = config.set.open(base)?;
        let split = config.split_of(set.as_ref())?;
        let census = census(set.as_ref(), progress)?;
        let remarks = census.check(set.as_ref(), &split)?;
        Ok(Self {
            fractions: census.of_items(&split.training).shares(),
            set,
            split,
            census,
            remarks,
            encoder,
            encoder_sha256,
        })
    }

    /// SHA-256 of what is known of the data: where it comes from, its items and the px of every class
    /// in each.
    pub fn data_sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.set.provenance());
        for (n, item) in self.set.items().iter().enumerate() {
            hash.update(format!("\n{} {:?}", item.id, self.census.item(n)));
        }
        hex(&hash.finalize())
    }

    /// What a continued run must share with this one, in words that can be compared.
    pub fn words(&self, config: &SceneConfig) -> String {
        let crops = toml::to_string(&config.crops).unwrap_or_default();
        let encoder = &self.encoder_sha256;
        let split = match &config.folds {
            Some(folds) => format!("fold {} of {folds:?}", config.fold),
            None => format!("{:?}", config.split),
        };
        format!(
            "{}\n{split}\n{crops}\nencoder {encoder}",
            self.set.provenance()
        )
    }
}
