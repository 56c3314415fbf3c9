//! The codes of a mask that no file names, to be named here.

use egui::{Button, Checkbox, DragValue, RichText, ScrollArea, TextEdit, Ui};

use super::widgets::fixed_width_label;
use crate::app::command::Command;
use crate::app::file_for::FileFor;
use crate::app::masks::{CodeEdit, MaskCommand, UnnamedCodes};
use crate::app::state::AppState;
use crate::labels::CodeRow;

/// Width of the codes, points: five digits.
const CODE_WIDTH: f32 = 44.0;

/// Width of the names, points.
const TEXT_WIDTH: f32 = 130.0;

/// Of more codes the list is scrolled, points.
const MOST_HEIGHT: f32 = 200.0;

/// Draws the table, where the open mask has one.
pub fn show(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let mask = state.masks.open.as_ref();
    let Some(codes) = mask.and_then(|mask| mask.unnamed.as_ref()) else {
        return;
    };
    let mut asked = Vec::new();
    let list = ScrollArea::vertical().max_height(MOST_HEIGHT);
    list.id_salt("mask codes").show(ui, |ui| {
        for (index, code) in codes.typed.rows().iter().enumerate() {
            row(ui, code, &mut asked);
            if let Some(problem) = codes.typed.problem(index) {
                let colour = ui.visuals().error_fg_color;
                let text = format!("Code {}: {problem}", code.code);
                ui.label(RichText::new(text).small().color(colour));
            }
        }
    });
    if !codes.typed.is_all() {
        add(ui, &mut asked);
    }
    save(ui, codes, out);
    let commands = asked.into_iter().map(MaskCommand::Code);
    out.extend(commands.map(Command::Masks));
}

fn row(ui: &mut Ui, row: &CodeRow, asked: &mut Vec<CodeEdit>) {
    let code = row.code;
    ui.horizontal(|ui| {
        fixed_width_label(ui, &code.to_string(), CODE_WIDTH);
        let mut rgb = row.rgb;
        ui.scope(|ui| {
            ui.spacing_mut().interact_size = egui::vec2(14.0, 14.0);
            let colour = ui.color_edit_button_srgb(&mut rgb);
            let colour = colour.accessible_name(format!("Colour of code {code}"));
            if colour.changed() {
                asked.push(CodeEdit::Colour(code, rgb));
            }
        });
        let mut name = row.name.clone();
        let edit = TextEdit::singleline(&mut name)
            .id_salt(("name of code", code))
            .desired_width(TEXT_WIDTH);
        let edit = ui.add_enabled(!row.is_ignored, edit);
        if edit
            .accessible_name(format!("Name of code {code}"))
            .changed()
        {
            asked.push(CodeEdit::Name(code, name));
        }
        let mut is_ignored = row.is_ignored;
        let tick = ui
            .add(Checkbox::new(&mut is_ignored, "ignored"))
            .on_hover_text("Its px are left out, as if nobody had looked at them");
        if tick
            .accessible_name(format!("Code {code} is ignored"))
            .changed()
        {
            asked.push(CodeEdit::Ignore(code, is_ignored));
        }
    });
}

/// Codes of a tiled file are not all known.
fn add(ui: &mut Ui, asked: &mut Vec<CodeEdit>) {
    let id = ui.scope_id().with("mask code to add");
    let mut code: u16 = ui.data(|data| data.get_temp(id)).unwrap_or(0);
    ui.horizontal(|ui| {
        let field = ui.add(DragValue::new(&mut code));
        field.accessible_name("Code to add");
        let hover = "A code that the mask has and the list has not: of a tiled file only the \
                     coarsest level was looked through";
        if ui
            .small_button("Add the code")
            .on_hover_text(hover)
            .clicked()
        {
            asked.push(CodeEdit::Add(code));
        }
    });
    ui.data_mut(|data| data.insert_temp(id, code));
}

fn save(ui: &mut Ui, codes: &UnnamedCodes, out: &mut Vec<Command>) {
    let saved = codes.typed.class_table();
    ui.horizontal_wrapped(|ui| {
        let can_save = saved.is_ok() && !codes.typed.rows().is_empty();
        let hover = "Write the names to a file, by which \u{201c}Classes…\u{201d} names the codes";
        let button = ui.add_enabled(can_save, Button::new("Save classes…").small());
        if button.on_hover_text(hover).clicked() {
            out.push(Command::Choose(FileFor::MaskClassesOut));
        }
        if saved.is_err() {
            ui.label(
                RichText::new("Nothing is applied until this is mended")
                    .small()
                    .weak(),
            );
        }
    });
}
