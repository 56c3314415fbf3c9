//! The review: rows that can be read, verdicts of before, and keys that judge where one sees what.

use std::ops::ControlFlow;
use std::sync::Arc;

use egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use parfocal::annotate::{Decision, RecordId, Said, SlideRecords, Verdict};
use parfocal::app::command::{Command, Panel};
use parfocal::app::file_for::FileFor;
use parfocal::app::keys;
use parfocal::app::review::{ReviewCommand, ReviewOf, ReviewState, Reviewed};
use parfocal::geometry::{Mpp, SlidePoint, SlideRect};
use parfocal::labels::{LabelClass, LabelError, PAGE_PX, Page, PageId, Raster, Texel};
use parfocal::segment::compare::{LabelMap, Side, compare};
use parfocal::slide::SlideHash;

use crate::{Window, click, harness, names, window, with_model};

/// A map of one class, with squares of another one where it is asked to.
struct Squares(bool);

const SCALE: f64 = 16.0;

impl LabelMap for Squares {
    fn raster(&self) -> Raster {
        Raster {
            slide_px_per_px: (SCALE, SCALE),
            size_px: (PAGE_PX, PAGE_PX),
        }
    }

    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError> {
        let per_px = 1 << id.level;
        let mut page = Page::new(0);
        for (n, texel) in (0..).zip(page.texels_mut()) {
            let (x, y) = (n % PAGE_PX * per_px, n / PAGE_PX * per_px);
            let within = |left: u32, side: u32| {
                (left..left + side).contains(&x) && (left..left + side).contains(&y)
            };
            let other = self.0 && (within(20, 60) || within(120, 40));
            *texel = Texel::of(u8::from(other));
        }
        Ok(Some(Arc::new(page)))
    }
}

fn slide() -> SlideHash {
    SlideHash("sha256:test".into())
}

/// What is found where two maps differ in two squares.
fn reviewed(of: ReviewOf, names: [&str; 2], classes: [&str; 2]) -> Arc<Reviewed> {
    let classes = classes.map(|name| LabelClass {
        name: name.to_owned(),
        rgb: [0; 3],
    });
    let mpp = Mpp::square(0.25).unwrap();
    let side = f64::from(PAGE_PX) * SCALE;
    let field = SlideRect::new(SlidePoint::new(0.0, 0.0), SlidePoint::new(side, side));
    let maps = [false, true].map(Squares);
    let [first, second] = maps.each_ref().map(|map| Side {
        map,
        classes: &classes,
    });
    let mut go_on = |_, _| ControlFlow::Continue(());
    let comparison = compare(first, second, &field, mpp, &mut go_on).unwrap();
    assert_eq!(comparison.regions.len(), 2);
    Arc::new(Reviewed {
        of,
        names: names.map(str::to_owned),
        slide: slide(),
        slide_number: 0,
        mpp,
        model_hash: "d".repeat(64),
        magnifications: (40.0, 10.0),
        comparison,
    })
}

fn with_found(mut window: Window, found: &Arc<Reviewed>) -> Window {
    window.state.review.state = ReviewState::Done(Arc::clone(found));
    window
}

fn verdict(n: u8, decision: Option<Decision>, note: &str) -> Verdict {
    let min = SlidePoint::new(f64::from(n) * 100.0, 0.0);
    let said = |map: &str, class: &str| Said {
        map: map.to_owned(),
        class: class.to_owned(),
    };
    Verdict {
        id: RecordId([n; 16]),
        region: SlideRect::new(min, SlidePoint::new(min.x + 50.0, 50.0)),
        area_px: 40.0,
        kind: "mask".to_owned(),
        score: 3.0,
        said: Box::new([said("model", "tumor"), said("mask.tif", "stroma")]),
        decision,
        note: note.to_owned(),
        model_hash: "of another model".to_owned(),
        magnifications: (10.0, 10.0),
        created_ms: 5,
    }
}

fn with_verdicts(mut window: Window, verdicts: Vec<Verdict>) -> Window {
    let records = SlideRecords {
        verdicts,
        ..SlideRecords::default()
    };
    window.state.marks.take_in(&slide(), records);
    window
}

fn review(command: ReviewCommand) -> [Command; 1] {
    [Command::Review(command)]
}

