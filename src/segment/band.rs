//! Rows of finished px as they are stored: codes, and probabilities where they are asked for.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grid::TileGrid;
use super::seams::{SeamMeter, SeamProfile};
use super::stitch::Piece;
use super::tissue::TissueMap;
use crate::labels::NOT_ANALYSED;

/// What a row of tiles cost and brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RowStats {
    /// Tiles that were run.
    pub tiles_run: u64,
    /// Tiles that were skipped, as they have no tissue.
    pub tiles_skipped: u64,
    /// Px of each class.
    pub class_px: Vec<u64>,
    /// Edges at tile borders and elsewhere.
    pub seams: SeamProfile,
    /// What the time went to.
    pub times: Times,
}

/// Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Reading and scaling tiles, on all reader threads together.
    pub reading_s: f64,
    /// Waiting for readers; the part of reading that the run feels.
    pub waiting_s: f64,
    /// The network.
    pub network_s: f64,
    /// Blending, classes, seams.
    pub stitching_s: f64,
    /// Compressing and writing rows; in a report also the files made of them.
    pub writing_s: f64,
}

impl RowStats {
    /// Adds those of another row.
    pub fn merge(&mut self, other: &Self) {
        self.tiles_run += other.tiles_run;
        self.tiles_skipped += other.tiles_skipped;
        self.class_px
            .resize(self.class_px.len().max(other.class_px.len()), 0);
        self.class_px
            .iter_mut()
            .zip(&other.class_px)
            .for_each(|(sum, more)| *sum += more);
        self.seams.merge(&other.seams);
        self.times.reading_s += other.times.reading_s;
        self.times.waiting_s += other.times.waiting_s;
        self.times.network_s += other.times.network_s;
        self.times.stitching_s += other.times.stitching_s;
        self.times.writing_s += other.times.writing_s;
    }
}

/// Which px are analysed, and how they are looked up.
pub struct Mask<'a> {
    /// Without, all px of all tiles that were run.
    tissue: Option<&'a TissueMap>,
    mpp: f64,
    /// Overview column of every column of the picture.
    columns: Vec<usize>,
}

impl<'a> Mask<'a> {
    /// For the px of a grid; `tissue` where only px near tissue count.
    pub fn new(grid: &TileGrid, tissue: Option<&'a TissueMap>) -> Self {
        let mpp = grid.spec.mpp;
        let columns =
            |map: &TissueMap| (0..grid.size_px.0).map(|x| map.column_of(mpp, x)).collect();
        Self {
            tissue,
            mpp,
            columns: tissue.map(columns).unwrap_or_default(),
        }
    }

    /// Blanks the codes of a part of row `y` that are not near tissue.
    fn apply(&self, x: &Range<u32>, y: u32, codes: &mut [u8]) {
        let Some(map) = self.tissue else { return };
        let near = map.near_row(self.mpp, y);
        let columns = &self.columns[x.start as usize..x.end as usize];
        for (code, column) in codes.iter_mut().zip(columns) {
            if !near[*column] {
                *code = NOT_ANALYSED;
            }
        }
    }
}

/// The px that one row of tiles finishes.
pub struct Band {
    /// Rows of px of the analysed picture.
    pub rows: Range<u32>,
    /// Width of the picture, px.
    pub width: u32,
    /// A code a px, rows from the top.
    pub codes: Vec<u8>,
    /// For each class, where asked for, a probability a px: 0 to 255 are 0 to 1.
    pub probabilities: Vec<Vec<u8>>,
    seams: SeamMeter,
}

impl Band {
    /// Nothing analysed yet. `probabilities`: whether they are asked for.
    pub fn new(grid: TileGrid, classes: usize, row: u32, probabilities: bool) -> Self {
        let (rows, width) = (grid.band(row), grid.size_px.0);
        let px = rows.len() * width as usize;
        let planes = if probabilities { classes } else { 0 };
        Self {
            rows,
            width,
            codes: vec![NOT_ANALYSED; px],
            probabilities: vec![vec![0; px]; planes],
            seams: SeamMeter::new(grid, classes, row),
        }
    }

