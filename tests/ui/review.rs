//! Reviews in the whole program: what is said of regions is kept, seen again, and taken out.

use std::path::Path;

use egui_kittest::kittest::{NodeT as _, Queryable as _};
use parfocal::annotate::{Decision, Store, Verdict};
use parfocal::app::command::{CameraMove, Command, Panel};
use parfocal::app::marks::MarkCommand;
use parfocal::app::masks::{MaskCommand, Shown};
use parfocal::app::overlay::{AnalysisMode, OverlayCommand};
use parfocal::app::review::{ReviewCommand, ReviewOf};
use parfocal::slide::SlideHash;

use crate::window::Window;
use crate::{FIRST, pane_px, with_breast_model};

fn ask(window: &mut Window, command: ReviewCommand) {
    window.ask(Command::Review(command));
    window.harness.run_steps(2);
}

fn press(window: &mut Window, key: egui::Key) {
    window.harness.key_press(key);
    window.harness.run_steps(3);
}

/// Compares and gives how many regions are listed.
fn compare(window: &mut Window, of: ReviewOf) -> usize {
    ask(window, ReviewCommand::Compare(of));
    window.until("the maps are compared", |window| {
        window.app().state().review.found().is_some()
    });
    window.harness.run_steps(2);
    let found = window.app().state().review.found().unwrap();
    found.comparison.regions.len()
}

fn hash(window: &Window) -> SlideHash {
    let slide = window.app().state().panes[0].slide.as_ref().unwrap();
    slide.source.info().hash.clone()
}

fn verdicts(window: &Window) -> Vec<Verdict> {
    let state = window.app().state();
    state.marks.verdicts(&hash(window)).to_vec()
}

fn said(window: &Window) -> Vec<(Option<Decision>, String)> {
    let verdicts = verdicts(window).into_iter();
    verdicts
        .map(|verdict| (verdict.decision, verdict.note))
        .collect()
}

/// What stands in the field for the note.
fn note(window: &Window) -> String {
    let field = window.harness.get_by_label("Note on the region");
    field.accesskit_node().value().unwrap_or_default()
}

fn type_note(window: &mut Window, text: &str) {
    press(window, egui::Key::M);
    window
        .harness
        .get_by_label("Note on the region")
        .type_text(text);
    window.harness.run_steps(2);
}

fn notice(window: &Window) -> Option<String> {
    let notice = window.app().state().notice.as_ref();
    notice.map(|notice| notice.text.clone())
}

fn exported(window: &mut Window, path: &Path) -> serde_json::Value {
    window.ask(Command::Marks(MarkCommand::Export(path.to_owned())));
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).ok()?;
        serde_json::from_str(&text).ok()
    };
    window.until("the verdicts are exported", |_| {
        read(path).is_some_and(|_: serde_json::Value| true)
    });
    read(path).unwrap()
}

/// The view without the notice, once nothing changes any more.
fn at_rest(window: &mut Window) -> Vec<u8> {
    window.ask(Command::DismissNotice);
    let (mut drawn, mut same) = (Vec::new(), 0);
    while same < 5 {
        window.harness.step();
        let before = std::mem::replace(&mut drawn, pane_px(window));
        same = if drawn == before { same + 1 } else { 0 };
    }
    drawn
}

