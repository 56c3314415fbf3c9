//! Which tile a reader takes next. Pure bookkeeping, with the time handed in, so that every
//! interleaving can be tested without threads.
//!
//! Newest wins: a view's new wish list replaces its old one whole, so no reader ever starts a
//! tile that only a past view wanted.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{SlideId, TileKey};

/// Which viewport asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewSlot(pub u8);

/// First wait before a failed tile is tried again; doubled with each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait between tries.
const LONGEST_RETRY: Duration = Duration::from_secs(64);

/// A tile that could not be read.
#[derive(Debug, Clone)]
struct Failure {
    tries: u32,
    retry_at: Instant,
}

/// Wish lists of all viewports, tiles in flight, and tiles that failed.
///
/// A tile stays in the lists that want it until it is finished, so a list also tells whether a
/// tile in flight is still wanted.
#[derive(Debug, Default)]
pub struct TileQueue {
    wanted: Vec<(ViewSlot, Vec<TileKey>)>,
    /// Which view is served next: views take turns, so that a large one can't starve another.
    turn: usize,
    in_flight: HashSet<TileKey>,
    failed: HashMap<TileKey, Failure>,
}

impl TileQueue {
    /// Replaces what `view` wants, most urgent first.
    pub fn replace(&mut self, view: ViewSlot, keys: Vec<TileKey>) {
        match self.wanted.iter_mut().find(|(slot, _)| *slot == view) {
            Some((_, list)) => *list = keys,
            None => self.wanted.push((view, keys)),
        }
    }

    /// The next tile to read, marked as in flight; `None` when nothing can be read now.
    pub fn take(&mut self, now: Instant) -> Option<TileKey> {
        for _ in 0..self.wanted.len() {
            self.turn = (self.turn + 1) % self.wanted.len();
            let ready = |key: &&TileKey| {
                !self.in_flight.contains(key)
                    && self
                        .failed
                        .get(key)
                        .is_none_or(|failure| failure.retry_at <= now)
            };
            let next = self
                .wanted
                .get(self.turn)
                .and_then(|(_, list)| list.iter().find(ready).copied());
            if let Some(key) = next {
                self.in_flight.insert(key);
                return Some(key);
            }
        }
        None
    }

    /// A reader has read `key`: nobody needs to read it again.
    pub fn finish(&mut self, key: TileKey) {
        self.in_flight.remove(&key);
        self.failed.remove(&key);
        for (_, list) in &mut self.wanted {
            list.retain(|other| *other != key);
        }
    }

    /// A reader could not read `key`. It stays wanted, but is not tried again before a wait that
    /// doubles with each failure. Tells how often it has failed by now.
    pub fn fail(&mut self, key: TileKey, now: Instant) -> u32 {
        self.in_flight.remove(&key);
        let tries = self.failed.get(&key).map_or(0, |failure| failure.tries) + 1;
        let wait = FIRST_RETRY
            .saturating_mul(1 << (tries - 1).min(16))
            .min(LONGEST_RETRY);
        self.failed.insert(
            key,
            Failure {
                tries,
                retry_at: now + wait,
            },
        );
        tries
    }

    /// A reader dropped `key` half-way because no view wanted it any more. Should one have come to
    /// want it meanwhile, it is taken again.
    pub fn abandon(&mut self, key: TileKey) {
        self.in_flight.remove(&key);
    }

    /// Whether any view's present list holds `key`.
    pub fn wants(&self, key: &TileKey) -> bool {
        self.wanted.iter().any(|(_, list)| list.contains(key))
    }

    /// Whether `key` failed the last time it was tried.
    pub fn has_failed(&self, key: &TileKey) -> bool {
        self.failed.contains_key(key)
    }

    /// When the next failed tile that is wanted may be tried again.
    pub fn next_retry(&self) -> Option<Instant> {
        let waiting = self.failed.iter().filter(|(key, _)| self.wants(key));
        waiting.map(|(_, failure)| failure.retry_at).min()
    }

