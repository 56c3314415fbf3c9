//! Learned positions, resampled to the grid of the tile at hand.

use burn::tensor::{Tensor, TensorData};

/// Positions of a square grid at another side.
///
/// `stored` is \[1, G², D\], row by row; the answer is \[1, g², D\]. Bicubic with antialiasing, as
/// timm's `resample_abs_pos_embed` has it: Keys' kernel with a = −0.5, widened where the grid
/// shrinks. Written as two matrix products, so that gradients flow through it.
pub fn resampled(stored: Tensor<3>, from: usize, to: usize) -> Tensor<3> {
    if from == to {
        return stored;
    }
    let width = stored.dims()[2];
    let device = stored.device();
    let data = TensorData::new(weights(from, to), [to, from]);
    let along = Tensor::<2>::from_data(data, &device);
    let rows = along
        .clone()
        .matmul(stored.reshape([from, from * width]))
        .reshape([to, from, width])
        .swap_dims(0, 1)
        .reshape([from, to * width]);
    along
        .matmul(rows)
        .reshape([to, to, width])
        .swap_dims(0, 1)
        .reshape([1, to * to, width])
}

/// Weights of `from` samples in each of `to` samples, row by row.
fn weights(from: usize, to: usize) -> Vec<f32> {
    let step = from as f64 / to as f64;
    let spread = step.max(1.0);
    let row = |n: usize| {
        let centre = step * (n as f64 + 0.5);
        let first = (centre - 2.0 * spread + 0.5).max(0.0) as usize;
        let end = ((centre + 2.0 * spread + 0.5) as usize).min(from);
        let taps: Vec<f64> = (0..from)
            .map(|tap| match (first..end).contains(&tap) {
                true => keys((tap as f64 + 0.5 - centre) / spread),
                false => 0.0,
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        taps.into_iter().map(move |tap| (tap / sum) as f32)
    };
    (0..to).flat_map(row).collect()
}

/// Keys' cubic kernel with a = −0.5 (Keys, 1981).
fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn weights_of_a_sample_sum_to_one_and_keep_a_ramp() {
        for (from, to) in [(8, 16), (8, 5), (37, 16), (14, 14)] {
            let all = weights(from, to);
            for (n, row) in all.chunks(from).enumerate() {
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-5);
                let place: f32 = row.iter().zip(0..).map(|(w, i)| w * i as f32).sum();
                let meant = (n as f32 + 0.5) * from as f32 / to as f32 - 0.5;
                let inner = (2.0 * from as f32 / to as f32).max(2.0) + 1.0;
                if meant > inner && meant < from as f32 - inner {
                    assert!(
                        (place - meant).abs() < 0.05,
                        "{from}->{to}: {place} for {meant}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_stay_rows_and_columns_columns() {
        let device = Device::flex();
        let side = 6;
        let row_and_column: Vec<f32> = (0..side * side)
            .flat_map(|n| [(n / side) as f32, (n % side) as f32])
            .collect();
        let stored = TensorData::new(row_and_column, [1, side * side, 2]);
        let finer = resampled(Tensor::from_data(stored, &device), side, 12);
        let values = finer.into_data().try_to_vec::<f32>().unwrap();
        let at = |row: usize, column: usize| {
            let first = (row * 12 + column) * 2;
            (values[first], values[first + 1])
        };
        assert!((at(6, 3).0 - 2.75).abs() < 0.05, "{:?}", at(6, 3));
        assert!((at(6, 3).1 - 1.25).abs() < 0.05, "{:?}", at(6, 3));
    }
}
