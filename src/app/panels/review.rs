//! Where two maps differ: figures, the worst regions, and what a reviewer says of them.

use egui::{Button, Color32, ProgressBar, RichText, TextEdit, Ui};

use super::widgets::{choice, cut, fact, section_end, section_title};
use crate::annotate::{Decision, Verdict};
use crate::app::command::{Command, Panel};
use crate::app::file_for::FileFor;
use crate::app::review::{ReviewCommand, ReviewOf, ReviewState, Reviewed, colour_of, verdict_on};
use crate::app::state::{AppState, Fields};
use crate::segment::compare::{Displacement, Region};

/// Height of the list of regions, points.
const LIST_PT: f32 = 220.0;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Review", Panel::Review, out);
    let mut asked = Vec::new();
    ask(ui, state, &mut asked);
    match &state.review.state {
        ReviewState::Nothing => {
            let text = "Compares what the active view shows, and lists where both differ worst.";
            ui.label(RichText::new(text).small().weak());
        }
        ReviewState::Waiting(_) => waiting(ui, state, &mut asked),
        ReviewState::Comparing(work) => {
            ui.add(ProgressBar::new(work.progress()).text("Comparing…"));
            stop(ui, &mut asked);
        }
        ReviewState::Done(found) => done(ui, state, found, fields, &mut asked, out),
    }
    out.extend(asked.into_iter().map(Command::Review));
    section_end(ui);
}

fn ask(ui: &mut Ui, state: &AppState, asked: &mut Vec<ReviewCommand>) {
    let has_model = state.overlay.facts().is_some();
    let has_mask = has_model && state.masks.open.is_some();
    ui.horizontal_wrapped(|ui| {
        for (of, enabled, name, hover) in [
            (
                ReviewOf::Agreement,
                has_model,
                "Compare magnifications",
                "What the model says at the finest magnification and a factor of 4 coarser",
            ),
            (
                ReviewOf::Mask,
                has_mask,
                "Compare with the mask",
                "What the model says and the mask; open one in the model's panel",
            ),
        ] {
            let button = ui.add_enabled(enabled, Button::new(name));
            if button.on_hover_text(hover).clicked() {
                asked.push(ReviewCommand::Compare(of));
            }
        }
    });
}

fn waiting(ui: &mut Ui, state: &AppState, asked: &mut Vec<ReviewCommand>) {
    let status = &state.overlay.status;
    let text = match state.overlay.reason.as_ref() {
        Some(reason) => reason.clone(),
        None => format!(
            "The model is at work on the field: {} tiles are left{}",
            status.waiting,
            time_left(status.waiting, status.tiles_per_s)
        ),
    };
    ui.label(text);
    stop(ui, asked);
}

fn time_left(tiles: usize, tiles_per_s: f64) -> String {
    let seconds = tiles as f64 / tiles_per_s;
    match seconds {
        s if !s.is_finite() => String::new(),
        s if s < 90.0 => format!(", about {s:.0} s"),
        s => format!(", about {:.0} min", s / 60.0),
    }
}

fn stop(ui: &mut Ui, asked: &mut Vec<ReviewCommand>) {
    if ui.button("Stop").clicked() {
        asked.push(ReviewCommand::Stop);
    }
}

fn done(
    ui: &mut Ui,
    state: &AppState,
    found: &Reviewed,
    fields: &mut Fields,
    asked: &mut Vec<ReviewCommand>,
    out: &mut Vec<Command>,
) {
    figures(ui, found, out);
    ui.add_space(4.0);
    let verdicts = state.marks.verdicts(&found.slide);
    list(ui, state, found, verdicts, asked);
    ui.add_space(4.0);
    judge(ui, state, found, verdicts, fields, asked);
    ui.horizontal(|ui| {
        let any = !verdicts.is_empty();
        let hover = "Verdicts and strokes of this slide as GeoJSON, which QuPath opens";
        let export = ui.add_enabled(any, Button::new("Export…"));
        if export.on_hover_text(hover).clicked() {
            out.push(Command::Choose(FileFor::MarksOut));
        }
        if ui.button("Close the list").clicked() {
            asked.push(ReviewCommand::Close);
        }
    });
}

fn figures(ui: &mut Ui, found: &Reviewed, out: &mut Vec<Command>) {
    let comparison = &found.comparison;
    let [first, second] = &found.names;
    ui.label(RichText::new(format!("{first} beside {}", cut(second, 28))).strong());
    if comparison.provisional {
        let text = "Some of the maps was provisional: compare again when the model is done.";
        let colour = ui.visuals().warn_fg_color;
        ui.label(RichText::new(text).small().color(colour));
    }
    let agreement = &comparison.agreement;
    let (x_um, y_um) = comparison.grid.px_um;
    let mm2 = agreement.px as f64 * x_um * y_um / 1e6;
    let text = format!("{:.1} % of {mm2:.3} mm²", agreement.share * 100.0);
    fact(ui, "Agree", &text, out);
    let all = comparison.displacement_of_all.as_ref();
    fact(ui, "Boundaries", &displacement(all), out);
    for (index, name) in comparison.classes.names.iter().enumerate() {
        let Some(dice) = agreement.dice.get(index).copied().flatten() else {
            continue;
        };
        let apart = comparison.displacement.get(index).and_then(Option::as_ref);
        let text = format!("Dice {dice:.3}, {}", displacement(apart));
        fact(ui, name, &text, out);
    }
    for (names, map) in [
        (&comparison.classes.only_first, first),
        (&comparison.classes.only_second, second),
    ] {
        if !names.is_empty() && found.of == ReviewOf::Mask {
            let text = format!("Only in {}: {}", cut(map, 20), names.join(", "));
            ui.label(RichText::new(cut(&text, 120)).small().weak());
        }
    }
}

