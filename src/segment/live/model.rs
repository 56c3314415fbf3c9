//! What a network looks like from the live engine: features that are kept, scores of them.

use super::canvas::TileScores;
use crate::labels::LabelClass;
use crate::model::dfa::Features;
use crate::segment::model::{ModelError, RgbTile};
use crate::segment::network::Network;

/// A network cut where the bias comes in. Called on one thread only.
///
/// A tile's features and scores must not depend on which other tiles are in its batch.
pub trait LiveModel {
    /// What is kept of a tile.
    type Features;

    /// Its scores under a bias, wherever they are.
    type Scores: TileScores;

    /// Side of the tiles that it takes, px.
    fn tile_px(&self) -> u32;

    /// Its classes, K.
    fn classes(&self) -> &[LabelClass];

    /// What does not depend on the bias, tile by tile.
    ///
    /// # Errors
    /// When the network can't be run.
    fn encode(&mut self, tiles: &[RgbTile]) -> Result<Vec<Self::Features>, ModelError>;

    /// For each tile K × S × S scores under a bias: class by class, rows from the top. `offsets` are
    /// added to the scores of each class after all else.
    ///
    /// # Errors
    /// When the network can't be run.
    fn decode(
        &mut self,
        kept: &[&Self::Features],
        bias: &[f32],
        offsets: &[f32],
    ) -> Result<Vec<Self::Scores>, ModelError>;

    /// Bytes that features take.
    fn bytes(kept: &Self::Features) -> u64;
}

impl LiveModel for Network {
    type Features = Features;
    type Scores = Vec<f32>;

    fn tile_px(&self) -> u32 {
        self.side_px()
    }

    fn classes(&self) -> &[LabelClass] {
        self.class_list()
    }

    fn encode(&mut self, tiles: &[RgbTile]) -> Result<Vec<Features>, ModelError> {
        self.encode_tiles(tiles)
    }

    fn decode(
        &mut self,
        kept: &[&Features],
        bias: &[f32],
        offsets: &[f32],
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        self.decode_tiles(kept, bias, offsets)
    }

    fn bytes(kept: &Features) -> u64 {
        kept.bytes() as u64
    }
}
