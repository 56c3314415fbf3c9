//! Typing in the scale of a slide that states none, and the strip that says so.

use egui::{Frame, Margin, Panel as EguiPanel, TextEdit, Ui};

use super::widgets::dialog;
use crate::app::command::{Command, Layout, Panel};
use crate::app::state::{AppState, Fields, PaneIndex};
use crate::app::theme;
use crate::geometry::{Magnification, Mpp};
use crate::slide::ScaleOrigin;

/// Draws a strip on top of the views for each slide on show whose scale is not known.
pub fn show_banner(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    let unscaled =
        |index: &&PaneIndex| state.pane(**index).slide.is_some() && state.mpp(**index).is_none();
    let mut panes: Vec<PaneIndex> = state
        .shown_panes()
        .iter()
        .filter(unscaled)
        .copied()
        .collect();
    if state.layout == Layout::Linked {
        // Both show one slide.
        panes.truncate(1);
    }
    for pane in panes {
        let (fill, text) = theme::notice_strip(ui.visuals().dark_mode);
        let frame = Frame::NONE
            .fill(fill)
            .inner_margin(Margin::symmetric(10, 4));
        let panel = EguiPanel::top(("scale banner", pane)).frame(frame);
        panel.show(ui, |ui| banner(ui, state, pane, text, out));
    }
}

fn banner(
    ui: &mut Ui,
    state: &AppState,
    pane: PaneIndex,
    text: egui::Color32,
    out: &mut Vec<Command>,
) {
    ui.horizontal_wrapped(|ui| {
        let which = match (state.layout, pane) {
            (Layout::Split, PaneIndex::First) => "The slide in the left view",
            (Layout::Split, PaneIndex::Second) => "The slide in the right view",
            _ => "This slide",
        };
        ui.colored_label(
            text,
            format!("{which} does not state its scale: lengths are in pixels."),
        );
        if ui.button("Type µm per pixel…").clicked() {
            out.push(Command::Activate(pane));
            if !state.shows(Panel::Scale) {
                out.push(Command::Toggle(Panel::Scale));
            }
        }
    });
}

/// Draws the dialog when it is shown.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    dialog(
        ui,
        "Scale of the slide",
        Panel::Scale,
        state,
        out,
        |ui, out| {
            let Some(slide) = &state.active_pane().slide else {
                ui.label("No slide is open in this view.");
                return;
            };
            let (now, origin) = state.scale_of(slide);
            let stated = slide.source.info().mpp;
            ui.label(&slide.source.info().name);
            ui.label(file_says(stated));
            let entered = field(ui, fields, now);
            let typed = parse(&fields.scale_text);
            message(ui, &fields.scale_text, &typed);
            ui.horizontal(|ui| {
                let set = ui.add_enabled(typed.is_ok(), egui::Button::new("Use this scale"));
                if let (Ok(mpp), true) = (&typed, set.clicked() || entered) {
                    finish(state, Some(*mpp), fields, out);
                }
                let clear = egui::Button::new("Use what the file says");
                if ui
                    .add_enabled(origin == ScaleOrigin::Typed, clear)
                    .clicked()
                {
                    finish(state, None, fields, out);
                }
            });
        },
    );
}

fn finish(state: &AppState, mpp: Option<Mpp>, fields: &mut Fields, out: &mut Vec<Command>) {
    fields.scale_text.clear();
    out.push(Command::SetScale(state.active, mpp));
    out.push(Command::Toggle(Panel::Scale));
}

fn file_says(stated: Option<Mpp>) -> String {
    match stated {
        Some(mpp) => format!("The file says {:.4} µm per pixel.", mpp.mean()),
        None => "The file does not state its scale.".into(),
    }
}

/// The text field; tells whether Enter was pressed in it.
fn field(ui: &mut Ui, fields: &mut Fields, now: Option<Mpp>) -> bool {
    let focus = std::mem::take(&mut fields.focus_dialog);
    if let (true, Some(mpp)) = (focus, now) {
        fields.scale_text = format!("{:.4}", mpp.x);
    }
    let entered = ui.horizontal(|ui| {
        let label = ui.label("µm per pixel");
        let edit = TextEdit::singleline(&mut fields.scale_text)
            .hint_text("0.25")
            .desired_width(100.0);
        let response = ui.add(edit).labelled_by(label.id);
        if focus {
            response.request_focus();
        }
        response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
    });
    entered.inner
}

fn message(ui: &mut Ui, text: &str, typed: &Result<Mpp, String>) {
    match typed {
        Ok(mpp) => {
            let magnification = Magnification::from_mpp(mpp.x);
            ui.label(format!(
                "As scanned through a {magnification} objective. It is remembered for this slide."
            ));
        }
        Err(reason) if !text.trim().is_empty() => {
            ui.colored_label(ui.visuals().error_fg_color, reason);
        }
        Err(_) => _ = ui.label("20x scanners have about 0.5, 40x about 0.25."),
    }
}

/// The scale that a text means. A comma counts as a decimal point.
///
/// # Errors
/// In words, when it is not a number or no scale that a slide can have.
fn parse(text: &str) -> Result<Mpp, String> {
    let text = text
        .trim()
        .trim_end_matches("µm")
        .trim_end()
        .replace(',', ".");
    let number: f64 = text
        .parse()
        .map_err(|_| "Type a number, such as 0.25".to_owned())?;
    Mpp::square(number).ok_or_else(|| "A scale is between 0.001 and 10000 µm per pixel".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_plausible_number() {
        assert_eq!(parse(" 0.25 "), Ok(Mpp { x: 0.25, y: 0.25 }));
        assert_eq!(parse("0,5 µm"), Ok(Mpp { x: 0.5, y: 0.5 }));
        for text in ["", "abc", "0", "-1", "nan", "inf", "1e9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
