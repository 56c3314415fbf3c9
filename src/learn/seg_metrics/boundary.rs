//! Where classes end: boundary F1 and how far boundaries lie apart, in microns.
//!
//! A boundary pixel of a class has it and touches, across one of its four sides, a pixel of another
//! class. The edge of the image and the rim of what is ignored are no boundaries. Where truth or
//! prediction is ignored, both are. A boundary pixel whose tolerance reaches into the ignored is not
//! counted on either side: its partner may lie there. (Csurka et al. 2013, with distances that are
//! exact.)

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::check_length;
use super::{IGNORE, MetricsError};
use crate::geometry::ColumnDistances;

/// A class map: rows of `width_px` from the top.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a> {
    /// The class of each pixel, or [`IGNORE`].
    pub codes: &'a [u8],
    /// Pixels of a row.
    pub width_px: usize,
}

/// Boundaries of each class, summed over pieces. Truth and prediction may be two predictions: the
/// figures are the same with the two exchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryTally {
    tolerance_um: f64,
    classes: Vec<ClassTally>,
}

/// One class.
#[derive(Debug, Clone, Default, PartialEq)]
struct ClassTally {
    /// Of the truth and of the prediction.
    sides: [Side; 2],
    distances: Distances,
}

/// Boundary pixels of one map.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Side {
    px: u64,
    /// Those with a pixel of the other map's boundary within the tolerance.
    near_px: u64,
}

impl Side {
    fn share(self) -> f64 {
        self.near_px as f64 / self.px.max(1) as f64
    }
}

/// Bins of distances are this wide, µm.
const BIN_UM: f64 = 0.01;

/// Distances of boundary pixels to the other map's boundary, both ways.
#[derive(Debug, Clone, Default, PartialEq)]
struct Distances {
    sum_um: f64,
    px: u64,
    alone_px: u64,
    /// Pixels by distance in [`BIN_UM`].
    bins: BTreeMap<u32, u64>,
}

/// How far the boundaries of two maps lie apart: of each boundary pixel to the nearest one of the
/// same class in the other map, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Displacement {
    /// Mean distance, µm.
    pub mean_um: f64,
    /// Median distance, µm, to 0.01 µm.
    pub median_um: f64,
    /// Distance below which 95 % lie, µm, to 0.01 µm.
    pub p95_um: f64,
    /// Boundary pixels measured, of both maps.
    pub px: u64,
    /// Boundary pixels without a distance: the other map has no such boundary in that piece.
    pub alone_px: u64,
}

impl Distances {
    fn add(&mut self, um: f64) {
        self.sum_um += um;
        self.px += 1;
        *self.bins.entry((um / BIN_UM).round() as u32).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.sum_um += other.sum_um;
        self.px += other.px;
        self.alone_px += other.alone_px;
        for (bin, count) in &other.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
    }

    /// The distance below or at which `share` of the pixels lie.
    fn quantile_um(&self, share: f64) -> f64 {
        let wanted = (share * self.px as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let mut bins = self.bins.iter();
        let found = bins.find(|(_, count)| {
            below += **count;
            below >= wanted
        });
        found.map_or(0.0, |(bin, _)| f64::from(*bin) * BIN_UM)
    }

    fn report(&self) -> Option<Displacement> {
        (self.px > 0).then(|| Displacement {
            mean_um: self.sum_um / self.px as f64,
            median_um: self.quantile_um(0.5),
            p95_um: self.quantile_um(0.95),
            px: self.px,
            alone_px: self.alone_px,
        })
    }
}

impl BoundaryTally {
    /// Nothing seen yet. Boundary pixels closer than `tolerance_um` to the other map's, or exactly
    /// so far, are right.
    pub fn new(classes: usize, tolerance_um: f64) -> Self {
        Self {
            tolerance_um,
            classes: vec![ClassTally::default(); classes],
        }
    }

    /// Adds a pair of maps of one size at `mpp` µm/px.
    ///
    /// # Errors
    /// When their sizes differ or are no rectangle, or the scale is none.
    pub fn add(&mut self, truth: Map, predicted: Map, mpp: f64) -> Result<(), MetricsError> {
        check_maps(truth, predicted)?;
        check_length("the scale of maps, µm/px,", mpp)?;
        let pairs = truth.codes.iter().zip(predicted.codes);
        let known: Vec<bool> = pairs.map(|(t, p)| *t != IGNORE && *p != IGNORE).collect();
        // A little more, so that 3 px of 0.1 µm are within 0.3 µm.
        let reach_px2 = ((self.tolerance_um / mpp).powi(2) * (1.0 + 1e-9)) as u64;
        let counted = far_from_ignored(&known, truth.width_px, reach_px2);
        let classes = self.classes.par_iter_mut().enumerate();
        classes.for_each(|(class, tally)| {
            let edges = [truth, predicted].map(|map| boundary(map, &known, class));
            tally.add(&edges, &counted, (truth.width_px, reach_px2, mpp));
        });
        Ok(())
    }

