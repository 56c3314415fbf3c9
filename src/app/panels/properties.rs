//! The file's own properties: a list that may be hundreds of lines long.

use egui::{Label, Rect, RichText, TextEdit, Ui, UiBuilder, pos2, vec2};

use super::icons::{self, Icon};
use super::widgets::{copyable, one_line};
use crate::app::command::Command;
use crate::app::state::Fields;
use crate::slide::SlideInfo;

/// Height of a row, points.
const ROW_PT: f32 = 20.0;

/// The names take this share of the width.
const NAME_SHARE: f32 = 0.46;

/// Draws the filter and the properties that pass it.
pub fn show(ui: &mut Ui, info: &SlideInfo, fields: &mut Fields, out: &mut Vec<Command>) {
    let filter = fields.metadata_filter.to_lowercase();
    let shown: Vec<(&str, &str)> = matching(info, &filter).collect();
    ui.horizontal(|ui| {
        let total = info.properties.len();
        let count = if filter.is_empty() {
            format!("{total}")
        } else {
            format!("{} of {total}", shown.len())
        };
        ui.label(RichText::new(format!("Properties ({count})")).strong());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let copy = ui.add_enabled(!shown.is_empty(), egui::Button::new("Copy all"));
            if copy.on_hover_text("Copy the listed properties").clicked() {
                out.push(Command::Copy(as_text(&shown)));
            }
        });
    });
    let edit =
        TextEdit::singleline(&mut fields.metadata_filter).hint_text("Filter names and values");
    ui.add(edit.desired_width(f32::INFINITY))
        .accessible_name("Filter properties");
    ui.add_space(2.0);
    rows(ui, &shown, out);
}

/// The properties that hold `filter`, which is in lower case, in their name or value.
fn matching<'a>(info: &'a SlideInfo, filter: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let holds = move |text: &str| text.to_lowercase().contains(filter);
    let passes =
        move |(name, value): &(&String, &String)| filter.is_empty() || holds(name) || holds(value);
    info.properties
        .iter()
        .filter(passes)
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn as_text(properties: &[(&str, &str)]) -> String {
    properties
        .iter()
        .map(|(name, value)| format!("{name}\t{value}\n"))
        .collect()
}

/// Only rows that can be seen are laid out.
fn rows(ui: &mut Ui, properties: &[(&str, &str)], out: &mut Vec<Command>) {
    let (top, left, width) = (ui.cursor().top(), ui.cursor().left(), ui.available_width());
    let (_, whole) = ui.allocate_space(vec2(width, ROW_PT * properties.len() as f32));
    let clip = ui.clip_rect().intersect(whole);
    if clip.height() <= 0.0 {
        return;
    }
    let first = ((clip.top() - top) / ROW_PT).floor().max(0.0) as usize;
    let last = ((clip.bottom() - top) / ROW_PT).ceil().max(0.0) as usize;
    let visible = properties.iter().enumerate().take(last).skip(first);
    for (index, (name, value)) in visible {
        let corner = pos2(left, top + ROW_PT * index as f32);
        let row = Rect::from_min_size(corner, vec2(width, ROW_PT));
        if index % 2 == 1 {
            ui.painter()
                .rect_filled(row, 0.0, ui.visuals().faint_bg_color);
        }
        let builder = UiBuilder::new().max_rect(row).id_salt(name);
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        ui.scope_builder(builder.layout(layout), |ui| property(ui, name, value, out));
    }
}

fn property(ui: &mut Ui, name: &str, value: &str, out: &mut Vec<Command>) {
    let width = ui.available_width();
    ui.allocate_ui_with_layout(vec2(width * NAME_SHARE, ROW_PT), *ui.layout(), |ui| {
        ui.set_min_width(width * NAME_SHARE);
        let label = Label::new(RichText::new(one_line(name)).weak())
            .truncate()
            .selectable(false);
        ui.add(label);
    });
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let copy = format!("Copy {name}");
        if icons::small_button(ui, Icon::Copy, &copy)
            .on_hover_text("Copy name and value")
            .clicked()
        {
            out.push(Command::Copy(as_text(&[(name, value)])));
        }
        ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
            copyable(ui, name, value, out)
        });
    });
}
