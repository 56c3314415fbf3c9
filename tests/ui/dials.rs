//! Dials over a field: held, put back, and what areas are compared with.

use std::time::{Duration, Instant};

use parfocal::app::command::Command;
use parfocal::app::overlay::{DialSet, OverlayCommand};

use crate::window::Window;
use crate::{is_analysed, with_breast_model};

fn turn(dials: DialSet, to: f32, held: bool) -> Command {
    Command::Overlay(OverlayCommand::Turn {
        dials,
        class: 0,
        to,
        held,
    })
}

#[test]
fn all_of_the_field_follows_a_dial_that_is_held_and_goes_on_turning() {
    let mut window = with_breast_model(None);
    let turned = |window: &Window| window.app().state().overlay.status.turn_s;
    let (before, began) = (turned(&window), Instant::now());
    let mut to = 0.0;
    while turned(&window) == before {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no turn reached all of it"
        );
        to += 0.001;
        window.ask(turn(DialSet::Bias, to, true));
        window.harness.step();
        std::thread::sleep(Duration::from_millis(5));
    }
    window.ask(Command::Overlay(OverlayCommand::LetGo));
    window.until("the field shows the last turn", is_analysed);
}

#[test]
fn areas_are_compared_with_those_after_the_last_reset() {
    let mut window = with_breast_model(None);
    let areas = |window: &Window| window.app().state().overlay.areas.clone();
    window.until("the areas are known", |window| {
        areas(window).before_mm2.is_some()
    });
    let at_rest = areas(&window).before_mm2.unwrap();
    window.ask(turn(DialSet::Output, 4.0, false));
    window.until("the field shows the offset", |window| {
        let now = areas(window).now;
        is_analysed(window) && now.is_some_and(|now| now.field_mm2 != at_rest)
    });
    assert_eq!(areas(&window).before_mm2.as_ref(), Some(&at_rest));
    let reset = OverlayCommand::ResetOutput(None);
    window.ask(Command::Overlay(reset));
    window.until("the areas are known again", |window| {
        areas(window).before_mm2.is_some()
    });
    assert_eq!(
        areas(&window).before_mm2,
        Some(at_rest),
        "not those before it"
    );
}
