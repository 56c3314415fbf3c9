//! Encoder, decoder and bias as a model of tiles.

use std::collections::BTreeMap;

use super::model::{ModelError, RgbTile, TileModel};
use super::settings::Settings;
use crate::labels::{LabelClass, class_colours};
use crate::model::dfa::{ClassBias, Features};
use crate::model::{PredictError, Predictor, ReadyModel};

/// A network that is ready to be used, on the device where it is.
#[derive(Debug)]
pub struct Network {
    predictor: Predictor,
    tile_px: u32,
    classes: Vec<LabelClass>,
}

impl Network {
    /// Takes the parts of a model that tiles need.
    pub fn new(model: &ReadyModel) -> Self {
        let of_card = &model.card.classes;
        let own: Vec<[u8; 3]> = of_card.iter().map(|class| class.colour).collect();
        let classes = of_card.iter().zip(class_colours(&own));
        let classes = classes.map(|(class, rgb)| LabelClass {
            name: class.name.clone(),
            rgb,
        });
        Self {
            predictor: model.predictor.clone(),
            tile_px: model.card.tile_px as u32,
            classes: classes.collect(),
        }
    }
}

impl Network {
    /// Side of the tiles that it takes, px.
    pub(super) fn side_px(&self) -> u32 {
        self.tile_px
    }

    /// Its classes.
    pub(super) fn class_list(&self) -> &[LabelClass] {
        &self.classes
    }

    /// What it computes with.
    #[cfg(test)]
    pub(crate) fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Values of a token of its encoder.
    pub(super) fn token_width(&self) -> usize {
        self.predictor.encoder.config().width
    }

    /// See [`super::embedding::TokenModel::embed`]; for each tile its tokens one after the other.
    pub(super) fn embed_tiles(&self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
        let values: Vec<f32> = tiles.iter().flat_map(planes).collect();
        let tokens = self.predictor.embed_each(&values, self.tile_px as usize);
        tokens.map_err(in_words)
    }

    /// See [`super::live::LiveModel::encode`].
    pub(super) fn encode_tiles(&self, tiles: &[RgbTile]) -> Result<Vec<Features>, ModelError> {
        let values: Vec<f32> = tiles.iter().flat_map(planes).collect();
        let kept = self.predictor.encode_each(&values, self.tile_px as usize);
        kept.map_err(in_words)
    }

    /// See [`super::live::LiveModel::decode`].
    pub(super) fn decode_tiles(
        &self,
        kept: &[&Features],
        bias: &[f32],
        offsets: &[f32],
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let side = self.tile_px as usize;
        let logits = self.predictor.decode_each(kept, bias, offsets, side);
        logits.map_err(in_words)
    }
}

fn in_words(error: PredictError) -> ModelError {
    ModelError {
        reason: error.to_string(),
    }
}

impl TileModel for Network {
    fn tile_px(&self) -> u32 {
        self.tile_px
    }

    fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    fn block_px(&self) -> u32 {
        self.predictor.encoder.config().patch_px as u32
    }

    fn predict(&mut self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
        let side = self.tile_px as usize;
        let values: Vec<f32> = tiles.iter().flat_map(planes).collect();
        let logits = self.predictor.logits(&values, side);
        let logits = logits.map_err(in_words)?;
        let each = self.classes.len() * side * side;
        Ok(logits.chunks_exact(each).map(<[f32]>::to_vec).collect())
    }
}

impl Settings {
    /// [`Settings::new`] for a model and the bias that it was opened with.
    pub fn of_model(model: &ReadyModel, mpp: f64) -> Self {
        let hash = |sha256: &str| format!("sha256:{sha256}");
        Self {
            encoder_hash: hash(&model.card.encoder_sha256),
            bias: bias_by_class(&model.bias),
            ..Self::new(mpp, model.card.tile_px as u32, &hash(&model.decoder_sha256))
        }
    }
}

/// The bias as it is used, by class name.
pub(super) fn bias_by_class(bias: &ClassBias) -> BTreeMap<String, f64> {
    let names = bias.classes().iter().cloned();
    names.zip(bias.total().iter().map(plain)).collect()
}

/// Red, green and blue one after the other, 0–1.
fn planes(tile: &RgbTile) -> impl Iterator<Item = f32> {
    let channel = |n: usize| tile.rgb.iter().skip(n).step_by(3);
    (0..3)
        .flat_map(channel)
        .map(|byte| f32::from(*byte) / 255.0)
}

/// The same number with the digits that tell it from other `f32`, as people read it.
pub(super) fn plain(value: &f32) -> f64 {
    value
        .to_string()
        .parse()
        .unwrap_or_else(|_| f64::from(*value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::segment::test_slide::{codes, go_on, little_model, slide};
    use crate::segment::{NOT_ANALYSED, Pace, RunOptions, segment_in_memory, segment_slide};

    #[test]
    fn files_are_what_memory_has_with_a_real_network() {
        let model = little_model();
        let settings = Settings {
            probabilities: true,
            ..Settings::of_model(&model, 1.0)
        };
        assert_eq!(settings.bias["one"], 0.3);
        let fields = [1, 5].map(|batch| {
            let pace = Pace { batch, readers: 2 };
            let mut network = Network::new(&model);
            segment_in_memory(&slide(), &mut network, &settings, pace, &mut go_on).unwrap()
        });
        let logs = fields.each_ref().map(|field| &field.log_probabilities);
        let apart = logs[0].iter().zip(logs[1]).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) <= 1e-5);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.tif");
        let options = RunOptions::default();
        let mut network = Network::new(&model);
        let (slide, network) = (slide(), &mut network);
        let report = segment_slide(&slide, network, &settings, options, &path, &mut go_on).unwrap();
        assert_eq!(codes(&path, 0).1, fields[0].codes);
        let of_file = |path: &Path| codes(path, 0).1;
        for (class, path) in report.files.probabilities.iter().enumerate() {
            let px = fields[0].codes.len();
            let logs = &fields[0].log_probabilities[class * px..][..px];
            for ((found, log), code) in of_file(path).iter().zip(logs).zip(&fields[0].codes) {
                let meant = if *code == NOT_ANALYSED {
                    0.0
                } else {
                    log.exp()
                };
                let found = f32::from(*found) / 255.0;
                assert!((found - meant).abs() <= 0.5 / 255.0 + 1e-5);
            }
        }
        let classes_seen = (0..3).filter(|code| fields[0].codes.contains(code));
        assert!(
            classes_seen.count() > 1,
            "one class everywhere shows little"
        );
    }

    #[test]
    fn channels_come_apart() {
        let tile = RgbTile {
            side_px: 1,
            rgb: vec![255, 0, 51],
        };
        assert_eq!(planes(&tile).collect::<Vec<_>>(), [1.0, 0.0, 0.2]);
        let two = RgbTile {
            side_px: 2,
            rgb: vec![0, 1, 2, 3, 4, 5],
        };
        let bytes = planes(&two).map(|value| (value * 255.0).round());
        assert_eq!(bytes.collect::<Vec<_>>(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
