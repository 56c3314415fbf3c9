//! The dials: what each class's attention bias is made of, and what the tissue answers.

use egui::{Button, RichText, Slider, Ui};

use super::icons::{self, Icon};
use super::presets;
use super::widgets::{fixed_width_label, section_end, section_title};
use crate::app::command::{Command, Panel};
use crate::app::overlay::{DialSet, OverlayCommand, OverlayState, ResetTo};
use crate::app::state::{AppState, Fields};
use crate::jobs::live::LiveModelFacts;

/// How far a dial turns to both sides.
const BIAS_RANGE: f32 = 6.0;

/// How far an output offset goes to both sides, logits.
const OUTPUT_RANGE: f32 = 4.0;

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Attention dials", Panel::Bias, out);
    let Some(facts) = state.overlay.facts() else {
        ui.label(RichText::new("Open a model first: every class gets a dial.").weak());
        section_end(ui);
        return;
    };
    let mut asked = Vec::new();
    explain(ui);
    for class in 0..facts.card.classes.len() {
        ui.push_id(class, |ui| {
            dial(ui, facts, &state.overlay, class, &mut asked)
        });
    }
    ui.add_space(4.0);
    resets(ui, state, &mut asked, out);
    latency(ui, &state.overlay);
    ui.add_space(6.0);
    output_offsets(ui, facts, &state.overlay, &mut asked);
    out.extend(asked.into_iter().map(Command::Overlay));
    presets::show(ui, state, facts, fields, out);
    section_end(ui);
}

fn explain(ui: &mut Ui) {
    let text = "How much attention each class gets, beside the others: turning all dials by the \
                same amount changes nothing.";
    ui.label(RichText::new(text).small().weak());
    ui.add_space(4.0);
}

fn dial(
    ui: &mut Ui,
    facts: &LiveModelFacts,
    overlay: &OverlayState,
    class: usize,
    asked: &mut Vec<OverlayCommand>,
) {
    let name = &facts.card.classes[class].name;
    ui.horizontal(|ui| {
        let [r, g, b, _] = overlay
            .style
            .palette
            .get(class)
            .copied()
            .unwrap_or([128; 4]);
        let (rect, _) = ui.allocate_exact_size(egui::vec2(12.0, 12.0), egui::Sense::hover());
        ui.painter()
            .rect_filled(rect, 2.0, egui::Color32::from_rgb(r, g, b));
        ui.label(RichText::new(name).strong());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.label(RichText::new(area_text(overlay, class)).small().monospace());
        });
    });
    turn(
        ui,
        overlay,
        class,
        DialSet::Bias,
        BIAS_RANGE,
        &format!("Attention of {name}"),
        asked,
    );
    let (prior, learned) = (facts.bias.prior()[class], facts.bias.learned()[class]);
    let total = overlay.dials.total(&facts.bias)[class];
    let text = format!("prior {prior:+.2}  learned {learned:+.2}  in use {total:+.2}");
    ui.horizontal(|ui| {
        ui.label(RichText::new(text).small().weak().monospace());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let reset = icons::small_button(ui, Icon::Reset, &format!("Reset {name}"));
            let reset = reset.on_hover_text("Put this dial back");
            egui::Popup::menu(&reset).show(|ui| reset_to(ui, Some(class), asked));
        });
    });
    let text = slide_area_text(overlay, class);
    if !text.is_empty() {
        let hover = "Of all that was analysed of this slide. What is out of view was counted with the \
                     dials of then.";
        let label = ui.label(RichText::new(text).small().weak().monospace());
        label.on_hover_text(hover);
    }
    ui.add_space(3.0);
}

fn turn(
    ui: &mut Ui,
    overlay: &OverlayState,
    class: usize,
    dials: DialSet,
    range: f32,
    name: &str,
    asked: &mut Vec<OverlayCommand>,
) {
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - 92.0).max(60.0);
        let mut value = overlay
            .dials
            .values(dials)
            .get(class)
            .copied()
            .unwrap_or(0.0);
        let slider = Slider::new(&mut value, -range..=range).fixed_decimals(2);
        let slider = slider.clamping(egui::SliderClamping::Edits);
        let response = ui.add(slider).accessible_name(name);
        if response.changed() {
            asked.push(OverlayCommand::Turn {
                dials,
                class,
                to: value,
                held: response.dragged() || response.drag_stopped(),
            });
        }
        if response.drag_stopped() {
            asked.push(OverlayCommand::LetGo);
        }
        if response.double_clicked() {
            asked.push(OverlayCommand::Turn {
                dials,
                class,
                to: 0.0,
                held: false,
            });
        }
    });
}

/// mm² in the field and since the dials were last put back.
fn area_text(overlay: &OverlayState, class: usize) -> String {
    let now = overlay.areas.now.as_ref().map(|areas| &areas.field_mm2);
    with_change(now, overlay.areas.before_mm2.as_ref(), class)
}

/// The same of all that was analysed of the slide.
fn slide_area_text(overlay: &OverlayState, class: usize) -> String {
    let now = overlay.areas.now.as_ref().map(|areas| &areas.slide_mm2);
    let text = with_change(now, overlay.areas.slide_before_mm2.as_ref(), class);
    match text.is_empty() {
        true => text,
        false => format!("slide {text}"),
    }
}

