//! A shared handle that dies of its first error and is replaced.
//!
//! OpenSlide keeps the first error of a handle for ever: from then on every call on it fails,
//! those of other threads among them. So a handle that failed is replaced by a fresh one, and a
//! reader that may have failed of another reader's error tries once more on a handle of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// After a failed replacement, how long readers get that failure instead of another attempt.
const REOPEN_PAUSE: Duration = Duration::from_secs(2);

/// Why a job on a handle failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request was refused; the handle still works.
    Refused(String),
    /// The handle is dead.
    Fatal(String),
}

type Opener<H> = Box<dyn Fn() -> Result<H, String> + Send + Sync>;

/// A handle `H` that several threads use at once, opened again after it died.
pub struct Renewable<H> {
    current: RwLock<Slot<H>>,
    open: Opener<H>,
}

struct Slot<H> {
    generation: u64,
    state: Result<Arc<Shared<H>>, Missing>,
}

/// The last attempt to replace the handle failed.
struct Missing {
    reason: String,
    since: Instant,
}

struct Shared<H> {
    handle: H,
    generation: u64,
    traffic: Mutex<Traffic>,
}

#[derive(Default)]
struct Traffic {
    active: u32,
    started: u64,
}

impl<H> Renewable<H> {
    /// Shares `first`; `open` makes its successors.
    pub fn new(first: H, open: impl Fn() -> Result<H, String> + Send + Sync + 'static) -> Self {
        let state = Ok(Arc::new(Shared::new(first, 0)));
        Self {
            current: RwLock::new(Slot {
                generation: 0,
                state,
            }),
            open: Box::new(open),
        }
    }

    /// Runs `job` on the current handle. A fatal failure replaces the handle for later callers
    /// and is returned, unless it may be another caller's: then `job` runs a second time, on a
    /// handle that nobody else uses.
    ///
    /// # Errors
    /// The reason that `job` gave, or why no handle could be opened.
    pub fn with<T>(&self, job: impl Fn(&H) -> Result<T, Failure>) -> Result<T, String> {
        let shared = self.current()?;
        // Held to the end: whoever starts on the dead handle meanwhile sees that it has company.
        let visit = Visit::begin(&shared);
        let reason = match job(&shared.handle) {
            Ok(value) => return Ok(value),
            Err(Failure::Refused(reason)) => return Err(reason),
            Err(Failure::Fatal(reason)) => reason,
        };
        let alone = visit.was_alone();
        self.replace(shared.generation);
        if alone {
            return Err(reason);
        }
        let own = (self.open)()?;
        job(&own).map_err(|failure| match failure {
            Failure::Refused(reason) | Failure::Fatal(reason) => reason,
        })
    }

    /// How often the handle was replaced since opening.
    pub fn generation(&self) -> u64 {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .generation
    }

    fn current(&self) -> Result<Arc<Shared<H>>, String> {
        let generation = {
            let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
            match &slot.state {
                Ok(shared) => return Ok(Arc::clone(shared)),
                Err(missing) if missing.since.elapsed() < REOPEN_PAUSE => {
                    return Err(missing.reason.clone());
                }
                Err(_) => slot.generation,
            }
        };
        self.replace(generation);
        let slot = self.current.read().unwrap_or_else(PoisonError::into_inner);
        slot.state
            .as_ref()
            .map(Arc::clone)
            .map_err(|missing| missing.reason.clone())
    }

    /// Opens a successor of `generation`, unless another thread already did.
    fn replace(&self, generation: u64) {
        let mut slot = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if slot.generation != generation {
            return;
        }
        slot.generation += 1;
        slot.state = match (self.open)() {
            Ok(handle) => Ok(Arc::new(Shared::new(handle, slot.generation))),
            Err(reason) => Err(Missing {
                reason,
                since: Instant::now(),
            }),
        };
    }
}

impl<H> Shared<H> {
    fn new(handle: H, generation: u64) -> Self {
        Self {
            handle,
            generation,
            traffic: Mutex::default(),
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller's stay on a handle.
struct Visit<'a, H> {
    shared: &'a Shared<H>,
    found_empty: bool,
    number: u64,
}

impl<'a, H> Visit<'a, H> {
    fn begin(shared: &'a Shared<H>) -> Self {
        let mut traffic = shared.traffic();
        let found_empty = traffic.active == 0;
        traffic.active += 1;
        traffic.started += 1;
        Self {
            shared,
            found_empty,
            number: traffic.started,
        }
    }

    fn was_alone(&self) -> bool {
        self.found_empty && self.shared.traffic().started == self.number
    }
}

impl<H> Drop for Visit<'_, H> {
    fn drop(&mut self) {
        self.shared.traffic().active -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    /// Like OpenSlide: dead after the first bad request, whoever made it.
    #[derive(Default)]
    struct Fragile(AtomicBool);

    impl Fragile {
        fn read(&self, tile: i32) -> Result<i32, Failure> {
            if tile < 0 {
                self.0.store(true, Ordering::SeqCst);
            }
            if self.0.load(Ordering::SeqCst) {
                Err(Failure::Fatal("dead".into()))
            } else {
                Ok(tile)
            }
        }
    }

    #[test]
    fn a_dead_handle_is_replaced_and_the_first_error_returned() {
        let handle = Renewable::new(Fragile::default(), || Ok(Fragile::default()));
        assert_eq!(handle.with(|h| h.read(-1)), Err("dead".into()));
        assert_eq!(handle.with(|h| h.read(7)), Ok(7));
        assert_eq!(handle.generation(), 1);
    }

    #[test]
    fn a_refused_request_keeps_the_handle() {
        let handle = Renewable::new(Fragile::default(), || Ok(Fragile::default()));
        let refused = handle.with(|_| Err::<(), _>(Failure::Refused("no such name".into())));
        assert_eq!(refused, Err("no such name".into()));
        assert_eq!(handle.generation(), 0);
    }

    #[test]
    fn a_failed_replacement_is_not_tried_again_at_once() {
        let tries = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&tries);
        let handle = Renewable::new(Fragile::default(), move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Err("gone".into())
        });
        assert_eq!(handle.with(|h| h.read(-1)), Err("dead".into()));
        for _ in 0..10 {
            assert_eq!(handle.with(|h| h.read(7)), Err("gone".into()));
        }
        assert_eq!(tries.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_innocent_reader_survives_its_neighbours_error() {
        let handle = Renewable::new(Fragile::default(), || Ok(Fragile::default()));
        for _ in 0..200 {
            let meet = Barrier::new(4);
            std::thread::scope(|scope| {
                for tile in [-1, 1, 2, -2] {
                    let (handle, meet) = (&handle, &meet);
                    scope.spawn(move || {
                        meet.wait();
                        let read = handle.with(|h| h.read(tile));
                        assert_eq!(read.is_ok(), tile > 0, "tile {tile}: {read:?}");
                    });
                }
            });
        }
        assert_eq!(handle.with(|h| h.read(3)), Ok(3));
    }
}
