//! What the engine knows of one slide.

use std::collections::HashMap;
use std::sync::Arc;

use super::basis::ColourBasis;
use super::sample::Sample;
use super::sheet::TokenSheet;
use crate::segment::grid::{GridError, TileId};
use crate::segment::live::MAGNIFICATIONS;
use crate::segment::live::local_tissue::LocalTissue;
use crate::segment::model::RgbTile;
use crate::slide::{SlideError, SlideSource};

/// 10x, by its place in [`MAGNIFICATIONS`].
const SCALE_10X: u8 = 2;

/// A slide at work.
pub struct SlideWork {
    slide: Arc<dyn SlideSource>,
    tissue: LocalTissue,
    sheets: HashMap<u8, TokenSheet>,
    /// Sides of tiles and patches, px.
    sides_px: (u32, u32),
    /// The scale of the sample and of the search: 10x, or the next coarser where the slide has no
    /// px as fine as that.
    pub anchor: u8,
    /// What the colours are made of.
    pub sample: Sample,
    /// The colours, once they are settled.
    pub basis: Option<ColourBasis>,
    /// Tiles at the anchor that were looked at for the present search.
    pub swept: u64,
}

impl SlideWork {
    /// Nothing looked at. `sides_px`: of tiles and of patches.
    ///
    /// # Errors
    /// When the slide has no scale or is coarser than all magnifications.
    pub fn open(
        slide: &Arc<dyn SlideSource>,
        fill_um: f64,
        sides_px: (u32, u32),
    ) -> Result<Self, GridError> {
        let at = |scale: u8| TokenSheet::new(slide.as_ref(), sides_px, mpp(scale));
        let (anchor, sheet) = match at(SCALE_10X) {
            Ok(sheet) => (SCALE_10X, sheet),
            Err(_) => (SCALE_10X + 1, at(SCALE_10X + 1)?),
        };
        Ok(Self {
            slide: Arc::clone(slide),
            tissue: LocalTissue::new(Arc::clone(slide), fill_um),
            sample: Sample::of(&sheet),
            sheets: HashMap::from([(anchor, sheet)]),
            sides_px,
            anchor,
            basis: None,
            swept: 0,
        })
    }

    /// Cuts the slide for a scale where that was not done before.
    ///
    /// # Errors
    /// When the slide has no px as fine as that.
    pub fn open_sheet(&mut self, scale: u8) -> Result<&TokenSheet, GridError> {
        if !self.sheets.contains_key(&scale) {
            let sheet = TokenSheet::new(self.slide.as_ref(), self.sides_px, mpp(scale))?;
            self.sheets.insert(scale, sheet);
        }
        Ok(&self.sheets[&scale])
    }

    /// The slide as it was cut for a scale.
    pub fn sheet(&self, scale: u8) -> Option<&TokenSheet> {
        self.sheets.get(&scale)
    }

    /// Notes that a tile has no tokens, and why if it failed.
    pub fn without(&mut self, scale: u8, tile: TileId, reason: Option<String>) {
        if let Some(sheet) = self.sheets.get_mut(&scale) {
            sheet.without.insert(tile, reason);
        }
    }

    /// Which tokens of a tile's core lie near tissue, row by row.
    ///
    /// # Errors
    /// When the slide can't be read there.
    pub fn near(&mut self, scale: u8, tile: TileId) -> Result<Vec<bool>, SlideError> {
        let Some(sheet) = self.sheets.get(&scale) else {
            return Ok(Vec::new());
        };
        let (x, y) = sheet.core(tile);
        self.tissue.near_px(sheet.token_um(), &x, &y)
    }

    /// Reads a tile with its halo.
    ///
    /// # Errors
    /// When the slide can't be read there.
    pub fn read(&self, scale: u8, tile: TileId) -> Result<RgbTile, SlideError> {
        let sheet = self.sheets.get(&scale).ok_or_else(|| SlideError::Scale {
            slide: self.slide.info().name.clone(),
            reason: "it was not cut for that magnification".to_owned(),
        })?;
        let origin = sheet.grid.origin_um(tile);
        let spec = &sheet.grid.spec;
        RgbTile::read(self.slide.as_ref(), origin, spec.mpp, spec.tile_px)
    }
}

fn mpp(scale: u8) -> f64 {
    MAGNIFICATIONS[usize::from(scale).min(MAGNIFICATIONS.len() - 1)].mpp()
}
