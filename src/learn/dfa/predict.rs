//! Class probabilities of tiles, by encoder, decoder and bias.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::segmenter::SegmenterError;
use crate::learn::values;
use crate::model::Encoder;
use crate::model::dfa::{BiasedLayer, Decoder, Features, to_tile};
use crate::model::parallel::{parts_for, runs, side_by_side};

/// What cannot be predicted.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// Network and tiles do not fit.
    #[error(transparent)]
    Segmenter(#[from] SegmenterError),
    /// The device.
    #[error("the device can't give the probabilities: {0}")]
    Device(String),
}

/// A model ready to be used, without autodiff.
#[derive(Debug, Clone)]
pub struct Predictor {
    /// The encoder.
    pub encoder: Encoder,
    /// The decoder.
    pub decoder: Decoder,
    /// b, centred, \[K\].
    pub bias: Tensor<1>,
    /// Added to the logits of each class after all else, K values; zeros but for logit adjustment.
    pub offsets: Vec<f32>,
    /// Where it computes.
    pub device: Device,
}

impl Predictor {
    /// Number K of classes.
    pub fn classes(&self) -> usize {
        self.decoder.classes()
    }

    /// Probabilities of tiles `\[B, 3, S, S\]` of sRGB 0–1: for each tile K planes of S · S values.
    ///
    /// # Errors
    /// When tiles do not fit the encoder, or the device fails.
    pub fn probabilities(&self, tiles: &[f32], side: usize) -> Result<Vec<f32>, PredictError> {
        let count = tiles.len() / (3 * side * side).max(1);
        let data = TensorData::new(tiles.to_vec(), [count, 3, side, side]);
        let tiles = Tensor::<4>::from_data(data, &self.device);
        let parts = side_by_side(runs(count, parts_for(&self.device)), |run| {
            self.part(tiles.clone().narrow(0, run.start, run.len()))
        });
        let mut all = Vec::with_capacity(count * self.classes() * side * side);
        for part in parts {
            all.extend(part?);
        }
        Ok(all)
    }

    fn part(&self, tiles: Tensor<4>) -> Result<Vec<f32>, PredictError> {
        let [_, _, side, _] = tiles.dims();
        let features = self.features(tiles)?;
        let decoded = self.decoder.decode(&features, self.bias.clone());
        let logits = to_tile(decoded.map_err(SegmenterError::from)?.logits, side);
        let offsets = Tensor::<1>::from_floats(self.offsets.as_slice(), &self.device);
        let logits = logits + offsets.reshape([1, self.classes(), 1, 1]);
        values::read(softmax(logits, 1)).map_err(PredictError::Device)
    }

    /// What does not depend on the bias.
    ///
    /// # Errors
    /// When tiles do not fit the encoder.
    pub fn features(&self, tiles: Tensor<4>) -> Result<Features, PredictError> {
        let seen = self.encoder.forward(tiles).map_err(SegmenterError::from)?;
        let features = self.decoder.start(seen.tokens);
        Ok(features.map_err(SegmenterError::from)?)
    }

    /// What every biased layer sees of tiles, as [`Self::probabilities`] takes them.
    ///
    /// # Errors
    /// When tiles do not fit the encoder.
    pub fn look(&self, tiles: &[f32], side: usize) -> Result<Vec<BiasedLayer>, PredictError> {
        let count = tiles.len() / (3 * side * side).max(1);
        let data = TensorData::new(tiles.to_vec(), [count, 3, side, side]);
        let features = self.features(Tensor::from_data(data, &self.device))?;
        let traced = self.decoder.decode_traced(&features, self.bias.clone());
        Ok(traced.map_err(SegmenterError::from)?.1)
    }
}
