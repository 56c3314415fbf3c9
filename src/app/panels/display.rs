//! How the picture is shown: a matter of the shader alone.

use std::ops::RangeInclusive;

use egui::{Checkbox, DragValue, RichText, Slider, Ui};

use super::icons::{self, Icon};
use super::widgets::{clear_marks, fixed_width_label, section_end, section_title};
use crate::app::command::{Command, Panel};
use crate::app::settings::CACHE_MIB;
use crate::app::state::{AppState, Fields};
use crate::gpu::{DisplayAdjust, StainView};

/// Width of the sliders' names, points.
const NAME_WIDTH: f32 = 76.0;

const STAINS: [(StainView, &str); 4] = [
    (StainView::All, "All"),
    (StainView::Haematoxylin, "Haematoxylin"),
    (StainView::Eosin, "Eosin"),
    (StainView::Residual, "Residual"),
];

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "Display", Panel::Display, out);
    let mut display = state.display;
    let default = DisplayAdjust::default();
    adjustment(
        ui,
        "Brightness",
        &mut display.brightness,
        -1.0..=1.0,
        default.brightness,
    );
    adjustment(
        ui,
        "Contrast",
        &mut display.contrast,
        0.25..=4.0,
        default.contrast,
    );
    adjustment(ui, "Gamma", &mut display.gamma, 0.2..=5.0, default.gamma);
    ui.add_space(4.0);
    stains(ui, &mut display.stain);
    ui.add_space(4.0);
    profile(ui, state, &mut display.use_profile);
    let changed = display != default;
    if ui
        .add_enabled(changed, egui::Button::new("Reset all"))
        .clicked()
    {
        display = default;
    }
    if display != state.display {
        out.push(Command::SetDisplay(display));
    }
    ui.add_space(8.0);
    cache_limit(ui, state, out);
    section_end(ui);
}

/// A slider with a button that puts it back; so does a double click on it.
fn adjustment(ui: &mut Ui, name: &str, value: &mut f32, range: RangeInclusive<f32>, default: f32) {
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, name, NAME_WIDTH);
        ui.spacing_mut().slider_width = (ui.available_width() - 96.0).max(60.0);
        let is_wide = *range.end() > 1.0;
        // One is in the middle of a logarithmic scale from 1/n to n.
        let slider = Slider::new(value, range)
            .fixed_decimals(2)
            .logarithmic(is_wide);
        let slider = slider.clamping(egui::SliderClamping::Edits);
        let slider = ui.add(slider).labelled_by(label.id);
        let reset = format!("Reset {}", name.to_lowercase());
        let button = ui.add_enabled_ui(*value != default, |ui| {
            icons::small_button(ui, Icon::Reset, &reset)
        });
        let button = button.inner.on_hover_text(reset);
        if slider.double_clicked() || button.clicked() {
            *value = default;
        }
    });
}

fn stains(ui: &mut Ui, stain: &mut StainView) {
    ui.label(RichText::new("Stain shown").weak());
    ui.horizontal_wrapped(|ui| {
        clear_marks(ui);
        for (view, name) in STAINS {
            ui.radio_value(stain, view, name);
        }
    });
}

fn profile(ui: &mut Ui, state: &AppState, use_profile: &mut bool) {
    let slide = state.active_pane().slide.as_ref();
    let reason = match slide {
        None => Some("No slide is open"),
        Some(slide) if slide.has_profile => None,
        Some(slide) if slide.source.info().icc_profile.is_some() => {
            Some("The slide's profile can't be used")
        }
        Some(_) => Some("The slide holds no profile"),
    };
    let checkbox = Checkbox::new(use_profile, "Apply colour profile");
    ui.scope(|ui| {
        clear_marks(ui);
        ui.add_enabled(reason.is_none(), checkbox);
    });
    if let Some(reason) = reason {
        ui.label(RichText::new(reason).small().weak());
    }
}

fn cache_limit(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let label = fixed_width_label(ui, "Tile cache", NAME_WIDTH);
        let chosen = state.settings.tile_cache_mib;
        let mut mib = chosen.unwrap_or(state.loader.limit_bytes >> 20);
        let value = DragValue::new(&mut mib)
            .range(CACHE_MIB)
            .speed(16)
            .suffix(" MiB");
        // A limit that was not typed here is shown as it is.
        let value = value.clamp_existing_to_range(false);
        let response = ui
            .add(value.update_while_editing(false))
            .labelled_by(label.id);
        let response = response.on_hover_text("Most memory for decoded tiles");
        if response.changed() && chosen != Some(mib) {
            out.push(Command::SetCacheLimit(Some(mib)));
        }
        let reset = ui.add_enabled(chosen.is_some(), egui::Button::new("Automatic"));
        if reset
            .on_hover_text("A quarter of the memory, at most 2048 MiB")
            .clicked()
        {
            out.push(Command::SetCacheLimit(None));
        }
    });
}
