//! What a dropped picture is: another slide, or a mask of the one that is looked at.

use egui::{Frame, Margin, Panel as EguiPanel, Ui};

use crate::app::command::Command;
use crate::app::file_for::FileFor;
use crate::app::state::{AppState, Fields};
use crate::app::theme;

/// Draws a strip on top of the views that asks, while a picture waits for the answer.
pub fn show_banner(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    let Some(path) = &state.dropped else {
        return;
    };
    let (fill, text) = theme::notice_strip(ui.visuals().dark_mode);
    let frame = Frame::NONE
        .fill(fill)
        .inner_margin(Margin::symmetric(10, 4));
    EguiPanel::top("dropped").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let name = name.to_string_lossy();
            ui.colored_label(text, format!("{name} is a picture. What of?"));
            let mut answer = |ui: &mut Ui, label: &str, what: Option<FileFor>| {
                if ui.button(label).clicked() {
                    out.push(Command::WhatIsDropped(None));
                    out.extend(what.map(|what| what.command(path.clone())));
                }
            };
            answer(ui, "A mask of this slide", Some(FileFor::Mask));
            answer(ui, "A slide", Some(FileFor::Slide(state.active)));
            answer(ui, "Leave it", None);
        });
    });
}
