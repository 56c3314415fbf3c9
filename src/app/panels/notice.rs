//! What a person should know now, on top of the views until dismissed.

use egui::{Align, Area, Frame, Label, Layout, Margin, Order, Rect, RichText, Stroke, Ui, vec2};

use super::icons::{self, Icon};
use crate::app::command::Command;
use crate::app::state::{AppState, Fields, Notice};
use crate::app::theme;

/// The strip is never wider than this, points: long lines are hard to read.
const WIDEST: f32 = 760.0;

/// Draws the notice over the top of what is left of `ui`. It floats: the picture below does not
/// move when it comes or goes.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    let Some(notice) = &state.notice else {
        return;
    };
    let room = ui.available_rect_before_wrap();
    let width = (room.width() - 24.0).clamp(120.0, WIDEST);
    let corner = room.center_top() + vec2(-width / 2.0, 12.0);
    let area = Area::new(egui::Id::unique("notice"))
        .order(Order::Middle)
        .movable(false);
    area.fixed_pos(corner)
        .constrain_to(Rect::EVERYTHING)
        .show(ui.ctx(), |ui| {
            let (fill, text) = colours(ui, notice);
            let frame = Frame::NONE
                .fill(fill)
                .stroke(Stroke::new(1.0, text.gamma_multiply(0.5)));
            frame
                .corner_radius(4)
                .inner_margin(Margin::symmetric(10, 7))
                .show(ui, |ui| {
                    ui.set_width(width - 20.0);
                    strip(ui, notice, text, out);
                });
        });
}

fn colours(ui: &Ui, notice: &Notice) -> (egui::Color32, egui::Color32) {
    let dark = ui.visuals().dark_mode;
    if notice.is_error {
        theme::error_strip(dark)
    } else {
        theme::notice_strip(dark)
    }
}

fn strip(ui: &mut Ui, notice: &Notice, colour: egui::Color32, out: &mut Vec<Command>) {
    ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
        if icons::small_button(ui, Icon::Close, "Dismiss")
            .on_hover_text("Dismiss")
            .clicked()
        {
            out.push(Command::DismissNotice);
        }
        if ui.button("Copy text").clicked() {
            out.push(Command::Copy(notice.text.clone()));
        }
        ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
            if notice.is_error {
                ui.label(RichText::new("Error").strong().color(colour));
            }
            ui.add(Label::new(RichText::new(&notice.text).color(colour)).wrap());
        });
    });
}