fn displacement(apart: Option<&Displacement>) -> String {
    match apart {
        Some(apart) => format!(
            "{:.1} µm apart (95 %: {:.1})",
            apart.median_um, apart.p95_um
        ),
        None => "no boundary in both".to_owned(),
    }
}

fn list(
    ui: &mut Ui,
    state: &AppState,
    found: &Reviewed,
    verdicts: &[Verdict],
    asked: &mut Vec<ReviewCommand>,
) {
    let comparison = &found.comparison;
    let regions = &comparison.regions;
    let text = match comparison.regions_found {
        0 => "They differ nowhere by more than a border.".to_owned(),
        count if count > regions.len() => {
            format!(
                "Where they differ worst: {} of {count} regions",
                regions.len()
            )
        }
        _ => "Where they differ, worst first (N, P):".to_owned(),
    };
    ui.label(RichText::new(text).small().weak());
    egui::ScrollArea::vertical()
        .id_salt("regions")
        .max_height(LIST_PT)
        .show(ui, |ui| {
            for (index, region) in regions.iter().enumerate() {
                let verdict = verdict_on(verdicts, found, &region.rect);
                let is_visited = state.review.at == Some(index);
                let response = row(ui, index, region, found, verdict, is_visited);
                if response.clicked() {
                    asked.push(ReviewCommand::Visit(index));
                }
            }
        });
}

fn row(
    ui: &mut Ui,
    index: usize,
    region: &Region,
    found: &Reviewed,
    verdict: Option<&Verdict>,
    is_visited: bool,
) -> egui::Response {
    let names = &found.comparison.classes.names;
    let name = |code: u8| names.get(usize::from(code)).map_or("?", String::as_str);
    let text = format!(
        "{:>3}  {} or {}, {:.4} mm²",
        index + 1,
        cut(name(region.first), 14),
        cut(name(region.second), 14),
        region.area_mm2()
    );
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(10.0, 10.0), egui::Sense::hover());
        if let Some(verdict) = verdict {
            let colour: Color32 = colour_of(Some(verdict.decision));
            ui.painter().rect_filled(rect, 5.0, colour);
        }
        let response = choice(ui, is_visited, &text);
        if is_visited {
            response.scroll_to_me(None);
        }
        match verdict {
            Some(verdict) if !verdict.note.is_empty() => response.on_hover_text(&verdict.note),
            _ => response,
        }
    })
    .inner
}

fn judge(
    ui: &mut Ui,
    state: &AppState,
    found: &Reviewed,
    verdicts: &[Verdict],
    fields: &mut Fields,
    asked: &mut Vec<ReviewCommand>,
) {
    let region = state.review.region();
    let verdict = region.and_then(|region| verdict_on(verdicts, found, &region.rect));
    let given = verdict.map(|verdict| verdict.decision);
    ui.horizontal(|ui| {
        let any = !found.comparison.regions.is_empty();
        for (command, name, hover) in [
            (ReviewCommand::Previous, "Previous", "P"),
            (ReviewCommand::Next, "Next", "N"),
        ] {
            let button = ui.add_enabled(any, Button::new(name));
            if button.on_hover_text(hover).clicked() {
                asked.push(command);
            }
        }
        ui.add_enabled_ui(region.is_some(), |ui| {
            for (decision, name, hover) in [
                (Decision::Accept, "Accept", "It is right (A)"),
                (Decision::Flag, "Flag", "It needs a look (Q)"),
            ] {
                let is_given = given == Some(decision);
                if choice(ui, is_given, name).on_hover_text(hover).clicked() {
                    asked.push(match is_given {
                        true => ReviewCommand::Unjudge,
                        false => ReviewCommand::Judge(decision, fields.review_note.clone()),
                    });
                }
            }
        });
    });
    ui.add_enabled_ui(region.is_some(), |ui| {
        let edit = TextEdit::singleline(&mut fields.review_note).hint_text("Note (M)");
        let response = ui.add(edit.desired_width(f32::INFINITY));
        let response = response.accessible_name("Note on the region");
        if std::mem::take(&mut fields.focus_note) {
            response.request_focus();
        }
        if response.lost_focus() {
            asked.push(ReviewCommand::Note(fields.review_note.clone()));
        }
    });
    let count = |decision| verdicts.iter().filter(|v| v.decision == decision).count();
    let (accepted, flagged) = (count(Decision::Accept), count(Decision::Flag));
    let text = format!("On this slide: {accepted} accepted, {flagged} flagged");
    ui.label(RichText::new(text).small().weak());
}
