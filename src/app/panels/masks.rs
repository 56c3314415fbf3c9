//! Masks from elsewhere and pictures of before, held against the overlay.

use egui::{RichText, Ui};

use super::icons::{self, Icon};
use super::mask_codes;
use super::widgets::{choice, cut, fixed_width_label};
use crate::app::command::Command;
use crate::app::file_for::FileFor;
use crate::app::masks::{MaskCommand, Shown, SwipeWith};
use crate::app::state::AppState;
use crate::labels::CodeTable;

/// Width of the names of settings, points.
const NAME_WIDTH: f32 = 76.0;

/// Where a swipe begins, as a share of the view's width.
const FIRST_SWIPE: f32 = 0.5;

/// Draws the part of the model's section that is about masks.
pub fn show(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    mask(ui, state, out);
    mask_codes::show(ui, state, out);
    drawn(ui, state, out);
    swipe(ui, state, out);
    only_of_mask(ui, state);
    save(ui, state, out);
}

fn save(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Save", NAME_WIDTH);
        let hover = "What the view shows, with scale bar and legend, as PNG";
        if ui.button("Picture…").on_hover_text(hover).clicked() {
            out.push(Command::Choose(FileFor::FieldOut));
        }
        let hover = "What was analysed of the slide at this magnification, as label TIFF";
        let button = egui::Button::new("Map…");
        let button = ui.add_enabled(state.overlay.facts().is_some(), button);
        if button.on_hover_text(hover).clicked() {
            out.push(Command::Choose(FileFor::MapOut));
        }
    });
}

fn mask(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Mask", NAME_WIDTH);
        let Some(mask) = &state.masks.open else {
            if state.masks.opening.is_some() {
                ui.label(RichText::new("Opening…").weak());
            } else if ui
                .button("Open a mask…")
                .on_hover_text("A label TIFF or PNG, or QuPath's GeoJSON, of this slide")
                .clicked()
            {
                out.push(Command::Choose(FileFor::Mask));
            }
            return;
        };
        ui.label(cut(&mask.name, 22)).on_hover_text(&mask.name);
        if icons::button(ui, Icon::Close, "Close the mask", false).clicked() {
            out.push(Command::Masks(MaskCommand::Close));
        }
        let hover = "Name the mask's codes by a file (CSV, TOML, JSON)";
        if ui.small_button("Classes…").on_hover_text(hover).clicked() {
            out.push(Command::Choose(FileFor::MaskClasses));
        }
    });
}

fn drawn(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let none = state.masks.open.is_none() && state.masks.difference.is_none();
    if none || state.overlay.facts().is_none() {
        return;
    }
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Draw", NAME_WIDTH);
        for (shown, name, hover) in [
            (Shown::Model, "Model", "What the model says"),
            (Shown::Mask, "Mask", "What the mask says"),
            (
                Shown::Difference,
                "Difference",
                "Where both differ, as far as they were compared (V)",
            ),
        ] {
            let is_there = match shown {
                Shown::Model => true,
                Shown::Mask => state.masks.open.is_some(),
                Shown::Difference => state.masks.difference.is_some(),
            };
            let is_shown = state.masks.shown == shown;
            if !is_there && !is_shown {
                continue;
            }
            if choice(ui, is_shown, name).on_hover_text(hover).clicked() {
                out.push(Command::Masks(MaskCommand::Show(shown)));
            }
        }
    });
}

fn swipe(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let has_model = state.overlay.facts().is_some();
    let has_mask = state.masks.open.is_some() && has_model;
    if !has_model {
        return;
    }
    let now = state.masks.swipe;
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Swipe", NAME_WIDTH);
        ui.spacing_mut().item_spacing.x = 3.0;
        let entry = |ui: &mut Ui, chosen: bool, name: &str, hover: &str| {
            choice(ui, chosen, name).on_hover_text(hover).clicked()
        };
        if entry(ui, now.is_none(), "Off", "One overlay for all of the view") {
            out.push(Command::Masks(MaskCommand::Swipe(None, SwipeWith::Kept)));
        }
        let with = |with: SwipeWith| Command::Masks(MaskCommand::Swipe(Some(FIRST_SWIPE), with));
        let is = |with: SwipeWith| now.is_some_and(|(_, of)| of == with);
        let hover = "To the left, the overlay as it was kept; drag the line in the picture";
        let has_kept = !state.masks.kept.is_empty();
        if has_kept && entry(ui, is(SwipeWith::Kept), "Before", hover) {
            out.push(with(SwipeWith::Kept));
        }
        let hover = "To the left, the mask; drag the line in the picture";
        if has_mask && entry(ui, is(SwipeWith::Mask), "Mask ", hover) {
            out.push(with(SwipeWith::Mask));
        }
        let hover = "Keep the overlay as it is now, to swipe between it and what comes";
        if ui
            .small_button("Keep as before")
            .on_hover_text(hover)
            .clicked()
        {
            out.push(Command::Masks(MaskCommand::Keep));
        }
    });
}

/// The classes that the mask alone has.
fn only_of_mask(ui: &mut Ui, state: &AppState) {
    let Some(mask) = &state.masks.open else {
        return;
    };
    let of_model = state.overlay.model_classes().len();
    // Of a tiled file the codes that were not found are no part of it, as far as is known.
    let is_listed = |name: &str| {
        let typed = mask.unnamed.as_ref().map(|codes| &codes.typed);
        let is_typed = |typed: &CodeTable| typed.rows().iter().any(|row| row.name.trim() == name);
        typed.is_none_or(|typed| typed.is_all() || is_typed(typed))
    };
    let of_mask = mask.classes.iter().skip(of_model);
    for class in of_mask.filter(|class| is_listed(&class.name)) {
        ui.horizontal(|ui| {
            let [r, g, b] = class.rgb;
            let (rect, _) = ui.allocate_exact_size(egui::vec2(14.0, 14.0), egui::Sense::hover());
            let colour = egui::Color32::from_rgb(r, g, b);
            ui.painter().rect_filled(rect, 2.0, colour);
            ui.label(cut(&class.name, 30));
            if of_model > 0 {
                ui.label(RichText::new("in the mask only").small().weak());
            }
        });
    }
}
