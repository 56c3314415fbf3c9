//! Files that are being written: how far, how long, and a way to stop.

use egui::{Align2, Area, Frame, Order, ProgressBar, Ui, vec2};

use super::widgets::cut;
use crate::app::command::Command;
use crate::app::export::{ExportCommand, Writing};
use crate::app::state::{AppState, Fields};

/// Width of a bar, points.
const BAR_WIDTH: f32 = 340.0;

/// Letters of a file's name that are shown.
const NAME_LETTERS: usize = 28;

/// Draws a line for each file over the lower end of what is left of `ui`.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    if state.writing.is_empty() {
        return;
    }
    let at = ui.available_rect_before_wrap().center_bottom() - vec2(0.0, 16.0);
    let area = Area::new(egui::Id::unique("writing"))
        .order(Order::Middle)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(at);
    area.show(ui.ctx(), |ui| {
        Frame::popup(ui.style()).show(ui, |ui| {
            for writing in &state.writing {
                line(ui, writing, out);
            }
        });
    });
}

fn line(ui: &mut Ui, writing: &Writing, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let bar = ProgressBar::new(writing.share().unwrap_or(0.0));
        ui.add(bar.desired_width(BAR_WIDTH).text(words(writing)));
        let stop = ui.button("Stop").on_hover_text("Nothing is written then");
        if stop.clicked() {
            let path = writing.path().to_owned();
            out.push(Command::Export(ExportCommand::Stop(path)));
        }
    });
}

fn words(writing: &Writing) -> String {
    let name = writing.path().file_name().unwrap_or_default();
    let name = cut(&name.to_string_lossy(), NAME_LETTERS);
    match (writing.share(), writing.left()) {
        (Some(share), Some(left)) => format!(
            "{name}: {:.0} %, {:.0} s left",
            share * 100.0,
            left.as_secs_f64().ceil()
        ),
        _ => format!("{name}: {}", writing.first()),
    }
}
