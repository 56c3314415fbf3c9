//! Threads that read tiles ahead of the network.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::error::SegmentError;
use super::grid::{TileGrid, TileId};
use super::model::RgbTile;
use crate::slide::{SlideError, SlideSource};

/// A tile, and the seconds that reading it took.
type Read = Result<(RgbTile, f64), SlideError>;

/// Tiles in the order in which they were asked for.
pub struct TileStream {
    /// One a thread; they take turns.
    channels: Vec<Receiver<Read>>,
    next: usize,
}

impl TileStream {
    /// The next `count` tiles, waited for, and the seconds that reading them took.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn take(&mut self, count: usize) -> Result<(Vec<RgbTile>, f64), SegmentError> {
        let (mut tiles, mut seconds) = (Vec::with_capacity(count), 0.0);
        for _ in 0..count {
            let ended = |_| SegmentError::Thread {
                reason: "one ended early".to_owned(),
            };
            let (tile, took_s) = self.channels[self.next].recv().map_err(ended)??;
            self.next = (self.next + 1) % self.channels.len();
            tiles.push(tile);
            seconds += took_s;
        }
        Ok((tiles, seconds))
    }
}

/// Runs `work` with `tiles` of a slide being read on `threads` threads (at least one) named
/// `tile-reader-N`. Of `n`, thread `i` reads tiles `i`, `i + n`, … into a bounded channel of its
/// own; together they hold at most `ahead` tiles (at least one a thread) and one more each.
/// The threads end with `work`, each after the tile it is reading.
///
/// # Errors
/// When a thread can't be started, and those of `work`.
pub fn with_readers<T>(
    slide: &dyn SlideSource,
    grid: &TileGrid,
    tiles: &[TileId],
    (threads, ahead): (usize, usize),
    work: impl FnOnce(TileStream) -> Result<T, SegmentError>,
) -> Result<T, SegmentError> {
    let count = threads.max(1);
    std::thread::scope(|scope| {
        let mut channels = Vec::with_capacity(count);
        for index in 0..count {
            let (sender, receiver) = bounded((ahead / count).max(1));
            let mine = tiles.iter().skip(index).step_by(count);
            std::thread::Builder::new()
                .name(format!("tile-reader-{index}"))
                .spawn_scoped(scope, move || read_all(slide, grid, mine, &sender))
                .map_err(|error| SegmentError::Thread {
                    reason: error.to_string(),
                })?;
            channels.push(receiver);
        }
        work(TileStream { channels, next: 0 })
    })
}

fn read_all<'a>(
    slide: &dyn SlideSource,
    grid: &TileGrid,
    tiles: impl Iterator<Item = &'a TileId>,
    sender: &Sender<Read>,
) {
    for tile in tiles {
        let started = Instant::now();
        let spec = &grid.spec;
        let read = RgbTile::read(slide, grid.origin_um(*tile), spec.mpp, spec.tile_px);
        let read = read.map(|tile| (tile, started.elapsed().as_secs_f64()));
        let failed = read.is_err();
        // Nobody listens any more once the work has ended.
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}
