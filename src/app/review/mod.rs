//! Two maps held against each other, and what a reviewer says of where they differ.

mod compare;
mod judge;
mod paint;
mod work;

pub use compare::{CompareWork, Reviewed};
pub use paint::{badge, marks, paint};

use std::sync::Arc;

use super::marks::Marks;
use super::overlay::AnalysisMode;
use crate::annotate::{Decision, RecordId, Said, Verdict};
use crate::geometry::SlideRect;
use crate::segment::compare::Region;
use crate::slide::SlideHash;

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
    /// Go to where a verdict on the active slide was given.
    VisitVerdict(RecordId),
    /// Go to the next region, or the first.
    Next,
    /// Go to the one before, or the last.
    Previous,
    /// Say something of what is visited, with the note that is typed.
    Judge(Decision),
    /// Take the judgement of what is visited back; a note stays.
    Unjudge,
    /// Keep the note that is typed, with a judgement or without.
    KeepNote,
    /// Take a verdict on the active slide back, with its note.
    Withdraw(RecordId),
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
    /// The verdict that is visited, with its slide, where it is on no region of the list.
    pub kept: Option<(SlideHash, RecordId)>,
    /// At which magnification views were analysed before two were compared, if at another.
    pub mode_before: Option<AnalysisMode>,
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

    /// The verdict on what is visited, and on which slide.
    pub fn verdict<'a>(&'a self, marks: &'a Marks) -> Option<(&'a SlideHash, &'a Verdict)> {
        if let (Some(found), Some(region)) = (self.found(), self.region()) {
            let verdicts = marks.verdicts(&found.slide);
            let verdict = verdict_on(verdicts, found, &region.rect)?;
            return Some((&found.slide, verdict));
        }
        let (slide, id) = self.kept.as_ref()?;
        let mut verdicts = marks.verdicts(slide).iter();
        Some((slide, verdicts.find(|verdict| verdict.id == *id)?))
    }

    /// Whether something is visited that can be judged.
    pub fn is_visiting(&self, marks: &Marks) -> bool {
        self.region().is_some() || self.verdict(marks).is_some()
    }
}

impl Reviewed {
    /// What both maps are called in rows and files: short, as in `40x` or `model`.
    pub fn sides(&self) -> [&str; 2] {
        let [first, second] = &self.names;
        match self.of {
            ReviewOf::Agreement => [first, second],
            ReviewOf::Mask => ["model", second],
        }
    }

    /// What each of both maps says of a region.
    pub fn said(&self, region: &Region) -> [Said; 2] {
        let names = &self.comparison.classes.names;
        let class = |code: u8| names.get(usize::from(code)).map_or("?", String::as_str);
        let [first, second] = self.sides();
        [(first, region.first), (second, region.second)].map(|(map, code)| Said {
            map: map.to_owned(),
            class: class(code).to_owned(),
        })
    }

    /// A region before anything was said of it.
    fn unsaid(&self, region: &Region) -> Verdict {
        Verdict {
            id: RecordId::random(),
            region: region.rect,
            area_px: region.area_um2 / (self.mpp.x * self.mpp.y),
            kind: self.of.kind().to_owned(),
            score: region.area_um2 * region.depth_um,
            said: Box::new(self.said(region)),
            decision: None,
            note: String::new(),
            model_hash: self.model_hash.clone(),
            magnifications: self.magnifications,
            created_ms: 0,
        }
    }
}

/// The verdict on a region, of those that were given.
pub fn verdict_on<'a>(
    verdicts: &'a [Verdict],
    found: &Reviewed,
    region: &SlideRect,
) -> Option<&'a Verdict> {
    let sides = found.sides();
    verdicts.iter().find(|verdict| {
        let is_there = verdict.region == *region && verdict.kind == found.of.kind();
        // Earlier versions did not keep which maps they were.
        let maps = verdict.said.iter().map(|said| said.map.as_str());
        let is_of_maps = maps
            .zip(sides)
            .all(|(map, side)| map.is_empty() || map == side);
        is_there
            && is_of_maps
            && verdict.model_hash == found.model_hash
            && verdict.magnifications == found.magnifications
    })
}
