//! A training run's state, kept and found again.

use std::path::Path;

use burn::tensor::Device;

use super::config::MadConfig;
use super::network::Network;
use super::ring::Ring;
use super::trainer::{TrainError, Trainer};
use crate::learn::checkpoint::{CheckpointError, Reader, State, Writer};

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
        for (part, network) in self.networks() {
            writer.module(part, network);
        }
        for (part, ring) in self.rings() {
            writer.values(part, ring.values());
        }
        writer.keep(path)
    }

    /// Reads the run at `path`, which must have been trained with `config` and `data`.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another version, or of another run; the message
    /// names the part and what was expected.
    pub fn load(
        path: &Path,
        config: &MadConfig,
        data: &str,
        tile_px: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut reader = Reader::open(path)?;
        let mut state = reader.state::<MadConfig>()?;
        // How often a run saves may differ; all else must agree.
        state.config.checkpoint_minutes = config.checkpoint_minutes;
        reader.check(&state, config, data)?;
        let mut trainer = Self::new(config, tile_px, device)?;
        trainer.step = state.step;
        trainer.adam.time = state.step;
        for (part, network) in trainer.networks_mut() {
            *network = reader.module(part, network.clone())?;
        }
        let parts = trainer.rings().map(|(part, _)| part);
        for (part, ring) in parts.into_iter().zip(trainer.rings_mut()) {
            let values = reader.values(part)?;
            let count = values.len();
            if !ring.restore(values) {
                let reason = format!("its {count} values are no rows of {}", ring.width());
                return Err(reader.bad(part, reason).into());
            }
        }
        Ok(trainer)
    }

    fn networks(&self) -> [(&'static str, &Network); 4] {
        [
            ("student.bpk", &self.student),
            ("teacher.bpk", &self.teacher),
            ("first-moment.bpk", &self.adam.first),
            ("second-moment.bpk", &self.adam.second),
        ]
    }

    fn networks_mut(&mut self) -> [(&'static str, &mut Network); 4] {
        [
            ("student.bpk", &mut self.student),
            ("teacher.bpk", &mut self.teacher),
            ("first-moment.bpk", &mut self.adam.first),
            ("second-moment.bpk", &mut self.adam.second),
        ]
    }

    fn rings(&self) -> [(&'static str, &Ring); 5] {
        [
            ("queue-parents.f32", &self.queues.parents),
            ("queue-coarse.f32", &self.queues.coarse),
            ("queue-fine.f32", &self.queues.fine),
            ("recent-class.f32", &self.recent.class),
            ("recent-tokens.f32", &self.recent.tokens),
        ]
    }

    fn rings_mut(&mut self) -> [&mut Ring; 5] {
        [
            &mut self.queues.parents,
            &mut self.queues.coarse,
            &mut self.queues.fine,
            &mut self.recent.class,
            &mut self.recent.tokens,
        ]
    }
}
