//! How far the boundaries of two maps lie apart.
//!
//! A boundary px of a class has it and touches, across one of its four sides, a px of another
//! class. The edge of the field and the rim of what only one map knows are no boundaries.

use serde::Serialize;

use super::grid::FieldGrid;
use super::{CompareError, Steps};
use crate::geometry::ColumnDistances;
use crate::labels::is_class;

/// Of each boundary px of either map, how far the nearest one of the same class lies in the other.
///
/// Near the field's edge the nearest one may lie beyond it, so that distances there are the
/// greatest they can be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Displacement {
    /// Median, µm.
    pub median_um: f64,
    /// Mean, µm.
    pub mean_um: f64,
    /// 95 % are no farther, µm.
    pub p95_um: f64,
    /// Boundary px of both maps that were measured.
    pub px: u64,
    /// Boundary px of classes that have no boundary in the other map: not measured.
    pub alone_px: u64,
}

/// Steps that [`displacements`] takes.
pub(super) fn steps(classes: usize) -> u64 {
    2 + 2 * classes as u64
}

/// Of each of `classes` and of all together, between two maps with classes at the same px.
pub(super) fn displacements(
    maps: [&[u8]; 2],
    grid: &FieldGrid,
    classes: usize,
    steps: &mut Steps,
) -> Result<(Vec<Option<Displacement>>, Option<Displacement>), CompareError> {
    let mut edges = Vec::new();
    for map in maps {
        edges.push(boundaries(map, grid.size_px().0, classes));
        steps.step()?;
    }
    let (mut each, mut all, mut all_alone) = (Vec::new(), Vec::new(), 0);
    for (first, second) in edges[0].iter().zip(&edges[1]) {
        let (mut um, mut alone) = (Vec::new(), 0);
        for (from, to) in [(first, second), (second, first)] {
            match to.is_empty() {
                true => alone += from.len() as u64,
                false => um.extend(away(from, to, grid)),
            }
            steps.step()?;
        }
        all.extend_from_slice(&um);
        all_alone += alone;
        each.push(displacement(um, alone));
    }
    Ok((each, displacement(all, all_alone)))
}

/// Places of the boundary px of each class, in order.
fn boundaries(map: &[u8], width: usize, classes: usize) -> Vec<Vec<u32>> {
    let mut of_class = vec![Vec::new(); classes];
    let rows: Vec<&[u8]> = map.chunks(width).collect();
    for (y, row) in rows.iter().enumerate() {
        // At an edge a px is its own neighbour.
        let above = rows[y.saturating_sub(1)];
        let below = rows[(y + 1).min(rows.len() - 1)];
        for (x, code) in row.iter().enumerate() {
            let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(width - 1)]);
            let around = [left, right, above[x], below[x]];
            if around == [*code; 4] || !is_class(*code) {
                continue;
            }
            if around.iter().any(|other| other != code && is_class(*other)) {
                of_class[usize::from(*code)].push((y * width + x) as u32);
            }
        }
    }
    of_class
}

fn away(from: &[u32], to: &[u32], grid: &FieldGrid) -> Vec<f32> {
    if from.is_empty() {
        return Vec::new();
    }
    let set = to.iter().map(|at| *at as usize);
    ColumnDistances::new(grid.size_px(), set).um(from, grid.px_um)
}

/// What distances say; `None` where there are none.
fn displacement(mut um: Vec<f32>, alone_px: u64) -> Option<Displacement> {
    if um.is_empty() {
        return None;
    }
    let px = um.len();
    let sum: f64 = um.iter().map(|um| f64::from(*um)).sum();
    let mut quantile = |share: f64| {
        let rank = ((share * px as f64).ceil() as usize).clamp(1, px);
        let (_, um, _) = um.select_nth_unstable_by(rank - 1, f32::total_cmp);
        f64::from(*um)
    };
    Some(Displacement {
        median_um: quantile(0.5),
        mean_um: sum / px as f64,
        p95_um: quantile(0.95),
        px: px as u64,
        alone_px,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{NOT_ANALYSED, Raster};
    use std::ops::ControlFlow;

    fn grid(width: u32, height: u32) -> FieldGrid {
        FieldGrid {
            raster: Raster {
                slide_px_per_px: (1.0, 1.0),
                size_px: (width, height),
            },
            x: 0..width,
            y: 0..height,
            px_um: (0.5, 2.0),
        }
    }

    type Measured = (Vec<Option<Displacement>>, Option<Displacement>);

    fn measured(maps: [&[u8]; 2], grid: &FieldGrid, classes: usize) -> Measured {
        let mut go_on = |_, _| ControlFlow::Continue(());
        displacements(maps, grid, classes, &mut Steps::new(9, &mut go_on)).unwrap()
    }

    #[test]
    fn a_border_that_moved_is_as_far_away_as_it_moved() {
        let grid = grid(40, 30);
        let split = |at: usize, across: bool| -> Vec<u8> {
            let code = |n: usize| u8::from(if across { n % 40 } else { n / 40 } >= at);
            (0..1200).map(code).collect()
        };
        for (across, um) in [(true, 1.5), (false, 6.0)] {
            let (first, second) = (split(12, across), split(15, across));
            let (each, all) = measured([&first, &second], &grid, 2);
            let along = if across { 30 } else { 40 };
            for (found, px) in each.iter().chain([&all]).zip([2, 2, 4]) {
                let found = found.unwrap();
                assert_eq!((found.median_um, found.p95_um), (um, um));
                assert!((found.mean_um - um).abs() < 1e-9);
                assert_eq!((found.px, found.alone_px), (px * along, 0));
            }
            let same = measured([&first, &first], &grid, 2).1.unwrap();
            assert_eq!((same.mean_um, same.p95_um), (0.0, 0.0));
        }
    }

    #[test]
    fn rims_of_the_unknown_are_no_boundaries_and_a_class_alone_has_no_distance() {
        let grid = grid(9, 1);
        let first = [0, 0, NOT_ANALYSED, 1, 1, 1, 2, 2, 2];
        let second = [0, 0, NOT_ANALYSED, 1, 1, 1, 1, 1, 1];
        let (each, all) = measured([&first, &second], &grid, 3);
        assert_eq!((each, all), (vec![None; 3], None));
        let second = [0, 0, NOT_ANALYSED, 1, 1, 0, 0, 0, 0];
        let (each, all) = measured([&first, &second], &grid, 3);
        // Class 1 ends in column 5 of the one, in column 4 of the other.
        let of_one = each[1].unwrap();
        assert_eq!((of_one.mean_um, of_one.px, of_one.alone_px), (0.5, 2, 0));
        assert_eq!((each[0], each[2]), (None, None));
        assert_eq!(
            all.unwrap().alone_px,
            2,
            "one of class 0 and one of class 2"
        );
    }
}
