//! Threads that make the batches of coming steps ahead of the compute thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Makes the batch of a step; `None` once the function given says that it is not wanted.
type Make<B, E> = dyn Fn(u64, &dyn Fn() -> bool) -> Result<Option<B>, E>;

/// The threads, which take turns: of `n`, thread `i` makes the steps `first + i`, `first + i + n`,
/// … into a bounded channel of its own, so that taking from one channel after the other gives the
/// steps in order. Dropping it stops them as soon as what is being made asks whether it is wanted.
pub struct Ahead<B, E> {
    /// One a thread; empty once it stops.
    made: Vec<Receiver<Result<B, E>>>,
    next: usize,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<B: Send + 'static, E: Send + 'static> Ahead<B, E> {
    /// Starts `threads` threads (at least one) named `NAME-N`. Together they hold at most `ahead`
    /// finished batches (at least one a thread) and one more each that is being made.
    ///
    /// `make` makes the batch of a step; `None` where it was told, by the function that it is
    /// given, that the batch is no longer wanted.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start<M>(
        name: &str,
        make: M,
        first_step: u64,
        threads: usize,
        ahead: usize,
    ) -> io::Result<Self>
    where
        M: Fn(u64, &dyn Fn() -> bool) -> Result<Option<B>, E> + Send + Sync + 'static,
    {
        let (make, count) = (Arc::new(make), threads.max(1));
        let mut started = Self {
            made: Vec::new(),
            next: 0,
            stopping: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for index in 0..count {
            let (sender, receiver) = bounded((ahead / count).max(1));
            let (make, stopping) = (Arc::clone(&make), Arc::clone(&started.stopping));
            let steps = (first_step + index as u64..).step_by(count);
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || work(make.as_ref(), steps, &stopping, &sender))?;
            started.made.push(receiver);
            started.threads.push(thread);
        }
        Ok(started)
    }

    /// The next step's batch; waits for it. After one that could not be made it is of no use;
    /// `None` where a thread ended before its time.
    pub fn next_batch(&mut self) -> Option<Result<B, E>> {
        let made = self.made.get(self.next)?.recv();
        self.next = (self.next + 1) % self.made.len();
        made.ok()
    }
}

impl<B, E> Drop for Ahead<B, E> {
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

fn work<B, E>(
    make: &Make<B, E>,
    steps: impl Iterator<Item = u64>,
    stopping: &AtomicBool,
    sender: &Sender<Result<B, E>>,
) {
    let still_wanted = || !stopping.load(Ordering::Relaxed);
    for step in steps {
        let Some(made) = make(step, &still_wanted).transpose() else {
            return;
        };
        let failed = made.is_err();
        // Nobody listens any more once the loader is dropped.
        if sender.send(made).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_order_whatever_the_threads_and_end_with_a_failure() {
        for threads in [0, 1, 3] {
            let make = |step: u64, wanted: &dyn Fn() -> bool| match (step < 15, wanted()) {
                (_, false) => Ok(None),
                (true, true) => Ok(Some(step)),
                (false, true) => Err(step),
            };
            let mut ahead = Ahead::start("test-loader", make, 7, threads, 4).unwrap();
            let made: Vec<_> = (0..9).map_while(|_| ahead.next_batch()).collect();
            let right: Vec<_> = (7..15).map(Ok).chain([Err(15)]).collect();
            assert_eq!(made, right, "{threads} threads");
        }
    }
}
