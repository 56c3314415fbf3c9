//! Batches for training: fresh crops each step, or tokens of crops that were encoded once.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::index;

use super::batch::{Input, LabelledBatch};
use super::scene::Scene;
use crate::learn::sampling::key::{Use, keyed};
use crate::learn::sets::{CropBatch, CropConfig, CropLoader, Crops, SetError};
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
    /// Tokens of crops that were encoded once.
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
                let (values, count) = tokens(encoder, &crops, device)?;
                Ok(LabelledBatch {
                    input: Input::Tokens { values, count },
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

/// Tokens of all crops of a batch, \[B, g², De\], and g².
fn tokens(
    encoder: &Encoder,
    crops: &CropBatch,
    device: &Device,
) -> Result<(Vec<f32>, usize), FeedError> {
    let side = crops.tile_px;
    let count = crops.labels.len() / (side * side).max(1);
    let data = TensorData::new(crops.tiles.clone(), [count, 3, side, side]);
    let tiles = Tensor::<4>::from_data(data, device);
    let seen = forward_in_parts(encoder, &tiles, parts_for(device))?.tokens;
    let [_, grid, _] = seen.dims();
    let values = values::read(seen).map_err(FeedError::Device)?;
    Ok((values, grid))
}

/// Crops that were augmented and encoded once, in memory: an experiment of many runs on a frozen
/// encoder need not encode again. Tokens are kept as f32.
#[derive(Debug, Clone)]
pub struct Kept {
    tokens: Vec<f32>,
    labels: Vec<u8>,
    count: usize,
    crops: usize,
    tile_px: usize,
    batch: usize,
}

impl Kept {
    /// Encodes `wanted` crops, rounded up to whole batches, drawn by `seed`. `progress` hears of
    /// crops.
    ///
    /// # Errors
    /// When a crop can't be made or encoded, or `progress` breaks.
    pub fn encode(
        scene: &Scene,
        config: &CropConfig,
        wanted: usize,
        seed: u64,
        device: &Device,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self, FeedError> {
        let batches = wanted.div_ceil(config.samples).max(1);
        let crops = all_crops(scene, config)?;
        let mut loader = CropLoader::start(crops, seed, 0, LOADERS, AHEAD)?;
        let mut kept = Self {
            tokens: Vec::new(),
            labels: Vec::new(),
            count: 0,
            crops: batches * config.samples,
            tile_px: config.tile_px,
            batch: config.samples,
        };
        for done in 1..=batches {
            let crops = loader.next_batch()?;
            let (values, count) = tokens(&scene.encoder, &crops, device)?;
            kept.tokens.extend(values);
            kept.labels.extend(crops.labels);
            kept.count = count;
            let sides = [done, batches].map(|n| (n * config.samples) as u64);
            if progress(sides[0], sides[1]).is_break() {
                return Err(FeedError::Cancelled);
            }
        }
        Ok(kept)
    }

    /// A random batch of different crops; it depends on seed and step alone.
    pub fn batch(&self, seed: u64, step: u64) -> LabelledBatch {
        let mut rng = keyed(seed, step, 0, Use::KeptCrops);
        let drawn = index::sample(&mut rng, self.crops, self.batch);
        let (each, area) = (self.tokens.len() / self.crops, self.tile_px.pow(2));
        let mut values = Vec::with_capacity(self.batch * each);
        let mut labels = Vec::with_capacity(self.batch * area);
        for crop in drawn.iter() {
            values.extend_from_slice(&self.tokens[crop * each..][..each]);
            labels.extend_from_slice(&self.labels[crop * area..][..area]);
        }
        LabelledBatch {
            input: Input::Tokens {
                values,
                count: self.count,
            },
            labels,
            tile_px: self.tile_px,
        }
    }
}
