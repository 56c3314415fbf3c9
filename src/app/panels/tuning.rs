//! Dials from strokes: asked for, watched, used or not.

use egui::{Button, ProgressBar, RichText, Ui};

use crate::app::marks::MarkCommand;
use crate::app::state::AppState;
use crate::jobs::live::LiveModelFacts;
use crate::jobs::tune::{TuneOutcome, TuneState};

/// Draws the part of the strokes' section that is about tuning.
pub fn show(
    ui: &mut Ui,
    state: &AppState,
    facts: &LiveModelFacts,
    missing: &[String],
    asked: &mut Vec<MarkCommand>,
) {
    ui.add_space(6.0);
    match &state.marks.tuning {
        None => ask(ui, missing, asked),
        Some(TuneState::Preparing { done, total }) => {
            let share = *done as f32 / (*total).max(1) as f32;
            ui.add(ProgressBar::new(share).text("Encoding painted tiles"));
            stop(ui, "Stop", asked);
        }
        Some(TuneState::Running { step, most, loss }) => {
            let share = *step as f32 / (*most).max(1) as f32;
            let text = format!("Step {step} of at most {most}, loss {loss:.4}");
            ui.add(ProgressBar::new(share).text(text));
            stop(ui, "Stop", asked);
        }
        Some(TuneState::Done(outcome)) => done(ui, facts, outcome, asked),
        Some(TuneState::Refused(reason)) => {
            ui.label(format!("The dials stay as they are: {reason}"));
            stop(ui, "Close", asked);
        }
        Some(TuneState::Failed(reason)) => {
            let colour = ui.visuals().error_fg_color;
            ui.label(RichText::new(format!("Tuning failed: {reason}")).color(colour));
            stop(ui, "Close", asked);
        }
    }
}

fn ask(ui: &mut Ui, missing: &[String], asked: &mut Vec<MarkCommand>) {
    let button = ui.add_enabled(missing.is_empty(), Button::new("Fine-tune the dials"));
    let hover = "Finds the attention dials under which the model says of these strokes what you \
                 say; nothing is changed until you use them";
    if button.on_hover_text(hover).clicked() {
        asked.push(MarkCommand::Tune);
    }
    if !missing.is_empty() {
        let text = format!("To fine-tune, paint a stroke of: {}", missing.join(", "));
        ui.label(RichText::new(text).small().weak());
    }
}

fn stop(ui: &mut Ui, name: &str, asked: &mut Vec<MarkCommand>) {
    if ui.button(name).clicked() {
        asked.push(MarkCommand::StopTuning);
    }
}

fn done(ui: &mut Ui, facts: &LiveModelFacts, outcome: &TuneOutcome, asked: &mut Vec<MarkCommand>) {
    ui.label(RichText::new("Found dials").strong());
    let text = format!(
        "Loss {:.4}, before {:.4}. {} steps on {} tiles in {:.1} s.",
        outcome.loss_after, outcome.loss_before, outcome.steps, outcome.tiles, outcome.seconds
    );
    ui.label(RichText::new(text).small());
    let text = match (outcome.accuracy_before, outcome.accuracy_after) {
        (Some(before), Some(after)) => format!(
            "On strokes that were held out: {:.1} % right, before {:.1} %.",
            after * 100.0,
            before * 100.0
        ),
        _ => "No score: a class has a single stroke, so that none could be held out.".to_owned(),
    };
    ui.label(RichText::new(text).small());
    for (class, bias) in facts.card.classes.iter().zip(&outcome.dials) {
        let text = format!("{bias:+.2}  {}", class.name);
        ui.label(RichText::new(text).small().monospace());
    }
    ui.horizontal(|ui| {
        if ui.button("Use these dials").clicked() {
            asked.push(MarkCommand::UseTuned);
        }
        stop(ui, "Discard", asked);
    });
}
