//! The brush, and the strokes that were painted on the slide.

use egui::{Button, Color32, RichText, Slider, Ui};

use super::tuning;
use super::widgets::{choice, fixed_width_label, section_end, section_title};
use crate::app::command::{Command, Panel};
use crate::app::file_for::FileFor;
use crate::app::marks::MarkCommand;
use crate::app::state::{AppState, Fields};
use crate::jobs::live::LiveModelFacts;

/// Width of the names of settings, points.
const NAME_WIDTH: f32 = 76.0;

/// The brush's widths, points.
const WIDTHS: std::ops::RangeInclusive<f32> = 4.0..=80.0;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Strokes", Panel::Strokes, out);
    let Some(facts) = state.overlay.facts() else {
        let text = "Open a model first: strokes are painted for its classes.";
        ui.label(RichText::new(text).weak());
        section_end(ui);
        return;
    };
    let mut asked = Vec::new();
    let text = "Paint a few short strokes of each class where you are sure of it.";
    ui.label(RichText::new(text).small().weak());
    brush(ui, state, &mut asked);
    classes(ui, state, facts, &mut asked);
    ui.add_space(4.0);
    all_strokes(ui, state, &mut asked, out);
    tuning::show(ui, state, facts, &missing(state, facts), &mut asked);
    out.extend(asked.into_iter().map(Command::Marks));
    section_end(ui);
}

fn brush(ui: &mut Ui, state: &AppState, asked: &mut Vec<MarkCommand>) {
    let brush = &state.marks.brush;
    ui.horizontal(|ui| {
        fixed_width_label(ui, "Pointer", NAME_WIDTH);
        let hover = "B; the right button still moves the picture";
        for (on, name) in [(false, "Moves"), (true, "Paints")] {
            if choice(ui, brush.on == on, name)
                .on_hover_text(hover)
                .clicked()
            {
                asked.push(MarkCommand::UseBrush(on));
            }
        }
    });
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, "Brush", NAME_WIDTH);
        ui.spacing_mut().slider_width = (ui.available_width() - 70.0).max(60.0);
        let mut width = brush.width_pt;
        let slider = Slider::new(&mut width, WIDTHS).fixed_decimals(0);
        if ui.add(slider).labelled_by(label.id).changed() {
            asked.push(MarkCommand::BrushWidth(width));
        }
    });
}

fn classes(ui: &mut Ui, state: &AppState, facts: &LiveModelFacts, asked: &mut Vec<MarkCommand>) {
    let slide = state.active_pane().slide.as_ref();
    let strokes = slide.map_or(&[][..], |slide| {
        state.marks.strokes(&slide.source.info().hash)
    });
    for (index, class) in facts.card.classes.iter().enumerate() {
        let of_class = |record: &&crate::annotate::StrokeRecord| record.stroke.class == class.name;
        let count = strokes.iter().filter(of_class).count();
        let [r, g, b, _] = state
            .overlay
            .style
            .palette
            .get(index)
            .copied()
            .unwrap_or([128; 4]);
        let colour = Color32::from_rgb(r, g, b);
        entry(ui, state, Some(index), &class.name, colour, count, asked);
    }
    entry(ui, state, None, "Eraser", Color32::TRANSPARENT, 0, asked);
}

/// What the brush may paint: its key, its colour, its name, and how many strokes there are.
fn entry(
    ui: &mut Ui,
    state: &AppState,
    class: Option<usize>,
    name: &str,
    colour: Color32,
    count: usize,
    asked: &mut Vec<MarkCommand>,
) {
    ui.horizontal(|ui| {
        let key = class.map_or(0, |class| class + 1);
        let key = if key <= 9 {
            key.to_string()
        } else {
            String::new()
        };
        fixed_width_label(ui, &key, 12.0);
        let (rect, _) = ui.allocate_exact_size(egui::vec2(14.0, 14.0), egui::Sense::hover());
        ui.painter().rect_filled(rect, 2.0, colour);
        let brush = &state.marks.brush;
        if choice(ui, brush.class == class, name).clicked() {
            asked.push(MarkCommand::BrushClass(class));
            asked.push(MarkCommand::UseBrush(true));
        }
        if count > 0 {
            let text = if count == 1 { "stroke" } else { "strokes" };
            ui.label(RichText::new(format!("{count} {text}")).small().weak());
        }
    });
}

/// Classes without a stroke on the active slide.
fn missing(state: &AppState, facts: &LiveModelFacts) -> Vec<String> {
    let slide = state.active_pane().slide.as_ref();
    let strokes = slide.map_or(&[][..], |slide| {
        state.marks.strokes(&slide.source.info().hash)
    });
    let has_one = |name: &String| strokes.iter().any(|record| record.stroke.class == *name);
    let names = facts.card.class_names().into_iter();
    names.filter(|name| !has_one(name)).collect()
}

fn all_strokes(
    ui: &mut Ui,
    state: &AppState,
    asked: &mut Vec<MarkCommand>,
    out: &mut Vec<Command>,
) {
    let slide = state.active_pane().slide.as_ref();
    let hash = slide.map(|slide| slide.source.info().hash.clone());
    let any = hash.is_some_and(|hash| !state.marks.strokes(&hash).is_empty());
    let (undo, redo) = state.undo_order.history();
    ui.horizontal_wrapped(|ui| {
        let mut button = |enabled: bool, text: &str, hover: &str| {
            ui.add_enabled(enabled, Button::new(text))
                .on_hover_text(hover)
                .clicked()
        };
        if button(undo, "Undo", "Take the last step back (Ctrl+Z)") {
            out.push(Command::Undo);
        }
        if button(redo, "Redo", "Do it again (Ctrl+Shift+Z)") {
            out.push(Command::Redo);
        }
        if button(any, "Erase all", "All strokes of this slide; can be undone") {
            asked.push(MarkCommand::EraseAll);
        }
        let hover = "Strokes and verdicts of this slide as GeoJSON, which QuPath opens";
        if button(any, "Export…", hover) {
            out.push(Command::Choose(FileFor::MarksOut));
        }
    });
}
