//! Dials that were saved: used again, exchanged as files, removed.

use egui::{Button, RichText, TextEdit, Ui};

use super::icons::{self, Icon};
use super::widgets::cut;
use crate::annotate::Preset;
use crate::app::command::Command;
use crate::app::file_for::FileFor;
use crate::app::marks::MarkCommand;
use crate::app::state::{AppState, Fields};
use crate::jobs::live::LiveModelFacts;

/// Draws the list, and the fields to save the dials as they are.
pub fn show(
    ui: &mut Ui,
    state: &AppState,
    facts: &LiveModelFacts,
    fields: &mut Fields,
    out: &mut Vec<Command>,
) {
    egui::CollapsingHeader::new(RichText::new("Presets"))
        .id_salt("presets")
        .show(ui, |ui| {
            for (index, preset) in state.marks.presets.iter().enumerate() {
                ui.push_id(index, |ui| row(ui, index, preset, facts, out));
            }
            save(ui, fields, out);
        });
}

fn row(ui: &mut Ui, index: usize, preset: &Preset, facts: &LiveModelFacts, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let fits = preset.model_hash == facts.sha256;
        let button = Button::new(cut(&preset.name, 24));
        let response = ui.add_enabled(fits, button);
        let response = match fits {
            true if preset.note.is_empty() => response.on_hover_text("Set the dials to these"),
            true => response.on_hover_text(&preset.note),
            false => response.on_disabled_hover_text("Made with the weights of another model"),
        };
        if response.clicked() {
            out.push(Command::Marks(MarkCommand::UsePreset(index)));
        }
        ui.label(RichText::new(cut(&preset.note, 24)).small().weak());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let name = format!("Remove the preset {}", preset.name);
            let close = icons::button(ui, Icon::Close, &name, false);
            egui::Popup::menu(&close).show(|ui| {
                if ui.button("Remove it for good").clicked() {
                    out.push(Command::Marks(MarkCommand::RemovePreset(index)));
                }
            });
            if ui.small_button("Export…").clicked() {
                let id = (preset.name.clone(), preset.model_hash.clone());
                out.push(Command::Choose(FileFor::DialsOut(id)));
            }
        });
    });
}

fn save(ui: &mut Ui, fields: &mut Fields, out: &mut Vec<Command>) {
    let (name, note) = &mut fields.preset;
    ui.horizontal(|ui| {
        let edit = TextEdit::singleline(name)
            .hint_text("Name")
            .desired_width(110.0);
        ui.add(edit).accessible_name("Name of the preset");
        let edit = TextEdit::singleline(note).hint_text("Stain, scanner");
        ui.add(edit.desired_width(f32::INFINITY))
            .accessible_name("Stain or scanner of the preset");
    });
    ui.horizontal(|ui| {
        let button = ui.add_enabled(!name.trim().is_empty(), Button::new("Save the dials"));
        if button.clicked() {
            let command = MarkCommand::SavePreset(std::mem::take(name), std::mem::take(note));
            out.push(Command::Marks(command));
        }
        if ui
            .button("Import…")
            .on_hover_text("Dials from a file")
            .clicked()
        {
            out.push(Command::Choose(FileFor::DialsIn));
        }
    });
}
