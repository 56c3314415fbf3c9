//! Threads that make batches ahead of the compute thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::batch::family_batch;
use super::{FamilyBatch, SamplingConfig, SamplingError, Sources};

type Made = Result<FamilyBatch, SamplingError>;

/// The threads, which take turns: of `n`, thread `i` makes the steps `first + i`, `first + i + n`,
/// … into a bounded channel of its own, so that taking from one channel after the other gives the
/// steps in order. Dropping it stops them within about the time that one family takes.
pub struct Loader {
    /// One a thread; empty once the loader stops.
    made: Vec<Receiver<Made>>,
    next: usize,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

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
        let count = threads.max(1);
        let mut loader = Self {
            made: Vec::new(),
            next: 0,
            stopping: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for index in 0..count {
            let (sender, receiver) = bounded((ahead / count).max(1));
            let work = Work {
                sources: Arc::clone(&sources),
                config: config.clone(),
                seed,
                stopping: Arc::clone(&loader.stopping),
                sender,
            };
            let steps = (first_step + index as u64..).step_by(count);
            let thread = std::thread::Builder::new()
                .name(format!("family-loader-{index}"))
                .spawn(move || work.run(steps))
                .map_err(|error| SamplingError::Loader(error.to_string()))?;
            loader.made.push(receiver);
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// The next step's batch; waits for it.
    ///
    /// # Errors
    /// When it could not be made; the loader is of no use after that.
    pub fn next_batch(&mut self) -> Result<FamilyBatch, SamplingError> {
        let made = self.made[self.next].recv();
        self.next = (self.next + 1) % self.made.len();
        made.unwrap_or_else(|_| Err(SamplingError::Loader("a thread ended early".to_owned())))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes threads that wait for room in their channel.
        self.made.clear();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to hand over.
            let _ = thread.join();
        }
    }
}

/// What one thread needs.
struct Work {
    sources: Arc<Sources>,
    config: SamplingConfig,
    seed: u64,
    stopping: Arc<AtomicBool>,
    sender: Sender<Made>,
}

impl Work {
    fn run(self, steps: impl Iterator<Item = u64>) {
        let still_wanted = || !self.stopping.load(Ordering::Relaxed);
        for step in steps {
            let made = family_batch(&self.sources, &self.config, self.seed, step, &still_wanted);
            let Some(made) = made.transpose() else {
                return;
            };
            let failed = made.is_err();
            // Nobody listens any more once the loader is dropped.
            if self.sender.send(made).is_err() || failed {
                return;
            }
        }
    }
}
