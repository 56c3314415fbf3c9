//! Scores of classes, px by px: encoder, decoder and bias.
//!
//! Cut where the bias comes in: [`Predictor::encode`] makes features that can be kept,
//! [`Predictor::decode`] makes logits of them, again for every bias.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::ConfigError;
use super::dfa::{BiasedLayer, Decoder, DecoderError, Features, to_tile};
use super::encoder::Encoder;
use super::parallel::{runs, side_by_side};
use super::values;

/// What cannot be predicted.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// Tiles that do not fit the encoder.
    #[error(transparent)]
    Encoder(#[from] ConfigError),
    /// Tokens or a bias that do not fit the decoder.
    #[error(transparent)]
    Decoder(#[from] DecoderError),
    /// The device.
    #[error("the device can't give the scores: {0}")]
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

    /// What does not depend on the bias, of tiles \[B, 3, S, S\] of sRGB 0–1.
    ///
    /// # Errors
    /// When tiles do not fit the encoder.
    pub fn encode(&self, tiles: Tensor<4>) -> Result<Features, PredictError> {
        let seen = self.encoder.forward(tiles)?;
        Ok(self.decoder.start(seen.tokens)?)
    }

    /// Logits \[B, K, side, side\] under a bias \[K\], centred or not, with the offsets added.
    ///
    /// # Errors
    /// When features or bias are not this decoder's.
    pub fn decode(
        &self,
        features: &Features,
        bias: Tensor<1>,
        side: usize,
    ) -> Result<Tensor<4>, PredictError> {
        let decoded = self.decoder.decode(features, bias)?;
        let offsets = Tensor::<1>::from_floats(self.offsets.as_slice(), &self.device);
        Ok(to_tile(decoded.logits, side) + offsets.reshape([1, self.classes(), 1, 1]))
    }

    /// Logits of tiles `\[B, 3, side, side\]` of sRGB 0–1, as values: for each tile K planes of
    /// side · side.
    ///
    /// On a processor each tile is worked on alone, so that its logits do not depend on those
    /// beside it, to the last bit.
    ///
    /// # Errors
    /// When tiles do not fit the encoder, or the device fails.
    pub fn logits(&self, tiles: &[f32], side: usize) -> Result<Vec<f32>, PredictError> {
        self.read(tiles, side, |logits| logits)
    }

    /// As [`Self::logits`], their softmax over the classes.
    ///
    /// # Errors
    /// When tiles do not fit the encoder, or the device fails.
    pub fn probabilities(&self, tiles: &[f32], side: usize) -> Result<Vec<f32>, PredictError> {
        self.read(tiles, side, |logits| softmax(logits, 1))
    }

    /// What every biased layer sees of tiles, as [`Self::logits`] takes them.
    ///
    /// # Errors
    /// When tiles do not fit the encoder.
    pub fn look(&self, tiles: &[f32], side: usize) -> Result<Vec<BiasedLayer>, PredictError> {
        let features = self.encode(self.tensor(tiles, side))?;
        let traced = self.decoder.decode_traced(&features, self.bias.clone())?;
        Ok(traced.1)
    }

    fn tensor(&self, tiles: &[f32], side: usize) -> Tensor<4> {
        let count = tiles.len() / (3 * side * side).max(1);
        let data = TensorData::new(tiles.to_vec(), [count, 3, side, side]);
        Tensor::from_data(data, &self.device)
    }

    fn read(
        &self,
        tiles: &[f32],
        side: usize,
        end: impl Fn(Tensor<4>) -> Tensor<4> + Send + Sync,
    ) -> Result<Vec<f32>, PredictError> {
        let tiles = self.tensor(tiles, side);
        let parts = side_by_side(self.runs(tiles.dims()[0]), |run| {
            let features = self.encode(tiles.clone().narrow(0, run.start, run.len()))?;
            let logits = self.decode(&features, self.bias.clone(), side)?;
            values::read(end(logits)).map_err(PredictError::Device)
        });
        joined(parts)
    }

    /// [`Self::encode`] of tiles as [`Self::logits`] takes them, tile by tile: features that can be
    /// kept and decoded alone, with the same logits to the last bit on a processor.
    ///
    /// # Errors
    /// When tiles do not fit the encoder.
    pub fn encode_each(&self, tiles: &[f32], side: usize) -> Result<Vec<Features>, PredictError> {
        let tiles = self.tensor(tiles, side);
        let parts = side_by_side(self.runs(tiles.dims()[0]), |run| {
            let features = self.encode(tiles.clone().narrow(0, run.start, run.len()))?;
            Ok((0..features.tiles())
                .map(|n| features.part(n..n + 1))
                .collect())
        });
        joined(parts)
    }

    /// The patch tokens of tiles as [`Self::logits`] takes them, tile by tile: for each g² rows of D
    /// values, row by row of the tile, as the encoder's last norm leaves them.
    ///
    /// # Errors
    /// When tiles do not fit the encoder, or the device fails.
    pub fn embed_each(&self, tiles: &[f32], side: usize) -> Result<Vec<Vec<f32>>, PredictError> {
        let tiles = self.tensor(tiles, side);
        let parts = side_by_side(self.runs(tiles.dims()[0]), |run| {
            let seen = self
                .encoder
                .forward(tiles.clone().narrow(0, run.start, run.len()))?;
            let each = seen.tokens.dims()[1] * seen.tokens.dims()[2];
            let values = values::read(seen.tokens).map_err(PredictError::Device)?;
            Ok(values.chunks_exact(each).map(<[f32]>::to_vec).collect())
        });
        joined(parts)
    }

    /// Logits of tiles whose features were kept, for each what [`Self::logits`] gives of it, under a
    /// bias of K values. Bias and offsets are the caller's, not this predictor's own: `offsets` come on top of
    /// [`Self::offsets`].
    ///
    /// # Errors
    /// When features, bias or offsets are not this decoder's, or the device fails.
    pub fn decode_each(
        &self,
        kept: &[&Features],
        bias: &[f32],
        offsets: &[f32],
        side: usize,
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let each = self.classes() * side * side;
        let parts = side_by_side(self.runs(kept.len()), |run| {
            let tiles = run.len();
            let logits = self.decode_together(&kept[run], bias, offsets, side)?;
            let Some(logits) = logits else {
                return Ok(Vec::new());
            };
            let values = values::read(logits).map_err(PredictError::Device)?;
            Ok(match tiles {
                1 => vec![values],
                _ => values.chunks_exact(each).map(<[f32]>::to_vec).collect(),
            })
        });
        joined(parts)
    }

    /// As [`Self::decode_each`], all at once and left on the device, `\[B, K, side, side\]`; none of
    /// no tiles.
    ///
    /// # Errors
    /// When features, bias or offsets are not this decoder's.
    pub fn decode_together(
        &self,
        kept: &[&Features],
        bias: &[f32],
        offsets: &[f32],
        side: usize,
    ) -> Result<Option<Tensor<4>>, PredictError> {
        let some = kept.iter().map(|features| (*features).clone());
        let Some(features) = Features::together(some.collect()) else {
            return Ok(None);
        };
        let bias = Tensor::<1>::from_floats(bias, &self.device);
        let logits = self.decode(&features, bias, side)?;
        if offsets.iter().all(|offset| *offset == 0.0) {
            return Ok(Some(logits));
        }
        let added = Tensor::<1>::from_floats(offsets, &self.device);
        Ok(Some(logits + added.reshape([1, self.classes(), 1, 1])))
    }

    /// How tiles are worked on side by side: alone on a processor, all together elsewhere.
    fn runs(&self, count: usize) -> Vec<Range<usize>> {
        let parts = match self.device == Device::flex() {
            true => count,
            false => 1,
        };
        runs(count, parts)
    }
}

fn joined<T>(parts: Vec<Result<Vec<T>, PredictError>>) -> Result<Vec<T>, PredictError> {
    let mut all = Vec::new();
    // Whole parts at a time: value by value takes about as long as the decoder.
    for part in parts {
        all.append(&mut part?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::test_model::little_predictor;

    const SIDE: usize = 32;

    fn little() -> Predictor {
        little_predictor([0.5, -0.2, -0.3], [0.0, 0.7, 0.0]).unwrap()
    }

    fn tiles(count: usize) -> Vec<f32> {
        let value = |n: usize| ((n * 7919) % 1000) as f32 / 1000.0;
        (0..count * 3 * SIDE * SIDE).map(value).collect()
    }

    #[test]
    fn a_tile_is_the_same_in_every_batch() {
        let predictor = little();
        let (plane, tile) = (3 * SIDE * SIDE, 3 * SIDE * SIDE);
        let tiles = tiles(5);
        let all = predictor.logits(&tiles, SIDE).unwrap();
        assert_eq!(all.len(), 5 * plane);
        for n in 0..5 {
            let alone = predictor.logits(&tiles[n * tile..(n + 1) * tile], SIDE);
            assert_eq!(alone.unwrap(), all[n * plane..(n + 1) * plane], "{n}");
        }
        assert_eq!(predictor.logits(&[], SIDE).unwrap(), [0.0; 0]);
    }

    #[test]
    fn kept_features_give_the_same_logits_and_follow_the_bias() {
        let predictor = little();
        let tiles = tiles(3);
        let kept = predictor.encode_each(&tiles, SIDE).unwrap();
        let kept: Vec<&Features> = kept.iter().collect();
        let decode = |bias: [f32; 3], offsets: [f32; 3]| {
            let each = predictor.decode_each(&kept, &bias, &offsets, SIDE);
            each.unwrap().concat()
        };
        let own = decode([0.5, -0.2, -0.3], [0.0; 3]);
        assert_eq!(own, predictor.logits(&tiles, SIDE).unwrap());
        let turned = decode([5.0, -2.5, -2.5], [0.0; 3]);
        let apart = own.iter().zip(&turned).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) > 1e-3, "a bias that does nothing");
        let lifted = decode([0.5, -0.2, -0.3], [0.0, 0.0, 2.0]);
        let px = SIDE * SIDE;
        assert!((lifted[2 * px + 7] - own[2 * px + 7] - 2.0).abs() < 1e-5);
        assert!(
            predictor
                .decode_each(&[], &[0.0; 3], &[0.0; 3], SIDE)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn tokens_of_a_tile_are_the_encoders_and_the_same_in_every_batch() {
        let predictor = little();
        let (tile, tiles) = (3 * SIDE * SIDE, tiles(3));
        let all = predictor.embed_each(&tiles, SIDE).unwrap();
        let seen = predictor
            .encoder
            .forward(predictor.tensor(&tiles[tile..2 * tile], SIDE));
        let meant = values::read(seen.unwrap().tokens).unwrap();
        assert_eq!((all.len(), &all[1]), (3, &meant));
        assert!(predictor.embed_each(&[], SIDE).unwrap().is_empty());
    }

    #[test]
    fn offsets_come_last_and_probabilities_are_of_the_logits() {
        let predictor = little();
        let plain = Predictor {
            offsets: vec![0.0; 3],
            ..predictor.clone()
        };
        let (with, without) = (
            predictor.logits(&tiles(1), SIDE).unwrap(),
            plain.logits(&tiles(1), SIDE).unwrap(),
        );
        let found = predictor.probabilities(&tiles(1), SIDE).unwrap();
        let px = SIDE * SIDE;
        for at in 0..px {
            for (class, offset) in [0.0, 0.7, 0.0].into_iter().enumerate() {
                let apart = with[class * px + at] - without[class * px + at];
                assert!((apart - offset).abs() < 1e-5, "{apart}");
            }
            let exp = |class: usize| with[class * px + at].exp();
            let meant = exp(1) / (exp(0) + exp(1) + exp(2));
            assert!((found[px + at] - meant).abs() < 1e-5);
        }
    }
}
