//! A slide's label map as files, streamed: bounded memory, and a killed run goes on where it was.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use super::assemble::{Shown, description, write_pyramid};
use super::band::{Band, Mask, RowStats, Times};
use super::error::SegmentError;
use super::grid::TileGrid;
use super::model::TileModel;
use super::report::{Found, Report, report};
use super::row_file;
use super::settings::{Outputs, Settings};
use super::shifted::{ShiftedGrid, agreement, moved};
use super::stitch::Piece;
use super::tiles::{Job, Pace, Sink, run_tiles, wanted_tiles};
use super::tissue::TissueMap;
use super::work::WorkFolder;
use crate::files;
use crate::labels::LabelClass;
use crate::slide::SlideSource;
use crate::slide::tiled_tiff::FinishedTiff;

/// How a run treats what is there, how fast it goes, and what it tells; changes no label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Batch and threads.
    pub pace: Pace,
    /// Whether files of the outputs' names are replaced.
    pub overwrite: bool,
    /// Whether an unfinished run's rows are thrown away instead of gone on with.
    pub restart: bool,
    /// Whether a grid moved by half a tile is run too, to tell how well both agree.
    pub compare_shifted: bool,
}

/// Segments a slide and writes `output`, a tiled pyramid of class codes with a palette (code k is
/// the model's class k, [`super::NOT_ANALYSED`] is glass), its JSON, and with `probabilities` a
/// file a class; see [`Outputs`]. Equal slides, models and settings give equal files, but for the
/// times in the JSON, whether or not the run was interrupted.
///
/// A folder beside the output ([`WorkFolder`]) keeps finished rows; the same call goes on with it.
/// The files appear when all are whole. `progress` hears of tiles done and to be done, those of an
/// earlier run among the done; it stops the run by `Break`, also while the files are written.
///
/// Memory for a picture W px wide: `(K + 1) · 8 · blend · W` bytes of scores, one row of tiles of
/// codes (and of probabilities), and three rows of the file's tiles.
///
/// # Errors
/// See [`SegmentError`]; finished rows are kept.
pub fn segment_slide(
    slide: &dyn SlideSource,
    model: &mut dyn TileModel,
    settings: &Settings,
    options: RunOptions,
    output: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Report, SegmentError> {
    let classes = model.classes().to_vec();
    settings.check(&classes, model.tile_px())?;
    let grid = TileGrid::over(slide.info(), settings.grid)?;
    let outputs = Outputs::beside(output, &classes, settings.probabilities);
    outputs.check(slide.info(), options.overwrite)?;
    let fingerprint = settings.fingerprint(slide.info(), &grid, &classes);
    let work = WorkFolder::open(output, grid, &fingerprint, options.restart)?;
    let tissue = &TissueMap::of(slide, settings.fill_um)?;
    let run = Run {
        slide,
        grid,
        settings,
        classes,
        block_px: model.block_px(),
        outputs,
        work,
        tissue,
    };
    let moved = moved(settings);
    let other = match options.compare_shifted {
        true => Some(run.beside(&moved, options.restart)?),
        false => None,
    };
    let own = run.wanted();
    let total = own + other.as_ref().map_or(0, Run::wanted);
    run.make_rows(model, options.pace, &mut |done, _| progress(done, total))?;
    let shifted = match &other {
        Some(other) => {
            other.make_rows(model, options.pace, &mut |done, _| {
                progress(own + done, total)
            })?;
            Some(run.compared(other)?)
        }
        None => None,
    };
    // Its folder lies in that of the other, which is about to go.
    drop(other);
    run.make_files(shifted, &mut || progress(total, total))
}

/// A run whose settings were found to fit.
struct Run<'a> {
    slide: &'a dyn SlideSource,
    grid: TileGrid,
    settings: &'a Settings,
    classes: Vec<LabelClass>,
    block_px: u32,
    outputs: Outputs,
    work: WorkFolder,
    tissue: &'a TissueMap,
}

impl<'a> Run<'a> {
    /// The same with other settings, of which only rows are made, in a folder within this one's.
    fn beside(&self, settings: &'a Settings, restart: bool) -> Result<Self, SegmentError> {
        let grid = TileGrid::over(self.slide.info(), settings.grid)?;
        let fingerprint = settings.fingerprint(self.slide.info(), &grid, &self.classes);
        let folder = self.work.folder().join("shifted");
        Ok(Self {
            slide: self.slide,
            grid,
            settings,
            classes: self.classes.clone(),
            block_px: self.block_px,
            outputs: self.outputs.clone(),
            work: WorkFolder::open(&folder, grid, &fingerprint, restart)?,
            tissue: self.tissue,
        })
    }

    /// Number of tiles to be run in all.
    fn wanted(&self) -> u64 {
        wanted_tiles(&self.grid, self.tissue, 0).len() as u64
    }

    fn compared(&self, other: &Self) -> Result<ShiftedGrid, SegmentError> {
        let (one, two) = ((&self.work, &self.grid), (&other.work, &other.grid));
        let seams = other.sums()?.seams;
        Ok(ShiftedGrid {
            agreement: agreement(one, two, self.classes.len())?,
            seams: seams.summary(other.grid.spec.blend_px, self.block_px),
        })
    }

