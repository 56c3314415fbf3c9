//! How fast an encoder is on a device.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use serde::Serialize;

use super::adam::{Adam, Pace, norm};
use super::split_pass::EncoderPass;
use crate::model::config::ConfigError;
use crate::model::parallel::{forward_in_parts, parts_for};
use crate::model::{Embedding, Encoder, EncoderConfig};

/// Time that one tile takes; medians over repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    /// Embedding it, milliseconds.
    pub inference_ms_per_tile: f64,
    /// A training step's share, milliseconds: embedding it, a loss, its gradient by every parameter,
    /// clipped, and the move of AdamW.
    pub training_ms_per_tile: f64,
}

/// Times an untrained encoder on `batch` tiles of `tile_px` at once, `repeats` times each after one
/// run that does not count; the batch is taken in parts as [`parts_for`] has it.
///
/// The loss is the mean square of all embeddings: next to nothing beside the encoder. Clipping and
/// optimizer are those of training. `benches/reference/bench_encoder.py` times the same in PyTorch;
/// [`mad::speed`](super::mad::speed) is of the whole step of a training.
///
/// # Errors
/// When the encoder can't be built or patches do not fill the tiles.
pub fn measure(
    config: &EncoderConfig,
    tile_px: usize,
    batch: usize,
    repeats: usize,
    device: &Device,
) -> Result<Speed, ConfigError> {
    let parts = parts_for(device);
    let tiles = |device| {
        let shape = [batch, 3, tile_px, tile_px];
        Tensor::<4>::random(shape, Distribution::Default, device)
    };
    let (encoder, plain) = (Encoder::new(config, 0, device)?, tiles(device));
    let infer = || forward_in_parts(&encoder, &plain, parts).map(drop);
    let inference_ms = median_ms(repeats, device, infer)?;
    let device = device.clone().autodiff();
    let mut encoder = Encoder::new(config, 0, &device)?;
    let (mut adam, tracked) = (Adam::new(&encoder), tiles(&device));
    let training_ms = median_ms(repeats, &device, || {
        let pass = EncoderPass::embed(&encoder, &tracked, parts)?;
        let Embedding { cls, tokens } = pass.embedding();
        let loss = cls.powi_scalar(2).mean() + tokens.powi_scalar(2).mean();
        let mut gradients = pass.gradients(&loss.backward());
        let pace = Pace {
            rate: 5e-4,
            decay: 0.04,
            factor: (MOST_GRADIENT / norm(&encoder, &gradients)).min(1.0),
        };
        encoder = adam.step(encoder.clone(), &mut gradients, pace);
        Ok(())
    })?;
    let tiles = batch.max(1) as f64;
    Ok(Speed {
        inference_ms_per_tile: inference_ms / tiles,
        training_ms_per_tile: training_ms / tiles,
    })
}

/// Greatest norm of the gradient, as trainings have it.
const MOST_GRADIENT: f64 = 3.0;

/// Median time of `work` in `repeats` runs (at least one) after one that does not count,
/// milliseconds; work that `device` still has to do is waited for.
///
/// # Errors
/// The first of `work`.
pub fn median_ms<E>(
    repeats: usize,
    device: &Device,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<f64, E> {
    let mut times_ms = Vec::new();
    for _ in 0..=repeats.max(1) {
        let begin = Instant::now();
        work()?;
        // Devices may work behind our back; one that failed would fail the next run too.
        let _ = device.sync();
        times_ms.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times_ms.remove(0);
    times_ms.sort_by(f64::total_cmp);
    Ok(times_ms[times_ms.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_positive_and_odd_tiles_refused() {
        let config = EncoderConfig {
            width: 24,
            depth: 1,
            heads: 3,
            mlp_width: 48,
            ..EncoderConfig::tiny()
        };
        let device = Device::flex();
        let speed = measure(&config, 32, 2, 1, &device).unwrap();
        assert!(speed.inference_ms_per_tile > 0.0);
        assert!(speed.training_ms_per_tile > 0.0);
        assert!(measure(&config, 33, 2, 1, &device).is_err());
    }
}
