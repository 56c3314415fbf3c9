//! What several panels are made of.

use egui::{Button, Label, Layout, Response, RichText, Sense, TextWrapMode, Ui, vec2};

use super::icons::{self, Icon};
use crate::app::command::{Command, Panel};
use crate::app::keys::{Action, keys_of};
use crate::app::state::{AppState, Fields};

/// A panel's drawing function.
pub type ShowPanel = fn(&mut Ui, &AppState, &mut Fields, &mut Vec<Command>);

/// Width of the names in a list of names and values, points.
pub const NAME_WIDTH: f32 = 84.0;

/// Height of a line of such a list, points.
const FACT_HEIGHT: f32 = 17.0;

/// A value longer than this is cut before it is laid out; the whole is in the hover text.
const LONGEST_SHOWN: usize = 160;

/// Hover texts end here: a file's property may be megabytes long.
const LONGEST_HOVER: usize = 1500;

/// The key that does `action`, as printed on a keyboard; empty where there is none.
pub fn keys_for(ctx: &egui::Context, action: Action) -> String {
    keys_of(ctx, action)
}

/// `text` and the key that does the same.
pub fn with_keys(ctx: &egui::Context, text: &str, action: Action) -> String {
    match keys_for(ctx, action) {
        keys if keys.is_empty() => text.to_owned(),
        keys => format!("{text}  ({keys})"),
    }
}

/// A text button that looks pressed while `selected`, and says so to a screen reader.
pub fn choice(ui: &mut Ui, selected: bool, text: &str) -> Response {
    let mut button = Button::new(text)
        .selected(selected)
        .min_size(vec2(28.0, 24.0));
    if selected {
        // The edge tells it apart where the two fills look alike.
        button = button.stroke(egui::Stroke::new(
            1.0,
            crate::app::theme::accent(ui.visuals().dark_mode),
        ));
    }
    ui.add(button)
}

/// A menu entry with its key on the right.
pub fn menu_entry(ui: &mut Ui, text: &str, keys: &str) -> Response {
    ui.add(
        Button::new(text)
            .shortcut_text(keys)
            .wrap_mode(TextWrapMode::Extend),
    )
}

/// The title of a panel's section, with a button that closes it.
pub fn section_title(ui: &mut Ui, title: &str, panel: Panel, out: &mut Vec<Command>) {
    let title_row = ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new(title).heading()).selectable(false));
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            let close = format!("Close “{title}”");
            if icons::small_button(ui, Icon::Close, &close)
                .on_hover_text(close)
                .clicked()
            {
                out.push(Command::Toggle(panel));
            }
        });
    });
    if just_opened(ui.ctx(), panel) {
        title_row.response.scroll_to_me(Some(egui::Align::TOP));
    }
    ui.add_space(2.0);
}

/// Where it is kept which section was opened last and not shown yet.
fn opened_id() -> egui::Id {
    egui::Id::unique("section opened")
}

/// A section was opened, maybe by a key: it is scrolled to when it is drawn.
pub fn note_opened(ctx: &egui::Context, panel: Panel) {
    ctx.data_mut(|data| data.insert_temp(opened_id(), panel));
}

fn just_opened(ctx: &egui::Context, panel: Panel) -> bool {
    ctx.data_mut(|data| {
        let is_it = data.get_temp::<Panel>(opened_id()) == Some(panel);
        if is_it {
            data.remove::<Panel>(opened_id());
        }
        is_it
    })
}

/// Space and a line between two sections.
pub fn section_end(ui: &mut Ui) {
    ui.add_space(8.0);
    ui.separator();
    ui.add_space(4.0);
}

/// A name with its value beside it. A value that does not fit is cut; the whole is shown on
/// pointing at it and goes to the clipboard on a click.
pub fn fact(ui: &mut Ui, name: &str, value: &str, out: &mut Vec<Command>) {
    let size = vec2(ui.available_width(), FACT_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(egui::Align::Center), |ui| {
        fixed_width_label(ui, name, NAME_WIDTH);
        copyable(ui, name, value, out);
    });
}

