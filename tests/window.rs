//! The program in a real window, driven as a person drives it: started with a slide, zoomed with
//! the wheel, dragged, sent back to the whole slide by key. What is checked is what is on screen.
//!
//! Needs Xvfb and xdotool, which the set-up installs on Linux.
#![cfg(target_os = "linux")]

#[path = "window/dial.rs"]
mod dial;
mod screen;
mod shared_data;

use std::path::PathBuf;

use screen::{Picture, Screen};

/// The middle of the view, away from panels, scale bar and overview.
const MIDDLE: (i32, i32) = (560, 420);

/// Where notices are said.
const NOTICE: (i32, i32) = (560, 140);

/// A real scanner's file where there is one, else the built-in demo.
fn slide() -> PathBuf {
    shared_data::file("slides/CMU-1-Small-Region.svs")
        .unwrap_or_else(|| "phantom:brain?seed=7".into())
}

#[test]
fn a_slide_opens_zooms_follows_the_hand_and_fits_again() {
    let screen = Screen::start();
    let settings = tempfile::tempdir().unwrap();
    let _program = screen.run(&slide(), settings.path());
    let whole = screen.settled("the slide opens", |picture| {
        picture.colours_around(MIDDLE) > 50
    });

    screen.xdotool(&["mousemove", &MIDDLE.0.to_string(), &MIDDLE.1.to_string()]);
    screen.xdotool(&["click", "--repeat", "6", "--delay", "60", "4"]);
    let close = screen.settled("the wheel zooms", |picture| {
        picture.difference(&whole, MIDDLE, (0, 0)) > 8.0
    });

    // With a rest before letting go, so that the slide is not thrown.
    let by = (120, -70);
    screen.drag(MIDDLE, by);
    let dragged = screen.settled("the drag moves", |picture| {
        picture.difference(&close, MIDDLE, (0, 0)) > 4.0
    });
    let followed = dragged.difference(&close, MIDDLE, by);
    let stayed = dragged.difference(&close, MIDDLE, (0, 0));
    assert!(
        followed < 1.5 && followed < stayed / 4.0,
        "the picture is off the hand: {followed} grey levels ({stayed} unmoved)"
    );

    // Let go in motion, it goes on the way it went, and then rests.
    let by = 90;
    screen.throw(MIDDLE, (-by, 0));
    let thrown = screen.settled("the throw moves", |picture| {
        picture.difference(&dragged, MIDDLE, (-by, 0)) > 4.0
    });
    let off = |by: &i32| thrown.difference(&dragged, MIDDLE, (-by, 0));
    let went = (0..=400).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
    assert!(
        off(&went) < 2.0 && went > by * 5 / 4,
        "thrown by {by} px, the picture went {went} px ({} grey levels off)",
        off(&went)
    );

    screen.xdotool(&["key", "0"]);
    screen.settled("the whole slide is back", |picture| {
        picture.difference(&whole, MIDDLE, (0, 0)) < 1.0
    });

    screen.xdotool(&["key", "l"]);
    screen.settled("linked views open", |picture: &Picture| {
        picture.difference(&whole, MIDDLE, (0, 0)) > 4.0
    });
}

#[test]
fn a_window_that_loses_its_device_opens_anew_as_it_was_until_it_is_enough() {
    let screen = Screen::start();
    let settings = tempfile::tempdir().unwrap();
    let mut program = screen.run_with(&["--lose-device-by-key"], &slide(), settings.path());
    let whole = screen.settled("the slide opens", |picture| {
        picture.colours_around(MIDDLE) > 50
    });
    screen.xdotool(&["mousemove", &MIDDLE.0.to_string(), &MIDDLE.1.to_string()]);
    screen.xdotool(&["click", "--repeat", "4", "--delay", "60", "4"]);
    let before = screen.settled("the wheel zooms", |picture| {
        picture.difference(&whole, MIDDLE, (0, 0)) > 8.0
    });
    for time in ["first", "second"] {
        screen.xdotool(&["key", "F12"]);
        screen.settled(&format!("the window is back the {time} time"), |picture| {
            let says_why = picture.difference(&before, NOTICE, (0, 0)) > 4.0;
            says_why && picture.difference(&before, MIDDLE, (0, 0)) < 1.0
        });
        screen.focus();
    }
    screen.xdotool(&["key", "F12"]);
    assert_eq!(program.exit_code(), Some(1));
}
