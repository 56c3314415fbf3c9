//! A window in memory that loses its device and goes on with another: what a person sees, turned and
//! wrote is as it was.

use std::time::{Duration, Instant};

use super::AppOptions;
use super::command::{CameraMove, Command};
use super::off_screen::OffScreenWindow;
use super::overlay::{AnalysisMode, DialSet, OverlayCommand};
use super::state::{AppState, Notice, PaneIndex};
use crate::geometry::SlidePoint;
use crate::jobs::live::{ComputeDevice, DeviceWish, ModelChoice};
use crate::slide::Rgba;

const SIZE_PX: [u32; 2] = [760, 420];

fn until(window: &mut OffScreenWindow, what: &str, done: impl Fn(&AppState) -> bool) {
    let started = Instant::now();
    // What was asked for takes effect with the first.
    for _ in 0..3 {
        window.frame(Duration::from_millis(16)).unwrap();
    }
    while !done(window.app.state()) {
        let in_time = started.elapsed() < Duration::from_secs(60);
        assert!(in_time, "{what}: not within a minute");
        window.frame(Duration::from_millis(16)).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    // What came last is drawn with the next.
    for _ in 0..5 {
        window.frame(Duration::from_millis(16)).unwrap();
    }
}

fn is_sharp(state: &AppState) -> bool {
    let mut panes = state.panes.iter();
    panes.all(|pane| {
        pane.slide.is_some() && pane.coverage.missing == 0 && !pane.coverage.more_to_upload
    })
}

fn is_settled(state: &AppState) -> bool {
    let live = state.overlay.live.as_ref();
    let has_worked = state.overlay.status.decoded > 0;
    is_sharp(state) && has_worked && live.is_some_and(|live| live.is_settled())
}

/// Two slides side by side, one of them segmented, a dial turned.
fn at_work(device_wish: DeviceWish) -> OffScreenWindow {
    let slides = vec!["phantom:breast".into(), "phantom:brain?seed=7".into()];
    let options = AppOptions {
        slides,
        device_wish,
        ..AppOptions::default()
    };
    let mut window = OffScreenWindow::open(SIZE_PX, options).unwrap();
    until(&mut window, "the slides open", is_sharp);
    let first = PaneIndex::First;
    let center = CameraMove::CenterOn(SlidePoint::new(50_400.0, 40_800.0));
    for command in [
        Command::Camera(first, CameraMove::Magnification(10.0)),
        Command::Camera(first, center),
        // A small field, so that it is quickly done.
        Command::Camera(PaneIndex::Second, CameraMove::Magnification(20.0)),
        Command::Overlay(OverlayCommand::SetMode(AnalysisMode::Pinned(3))),
        Command::Overlay(OverlayCommand::OpenModel(ModelChoice::Shipped("breast"))),
    ] {
        window.app.command(command);
    }
    until(&mut window, "the model is open", is_settled);
    let turn = OverlayCommand::Turn {
        dials: DialSet::Output,
        class: 1,
        to: 1.5,
        held: false,
    };
    window.app.command(Command::Overlay(turn));
    until(&mut window, "the dial shows", is_settled);
    window
}

/// What must not change.
fn kept(state: &AppState) -> impl PartialEq + std::fmt::Debug + use<> {
    let views = PaneIndex::BOTH.map(|pane| state.view(pane).copied().unwrap());
    let slides = PaneIndex::BOTH.map(|pane| state.pane(pane).slide.as_ref().unwrap().id);
    let overlay = &state.overlay;
    let dials = [DialSet::Bias, DialSet::Output].map(|set| overlay.dials.values(set).to_vec());
    let model = (
        overlay.shown,
        overlay.model_hash(),
        overlay.mode,
        overlay.dials.history(),
    );
    (slides, views, state.layout, dials, model)
}

fn difference(a: &Rgba, b: &Rgba) -> f64 {
    let sum: u64 = a
        .data
        .iter()
        .zip(&b.data)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.data.len() as f64
}

#[test]
fn a_window_that_loses_its_device_goes_on_with_all_it_had() {
    let mut window = at_work(DeviceWish::Processor);
    let (before, picture) = (kept(window.app.state()), window.picture().unwrap());
    assert_eq!(window.app.lost_device(), None);
    assert!(window.lose_device().is_some());
    window.reopen().unwrap();
    until(&mut window, "the picture is back", is_settled);
    assert_eq!(kept(window.app.state()), before);
    let again = window.picture().unwrap();
    let off = difference(&picture, &again);
    assert!(off < 0.05, "the picture differs by {off} grey levels");
    // It is one: not the same emptiness twice.
    let blank = Rgba {
        data: vec![again.data[0]; again.data.len()],
        ..again
    };
    assert!(difference(&picture, &blank) > 10.0);
}

#[test]
fn a_model_goes_on_with_its_dials_where_its_device_is_gone() {
    let mut window = at_work(DeviceWish::Auto);
    let before = kept(window.app.state());
    let earlier = Notice {
        text: "still to be read".to_owned(),
        is_error: true,
    };
    // As if a graphics card had computed so far.
    window.app.state.overlay.device = Some(ComputeDevice::Wgpu);
    window.app.state.notice = Some(earlier);
    window.app.model_stopped("it went away");
    let notice = window.app.state().notice.clone().unwrap();
    assert!(notice.text.contains("it went away"), "{}", notice.text);
    assert!(notice.text.ends_with("\nstill to be read") && notice.is_error);
    until(&mut window, "the model is back", is_settled);
    assert_eq!(kept(window.app.state()), before);
    let overlay = &window.app.state().overlay;
    assert_eq!(overlay.device, Some(ComputeDevice::Processor));
    assert!(overlay.card_failed);
    // The processor has nothing to go on with.
    window.app.model_stopped("no more");
    assert!(window.app.state().overlay.live.is_none());
    let notice = window.app.state().notice.clone().unwrap();
    assert!(notice.is_error && notice.text.contains("no more"));
}

#[test]
fn a_card_that_is_lost_under_a_model_at_work_leaves_the_processor_and_the_dials() {
    let mut window = at_work(DeviceWish::Auto);
    let before = kept(window.app.state());
    // A software adapter, taken for a card: burn computes on the device that the window draws with.
    window.app.state.adapter_is_real = true;
    window.app.move_model();
    let on_card = |state: &AppState| matches!(state.overlay.device, Some(ComputeDevice::Window(_)));
    assert!(on_card(window.app.state()));
    until(&mut window, "the model is open on the card", |state| {
        state.overlay.facts().is_some()
    });
    let live = window.app.state().overlay.live.clone().unwrap();
    assert!(!live.is_settled(), "tiles wait");
    assert!(window.lose_device().is_some());
    let started = Instant::now();
    while on_card(window.app.state()) {
        let in_time = started.elapsed() < Duration::from_secs(60);
        assert!(in_time, "the model does not end");
        window.app.follow_model();
        std::thread::sleep(Duration::from_millis(2));
    }
    let notice = window.app.state().notice.clone().unwrap();
    assert!(
        notice.text.contains("The processor goes on"),
        "{}",
        notice.text
    );
    assert!(notice.text.contains("the graphics card"), "{}", notice.text);
    window.reopen().unwrap();
    until(&mut window, "the processor has done the field", is_settled);
    assert_eq!(kept(window.app.state()), before);
    let overlay = &window.app.state().overlay;
    assert_eq!(overlay.device, Some(ComputeDevice::Processor));
}
