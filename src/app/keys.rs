//! The keys: one table that the keyboard handler and the help panel both read.
//!
//! QuPath's keys where it has the same thing: B takes up the brush, F fills or outlines, Shift+C
//! shows the display adjustments, Ctrl+Shift+L the messages. Of its other letters R, W and H
//! (rectangle, wand, detections) are left free for that; A C G L M O P V do something else here.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::annotate::Decision;
use crate::geometry::ScreenVector;
use crate::gpu::overlay::OverlayShape;

use super::command::{CameraMove, Command, Layout, Panel};
use super::file_for::FileFor;
use super::marks::MarkCommand;
use super::overlay::OverlayCommand;
use super::review::ReviewCommand;
use super::similar::SimilarCommand;
use super::state::AppState;

/// How far one arrow key lets the picture glide, in viewports.
const ARROW_VIEWPORTS: f64 = 0.25;

/// One zoom step by key.
const ZOOM_STEP: f64 = std::f64::consts::SQRT_2;

/// One rotation step by key, radians.
const ROTATION_STEP: f64 = std::f64::consts::PI / 12.0;

/// The magnifications of the buttons and number keys.
pub const MAGNIFICATIONS: [f64; 6] = [1.0, 2.5, 5.0, 10.0, 20.0, 40.0];

/// While this key is held the overlay is hidden.
pub const PEEK: Key = Key::Space;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Move the active camera.
    Camera(CameraMove),
    /// Push the active picture by a share of its viewport, right and down.
    Arrow(f64, f64),
    /// Show or hide a panel.
    Toggle(Panel),
    /// Divide the window, or go back to one view.
    Layout(Layout),
    /// Take the brush up or lay it down.
    Brush,
    /// Go to the next or the former region of a review.
    Region(bool),
    /// Say something of the region.
    Judge(Decision),
    /// Write a note on it.
    Note,
    /// Look for what is like the spot under the pointer.
    Similar,
    /// Show or hide the overlay.
    Overlay,
    /// The next way of drawing regions: area, border, both.
    OverlayShape,
    /// Take back the last turn of a dial.
    Undo,
    /// Turn again what was taken back.
    Redo,
    /// Ask the desktop for a file.
    OpenDialog,
    /// Make the other view active.
    OtherPane,
    /// Close the slide.
    Close,
}

/// One row of the table.
pub struct Binding {
    /// Heading it stands under in the help.
    pub group: &'static str,
    /// What it does, in the help.
    pub help: &'static str,
    /// The key.
    pub key: Key,
    /// Keys held with it.
    pub modifiers: Modifiers,
    /// What it does.
    pub action: Action,
}

const fn plain(group: &'static str, help: &'static str, key: Key, action: Action) -> Binding {
    Binding {
        group,
        help,
        key,
        modifiers: Modifiers::NONE,
        action,
    }
}

const fn command(group: &'static str, help: &'static str, key: Key, action: Action) -> Binding {
    Binding {
        group,
        help,
        key,
        modifiers: Modifiers::COMMAND,
        action,
    }
}

/// With Shift beside `held`.
const fn shifted(
    held: Modifiers,
    group: &'static str,
    help: &'static str,
    key: Key,
    action: Action,
) -> Binding {
    Binding {
        group,
        help,
        key,
        modifiers: Modifiers {
            shift: true,
            ..held
        },
        action,
    }
}

