//! The messages since the program started.

use std::sync::Arc;
use std::time::Duration;

use egui::{Label, RichText, ScrollArea, Ui};
use tracing::Level;

use super::icons::{self, Icon};
use super::widgets::{choice, cut, one_line};
use crate::app::command::{Command, Panel};
use crate::app::log::{LogBuffer, LogLine};
use crate::app::state::{AppState, Fields};

/// How often new messages are looked for while nothing else happens.
const REFRESH: Duration = Duration::from_secs(1);

/// What the cross does.
const CLOSE: &str = "Close “Messages”";

/// The least grave messages that are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LeastLevel {
    /// All that were let through.
    #[default]
    All,
    /// Warnings and errors.
    Warnings,
    /// Errors.
    Errors,
}

impl LeastLevel {
    fn level(self) -> Level {
        match self {
            Self::All => Level::TRACE,
            Self::Warnings => Level::WARN,
            Self::Errors => Level::ERROR,
        }
    }
}

/// Draws the panel; the newest message is at the bottom and stays in sight.
pub fn show(
    ui: &mut Ui,
    _: &AppState,
    fields: &mut Fields,
    log: &LogBuffer,
    out: &mut Vec<Command>,
) {
    let lines = log.lines(fields.log_level.level());
    header(ui, fields, &lines, out);
    ui.add_space(2.0);
    let row_height = ui.text_style_height(&egui::TextStyle::Monospace);
    let area = ScrollArea::vertical()
        .auto_shrink(false)
        .stick_to_bottom(true);
    area.show_rows(ui, row_height, lines.len(), |ui, visible| {
        for line in lines.get(visible).unwrap_or_default() {
            row(ui, line);
        }
    });
    ui.ctx().request_repaint_after(REFRESH);
}

fn header(ui: &mut Ui, fields: &mut Fields, lines: &[Arc<LogLine>], out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new("Messages").heading()).selectable(false));
        let levels = [
            (LeastLevel::All, "All"),
            (LeastLevel::Warnings, "Warnings and errors"),
            (LeastLevel::Errors, "Errors"),
        ];
        for (level, name) in levels {
            if choice(ui, fields.log_level == level, name).clicked() {
                fields.log_level = level;
            }
        }
        ui.label(RichText::new("times are UTC").small().weak());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icons::small_button(ui, Icon::Close, CLOSE)
                .on_hover_text(CLOSE)
                .clicked()
            {
                out.push(Command::Toggle(Panel::Log));
            }
            let copy = ui.add_enabled(!lines.is_empty(), egui::Button::new("Copy all"));
            if copy.on_hover_text("Copy the listed messages").clicked() {
                out.push(Command::Copy(
                    lines.iter().map(|line| format!("{line}\n")).collect(),
                ));
            }
        });
    });
}

fn row(ui: &mut Ui, line: &LogLine) {
    let visuals = ui.visuals();
    let colour = match line.level {
        Level::ERROR => visuals.error_fg_color,
        Level::WARN => visuals.warn_fg_color,
        _ => visuals.text_color(),
    };
    let text = format!(
        "{} {:<5} {}",
        line.clock_utc(),
        line.level,
        one_line(&line.text)
    );
    let label = Label::new(RichText::new(text).monospace().color(colour));
    let response = ui.add(label.truncate().show_tooltip_when_elided(false));
    response.on_hover_ui(|ui| {
        ui.label(cut(&line.text, 1500));
        ui.label(RichText::new(&line.target).small().weak());
    });
}
