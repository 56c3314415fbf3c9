//! A training run's state, kept and found again.

use std::path::Path;

use super::config::DfaConfig;
use super::trainer::Trainer;
use crate::learn::checkpoint::{CheckpointError, Reader, State, Writer};

const BIAS: &str = "bias.bpk";
const DECODER: &str = "decoder.bpk";
const ENCODER: &str = "encoder.bpk";
const ACCURACY: &str = "accuracy.f32";
const WEIGHTS: &str = "loss-weights.f32";

/// The moments of a part's optimizer.
fn moments(part: &str) -> [String; 2] {
    ["first", "second"].map(|which| format!("{which}-moment-of-{part}"))
}

impl Trainer {
    /// Writes the run to `path`, replacing what was there once all is on the disk. `data` says
    /// what it learns from: a run that continues must say the same.
    ///
    /// # Errors
    /// When the file can't be written or the device does not give the weights.
    pub fn save(&self, path: &Path, data: &str) -> Result<(), CheckpointError> {
        let mut writer = Writer::new(&State {
            step: self.step,
            config: self.config.clone(),
            data: data.to_owned(),
        });
        let (network, optimizers) = (&self.segmenter, &self.optimizers);
        writer.module(DECODER, &network.decoder);
        writer.module(BIAS, &network.bias);
        let [first, second] = moments(DECODER);
        writer.module(&first, &optimizers.decoder.first);
        writer.module(&second, &optimizers.decoder.second);
        let [first, second] = moments(BIAS);
        writer.module(&first, &optimizers.bias.first);
        writer.module(&second, &optimizers.bias.second);
        if let (Some(encoder), Some(adam)) = (&network.encoder, &optimizers.encoder) {
            let [first, second] = moments(ENCODER);
            writer.module(ENCODER, encoder);
            writer.module(&first, &adam.first);
            writer.module(&second, &adam.second);
        }
        writer.values(ACCURACY, &self.accuracy.values());
        let weights: Vec<f32> = self.weights.iter().map(|weight| *weight as f32).collect();
        writer.values(WEIGHTS, &weights);
        writer.keep(path)
    }

    /// Puts the run at `path` into this one, which is at its start, of the same `data`.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another version, or of another run; the message
    /// names the part and what was expected.
    pub fn restore(mut self, path: &Path, data: &str) -> Result<Self, CheckpointError> {
        let mut reader = Reader::open(path)?;
        let mut state = reader.state::<DfaConfig>()?;
        // How often a run saves may differ; all else must agree.
        state.config.checkpoint_minutes = self.config.checkpoint_minutes;
        reader.check(&state, &self.config, data)?;
        self.step = state.step;
        let (network, optimizers) = (&mut self.segmenter, &mut self.optimizers);
        network.decoder = reader.module(DECODER, network.decoder.clone())?;
        network.bias = reader.module(BIAS, network.bias.clone())?;
        let [first, second] = moments(DECODER);
        let adam = &mut optimizers.decoder;
        adam.time = state.step;
        adam.first = reader.module(&first, adam.first.clone())?;
        adam.second = reader.module(&second, adam.second.clone())?;
        let [first, second] = moments(BIAS);
        let adam = &mut optimizers.bias;
        adam.time = state.step;
        adam.first = reader.module(&first, adam.first.clone())?;
        adam.second = reader.module(&second, adam.second.clone())?;
        if let (Some(encoder), Some(adam)) = (&mut network.encoder, &mut optimizers.encoder) {
            let [first, second] = moments(ENCODER);
            *encoder = reader.module(ENCODER, encoder.clone())?;
            adam.time = state.step;
            adam.first = reader.module(&first, adam.first.clone())?;
            adam.second = reader.module(&second, adam.second.clone())?;
        }
        let seen = reader.values(ACCURACY)?;
        let weights = reader.values(WEIGHTS)?;
        if !self.accuracy.restore(&seen) || weights.len() != self.weights.len() {
            let classes = self.weights.len();
            return Err(reader.bad(ACCURACY, format!("it is not of {classes} classes")));
        }
        self.weights = weights.into_iter().map(f64::from).collect();
        Ok(self)
    }
}