#[test]
fn a_row_says_which_map_names_which_class_and_fits_its_panel() {
    let classes = ["inflammatory infiltrate", "ductal carcinoma in situ"];
    let found = reviewed(ReviewOf::Agreement, ["40x", "10x"], classes);
    let window = with_found(with_model(&[Panel::Review]), &found);
    let mut harness = harness(1100.0, window);
    let row = "1  40x: inflammatory infiltrate, 10x: ductal carcinoma in situ, 0.0576 mm²";
    let rect = harness.get_by_label(row).rect();
    let title = harness.get_by_label("Close “Review”").rect();
    assert!(rect.right() <= title.right() + 1.0, "{rect:?} {title:?}");
    assert!(rect.right() > title.right() - 30.0, "as wide as its panel");
    assert!(rect.width() > 250.0, "{rect:?}");
    assert_eq!(click(&mut harness, row), review(ReviewCommand::Visit(0)));

    let of_mask = reviewed(ReviewOf::Mask, ["40x", "mask.tif"], ["tumor", "stroma"]);
    let window = with_found(with_model(&[Panel::Review]), &of_mask);
    let harness = crate::harness(1100.0, window);
    harness.get_by_label("2  model: tumor, mask.tif: stroma, 0.0256 mm²");
}

#[test]
fn verdicts_of_before_are_listed_visited_withdrawn_and_exported_without_a_comparison() {
    let verdicts = vec![
        verdict(1, Some(Decision::Flag), ""),
        verdict(2, Some(Decision::Accept), "rim"),
        verdict(3, None, "only this"),
    ];
    let blank = window(Some(0.25), &[Panel::Review]);
    let mut harness = harness(1100.0, with_verdicts(blank, verdicts.clone()));
    harness.get_by_label("3 verdicts on this slide");
    harness.get_by_label("1 accepted, 1 flagged, 1 with a note alone");
    let rows = [
        "flagged: model: tumor, mask.tif: stroma",
        "accepted: model: tumor, mask.tif: stroma “rim”",
        "note: model: tumor, mask.tif: stroma “only this”",
    ];
    for (row, verdict) in rows.iter().zip(&verdicts) {
        let visit = ReviewCommand::VisitVerdict(verdict.id);
        assert_eq!(click(&mut harness, row), review(visit), "{row}");
    }
    let withdraw = ReviewCommand::Withdraw(verdicts[1].id);
    let asked = click(&mut harness, "Withdraw verdict 2");
    assert_eq!(asked, review(withdraw));
    let export = [Command::Choose(FileFor::MarksOut)];
    assert_eq!(click(&mut harness, "Export…"), export);
    assert!(
        harness.query_by_label("Accept").is_none(),
        "none is visited"
    );

    harness.state_mut().state.review.kept = Some((slide(), verdicts[1].id));
    harness.run_steps(2);
    let is_marked = |harness: &Harness<'_, Window>, label| {
        let toggled = harness.get_by_label(label).accesskit_node().toggled();
        toggled == Some(egui::accesskit::Toggled::True)
    };
    assert!(is_marked(&harness, rows[1]) && !is_marked(&harness, rows[0]));
    assert!(is_marked(&harness, "Accept") && !is_marked(&harness, "Flag"));
    let asked = click(&mut harness, "Flag");
    assert_eq!(asked, review(ReviewCommand::Judge(Decision::Flag)));
    let asked = click(&mut harness, "Accept");
    assert_eq!(asked, review(ReviewCommand::Unjudge));
}

/// The list goes to what is visited once, and then wherever one scrolls.
#[test]
fn a_long_list_can_be_scrolled_away_from_what_is_visited() {
    let flag = Some(Decision::Flag);
    let verdicts: Vec<_> = (1..60)
        .map(|n| verdict(n, flag, &format!("n{n:02}")))
        .collect();
    let window = with_verdicts(window(Some(0.25), &[Panel::Review]), verdicts);
    let mut harness = harness(1100.0, window);
    harness.state_mut().state.review.kept = Some((slide(), RecordId([50; 16])));
    let title = harness.get_by_label("59 verdicts on this slide").rect();
    let row =
        |harness: &Harness<'_, Window>, n: &str| harness.get_by_label_contains(n).rect().center();
    // Above it there are four lines more, now that one is visited.
    let list = title.bottom()..title.bottom() + 320.0;
    harness.run_steps(20);
    let at = row(&harness, "n50");
    assert!(
        list.contains(&at.y),
        "it is brought to sight: {at:?} {list:?}"
    );
    harness.hover_at(at);
    harness.step();
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 5000.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    harness.run_steps(40);
    let at = row(&harness, "n01");
    assert!(
        list.contains(&at.y),
        "the first is in sight: {at:?} {list:?}"
    );
}

