//! What people add to slides, as the window knows it: typed scales, strokes, verdicts, presets.

mod brush;
mod paint;
mod presets;
mod work;

pub use brush::{Brush, BrushHand};
pub use paint::{ClassColours, is_in_hand, paint};
pub use presets::{DialPreset, SavedDial};

use std::collections::HashMap;
use std::path::PathBuf;

use super::state::PaneIndex;
use crate::annotate::{
    AnnotationEdit, Change, Edit, History, Preset, RecordId, SlideRecords, StrokeRecord, Verdict,
};
use crate::geometry::{Mpp, SlidePoint};
use crate::jobs::tune::TuneState;
use crate::slide::SlideHash;

/// Steps that can be undone on a slide.
const MOST_STEPS: usize = 500;

/// What is asked of strokes, verdicts and presets; part of [`super::command::Command`].
#[derive(Debug, Clone, PartialEq)]
pub enum MarkCommand {
    /// Take the brush up or lay it down.
    UseBrush(bool),
    /// Paint for a class; none: erase.
    BrushClass(Option<usize>),
    /// The brush's width, points.
    BrushWidth(f32),
    /// The brush goes on to a place of a pane's slide.
    BrushTo(PaneIndex, SlidePoint),
    /// The brush leaves the slide.
    BrushUp,
    /// Erase all strokes of the active slide.
    EraseAll,
    /// Find dials under which the model says of the active slide's strokes what they say.
    Tune,
    /// Stop that, or put its answer away.
    StopTuning,
    /// Set the dials to what was found.
    UseTuned,
    /// Keep the dials as they are under a name, with a note on stain or scanner.
    SavePreset(String, String),
    /// Set the dials to a preset's, by its place in the list.
    UsePreset(usize),
    /// Remove a preset.
    RemovePreset(usize),
    /// Take dials from a file.
    ImportDials(PathBuf),
    /// Write a preset, by its name and the hash of its model, to a file.
    ExportDials((String, String), PathBuf),
    /// Write strokes and verdicts of the active slide to a file.
    Export(PathBuf),
}

/// All that was added, by slide.
#[derive(Default)]
pub struct Marks {
    slides: HashMap<SlideHash, SlideRecords>,
    history: HashMap<SlideHash, History<Vec<AnnotationEdit>>>,
    /// Presets of all models, by name.
    pub presets: Vec<Preset>,
    /// The brush.
    pub brush: Brush,
    /// How far dials are found from strokes, where that was asked for.
    pub tuning: Option<TuneState>,
}

impl Marks {
    /// Takes what is kept of a slide; what is known already stays.
    pub fn take_in(&mut self, slide: &SlideHash, records: SlideRecords) {
        self.slides.entry(slide.clone()).or_insert(records);
    }

    /// The scale that was typed in for a slide.
    pub fn typed_mpp(&self, slide: &SlideHash) -> Option<Mpp> {
        self.slides.get(slide)?.scale
    }

    /// Notes or forgets a typed scale.
    pub fn set_typed_mpp(&mut self, slide: &SlideHash, mpp: Option<Mpp>) -> Change {
        self.slides.entry(slide.clone()).or_default().scale = mpp;
        Change::Scale(slide.clone(), mpp)
    }

    /// All that is known of a slide.
    pub fn of(&self, slide: &SlideHash) -> Option<&SlideRecords> {
        self.slides.get(slide)
    }

    /// Strokes of a slide, in the order in which they were painted.
    pub fn strokes(&self, slide: &SlideHash) -> &[StrokeRecord] {
        self.slides
            .get(slide)
            .map_or(&[], |records| &records.strokes)
    }

    /// Verdicts on a slide.
    pub fn verdicts(&self, slide: &SlideHash) -> &[Verdict] {
        self.slides
            .get(slide)
            .map_or(&[], |records| &records.verdicts)
    }

    /// Makes a step that can be undone; gives what the store has to be told.
    pub fn edit(&mut self, slide: &SlideHash, edits: Vec<AnnotationEdit>) -> Vec<Change> {
        let changes = self.make(slide, &edits);
        let history = self.history.entry(slide.clone());
        history
            .or_insert_with(|| History::new(MOST_STEPS))
            .push(edits);
        changes
    }

