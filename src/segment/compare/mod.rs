//! Two label maps of one slide, compared over a field: px by px, boundary by boundary, and where
//! they differ worst.
//!
//! The maps may be two of the live engine's, or one of them and a mask from elsewhere. They are
//! sampled on one grid, which is anchored to the slide.

mod boundary;
mod classes;
mod difference;
mod grid;
mod opening;
mod regions;
mod source;
#[cfg(test)]
mod speed_tests;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

pub use boundary::Displacement;
pub use classes::ClassMatch;
pub use grid::FieldGrid;
pub use regions::{MOST_REGIONS, Region};
pub use source::{LabelMap, LiveMap};

use super::agreement::{Agreement, CodePairs, difference};
use crate::geometry::{Mpp, SlideRect};
use crate::labels::{LabelClass, LabelError, NOT_ANALYSED, is_class};

/// Told how much is done of how much; ends the work with `Break`.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Two maps that can't be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// A map can't be read.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Nothing of the maps lies in the field.
    #[error("the field lies beyond the maps: look at a part of the slide that they cover")]
    NoField,
    /// More classes than codes.
    #[error("both maps together have {count} different classes: {most} can be compared")]
    Classes {
        /// Classes of both.
        count: usize,
        /// The most there may be.
        most: usize,
    },
    /// The caller stopped it.
    #[error("stopped: the maps were not compared")]
    Stopped,
}

/// One of the two maps.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its codes.
    pub map: &'a dyn LabelMap,
    /// What they mean, by index.
    pub classes: &'a [LabelClass],
}

/// How two maps differ over a field.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Where both were sampled.
    pub grid: FieldGrid,
    /// Which classes of one are which of the other. Codes below are indices of its names.
    pub classes: ClassMatch,
    /// How often each pair of classes occurs, the first map's by rows.
    pub pairs: CodePairs,
    /// Px compared, the share that agrees, Dice by class.
    pub agreement: Agreement,
    /// How far the boundaries of each class lie apart; none where one of the maps has none of it.
    pub displacement: Vec<Option<Displacement>>,
    /// The same over the boundaries of all classes.
    pub displacement_of_all: Option<Displacement>,
    /// Where the maps differ, worst first, [`MOST_REGIONS`] at most.
    pub regions: Vec<Region>,
    /// How many such regions there are in all.
    pub regions_found: usize,
    /// Whether something of a map was not yet what is asked for: made for an older bias, or
    /// without all of its tiles.
    pub provisional: bool,
    /// Of each px of the grid [`super::agreement::difference`], rows from the top.
    codes: Vec<u8>,
}

/// Compares what two maps say of a field, level-0 px of a slide of `mpp`.
///
/// Px where one of them has no class count for no figure but [`Agreement::only_one_px`].
///
/// # Errors
/// When a map can't be read, the field lies beyond them, there are too many classes, or `progress`
/// says so.
pub fn compare(
    first: Side,
    second: Side,
    field: &SlideRect,
    mpp: Mpp,
    progress: Progress,
) -> Result<Comparison, CompareError> {
    let classes = ClassMatch::by_name(first.classes, second.classes)?;
    let rasters = [first.map.raster(), second.map.raster()];
    let grid = FieldGrid::over(rasters, field, mpp).ok_or(CompareError::NoField)?;
    let pages = rasters.map(|raster| grid.pages_under(&raster));
    let count = classes.names.len();
    let rest = boundary::steps(count) + regions::STEPS;
    let mut steps = Steps::new(pages[0] + pages[1] + rest, progress);
    let (mut a, a_is_current) = grid.codes(first.map, classes.of_first(), &mut steps)?;
    let (mut b, b_is_current) = grid.codes(second.map, classes.of_second(), &mut steps)?;
    let mut pairs = CodePairs::new(count);
    pairs.add(&a, &b);
    let codes = a.iter().zip(&b).map(|(a, b)| difference(*a, *b)).collect();
    keep_common(&mut a, &mut b);
    let (displacement, displacement_of_all) =
        boundary::displacements([&a, &b], &grid, count, &mut steps)?;
    let sliver_px = grid.sliver_px(rasters);
    let found = regions::regions([&a, &b], &grid, (count, sliver_px), &mut steps)?;
    Ok(Comparison {
        agreement: pairs.agreement(),
        regions: found.worst,
        regions_found: found.count,
        provisional: !(a_is_current && b_is_current),
        grid,
        classes,
        pairs,
        displacement,
        displacement_of_all,
        codes,
    })
}

/// Leaves only px that have a class in both.
fn keep_common(first: &mut [u8], second: &mut [u8]) {
    for (a, b) in first.iter_mut().zip(second) {
        if !(is_class(*a) && is_class(*b)) {
            (*a, *b) = (NOT_ANALYSED, NOT_ANALYSED);
        }
    }
}

/// Small pieces of work, between which it can be stopped.
struct Steps<'a> {
    done: u64,
    total: u64,
    progress: Progress<'a>,
}

impl<'a> Steps<'a> {
    fn new(total: u64, progress: Progress<'a>) -> Self {
        Self {
            done: 0,
            total,
            progress,
        }
    }

    /// One more is done.
    fn step(&mut self) -> Result<(), CompareError> {
        self.done += 1;
        match (self.progress)(self.done.min(self.total), self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CompareError::Stopped),
        }
    }
}
