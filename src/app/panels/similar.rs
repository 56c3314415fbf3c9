//! Embeddings: their colours, and what looks like a spot.

use egui::{ProgressBar, RichText, Ui};

use super::widgets::{choice, section_end, section_title};
use crate::app::command::{Command, Panel};
use crate::app::similar::SimilarCommand;
use crate::app::state::{AppState, Fields};
use crate::segment::embedding::{EmbeddingView, SearchStatus};

/// Height of the list of matches, points.
const LIST_PT: f32 = 200.0;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Similar tissue", Panel::Similar, out);
    if state.overlay.facts().is_none() {
        let text = "Open a model first: it is its encoder's view of the tissue that is shown.";
        ui.label(RichText::new(text).weak());
        section_end(ui);
        return;
    }
    let mut asked = Vec::new();
    shown(ui, state, &mut asked);
    pick(ui, state, &mut asked);
    progress(ui, state);
    if let Some(search) = &state.similar.status.search {
        matches(ui, state, search, &mut asked);
    }
    out.extend(asked.into_iter().map(Command::Similar));
    section_end(ui);
}

fn shown(ui: &mut Ui, state: &AppState, asked: &mut Vec<SimilarCommand>) {
    ui.horizontal(|ui| {
        let has_query = state.similar.query.is_some();
        for (view, name, hover, enabled) in [
            (None, "Classes", "What the model calls the tissue", true),
            (
                Some(EmbeddingView::Colours),
                "Colours",
                "The three directions in which this slide's embeddings vary most, as red, green \
                 and blue: alike tissue has alike colours, at every magnification",
                true,
            ),
            (
                Some(EmbeddingView::Likeness),
                "Likeness",
                "How much a place looks like the spot that was picked",
                has_query,
            ),
        ] {
            ui.add_enabled_ui(enabled, |ui| {
                let is_shown = state.similar.shown == view;
                if choice(ui, is_shown, name).on_hover_text(hover).clicked() {
                    asked.push(SimilarCommand::Show(view));
                }
            });
        }
    });
}

fn pick(ui: &mut Ui, state: &AppState, asked: &mut Vec<SimilarCommand>) {
    ui.horizontal(|ui| {
        let picking = state.similar.picking;
        let hover = "Then click the spot; or point at it and press C";
        let name = "Find similar: pick a spot";
        if choice(ui, picking, name).on_hover_text(hover).clicked() {
            asked.push(SimilarCommand::Pick(!picking));
        }
        if state.similar.query.is_some() && ui.button("Clear").clicked() {
            asked.push(SimilarCommand::Clear);
        }
    });
}

fn progress(ui: &mut Ui, state: &AppState) {
    let status = &state.similar.status;
    if state.similar.shown.is_none() {
        return;
    }
    if let Some(failure) = &status.failure {
        let colour = ui.visuals().error_fg_color;
        ui.label(RichText::new(failure).small().color(colour));
    }
    let text = match (status.has_colours, status.waiting) {
        (false, _) => "Looking over the slide for what its tissue varies in…".to_owned(),
        (true, 0) => "The field is done".to_owned(),
        (true, waiting) => format!("{waiting} tiles of the field are left"),
    };
    ui.label(RichText::new(text).small().weak());
}

fn matches(ui: &mut Ui, state: &AppState, search: &SearchStatus, asked: &mut Vec<SimilarCommand>) {
    if search.done < search.total {
        let share = search.done as f32 / search.total.max(1) as f32;
        ui.add(ProgressBar::new(share).text("Looking through the slide at 10x"));
    }
    ui.label(RichText::new("Most alike, at 10x:").small().weak());
    egui::ScrollArea::vertical()
        .id_salt("matches")
        .max_height(LIST_PT)
        .show(ui, |ui| {
            for (index, found) in search.matches.iter().enumerate() {
                let is_visited = state.similar.at == Some(index);
                let text = format!("{:>2}  cosine {:.2}", index + 1, found.similarity);
                if choice(ui, is_visited, &text).clicked() {
                    asked.push(SimilarCommand::Visit(index));
                }
            }
        });
}
