//! What the parts of a segmentation cost on a device.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use serde::Serialize;

use super::{Decoder, DecoderConfig, DecoderError, Features, to_tile};
use crate::model::parallel::{forward_in_parts, parts_for, runs, side_by_side};
use crate::model::{Encoder, EncoderConfig};

/// Time that one tile takes, milliseconds; medians over repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DecoderSpeed {
    /// Embedding it.
    pub encoder_ms_per_tile: f64,
    /// The decoder's part before the bias.
    pub start_ms_per_tile: f64,
    /// The part that a changed bias runs again.
    pub decode_ms_per_tile: f64,
    /// Bilinear up-sampling of the mask logits to the tile's pixels.
    pub to_tile_ms_per_tile: f64,
}

impl DecoderSpeed {
    /// Share of decoding in the whole without up-sampling, 0–1.
    pub fn decode_share(&self) -> f64 {
        let encode = self.encoder_ms_per_tile + self.start_ms_per_tile;
        self.decode_ms_per_tile / (encode + self.decode_ms_per_tile)
    }
}

/// What is timed: shapes, and how many.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Shape of the encoder.
    pub encoder: EncoderConfig,
    /// Shape of the decoder on it.
    pub decoder: DecoderConfig,
    /// Number of classes.
    pub classes: usize,
    /// Side of a tile, px.
    pub tile_px: usize,
    /// Tiles at once.
    pub batch: usize,
    /// How often each part is timed, after one run that does not count.
    pub repeats: usize,
}

/// Times an untrained encoder and decoder, part by part in turns, so that whatever else the machine
/// does falls on all alike; batches are taken in parts as [`parts_for`] has it.
///
/// # Errors
/// When encoder or decoder can't be built, do not fit each other, or patches do not fill the tiles.
pub fn measure(trial: &Trial, device: &Device) -> Result<DecoderSpeed, DecoderError> {
    let odd = |error: crate::model::config::ConfigError| trial.decoder.invalid(error.to_string());
    let encoder = Encoder::new(&trial.encoder, 0, device).map_err(odd)?;
    let decoder = Decoder::new(&trial.decoder, trial.classes, 0, device)?;
    let shape = [trial.batch, 3, trial.tile_px, trial.tile_px];
    let tiles = Tensor::<4>::random(shape, Distribution::Default, device);
    let bias = Tensor::<1>::zeros([trial.classes], device);
    let parts = parts_for(device);
    let mut times_ms: [Vec<f64>; 4] = Default::default();
    for _ in 0..=trial.repeats.max(1) {
        let mut clock = Clock::start(device);
        let tokens = forward_in_parts(&encoder, &tiles, parts)
            .map_err(odd)?
            .tokens;
        times_ms[0].push(clock.lap_ms());
        let tokens = runs(trial.batch, parts)
            .into_iter()
            .map(|run| tokens.clone().narrow(0, run.start, run.len()))
            .collect();
        let features = side_by_side(tokens, |part| decoder.start(part));
        let features = features.into_iter().collect::<Result<Vec<Features>, _>>()?;
        times_ms[1].push(clock.lap_ms());
        let decoded = side_by_side(features, |part| decoder.decode(&part, bias.clone()));
        let decoded = decoded.into_iter().collect::<Result<Vec<_>, _>>()?;
        times_ms[2].push(clock.lap_ms());
        side_by_side(decoded, |part| to_tile(part.logits, trial.tile_px));
        times_ms[3].push(clock.lap_ms());
    }
    let [encoder, start, decode, to_tile] =
        times_ms.map(|times| median(times) / trial.batch.max(1) as f64);
    Ok(DecoderSpeed {
        encoder_ms_per_tile: encoder,
        start_ms_per_tile: start,
        decode_ms_per_tile: decode,
        to_tile_ms_per_tile: to_tile,
    })
}

struct Clock<'a> {
    device: &'a Device,
    begin: Instant,
}

impl<'a> Clock<'a> {
    fn start(device: &'a Device) -> Self {
        let begin = Instant::now();
        Self { device, begin }
    }

    /// Time since the last lap, once the device is done.
    fn lap_ms(&mut self) -> f64 {
        // A device that failed would fail the next part too.
        let _ = self.device.sync();
        let now = Instant::now();
        let lap = now - std::mem::replace(&mut self.begin, now);
        lap.as_secs_f64() * 1e3
    }
}

/// Without the first, which warmed up.
fn median(mut times: Vec<f64>) -> f64 {
    times.remove(0);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_positive_and_what_does_not_fit_is_refused() {
        let trial = Trial {
            encoder: EncoderConfig {
                width: 24,
                depth: 1,
                mlp_width: 48,
                ..EncoderConfig::tiny()
            },
            decoder: DecoderConfig {
                width: 16,
                heads: 2,
                cross_width: 8,
                mlp_width: 16,
                ..DecoderConfig::tiny().on(24)
            },
            classes: 2,
            tile_px: 32,
            batch: 2,
            repeats: 1,
        };
        let device = Device::flex();
        let speed = measure(&trial, &device).unwrap();
        assert!(speed.encoder_ms_per_tile > 0.0 && speed.to_tile_ms_per_tile > 0.0);
        assert!((0.0..1.0).contains(&speed.decode_share()));
        let apart = Trial {
            decoder: trial.decoder.clone().on(25),
            ..trial
        };
        let error = measure(&apart, &device).unwrap_err().to_string();
        assert!(
            error.contains("width 24") && error.contains("width 25"),
            "{error}"
        );
    }
}
