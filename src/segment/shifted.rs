//! The same slide on a grid that is moved by half a tile: what the choice of the grid changes.

use serde::Serialize;

use super::agreement::{Agreement, CodePairs};
use super::assemble::RowFeed;
use super::error::SegmentError;
use super::grid::TileGrid;
use super::seams::Seams;
use super::settings::Settings;
use super::work::WorkFolder;

/// Rows of px that are compared at a time.
const ROWS: u32 = 256;

/// What the moved grid finds beside the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShiftedGrid {
    /// How well the label maps agree.
    pub agreement: Agreement,
    /// Edges at the moved grid's tile borders beside those elsewhere.
    pub seams: Seams,
}

/// The settings with the grid moved, for labels alone.
pub fn moved(settings: &Settings) -> Settings {
    let mut moved = settings.clone();
    moved.grid.shifted = !settings.grid.shifted;
    moved.probabilities = false;
    moved
}

/// Compares the finished rows of two grids over one slide, of `classes` classes.
///
/// # Errors
/// When a row can't be read.
pub fn agreement(
    (one, one_grid): (&WorkFolder, &TileGrid),
    (other, other_grid): (&WorkFolder, &TileGrid),
    classes: usize,
) -> Result<Agreement, SegmentError> {
    let mut pairs = CodePairs::new(classes);
    let mut one = RowFeed::new(one, one_grid, 0);
    let mut other = RowFeed::new(other, other_grid, 0);
    for top in (0..one_grid.size_px.1).step_by(ROWS as usize) {
        let rows = ROWS.min(one_grid.size_px.1 - top);
        pairs.add(&one.take(rows)?, &other.take(rows)?);
    }
    Ok(pairs.agreement())
}
