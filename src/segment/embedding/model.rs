//! What an encoder looks like from here: tiles in, tokens out.

use crate::segment::model::{ModelError, RgbTile, TileModel};
use crate::segment::network::Network;

/// The tokens of a tile, as the encoder leaves them: not normalised, because what was trained to
/// agree across magnifications is the mean of raw tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenGrid {
    /// Tokens along a side, g.
    pub side: u32,
    /// Values of a token, D.
    pub width: usize,
    /// g² rows of D values, rows of tokens from the top.
    pub values: Vec<f32>,
}

impl TokenGrid {
    /// The token in column `x` and row `y`, each less than `side`.
    pub fn token(&self, x: u32, y: u32) -> &[f32] {
        let at = (y * self.side + x) as usize * self.width;
        &self.values[at..at + self.width]
    }
}

/// An encoder. Called on one thread only.
///
/// A tile's tokens must not depend on which other tiles are in its batch.
pub trait TokenModel {
    /// Side of the tiles that it takes, px.
    fn tile_px(&self) -> u32;

    /// Side of a patch, px; divides the tile's.
    fn patch_px(&self) -> u32;

    /// Values of a token, D.
    fn width(&self) -> usize;

    /// The tokens of each tile.
    ///
    /// # Errors
    /// When the encoder can't be run.
    fn embed(&mut self, tiles: &[RgbTile]) -> Result<Vec<TokenGrid>, ModelError>;
}

impl TokenModel for Network {
    fn tile_px(&self) -> u32 {
        self.side_px()
    }

    fn patch_px(&self) -> u32 {
        self.block_px()
    }

    fn width(&self) -> usize {
        self.token_width()
    }

    fn embed(&mut self, tiles: &[RgbTile]) -> Result<Vec<TokenGrid>, ModelError> {
        let (side, width) = (self.side_px() / self.block_px(), self.token_width());
        let grid = |values| TokenGrid {
            side,
            width,
            values,
        };
        Ok(self.embed_tiles(tiles)?.into_iter().map(grid).collect())
    }
}

/// Runs the encoder and checks what it gives: as many finite numbers as it says.
///
/// # Errors
/// The encoder's own, and one that says what is wrong with its tokens.
pub fn embed_checked<M: TokenModel>(
    model: &mut M,
    tiles: &[RgbTile],
) -> Result<Vec<TokenGrid>, ModelError> {
    let (side, width) = (model.tile_px() / model.patch_px(), model.width());
    let expected = side as usize * side as usize * width;
    let grids = model.embed(tiles)?;
    let fits = |grid: &TokenGrid| {
        (grid.side, grid.width, grid.values.len()) == (side, width, expected)
            && grid.values.iter().all(|value| value.is_finite())
    };
    if grids.len() == tiles.len() && grids.iter().all(fits) {
        return Ok(grids);
    }
    Err(ModelError {
        reason: format!(
            "expected {} grids of {side} x {side} tokens of {width} finite numbers",
            tiles.len()
        ),
    })
}
