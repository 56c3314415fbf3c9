//! Opening a slide by typing its path, with the folder's entries to choose from.

use std::path::{Path, PathBuf};

use egui::{EventFilter, Id, Key, Modifiers, RichText, ScrollArea, TextEdit, Ui};

use super::folder_lister::{Entry, Listing};
use super::widgets::dialog;
use crate::app::command::{Command, Panel};
use crate::app::file_for::FileFor;
use crate::app::state::{AppState, Fields};

/// Width of the field, points.
const WIDTH: f32 = 520.0;

/// Entries that are seen at once.
const ROWS: f32 = 10.0;

/// Draws the dialog when it is shown.
pub fn show(ui: &mut Ui, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    let looks = fields.path_for.dialog();
    dialog(ui, looks.title, Panel::OpenPath, state, out, |ui, out| {
        ui.set_width(WIDTH);
        if let Some(hint) = &fields.path_hint {
            ui.label(hint);
        }
        let enter = match looks.save_as {
            Some(_) => "Enter writes",
            None => "Enter opens",
        };
        let text = format!("{} Tab completes, {enter}.", looks.hint);
        ui.label(RichText::new(text).weak());
        let keys = DialogKeys::take(ui);
        let id = field(ui, state, fields);
        let typed = Typed::new(&fields.path_text);
        let ctx = ui.ctx().clone();
        let listing = fields
            .folders
            .list(&typed.folder, move || ctx.request_repaint());
        let candidates = candidates(listing.as_ref(), &typed.start);
        keys.move_choice(fields, candidates.len());
        let clicked = list(ui, listing.as_ref(), &candidates, fields, keys.moves());
        act(
            ui,
            &keys,
            clicked,
            &typed,
            &candidates,
            id,
            state,
            fields,
            out,
        );
    });
}

/// The keys that choose, taken before the text field sees them.
struct DialogKeys {
    up: bool,
    down: bool,
    tab: bool,
    enter: bool,
}

impl DialogKeys {
    fn take(ui: &Ui) -> Self {
        let take = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        Self {
            up: take(Key::ArrowUp),
            down: take(Key::ArrowDown),
            tab: take(Key::Tab),
            enter: take(Key::Enter),
        }
    }

    fn moves(&self) -> bool {
        self.up || self.down
    }

    /// Arrows go round; above the first entry none is marked.
    fn move_choice(&self, fields: &mut Fields, count: usize) {
        let now = fields.path_choice.filter(|&choice| choice < count);
        fields.path_choice = match (self.up, self.down) {
            (true, _) => now.map_or(count.checked_sub(1), |choice| choice.checked_sub(1)),
            (_, true) => Some(now.map_or(0, |choice| choice + 1)).filter(|&choice| choice < count),
            _ => now,
        };
    }
}

/// A typed path as the folder it names and the beginning of an entry's name.
struct Typed {
    /// `~` stands for the home folder.
    folder: PathBuf,
    start: String,
}

impl Typed {
    fn new(text: &str) -> Self {
        let text = restarted(text);
        let cut = text.rfind(std::path::is_separator).map_or(0, |at| at + 1);
        let (folder, start) = text.split_at(cut);
        let folder = if folder.is_empty() {
            PathBuf::from(".")
        } else {
            expand(folder)
        };
        Self {
            folder,
            start: start.to_owned(),
        }
    }
}

/// The path meant by a text in which a whole path was typed behind the proposed folder: a second
/// `/`, or `~/` after a `/`, starts afresh.
fn restarted(text: &str) -> &str {
    let root = text.rfind("//").filter(|_| cfg!(unix)).map(|at| at + 1);
    let home = text.rfind("/~/").map(|at| at + 1);
    root.max(home).and_then(|at| text.get(at..)).unwrap_or(text)
}

/// A path with `~` at its beginning replaced by the home folder.
fn expand(text: &str) -> PathBuf {
    let text = restarted(text);
    let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_path_buf());
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with(std::path::is_separator) => {
            home.join(rest.trim_start_matches(std::path::is_separator))
        }
        _ => PathBuf::from(text),
    }
}

