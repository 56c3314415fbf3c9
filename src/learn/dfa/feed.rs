//! Batches for training: fresh crops each step, or crops that were made (and encoded) once.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::index;

use super::batch::{Input, LabelledBatch};
use super::scene::Scene;
use crate::learn::sampling::key::{Use, keyed};
use crate::learn::sets::{CropConfig, CropLoader, Crops, SetError};
use crate::learn::values;
use crate::model::Encoder;
use crate::model::config::ConfigError;
use crate::model::parallel::{forward_in_parts, parts_for};

/// Threads that cut crops, and batches made ahead.
const LOADERS: usize = 1;
const AHEAD: usize = 3;

/// Crops that can't be made or encoded.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] ConfigError),
    /// The device.
    #[error("the device can't give the tokens: {0}")]
    Device(String),
    /// The user.
    #[error("stopped while crops were being encoded")]
    Cancelled,
}

/// Where batches come from.
pub enum Feed {
    /// Tiles, for an encoder that is trained too.
    Tiles(CropLoader),
    /// Tokens of fresh crops, encoded as they come.
    Fresh(CropLoader, Box<Encoder>, Device),
    /// Crops that were made once.
    Kept(Kept),
}

impl Feed {
    /// Fresh crops from step `first` on; tiles where the encoder is trained too, else its tokens.
    ///
    /// # Errors
    /// When crops can't be made.
    pub fn fresh(
        scene: &Scene,
        crops: &CropConfig,
        seed: u64,
        first: u64,
        fine_tunes: bool,
        device: &Device,
    ) -> Result<Self, FeedError> {
        let loader = CropLoader::start(all_crops(scene, crops)?, seed, first, LOADERS, AHEAD)?;
        Ok(match fine_tunes {
            true => Self::Tiles(loader),
            false => Self::Fresh(loader, Box::new(scene.encoder.clone()), device.clone()),
        })
    }

    /// The batch of a step; steps are asked for in order.
    ///
    /// # Errors
    /// When it can't be made or encoded.
    pub fn batch(&mut self, seed: u64, step: u64) -> Result<LabelledBatch, FeedError> {
        match self {
            Self::Tiles(loader) => {
                let crops = loader.next_batch()?;
                Ok(LabelledBatch {
                    input: Input::Tiles(crops.tiles),
                    labels: crops.labels,
                    tile_px: crops.tile_px,
                })
            }
            Self::Fresh(loader, encoder, device) => {
                let crops = loader.next_batch()?;
                Ok(LabelledBatch {
                    input: tokens(encoder, crops.tiles, crops.tile_px, device)?,
                    labels: crops.labels,
                    tile_px: crops.tile_px,
                })
            }
            Self::Kept(kept) => Ok(kept.batch(seed, step)),
        }
    }
}

fn all_crops(scene: &Scene, config: &CropConfig) -> Result<Arc<Crops>, SetError> {
    let (set, training) = (scene.set.clone(), &scene.split.training);
    let crops = Crops::new(set, training, &scene.census, config.clone())?;
    Ok(Arc::new(crops))
}

/// Tokens of tiles \[B, 3, S, S\].
pub(super) fn tokens(
    encoder: &Encoder,
    tiles: Vec<f32>,
    side: usize,
    device: &Device,
) -> Result<Input, FeedError> {
    let batch = tiles.len() / (3 * side * side).max(1);
    let tiles = Tensor::<4>::from_data(TensorData::new(tiles, [batch, 3, side, side]), device);
    let seen = forward_in_parts(encoder, &tiles, parts_for(device))?.tokens;
    let [_, count, _] = seen.dims();
    let values = values::read(seen).map_err(FeedError::Device)?;
    Ok(Input::Tokens { values, count })
}

/// Crops that were augmented once, and encoded once where the encoder is frozen, in memory: an
/// experiment of many runs need not make them again. Values are kept as f32.
#[derive(Debug, Clone)]
pub struct Kept {
    input: Input,
    labels: Vec<u8>,
    crops: usize,
    tile_px: usize,
    batch: usize,
}

impl Kept {
    /// Makes `wanted` crops, rounded up to whole batches, drawn by `seed`; tiles where the encoder
    /// is trained too, else tokens. `progress` hears of crops.
    ///
    /// # Errors
    /// When a crop can't be made or encoded, or `progress` breaks.
    pub fn make(
        scene: &Scene,
        config: &CropConfig,
        (wanted, seed): (usize, u64),
        fine_tunes: bool,
        device: &Device,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self, FeedError> {
        let batches = wanted.div_ceil(config.samples).max(1);
        let mut feed = Feed::fresh(scene, config, seed, 0, fine_tunes, device)?;
        let mut kept = Self {
            input: Input::Tiles(Vec::new()),
            labels: Vec::new(),
            crops: batches * config.samples,
            tile_px: config.tile_px,
            batch: config.samples,
        };
        for done in 1..=batches {
            kept.push(feed.batch(seed, done as u64 - 1)?);
            let sides = [done, batches].map(|n| (n * config.samples) as u64);
            if progress(sides[0], sides[1]).is_break() {
                return Err(FeedError::Cancelled);
            }
        }
        Ok(kept)
    }

    fn push(&mut self, batch: LabelledBatch) {
        match (&mut self.input, batch.input) {
            (Input::Tokens { values, .. }, Input::Tokens { values: more, .. })
            | (Input::Tiles(values), Input::Tiles(more)) => values.extend(more),
            // The first batch says which of the two it is.
            (input, first) => *input = first,
        }
        self.labels.extend(batch.labels);
    }

    /// A random batch of different crops; it depends on seed and step alone.
    pub fn batch(&self, seed: u64, step: u64) -> LabelledBatch {
        let mut rng = keyed(seed, step, 0, Use::KeptCrops);
        let drawn = index::sample(&mut rng, self.crops, self.batch).into_vec();
        LabelledBatch {
            input: match &self.input {
                Input::Tiles(values) => Input::Tiles(some(values, &drawn, self.crops)),
                Input::Tokens { values, count } => Input::Tokens {
                    values: some(values, &drawn, self.crops),
                    count: *count,
                },
            },
            labels: some(&self.labels, &drawn, self.crops),
            tile_px: self.tile_px,
        }
    }
}

/// The values of some of `all` equal parts.
fn some<T: Copy>(values: &[T], drawn: &[usize], all: usize) -> Vec<T> {
    let each = values.len() / all.max(1);
    let of = |part: &usize| &values[part * each..][..each];
    drawn.iter().flat_map(of).copied().collect()
}
