//! Where two maps differ worst.
//!
//! What is narrower than sampling can tell is taken off first. What is left falls into regions,
//! whose px touch at sides or corners. They are ranked by their area times their mean depth, which
//! is how far inside a px lies: of two regions of one area the compact one comes first, where a
//! whole structure is called something else, and a border that moved a little comes late, however
//! long it is. The rank does not depend on the unit of length.

use super::grid::FieldGrid;
use super::opening::opened;
use super::{CompareError, Steps};
use crate::geometry::{ColumnDistances, SlidePoint, SlideRect};

/// Regions that are listed at most.
pub const MOST_REGIONS: usize = 100;

/// Steps that [`regions`] takes.
pub(super) const STEPS: u64 = 3;

const UM2_PER_MM2: f64 = 1e6;

/// A place where two maps differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// What it lies in, level-0 px.
    pub rect: SlideRect,
    /// The place in it that is farthest from its rim, level-0 px.
    pub deepest: SlidePoint,
    /// Its area, µm².
    pub area_um2: f64,
    /// Mean distance of its px to the nearest px outside of it, µm.
    pub depth_um: f64,
    /// The class that the first map most often has where the second has `second`.
    pub first: u8,
    /// The class of the second map in the most frequent pair.
    pub second: u8,
    /// Part of the region that has this pair of classes, 0–1.
    pub share: f64,
}

impl Region {
    /// Its area, mm².
    pub fn area_mm2(&self) -> f64 {
        self.area_um2 / UM2_PER_MM2
    }
}

/// The worst of all regions.
pub(super) struct Found {
    /// Worst first.
    pub worst: Vec<Region>,
    /// Regions there are.
    pub count: usize,
}

/// Px of a row that are all set.
struct Run {
    row: usize,
    start: usize,
    end: usize,
}

/// What is summed over a region.
#[derive(Clone, Default)]
struct Sum {
    px: usize,
    depth_um: f64,
    deepest: (f32, usize),
    /// Its runs.
    runs: Vec<usize>,
}

/// Where two maps with some of `classes` at the same px differ, without what no square of
/// `sliver_px` fits in.
pub(super) fn regions(
    maps: [&[u8]; 2],
    grid: &FieldGrid,
    (classes, sliver_px): (usize, usize),
    steps: &mut Steps,
) -> Result<Found, CompareError> {
    let width = grid.size_px().0;
    let differs: Vec<bool> = maps[0].iter().zip(maps[1]).map(|(a, b)| a != b).collect();
    let differs = opened(&differs, width, sliver_px);
    steps.step()?;
    let runs = runs(&differs, width);
    let sums = sums(&runs, &depths(&differs, grid), width);
    steps.step()?;
    let mut order: Vec<&Sum> = sums.iter().filter(|sum| sum.px > 0).collect();
    let count = order.len();
    // Area times mean depth. Equal ones by place, so that the list is always the same.
    order.sort_by(|a, b| b.depth_um.total_cmp(&a.depth_um));
    order.truncate(MOST_REGIONS);
    let region = |sum: &&Sum| region(sum, &runs, (maps, classes), grid);
    let worst = order.iter().map(region).collect();
    steps.step()?;
    Ok(Found { worst, count })
}

fn runs(mask: &[bool], width: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    for (row, line) in mask.chunks(width).enumerate() {
        let mut start = 0;
        for part in line.chunk_by(|a, b| a == b) {
            let end = start + part.len();
            if part[0] {
                runs.push(Run { row, start, end });
            }
            start = end;
        }
    }
    runs
}

/// µm from each px that is set to the nearest that is not, in order.
fn depths(mask: &[bool], grid: &FieldGrid) -> Vec<f32> {
    let inside: Vec<u32> = (0..)
        .zip(mask)
        .filter_map(|(at, set)| set.then_some(at))
        .collect();
    if inside.is_empty() {
        return Vec::new();
    }
    let columns = ColumnDistances::out_of(mask, grid.size_px().0);
    let mut um = columns.um(&inside, grid.px_um);
    // Without an outside the field is as deep as it is wide.
    let (x_um, y_um) = grid.px_um;
    let most = (grid.x.len() as f64 * x_um).hypot(grid.y.len() as f64 * y_um) as f32;
    um.iter_mut().for_each(|um| *um = um.min(most));
    um
}

/// Sums of connected runs, each under one of its runs; the others are empty.
fn sums(runs: &[Run], depths_um: &[f32], width: usize) -> Vec<Sum> {
    let mut roots = join(runs);
    let mut sums = vec![Sum::default(); runs.len()];
    let mut depths_um = depths_um.iter();
    for (n, run) in runs.iter().enumerate() {
        let sum = &mut sums[root(&mut roots, n)];
        sum.px += run.end - run.start;
        sum.runs.push(n);
        for (column, um) in (run.start..run.end).zip(&mut depths_um) {
            sum.depth_um += f64::from(*um);
            if *um > sum.deepest.0 {
                sum.deepest = (*um, run.row * width + column);
            }
        }
    }
    sums
}

/// Joins runs that touch: of each another one that it belongs to, itself in the end.
fn join(runs: &[Run]) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..runs.len()).collect();
    // The first run of the row above that may still be touched.
    let mut above = 0;
    for (n, run) in runs.iter().enumerate() {
        while runs[above].row + 1 < run.row
            || runs[above].row + 1 == run.row && runs[above].end < run.start
        {
            above += 1;
        }
        let touching = (above..n).take_while(|other| {
            let other = &runs[*other];
            other.row + 1 == run.row && other.start <= run.end
        });
        for other in touching {
            let (a, b) = (root(&mut roots, other), root(&mut roots, n));
            roots[a.max(b)] = a.min(b);
        }
    }
    roots
}

fn root(roots: &mut [usize], mut of: usize) -> usize {
    while roots[of] != of {
        roots[of] = roots[roots[of]];
        of = roots[of];
    }
    of
}

fn region(
    sum: &Sum,
    runs: &[Run],
    (maps, classes): ([&[u8]; 2], usize),
    grid: &FieldGrid,
) -> Region {
    let of = || sum.runs.iter().map(|n| &runs[*n]);
    let rows = of().map(|run| run.row);
    let (top, bottom) = rows.fold((usize::MAX, 0), |(a, b), row| (a.min(row), b.max(row + 1)));
    let left = of().map(|run| run.start).min().unwrap_or_default();
    let right = of().map(|run| run.end).max().unwrap_or_default();
    let ((first, second), px) = most_frequent(of(), maps, classes, grid.size_px().0);
    Region {
        rect: grid.slide_rect(left..right, top..bottom),
        deepest: grid.center(sum.deepest.1),
        area_um2: sum.px as f64 * grid.px_um.0 * grid.px_um.1,
        depth_um: sum.depth_um / sum.px as f64,
        first,
        second,
        share: px as f64 / sum.px as f64,
    }
}

/// The most frequent pair of classes in runs of two maps, of equals the first, and its px.
fn most_frequent<'a>(
    runs: impl Iterator<Item = &'a Run>,
    maps: [&[u8]; 2],
    classes: usize,
    width: usize,
) -> ((u8, u8), u32) {
    let mut counts = vec![0_u32; classes * classes];
    for run in runs {
        let px = run.row * width + run.start..run.row * width + run.end;
        for (a, b) in maps[0][px.clone()].iter().zip(&maps[1][px]) {
            counts[usize::from(*a) * classes + usize::from(*b)] += 1;
        }
    }
    let (pair, px) = counts
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, px)| **px)
        .unwrap_or((0, &0));
    (((pair / classes) as u8, (pair % classes) as u8), *px)
}
