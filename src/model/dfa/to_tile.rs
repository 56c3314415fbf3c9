//! Mask logits at the tile's own pixels.

use burn::tensor::{Tensor, TensorData};

/// Bilinear resampling of \[B, K, s, s\] to \[B, K, tile_px, tile_px\] as PyTorch's `interpolate`
/// with `align_corners=False` does it. Written as two matrix products, exact and differentiable.
pub fn to_tile(logits: Tensor<4>, tile_px: usize) -> Tensor<4> {
    let [batch, classes, rows, columns] = logits.dims();
    let count = batch * classes;
    let along = |from: usize| {
        let data = TensorData::new(weights(from, tile_px), [tile_px, from]);
        Tensor::<2>::from_data(data, &logits.device())
    };
    let wide = logits
        .clone()
        .reshape([count * rows, columns])
        .matmul(along(columns).transpose())
        .reshape([count, rows, tile_px]);
    let tall = along(rows).unsqueeze::<3>().expand([count, tile_px, rows]);
    tall.matmul(wide)
        .reshape([batch, classes, tile_px, tile_px])
}

/// Weights of `from` samples in each of `to` samples, row by row: two neighbours each, the edge's
/// own value beyond it.
fn weights(from: usize, to: usize) -> Vec<f32> {
    let mut all = vec![0.0; from * to];
    let last = from.saturating_sub(1);
    for (n, row) in all.chunks_mut(from.max(1)).enumerate() {
        let place = ((n as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let first = (place as usize).min(last);
        let share = (place - first as f64).min(1.0) as f32;
        row[first] += 1.0 - share;
        row[(first + 1).min(last)] += share;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    fn at(values: &[f32], side: usize, row: f64, column: f64) -> f64 {
        let clamp = |x: f64| x.clamp(0.0, (side - 1) as f64);
        let (row, column) = (clamp(row), clamp(column));
        let (r, c) = (row as usize, column as usize);
        let (dr, dc) = (row - r as f64, column - c as f64);
        let value =
            |r: usize, c: usize| f64::from(values[r.min(side - 1) * side + c.min(side - 1)]);
        let upper = value(r, c) * (1.0 - dc) + value(r, c + 1) * dc;
        let lower = value(r + 1, c) * (1.0 - dc) + value(r + 1, c + 1) * dc;
        upper * (1.0 - dr) + lower * dr
    }

    #[test]
    fn pixels_are_mixed_from_their_four_neighbours() {
        let device = Device::flex();
        for (from, to) in [(8, 32), (5, 12), (4, 4), (1, 3), (12, 8)] {
            let small = Tensor::<4>::random([2, 3, from, from], Distribution::Default, &device);
            let large = to_tile(small.clone(), to);
            assert_eq!(large.dims(), [2, 3, to, to]);
            let small: Vec<f32> = small.into_data().try_to_vec().unwrap();
            let large: Vec<f32> = large.into_data().try_to_vec().unwrap();
            for (n, seen) in large.iter().enumerate() {
                let image = n / (to * to);
                let step = from as f64 / to as f64;
                let place = |n: usize| (n as f64 + 0.5) * step - 0.5;
                let part = &small[image * from * from..];
                let meant = at(part, from, place(n / to % to), place(n % to));
                assert!(
                    (f64::from(*seen) - meant).abs() < 1e-5,
                    "{from}->{to} at {n}"
                );
            }
        }
    }
}