/// All keys, in the order of the help.
pub const BINDINGS: &[Binding] = &[
    command("Slides", "Open a slide…", Key::O, Action::OpenDialog),
    command(
        "Slides",
        "Open by path…",
        Key::L,
        Action::Toggle(Panel::OpenPath),
    ),
    command("Slides", "Close the slide", Key::W, Action::Close),
    plain(
        "Move",
        "To the left",
        Key::ArrowLeft,
        Action::Arrow(1.0, 0.0),
    ),
    plain(
        "Move",
        "To the right",
        Key::ArrowRight,
        Action::Arrow(-1.0, 0.0),
    ),
    plain("Move", "Upwards", Key::ArrowUp, Action::Arrow(0.0, 1.0)),
    plain(
        "Move",
        "Downwards",
        Key::ArrowDown,
        Action::Arrow(0.0, -1.0),
    ),
    plain(
        "Move",
        "Go to a position…",
        Key::G,
        Action::Toggle(Panel::GoTo),
    ),
    plain(
        "Zoom",
        "Closer",
        Key::Plus,
        Action::Camera(CameraMove::Zoom(ZOOM_STEP)),
    ),
    plain(
        "Zoom",
        "Closer",
        Key::Equals,
        Action::Camera(CameraMove::Zoom(ZOOM_STEP)),
    ),
    plain(
        "Zoom",
        "Farther",
        Key::Minus,
        Action::Camera(CameraMove::Zoom(1.0 / ZOOM_STEP)),
    ),
    plain(
        "Zoom",
        "Whole slide",
        Key::Num0,
        Action::Camera(CameraMove::Fit),
    ),
    plain(
        "Zoom",
        "1x",
        Key::Num1,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[0])),
    ),
    plain(
        "Zoom",
        "2.5x",
        Key::Num2,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[1])),
    ),
    plain(
        "Zoom",
        "5x",
        Key::Num3,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[2])),
    ),
    plain(
        "Zoom",
        "10x",
        Key::Num4,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[3])),
    ),
    plain(
        "Zoom",
        "20x",
        Key::Num5,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[4])),
    ),
    plain(
        "Zoom",
        "40x",
        Key::Num6,
        Action::Camera(CameraMove::Magnification(MAGNIFICATIONS[5])),
    ),
    plain(
        "Turn",
        "15° anticlockwise",
        Key::OpenBracket,
        Action::Camera(CameraMove::Rotate(-ROTATION_STEP)),
    ),
    plain(
        "Turn",
        "15° clockwise",
        Key::CloseBracket,
        Action::Camera(CameraMove::Rotate(ROTATION_STEP)),
    ),
    plain("Turn", "Mirror", Key::X, Action::Camera(CameraMove::Mirror)),
    plain("Turn", "Flip", Key::Y, Action::Camera(CameraMove::Flip)),
    plain(
        "Turn",
        "Upright",
        Key::U,
        Action::Camera(CameraMove::Upright),
    ),
    plain(
        "Views",
        "Linked views, side by side",
        Key::L,
        Action::Layout(Layout::Linked),
    ),
    plain(
        "Views",
        "Two separate views",
        Key::S,
        Action::Layout(Layout::Split),
    ),
    plain("Views", "The other view", Key::Tab, Action::OtherPane),
    plain("Overlay", "Show or hide", Key::D, Action::Overlay),
    plain(
        "Overlay",
        "Area, border or both",
        Key::F,
        Action::OverlayShape,
    ),
    plain(
        "Overlay",
        "Model and overlay",
        Key::E,
        Action::Toggle(Panel::Model),
    ),
    plain(
        "Overlay",
        "Attention dials",
        Key::T,
        Action::Toggle(Panel::Bias),
    ),
    plain(
        "Overlay",
        "Brush; then 1 to 9 choose the class, 0 erases",
        Key::B,
        Action::Brush,
    ),
    plain(
        "Overlay",
        "What looks like the spot under the pointer",
        Key::C,
        Action::Similar,
    ),
    plain(
        "Review",
        "Where maps differ",
        Key::V,
        Action::Toggle(Panel::Review),
    ),
    plain("Review", "Next region", Key::N, Action::Region(true)),
    plain("Review", "Former region", Key::P, Action::Region(false)),
    plain(
        "Review",
        "Accept it",
        Key::A,
        Action::Judge(Decision::Accept),
    ),
    plain("Review", "Flag it", Key::Q, Action::Judge(Decision::Flag)),
    plain("Review", "Note on it", Key::M, Action::Note),
    command(
        "Overlay",
        "Undo a turn, a stroke, a verdict",
        Key::Z,
        Action::Undo,
    ),
    shifted(
        Modifiers::COMMAND,
        "Overlay",
        "Redo it",
        Key::Z,
        Action::Redo,
    ),
    plain(
        "Panels",
        "About the slide",
        Key::I,
        Action::Toggle(Panel::Metadata),
    ),
    plain(
        "Panels",
        "Display adjustments",
        Key::J,
        Action::Toggle(Panel::Display),
    ),
    shifted(
        Modifiers::NONE,
        "Panels",
        "Display adjustments",
        Key::C,
        Action::Toggle(Panel::Display),
    ),
    plain("Panels", "Overview", Key::O, Action::Toggle(Panel::Minimap)),
    plain("Panels", "Messages", Key::K, Action::Toggle(Panel::Log)),
    shifted(
        Modifiers::COMMAND,
        "Panels",
        "Messages",
        Key::L,
        Action::Toggle(Panel::Log),
    ),
    plain(
        "Panels",
        "These keys",
        Key::Questionmark,
        Action::Toggle(Panel::Keys),
    ),
];

