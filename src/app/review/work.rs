//! Carries out what is asked of a review.

use std::sync::Arc;

use super::compare::{CompareWork, MapToCompare, Question};
use super::{ReviewCommand, ReviewOf, ReviewState};
use crate::app::App;
use crate::app::command::{CameraMove, Command};
use crate::app::masks::Shown;
use crate::app::overlay::{AnalysisMode, OverlayCommand};
use crate::geometry::SlideRect;
use crate::segment::compare::LiveMap;
use crate::segment::live::{Analysis, LayerKey};

/// A region fills this share of the view when it is visited.
const REGION_SHARE: f64 = 0.35;

/// A visited region is not shown closer than this, µm per screen px: 40x.
const CLOSEST_UM: f64 = 0.25;

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_review(&mut self, command: ReviewCommand) {
        if !matches!(command, ReviewCommand::Judge(_) | ReviewCommand::Unjudge) {
            // What is typed is about what was visited until now.
            self.keep_note();
        }
        let found = self.state.review.found();
        let regions = found.map_or(0, |found| found.comparison.regions.len());
        let at = self.state.review.at;
        match command {
            ReviewCommand::Compare(of) => self.compare(of),
            ReviewCommand::Stop | ReviewCommand::Close => self.end_review(),
            ReviewCommand::Visit(index) => self.visit(index),
            ReviewCommand::VisitVerdict(id) => self.visit_verdict(id),
            ReviewCommand::Next if regions > 0 => {
                self.visit(at.map_or(0, |at| (at + 1) % regions));
            }
            ReviewCommand::Previous if regions > 0 => {
                self.visit(at.map_or(regions - 1, |at| (at + regions - 1) % regions));
            }
            ReviewCommand::Next | ReviewCommand::Previous | ReviewCommand::KeepNote => {}
            ReviewCommand::Judge(decision) => self.judge(decision),
            ReviewCommand::Unjudge => self.unjudge(),
            ReviewCommand::Withdraw(id) => self.withdraw(id),
        }
    }

    fn compare(&mut self, of: ReviewOf) {
        self.end_review();
        self.state.review.state = ReviewState::Waiting(of);
        self.state.overlay.shown = true;
        let mode = self.state.overlay.mode;
        let is_agreement = mode == AnalysisMode::Agreement;
        if of == ReviewOf::Agreement {
            self.state.masks.shown = Shown::Model;
            self.state.review.mode_before = (!is_agreement).then_some(mode);
            let mode = OverlayCommand::SetMode(AnalysisMode::Agreement);
            self.apply(Command::Overlay(mode));
        } else if is_agreement {
            let mode = OverlayCommand::SetMode(AnalysisMode::Follow);
            self.apply(Command::Overlay(mode));
        }
    }

    /// Gives the comparison up, and what was drawn for it. What was said stays.
    pub(in crate::app) fn end_review(&mut self) {
        self.keep_note();
        let ended = std::mem::take(&mut self.state.review);
        self.note_is_of_visited();
        self.drop_difference();
        let (masks, overlay) = (&mut self.state.masks, &mut self.state.overlay);
        if masks.shown == Shown::Difference {
            masks.shown = match masks.open {
                Some(_) => Shown::Mask,
                None => Shown::Model,
            };
        }
        if let (Some(mode), AnalysisMode::Agreement) = (ended.mode_before, overlay.mode) {
            overlay.mode = mode;
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
        self.end_review();
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
        (self.state.review.at, self.state.review.kept) = (Some(index), None);
        self.note_is_of_visited();
        if self.slide_hash(self.state.active).as_ref() == Some(&found.slide) {
            self.look_at(&region.rect);
        }
    }

    /// Brings the active slide's place to the middle.
    pub(super) fn look_at(&mut self, rect: &SlideRect) {
        let active = self.state.active;
        self.apply(Command::Camera(active, CameraMove::CenterOn(rect.center())));
        let mpp_um = self.state.mpp(active).map(|mpp| mpp.x);
        let Some(view) = self.state.view(active) else {
            return;
        };
        let fit =
            (rect.width() / view.size.width).max(rect.height() / view.size.height) / REGION_SHARE;
        let wanted = mpp_um.map_or(fit, |um| fit.max(CLOSEST_UM / um));
        let factor = view.slide_px_per_screen_px / wanted;
        if factor.is_finite() && factor > 0.0 {
            self.apply(Command::Camera(active, CameraMove::Zoom(factor)));
        }
    }
}

const NO_PAIR: &str = "this slide and model have no two magnifications a factor of 4 apart";
