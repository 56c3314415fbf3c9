//! Where an image token lies in its tile, as numbers.

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};

/// Waves across a tile: of the longest and of the shortest.
const WAVES: (f64, f64) = (0.5, 4.0);

/// Sines and cosines of a token's row and column, \[1, g², D\]; D is a multiple of 4.
///
/// A quarter of the channels each holds sin and cos of the column, sin and cos of the row, at
/// geometric frequencies from half a wave to four across the tile (four is what a grid of 8 can
/// tell apart). Positions are relative to the tile, so that every grid sees the waves that were
/// trained. SAM draws its frequencies at random and must store them; these are the same for every
/// weights file and on every machine, at any width.
pub fn places(grid: usize, width: usize, device: &Device) -> Tensor<3> {
    let quarter = width / 4;
    let along: Vec<Vec<f32>> = (0..grid).map(|n| waves(n, grid, quarter)).collect();
    let cells = (0..grid * grid).flat_map(|n| [&along[n % grid], &along[n / grid]]);
    let values: Vec<f32> = cells.flatten().copied().collect();
    Tensor::from_data(TensorData::new(values, [1, grid * grid, width]), device)
}

/// Sines, then cosines, of one row or column.
fn waves(n: usize, grid: usize, count: usize) -> Vec<f32> {
    let place = (n as f64 + 0.5) / grid as f64;
    let step = (count.max(2) - 1) as f64;
    let (longest, shortest) = WAVES;
    let phase = |k: usize| TAU * place * longest * (shortest / longest).powf(k as f64 / step);
    let sines = (0..count).map(|k| phase(k).sin() as f32);
    sines
        .chain((0..count).map(|k| phase(k).cos() as f32))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(grid: usize, width: usize) -> Vec<Vec<f32>> {
        let places = places(grid, width, &Device::flex());
        assert_eq!(places.dims(), [1, grid * grid, width]);
        let values: Vec<f32> = places.into_data().try_to_vec().unwrap();
        values.chunks(width).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn every_place_differs_and_rows_are_no_columns() {
        for (grid, width) in [(8, 32), (5, 8), (16, 128)] {
            let rows = rows(grid, width);
            for (n, a) in rows.iter().enumerate() {
                for b in &rows[n + 1..] {
                    let apart: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
                    assert!(apart > 1e-2);
                }
            }
            // In one row, the columns' half alone changes.
            let half = width / 2;
            assert_eq!(rows[0][half..], rows[grid - 1][half..]);
            assert_eq!(rows[0][..half], rows[grid][..half]);
        }
    }

    #[test]
    fn the_middle_of_a_tile_is_the_same_on_every_odd_grid() {
        assert_eq!(rows(1, 16)[0], rows(3, 16)[4]);
    }
}
