//! Threads that read tiles, and what the window may ask of them without ever waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::slide::{Rgba, SlideError, SlideSource};

use super::queue::{TileQueue, ViewSlot};
use super::reduce::{TileFailure, read_tile};
use super::{SlideId, TileCache, TileKey, TilePyramid};

/// Called from a reader thread when a tile has come or failed: asks the window to repaint.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Tiles of one slide that get a line in the log.
const LOGGED_FAILURES: usize = 16;

/// How far the loader is, for the status bar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoaderStatus {
    /// Tiles that some view still waits for.
    pub waiting: usize,
    /// Tiles being read now.
    pub in_flight: usize,
    /// Bytes of decoded tiles held.
    pub cached_bytes: u64,
    /// The cache's limit, bytes.
    pub limit_bytes: u64,
    /// Tiles read since the program started.
    pub tiles_read: u64,
}

/// A slide as the readers see it.
#[derive(Clone)]
struct OpenedSlide {
    source: Arc<dyn SlideSource>,
    pyramid: Arc<TilePyramid>,
}

struct State {
    slides: HashMap<SlideId, OpenedSlide>,
    queue: TileQueue,
    cache: TileCache,
    tiles_read: u64,
    /// Each slide's first failure, until somebody has asked for it.
    failures: Vec<(SlideId, String)>,
    /// Tiles of a slide that failed: the first is noted, later ones go to the log only.
    failing: HashMap<SlideId, usize>,
    stopping: bool,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    wake: Wake,
}

impl Shared {
    /// A reader that panicked leaves plain bookkeeping behind, which is as good as before.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long readers may take over their last tile when the loader is dropped.
const LAST_READ: Duration = Duration::from_secs(1);

/// The readers. Dropping it lets them finish their present tile and joins them; one that takes
/// longer than a second, on a drive that went away, is left behind and ends with the program.
pub struct TileLoader {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
    next_slide: AtomicU32,
}

/// As many readers as cores, within 2 to 4: fewer can't hide a slow disk, and more only make the
/// newest wish wait behind older ones.
pub fn default_readers() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 4)
}

impl TileLoader {
    /// Starts `readers` threads over a cache of `limit_bytes`.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(readers: usize, limit_bytes: u64, wake: Wake) -> std::io::Result<Self> {
        let state = State {
            slides: HashMap::new(),
            queue: TileQueue::default(),
            cache: TileCache::new(limit_bytes),
            tiles_read: 0,
            failures: Vec::new(),
            failing: HashMap::new(),
            stopping: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            wake,
        });
        let mut loader = Self {
            shared,
            readers: Vec::new(),
            next_slide: AtomicU32::new(0),
        };
        for index in 0..readers.max(1) {
            let shared = Arc::clone(&loader.shared);
            let name = format!("slide-reader-{index}");
            loader.readers.push(
                std::thread::Builder::new()
                    .name(name)
                    .spawn(move || read_loop(&shared))?,
            );
        }
        Ok(loader)
    }

    /// Makes a slide known to the readers.
    pub fn add_slide(&self, source: Arc<dyn SlideSource>, pyramid: Arc<TilePyramid>) -> SlideId {
        let id = SlideId(self.next_slide.fetch_add(1, Ordering::Relaxed));
        self.shared
            .lock()
            .slides
            .insert(id, OpenedSlide { source, pyramid });
        id
    }

    /// Forgets a slide and its tiles.
    pub fn remove_slide(&self, slide: SlideId) {
        let mut state = self.shared.lock();
        state.slides.remove(&slide);
        state.queue.remove_slide(slide);
        state.cache.remove_slide(slide);
    }

    /// Replaces what a view wants, most urgent first; tiles already held are left out.
    pub fn want(&self, view: ViewSlot, keys: &[TileKey]) {
        let mut state = self.shared.lock();
        let missing = keys
            .iter()
            .filter(|key| !state.cache.contains(key))
            .copied()
            .collect();
        state.queue.replace(view, missing);
        drop(state);
        self.shared.work.notify_all();
    }

    /// A tile, if it is in memory now.
    pub fn get(&self, key: &TileKey) -> Option<Arc<Rgba>> {
        self.shared.lock().cache.get(key)
    }

    /// Which of `keys` failed when they were last tried.
    pub fn failed_among(&self, keys: &[TileKey]) -> Vec<TileKey> {
        let state = self.shared.lock();
        keys.iter()
            .filter(|key| state.queue.has_failed(key))
            .copied()
            .collect()
    }

    /// The first failure of a slide that has not been told yet, in words.
    pub fn take_failure(&self) -> Option<(SlideId, String)> {
        self.shared.lock().failures.pop()
    }

    /// How far the readers are.
    pub fn status(&self) -> LoaderStatus {
        let state = self.shared.lock();
        let (waiting, in_flight) = state.queue.counts();
        LoaderStatus {
            waiting,
            in_flight,
            cached_bytes: state.cache.used_bytes(),
            limit_bytes: state.cache.limit_bytes(),
            tiles_read: state.tiles_read,
        }
    }

    /// Changes how many bytes of tiles are kept.
    pub fn set_cache_limit_bytes(&self, limit_bytes: u64) {
        self.shared.lock().cache.set_limit_bytes(limit_bytes);
    }
}

