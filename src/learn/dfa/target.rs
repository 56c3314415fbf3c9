//! What the masks should be, on the grid on which the loss is taken.

use burn::tensor::{Device, Tensor, TensorData};

/// Label of a pixel that counts for nothing.
pub const IGNORE: u8 = 255;

/// Share of each cell that each class covers, \[B, K, s, s\]: 1 in all for a cell whose pixels all
/// count, less where some are ignored, 0 where all are.
#[derive(Debug, Clone)]
pub struct Target {
    /// The shares, without gradients.
    pub shares: Tensor<4>,
}

impl Target {
    /// Counts `labels`, \[B, S, S\] class indices or [`IGNORE`], in `cells` × `cells` cells a tile.
    /// S is a multiple of `cells`; `classes` are K, and labels from K on are ignored too.
    pub fn of(
        labels: &[u8],
        tile_px: usize,
        cells: usize,
        classes: usize,
        device: &Device,
    ) -> Self {
        let area = tile_px * tile_px;
        let tiles = labels.len() / area.max(1);
        let side = tile_px / cells.max(1);
        let step = 1.0 / (side * side).max(1) as f32;
        let mut shares = vec![0.0_f32; tiles * classes * cells * cells];
        for (tile, labels) in labels.chunks_exact(area.max(1)).enumerate() {
            let shares = &mut shares[tile * classes * cells * cells..][..classes * cells * cells];
            for (y, row) in labels.chunks_exact(tile_px).enumerate() {
                for (x, label) in row.iter().enumerate() {
                    let class = usize::from(*label);
                    if class < classes {
                        shares[(class * cells + y / side) * cells + x / side] += step;
                    }
                }
            }
        }
        let data = TensorData::new(shares, [tiles, classes, cells, cells]);
        Self {
            shares: Tensor::from_data(data, device),
        }
    }

    /// Share of each cell that counts, \[B, 1, s, s\].
    pub fn counted(&self) -> Tensor<4> {
        self.shares.clone().sum_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_the_shares_of_their_pixels() {
        let labels = [
            0, 0, 1, 1, //
            0, 1, 1, IGNORE, //
            2, 2, IGNORE, IGNORE, //
            2, 9, IGNORE, IGNORE,
        ];
        let target = Target::of(&labels, 4, 2, 3, &Device::flex());
        let shares: Vec<f32> = target.shares.clone().into_data().try_to_vec().unwrap();
        assert_eq!(
            shares,
            [
                0.75, 0.0, 0.0, 0.0, //
                0.25, 0.75, 0.0, 0.0, //
                0.0, 0.0, 0.75, 0.0
            ]
        );
        let counted: Vec<f32> = target.counted().into_data().try_to_vec().unwrap();
        assert_eq!(counted, [1.0, 0.75, 0.75, 0.0]);
    }
}
