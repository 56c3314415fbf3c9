//! What cells are painted from, and who paints them: the processor, or others on the graphics card.

use std::ops::Range;

use super::cell::{Blend, TileSays};
use super::field::{CellPlace, Sheet};
use super::layer::LayerKey;
use super::paint::{Ground, Painter, is_newer, write_cell};
use super::published::{Published, SharedLayers};
use crate::segment::fusion::Fusion;
use crate::segment::grid::TileId;
use crate::segment::model::{ModelError, all_finite};

/// A tile's scores, wherever they are.
pub trait TileScores {
    /// Bytes that they take.
    fn bytes(&self) -> u64;

    /// Whether all are numbers, as far as that is known without looking for long. Px whose scores
    /// turn out not to be are painted as failed.
    fn are_finite(&self) -> bool;
}

impl TileScores for Vec<f32> {
    fn bytes(&self) -> u64 {
        size_of_val(self.as_slice()) as u64
    }

    fn are_finite(&self) -> bool {
        all_finite(self)
    }
}

/// A rectangle of a sheet's px and what the tiles with a say on it say, row by row.
pub struct Part<'a, S> {
    /// The sheet.
    pub sheet: &'a Sheet,
    /// Its scale, by its place in [`super::MAGNIFICATIONS`].
    pub scale: u8,
    /// Columns of px.
    pub x: Range<u32>,
    /// Rows of px.
    pub y: Range<u32>,
    /// Which px lie near tissue, rows from the top.
    pub near: Vec<bool>,
    /// The tiles with a say.
    pub tiles: Vec<(TileId, TileSays<'a, S>)>,
}

/// How much is known of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The oldest bias that went into it; `u64::MAX` where no tile was asked.
    pub stamp: u64,
    /// Whether tiles are missing.
    pub is_partial: bool,
    /// Whether tiles failed.
    pub has_failed: bool,
}

impl<S> Part<'_, S> {
    /// How much is known.
    pub fn known(&self) -> Known {
        let mut known = Known {
            stamp: u64::MAX,
            is_partial: false,
            has_failed: false,
        };
        for (_, says) in &self.tiles {
            match says {
                TileSays::Scores(_, stamp) => known.stamp = known.stamp.min(*stamp),
                TileSays::Nothing => {}
                TileSays::Failed => known.has_failed = true,
                TileSays::Missing => known.is_partial = true,
            }
        }
        known
    }
}

impl Part<'_, Vec<f32>> {
    fn ground(self, classes: usize) -> Ground {
        let says = |tile: TileId| {
            let found = self.tiles.iter().find(|(id, _)| *id == tile);
            found.map_or(TileSays::Missing, |(_, says)| *says)
        };
        let (sheet, px) = (self.sheet, (self.x, self.y));
        Ground {
            scale: self.scale,
            blend: Blend::of(&sheet.grid, &sheet.window, classes, px, says),
            near: self.near,
        }
    }
}

/// A cell that is to be painted, and all that it follows from.
pub struct CellWork<'a, S> {
    /// The map.
    pub layer: LayerKey,
    /// Where in its pages.
    pub place: CellPlace,
    /// What tiles say of its px.
    pub fine: Part<'a, S>,
    /// What they say of the coarser px around, where the map is fused or compared with such.
    pub context: Option<Part<'a, S>>,
}

impl<S> CellWork<'_, S> {
    /// The stamp that its px deserve: 0 where something is missing.
    pub fn stamp(&self) -> u64 {
        let fine = self.fine.known();
        let context = self.context.as_ref().map(Part::known);
        let is_partial = fine.is_partial || context.is_some_and(|known| known.is_partial);
        match is_partial {
            true => 0,
            false => fine
                .stamp
                .min(context.map_or(u64::MAX, |known| known.stamp)),
        }
    }

    /// Whether that is no older than what is there. `now`: what is asked for.
    pub fn is_newer(&self, published: &Published, now: u64) -> bool {
        is_newer(published, &self.place, self.stamp().min(now))
    }
}

/// What is the same for all cells.
#[derive(Debug, Clone, Copy)]
pub struct PaintOrder<'a> {
    /// How maps of two scales become one.
    pub fusion: &'a Fusion,
    /// Number of classes, K.
    pub classes: usize,
    /// The class whose probability is kept; none: that of the px's own class.
    pub shown_class: Option<usize>,
    /// What is asked for, which cells deserve on which no tile had a say.
    pub now: u64,
}

/// Who paints cells. Called on one thread only.
pub trait CellPainter {
    /// What it paints from.
    type Scores: TileScores;

    /// Paints cells into the pages of `layers`, unless what is there is newer. When this returns,
    /// they can be drawn; px in memory may come later.
    ///
    /// # Errors
    /// When nothing can be painted any more.
    fn paint(
        &mut self,
        cells: Vec<CellWork<'_, Self::Scores>>,
        order: PaintOrder<'_>,
        layers: &SharedLayers,
    ) -> Result<(), ModelError>;

    /// Brings px in memory up to what is drawn, but for at most the last `under_way` calls of
    /// [`Self::paint`]; for those before it waits.
    ///
    /// # Errors
    /// When nothing can be painted any more.
    fn settle(&mut self, layers: &SharedLayers, under_way: usize) -> Result<(), ModelError> {
        let _ = (layers, under_way);
        Ok(())
    }
}

/// Paints on the processor.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnProcessor;

impl CellPainter for OnProcessor {
    type Scores = Vec<f32>;

    fn paint(
        &mut self,
        cells: Vec<CellWork<'_, Vec<f32>>>,
        order: PaintOrder<'_>,
        layers: &SharedLayers,
    ) -> Result<(), ModelError> {
        let painter = Painter {
            fusion: order.fusion,
            shown_class: order.shown_class,
        };
        for cell in cells {
            let fine = cell.fine.ground(order.classes);
            let context = cell.context.map(|part| part.ground(order.classes));
            let (texels, stamp) = painter.paint(cell.layer.analysis, &fine, context.as_ref());
            if let Some(published) = layers.lock().get_mut(&cell.layer) {
                write_cell(published, &cell.place, &texels, stamp, order.now);
            }
        }
        Ok(())
    }
}
