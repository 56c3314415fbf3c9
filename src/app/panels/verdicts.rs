//! Rows of regions and verdicts, what is said of the one that is visited, and all that was said of
//! a slide.

use egui::{
    Align, Button, Layout, Response, RichText, ScrollArea, TextEdit, TextWrapMode, Ui, vec2,
};

use super::icons::{self, Icon};
use super::widgets::{choice, cut, one_line};
use crate::annotate::{Decision, Verdict};
use crate::app::command::Command;
use crate::app::file_for::FileFor;
use crate::app::review::{ReviewCommand, badge};
use crate::app::state::{AppState, Fields};
use crate::app::theme;

/// Height of a list of regions or verdicts, points.
pub const LIST_PT: f32 = 220.0;

/// Least height of a row, points.
const ROW_PT: f32 = 24.0;

/// Width of the sign before a row, points.
const BADGE_PT: f32 = 14.0;

/// Width of the button behind a row, with the gap before it, points.
const WITHDRAW_PT: f32 = 28.0;

/// Characters of a note that a row shows.
const NOTE_SHOWN: usize = 60;

/// A row as wide as its list.
pub struct Row<'a> {
    /// What was said of it.
    pub verdict: Option<&'a Verdict>,
    /// Whether it is visited.
    pub is_visited: bool,
    /// Whether another one was visited before: only then the list moves to it by itself.
    pub is_new: bool,
    /// Its text in pieces; lines break between them only.
    pub pieces: Vec<String>,
}

impl Row<'_> {
    /// Draws it, and leaves `rest` points free to its right.
    pub fn show(&self, ui: &mut Ui, rest: f32) -> Response {
        let size = vec2(ui.available_width() - rest, ROW_PT);
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(size, layout, |ui| self.button(ui))
            .inner
    }

    fn button(&self, ui: &mut Ui) -> Response {
        ui.spacing_mut().item_spacing.x = 4.0;
        let (rect, _) = ui.allocate_exact_size(vec2(BADGE_PT, BADGE_PT), egui::Sense::hover());
        if let Some(verdict) = self.verdict {
            badge(ui.painter(), rect.center(), verdict.decision);
        }
        let width = ui.available_width();
        let room = width - 2.0 * ui.spacing().button_padding.x;
        let font = egui::TextStyle::Button.resolve(ui.style());
        let measure = |text: &str| {
            let galley = ui.painter().layout_no_wrap(
                text.to_owned(),
                font.clone(),
                egui::Color32::PLACEHOLDER,
            );
            galley.size().x
        };
        let text = lines(&self.pieces, room, measure).join("\n");
        let mut button = Button::new(text)
            .right_text(())
            .wrap_mode(TextWrapMode::Extend)
            .selected(self.is_visited)
            .min_size(vec2(width, ROW_PT));
        if self.is_visited {
            let edge = theme::accent(ui.visuals().dark_mode);
            button = button.stroke(egui::Stroke::new(1.0, edge));
        }
        let whole = self.pieces.join(" ");
        let response = ui.add(button).accessible_name(&whole);
        if self.is_visited && self.is_new {
            response.scroll_to_me(None);
        }
        response.on_hover_ui(|ui| {
            ui.label(&whole);
            if let Some(verdict) = self.verdict.filter(|verdict| !verdict.note.is_empty()) {
                ui.label(cut(&verdict.note, 1000));
            }
        })
    }
}

/// Whether a list's visited row is another one than in the frame before.
pub fn is_new<T>(ui: &Ui, visited: Option<T>) -> bool
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let id = ui.scope_id().with("visited");
    ui.data_mut(|data| {
        let before = data.get_temp_mut_or_default::<Option<T>>(id);
        std::mem::replace(before, visited) != visited
    })
}

/// Lines of `pieces` that are no wider than `width`. A piece is never divided; one that is wider
/// by itself is cut, with an ellipsis.
fn lines(pieces: &[String], width: f32, measure: impl Fn(&str) -> f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        let longer = lines.last().map(|line| format!("{line} {piece}"));
        match longer.filter(|line| measure(line) <= width) {
            Some(line) => {
                lines.pop();
                lines.push(line);
            }
            None => {
                let count = piece.chars().count();
                let mut shorter = (0..=count).rev().map(|most| cut(piece, most));
                lines.extend(shorter.find(|text| measure(text) <= width));
            }
        }
    }
    lines
}

