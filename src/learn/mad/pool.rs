//! What of a parent's tokens lies under each child.

use burn::tensor::Tensor;

use crate::learn::sampling::{CHILDREN, GRID};

/// Mean of the tokens inside each child's square of the parent: z^L_uv of methods 2.2.
///
/// `tokens` is \[B, g², D\] row by row, g a multiple of four; the answer is \[B · 16, D\], family
/// by family, children row by row.
pub fn under_children(tokens: Tensor<3>) -> Tensor<2> {
    let [families, count, width] = tokens.dims();
    let grid = count.isqrt();
    let side = grid / GRID;
    tokens
        .reshape([families, GRID, side, GRID, side, width])
        .mean_dims(&[2, 4])
        .reshape([families * CHILDREN, width])
}

/// Mean of all tokens of each tile, \[B, T, D\] → \[B, D\]: z^H_uv where the tile is a child.
pub fn over_tile(tokens: Tensor<3>) -> Tensor<2> {
    tokens.mean_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_child_gets_the_tokens_of_its_square() {
        // A token's value tells its family, its row and its column.
        let value = |family: usize, row: usize, column: usize| {
            (family * 10_000 + row * 100 + column) as f32
        };
        let mut tokens = Vec::new();
        for family in 0..2 {
            for place in 0..64 {
                tokens.push(value(family, place / 8, place % 8));
            }
        }
        let data = TensorData::new(tokens, [2, 64, 1]);
        let pooled = under_children(Tensor::from_data(data, &Device::flex()));
        let pooled: Vec<f32> = pooled.into_data().try_to_vec().unwrap();
        for (place, found) in pooled.iter().enumerate() {
            let (family, child) = (place / 16, place % 16);
            let (row, column) = (child / 4 * 2, child % 4 * 2);
            // The middle of a square of two by two tokens.
            let meant = value(family, row, column) + 50.5;
            assert!((found - meant).abs() < 1e-2, "{place}: {found} for {meant}");
        }
    }
}
