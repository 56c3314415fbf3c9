//! One map of one field, all at once: for measuring what the engine shows piece by piece.

use std::collections::HashMap;

use super::cell::{Blend, LogMap, TileSays};
use super::field::Sheet;
use super::layer::MAGNIFICATIONS;
use super::model::LiveModel;
use crate::geometry::SlideRect;
use crate::segment::error::SegmentError;
use crate::segment::grid::TileId;
use crate::segment::model::{ModelError, RgbTile};
use crate::slide::SlideSource;

/// Tiles that are encoded or decoded at a time.
const BATCH: usize = 8;

/// The tiles of a field at a magnification, encoded. All tiles are, on glass too.
pub struct StillField<F> {
    sheet: Sheet,
    rect: SlideRect,
    tiles: Vec<(TileId, RgbTile, F)>,
}

impl<F> StillField<F> {
    /// Reads and encodes the tiles with a say on a field, level-0 px, at the magnification at a place
    /// of [`MAGNIFICATIONS`].
    ///
    /// # Errors
    /// When the slide can't be cut or read like that, or the model fails.
    pub fn encode<M: LiveModel<Features = F, Scores = Vec<f32>>>(
        model: &mut M,
        slide: &dyn SlideSource,
        scale: u8,
        rect: SlideRect,
    ) -> Result<Self, SegmentError> {
        let mpp = MAGNIFICATIONS[usize::from(scale)].mpp();
        let sheet = Sheet::new(slide, model.tile_px(), mpp)?;
        let mut tiles = Vec::new();
        if let Some((x, y)) = sheet.wanted_px(&rect, rect.center()) {
            let ids = sheet.tiles(&x, &y, rect.center());
            for ids in ids.chunks(BATCH) {
                let read = |id: &TileId| {
                    RgbTile::read(slide, sheet.grid.origin_um(*id), mpp, model.tile_px())
                };
                let read = ids.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                let kept = model.encode(&read)?;
                tiles.extend(
                    ids.iter()
                        .copied()
                        .zip(read)
                        .zip(kept)
                        .map(|((id, tile), kept)| (id, tile, kept)),
                );
            }
        }
        Ok(Self { sheet, rect, tiles })
    }

    /// The pictures of its tiles.
    pub fn pictures(&self) -> impl Iterator<Item = &RgbTile> {
        self.tiles.iter().map(|(_, tile, _)| tile)
    }

    /// Columns and rows of the map that the field covers.
    pub fn px(&self) -> Option<(std::ops::Range<u32>, std::ops::Range<u32>)> {
        self.sheet.raster.px_in(&self.rect)
    }

    /// Log-probabilities of the field under a bias, by the sums of the engine; `None` beyond the
    /// slide.
    ///
    /// # Errors
    /// When the model fails.
    pub fn logs<M: LiveModel<Features = F, Scores = Vec<f32>>>(
        &self,
        model: &mut M,
        bias: &[f32],
    ) -> Result<Option<LogMap>, ModelError> {
        let offsets = vec![0.0; bias.len()];
        let mut scores = HashMap::new();
        for tiles in self.tiles.chunks(BATCH) {
            let kept: Vec<&F> = tiles.iter().map(|(_, _, kept)| kept).collect();
            let decoded = model.decode(&kept, bias, &offsets)?;
            scores.extend(tiles.iter().map(|(id, ..)| *id).zip(decoded));
        }
        let says = |tile: TileId| match scores.get(&tile) {
            Some(scores) => TileSays::Scores(scores, 1),
            None => TileSays::Missing,
        };
        let (grid, window) = (&self.sheet.grid, &self.sheet.window);
        let blend = |px| Blend::of(grid, window, bias.len(), px, says);
        Ok(self.px().map(|px| LogMap::of(&blend(px))))
    }
}