/// What is said of the region or verdict that is visited.
pub fn judge(ui: &mut Ui, state: &AppState, fields: &mut Fields, asked: &mut Vec<ReviewCommand>) {
    let is_visiting = state.review.is_visiting(&state.marks);
    let regions = state.review.found().map(|found| &found.comparison.regions);
    if regions.is_none() && !is_visiting {
        return;
    }
    let verdict = state.review.verdict(&state.marks);
    let given = verdict.and_then(|(_, verdict)| verdict.decision);
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let any = regions.is_some_and(|regions| !regions.is_empty());
        for (command, name, hover) in [
            (ReviewCommand::Previous, "Previous", "The region before (P)"),
            (ReviewCommand::Next, "Next", "The next region (N)"),
        ] {
            let button = ui.add_enabled(any, Button::new(name));
            if button.on_hover_text(hover).clicked() {
                asked.push(command);
            }
        }
        ui.add_enabled_ui(is_visiting, |ui| {
            for (decision, name, hover) in DECISIONS {
                let is_given = given == Some(decision);
                if choice(ui, is_given, name).on_hover_text(hover).clicked() {
                    asked.push(match is_given {
                        true => ReviewCommand::Unjudge,
                        false => ReviewCommand::Judge(decision),
                    });
                }
            }
        });
    });
    ui.add_enabled_ui(is_visiting, |ui| {
        let edit = TextEdit::singleline(&mut fields.review_note).hint_text("Note (M)");
        let response = ui.add(edit.desired_width(f32::INFINITY));
        let response = response.accessible_name("Note on the region");
        if std::mem::take(&mut fields.focus_note) {
            response.request_focus();
        }
        if response.lost_focus() {
            asked.push(ReviewCommand::KeepNote);
        }
    });
}

/// What a reviewer may decide, and what it means.
const DECISIONS: [(Decision, &str, &str); 2] = [
    (
        Decision::Accept,
        "Accept",
        "This difference needs no action (A)",
    ),
    (
        Decision::Flag,
        "Flag",
        "Someone should look at this place again (Q)",
    ),
];

/// All verdicts on the active slide, of this run and of earlier ones.
pub fn all(ui: &mut Ui, state: &AppState, asked: &mut Vec<ReviewCommand>, out: &mut Vec<Command>) {
    let Some(slide) = &state.active_pane().slide else {
        return;
    };
    let verdicts = state.marks.verdicts(&slide.source.info().hash);
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let count = match verdicts.len() {
            0 => "No verdicts on this slide yet".to_owned(),
            1 => "1 verdict on this slide".to_owned(),
            count => format!("{count} verdicts on this slide"),
        };
        ui.label(RichText::new(count).strong());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let hover = "Verdicts and strokes of this slide as GeoJSON, which QuPath opens";
            let export = ui.add_enabled(!verdicts.is_empty(), Button::new("Export…"));
            if export.on_hover_text(hover).clicked() {
                out.push(Command::Choose(FileFor::MarksOut));
            }
        });
    });
    if verdicts.is_empty() {
        return;
    }
    let count = |decision| verdicts.iter().filter(|v| v.decision == decision).count();
    let text = format!(
        "{} accepted, {} flagged, {} with a note alone",
        count(Some(Decision::Accept)),
        count(Some(Decision::Flag)),
        count(None)
    );
    ui.label(RichText::new(text).small().weak());
    let visited = state.review.verdict(&state.marks);
    let visited = visited.map(|(_, verdict)| verdict.id);
    ScrollArea::vertical()
        .id_salt("verdicts")
        .max_height(LIST_PT)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            let is_new = is_new(ui, visited);
            for (number, verdict) in (1..).zip(verdicts) {
                let looks = (visited == Some(verdict.id), is_new);
                ui.horizontal(|ui| given(ui, number, verdict, looks, asked));
            }
        });
}

fn given(
    ui: &mut Ui,
    number: usize,
    verdict: &Verdict,
    (is_visited, is_new): (bool, bool),
    asked: &mut Vec<ReviewCommand>,
) {
    let mut pieces = vec![format!("{}:", verdict.done_word())];
    let sides = verdict.sides(": ");
    let last = sides.len() - 1;
    let sides = sides.into_iter().enumerate();
    pieces.extend(sides.map(|(n, side)| if n < last { format!("{side},") } else { side }));
    if !verdict.note.is_empty() {
        pieces.push(format!("“{}”", cut(&one_line(&verdict.note), NOTE_SHOWN)));
    }
    let row = Row {
        verdict: Some(verdict),
        is_visited,
        is_new,
        pieces,
    };
    if row.show(ui, WITHDRAW_PT).clicked() {
        asked.push(ReviewCommand::VisitVerdict(verdict.id));
    }
    let name = format!("Withdraw verdict {number}");
    let button = icons::small_button(ui, Icon::Close, &name);
    let hover = "Withdraw this verdict, with its note; undo brings it back";
    if button.on_hover_text(hover).clicked() {
        asked.push(ReviewCommand::Withdraw(verdict.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character 10 points wide.
    fn in_lines(pieces: &[&str], width: f32) -> Vec<String> {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        lines(&pieces, width, |text| text.chars().count() as f32 * 10.0)
    }

    #[test]
    fn rows_break_between_maps_and_never_in_a_name() {
        let pieces = ["7  40x: tumor,", "10x: in situ carcinoma,", "0.1 mm²"];
        assert_eq!(in_lines(&pieces, 500.0), [pieces.join(" ")]);
        let two = [pieces[0], "10x: in situ carcinoma, 0.1 mm²"];
        assert_eq!(in_lines(&pieces, 320.0), two);
        assert_eq!(in_lines(&pieces, 240.0), pieces);
        let cut = in_lines(&pieces, 140.0);
        assert_eq!(cut, [pieces[0], "10x: in situ …", "0.1 mm²"]);
    }
}
