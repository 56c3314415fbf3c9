//! The Open button and its menu of recent files and demonstration slides.

use std::path::Path;

use egui::{Button, Popup, RichText, TextWrapMode, Ui};

use super::icons::{self, Icon};
use super::widgets::{cut, keys_for, menu_entry, with_keys};
use crate::app::command::{Command, Panel};
use crate::app::file_for::FileFor;
use crate::app::keys::Action;
use crate::app::state::{AppState, Fields};

/// The built-in slides: how they are opened and what they show.
const DEMOS: [(&str, &str); 3] = [
    ("phantom:brain", "Brain"),
    ("phantom:breast", "Breast"),
    ("phantom:colon", "Colon"),
];

/// Folders longer than this are cut at their beginning: the end tells them apart.
const LONGEST_FOLDER: usize = 44;

/// Draws the button and, when it is open, the menu.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, out: &mut Vec<Command>) {
    let hover = with_keys(ui.ctx(), "Open a slide", Action::OpenDialog);
    ui.spacing_mut().item_spacing.x = 2.0;
    if ui.button("Open…").on_hover_text(hover).clicked() {
        out.push(Command::Choose(FileFor::Slide(state.active)));
    }
    let more = icons::button(ui, Icon::More, "Recent slides and demos", false);
    let more = more.on_hover_text("Recent slides and demos");
    ui.spacing_mut().item_spacing.x = 4.0;
    Popup::menu(&more).show(|ui| entries(ui, state, out));
}

fn entries(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    let actions = [
        (
            "Open a slide…",
            Action::OpenDialog,
            Command::Choose(FileFor::Slide(state.active)),
        ),
        (
            "Open by path…",
            Action::Toggle(Panel::OpenPath),
            Command::Toggle(Panel::OpenPath),
        ),
    ];
    for (text, action, command) in actions {
        let keys = keys_for(ui.ctx(), action);
        if menu_entry(ui, text, &keys).clicked() {
            out.push(command);
        }
    }
    let close = menu_entry_if(
        ui,
        state.active_pane().slide.is_some(),
        "Close the slide",
        Action::Close,
    );
    if close {
        out.push(Command::Close(state.active));
    }
    ui.separator();
    recent(ui, state, out);
    ui.separator();
    heading(ui, "Built-in demonstration slides");
    for (argument, name) in DEMOS {
        if menu_entry(ui, name, "").clicked() {
            out.push(Command::Open(state.active, argument.into()));
        }
    }
}

fn menu_entry_if(ui: &mut Ui, enabled: bool, text: &str, action: Action) -> bool {
    let keys = keys_for(ui.ctx(), action);
    ui.add_enabled_ui(enabled, |ui| menu_entry(ui, text, &keys).clicked())
        .inner
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).small().weak());
}

fn recent(ui: &mut Ui, state: &AppState, out: &mut Vec<Command>) {
    heading(ui, "Recent slides");
    let recent = state.session.recent();
    if recent.is_empty() {
        ui.label(RichText::new("none yet").weak());
        return;
    }
    for path in recent {
        let (name, folder) = name_and_folder(path);
        let folder = RichText::new(folder).small().weak();
        let button = Button::new(name)
            .right_text(folder)
            .wrap_mode(TextWrapMode::Extend);
        let response = ui.add(button).on_hover_text(path.display().to_string());
        if response.clicked() {
            out.push(Command::Open(state.active, path.clone()));
        }
    }
    if menu_entry(ui, "Clear recent slides", "").clicked() {
        out.push(Command::ClearRecent);
    }
}

/// A file's name, and its folder cut to a readable length.
fn name_and_folder(path: &Path) -> (String, String) {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new("")).display().to_string();
    let length = folder.chars().count();
    let folder = match length.checked_sub(LONGEST_FOLDER) {
        None | Some(0) => folder,
        Some(beyond) => format!("…{}", folder.chars().skip(beyond + 1).collect::<String>()),
    };
    (cut(&name, 48), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_folder_keeps_its_end() {
        let path = format!(
            "/archive/{}/2024/case 7/slide.svs",
            "very-long-folder-name".repeat(4)
        );
        let (name, folder) = name_and_folder(Path::new(&path));
        assert_eq!(name, "slide.svs");
        assert!(folder.starts_with('…') && folder.ends_with("/2024/case 7"));
        assert_eq!(folder.chars().count(), LONGEST_FOLDER);
        assert_eq!(
            name_and_folder(Path::new("a.svs")),
            ("a.svs".into(), String::new())
        );
    }
}
