//! A whole slide's analysis in memory, for small slides and fields: log-probabilities and codes.

use std::ops::ControlFlow;

use super::band::{Band, Mask, RowStats, Times};
use super::error::SegmentError;
use super::grid::TileGrid;
use super::model::TileModel;
use super::settings::Settings;
use super::stitch::Piece;
use super::tiles::{Job, Pace, Sink, run_tiles, wanted_tiles};
use super::tissue::TissueMap;
use crate::labels::NOT_ANALYSED;
use crate::slide::SlideSource;

/// The most that the log-probabilities of one field may take, bytes.
const MOST_BYTES: u64 = 1 << 30;

/// An analysed picture.
#[derive(Debug, Clone)]
pub struct Field {
    /// How the slide was cut; has the picture's size and scale.
    pub grid: TileGrid,
    /// Number of classes, K.
    pub classes: usize,
    /// A code a px, rows from the top; [`NOT_ANALYSED`] where there is no tissue.
    pub codes: Vec<u8>,
    /// K planes of log-probabilities, rows from the top; 0 in all classes where not analysed.
    pub log_probabilities: Vec<f32>,
    /// Tiles, areas, seams and times.
    pub stats: RowStats,
}

/// Segments a slide in memory: the same tiles, blending and codes as
/// [`super::segment_slide`], bit for bit. `probabilities` of the settings is of no meaning here.
///
/// # Errors
/// See [`SegmentError`]; also when the log-probabilities take more than 1 GiB.
pub fn segment_in_memory(
    slide: &dyn SlideSource,
    model: &mut dyn TileModel,
    settings: &Settings,
    pace: Pace,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Field, SegmentError> {
    settings.check(model.classes(), model.tile_px())?;
    let grid = TileGrid::over(slide.info(), settings.grid)?;
    let mut field = Field::blank(grid, model.classes().len())?;
    let tissue = TissueMap::of(slide, settings.fill_um)?;
    let mask = Mask::new(&grid, settings.only_near_tissue.then_some(&tissue));
    let tiles = wanted_tiles(&grid, &tissue, 0);
    let total = tiles.len() as u64;
    let job = Job {
        slide,
        grid: &grid,
        tiles: &tiles,
        first_row: 0,
        pace,
    };
    let mut filling = Filling {
        field: &mut field,
        mask,
        row: 0,
        band: None,
    };
    match run_tiles(&job, model, &mut filling, &mut |done| progress(done, total))? {
        ControlFlow::Continue(()) => Ok(field),
        ControlFlow::Break(()) => Err(SegmentError::StoppedField),
    }
}

impl Field {
    fn blank(grid: TileGrid, classes: usize) -> Result<Self, SegmentError> {
        let px = u64::from(grid.size_px.0) * u64::from(grid.size_px.1);
        let bytes = px.saturating_mul(4 * classes as u64);
        if bytes > MOST_BYTES {
            return Err(SegmentError::TooLarge {
                bytes,
                most_bytes: MOST_BYTES,
            });
        }
        Ok(Self {
            grid,
            classes,
            codes: vec![NOT_ANALYSED; px as usize],
            log_probabilities: vec![0.0; px as usize * classes],
            stats: RowStats {
                class_px: vec![0; classes],
                ..RowStats::default()
            },
        })
    }
}

struct Filling<'a> {
    field: &'a mut Field,
    mask: Mask<'a>,
    row: u32,
    band: Option<Band>,
}

impl Filling<'_> {
    fn blank_band(&self) -> Band {
        Band::new(self.field.grid, self.field.classes, self.row, false)
    }
}

impl Sink for Filling<'_> {
    fn take(&mut self, piece: &Piece) {
        let mut band = self.band.take().unwrap_or_else(|| self.blank_band());
        band.take(piece, &self.mask);
        let (width, plane) = (self.field.grid.size_px.0 as usize, self.field.codes.len());
        let mut logs = Vec::new();
        for y in piece.y.clone() {
            for (index, x) in piece.x.clone().enumerate() {
                let analysed = band.code(x, y) != NOT_ANALYSED;
                if analysed && piece.log_probabilities(index, y, &mut logs).is_some() {
                    let at = y as usize * width + x as usize;
                    for (class, log) in logs.iter().enumerate() {
                        self.field.log_probabilities[class * plane + at] = *log;
                    }
                }
            }
        }
        self.band = Some(band);
    }

    fn end_row(&mut self, row: u32, times: Times, tiles_run: u64) -> Result<(), SegmentError> {
        let band = self.band.take().unwrap_or_else(|| self.blank_band());
        self.row = row + 1;
        let (band, class_px, seams) = band.finish(self.field.classes);
        let first = band.rows.start as usize * band.width as usize;
        self.field.codes[first..first + band.codes.len()].copy_from_slice(&band.codes);
        let tiles_skipped = u64::from(self.field.grid.columns()) - tiles_run;
        self.field.stats.merge(&RowStats {
            tiles_run,
            tiles_skipped,
            class_px,
            seams,
            times,
        });
        Ok(())
    }
}
