//! Mask logits at the tile's own pixels.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// Bilinear resampling of \[B, K, s, s\] to \[B, K, tile_px, tile_px\] as PyTorch's `interpolate`
/// with `align_corners=False` does it.
pub fn to_tile(logits: Tensor<4>, tile_px: usize) -> Tensor<4> {
    let device = logits.device();
    let on_processor = device == Device::flex() && !device.is_autodiff();
    let by_rows = on_processor.then(|| by_rows(&logits, tile_px)).flatten();
    by_rows.unwrap_or_else(|| as_products(logits, tile_px))
}

/// A pixel between two samples: the first, the second, and the second's share, 0–1.
pub type Between = (usize, usize, f32);

/// Which of `from` samples each of `to` samples lies between; beyond the edge, on the edge's own.
pub fn neighbours(from: usize, to: usize) -> impl Iterator<Item = Between> {
    let last = from.saturating_sub(1);
    (0..to).map(move |n| {
        let place = ((n as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let first = (place as usize).min(last);
        let share = (place - first as f64).min(1.0) as f32;
        (first, (first + 1).min(last), share)
    })
}

/// Row by row on the processor: each value is touched twice, where a matrix product goes through all
/// samples of its row and column. None of numbers that are no f32.
fn by_rows(logits: &Tensor<4>, tile_px: usize) -> Option<Tensor<4>> {
    let [batch, classes, rows, columns] = logits.dims();
    let small = logits.to_data();
    let small = small.as_slice::<f32>().ok()?;
    let down: Vec<Between> = neighbours(rows, tile_px).collect();
    let across: Vec<Between> = neighbours(columns, tile_px).collect();
    let mut large = vec![0.0; batch * classes * tile_px * tile_px];
    let planes = large.par_chunks_mut((tile_px * tile_px).max(1));
    planes
        .zip(small.par_chunks((rows * columns).max(1)))
        .for_each(|(large, small)| {
            let mut wide = Vec::with_capacity(rows * tile_px);
            for row in small.chunks(columns) {
                wide.extend(widened(row, &across));
            }
            for (row, (first, second, share)) in large.chunks_mut(tile_px).zip(&down) {
                let at = |n: usize| &wide[n * tile_px..(n + 1) * tile_px];
                let pairs = at(*first).iter().zip(at(*second));
                for (value, (first, second)) in row.iter_mut().zip(pairs) {
                    *value = first * (1.0 - share) + second * share;
                }
            }
        });
    let large = TensorData::new(large, [batch, classes, tile_px, tile_px]);
    Some(Tensor::from_data(large, &logits.device()))
}

fn widened(row: &[f32], across: &[Between]) -> impl Iterator<Item = f32> {
    across
        .iter()
        .map(|(first, second, share)| row[*first] * (1.0 - share) + row[*second] * share)
}

/// As two matrix products: for any device, and differentiable.
fn as_products(logits: Tensor<4>, tile_px: usize) -> Tensor<4> {
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

/// Weights of `from` samples in each of `to` samples, row by row: two neighbours each.
fn weights(from: usize, to: usize) -> Vec<f32> {
    let mut all = vec![0.0; from * to];
    let rows = all.chunks_mut(from.max(1));
    for (row, (first, second, share)) in rows.zip(neighbours(from, to)) {
        row[first] += 1.0 - share;
        row[second] += share;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

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

    #[test]
    fn rows_by_hand_are_the_products() {
        let device = Device::flex();
        for (from, to) in [(32, 128), (5, 12), (4, 4), (1, 3), (12, 8), (3, 1)] {
            let wide = Distribution::Normal(0.0, 3.0);
            let small = Tensor::<4>::random([2, 3, from, from], wide, &device);
            // A part of a larger tensor, whose rows do not lie one after the other.
            let small = small.swap_dims(2, 3).narrow(1, 1, 2);
            let by_hand = by_rows(&small, to).unwrap();
            let apart = (by_hand - as_products(small, to)).abs().max();
            let apart: f32 = apart.into_scalar();
            assert!(apart < 1e-5, "{from}->{to}: {apart}");
        }
    }

    #[test]
    fn gradients_are_those_of_the_products() {
        let device = Device::flex().autodiff();
        let small = Tensor::<4>::ones([1, 2, 3, 3], &device).require_grad();
        let sum = to_tile(small.clone(), 6).sum();
        let gradient = small.grad(&sum.backward()).unwrap();
        let total: f32 = gradient.sum().into_scalar();
        assert!((total - 72.0).abs() < 1e-3, "{total}");
    }
}