#[test]
fn what_is_said_where_magnifications_differ_is_kept_and_there_again_after_a_restart() {
    let kept = tempfile::tempdir().unwrap();
    let store = || Some(Store::open(kept.path()).unwrap());
    let mut window = with_breast_model(store());
    // A small field, so that 40x is quick.
    window.ask(Command::Camera(FIRST, CameraMove::Magnification(120.0)));
    window.ask(Command::Toggle(Panel::Review));
    window.until("the slide is sharp", Window::is_sharp);
    window.click("Compare magnifications");
    window.until("the maps are compared", |window| {
        window.app().state().review.found().is_some()
    });
    let found = window.app().state().review.found().unwrap().clone();
    assert_eq!(found.names, ["40x", "10x"]);
    assert_eq!(found.magnifications, (40.0, 10.0));
    let agreement = &found.comparison.agreement;
    assert!(agreement.px > 1000, "{agreement:?}");
    assert!(!found.comparison.provisional);
    let regions = &found.comparison.regions;
    assert!(regions.len() > 1, "{agreement:?}");
    let state = window.app().state();
    assert_eq!(state.overlay.mode, AnalysisMode::Agreement);
    assert!(state.masks.difference.is_none(), "the agreement is drawn");

    // A note alone, left by Enter.
    let center = window.app().state().view(FIRST).unwrap().center;
    press(&mut window, egui::Key::N);
    assert_eq!(window.app().state().review.at, Some(0));
    type_note(&mut window, "rim");
    press(&mut window, egui::Key::Enter);
    assert_eq!(said(&window), [(None, "rim".to_owned())]);
    press(&mut window, egui::Key::N);
    assert_eq!(note(&window), "");
    press(&mut window, egui::Key::P);
    assert_eq!(note(&window), "rim");
    ask(&mut window, ReviewCommand::Close);
    assert_eq!(window.app().state().overlay.mode, AnalysisMode::Pinned(3));

    // After another comparison, of the same part of the slide, the note is the visited region's.
    let back = [
        CameraMove::Magnification(120.0),
        CameraMove::CenterOn(center),
    ];
    for step in back {
        window.ask(Command::Camera(FIRST, step));
    }
    window.until("the slide is sharp", Window::is_sharp);
    compare(&mut window, ReviewOf::Agreement);
    assert_eq!(note(&window), "");
    press(&mut window, egui::Key::N);
    assert_eq!(note(&window), "rim");
    let region = window.app().state().review.region().unwrap().clone();
    assert_eq!(verdicts(&window)[0].region, region.rect);

    // Judged by a key: a notice says how to go back.
    press(&mut window, egui::Key::A);
    let accepted = (Some(Decision::Accept), "rim".to_owned());
    assert_eq!(said(&window), std::slice::from_ref(&accepted));
    let text = notice(&window).unwrap();
    assert!(text.starts_with("Accepted: 40x: "), "{text}");
    assert!(text.ends_with("Z takes it back."), "{text}");
    window.ask(Command::Undo);
    window.harness.run_steps(2);
    assert_eq!(said(&window), [(None, "rim".to_owned())]);
    assert_eq!(notice(&window), None);
    window.ask(Command::Undo);
    window.harness.run_steps(2);
    assert!(said(&window).is_empty());
    assert_eq!(note(&window), "");
    window.ask(Command::Redo);
    window.ask(Command::Redo);
    window.harness.run_steps(2);
    assert_eq!(said(&window), [accepted]);
    assert_eq!(note(&window), "rim");
    // Without the judgement the note is still there.
    ask(&mut window, ReviewCommand::Unjudge);
    assert_eq!(said(&window), [(None, "rim".to_owned())]);
    // What is typed and not left yet is kept where one goes on.
    type_note(&mut window, "torn: ");
    window.ask(Command::Toggle(Panel::Review));
    let noted = said(&window);
    assert!(noted[0].1.contains("torn:"), "{noted:?}");
    let given = verdicts(&window);
    drop(window);

    // No model, no comparison, another field.
    let slides = vec!["phantom:breast".into()];
    let mut window = Window::open_keeping(1.0, slides, tempfile::tempdir().unwrap(), store());
    window.until("the slide is open", Window::is_sharp);
    assert_eq!(verdicts(&window), given);
    window.ask(Command::Toggle(Panel::Review));
    window.until("the slide is sharp", Window::is_sharp);
    window.harness.get_by_label("1 verdict on this slide");
    let row = window.harness.get_by_label_contains("note: 40x: ");
    row.click();
    window.harness.run_steps(2);
    window.until("its place is sharp", Window::is_sharp);
    let center = window.app().state().view(FIRST).unwrap().center;
    assert!((center - given[0].region.center()).length() < 1.0);
    assert!(note(&window).contains("torn:"));
    let marked = pane_px(&mut window);
    let value = exported(&mut window, &kept.path().join("verdicts.geojson"));
    let properties = &value["features"][0]["properties"];
    let name = properties["name"].as_str().unwrap();
    let [first, second] = given[0].said.each_ref().map(|said| said.class.as_str());
    assert_eq!(name, format!("note: 40x {first}, 10x {second}"));
    window.ask(Command::DismissNotice);

    ask(&mut window, ReviewCommand::Withdraw(given[0].id));
    assert!(said(&window).is_empty());
    window.harness.get_by_label("No verdicts on this slide yet");
    assert!(pane_px(&mut window) != marked, "its frame is gone");
    window.ask(Command::Undo);
    window.harness.run_steps(2);
    assert_eq!(verdicts(&window), given);
    assert!(pane_px(&mut window) == marked, "and there again");
}

#[test]
fn the_difference_from_a_mask_is_drawn_as_long_as_it_is_reviewed() {
    let mut window = with_breast_model(None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.geojson");
    let square = "[[40000,30000],[60000,30000],[60000,50000],[40000,50000],[40000,30000]]";
    let text = format!(
        r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[{square}]}},
            "properties":{{"classification":{{"name":"Necrosis"}}}}}}"#
    );
    std::fs::write(&path, text).unwrap();
    window.ask(Command::Masks(MaskCommand::Open(path)));
    window.until("the mask is read", |window| {
        window.app().state().masks.open.is_some()
    });
    window.ask(Command::Toggle(Panel::Review));
    window.ask(Command::Overlay(OverlayCommand::SetMode(
        AnalysisMode::Pinned(3),
    )));
    let regions = compare(&mut window, ReviewOf::Mask);
    assert!(regions > 0);
    let shown = |window: &Window| {
        let masks = &window.app().state().masks;
        (masks.shown, masks.difference.is_some())
    };
    assert_eq!(shown(&window), (Shown::Difference, true));
    window.harness.get_by_label_contains("1  model: ");
    ask(&mut window, ReviewCommand::Visit(0));
    ask(&mut window, ReviewCommand::Judge(Decision::Flag));
    let given = verdicts(&window);
    assert_eq!(given[0].said[0].map, "model");
    assert_eq!(given[0].said[1].map, "mask.geojson");
    // Without the panel the verdict is still framed beside the difference.
    window.ask(Command::Toggle(Panel::Review));
    window.until("the view is sharp", Window::is_at_rest);
    let marked = at_rest(&mut window);
    ask(&mut window, ReviewCommand::Withdraw(given[0].id));
    assert!(at_rest(&mut window) != marked);
    window.ask(Command::Undo);
    assert!(at_rest(&mut window) == marked);
    window.ask(Command::Toggle(Panel::Review));
    ask(&mut window, ReviewCommand::Close);
    assert_eq!(shown(&window), (Shown::Mask, false));
    window.harness.get_by_label("1 verdict on this slide");
}