    /// Adds what another tally of the same classes and tolerance saw.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.distances.merge(&theirs.distances);
            for (mine, theirs) in mine.sides.iter_mut().zip(theirs.sides) {
                mine.px += theirs.px;
                mine.near_px += theirs.near_px;
            }
        }
    }

    /// The same without the bins of distances, which take memory: medians are no longer known.
    pub(super) fn without_bins(mut self) -> Self {
        for class in &mut self.classes {
            class.distances.bins = BTreeMap::new();
        }
        self
    }

    /// Boundary F1 of a class, 0–1: 2PR / (P + R) of the shares of predicted and of true boundary
    /// pixels that are right. `None` when neither map has a boundary of it; 0 when one alone has.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let [truth, predicted] = self.classes.get(class)?.sides;
        let (recall, precision) = (truth.share(), predicted.share());
        let both = recall + precision;
        (truth.px + predicted.px > 0).then(|| match both > 0.0 {
            true => 2.0 * recall * precision / both,
            false => 0.0,
        })
    }

    /// Mean boundary F1 of the classes that have one.
    pub fn macro_f1(&self) -> Option<f64> {
        let known: Vec<f64> = (0..self.classes.len()).filter_map(|c| self.f1(c)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }

    /// How far the boundaries of a class lie apart; `None` when nowhere both maps have one.
    pub fn displacement(&self, class: usize) -> Option<Displacement> {
        self.classes.get(class)?.distances.report()
    }

    /// The same over the boundaries of all classes.
    pub fn displacement_of_all(&self) -> Option<Displacement> {
        let mut all = Distances::default();
        for class in &self.classes {
            all.merge(&class.distances);
        }
        all.report()
    }
}

impl ClassTally {
    /// Adds the boundaries of both maps in one piece.
    fn add(
        &mut self,
        edges: &[Vec<bool>; 2],
        counted: &[bool],
        (width_px, reach_px2, mpp): (usize, u64, f64),
    ) {
        for (n, side) in self.sides.iter_mut().enumerate() {
            let own = places(counted.len(), |at| edges[n][at] && counted[at]);
            if own.is_empty() {
                continue;
            }
            side.px += own.len() as u64;
            let other = places(counted.len(), |at| edges[1 - n][at]);
            if other.is_empty() {
                self.distances.alone_px += own.len() as u64;
                continue;
            }
            for squared in squared_px(&other, &own, (width_px, counted.len())) {
                side.near_px += u64::from(squared <= reach_px2 as f64);
                self.distances.add(squared.sqrt() * mpp);
            }
        }
    }
}

/// Pixels of a map that `is` holds for, in order.
fn places(px: usize, is: impl Fn(usize) -> bool) -> Vec<u32> {
    (0..px as u32).filter(|at| is(*at as usize)).collect()
}

/// Squared distances, px², from pixels to the nearest of others, in a map of `px` pixels.
fn squared_px(to: &[u32], from: &[u32], (width_px, px): (usize, usize)) -> Vec<f64> {
    let set = to.iter().map(|at| *at as usize);
    ColumnDistances::new((width_px, px / width_px), set).squared(from, 1.0)
}

fn check_maps(truth: Map, predicted: Map) -> Result<(), MetricsError> {
    let rows = truth.codes.len() / truth.width_px.max(1);
    let wanted = [
        ("the first map", truth.codes.len(), rows * truth.width_px),
        ("the second map", predicted.codes.len(), truth.codes.len()),
        (
            "a row of the second map",
            predicted.width_px,
            truth.width_px,
        ),
    ];
    for (what, found, expected) in wanted {
        if found != expected {
            return Err(MetricsError::Length {
                image: "boundaries".to_owned(),
                what,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// Pixels that are known and farther than the reach from any that is not.
fn far_from_ignored(known: &[bool], width_px: usize, reach_px2: u64) -> Vec<bool> {
    let ignored = places(known.len(), |at| !known[at]);
    if known.is_empty() || ignored.is_empty() {
        return known.to_vec();
    }
    let all = places(known.len(), |_| true);
    let squared = squared_px(&ignored, &all, (width_px, known.len()));
    squared.iter().map(|s| *s > reach_px2 as f64).collect()
}

/// Boundary pixels of a class.
fn boundary(map: Map, known: &[bool], class: usize) -> Vec<bool> {
    let (codes, width) = (map.codes, map.width_px);
    let is = |at: usize| usize::from(codes[at]) == class;
    let other = |at: usize| known[at] && !is(at);
    let touches = |at: usize| {
        let x = at % width;
        (x > 0 && other(at - 1))
            || (x + 1 < width && other(at + 1))
            || (at >= width && other(at - width))
            || (at + width < codes.len() && other(at + width))
    };
    let all = 0..codes.len();
    all.map(|at| is(at) && known[at] && touches(at)).collect()
}
