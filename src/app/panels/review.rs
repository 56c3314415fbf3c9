//! Where two maps differ: figures, the worst regions, and what a reviewer says of them.

use egui::{Button, ProgressBar, RichText, Ui};

use super::verdicts::{self, LIST_PT, Row};
use super::widgets::{cut, fact, section_end, section_title};
use crate::annotate::Verdict;
use crate::app::command::{Command, Panel};
use crate::app::review::{ReviewCommand, ReviewOf, ReviewState, Reviewed, verdict_on};
use crate::app::state::{AppState, Fields};
use crate::segment::compare::{Displacement, Region};

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
        ReviewState::Done(found) => done(ui, state, found, &mut asked, out),
    }
    verdicts::judge(ui, state, fields, &mut asked);
    verdicts::all(ui, state, &mut asked, out);
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
    asked: &mut Vec<ReviewCommand>,
    out: &mut Vec<Command>,
) {
    figures(ui, found, out);
    ui.add_space(4.0);
    list(ui, state, found, state.marks.verdicts(&found.slide), asked);
    if ui.button("Close the list").clicked() {
        asked.push(ReviewCommand::Close);
    }
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
        .auto_shrink([false, true])
        .show(ui, |ui| {
            let is_new = verdicts::is_new(ui, state.review.at);
            for (index, region) in regions.iter().enumerate() {
                let [first, second] = found.said(region);
                let row = Row {
                    verdict: verdict_on(verdicts, found, &region.rect),
                    is_visited: state.review.at == Some(index),
                    is_new,
                    pieces: vec![
                        format!("{}  {}: {},", index + 1, first.map, first.class),
                        format!("{}: {},", second.map, second.class),
                        area(region),
                    ],
                };
                if row.show(ui, 0.0).clicked() {
                    asked.push(ReviewCommand::Visit(index));
                }
            }
        });
}

/// A region's area: of what would be no mm² in four digits in µm².
fn area(region: &Region) -> String {
    match region.area_mm2() {
        mm2 if mm2 < 0.001 => format!("{:.0} µm²", region.area_um2),
        mm2 => format!("{mm2:.4} mm²"),
    }
}
