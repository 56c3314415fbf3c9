//! From tiles to embeddings in memory.

use burn::tensor::{DataError, Device, Tensor, TensorData};

use super::Tile;
use crate::model::Encoder;
use crate::model::config::ConfigError;
use crate::model::parallel::{forward_in_parts, parts_for};

/// A tile that can't be embedded.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The encoder does not take tiles of that side.
    #[error(transparent)]
    Side(#[from] ConfigError),
    /// A tile is not as large as the others of its batch.
    #[error("a tile of {side_px} px among tiles of {first_px} px")]
    Mixed {
        /// Its side, px.
        side_px: u32,
        /// Side of the first tile, px.
        first_px: u32,
    },
    /// The device gave something else than numbers back.
    #[error("the embeddings can't be read back: {0}")]
    Values(String),
}

/// A square of tokens, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// First column.
    pub column: usize,
    /// First row.
    pub row: usize,
    /// Tokens along a side.
    pub side: usize,
}

impl Block {
    /// The block at (`column`, `row`) where a grid of `grid` tokens a side is cut into
    /// `parts` × `parts` blocks.
    pub fn part(grid: usize, parts: usize, (column, row): (usize, usize)) -> Self {
        let side = grid / parts;
        Self {
            column: column * side,
            row: row * side,
            side,
        }
    }

    /// All tokens of a grid.
    pub fn whole(grid: usize) -> Self {
        Self::part(grid, 1, (0, 0))
    }
}

/// Embeddings of a batch of B tiles, in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Values of one embedding, D.
    pub width: usize,
    /// Tokens along a side of a tile, g.
    pub grid: usize,
    /// One embedding a tile, B × D.
    pub cls: Vec<f32>,
    /// One embedding a patch, rows from the top, B × g² × D.
    pub tokens: Vec<f32>,
}

impl Features {
    /// Embeds `tiles`, all of one side; none gives no embeddings.
    ///
    /// # Errors
    /// When sides differ or the encoder does not take them.
    pub fn of(encoder: &Encoder, tiles: &[Tile], device: &Device) -> Result<Self, FeatureError> {
        let width = encoder.config().width;
        let side = tiles.first().map_or(0, |tile| tile.side_px);
        let mut features = Self {
            width,
            grid: side as usize / encoder.config().patch_px,
            cls: Vec::new(),
            tokens: Vec::new(),
        };
        if !tiles.is_empty() {
            let seen = forward_in_parts(encoder, &batch(tiles, device)?, parts_for(device))?;
            let unreadable = |error: DataError| FeatureError::Values(format!("{error:?}"));
            features.cls = seen.cls.into_data().try_to_vec().map_err(unreadable)?;
            features.tokens = seen.tokens.into_data().try_to_vec().map_err(unreadable)?;
        }
        Ok(features)
    }

    /// Tiles in the batch.
    pub fn count(&self) -> usize {
        self.cls.len() / self.width.max(1)
    }

    /// The embedding of tile `n`; empty beyond the batch.
    pub fn cls(&self, n: usize) -> &[f32] {
        self.cls
            .get(n * self.width..(n + 1) * self.width)
            .unwrap_or(&[])
    }

    /// One token of tile `n`; empty beyond the grid.
    pub fn token(&self, n: usize, (column, row): (usize, usize)) -> &[f32] {
        let at = ((n * self.grid + row) * self.grid + column) * self.width;
        self.tokens.get(at..at + self.width).unwrap_or(&[])
    }

    /// Mean of the tokens of `block` of tile `n`, D values.
    pub fn mean(&self, n: usize, block: Block) -> Vec<f32> {
        let mut sums = vec![0.0_f64; self.width];
        for row in block.row..block.row + block.side {
            for column in block.column..block.column + block.side {
                for (sum, value) in sums.iter_mut().zip(self.token(n, (column, row))) {
                    *sum += f64::from(*value);
                }
            }
        }
        let count = (block.side * block.side).max(1) as f64;
        sums.into_iter().map(|sum| (sum / count) as f32).collect()
    }
}

/// Tiles of one side as \[B, 3, S, S\], sRGB 0–1.
///
/// # Errors
/// When a tile is not as large as the first.
pub fn batch(tiles: &[Tile], device: &Device) -> Result<Tensor<4>, FeatureError> {
    let first_px = tiles.first().map_or(0, |tile| tile.side_px);
    let mut values = Vec::with_capacity(tiles.iter().map(|tile| tile.rgb.len()).sum());
    for tile in tiles {
        let side_px = tile.side_px;
        if side_px != first_px {
            return Err(FeatureError::Mixed { side_px, first_px });
        }
        for channel in 0..3 {
            let of_channel = tile.rgb.iter().skip(channel).step_by(3);
            values.extend(of_channel.map(|value| f32::from(*value) / 255.0));
        }
    }
    let side = first_px as usize;
    let shape = [tiles.len(), 3, side, side];
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EncoderConfig;

    fn plain(side_px: u32, rgb: [u8; 3]) -> Tile {
        let rgb = rgb.repeat((side_px * side_px) as usize);
        Tile { side_px, rgb }
    }

    #[test]
    fn tiles_become_channels_and_tokens_are_found_where_they_are() {
        let device = Device::flex();
        let values: Vec<f32> = batch(&[plain(2, [255, 0, 51])], &device)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        let expected = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.2];
        assert_eq!(values, expected);
        assert!(batch(&[plain(2, [0; 3]), plain(3, [0; 3])], &device).is_err());
        let features = Features {
            width: 1,
            grid: 4,
            cls: vec![0.0; 2],
            tokens: (0..32).map(|n| n as f32).collect(),
        };
        let block = Block::part(4, 2, (1, 0));
        assert_eq!(features.mean(1, block), [(18.0 + 19.0 + 22.0 + 23.0) / 4.0]);
        assert_eq!(features.mean(0, Block::whole(4)), [7.5]);
    }

    #[test]
    fn a_tile_is_embedded_alike_in_every_batch() {
        let device = Device::flex();
        let config = EncoderConfig {
            width: 24,
            depth: 1,
            mlp_width: 48,
            ..EncoderConfig::tiny()
        };
        let encoder = Encoder::new(&config, 1, &device).unwrap();
        let tiles: Vec<Tile> = (0..3).map(|n| plain(32, [90 * n, 120, 40])).collect();
        let together = Features::of(&encoder, &tiles, &device).unwrap();
        let alone = Features::of(&encoder, &tiles[2..], &device).unwrap();
        assert_eq!((together.count(), together.grid), (3, 2));
        for (a, b) in together.cls(2).iter().zip(alone.cls(0)) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