    /// Makes the rows that are missing. The last finished one is run again, not written: its lower
    /// tile borders blend into the next.
    fn make_rows(
        &self,
        model: &mut dyn TileModel,
        pace: Pace,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), SegmentError> {
        let finished = self.work.finished();
        let all = wanted_tiles(&self.grid, self.tissue, 0);
        let total = all.len() as u64;
        let first_row = finished.saturating_sub(1);
        let above = all.partition_point(|tile| tile.row < first_row);
        let earlier = all.partition_point(|tile| tile.row < finished) as u64;
        if progress(earlier, total).is_break() {
            return Err(self.stopped());
        }
        if finished == self.grid.rows() {
            return Ok(());
        }
        let job = Job {
            slide: self.slide,
            grid: &self.grid,
            tiles: &all[above..],
            first_row,
            pace,
        };
        let mut rows = Rows::new(self, first_row);
        let mut tick = |done: u64| progress((above as u64 + done).max(earlier), total);
        match run_tiles(&job, model, &mut rows, &mut tick)? {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(self.stopped()),
        }
    }

    /// Makes the files of the finished rows, names them when all are whole, and tidies up.
    fn make_files(
        self,
        shifted: Option<ShiftedGrid>,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Report, SegmentError> {
        let started = Instant::now();
        let mut tick = || match go_on() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(self.stopped()),
        };
        let mut whole =
            vec![self.pyramid(&self.outputs.labels, Shown::Codes(&self.classes), &mut tick)?];
        for (index, path) in self.outputs.probabilities.iter().enumerate() {
            let shown = Shown::Probability(index, &self.classes[index]);
            whole.push(self.pyramid(path, shown, &mut tick)?);
        }
        let mut sums = self.sums()?;
        sums.times.writing_s += started.elapsed().as_secs_f64();
        let report = report(self.found(shifted), &sums);
        let text = serde_json::to_vec_pretty(&report)
            .map_err(|error| SegmentError::file(&self.outputs.report, error.into()))?;
        for file in whole {
            file.keep()?;
        }
        files::write_whole(&self.outputs.report, &text)
            .map_err(|error| SegmentError::file(&self.outputs.report, error))?;
        self.work.remove()?;
        Ok(report)
    }

    fn pyramid(
        &self,
        path: &Path,
        shown: Shown,
        tick: &mut dyn FnMut() -> Result<(), SegmentError>,
    ) -> Result<FinishedTiff, SegmentError> {
        let text = description(self.slide.info(), self.settings, shown);
        write_pyramid(path, &self.work, &self.grid, shown, &text, tick)
    }

    fn sums(&self) -> Result<RowStats, SegmentError> {
        let mut sums = RowStats {
            class_px: vec![0; self.classes.len()],
            ..RowStats::default()
        };
        for row in 0..self.grid.rows() {
            sums.merge(self.work.row(row)?.stats());
        }
        Ok(sums)
    }

    fn found(&self, shifted: Option<ShiftedGrid>) -> Found<'_> {
        Found {
            slide: self.slide.info(),
            grid: &self.grid,
            settings: self.settings,
            classes: &self.classes,
            tissue: self.tissue,
            files: &self.outputs,
            block_px: self.block_px,
            shifted,
        }
    }

    fn stopped(&self) -> SegmentError {
        SegmentError::Stopped {
            folder: WorkFolder::path_for(&self.outputs.labels),
        }
    }
}

/// Finished px on their way to the work folder.
struct Rows<'a> {
    run: &'a Run<'a>,
    mask: Mask<'a>,
    /// The row of tiles under way, and its px once there are any.
    row: u32,
    band: Option<Band>,
    /// Seconds that writing the row before took: a row can't hold its own.
    writing_s: f64,
}

impl<'a> Rows<'a> {
    fn new(run: &'a Run<'a>, first_row: u32) -> Self {
        let tissue = run.settings.only_near_tissue.then_some(run.tissue);
        let mask = Mask::new(&run.grid, tissue);
        Self {
            run,
            mask,
            row: first_row,
            band: None,
            writing_s: 0.0,
        }
    }

    fn blank_band(&self) -> Band {
        let classes = self.run.classes.len();
        Band::new(
            self.run.grid,
            classes,
            self.row,
            self.run.settings.probabilities,
        )
    }
}

impl Sink for Rows<'_> {
    fn take(&mut self, piece: &Piece) {
        let mut band = self.band.take().unwrap_or_else(|| self.blank_band());
        band.take(piece, &self.mask);
        self.band = Some(band);
    }

    fn end_row(&mut self, row: u32, times: Times, tiles_run: u64) -> Result<(), SegmentError> {
        let started = Instant::now();
        let band = self.band.take().unwrap_or_else(|| self.blank_band());
        self.row = row + 1;
        if row < self.run.work.finished() {
            return Ok(());
        }
        let (band, class_px, seams) = band.finish(self.run.classes.len());
        let stats = RowStats {
            tiles_run,
            tiles_skipped: u64::from(self.run.grid.columns()) - tiles_run,
            class_px,
            seams,
            times: Times {
                writing_s: self.writing_s,
                ..times
            },
        };
        row_file::write(&self.run.work.row_path(row), &band, &stats)?;
        self.writing_s = started.elapsed().as_secs_f64();
        Ok(())
    }
}
