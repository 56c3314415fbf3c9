//! The row of buttons on top. It stays on one line: what does not fit folds into menus.

use egui::{Button, Ui, containers::menu::MenuButton, vec2};

use super::icons::{self, Icon};
use super::{open_menu, widgets};
use crate::app::camera::slide_px_per_screen_px;
use crate::app::command::{CameraMove, Command, Layout, Panel};
use crate::app::keys::{Action, MAGNIFICATIONS};
use crate::app::settings::Theme;
use crate::app::state::{AppState, Fields};
use crate::geometry::{Magnification, Mpp};

/// A button turns the picture by this much, radians; the keys turn it by less.
const QUARTER_TURN: f64 = std::f64::consts::FRAC_PI_2;

/// Two magnifications closer than this share of one are the same to a person.
const SAME_MAGNIFICATION: f64 = 0.005;

/// Below these widths a group of buttons folds into a menu, points.
const ROOM_FOR_PANELS: f32 = 1060.0;
const ROOM_FOR_ZOOM: f32 = 800.0;
const ROOM_FOR_TURNS: f32 = 570.0;

/// The panels that have a button.
const PANELS: [(Panel, &str, &str); 6] = [
    (
        Panel::Model,
        "Model",
        "The model, and how its overlay looks",
    ),
    (
        Panel::Bias,
        "Dials",
        "Attention bias of each class, and areas",
    ),
    (Panel::Metadata, "Info", "What the slide says about itself"),
    (
        Panel::Associated,
        "Images",
        "Label, macro and thumbnail images",
    ),
    (
        Panel::Display,
        "Display",
        "Brightness, contrast, gamma, stains, colour profile",
    ),
    (Panel::Log, "Log", "Messages since the program started"),
];

/// Draws the toolbar.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    let room = ui.available_width();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        open_menu::show(ui, state, fields, out);
        gap(ui);
        let has_slide = state.active_pane().slide.is_some();
        ui.add_enabled_ui(has_slide, |ui| {
            fold(ui, room < ROOM_FOR_ZOOM, "Zoom", |ui| {
                zoom_buttons(ui, state, out)
            });
            gap(ui);
            fold(ui, room < ROOM_FOR_TURNS, "Turn", |ui| {
                _ = ui.horizontal(|ui| turn_buttons(ui, state, out))
            });
            gap(ui);
            fold(ui, room < ROOM_FOR_TURNS, "Views", |ui| {
                _ = ui.horizontal(|ui| view_buttons(ui, state, out))
            });
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            help_button(ui, state, out);
            theme_menu(ui, state, out);
            gap(ui);
            if room < ROOM_FOR_PANELS {
                fold(ui, true, "Panels", |ui| {
                    panel_buttons(ui, state, false, out)
                });
            } else {
                panel_buttons(ui, state, true, out);
            }
        });
    });
}

fn gap(ui: &mut Ui) {
    ui.add_space(8.0);
}

/// The buttons themselves, or a menu that holds them.
fn fold(ui: &mut Ui, folded: bool, name: &str, contents: impl FnOnce(&mut Ui)) {
    if folded {
        MenuButton::new(format!("{name} …")).ui(ui, contents);
    } else {
        contents(ui);
    }
}

/// What a zoom button says: the magnification, or where the scale is not known how many level-0
/// px one screen px covers.
fn zoom_text(magnification: f64, mpp: Option<Mpp>) -> String {
    match mpp {
        Some(_) => Magnification(magnification).to_string(),
        None => format!("1:{}", slide_px_per_screen_px(magnification, None).round()),
    }
}

fn zoom_buttons(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let active = state.active;
    let mpp = state.mpp(active);
    let fit = Action::Camera(CameraMove::Fit);
    let hover = widgets::with_keys(ui.ctx(), "Show the whole slide", fit);
    if widgets::choice(ui, false, "Fit")
        .on_hover_text(hover)
        .clicked()
    {
        out.push(Command::Camera(active, CameraMove::Fit));
    }
    let now = state.view(active).map(|view| view.slide_px_per_screen_px);
    for magnification in MAGNIFICATIONS {
        let wanted = slide_px_per_screen_px(magnification, mpp);
        let is_now = now.is_some_and(|now| (now / wanted - 1.0).abs() < SAME_MAGNIFICATION);
        let step = CameraMove::Magnification(magnification);
        let meaning = zoom_meaning(magnification, mpp);
        let hover = widgets::with_keys(ui.ctx(), &meaning, Action::Camera(step));
        let response = widgets::choice(ui, is_now, &zoom_text(magnification, mpp));
        if response.on_hover_text(hover).clicked() {
            out.push(Command::Camera(active, step));
        }
    }
}