#[test]
fn nothing_can_be_exported_of_a_slide_without_verdicts() {
    let mut harness = harness(1100.0, window(Some(0.25), &[Panel::Review]));
    harness.get_by_label("No verdicts on this slide yet");
    assert!(click(&mut harness, "Export…").is_empty());
}

#[test]
fn accept_and_flag_say_what_they_mean() {
    let found = reviewed(ReviewOf::Agreement, ["40x", "10x"], ["tumor", "stroma"]);
    let mut window = with_found(with_model(&[Panel::Review]), &found);
    window.state.review.at = Some(0);
    let mut harness = harness(1100.0, window);
    for (name, meaning) in [
        ("Accept", "This difference needs no action (A)"),
        ("Flag", "Someone should look at this place again (Q)"),
    ] {
        harness.get_by_label(name).hover();
        harness.run_steps(60);
        harness.get_by_label(meaning);
    }
}

/// The panels of a window, with the keys that the program would take.
fn harness_with_keys<'a>(window: Window) -> Harness<'a, Window> {
    let mut is_set_up = false;
    let log = parfocal::app::log::LogBuffer::default();
    let draw = move |ui: &mut egui::Ui, window: &mut Window| {
        if !is_set_up {
            parfocal::app::theme::install(ui.ctx());
            is_set_up = true;
        }
        let Window {
            state,
            fields,
            commands,
        } = window;
        commands.extend(keys::pressed(ui.ctx(), state));
        parfocal::app::panels::show_around(ui, state, fields, &log, commands);
    };
    let builder = Harness::builder().with_size(egui::vec2(1100.0, 700.0));
    let mut harness = builder.build_ui_state(draw, window);
    harness.run_steps(4);
    harness
}

fn press(harness: &mut Harness<'_, Window>, key: Key) -> Vec<Command> {
    harness.state_mut().commands.clear();
    harness.key_press(key);
    harness.run_steps(3);
    std::mem::take(&mut harness.state_mut().commands)
}

#[test]
fn letters_judge_only_with_a_region_visited_in_the_open_review_and_no_text_in_hand() {
    let found = reviewed(ReviewOf::Agreement, ["40x", "10x"], ["tumor", "stroma"]);
    let window = with_found(with_model(&[Panel::Review]), &found);
    let mut harness = harness_with_keys(window);
    let letters = [Key::A, Key::Q, Key::M];
    let is_idle = |harness: &mut Harness<'_, Window>| {
        letters.iter().all(|key| press(harness, *key).is_empty())
    };
    assert!(is_idle(&mut harness), "no region is visited");
    harness.state_mut().state.review.at = Some(1);
    harness.run_steps(2);
    let accept = review(ReviewCommand::Judge(Decision::Accept));
    let flag = review(ReviewCommand::Judge(Decision::Flag));
    assert_eq!(press(&mut harness, Key::A), accept);
    assert_eq!(press(&mut harness, Key::Q), flag);
    assert_eq!(press(&mut harness, Key::M), [Command::FocusNote]);
    harness.get_by_label("Note on the region").focus();
    harness.run_steps(2);
    assert!(is_idle(&mut harness), "a note is typed");
    let kept = press(&mut harness, Key::Enter);
    let keep = Command::Review(ReviewCommand::KeepNote);
    assert!(
        kept.contains(&keep) && kept.iter().all(|command| *command == keep),
        "{kept:?}"
    );
    harness.state_mut().state.shown.remove(&Panel::Review);
    harness.run_steps(2);
    assert!(is_idle(&mut harness), "the review is closed");
}

#[test]
fn the_lists_have_names_for_those_who_dont_see_them() {
    let found = reviewed(ReviewOf::Agreement, ["40x", "10x"], ["tumor", "stroma"]);
    let mut window = with_found(with_model(&[Panel::Review]), &found);
    window.state.review.at = Some(0);
    let verdicts = vec![verdict(1, Some(Decision::Flag), "rim")];
    names::assert_named("a review", with_verdicts(window, verdicts));
}
