//! The stitcher against sums over the whole picture.

use super::grid::{GridSpec, TileGrid, TileId};
use super::stitch::Stitcher;
use super::test_slide::Painted;
use super::window::window;
use crate::slide::SlideSource as _;

const CLASSES: usize = 3;

fn grid(width: u32, height: u32, blend_px: u32, shifted: bool) -> TileGrid {
    let slide = Painted::new(width, height, Some(1.0), |_, _| [0; 3]);
    let spec = GridSpec {
        mpp: 1.0,
        tile_px: 24,
        halo_px: blend_px.max(4),
        blend_px,
        shifted,
    };
    TileGrid::over(slide.info(), spec).unwrap()
}

/// Scores that are different in every tile, −8 to 8.
fn scores(tile: TileId) -> Vec<f32> {
    let seed = u64::from(tile.row) * 977 + u64::from(tile.column) * 31 + 7;
    let score = |at: u64| {
        let mixed = (seed << 20 | at)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / 2_f32.powi(20) - 8.0
    };
    (0..CLASSES as u64 * 24 * 24).map(score).collect()
}

/// Sums of weights and log-probabilities over a picture, in f64.
type Reference = (Vec<f64>, Vec<[f64; CLASSES]>);

fn reference(grid: &TileGrid, run: &dyn Fn(TileId) -> bool) -> Reference {
    let (width, height) = (grid.size_px.0 as usize, grid.size_px.1 as usize);
    let (mut weights, mut sums) = (
        vec![0.0; width * height],
        vec![[0.0; CLASSES]; width * height],
    );
    let window = window(&grid.spec);
    for tile in all_tiles(grid).filter(|tile| run(*tile)) {
        let scores = scores(tile);
        for (ty, wy) in window.iter().enumerate() {
            for (tx, wx) in window.iter().enumerate() {
                let x = grid.core_start(tile.column) - i64::from(grid.spec.halo_px) + tx as i64;
                let y = grid.core_start(tile.row) - i64::from(grid.spec.halo_px) + ty as i64;
                if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                    let (at, weight) = (y as usize * width + x as usize, f64::from(wx * wy));
                    weights[at] += weight;
                    for (class, sum) in sums[at].iter_mut().enumerate() {
                        *sum += weight * f64::from(scores[(class * 24 + ty) * 24 + tx]);
                    }
                }
            }
        }
    }
    (weights, sums)
}

fn all_tiles(grid: &TileGrid) -> impl Iterator<Item = TileId> + use<> {
    let (columns, rows) = (grid.columns(), grid.rows());
    (0..rows).flat_map(move |row| (0..columns).map(move |column| TileId { column, row }))
}

fn log_softmax(scores: &[f64; CLASSES], weight: f64) -> [f64; CLASSES] {
    let means = scores.map(|score| score / weight);
    let norm = means.iter().map(|mean| mean.exp()).sum::<f64>().ln();
    means.map(|mean| mean - norm)
}

/// Log-probabilities of the picture; each px is given at most once, and none where nothing was run.
fn stitched(grid: &TileGrid, run: &dyn Fn(TileId) -> bool) -> Vec<Option<Vec<f32>>> {
    let width = grid.size_px.0 as usize;
    let mut out: Vec<Option<Vec<f32>>> = vec![None; width * grid.size_px.1 as usize];
    let mut stitcher = Stitcher::new(*grid, CLASSES, 0);
    for row in 0..grid.rows() {
        let mut take = |piece: &super::stitch::Piece| {
            for y in piece.y.clone() {
                assert!(grid.band(row).contains(&y));
                for (index, x) in piece.x.clone().enumerate() {
                    let mut logs = Vec::new();
                    if piece.log_probabilities(index, y, &mut logs).is_some() {
                        let before = out[y as usize * width + x as usize].replace(logs);
                        assert!(before.is_none(), "({x}, {y}) twice");
                    }
                }
            }
        };
        for tile in all_tiles(grid).filter(|tile| tile.row == row && run(*tile)) {
            stitcher.push(tile.column, &scores(tile), &mut take);
        }
        stitcher.end_row(&mut take);
    }
    out
}

#[test]
fn rows_of_tiles_give_what_the_whole_picture_gives() {
    let holes = |tile: TileId| !(tile.column * 7 + tile.row * 5).is_multiple_of(3);
    let row_hole = |tile: TileId| tile.row != 1 || tile.column == 2;
    let all = |_: TileId| true;
    let which: [&dyn Fn(TileId) -> bool; 3] = [&all, &holes, &row_hole];
    for (width, height) in [(1, 1), (16, 16), (17, 33), (71, 50), (80, 64)] {
        for (blend_px, shifted) in [(0, false), (0, true), (3, false), (4, true), (6, true)] {
            for run in which {
                let grid = grid(width, height, blend_px, shifted);
                let (weights, sums) = reference(&grid, run);
                for (at, logs) in stitched(&grid, run).iter().enumerate() {
                    assert_eq!(logs.is_some(), weights[at] > 0.0, "{grid:?} at {at}");
                    let Some(logs) = logs else { continue };
                    let expected = log_softmax(&sums[at], weights[at]);
                    for (log, expected) in logs.iter().zip(expected) {
                        assert!(
                            (f64::from(*log) - expected).abs() < 1e-5,
                            "{log} {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_begun_one_above_is_the_same_bit_for_bit() {
    let all = |_: TileId| true;
    for grid in [4, 6].map(|blend_px| grid(71, 80, blend_px, false)) {
        let whole = stitched(&grid, &all);
        for first in 1..grid.rows() {
            let below = |tile: TileId| tile.row + 1 >= first;
            let top = grid.band(first).start as usize * 71;
            let begun = stitched(&grid, &below);
            assert!(whole[top..] == begun[top..], "{grid:?} from row {first}");
        }
    }
}
