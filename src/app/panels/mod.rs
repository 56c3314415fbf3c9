//! Panels and dialogs: they draw the state and emit commands, nothing else.

use egui::{Frame, Margin, Panel as EguiPanel, Ui};

use super::command::{Command, Panel};
use super::log::LogBuffer;
use super::state::{AppState, Fields};

mod associated;
mod bias;
mod colours;
mod display;
mod dropped;
mod folder_lister;
mod go_to;
mod icons;
mod keys_help;
mod log;
mod mask_codes;
mod masks;
mod metadata;
mod model;
mod model_card;
mod notice;
mod open_menu;
mod open_path;
mod presets;
mod properties;
mod review;
mod scale;
mod similar;
mod status;
mod strokes;
mod toolbar;
mod tuning;
mod verdicts;
mod widgets;
mod writing;

pub(super) use widgets::note_opened;

pub use associated::forget_textures;
pub use folder_lister::FolderLister;
pub use go_to::GoToUnit;
pub use log::LeastLevel;

/// Width of the side panel, points.
const SIDE_WIDTH: f32 = 330.0;

/// Lays out what surrounds the views; what is left of `ui` is theirs.
pub fn show_around(
    ui: &mut Ui,
    state: &AppState,
    fields: &mut Fields,
    log: &LogBuffer,
    out: &mut Vec<Command>,
) {
    let thin = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 5));
    EguiPanel::top("toolbar")
        .frame(thin)
        .show(ui, |ui| toolbar::show(ui, state, fields, out));
    let low = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 3));
    EguiPanel::bottom("status")
        .frame(low)
        .show(ui, |ui| status::show(ui, state, fields, out));
    if state.shows(Panel::Log) {
        EguiPanel::bottom("log")
            .resizable(true)
            .default_size(170.0)
            .size_range(80.0..=500.0)
            .show(ui, |ui| log::show(ui, state, fields, log, out));
    }
    show_side(ui, state, fields, out);
    scale::show_banner(ui, state, fields, out);
    dropped::show_banner(ui, state, fields, out);
    notice::show(ui, state, fields, out);
    writing::show(ui, state, fields, out);
}

/// Draws the floating dialogs that are shown.
pub fn show_dialogs(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    keys_help::show(ui, state, fields, out);
    go_to::show(ui, state, fields, out);
    open_path::show(ui, state, fields, out);
    scale::show(ui, state, fields, out);
}

/// The right-hand panel; its sections stand in the order in which they are reached for.
fn show_side(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    let sections: [(Panel, widgets::ShowPanel); 8] = [
        (Panel::Review, review::show),
        (Panel::Similar, similar::show),
        (Panel::Strokes, strokes::show),
        (Panel::Bias, bias::show),
        (Panel::Model, model::show),
        (Panel::Display, display::show),
        (Panel::Associated, associated::show),
        (Panel::Metadata, metadata::show),
    ];
    associated::forget_when_hidden(ui.ctx(), state);
    if !sections.iter().any(|(panel, _)| state.shows(*panel)) {
        return;
    }
    let frame = Frame::side_top_panel(ui.style()).inner_margin(Margin::ZERO);
    let side = EguiPanel::right("side")
        .resizable(true)
        .default_size(SIDE_WIDTH)
        .size_range(270.0..=620.0);
    side.frame(frame).show(ui, |ui| {
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                Frame::NONE
                    .inner_margin(Margin::symmetric(10, 8))
                    .show(ui, |ui| {
                        for (panel, show) in sections {
                            if state.shows(panel) {
                                ui.push_id(panel, |ui| show(ui, state, fields, out));
                            }
                        }
                    });
            });
    });
}
