//! Carries out what is asked of a review.

use std::sync::Arc;

use super::compare::{CompareWork, MapToCompare, Question};
use super::{ReviewCommand, ReviewOf, ReviewState, verdict_on};
use crate::annotate::{AnnotationEdit, Decision, Edit, RecordId, Verdict, now_ms};
use crate::app::App;
use crate::app::command::{CameraMove, Command};
use crate::app::masks::Shown;
use crate::app::overlay::{AnalysisMode, OverlayCommand};
use crate::segment::compare::{LiveMap, Region};
use crate::segment::live::{Analysis, LayerKey};

/// A region fills this share of the view when it is visited.
const REGION_SHARE: f64 = 0.35;

/// A visited region is not shown closer than this, µm per screen px: 40x.
const CLOSEST_UM: f64 = 0.25;

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_review(&mut self, command: ReviewCommand) {
        let regions = self
            .state
            .review
            .found()
            .map(|found| found.comparison.regions.len());
        let regions = regions.unwrap_or(0);
        let at = self.state.review.at;
        match command {
            ReviewCommand::Compare(of) => self.compare(of),
            ReviewCommand::Stop | ReviewCommand::Close => {
                self.state.review = Default::default();
            }
            ReviewCommand::Visit(index) => self.visit(index),
            ReviewCommand::Next if regions > 0 => {
                self.visit(at.map_or(0, |at| (at + 1) % regions));
            }
            ReviewCommand::Previous if regions > 0 => {
                self.visit(at.map_or(regions - 1, |at| (at + regions - 1) % regions));
            }
            ReviewCommand::Next | ReviewCommand::Previous => {}
            ReviewCommand::Judge(decision, note) => self.judge(decision, note),
            ReviewCommand::Note(note) => self.note(note),
            ReviewCommand::Unjudge => self.unjudge(),
        }
    }

    fn compare(&mut self, of: ReviewOf) {
        self.state.review.at = None;
        self.state.review.state = ReviewState::Waiting(of);
        self.state.overlay.shown = true;
        if of == ReviewOf::Agreement {
            self.state.masks.shown = Shown::Model;
            let mode = OverlayCommand::SetMode(AnalysisMode::Agreement);
            self.apply(Command::Overlay(mode));
        } else if self.state.overlay.mode == AnalysisMode::Agreement {
            let mode = OverlayCommand::SetMode(AnalysisMode::Follow);
            self.apply(Command::Overlay(mode));
        }
    }

    /// Starts comparing once the model is done with the field, and takes in what was found.
    pub(in crate::app) fn follow_review(&mut self) {
        match &self.state.review.state {
            ReviewState::Waiting(of) => {
                let of = *of;
                let settled = self
                    .state
                    .overlay
                    .live
                    .as_ref()
                    .map(|live| live.is_settled());
                match settled {
                    None => self.review_failed("no model is open"),
                    Some(true) if self.wish_is_asked() => self.start_comparing(of),
                    Some(_) => {}
                }
            }
            ReviewState::Comparing(work) => match work.take() {
                None => {}
                Some(Ok(found)) => {
                    self.state.review.state = ReviewState::Done(Arc::new(found));
                    self.draw_difference();
                }
                Some(Err(reason)) => self.review_failed(&reason),
            },
            ReviewState::Nothing | ReviewState::Done(_) => {}
        }
    }

    fn review_failed(&mut self, reason: &str) {
        self.state.review.state = ReviewState::Nothing;
        self.tell(format!("The maps can't be compared: {reason}"), true);
    }

    fn start_comparing(&mut self, of: ReviewOf) {
        let started = self.question(of).and_then(|question| {
            let ctx = self.ctx.clone();
            let work = CompareWork::start(question, move || ctx.request_repaint());
            work.map_err(|error| format!("no thread can be started: {error}"))
        });
        match started {
            Ok(work) => self.state.review.state = ReviewState::Comparing(work),
            Err(reason) => self.review_failed(&reason),
        }
    }

    fn question(&self, of: ReviewOf) -> Result<Question, String> {
        let overlay = &self.state.overlay;
        let active = self.state.active;
        let slide = self
            .state
            .pane(active)
            .slide
            .as_ref()
            .ok_or("no slide is open")?;
        let (live, facts) = overlay
            .live
            .as_ref()
            .zip(overlay.facts())
            .ok_or("no model is open")?;
        let slide_number = u64::from(slide.id.0);
        let field = self
            .asked_field(active)
            .ok_or_else(|| self.why_not_analysed())?;
        let classes = overlay.model_classes();
        let model_map = |analysis: Analysis| -> Result<MapToCompare, String> {
            let key = LayerKey {
                slide: slide_number,
                analysis,
            };
            let map = LiveMap::new(live.layers(), key).ok_or("the field is not analysed")?;
            Ok(MapToCompare {
                map: Box::new(map),
                classes: classes.clone(),
            })
        };
        let analysis = field.analysis.class_map();
        let fine = analysis.magnification();
        let (second, name, coarse) = match of {
            ReviewOf::Agreement => {
                let scale = field.analysis.context().ok_or(NO_PAIR)?;
                let coarse = Analysis::Plain(scale);
                let magnification = coarse.magnification();
                (model_map(coarse)?, magnification.to_string(), magnification)
            }
            ReviewOf::Mask => {
                let mask = self.state.masks.open.as_ref().ok_or("no mask is open")?;
                let map = MapToCompare {
                    map: Box::new(Arc::clone(&mask.labels)),
                    classes: mask.labels.classes().to_vec(),
                };
                (map, mask.name.clone(), fine)
            }
        };
        Ok(Question {
            of,
            names: [analysis.to_string(), name],
            slide: slide.source.info().hash.clone(),
            slide_number,
            mpp: self.state.mpp(active).ok_or("the slide has no scale")?,
            model_hash: facts.sha256.clone(),
            magnifications: (fine.0, coarse.0),
            field: field.seen,
            maps: [model_map(analysis)?, second],
        })
    }

    fn why_not_analysed(&self) -> String {
        let reason = self.state.overlay.reason.clone();
        reason.unwrap_or_else(|| "the field is not analysed".to_owned())
    }

    /// Brings a region to the middle, at a magnification that shows it and what is around it.
    fn visit(&mut self, index: usize) {
        let found = self.state.review.found().cloned();
        let Some(found) = found else {
            return;
        };
        let Some(region) = found.comparison.regions.get(index) else {
            return;
        };
        self.state.review.at = Some(index);
        let verdicts = self.state.marks.verdicts(&found.slide);
        let note = verdict_on(verdicts, &found, &region.rect);
        self.fields.review_note = note.map_or_else(String::new, |verdict| verdict.note.clone());
        let active = self.state.active;
        if self.slide_hash(active).as_ref() != Some(&found.slide) {
            return;
        }
        let center = region.rect.center();
        self.apply(Command::Camera(active, CameraMove::CenterOn(center)));
        self.zoom_to(region, found.mpp.x);
    }

    fn zoom_to(&mut self, region: &Region, mpp_um: f64) {
        let active = self.state.active;
        let Some(view) = self.state.view(active) else {
            return;
        };
        let fit = (region.rect.width() / view.size.width)
            .max(region.rect.height() / view.size.height)
            / REGION_SHARE;
        let wanted = fit.max(CLOSEST_UM / mpp_um);
        let factor = view.slide_px_per_screen_px / wanted;
        if factor.is_finite() && factor > 0.0 {
            self.apply(Command::Camera(active, CameraMove::Zoom(factor)));
        }
    }

    fn judge(&mut self, decision: Decision, note: String) {
        let Some((found, region)) = self.visited() else {
            return;
        };
        let verdicts = self.state.marks.verdicts(&found.slide);
        let before = verdict_on(verdicts, &found, &region.rect).cloned();
        let px_um2 = found.mpp.x * found.mpp.y;
        let after = Verdict {
            id: before
                .as_ref()
                .map_or_else(RecordId::random, |before| before.id),
            region: region.rect,
            area_px: region.area_um2 / px_um2,
            kind: found.of.kind().to_owned(),
            score: region.area_um2 * region.depth_um,
            decision,
            note: note.trim().to_owned(),
            model_hash: found.model_hash.clone(),
            magnifications: found.magnifications,
            created_ms: now_ms(),
        };
        let edit = AnnotationEdit::Verdict(Edit {
            before,
            after: Some(after),
        });
        self.edit_marks(&found.slide, vec![edit]);
    }

    /// Writes a note to a verdict that was given; without one it waits for the verdict.
    fn note(&mut self, note: String) {
        let Some((found, region)) = self.visited() else {
            return;
        };
        let verdicts = self.state.marks.verdicts(&found.slide);
        let given = verdict_on(verdicts, &found, &region.rect);
        if let Some(decision) = given.filter(|v| v.note != note.trim()).map(|v| v.decision) {
            self.judge(decision, note);
        }
    }

    fn unjudge(&mut self) {
        let Some((found, region)) = self.visited() else {
            return;
        };
        let verdicts = self.state.marks.verdicts(&found.slide);
        if let Some(before) = verdict_on(verdicts, &found, &region.rect).cloned() {
            let edit = AnnotationEdit::Verdict(Edit {
                before: Some(before),
                after: None,
            });
            self.edit_marks(&found.slide, vec![edit]);
        }
    }

    fn visited(&self) -> Option<(Arc<super::Reviewed>, Region)> {
        let found = Arc::clone(self.state.review.found()?);
        Some((found, self.state.review.region()?.clone()))
    }
}

const NO_PAIR: &str = "this slide and model have no two magnifications a factor of 4 apart";