impl Drop for TileLoader {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
        let give_up = Instant::now() + LAST_READ;
        for reader in self.readers.drain(..) {
            while !reader.is_finished() && Instant::now() < give_up {
                std::thread::sleep(Duration::from_millis(2));
            }
            if reader.is_finished() {
                // A reader that panicked has nothing left to hand over.
                let _ = reader.join();
            }
        }
    }
}

/// What one reader thread does until the loader is dropped.
fn read_loop(shared: &Shared) {
    while let Some((key, slide)) = next_tile(shared) {
        let Some(level) = slide.pyramid.level(key.level) else {
            shared.lock().queue.finish(key);
            continue;
        };
        let still_wanted = || {
            let state = shared.lock();
            !state.stopping && state.queue.wants(&key)
        };
        let result = read_tile(
            slide.source.as_ref(),
            level,
            (key.col, key.row),
            &still_wanted,
        );
        hand_over(shared, key, &slide, result);
        (shared.wake)();
    }
}

/// Waits for a tile to read; `None` when the loader stops.
fn next_tile(shared: &Shared) -> Option<(TileKey, OpenedSlide)> {
    let mut state = shared.lock();
    loop {
        if state.stopping {
            return None;
        }
        let now = Instant::now();
        while let Some(key) = state.queue.take(now) {
            match state.slides.get(&key.slide).cloned() {
                Some(slide) if !state.cache.contains(&key) => return Some((key, slide)),
                _ => state.queue.finish(key),
            }
        }
        let idle = Duration::from_secs(3600);
        let wait = state
            .queue
            .next_retry()
            .map_or(idle, |at| at.saturating_duration_since(now));
        // A little more than asked, so that the retry is due when the wait ends.
        let waited = shared
            .work
            .wait_timeout(state, wait + Duration::from_millis(1));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn hand_over(
    shared: &Shared,
    key: TileKey,
    slide: &OpenedSlide,
    result: Result<Rgba, TileFailure>,
) {
    let mut state = shared.lock();
    match result {
        Ok(tile) => {
            state.tiles_read += 1;
            state.queue.finish(key);
            if state.slides.contains_key(&key.slide) {
                state.cache.insert(key, Arc::new(tile));
            }
        }
        Err(TileFailure::Cancelled) => state.queue.abandon(key),
        Err(TileFailure::Slide(error)) => {
            let tries = state.queue.fail(key, Instant::now());
            let mut nth = 0;
            // Repeated tries of the same tile say nothing new.
            if tries == 1 {
                let failed = state.failing.entry(key.slide).or_default();
                *failed += 1;
                nth = *failed;
            }
            if nth == 1 {
                state.failures.push((key.slide, error.to_string()));
            }
            drop(state);
            if let Some(words) = failure_words(nth, &error) {
                tracing::warn!(slide = slide.source.info().name, "{words}");
            }
        }
    }
}

/// The line in the log for a slide's `nth` tile that failed: none for every tile of a slide that is
/// gone, nor for the 0th, which failed before.
fn failure_words(nth: usize, error: &SlideError) -> Option<String> {
    match nth {
        1..=LOGGED_FAILURES => Some(format!("a tile can't be read: {error}")),
        n if n == LOGGED_FAILURES + 1 => Some(format!(
            "more than {LOGGED_FAILURES} tiles can't be read; the others are marked, not listed"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::geometry::LevelRegion;
    use crate::slide::SlideInfo;
    use crate::tiles::test_slide::GradientSlide;

    /// A slide whose reads do not end before they are let go.
    struct StuckSlide {
        slide: GradientSlide,
        is_reading: Arc<AtomicBool>,
        let_go: Arc<AtomicBool>,
    }

    impl SlideSource for StuckSlide {
        fn info(&self) -> &SlideInfo {
            self.slide.info()
        }

        fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
            self.is_reading.store(true, Ordering::SeqCst);
            while !self.let_go.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(2));
            }
            self.slide.read_region(level, region)
        }

        fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
            self.slide.read_associated(name)
        }
    }

    fn wait_until(what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{what} did not happen"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn loader_with(source: impl SlideSource + 'static) -> (TileLoader, SlideId) {
        let loader = TileLoader::start(2, 64 << 20, Box::new(|| {})).unwrap();
        let pyramid = Arc::new(TilePyramid::new(source.info()));
        let id = loader.add_slide(Arc::new(source), pyramid);
        (loader, id)
    }

    #[test]
    fn wanted_tiles_come_and_unwanted_ones_do_not() {
        let (loader, slide) = loader_with(GradientSlide::new(4000, 4000));
        let key = |col| TileKey {
            slide,
            level: 0,
            col,
            row: 0,
        };
        loader.want(ViewSlot(0), &[key(0), key(1)]);
        wait_until("both tiles", || {
            loader.get(&key(0)).is_some() && loader.get(&key(1)).is_some()
        });
        assert!(loader.get(&key(2)).is_none());
        assert_eq!(loader.status().waiting, 0);
    }

    #[test]
    fn a_tile_that_fails_is_marked_and_the_others_come() {
        let (loader, slide) = loader_with(GradientSlide::new(4000, 4000).failing_at(0, 0));
        let key = |col| TileKey {
            slide,
            level: 0,
            col,
            row: 0,
        };
        loader.want(ViewSlot(0), &[key(0), key(1)]);
        wait_until("the good tile", || loader.get(&key(1)).is_some());
        wait_until("the failure is told", || loader.take_failure().is_some());
        assert!(loader.take_failure().is_none(), "a failure is told once");
        wait_until("the failure", || {
            loader.failed_among(&[key(0), key(1)]) == [key(0)]
        });
    }

    #[test]
    fn a_slide_that_is_gone_fills_no_log() {
        let error = SlideError::Scale {
            slide: "a.svs".to_owned(),
            reason: "it is gone".to_owned(),
        };
        let lines: Vec<_> = (0..1000).filter_map(|n| failure_words(n, &error)).collect();
        assert_eq!(lines.len(), LOGGED_FAILURES + 1);
        let (last, tiles) = lines.split_last().unwrap();
        assert!(tiles.iter().all(|line| line.contains("it is gone")));
        assert!(last.contains("not listed"), "{last}");
    }

    #[test]
    fn a_slide_that_was_closed_leaves_no_tiles() {
        let (loader, slide) = loader_with(GradientSlide::new(4000, 4000));
        let key = TileKey {
            slide,
            level: 0,
            col: 0,
            row: 0,
        };
        loader.want(ViewSlot(0), &[key]);
        wait_until("the tile", || loader.get(&key).is_some());
        loader.remove_slide(slide);
        assert!(loader.get(&key).is_none());
        assert_eq!(loader.status().cached_bytes, 0);
    }

    #[test]
    fn a_read_that_hangs_does_not_hold_up_the_end() {
        let [is_reading, let_go] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (loader, slide) = loader_with(StuckSlide {
            slide: GradientSlide::new(4000, 4000),
            is_reading: Arc::clone(&is_reading),
            let_go: Arc::clone(&let_go),
        });
        let key = TileKey {
            slide,
            level: 0,
            col: 0,
            row: 0,
        };
        loader.want(ViewSlot(0), &[key]);
        wait_until("the read", || is_reading.load(Ordering::SeqCst));
        let shared = Arc::clone(&loader.shared);
        let started = Instant::now();
        drop(loader);
        assert!(started.elapsed() < LAST_READ * 4, "{:?}", started.elapsed());
        // The reader that is left behind ends in peace once its read does.
        assert!(Arc::strong_count(&shared) > 1, "it still reads");
        let_go.store(true, Ordering::SeqCst);
        wait_until("its end", || Arc::strong_count(&shared) == 1);
    }
}
