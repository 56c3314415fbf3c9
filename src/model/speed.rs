//! How fast an encoder is on a device.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use serde::Serialize;

use super::config::{ConfigError, EncoderConfig};
use super::encoder::{Embedding, Encoder};

/// Time that one tile takes; medians over repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    /// Embedding it, milliseconds.
    pub inference_ms_per_tile: f64,
    /// Embedding it and deriving a loss by every parameter, milliseconds; without the optimizer.
    pub training_ms_per_tile: f64,
}

/// Times an untrained encoder on `batch` tiles of `tile_px` at once, `repeats` times each after one
/// run that does not count.
///
/// The loss is the mean square of all embeddings: next to nothing beside the encoder.
/// `benches/reference/bench_encoder.py` times the same in PyTorch.
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
    let plain = Timed::new(config, tile_px, batch, device)?;
    let inference_ms = plain.median_ms(repeats, drop)?;
    let learning = Timed::new(config, tile_px, batch, &device.clone().autodiff())?;
    let training_ms = learning.median_ms(repeats, |Embedding { cls, tokens }| {
        let loss = cls.powi_scalar(2).mean() + tokens.powi_scalar(2).mean();
        loss.backward();
    })?;
    let tiles = batch.max(1) as f64;
    Ok(Speed {
        inference_ms_per_tile: inference_ms / tiles,
        training_ms_per_tile: training_ms / tiles,
    })
}

struct Timed {
    encoder: Encoder,
    tiles: Tensor<4>,
    device: Device,
}

impl Timed {
    fn new(
        config: &EncoderConfig,
        tile_px: usize,
        batch: usize,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        let shape = [batch, 3, tile_px, tile_px];
        Ok(Self {
            encoder: Encoder::new(config, 0, device)?,
            tiles: Tensor::random(shape, Distribution::Default, device),
            device: device.clone(),
        })
    }

    /// Median time of embedding the tiles and of `then`, milliseconds.
    fn median_ms(&self, repeats: usize, then: impl Fn(Embedding)) -> Result<f64, ConfigError> {
        let mut times_ms = Vec::new();
        for _ in 0..=repeats.max(1) {
            let begin = Instant::now();
            then(self.encoder.forward(self.tiles.clone())?);
            // Devices may work behind our back; one that failed would fail the next run too.
            let _ = self.device.sync();
            times_ms.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times_ms.remove(0);
        times_ms.sort_by(f64::total_cmp);
        Ok(times_ms[times_ms.len() / 2])
    }
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
