//! The keys and what the mouse does.

use egui::{Grid, RichText, Ui};

use super::widgets::dialog;
use crate::app::command::{Command, Panel};
use crate::app::keys::{BINDINGS, Binding};
use crate::app::state::{AppState, Fields};

/// What the pointer does in a view.
const GESTURES: [(&str, &str); 7] = [
    ("Drag", "Move the slide; let go in motion to throw it"),
    ("Wheel", "Zoom about the pointer"),
    ("Ctrl + wheel, pinch", "Zoom about the pointer"),
    ("Double click", "Bring the point to the middle"),
    ("Shift or Alt + drag", "Rotate about the middle"),
    ("Hold the space bar", "Look under the overlay"),
    ("Drop a file", "Open it in the active view"),
];

/// Draws the dialog when it is shown.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    dialog(ui, "Keys and gestures", Panel::Keys, state, out, |ui, _| {
        let room = (ui.ctx().content_rect().height() - 200.0).max(120.0);
        egui::ScrollArea::vertical()
            .max_height(room)
            .min_scrolled_height(room)
            .show(ui, contents);
    });
}

fn contents(ui: &mut Ui) {
    let groups = groups();
    // Half of the lines on each side, as near as whole groups allow; gestures stand on the right.
    let keys: usize = groups.iter().map(|(_, bindings)| bindings.len() + 2).sum();
    let total = keys + GESTURES.len() + 2;
    let mut lines = 0;
    let (left, right): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, bindings)| {
        lines += bindings.len() + 2;
        lines <= total / 2 + 3
    });
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| left.iter().for_each(|group| show_group(ui, group)));
        ui.add_space(28.0);
        ui.vertical(|ui| {
            right.iter().for_each(|group| show_group(ui, group));
            show_gestures(ui);
        });
    });
}

type Group = (&'static str, Vec<&'static Binding>);

/// The bindings by their headings, both in the order of the table.
fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for binding in BINDINGS {
        match groups.iter_mut().find(|(name, _)| *name == binding.group) {
            Some((_, bindings)) => bindings.push(binding),
            None => groups.push((binding.group, vec![binding])),
        }
    }
    groups
}

fn show_group(ui: &mut Ui, (name, bindings): &Group) {
    let mut rows: Vec<(String, &str)> = Vec::new();
    for binding in bindings {
        let keys = binding.keys(ui.ctx());
        match rows.last_mut() {
            Some((others, help)) if *help == binding.help => {
                *others = format!("{others} or {keys}")
            }
            _ => rows.push((keys, binding.help)),
        }
    }
    show_rows(
        ui,
        name,
        rows.iter().map(|(keys, help)| (keys.as_str(), *help)),
    );
}

fn show_gestures(ui: &mut Ui) {
    show_rows(ui, "Mouse, touch pad, space bar", GESTURES.into_iter());
}

fn show_rows<'a>(ui: &mut Ui, name: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
    ui.label(RichText::new(name).strong());
    let grid = Grid::new(name).num_columns(2).spacing([14.0, 4.0]);
    grid.min_row_height(15.0)
        .min_col_width(72.0)
        .show(ui, |ui| {
            for (keys, help) in rows {
                ui.label(RichText::new(keys).monospace());
                ui.label(help);
                ui.end_row();
            }
        });
    ui.add_space(8.0);
}
