//! Exports that the window asks for: drawn and written on threads of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::{FieldOverlay, FieldPicture, LegendClasses, Writing};
use crate::app::App;
use crate::app::masks::Shown;
use crate::app::overlay::{ALL_KNOWN, DialSet};
use crate::app::state::PaneIndex;
use crate::jobs::live::LiveModelFacts;
use crate::model::shipped::STARTER_NOTICE;
use crate::segment::embedding::EmbeddingView;
use crate::segment::export::{MapOrigin, MapSnapshot};
use crate::segment::live::{Analysis, LayerKey};

/// What is asked of exports; part of [`crate::app::command::Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportCommand {
    /// Write what the active view shows as a picture, with scale bar and legend.
    Field(PathBuf),
    /// Write what was analysed of the active slide as a label map.
    Map(PathBuf),
    /// Give up what is being written to a file.
    Stop(PathBuf),
}

/// A map that is ready to be written.
pub struct MapToWrite {
    /// The slide, with the scale that is used for it.
    pub slide: crate::slide::SlideInfo,
    /// The map.
    pub snapshot: MapSnapshot,
    /// The model's classes.
    pub classes: Vec<crate::labels::LabelClass>,
    /// What it was made by.
    pub origin: MapOrigin,
}

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_export(&mut self, command: ExportCommand) {
        match command {
            ExportCommand::Field(path) => match self.field_picture(self.state.active) {
                Some(picture) => {
                    let fonts = self.ctx.fonts(|fonts| fonts.discovered_fonts().to_vec());
                    let writing = self.begin_writing(path, "drawing");
                    self.background.draw_field(writing, picture, fonts);
                }
                None => self.tell("There is no slide to be drawn.".to_owned(), true),
            },
            ExportCommand::Map(path) => {
                if let Some(earlier) = self.map_to_write.clone() {
                    self.end_writing(&earlier);
                }
                let writing = self.begin_writing(path, "waiting for the model");
                self.map_to_write = Some(writing);
                self.follow_export();
            }
            ExportCommand::Stop(path) => {
                let of_path = self.state.writing.iter().filter(|w| w.path() == path);
                of_path.for_each(|writing| writing.stop());
            }
        }
    }

    fn begin_writing(&mut self, path: PathBuf, first: &'static str) -> Arc<Writing> {
        let writing = Arc::new(Writing::new(path, first));
        self.state.writing.push(Arc::clone(&writing));
        writing
    }

    /// A file is written, or is not going to be.
    pub(in crate::app) fn end_writing(&mut self, writing: &Arc<Writing>) {
        self.state
            .writing
            .retain(|other| !Arc::ptr_eq(other, writing));
        if self
            .map_to_write
            .as_ref()
            .is_some_and(|w| Arc::ptr_eq(w, writing))
        {
            self.map_to_write = None;
        }
    }

    /// Writes the map that was asked for once the model is done with all that it was asked: what is
    /// written is of one bias.
    pub(in crate::app) fn follow_export(&mut self) {
        let Some(writing) = self.map_to_write.clone() else {
            return;
        };
        if writing.is_stopped() {
            self.end_writing(&writing);
            return;
        }
        let settled = self
            .state
            .overlay
            .live
            .as_ref()
            .map(|live| live.is_settled());
        match settled {
            Some(true) if self.wish_is_asked() => {
                self.map_to_write = None;
                self.write_map(writing);
            }
            Some(_) => {}
            None => {
                self.end_writing(&writing);
                self.tell("Open a model first: nothing was analysed.".to_owned(), true);
            }
        }
    }

    fn write_map(&mut self, writing: Arc<Writing>) {
        let active = self.state.active;
        let found = self.asked_field(active).and_then(|field| {
            let overlay = &self.state.overlay;
            let (live, facts) = overlay.live.as_ref().zip(overlay.facts())?;
            let analysis = field.analysis.class_map();
            let key = LayerKey {
                slide: field.slide_id,
                analysis,
            };
            Some(MapToWrite {
                slide: field.slide.info().clone(),
                snapshot: MapSnapshot::of(live.layers(), key)?,
                classes: overlay.label_classes(),
                origin: self.origin(facts, analysis),
            })
        });
        match found {
            Some(map) => self.background.write_map(writing, map),
            None => {
                self.end_writing(&writing);
                self.tell("Nothing of this view was analysed.".to_owned(), true);
            }
        }
    }

    fn origin(&self, facts: &LiveModelFacts, analysis: Analysis) -> MapOrigin {
        let dials = &self.state.overlay.dials;
        let mut bias = facts.bias.clone();
        let names = bias.classes().to_vec();
        for (name, value) in names.iter().zip(dials.values(DialSet::Bias)) {
            if let Err(error) = bias.set_offset(name, *value) {
                tracing::error!("{error}");
            }
        }
        MapOrigin {
            model: facts.choice.short_name(),
            decoder_sha256: facts.sha256.clone(),
            encoder_sha256: facts.card.encoder_sha256.clone(),
            bias,
            output_offsets: dials.values(DialSet::Output).to_vec(),
            analysis,
        }
    }

    fn field_picture(&self, pane: PaneIndex) -> Option<FieldPicture> {
        let slide = self.state.pane(pane).slide.as_ref()?;
        Some(FieldPicture {
            slide: self.scaled_source(slide),
            mpp: self.state.mpp(pane),
            view: *self.state.view(pane)?,
            px_per_pt: self.ctx.pixels_per_point(),
            enlarged: 1,
            display: self.state.display,
            overlay: self.field_overlay(pane),
            scale_bar: true,
            legend: LegendClasses::InPicture,
            created: Some(SystemTime::now()),
        })
    }

    fn field_overlay(&self, pane: PaneIndex) -> Option<FieldOverlay> {
        let overlay = &self.state.overlay;
        let layers = self.drawn_layers(pane);
        if layers.is_empty() || !overlay.is_drawn() {
            return None;
        }
        let style = self.drawn_style();
        let is_mask = self.state.masks.shown == Shown::Mask;
        let facts = overlay.facts().filter(|_| !is_mask);
        let analysis = self.asked_field(pane).map(|field| field.analysis);
        let is_starter = !is_mask && overlay.is_starter();
        Some(FieldOverlay {
            before_layers: self.swiped_layers(pane),
            what: self.what_is_drawn(pane),
            heat: self.state.heat_scale(style.content),
            classes: self.drawn_classes(),
            notices: self
                .part_analysed(pane)
                .into_iter()
                .chain(is_starter.then(|| STARTER_NOTICE.to_owned()))
                .collect(),
            origin: facts
                .zip(analysis)
                .map(|(facts, analysis)| self.origin(facts, analysis)),
            notes: Vec::new(),
            layers,
            style,
        })
    }

    /// How much of a pane's field the model has looked at, where that is not all of it.
    fn part_analysed(&self, pane: PaneIndex) -> Option<String> {
        let is_of_model = self.state.masks.shown == Shown::Model;
        let is_active = self.state.active == pane;
        let areas = self.state.overlay.areas.now.as_ref();
        let known = areas.filter(|_| is_of_model && is_active)?.known;
        // Rounded down: 100 % is all.
        (known < ALL_KNOWN)
            .then(|| format!("{:.0} % of the field is analysed", (known * 100.0).floor()))
    }

    /// What the overlay is, in a few words.
    fn what_is_drawn(&self, pane: PaneIndex) -> String {
        let (overlay, masks) = (&self.state.overlay, &self.state.masks);
        let model = overlay
            .facts()
            .map(|facts| facts.choice.short_name())
            .unwrap_or_default();
        let mask = masks
            .open
            .as_ref()
            .map(|mask| mask.name.clone())
            .unwrap_or_default();
        match (self.state.similar.shown, masks.shown) {
            (Some(EmbeddingView::Colours), _) => format!("{model}: colours of embeddings"),
            (Some(EmbeddingView::Likeness), _) => format!("{model}: likeness to a spot"),
            (None, Shown::Mask) => mask,
            (None, Shown::Difference) => format!("where {model} and {mask} differ"),
            (None, Shown::Model) => match self.asked_field(pane) {
                Some(field) => format!("{model}, {}", field.analysis),
                None => model,
            },
        }
    }
}