/// A weak label that takes `width` points whatever its text.
pub fn fixed_width_label(ui: &mut Ui, text: &str, width: f32) -> Response {
    let size = vec2(width, ui.text_style_height(&egui::TextStyle::Body));
    let label = Label::new(RichText::new(text).weak())
        .truncate()
        .selectable(false);
    let layout = Layout::left_to_right(egui::Align::Center);
    let response = ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_width(width);
        ui.add(label)
    });
    response.inner
}

/// A value on one line; a click copies the whole of it. Of an empty one there is nothing to copy.
pub fn copyable(ui: &mut Ui, name: &str, value: &str, out: &mut Vec<Command>) {
    let line = one_line(value);
    if line.trim().is_empty() {
        return;
    }
    let label = Label::new(line).truncate().show_tooltip_when_elided(false);
    let response = ui.add(label.selectable(false).sense(Sense::click()));
    let response = response
        .on_hover_cursor(egui::CursorIcon::Copy)
        .on_hover_ui(|ui| {
            ui.label(cut(value, LONGEST_HOVER));
            ui.label(RichText::new("Click to copy").small().weak());
        });
    if response.clicked() {
        tracing::debug!("{name} copied");
        out.push(Command::Copy(value.to_owned()));
    }
}

/// The first line's worth of a text: line breaks and other control characters become spaces.
pub fn one_line(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    cut(text, LONGEST_SHOWN).chars().map(visible).collect()
}

/// At most `most` characters, with an ellipsis where something is left out.
pub fn cut(text: &str, most: usize) -> String {
    let mut kept: String = text.chars().take(most).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// `12,345`, grouped for reading.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Gives the boxes and rings of check boxes and radio buttons in this `ui` an outline that can be
/// seen on a panel; buttons do without.
pub fn clear_marks(ui: &mut Ui) {
    let edge = ui.visuals().widgets.hovered.bg_stroke;
    let field = ui.visuals().extreme_bg_color;
    let inactive = &mut ui.visuals_mut().widgets.inactive;
    inactive.bg_stroke = edge;
    inactive.bg_fill = field;
}

/// Whether Escape was pressed for the dialog on top.
pub fn escape_pressed(ui: &Ui) -> bool {
    ui.input(|input| input.key_pressed(egui::Key::Escape))
}

/// A small window in the upper middle of the screen, to be dragged anywhere. Its cross and Escape
/// close it.
pub fn dialog(
    ui: &Ui,
    title: &str,
    panel: Panel,
    state: &AppState,
    out: &mut Vec<Command>,
    contents: impl FnOnce(&mut Ui, &mut Vec<Command>),
) {
    if !state.shows(panel) {
        return;
    }
    egui::Window::new(title)
        .id(egui::Id::unique(("dialog", panel)))
        .title_bar(false)
        .resizable(false)
        .pivot(egui::Align2::CENTER_TOP)
        .default_pos(ui.ctx().content_rect().center_top() + vec2(0.0, 96.0))
        .show(ui.ctx(), |ui| {
            section_title(ui, title, panel, out);
            contents(ui, out);
        });
    if escape_pressed(ui) && !out.contains(&Command::Toggle(panel)) {
        out.push(Command::Toggle(panel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_broken_texts_fit_on_a_line() {
        let text = one_line(&format!("a\nb\t{}", "x".repeat(1000)));
        assert!(text.starts_with("a b x") && text.ends_with('…') && !text.contains('\n'));
        assert_eq!(one_line("short"), "short");
        assert_eq!(cut("äöü", 2), "äö…");
    }

    #[test]
    fn numbers_are_grouped_in_threes() {
        let texts = [0, 999, 1000, 46_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "46,000", "1,234,567"]);
    }
}
