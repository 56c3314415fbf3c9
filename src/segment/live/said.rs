//! What tiles say of cells: looked up for those who paint them.

use std::collections::HashMap;
use std::ops::Range;

use super::byte_cache::ByteCache;
use super::canvas::{CellWork, Part};
use super::cell::{TileSays, asked};
use super::field::Sheet;
use super::layer::LayerKey;
use crate::segment::grid::TileId;

/// A tile of a slide at a magnification, by its place in [`super::MAGNIFICATIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileKey {
    pub slide: u64,
    pub scale: u8,
    pub tile: TileId,
}

/// A tile's scores and the stamp of the bias that they were made with.
pub struct Scores<S> {
    pub stamp: u64,
    pub values: S,
}

/// Px of a scale, and which of them lie near tissue, rows from the top.
pub struct NearPx {
    pub scale: u8,
    pub x: Range<u32>,
    pub y: Range<u32>,
    pub near: Vec<bool>,
}

/// The px of a cell and those of the coarser map around it, where it is fused or compared with one.
pub struct CellPx {
    pub cell: (u32, u32),
    pub fine: NearPx,
    pub context: Option<NearPx>,
}

/// All that tiles have said.
pub struct Said<'a, S> {
    /// By slide and scale.
    pub sheets: &'a HashMap<(u64, u8), Sheet>,
    pub scores: &'a ByteCache<TileKey, Scores<S>>,
    /// What is asked for now.
    pub stamp: u64,
}

impl<'a, S> Said<'a, S> {
    /// What a cell of a map follows from.
    pub fn work(&self, layer: LayerKey, px: CellPx) -> Option<CellWork<'a, S>> {
        let sheet = self.sheets.get(&(layer.slide, px.fine.scale))?;
        Some(CellWork {
            layer,
            place: sheet.place(px.cell),
            fine: self.part(layer.slide, px.fine, layer.analysis.has_own_tiles())?,
            context: px.context.and_then(|px| self.part(layer.slide, px, true)),
        })
    }

    /// `is_asked`: whether its tiles have a say at all.
    fn part(&self, slide: u64, px: NearPx, is_asked: bool) -> Option<Part<'a, S>> {
        let NearPx { scale, x, y, near } = px;
        let sheet = self.sheets.get(&(slide, scale))?;
        let columns = asked(&sheet.grid, &x, sheet.grid.columns());
        let tiles = asked(&sheet.grid, &y, sheet.grid.rows())
            .flat_map(|row| columns.clone().map(move |column| TileId { column, row }))
            .map(|tile| match is_asked {
                true => (tile, self.says(sheet, &TileKey { slide, scale, tile })),
                false => (tile, TileSays::Nothing),
            })
            .collect();
        Some(Part {
            sheet,
            scale,
            x,
            y,
            near,
            tiles,
        })
    }

    fn says(&self, sheet: &Sheet, key: &TileKey) -> TileSays<'a, S> {
        if sheet.glass.contains(&key.tile) {
            return TileSays::Nothing;
        }
        if sheet.failure(key.tile, self.stamp).is_some() {
            return TileSays::Failed;
        }
        let scores = self.scores.peek(key);
        scores.map_or(TileSays::Missing, |scores| {
            TileSays::Scores(&scores.values, scores.stamp)
        })
    }
}