fn zoom_meaning(magnification: f64, mpp: Option<Mpp>) -> String {
    let um_per_px = Magnification(magnification).mpp();
    match mpp {
        Some(_) => format!(
            "As through a {}x objective: {um_per_px} µm per screen pixel",
            magnification
        ),
        None => {
            let slide_px = slide_px_per_screen_px(magnification, None).round();
            format!("One screen pixel for {slide_px} of the slide; its scale is not known")
        }
    }
}

fn turn_buttons(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let view = state.view(state.active);
    let mirrored = view.is_some_and(|view| view.mirrored);
    let buttons = [
        (
            Icon::RotateLeft,
            "Rotate left",
            CameraMove::Rotate(-QUARTER_TURN),
            false,
        ),
        (
            Icon::RotateRight,
            "Rotate right",
            CameraMove::Rotate(QUARTER_TURN),
            false,
        ),
        (Icon::Mirror, "Mirror", CameraMove::Mirror, mirrored),
        (Icon::Flip, "Flip", CameraMove::Flip, false),
        (Icon::Upright, "Upright", CameraMove::Upright, false),
    ];
    for (icon, name, step, selected) in buttons {
        let hover = match step {
            CameraMove::Rotate(_) => format!("{name} by 90°  (15°: [ and ])"),
            step => widgets::with_keys(ui.ctx(), name, Action::Camera(step)),
        };
        if icons::button(ui, icon, name, selected)
            .on_hover_text(hover)
            .clicked()
        {
            out.push(Command::Camera(state.active, step));
        }
    }
}

fn view_buttons(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let buttons = [
        (Icon::Single, "One view", Layout::Single),
        (
            Icon::Linked,
            "Linked views: one place at two magnifications",
            Layout::Linked,
        ),
        (Icon::Split, "Two separate views", Layout::Split),
    ];
    for (icon, name, layout) in buttons {
        let hover = widgets::with_keys(ui.ctx(), name, Action::Layout(layout));
        let response = icons::button(ui, icon, name, state.layout == layout);
        if response.on_hover_text(hover).clicked() {
            out.push(Command::SetLayout(layout));
        }
    }
}

/// `from_right`: laid out from the right end, so the last comes first.
fn panel_buttons(ui: &mut Ui, state: &AppState, from_right: bool, out: &mut Vec<Command>) {
    let mut order = PANELS;
    if from_right {
        order.reverse();
    }
    for (panel, name, meaning) in order {
        let hover = widgets::with_keys(ui.ctx(), meaning, Action::Toggle(panel));
        if widgets::choice(ui, state.shows(panel), name)
            .on_hover_text(hover)
            .clicked()
        {
            out.push(Command::Toggle(panel));
        }
    }
}

fn help_button(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let action = Action::Toggle(Panel::Keys);
    let hover = widgets::with_keys(ui.ctx(), "Keys and gestures", action);
    let button = Button::new("?")
        .selected(state.shows(Panel::Keys))
        .min_size(vec2(24.0, 24.0));
    let response = ui.add(button).accessible_name("Keys and gestures");
    if response.on_hover_text(hover).clicked() {
        out.push(Command::Toggle(Panel::Keys));
    }
}

fn theme_menu(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let chosen = state.settings.theme;
    let response = icons::button(ui, Icon::Theme, "Theme", false);
    let response = response.on_hover_text("Light or dark");
    egui::Popup::menu(&response).show(|ui| {
        let themes = [
            (Theme::System, "As the desktop"),
            (Theme::Light, "Light"),
            (Theme::Dark, "Dark"),
        ];
        widgets::clear_marks(ui);
        for (theme, name) in themes {
            if ui.radio(chosen == theme, name).clicked() {
                out.push(Command::SetTheme(theme));
                ui.close();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_of_a_slide_without_scale_state_a_ratio() {
        let unscaled = MAGNIFICATIONS.map(|magnification| zoom_text(magnification, None));
        assert_eq!(unscaled, ["1:40", "1:16", "1:8", "1:4", "1:2", "1:1"]);
        let scaled = MAGNIFICATIONS.map(|m| zoom_text(m, Mpp::square(0.23)));
        assert_eq!(scaled, ["1x", "2.5x", "5x", "10x", "20x", "40x"]);
    }
}