fn with_change(now: Option<&Vec<f64>>, before: Option<&Vec<f64>>, class: usize) -> String {
    let of = |all: &Vec<f64>| all.get(class).copied();
    match (now.and_then(of), before.and_then(of)) {
        (Some(now), Some(before)) => format!("{} mm² ({})", mm2(now), signed_mm2(now - before)),
        (Some(now), None) => format!("{} mm²", mm2(now)),
        _ => String::new(),
    }
}

fn mm2(area: f64) -> String {
    match area {
        area if area >= 100.0 => format!("{area:.0}"),
        area if area >= 1.0 => format!("{area:.2}"),
        area => format!("{area:.4}"),
    }
}

fn signed_mm2(area: f64) -> String {
    let sign = if area < 0.0 { '−' } else { '+' };
    format!("{sign}{}", mm2(area.abs()))
}

fn resets(ui: &mut Ui, state: &AppState, asked: &mut Vec<OverlayCommand>, out: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        let (undo, redo) = state.undo_order.history();
        for (text, hover, enabled, command) in [
            (
                "Undo",
                "Take the last step back (Ctrl+Z)",
                undo,
                Command::Undo,
            ),
            ("Redo", "Do it again (Ctrl+Shift+Z)", redo, Command::Redo),
        ] {
            let button = ui.add_enabled(enabled, Button::new(text));
            if button.on_hover_text(hover).clicked() {
                out.push(command);
            }
        }
        ui.separator();
        reset_to(ui, None, asked);
    });
}

/// What the dial of a class, or all, can be put back to.
fn reset_to(ui: &mut Ui, class: Option<usize>, asked: &mut Vec<OverlayCommand>) {
    ui.label(RichText::new("Reset to").weak());
    for (text, hover, to) in [
        ("Learned", "To what training found", ResetTo::Learned),
        ("Prior", "To what training began with", ResetTo::Prior),
        ("Zero", "No bias at all", ResetTo::Zero),
    ] {
        if ui.button(text).on_hover_text(hover).clicked() {
            asked.push(OverlayCommand::Reset(to, class));
        }
    }
}

/// What the last turn took, beside what the field would take anew.
fn latency(ui: &mut Ui, overlay: &OverlayState) {
    let status = &overlay.status;
    let text = match (status.turn_s, status.full_s) {
        (Some(turn), Some(full)) if full > 0.0 => format!(
            "Last turn: {:.0} ms for the field; a full run of it takes {:.1} s",
            turn * 1000.0,
            full
        ),
        _ => "Last turn: –".to_owned(),
    };
    ui.label(RichText::new(text).small().weak());
    if let Some(areas) = &overlay.areas.now {
        let slide: f64 = areas.slide_mm2.iter().sum();
        let known = areas.known * 100.0;
        let text = format!(
            "{known:.0} % of the field is analysed, {} mm² of the slide",
            mm2(slide)
        );
        ui.label(RichText::new(text).small().weak());
    }
}

fn output_offsets(
    ui: &mut Ui,
    facts: &LiveModelFacts,
    overlay: &OverlayState,
    asked: &mut Vec<OverlayCommand>,
) {
    let title = RichText::new("Output offsets");
    egui::CollapsingHeader::new(title)
        .id_salt("output")
        .show(ui, |ui| {
            let text =
                "Added to the finished scores of a class. These are thresholds, not attention.";
            ui.label(RichText::new(text).small().weak());
            for (class, label) in facts.card.classes.iter().enumerate() {
                ui.push_id(("output", class), |ui| {
                    ui.horizontal(|ui| {
                        fixed_width_label(ui, &label.name, 120.0);
                        let right = egui::Layout::right_to_left(egui::Align::Center);
                        ui.with_layout(right, |ui| {
                            let name = format!("Reset the output offset of {}", label.name);
                            let reset = icons::small_button(ui, Icon::Reset, &name);
                            if reset.on_hover_text("No offset").clicked() {
                                asked.push(OverlayCommand::ResetOutput(Some(class)));
                            }
                            let area = area_text(overlay, class);
                            ui.label(RichText::new(area).small().monospace());
                        });
                    });
                    let name = format!("Output offset of {}", label.name);
                    turn(
                        ui,
                        overlay,
                        class,
                        DialSet::Output,
                        OUTPUT_RANGE,
                        &name,
                        asked,
                    );
                });
            }
            let is_turned = overlay
                .dials
                .values(DialSet::Output)
                .iter()
                .any(|v| *v != 0.0);
            let reset = ui.add_enabled(is_turned, Button::new("Reset all offsets"));
            if reset.clicked() {
                asked.push(OverlayCommand::ResetOutput(None));
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_said_with_their_change() {
        assert_eq!(
            (mm2(0.01234), mm2(3.177), mm2(1234.5)),
            ("0.0123".into(), "3.18".into(), "1234".into())
        );
        assert_eq!(signed_mm2(-0.5), "−0.5000");
        assert_eq!(signed_mm2(2.0), "+2.00");
    }
}