    /// Undoes the last step on a slide.
    pub fn undo(&mut self, slide: &SlideHash) -> Vec<Change> {
        let edits = self.history.get_mut(slide).and_then(History::undo);
        self.make(slide, &edits.unwrap_or_default())
    }

    /// Does again what was undone last on a slide.
    pub fn redo(&mut self, slide: &SlideHash) -> Vec<Change> {
        let edits = self.history.get_mut(slide).and_then(History::redo);
        self.make(slide, &edits.unwrap_or_default())
    }

    fn make(&mut self, slide: &SlideHash, edits: &[AnnotationEdit]) -> Vec<Change> {
        let records = self.slides.entry(slide.clone()).or_default();
        for edit in edits {
            match edit {
                AnnotationEdit::Stroke(edit) => edit.apply(&mut records.strokes),
                AnnotationEdit::Verdict(edit) => edit.apply(&mut records.verdicts),
            }
        }
        edits.iter().filter_map(|edit| edit.change(slide)).collect()
    }
}

/// A stroke that is added.
fn added(stroke: StrokeRecord) -> AnnotationEdit {
    AnnotationEdit::Stroke(Edit {
        before: None,
        after: Some(stroke),
    })
}

/// A stroke that is erased.
fn erased(stroke: &StrokeRecord) -> AnnotationEdit {
    AnnotationEdit::Stroke(Edit {
        before: Some(stroke.clone()),
        after: None,
    })
}

/// The strokes of a list with these identities.
fn by_id<'a>(
    strokes: &'a [StrokeRecord],
    ids: &'a [RecordId],
) -> impl Iterator<Item = &'a StrokeRecord> {
    strokes.iter().filter(|stroke| ids.contains(&stroke.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotate::Stroke;

    fn stroke(x: f64) -> StrokeRecord {
        StrokeRecord {
            id: RecordId::random(),
            stroke: Stroke {
                class: "tumor".into(),
                radius_px: 4.0,
                points: vec![SlidePoint::new(x, 0.0)],
            },
            model_hash: "m".into(),
            created_ms: 0,
        }
    }

    #[test]
    fn steps_on_one_slide_leave_the_other_alone_and_the_store_is_told() {
        let (a, b) = (SlideHash("a".into()), SlideHash("b".into()));
        let mut marks = Marks::default();
        let (one, two) = (stroke(1.0), stroke(2.0));
        let told = marks.edit(&a, vec![added(one.clone())]);
        assert_eq!(told, [Change::Stroke(a.clone(), one.clone())]);
        marks.edit(&b, vec![added(two.clone())]);
        let told = marks.edit(&a, vec![erased(&one)]);
        assert_eq!(
            (told, marks.strokes(&a).len()),
            (vec![Change::EraseStroke(one.id)], 0)
        );
        assert_eq!(marks.undo(&a), [Change::Stroke(a.clone(), one.clone())]);
        assert_eq!(marks.undo(&a), [Change::EraseStroke(one.id)]);
        assert_eq!(marks.undo(&a), []);
        assert_eq!(
            (marks.strokes(&a).len(), marks.strokes(&b)),
            (0, &[two][..])
        );
        assert_eq!(marks.redo(&a), [Change::Stroke(a.clone(), one)]);
    }

    #[test]
    fn what_was_done_before_the_file_answered_stays() {
        let slide = SlideHash("a".into());
        let mut marks = Marks::default();
        let change = marks.set_typed_mpp(&slide, Mpp::square(0.25));
        assert_eq!(change, Change::Scale(slide.clone(), Mpp::square(0.25)));
        let kept = SlideRecords {
            scale: Mpp::square(0.5),
            ..SlideRecords::default()
        };
        marks.take_in(&slide, kept.clone());
        assert_eq!(marks.typed_mpp(&slide), Mpp::square(0.25));
        let other = SlideHash("b".into());
        marks.take_in(&other, kept);
        assert_eq!(marks.typed_mpp(&other), Mpp::square(0.5));
    }
}
