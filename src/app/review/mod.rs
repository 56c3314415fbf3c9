//! Two maps held against each other, and what a reviewer says of where they differ.

mod compare;
mod paint;
mod work;

pub use compare::{CompareWork, Reviewed};
pub use paint::{colour_of, paint};

use std::sync::Arc;

use crate::annotate::{Decision, Verdict};
use crate::geometry::SlideRect;
use crate::segment::compare::Region;

/// What is held against what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReviewOf {
    /// What the model says at a magnification and a factor of 4 coarser.
    #[default]
    Agreement,
    /// What the model says and a mask.
    Mask,
}

impl ReviewOf {
    /// What verdicts are called in files.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Mask => "mask",
        }
    }
}

/// What is asked of a review; part of [`super::command::Command`].
#[derive(Debug, Clone, PartialEq)]
pub enum ReviewCommand {
    /// Compare what the active view shows.
    Compare(ReviewOf),
    /// Stop comparing.
    Stop,
    /// Give the list up.
    Close,
    /// Go to a region, by its place in the list.
    Visit(usize),
    /// Go to the next region, or the first.
    Next,
    /// Go to the one before, or the last.
    Previous,
    /// Say something of the region, with a note.
    Judge(Decision, String),
    /// Write a note to the region's verdict.
    Note(String),
    /// Take the region's verdict back.
    Unjudge,
}

/// How far a comparison is.
#[derive(Default)]
pub enum ReviewState {
    /// Nothing is asked for.
    #[default]
    Nothing,
    /// The model is still at work on the field.
    Waiting(ReviewOf),
    /// The maps are being compared.
    Comparing(CompareWork),
    /// Done.
    Done(Arc<Reviewed>),
}

/// A review.
#[derive(Default)]
pub struct Review {
    /// How far it is.
    pub state: ReviewState,
    /// The region that is visited.
    pub at: Option<usize>,
}

impl Review {
    /// What was found, once it is.
    pub fn found(&self) -> Option<&Arc<Reviewed>> {
        match &self.state {
            ReviewState::Done(found) => Some(found),
            _ => None,
        }
    }

    /// The region that is visited.
    pub fn region(&self) -> Option<&Region> {
        self.found()?.comparison.regions.get(self.at?)
    }
}

/// The verdict on a region, of those that were given.
pub fn verdict_on<'a>(
    verdicts: &'a [Verdict],
    found: &Reviewed,
    region: &SlideRect,
) -> Option<&'a Verdict> {
    verdicts.iter().find(|verdict| {
        let is_there = verdict.region == *region && verdict.kind == found.of.kind();
        is_there
            && verdict.model_hash == found.model_hash
            && verdict.magnifications == found.magnifications
    })
}
