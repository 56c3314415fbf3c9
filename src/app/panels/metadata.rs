//! What the slide says about itself.

use egui::{Grid, RichText, Ui};

use super::properties;
use super::widgets::{NAME_WIDTH, fact, fixed_width_label, grouped, section_title};
use crate::app::command::{Command, Panel};
use crate::app::state::{AppState, Fields, OpenedSlide};
use crate::geometry::Mpp;
use crate::slide::{ScaleOrigin, SlideInfo};

/// Draws the section.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    section_title(ui, "About the slide", Panel::Metadata, out);
    let Some(slide) = &state.active_pane().slide else {
        ui.label("No slide is open in this view.");
        return;
    };
    let info = slide.source.info();
    facts(ui, state, slide, out);
    ui.add_space(6.0);
    levels(ui, info);
    ui.add_space(6.0);
    properties::show(ui, info, fields, out);
}

fn facts(ui: &mut Ui, state: &AppState, slide: &OpenedSlide, out: &mut Vec<Command>) {
    let info = slide.source.info();
    let (mpp, origin) = state.scale_of(slide);
    fact(ui, "Name", &info.name, out);
    let path = info
        .path
        .as_ref()
        .map_or("built in".into(), |path| path.display().to_string());
    fact(ui, "Path", &path, out);
    fact(ui, "Format", &info.vendor, out);
    fact(ui, "Size", &size_px(info), out);
    fact(ui, "", &size_mm(info, mpp), out);
    fact(ui, "Scale", &scale(mpp), out);
    ui.horizontal(|ui| {
        fixed_width_label(ui, "", NAME_WIDTH);
        ui.label(RichText::new(origin_text(origin)).weak());
        if ui.button("Change scale…").clicked() && !state.shows(Panel::Scale) {
            out.push(Command::Toggle(Panel::Scale));
        }
    });
    let objective = info
        .objective_power
        .map_or("not stated".into(), |power| format!("{power}x"));
    fact(ui, "Objective", &objective, out);
    fact(ui, "Profile", &profile(info, slide.has_profile), out);
    fact(ui, "Hash", &info.hash.0, out);
}

fn size_px(info: &SlideInfo) -> String {
    let (width, height) = info.levels.first().map_or((0, 0), |level| level.size_px);
    format!("{} × {} px", grouped(width), grouped(height))
}

fn size_mm(info: &SlideInfo, mpp: Option<Mpp>) -> String {
    let size = info.size();
    match mpp {
        Some(mpp) => {
            let (width, height) = (size.width * mpp.x / 1e3, size.height * mpp.y / 1e3);
            format!("{width:.2} × {height:.2} mm")
        }
        None => "size in mm not known".into(),
    }
}

fn scale(mpp: Option<Mpp>) -> String {
    match mpp {
        Some(mpp) if mpp.x == mpp.y => format!("{:.4} µm/px", mpp.x),
        Some(mpp) => format!("{:.4} × {:.4} µm/px", mpp.x, mpp.y),
        None => "not known".into(),
    }
}

/// Where a scale came from, in words.
fn origin_text(origin: ScaleOrigin) -> &'static str {
    match origin {
        ScaleOrigin::Mpp => "from the slide",
        ScaleOrigin::ObjectivePower => "approximate: from the objective",
        ScaleOrigin::Typed => "typed in",
        ScaleOrigin::Missing => "the file states none",
    }
}

fn profile(info: &SlideInfo, usable: bool) -> String {
    match &info.icc_profile {
        None => "none".into(),
        Some(bytes) => {
            let kib = bytes.len().div_ceil(1024);
            let trouble = if usable { "" } else { ", can't be used" };
            format!("ICC, {kib} KiB{trouble}")
        }
    }
}

fn levels(ui: &mut Ui, info: &SlideInfo) {
    ui.label(RichText::new("Levels").strong());
    let mono = |text: String| RichText::new(text).monospace();
    let grid = Grid::new("levels")
        .striped(true)
        .num_columns(4)
        .spacing([14.0, 3.0]);
    grid.min_row_height(16.0).show(ui, |ui| {
        for heading in ["level", "size, px", "scale", "tile, px"] {
            ui.label(RichText::new(heading).small().weak());
        }
        ui.end_row();
        for (index, level) in info.levels.iter().enumerate() {
            let (width, height) = level.size_px;
            ui.label(mono(index.to_string()));
            ui.label(mono(format!("{width:>6} × {height:>6}")));
            ui.label(mono(format!("{:>7.2}", level.scale.0)));
            ui.label(mono(
                level
                    .native_tile_px
                    .map_or("–".into(), |(w, h)| format!("{w} × {h}")),
            ));
            ui.end_row();
        }
    });
}
