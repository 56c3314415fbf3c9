//! Tiles through the network and into the stitcher: the loop that all runs share.

use std::ops::ControlFlow;
use std::time::Instant;

use super::band::Times;
use super::error::SegmentError;
use super::grid::{TileGrid, TileId};
use super::model::{TileModel, predict_checked};
use super::readers::{TileStream, with_readers};
use super::stitch::{Piece, Stitcher};
use super::tissue::TissueMap;
use crate::slide::SlideSource;

/// How the work is done; changes speed and memory, not results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Tiles given to the network at a time, at least 1.
    pub batch: usize,
    /// Threads that read tiles ahead, at least 1.
    pub readers: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch: 8,
            readers: 2,
        }
    }
}

/// What finished px go to.
pub trait Sink {
    /// Px that are finished; every px at most once.
    fn take(&mut self, piece: &Piece);

    /// All px of the row of tiles `row` were given; what it took and how many tiles were run.
    ///
    /// # Errors
    /// When they can't be stored.
    fn end_row(&mut self, row: u32, times: Times, tiles_run: u64) -> Result<(), SegmentError>;
}

/// Tiles with a say on px near tissue, row by row from `first_row` on.
pub fn wanted_tiles(grid: &TileGrid, tissue: &TissueMap, first_row: u32) -> Vec<TileId> {
    let rows = first_row..grid.rows();
    let all = rows.flat_map(|row| (0..grid.columns()).map(move |column| TileId { column, row }));
    let touches = |tile: &TileId| {
        let (x, y) = grid.kept(*tile);
        tissue.touches(grid.spec.mpp, &x, &y)
    };
    all.filter(touches).collect()
}

/// What is to be run.
pub struct Job<'a> {
    /// The slide.
    pub slide: &'a dyn SlideSource,
    /// How it is cut.
    pub grid: &'a TileGrid,
    /// The tiles, row by row, from the left.
    pub tiles: &'a [TileId],
    /// The row at which the picture begins; no tile is above it.
    pub first_row: u32,
    /// How the work is done.
    pub pace: Pace,
}

/// Runs a job. `tick` gets the number of tiles done and stops the run by `Break`, which is then
/// the answer too.
///
/// # Errors
/// When a tile can't be read, the network fails or `sink` does.
pub fn run_tiles(
    job: &Job,
    model: &mut dyn TileModel,
    sink: &mut dyn Sink,
    tick: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, SegmentError> {
    let Job {
        slide,
        grid,
        tiles,
        first_row,
        pace,
    } = *job;
    let batch = pace.batch.max(1);
    let mut row = Row {
        stitcher: Stitcher::new(*grid, model.classes().len(), first_row),
        times: Times::default(),
        tiles: 0,
    };
    with_readers(
        slide,
        grid,
        tiles,
        (pace.readers, 2 * batch),
        |mut stream| {
            let mut done = 0;
            for batch in tiles.chunks(batch) {
                row.run(batch, &mut stream, model, sink)?;
                done += batch.len() as u64;
                if tick(done).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            row.end_before(grid.rows(), sink)?;
            Ok(ControlFlow::Continue(()))
        },
    )
}

/// The row of tiles under way.
struct Row {
    stitcher: Stitcher,
    times: Times,
    tiles: u64,
}

impl Row {
    fn run(
        &mut self,
        batch: &[TileId],
        stream: &mut TileStream,
        model: &mut dyn TileModel,
        sink: &mut dyn Sink,
    ) -> Result<(), SegmentError> {
        let started = Instant::now();
        let (tiles, reading_s) = stream.take(batch.len())?;
        self.times.reading_s += reading_s;
        self.times.waiting_s += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let scores = predict_checked(model, &tiles)?;
        self.times.network_s += started.elapsed().as_secs_f64();
        for (tile, scores) in batch.iter().zip(&scores) {
            self.end_before(tile.row, sink)?;
            let started = Instant::now();
            self.stitcher
                .push(tile.column, scores, &mut |piece| sink.take(piece));
            self.times.stitching_s += started.elapsed().as_secs_f64();
            self.tiles += 1;
        }
        Ok(())
    }

    /// Ends all rows above `row`.
    fn end_before(&mut self, row: u32, sink: &mut dyn Sink) -> Result<(), SegmentError> {
        while self.stitcher.row() < row {
            let started = Instant::now();
            let ended = self.stitcher.row();
            self.stitcher.end_row(&mut |piece| sink.take(piece));
            self.times.stitching_s += started.elapsed().as_secs_f64();
            let times = std::mem::take(&mut self.times);
            sink.end_row(ended, times, std::mem::take(&mut self.tiles))?;
        }
        Ok(())
    }
}
