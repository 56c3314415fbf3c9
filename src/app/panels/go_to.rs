//! Going to a position that is typed in.

use egui::{TextEdit, Ui};

use super::widgets::{clear_marks, dialog};
use crate::app::command::{CameraMove, Command, Panel};
use crate::app::state::{AppState, Fields};
use crate::geometry::{Mpp, SlidePoint, SlideSize, UmPoint};

/// The unit of a typed position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GoToUnit {
    /// Microns; pixels where the scale is not known.
    #[default]
    Um,
    /// Pixels of the finest level.
    Px,
}

/// Draws the dialog when it is shown.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    dialog(
        ui,
        "Go to a position",
        Panel::GoTo,
        state,
        out,
        |ui, out| {
            let mpp = state.mpp(state.active);
            units(ui, mpp, fields);
            let in_um = mpp.filter(|_| fields.go_to_unit == GoToUnit::Um);
            let entered = field(ui, fields);
            let Some(slide) = &state.active_pane().slide else {
                ui.label("No slide is open in this view.");
                return;
            };
            let wanted = position(&fields.go_to_text, in_um, slide.source.info().size());
            message(ui, &fields.go_to_text, &wanted);
            let go = ui.add_enabled(wanted.is_ok(), egui::Button::new("Go"));
            if let (Ok(point), true) = (wanted, go.clicked() || entered) {
                out.push(Command::Camera(state.active, CameraMove::CenterOn(point)));
                out.push(Command::Toggle(Panel::GoTo));
            }
        },
    );
}

fn units(ui: &mut Ui, mpp: Option<Mpp>, fields: &mut Fields) {
    ui.label("x, y from the slide's top left corner, in");
    ui.horizontal(|ui| {
        clear_marks(ui);
        ui.add_enabled_ui(mpp.is_some(), |ui| {
            let shown = mpp.is_some() && fields.go_to_unit == GoToUnit::Um;
            let response = ui
                .radio(shown, "µm")
                .on_disabled_hover_text("The slide's scale is not known");
            if response.clicked() {
                fields.go_to_unit = GoToUnit::Um;
            }
        });
        if ui
            .radio(mpp.is_none() || fields.go_to_unit == GoToUnit::Px, "px")
            .clicked()
        {
            fields.go_to_unit = GoToUnit::Px;
        }
    });
}

/// The text field; tells whether Enter was pressed in it.
fn field(ui: &mut Ui, fields: &mut Fields) -> bool {
    let edit = TextEdit::singleline(&mut fields.go_to_text)
        .hint_text("12345, 6789")
        .desired_width(260.0);
    let response = ui.add(edit).accessible_name("Position");
    if std::mem::take(&mut fields.focus_dialog) {
        response.request_focus();
    }
    response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
}

fn message(ui: &mut Ui, text: &str, wanted: &Result<SlidePoint, String>) {
    match wanted {
        Err(reason) if !text.trim().is_empty() => {
            ui.colored_label(ui.visuals().error_fg_color, reason);
        }
        // The line stays, so that the window keeps its height while one types.
        _ => _ = ui.label(" "),
    }
}

/// The slide point that a text means: two numbers, in microns where `in_um` gives the scale,
/// else in level-0 px.
///
/// # Errors
/// In words, when it does not say two numbers or they lie outside the slide.
fn position(text: &str, in_um: Option<Mpp>, size: SlideSize) -> Result<SlidePoint, String> {
    let separated = |c: char| c.is_whitespace() || c == ',' || c == ';';
    let mut numbers = text
        .split(separated)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let number = part.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("“{part}” is not a number"))
        });
    let (Some(x), Some(y), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err("Type two numbers: x, y".into());
    };
    let (x, y) = (x?, y?);
    let point = in_um.map_or(SlidePoint::new(x, y), |mpp| {
        mpp.slide_from_um(UmPoint::new(x, y))
    });
    let inside = (0.0..=size.width).contains(&point.x) && (0.0..=size.height).contains(&point.y);
    if inside {
        Ok(point)
    } else {
        Err(outside(in_um, size))
    }
}

fn outside(in_um: Option<Mpp>, size: SlideSize) -> String {
    let (width, height, unit) = match in_um {
        Some(mpp) => (size.width * mpp.x, size.height * mpp.y, "µm"),
        None => (size.width, size.height, "px"),
    };
    format!("Outside the slide, which is {width:.0} × {height:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: SlideSize = SlideSize::new(40_000.0, 20_000.0);

    #[test]
    fn numbers_may_be_separated_in_any_usual_way() {
        for text in ["100, 200", "100 200", " 100;200 ", "100,200", "1e2\t2e2"] {
            assert_eq!(
                position(text, None, SIZE),
                Ok(SlidePoint::new(100.0, 200.0)),
                "{text}"
            );
        }
    }

    #[test]
    fn microns_are_turned_into_pixels() {
        let point = position("1000, 500", Mpp::square(0.25), SIZE);
        assert_eq!(point, Ok(SlidePoint::new(4000.0, 2000.0)));
    }

    #[test]
    fn what_can_not_be_meant_is_explained() {
        let reason = |text| position(text, None, SIZE).unwrap_err();
        assert!(reason("12").contains("two numbers"));
        assert!(reason("1, 2, 3").contains("two numbers"));
        assert!(reason("1, nan").contains("not a number"));
        assert!(reason("1, abc").contains("abc"));
        assert!(reason("50000, 1").contains("40000 × 20000 px"));
        assert!(reason("-1, 1").contains("Outside"));
    }
}
