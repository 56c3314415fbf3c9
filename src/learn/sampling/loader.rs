//! Threads that make families ahead of the compute thread.

use std::sync::Arc;

use super::batch::family_batch;
use super::{FamilyBatch, SamplingConfig, SamplingError, Sources};
use crate::learn::ahead::Ahead;

/// The batches of a run in the order of its steps. Dropping it stops its threads within about the
/// time that one family takes.
pub struct Loader(Ahead<FamilyBatch, SamplingError>);

impl Loader {
    /// Starts `threads` threads (at least one) named `family-loader-N`. Together they hold at most
    /// `ahead` finished batches (at least one a thread) and one more each that is being made.
    ///
    /// A batch takes `2 · (B + C) · 3 · S² · 4` bytes, 214 MB with 32 whole families of 128 px.
    ///
    /// # Errors
    /// When a setting is out of its range or a thread can't be started.
    pub fn start(
        sources: Arc<Sources>,
        config: SamplingConfig,
        seed: u64,
        first_step: u64,
        threads: usize,
        ahead: usize,
    ) -> Result<Self, SamplingError> {
        config.validate()?;
        let make = move |step, wanted: &dyn Fn() -> bool| {
            family_batch(&sources, &config, seed, step, wanted)
        };
        let started = Ahead::start("family-loader", make, first_step, threads, ahead);
        let started = started.map_err(|error| SamplingError::Loader(error.to_string()))?;
        Ok(Self(started))
    }

    /// The next step's batch; waits for it.
    ///
    /// # Errors
    /// When it could not be made; the loader is of no use after that.
    pub fn next_batch(&mut self) -> Result<FamilyBatch, SamplingError> {
        let ended = || Err(SamplingError::Loader("a thread ended early".to_owned()));
        self.0.next_batch().unwrap_or_else(ended)
    }
}
