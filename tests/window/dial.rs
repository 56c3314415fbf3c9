//! A class's dial, turned by mouse in the real window: the tissue answers, and undo takes it back.
//!
//! Widgets of the side panel are found by the colours of the classes, which stand beside them; the
//! others by their place in a window of the size that the program starts with. What is clicked in
//! vain is noticed, for what should come of it is waited for.

use std::path::Path;
use std::time::Duration;

use crate::screen::{Picture, Screen};

/// In the tissue, left of the side panel once a model is open.
const MIDDLE: (i32, i32) = (420, 420);

/// Ground of the side panel, whatever is in it.
const PANEL_GROUND: (i32, i32) = (1270, 700);

/// A column of the ground of the panel of an open model, which is wider than that of none.
const PANEL_LEFT: i32 = 818;

/// The list of models in its panel, before one is open, and its first entry.
const MODELS: (i32, i32) = (1092, 86);
const BREAST: (i32, i32) = (1076, 117);

/// Ground of the buttons "Follow" and "5x" of the open model's panel, and the middle of "5x".
const FOLLOW_GROUND: (i32, i32) = (909, 208);
const FIVE_GROUND: (i32, i32) = (966, 208);
const FIVE: (i32, i32) = (976, 208);

/// Where classes have a square of their colour in the side panel: a column, and the rows.
const SQUARES: i32 = 828;
const PANEL_ROWS: std::ops::Range<i32> = 40..820;

/// Of the model's classes.
const TUMOR: [u8; 3] = [0, 158, 115];
const INFLAMMATORY: [u8; 3] = [0, 114, 178];

/// A dial's slider: its middle and nearly its right end, and how far it is below the first row of
/// the square of its class.
const SLIDER: (i32, i32) = (997, 1160);
const BELOW_SQUARE: i32 = 35;

/// Longer than a tile takes on a busy machine.
const REST: Duration = Duration::from_secs(2);

/// The first row of a class's square.
fn square(picture: &Picture, rgb: [u8; 3]) -> Option<i32> {
    PANEL_ROWS
        .into_iter()
        .find(|row| picture.rgb(SQUARES, *row) == rgb)
}

/// The slide at 40x with the breast model at 5x, which has few tiles there, and its dials: settled.
fn with_dials(screen: &Screen) -> Picture {
    let (x, y) = PANEL_GROUND;
    let bare = screen.settled("the slide opens", |picture| {
        picture.colours_around(MIDDLE) > 50
    });
    screen.xdotool(&["key", "e"]);
    screen.settled("the model's panel opens", |picture| {
        picture.rgb(x, y) != bare.rgb(x, y)
    });
    screen.click(MODELS);
    std::thread::sleep(Duration::from_millis(500));
    screen.click(BREAST);
    // All of the slide is more than it can be done with soon: what is shown goes on changing.
    wait_for(screen, "the model opens", |picture| {
        is_wide(picture) && chosen(picture) == (true, false)
    });
    screen.click(FIVE);
    wait_for(screen, "the analysis is at 5x", |picture| {
        chosen(picture) == (false, true)
    });
    screen.xdotool(&["key", "6", "key", "t"]);
    // The model's panel has such squares too, further below.
    screen.settled_for(REST, "the field is analysed", |picture| {
        square(picture, TUMOR).is_some_and(|row| row < 200)
    })
}

/// Whether the side panel is as wide as what a model needs.
fn is_wide(picture: &Picture) -> bool {
    let (x, y) = PANEL_GROUND;
    picture.rgb(PANEL_LEFT, y) == picture.rgb(x, y)
}

/// Whether "Follow" is chosen, and whether "5x" is: a chosen button is coloured, others are grey.
fn chosen(picture: &Picture) -> (bool, bool) {
    let is_coloured = |(x, y): (i32, i32)| {
        let [r, g, b] = picture.rgb(x, y);
        r.max(g).max(b) - r.min(g).min(b) > 20
    };
    (is_coloured(FOLLOW_GROUND), is_coloured(FIVE_GROUND))
}

/// The picture once it is as wanted, whether or not it still changes.
fn wait_for(screen: &Screen, what: &str, wanted: impl Fn(&Picture) -> bool) -> Picture {
    screen.settled_for(Duration::ZERO, what, wanted)
}

#[test]
fn a_dial_turned_by_mouse_changes_the_tissue_and_undo_brings_it_back() {
    let screen = Screen::start();
    let settings = tempfile::tempdir().unwrap();
    let slide = Path::new("phantom:breast?seed=953201");
    let _program = screen.run_with(&["--device", "cpu"], slide, settings.path());
    let before = with_dials(&screen);

    // There is an overlay, and without a turn the picture stays as it is.
    screen.xdotool(&["key", "d"]);
    screen.settled("the overlay is hidden", |picture| {
        picture.difference(&before, MIDDLE, (0, 0)) > 8.0
    });
    screen.xdotool(&["key", "d"]);
    let shown = screen.settled_for(REST, "the overlay is back", |picture| {
        picture.difference(&before, MIDDLE, (0, 0)) < 1.0
    });
    std::thread::sleep(REST);
    let later = screen.picture().difference(&shown, MIDDLE, (0, 0));
    assert!(later < 0.1, "by itself the picture changed by {later}");

    let row = square(&shown, INFLAMMATORY).unwrap() + BELOW_SQUARE;
    let (from, to) = SLIDER;
    screen.drag((from, row), (to - from, 0));
    screen.settled_for(REST, "the tissue answers", |picture| {
        picture.difference(&shown, MIDDLE, (0, 0)) > 2.0
    });
    screen.xdotool(&["key", "ctrl+z"]);
    screen.settled_for(REST, "undo brings it back", |picture| {
        picture.difference(&shown, MIDDLE, (0, 0)) <= 1.0
    });
}