    /// Takes over the px of a piece that `mask` lets through.
    pub fn take(&mut self, piece: &Piece, mask: &Mask) {
        let mut lanes: Lanes = (vec![0.0; piece.x.len()], vec![0.0; piece.x.len()]);
        for y in piece.y.clone() {
            let at = self.at(piece.x.start, y);
            let codes = &mut self.codes[at..at + piece.x.len()];
            most_likely(piece, y, &mut lanes, codes);
            mask.apply(&piece.x, y, codes);
        }
        if !self.probabilities.is_empty() {
            self.take_probabilities(piece);
        }
        let (codes, top, width) = (&self.codes, self.rows.start, self.width as usize);
        let analysed =
            |x: u32, y: u32| codes[(y - top) as usize * width + x as usize] != NOT_ANALYSED;
        self.seams.take(piece, &analysed);
    }

    fn take_probabilities(&mut self, piece: &Piece) {
        let mut at_px = Vec::new();
        for y in piece.y.clone() {
            let at = self.at(piece.x.start, y);
            for index in 0..piece.x.len() {
                let analysed = self.codes[at + index] != NOT_ANALYSED;
                if analysed && piece.probabilities(index, y, &mut at_px).is_some() {
                    for (plane, probability) in self.probabilities.iter_mut().zip(&at_px) {
                        plane[at + index] = (probability * 255.0 + 0.5) as u8;
                    }
                }
            }
        }
    }

    /// What the px and the seams add to the statistics.
    pub fn finish(self, classes: usize) -> (FinishedBand, Vec<u64>, SeamProfile) {
        let mut counts = [0_u64; 256];
        self.codes
            .iter()
            .for_each(|code| counts[usize::from(*code)] += 1);
        let seams = self.seams.finish();
        let finished = FinishedBand {
            rows: self.rows,
            width: self.width,
            codes: self.codes,
            probabilities: self.probabilities,
        };
        (
            finished,
            counts[..classes.min(usize::from(NOT_ANALYSED))].to_vec(),
            seams,
        )
    }

    /// The code of column `x` and row `y` of the picture, which lies in the band.
    pub fn code(&self, x: u32, y: u32) -> u8 {
        self.codes[self.at(x, y)]
    }

    fn at(&self, x: u32, y: u32) -> usize {
        (y - self.rows.start) as usize * self.width as usize + x as usize
    }
}

/// A band that nothing is added to any more; see [`Band`].
pub struct FinishedBand {
    /// Rows of px.
    pub rows: Range<u32>,
    /// Width of the picture, px.
    pub width: u32,
    /// A code a px.
    pub codes: Vec<u8>,
    /// A probability a px, for each class where asked for.
    pub probabilities: Vec<Vec<u8>>,
}

/// The class with the greatest score, the first of equals; the scores need no normalising for
/// that. In whole rows and lanes of one width, which the compiler vectorises.
fn most_likely(piece: &Piece, y: u32, (greatest, chosen): &mut Lanes, codes: &mut [u8]) {
    greatest.copy_from_slice(piece.scores(0, y));
    chosen.fill(0.0);
    for class in 1..piece.classes {
        let scores = piece.scores(class, y).iter();
        for ((best, chosen), score) in greatest.iter_mut().zip(chosen.iter_mut()).zip(scores) {
            let better = *score > *best;
            *best = if better { *score } else { *best };
            *chosen = if better { class as f32 } else { *chosen };
        }
    }
    let chosen = chosen.iter().zip(piece.weights(y));
    for (code, (chosen, weight)) in codes.iter_mut().zip(chosen) {
        *code = if *weight > 0.0 {
            *chosen as u8
        } else {
            NOT_ANALYSED
        };
    }
}

/// The greatest score of each px of a row so far, and the class that has it.
type Lanes = (Vec<f32>, Vec<f32>);
