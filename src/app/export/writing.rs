//! Files on their way to disk, as the window shows them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A file that is waited for, drawn or written, shared with the thread that does it.
#[derive(Debug)]
pub struct Writing {
    path: PathBuf,
    /// What goes on until pieces are counted.
    first: &'static str,
    began: OnceLock<Instant>,
    /// Of `total` pieces; 0 of 0 until anyone knows.
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Writing {
    /// Nothing done yet; `first` says what goes on until pieces are counted.
    pub fn new(path: PathBuf, first: &'static str) -> Self {
        Self {
            path,
            first,
            began: OnceLock::new(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What goes on until pieces are counted.
    pub fn first(&self) -> &'static str {
        self.first
    }

    /// Nothing is waited for any more: pieces are worked on from now on.
    pub fn begin(&self) {
        self.began.get_or_init(Instant::now);
    }

    /// Pieces done, of all; `Break` once it was stopped.
    pub fn tell(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        match self.is_stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// How much is done, 0–1; `None` until anyone knows.
    pub fn share(&self) -> Option<f32> {
        let total = self.total.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed);
        (total > 0).then(|| done as f32 / total as f32)
    }

    /// How long it takes from now on, by how long it took so far.
    pub fn left(&self) -> Option<Duration> {
        let share = self.share().filter(|share| *share > 0.0)?;
        let took = self.began.get()?.elapsed();
        Some(took.mul_f32((1.0 - share).max(0.0) / share))
    }

    /// Has it end soon, with nothing written.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_how_far_it_is_until_it_is_stopped() {
        let writing = Writing::new("map.tif".into(), "waiting");
        assert_eq!((writing.share(), writing.left()), (None, None));
        writing.begin();
        std::thread::sleep(Duration::from_millis(20));
        assert!(writing.tell(1, 4).is_continue());
        assert_eq!(writing.share(), Some(0.25));
        assert!(writing.left().unwrap() >= Duration::from_millis(60));
        assert!(writing.tell(4, 4).is_continue());
        assert_eq!(writing.left(), Some(Duration::ZERO));
        writing.stop();
        assert!(writing.tell(4, 4).is_break());
    }
}