impl Binding {
    /// The key as printed on a keyboard: `Ctrl+O`.
    pub fn keys(&self, ctx: &egui::Context) -> String {
        let text = ctx.format_shortcut(&KeyboardShortcut::new(self.modifiers, self.key));
        // egui spells the names of signs out.
        match printed(self.key) {
            Some(sign) => text.replace(self.key.name(), sign),
            None => text,
        }
    }
}

/// The key that does `action`, as printed on a keyboard; empty where there is none.
pub fn keys_of(ctx: &egui::Context, action: Action) -> String {
    let binding = BINDINGS.iter().find(|binding| binding.action == action);
    binding.map_or_else(String::new, |binding| binding.keys(ctx))
}

/// The sign on a key that has a name but no letter.
fn printed(key: Key) -> Option<&'static str> {
    match key {
        Key::OpenBracket => Some("["),
        Key::CloseBracket => Some("]"),
        Key::Plus => Some("+"),
        Key::Minus => Some("-"),
        Key::Equals => Some("="),
        Key::Questionmark => Some("?"),
        _ => None,
    }
}

/// Commands for the keys pressed since the last frame. Nothing while a text field has the
/// keyboard; what works a button is left to the button that has the focus.
pub fn pressed(ctx: &egui::Context, state: &AppState) -> Vec<Command> {
    if ctx.text_edit_focused() {
        return Vec::new();
    }
    let on_widget = ctx.egui_wants_keyboard_input();
    if state.shown_panes().len() > 1 && ctx.input(|input| input.key_pressed(Key::Tab)) {
        // It goes from view to view; egui would move its focus too.
        ctx.memory_mut(|memory| memory.move_focus(egui::FocusDirection::None));
    }
    // Event by event: in one slow frame a key may be pressed twice, and Ctrl released already.
    let pressed = ctx.input(|input| {
        let keys = input.events.iter().filter_map(|event| match event {
            egui::Event::Key {
                key,
                pressed: true,
                modifiers,
                ..
            } => Some((*key, *modifiers)),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    });
    pressed
        .into_iter()
        .filter(|(key, _)| !(on_widget && WORKS_WIDGETS.contains(key)))
        .filter_map(|key| {
            let binding = || {
                let action = binding_of(key)?.action;
                is_meant(action, state).then(|| command_for(action, state))
            };
            brush_key(key, state).or_else(binding)
        })
        .collect()
}

/// Single letters that say something of a region do so only where one sees which: with the review
/// open and a region visited.
fn is_meant(action: Action, state: &AppState) -> bool {
    let needs_region = matches!(action, Action::Judge(_) | Action::Note);
    let is_visiting = || state.shows(Panel::Review) && state.review.is_visiting(&state.marks);
    !needs_region || is_visiting()
}

/// Keys that press, turn and leave a widget that has the focus.
const WORKS_WIDGETS: [Key; 7] = [
    Key::Space,
    Key::Enter,
    Key::Escape,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
];

fn binding_of((key, held): (Key, Modifiers)) -> Option<&'static Binding> {
    let fits = |binding: &&Binding| {
        binding.key == key && held.command == binding.modifiers.command && !held.alt
    };
    // Shift is what types `?` and `+` on many keyboards, so it only chooses between two bindings.
    let exact = BINDINGS
        .iter()
        .filter(fits)
        .find(|binding| binding.modifiers.shift == held.shift);
    exact.or_else(|| BINDINGS.iter().find(fits))
}

/// The classes' keys, while the brush is used: in their order from 1, and 0 to erase.
const CLASS_KEYS: [Key; 10] = [
    Key::Num0,
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
];

/// What a key means to the brush, while it is used.
fn brush_key((key, held): (Key, Modifiers), state: &AppState) -> Option<Command> {
    if !state.marks.brush.on || held.any() {
        return None;
    }
    if key == Key::Escape {
        return Some(Command::Marks(MarkCommand::UseBrush(false)));
    }
    let number = CLASS_KEYS.iter().position(|class| *class == key)?;
    Some(Command::Marks(MarkCommand::BrushClass(
        number.checked_sub(1),
    )))
}

fn overlay(command: OverlayCommand) -> Command {
    Command::Overlay(command)
}

fn command_for(action: Action, state: &AppState) -> Command {
    let active = state.active;
    match action {
        Action::Camera(step) => Command::Camera(active, step),
        Action::Arrow(right, down) => {
            let size = state
                .view(active)
                .map_or_else(Default::default, |view| view.size);
            // A glide goes 0.28 s · its speed.
            let speed = ARROW_VIEWPORTS / 0.28;
            let velocity =
                ScreenVector::new(right * size.width * speed, down * size.height * speed);
            Command::Camera(active, CameraMove::Push(velocity))
        }
        Action::Toggle(panel) => Command::Toggle(panel),
        Action::Layout(layout) if state.layout == layout => Command::SetLayout(Layout::Single),
        Action::Layout(layout) => Command::SetLayout(layout),
        Action::Overlay => overlay(OverlayCommand::Show(!state.overlay.shown)),
        Action::OverlayShape => {
            let mut style = state.overlay.style.clone();
            style.shape = match style.shape {
                OverlayShape::Fill => OverlayShape::Outline,
                OverlayShape::Outline => OverlayShape::Both,
                OverlayShape::Both => OverlayShape::Fill,
            };
            overlay(OverlayCommand::SetStyle(Box::new(style)))
        }
        Action::Brush => Command::Marks(MarkCommand::UseBrush(!state.marks.brush.on)),
        Action::Region(next) => Command::Review(match next {
            true => ReviewCommand::Next,
            false => ReviewCommand::Previous,
        }),
        Action::Judge(decision) => Command::Review(ReviewCommand::Judge(decision)),
        Action::Note => Command::FocusNote,
        Action::Similar => Command::Similar(SimilarCommand::AskUnderPointer),
        Action::Undo => Command::Undo,
        Action::Redo => Command::Redo,
        Action::OpenDialog => Command::Choose(FileFor::Slide(active)),
        Action::OtherPane => Command::Activate(active.other()),
        Action::Close => Command::Close(active),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_tools_that_are_not_there_are_free() {
        for key in [Key::R, Key::W, Key::H] {
            let taken = binding_of((key, Modifiers::NONE)).map(|binding| binding.help);
            assert_eq!(taken, None, "{key:?}");
        }
    }

    #[test]
    fn shift_chooses_qupaths_keys() {
        let action = |key, held| binding_of((key, held)).map(|binding| binding.action);
        let control_shift = Modifiers {
            shift: true,
            ..Modifiers::COMMAND
        };
        assert_eq!(action(Key::C, Modifiers::NONE), Some(Action::Similar));
        let display = Action::Toggle(Panel::Display);
        assert_eq!(action(Key::C, Modifiers::SHIFT), Some(display));
        let by_path = Action::Toggle(Panel::OpenPath);
        assert_eq!(action(Key::L, Modifiers::COMMAND), Some(by_path));
        let log = Action::Toggle(Panel::Log);
        assert_eq!(action(Key::L, control_shift), Some(log));
    }

    #[test]
    fn no_key_means_two_things() {
        for (index, a) in BINDINGS.iter().enumerate() {
            for b in &BINDINGS[index + 1..] {
                assert!(
                    a.key != b.key || a.modifiers != b.modifiers,
                    "{} and {}",
                    a.help,
                    b.help
                );
            }
        }
    }
}
