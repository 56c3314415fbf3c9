//! Features for others than the overlay, from the same store.

use std::collections::hash_map::Entry;
use std::time::Instant;

use super::{Engine, LiveModel, MAGNIFICATIONS, RgbTile, Sheet, TileId, TileKey};
use crate::segment::error::SegmentError;
use crate::segment::grid::GridError;
use crate::slide::SlideSource;

impl<M: LiveModel, P> Engine<M, P> {
    /// How a slide is cut for the magnification at a place of [`MAGNIFICATIONS`].
    ///
    /// # Errors
    /// When the slide has no scale or no px as fine as that.
    pub fn sheet(
        &mut self,
        slide: &dyn SlideSource,
        slide_id: u64,
        scale: u8,
    ) -> Result<&Sheet, GridError> {
        let tile_px = self.model.tile_px();
        match self.sheets.entry((slide_id, scale)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let mpp = MAGNIFICATIONS[usize::from(scale)].mpp();
                Ok(new.insert(Sheet::new(slide, tile_px, mpp)?))
            }
        }
    }

    /// Features of tiles, in their order: those that are kept; the others are read, encoded and kept
    /// from now on.
    ///
    /// # Errors
    /// When the slide can't be cut or read like that, or the model fails.
    pub fn features_of(
        &mut self,
        slide: &dyn SlideSource,
        slide_id: u64,
        scale: u8,
        tiles: &[TileId],
    ) -> Result<Vec<M::Features>, SegmentError>
    where
        M::Features: Clone,
    {
        let grid = self.sheet(slide, slide_id, scale)?.grid;
        let key = |tile: TileId| TileKey {
            slide: slide_id,
            scale,
            tile,
        };
        let kept = tiles
            .iter()
            .map(|tile| self.features.get(&key(*tile)).cloned());
        let mut all: Vec<Option<M::Features>> = kept.collect();
        let new: Vec<usize> = (0..all.len()).filter(|n| all[*n].is_none()).collect();
        if !new.is_empty() {
            let started = Instant::now();
            let read = new.iter().map(|n| {
                let origin = grid.origin_um(tiles[*n]);
                RgbTile::read(slide, origin, grid.spec.mpp, grid.spec.tile_px)
            });
            let read = read.collect::<Result<Vec<_>, _>>()?;
            for (n, features) in new.iter().zip(self.model.encode(&read)?) {
                let bytes = M::bytes(&features);
                self.features.put(key(tiles[*n]), features.clone(), bytes);
                all[*n] = Some(features);
            }
            self.pace.encoded(new.len(), started.elapsed());
        }
        Ok(all.into_iter().flatten().collect())
    }
}