    /// Forgets everything about a slide. Tiles in flight finish and are dropped by their reader.
    pub fn remove_slide(&mut self, slide: SlideId) {
        for (_, list) in &mut self.wanted {
            list.retain(|key| key.slide != slide);
        }
        self.failed.retain(|key, _| key.slide != slide);
    }

    /// Tiles that a view still waits for (those in flight among them), and tiles in flight.
    pub fn counts(&self) -> (usize, usize) {
        let waiting = self
            .wanted
            .iter()
            .flat_map(|(_, list)| list)
            .filter(|key| !self.has_failed(key))
            .count();
        (waiting, self.in_flight.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u32) -> TileKey {
        TileKey {
            slide: SlideId(0),
            level: 0,
            col: n,
            row: 0,
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Replace(u8, Vec<u32>),
        Take,
        Finish(usize),
        Fail(usize),
        Wait(u64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..2, prop::collection::vec(0u32..12, 0..8))
                .prop_map(|(view, keys)| Step::Replace(view, keys)),
            Just(Step::Take),
            Just(Step::Take),
            (0usize..4).prop_map(Step::Finish),
            (0usize..4).prop_map(Step::Fail),
            (1u64..5000).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_only_present_wishes_start_and_none_starts_twice(
            steps in prop::collection::vec(any_step(), 1..120),
        ) {
            let mut queue = TileQueue::default();
            let mut now = Instant::now();
            let mut lists: HashMap<u8, Vec<u32>> = HashMap::new();
            let mut flying: Vec<TileKey> = Vec::new();
            let mut barred: HashMap<TileKey, Instant> = HashMap::new();
            for step in steps {
                match step {
                    Step::Replace(view, keys) => {
                        queue.replace(ViewSlot(view), keys.iter().map(|n| key(*n)).collect());
                        lists.insert(view, keys);
                    }
                    Step::Take => if let Some(taken) = queue.take(now) {
                        prop_assert!(lists.values().flatten().any(|n| key(*n) == taken), "nobody wants {taken:?}");
                        prop_assert!(!flying.contains(&taken), "{taken:?} is read twice at once");
                        prop_assert!(barred.get(&taken).is_none_or(|until| *until <= now), "{taken:?} must wait");
                        flying.push(taken);
                    },
                    Step::Finish(n) if n < flying.len() => {
                        let done = flying.swap_remove(n);
                        queue.finish(done);
                        barred.remove(&done);
                        for list in lists.values_mut() { list.retain(|n| key(*n) != done); }
                    }
                    Step::Fail(n) if n < flying.len() => {
                        let failed = flying.swap_remove(n);
                        queue.fail(failed, now);
                        barred.insert(failed, now + FIRST_RETRY);
                    }
                    Step::Wait(ms) => now += Duration::from_millis(ms),
                    Step::Finish(_) | Step::Fail(_) => {}
                }
            }
        }
    }

    #[test]
    fn views_take_turns() {
        let mut queue = TileQueue::default();
        queue.replace(ViewSlot(0), (0..4).map(key).collect());
        queue.replace(ViewSlot(1), (10..12).map(key).collect());
        let now = Instant::now();
        let taken: Vec<u32> = std::iter::from_fn(|| queue.take(now))
            .map(|k| k.col)
            .collect();
        assert_eq!(taken, [10, 0, 11, 1, 2, 3]);
    }

    #[test]
    fn a_failed_tile_waits_longer_each_time() {
        let mut queue = TileQueue::default();
        queue.replace(ViewSlot(0), vec![key(0)]);
        let mut now = Instant::now();
        for wait_s in [1, 2, 4, 8, 16, 32, 64, 64] {
            assert_eq!(queue.take(now), Some(key(0)));
            queue.fail(key(0), now);
            now += Duration::from_secs(wait_s) - Duration::from_millis(1);
            assert_eq!(queue.take(now), None);
            now += Duration::from_millis(1);
        }
    }
}
