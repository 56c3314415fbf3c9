//! What is said of regions: judgements and notes, kept as they are made.

use super::verdict_on;
use crate::annotate::{AnnotationEdit, Decision, Edit, RecordId, Verdict, now_ms};
use crate::app::App;
use crate::app::keys::{Action, keys_of};
use crate::app::state::Notice;
use crate::slide::SlideHash;

/// How notices of judgements end, after the key.
const TAKES_BACK: &str = " takes it back.";

fn is_of_judgement(notice: &Notice) -> bool {
    notice.text.ends_with(TAKES_BACK)
}

/// What is visited, as it is and as it was before anything was said of it.
struct Visited {
    slide: SlideHash,
    before: Option<Verdict>,
    blank: Verdict,
}

impl App {
    /// Goes to where a verdict was given: the region of the list that it is on, if there is one.
    pub(super) fn visit_verdict(&mut self, id: RecordId) {
        let Some(slide) = self.slide_hash(self.state.active) else {
            return;
        };
        let verdicts = self.state.marks.verdicts(&slide);
        let Some(verdict) = verdicts.iter().find(|verdict| verdict.id == id) else {
            return;
        };
        let rect = verdict.region;
        let found = self.state.review.found();
        let at = found
            .filter(|found| found.slide == slide)
            .and_then(|found| {
                let mut regions = found.comparison.regions.iter();
                regions.position(|region| {
                    verdict_on(verdicts, found, &region.rect).is_some_and(|on| on.id == id)
                })
            });
        let kept = at.is_none().then_some((slide, id));
        (self.state.review.at, self.state.review.kept) = (at, kept);
        self.note_is_of_visited();
        self.look_at(&rect);
    }

    /// The field for the note shows the note on what is visited from now on.
    pub(in crate::app) fn note_is_of_visited(&mut self) {
        let verdict = self.state.review.verdict(&self.state.marks);
        let note = verdict.map_or_else(String::new, |(_, verdict)| verdict.note.clone());
        self.fields.review_note = note;
        if self.state.notice.as_ref().is_some_and(is_of_judgement) {
            self.state.notice = None;
        }
    }

    /// Keeps the note that is typed, with the judgement that was made or without one.
    pub(in crate::app) fn keep_note(&mut self) {
        let verdict = self.state.review.verdict(&self.state.marks);
        let decision = verdict.and_then(|(_, verdict)| verdict.decision);
        self.say(decision);
    }

    pub(super) fn judge(&mut self, decision: Decision) {
        if let Some(verdict) = self.say(Some(decision)) {
            let done = match decision {
                Decision::Accept => "Accepted",
                Decision::Flag => "Flagged",
            };
            let (difference, key) = (verdict.difference(": "), keys_of(&self.ctx, Action::Undo));
            // What else a person should know now stays.
            if self.state.notice.as_ref().is_none_or(is_of_judgement) {
                self.tell(format!("{done}: {difference}. {key}{TAKES_BACK}"), false);
            }
        }
    }

    pub(super) fn unjudge(&mut self) {
        self.say(None);
        self.note_is_of_visited();
    }

    /// Says something of what is visited, with the note that is typed; nothing where that is what
    /// was said before. Without judgement and note, nothing is left of it.
    fn say(&mut self, decision: Option<Decision>) -> Option<Verdict> {
        let Visited {
            slide,
            before,
            blank,
        } = self.visited()?;
        let note = self.fields.review_note.trim().to_owned();
        let said = |verdict: &Verdict| (verdict.decision, verdict.note.clone());
        let is_said = before.as_ref().map(said).unwrap_or_default() == (decision, note.clone());
        if is_said {
            return None;
        }
        let after = (decision.is_some() || !note.is_empty()).then(|| Verdict {
            decision,
            note,
            created_ms: now_ms(),
            ..blank
        });
        let edit = AnnotationEdit::Verdict(Edit {
            before,
            after: after.clone(),
        });
        self.edit_marks(&slide, vec![edit]);
        after
    }

    /// Takes back all that was said of a place.
    pub(super) fn withdraw(&mut self, id: RecordId) {
        let Some(slide) = self.slide_hash(self.state.active) else {
            return;
        };
        let mut verdicts = self.state.marks.verdicts(&slide).iter();
        if let Some(verdict) = verdicts.find(|verdict| verdict.id == id).cloned() {
            let edit = AnnotationEdit::Verdict(Edit {
                before: Some(verdict),
                after: None,
            });
            self.edit_marks(&slide, vec![edit]);
            self.note_is_of_visited();
        }
    }

    fn visited(&self) -> Option<Visited> {
        let review = &self.state.review;
        let before = review.verdict(&self.state.marks);
        let before = before.map(|(slide, verdict)| (slide.clone(), verdict.clone()));
        if let Some((slide, verdict)) = before {
            return Some(Visited {
                slide,
                blank: verdict.clone(),
                before: Some(verdict),
            });
        }
        let (found, region) = (review.found()?, review.region()?);
        Some(Visited {
            slide: found.slide.clone(),
            before: None,
            blank: found.unsaid(region),
        })
    }
}