/// Entries whose names begin with `start`, then those that hold it. Hidden ones are proposed only
/// where a dot was typed.
fn candidates<'a>(listing: Option<&'a Listing>, start: &str) -> Vec<&'a Entry> {
    let Some(Ok(entries)) = listing else {
        return Vec::new();
    };
    let start = start.to_lowercase();
    let seen = |entry: &&Entry| start.starts_with('.') || !entry.name.starts_with('.');
    let begins = |entry: &&Entry| entry.name.to_lowercase().starts_with(&start);
    let holds = |entry: &&Entry| entry.name.to_lowercase().contains(&start);
    let shown = || entries.iter().filter(seen);
    let beginning = shown().filter(begins);
    beginning
        .chain(shown().filter(|entry| !begins(entry) && holds(entry)))
        .collect()
}

/// Where to begin: the folder of the slide that is open, else the home folder.
fn first_folder(state: &AppState) -> String {
    let path = state
        .active_pane()
        .slide
        .as_ref()
        .and_then(|slide| slide.source.info().path.clone());
    let folder = path
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::to_str);
    let folder = folder.filter(|folder| !folder.is_empty()).unwrap_or("~");
    format!(
        "{}{}",
        folder.trim_end_matches(std::path::is_separator),
        std::path::MAIN_SEPARATOR
    )
}

fn field(ui: &mut Ui, state: &AppState, fields: &mut Fields) -> Id {
    if fields.focus_dialog && fields.path_text.is_empty() {
        let name = fields.path_for.dialog().save_as.unwrap_or_default();
        fields.path_text = first_folder(state) + name;
    }
    let before = fields.path_text.clone();
    let filter = EventFilter {
        tab: true,
        vertical_arrows: true,
        horizontal_arrows: true,
        escape: false,
    };
    let edit = TextEdit::singleline(&mut fields.path_text)
        .desired_width(WIDTH)
        .hint_text("/path/to/slide.svs");
    let response = ui.add(edit.event_filter(filter)).accessible_name("Path");
    if std::mem::take(&mut fields.focus_dialog) {
        put_cursor_at_end(ui, response.id, &fields.path_text);
        // What was listed when the dialog was last open may have changed since.
        fields.folders.forget();
        fields.path_choice = None;
        response.request_focus();
    }
    if fields.path_text != before {
        fields.path_choice = None;
    }
    response.id
}

/// The proposals; gives the one that was clicked.
fn list(
    ui: &mut Ui,
    listing: Option<&Listing>,
    candidates: &[&Entry],
    fields: &Fields,
    follow: bool,
) -> Option<usize> {
    let mut clicked = None;
    let height = ui.spacing().interact_size.y;
    // The list keeps its height, so that nothing jumps while one types.
    let area = ScrollArea::vertical()
        .max_height(ROWS * height)
        .min_scrolled_height(ROWS * height);
    let area = area.auto_shrink(false);
    ui.allocate_ui(egui::vec2(WIDTH, ROWS * height), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_min_size(egui::vec2(WIDTH, ROWS * height));
        match listing {
            None => _ = ui.label(RichText::new("Reading the folder…").weak()),
            Some(Err(reason)) => _ = ui.label(RichText::new(reason).weak()),
            Some(Ok(entries)) if candidates.is_empty() => {
                let words = match entries.is_empty() {
                    true => "This folder is empty",
                    false => "Nothing here begins like that",
                };
                ui.label(RichText::new(words).weak());
            }
            Some(Ok(_)) => {
                area.show_rows(ui, height, candidates.len(), |ui, visible| {
                    for index in visible {
                        let Some(entry) = candidates.get(index) else {
                            continue;
                        };
                        if row(ui, entry, fields.path_choice == Some(index), follow) {
                            clicked = Some(index);
                        }
                    }
                });
            }
        }
    });
    clicked
}

fn row(ui: &mut Ui, entry: &Entry, chosen: bool, follow: bool) -> bool {
    let text = if entry.is_folder {
        format!("{}/", entry.name)
    } else {
        entry.name.clone()
    };
    let button = egui::Button::selectable(chosen, text).truncate();
    let layout = egui::Layout::top_down_justified(egui::Align::LEFT);
    let response = ui.with_layout(layout, |ui| ui.add(button)).inner;
    if chosen && follow {
        response.scroll_to_me(None);
    }
    response.clicked()
}

/// Carries out Tab, Enter and clicks.
#[expect(
    clippy::too_many_arguments,
    reason = "one frame's worth of what the dialog knows"
)]
fn act(
    ui: &Ui,
    keys: &DialogKeys,
    clicked: Option<usize>,
    typed: &Typed,
    candidates: &[&Entry],
    field: Id,
    state: &AppState,
    fields: &mut Fields,
    out: &mut Vec<Command>,
) {
    let marked = fields.path_choice.or(if keys.tab { Some(0) } else { None });
    let chosen = clicked.or(if keys.tab || keys.enter { marked } else { None });
    match chosen.and_then(|index| candidates.get(index)) {
        Some(entry) if entry.is_folder || keys.tab => complete(ui, entry, field, fields),
        Some(entry) => open(typed.folder.join(&entry.name), state, fields, out),
        None if keys.enter && !fields.path_text.trim().is_empty() => {
            open(expand(fields.path_text.trim()), state, fields, out);
        }
        None => {}
    }
}

fn complete(ui: &Ui, entry: &Entry, field: Id, fields: &mut Fields) {
    let cut = fields
        .path_text
        .rfind(std::path::is_separator)
        .map_or(0, |at| at + 1);
    fields.path_text.truncate(cut);
    fields.path_text.push_str(&entry.name);
    if entry.is_folder {
        fields.path_text.push(std::path::MAIN_SEPARATOR);
    }
    fields.path_choice = None;
    ui.memory_mut(|memory| memory.request_focus(field));
    put_cursor_at_end(ui, field, &fields.path_text);
}

fn put_cursor_at_end(ui: &Ui, field: Id, text: &str) {
    let mut edit = TextEdit::load_state(ui.ctx(), field).unwrap_or_default();
    let end = egui::text::CCursor::new(text.chars().count());
    edit.cursor
        .set_char_range(Some(egui::text::CCursorRange::one(end)));
    TextEdit::store_state(ui.ctx(), field, edit);
}

fn open(path: PathBuf, state: &AppState, fields: &mut Fields, out: &mut Vec<Command>) {
    fields.path_hint = None;
    let path = tidy(&path);
    let what = match &fields.path_for {
        FileFor::Slide(_) => FileFor::Slide(state.active),
        other => other.clone(),
    };
    let replaces = what.dialog().save_as.is_some() && path.exists();
    if replaces && fields.path_there.as_ref() != Some(&path) {
        fields.path_hint = Some("That file is there already. Enter once more replaces it.".into());
        fields.path_there = Some(path);
        return;
    }
    if !matches!(what, FileFor::Slide(_)) {
        out.push(Command::Toggle(Panel::OpenPath));
    }
    out.push(what.command(path));
}

/// Without the separator at the end, which Tab left there.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Listing {
        let entry = |name: &&str| Entry {
            name: (*name).to_owned(),
            is_folder: false,
        };
        Ok(names.iter().map(entry).collect())
    }

    #[test]
    fn what_begins_like_the_text_comes_before_what_holds_it() {
        let listing = entries(&["old slide.svs", "Slide 1.svs", "slide 2.svs", ".slide"]);
        let found = candidates(Some(&listing), "slide");
        let names: Vec<_> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["Slide 1.svs", "slide 2.svs", "old slide.svs"]);
        assert_eq!(candidates(Some(&listing), ".sl").len(), 1);
    }

    #[test]
    fn a_path_is_cut_after_its_last_separator() {
        let typed = Typed::new("/data/ca");
        assert_eq!(
            (typed.folder, typed.start),
            (PathBuf::from("/data/"), "ca".into())
        );
        let typed = Typed::new("slide");
        assert_eq!(
            (typed.folder, typed.start),
            (PathBuf::from("."), "slide".into())
        );
        assert_eq!(
            tidy(Path::new("/data/dicom/")),
            PathBuf::from("/data/dicom")
        );
    }

    #[test]
    fn a_tilde_is_the_home_folder_only_at_the_beginning() {
        let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_path_buf());
        if let Some(home) = home {
            assert_eq!(expand("~/slides/"), home.join("slides/"));
            assert_eq!(expand("~"), home);
        }
        #[cfg(unix)]
        assert_eq!(expand("~//slides/a"), PathBuf::from("/slides/a"));
        assert_eq!(expand("/a~b"), PathBuf::from("/a~b"));
        assert_eq!(expand("~other/x"), PathBuf::from("~other/x"));
    }
}
