//! The whole program on a test window: opened, zoomed, linked, used by accessible label, with the
//! picture drawn by the real pass.

#[path = "ui/dials.rs"]
mod dials;
#[path = "ui/gestures.rs"]
mod gestures;
#[path = "ui/mask_codes.rs"]
mod mask_codes;
#[path = "ui/review.rs"]
mod review;
#[path = "ui/same_picture.rs"]
mod same_picture;
mod shared_data;
#[path = "ui/window.rs"]
mod window;

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable as _;
use parfocal::annotate::Store;
use parfocal::app::command::{CameraMove, Command, Layout, Panel};
use parfocal::app::export::ExportCommand;
use parfocal::app::marks::MarkCommand;
use parfocal::app::masks::{MaskCommand, SwipeWith};
use parfocal::app::overlay::{AnalysisMode, DialSet, OverlayCommand};
use parfocal::app::similar::SimilarCommand;
use parfocal::app::state::PaneIndex;
use parfocal::geometry::SlidePoint;
use parfocal::jobs::live::ModelChoice;
use parfocal::labels::{LabelFile, LabelSource as _};
use window::Window;

const FIRST: PaneIndex = PaneIndex::First;
const SECOND: PaneIndex = PaneIndex::Second;

#[test]
fn a_slide_opens_and_its_own_pixels_are_drawn() {
    its_own_pixels_are_drawn(1.0);
}

#[test]
fn on_a_dense_screen_a_slide_px_is_a_physical_px() {
    its_own_pixels_are_drawn(2.0);
    its_own_pixels_are_drawn(1.5);
}

fn its_own_pixels_are_drawn(px_per_point: f32) {
    let mut window = Window::with_made_slide_at(px_per_point);
    window.click("40x");
    window.until("40x is sharp", Window::is_sharp);
    assert!((window.um_per_screen_px(FIRST) - 0.25).abs() < 1e-9);
    // Away from where the colours start anew.
    let place = CameraMove::CenterOn(SlidePoint::new(900.0, 700.0));
    let app = window.harness.state_mut().as_mut().unwrap();
    app.command(Command::Camera(FIRST, place));
    window.until("the place is sharp", Window::is_sharp);
    let (drawn, (x, y)) = window.middle();
    let wanted = shared_data::colour(x, y, 0);
    for (value, want) in drawn.iter().zip(wanted) {
        // The middle of the pane may lie between pixels, whose neighbours differ by one.
        assert!(
            value.abs_diff(want) <= 2,
            "{drawn:?} instead of {wanted:?} at {x}, {y}"
        );
    }
}

#[test]
fn buttons_reach_their_magnification() {
    let mut window = Window::with_made_slide();
    for (label, mpp) in [("10x", 1.0), ("2.5x", 4.0), ("20x", 0.5)] {
        window.click(label);
        assert!(
            (window.um_per_screen_px(FIRST) - mpp).abs() < 1e-9,
            "{label}"
        );
    }
}

#[test]
fn linked_views_share_their_centre_and_keep_their_magnifications() {
    let mut window = Window::with_made_slide();
    window.harness.key_press(egui::Key::L);
    window.until("linked views are sharp", Window::is_sharp);
    assert_eq!(window.app().state().layout, Layout::Linked);
    assert!((window.um_per_screen_px(FIRST) - 1.0).abs() < 1e-9);
    assert!((window.um_per_screen_px(SECOND) - 0.25).abs() < 1e-9);
    let label = window.pane_label(SECOND);
    let at = window.harness.get_by_label(&label).rect().center();
    window.harness.drag_at(at);
    window.harness.step();
    window.harness.hover_at(at + egui::vec2(60.0, 25.0));
    window.harness.step();
    window.harness.drop_at(at + egui::vec2(60.0, 25.0));
    window.until("both views are sharp", Window::is_sharp);
    let center = |pane| window.app().state().view(pane).unwrap().center;
    assert!((center(FIRST) - center(SECOND)).length() < 1e-9);
    assert!(
        (center(FIRST).x - 1024.0).abs() > 30.0,
        "the drag moved nothing: {:?}",
        center(FIRST)
    );
    window.harness.key_press(egui::Key::L);
    window.until("one view is left", |window| {
        window.app().state().layout == Layout::Single
    });
}

#[test]
fn a_picture_that_can_not_be_read_is_not_called_sharp() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge tile.tif");
    std::fs::write(&path, shared_data::tiff_with_a_huge_tile()).unwrap();
    let mut window = Window::open(Vec::new(), tempfile::tempdir().unwrap());
    window.harness.step();
    assert!(window.harness.query_by_label_contains("sharp").is_none());
    let app = window.harness.state_mut().as_mut().unwrap();
    app.command(Command::Open(FIRST, path));
    window.until("its tile is given up", |window| {
        window.app().state().pane(FIRST).coverage.unreadable == 1
    });
    window.harness.step();
    window.harness.get_by_label_contains("1 failed");
    assert!(window.harness.query_by_label_contains("sharp").is_none());
}

/// Tab goes to the other view and no button: the keys after it are the view's still.
#[test]
fn tab_goes_to_the_other_view_and_keys_follow() {
    let mut window = Window::with_made_slide();
    window.harness.key_press(egui::Key::L);
    window.until("linked views are sharp", Window::is_sharp);
    assert_eq!(window.app().state().active, FIRST);
    window.harness.key_press(egui::Key::Tab);
    window.until("the other view is active", |window| {
        window.app().state().active == SECOND
    });
    assert!(!window.harness.ctx.egui_wants_keyboard_input());
    window.harness.key_press(egui::Key::Num2);
    window.until("it is at 2.5x", |window| {
        (window.um_per_screen_px(SECOND) - 4.0).abs() < 1e-9
    });
    assert!((window.um_per_screen_px(FIRST) - 1.0).abs() < 1e-9);
}

/// A button that has the focus keeps what works it, and leaves the view its keys.
#[test]
fn a_focused_button_takes_space_and_no_other_key() {
    let mut window = Window::with_made_slide();
    window.harness.get_by_label("5x").focus();
    window.harness.step();
    assert!(window.harness.ctx.egui_wants_keyboard_input());
    window.harness.key_press(egui::Key::Num6);
    window.until("the key is the view's", |window| {
        (window.um_per_screen_px(FIRST) - 0.25).abs() < 1e-9
    });
    window.harness.key_press(egui::Key::Space);
    window.until("the button is pressed", |window| {
        (window.um_per_screen_px(FIRST) - 2.0).abs() < 1e-9
    });
}

#[test]
fn a_slide_that_is_opened_while_views_are_linked_comes_at_both_magnifications() {
    let mut window = Window::with_made_slide();
    window.harness.key_press(egui::Key::L);
    window.until("linked views are sharp", Window::is_sharp);
    window.click("Fit");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.tif");
    let content = shared_data::scaled_tiff(&[(1600, 1200), (400, 300)], 64, 40_000, 3);
    std::fs::write(&path, content).unwrap();
    let app = window.harness.state_mut().as_mut().unwrap();
    app.command(Command::Open(FIRST, path.clone()));
    window.until("it is open in both", |window| {
        let opened = |pane| {
            let slide = window.app().state().pane(pane).slide.as_ref();
            slide.is_some_and(|slide| slide.opened_as == path)
        };
        opened(FIRST) && opened(SECOND)
    });
    assert!((window.um_per_screen_px(FIRST) - 1.0).abs() < 1e-9);
    assert!((window.um_per_screen_px(SECOND) - 0.25).abs() < 1e-9);
}

#[test]
fn a_missing_slide_is_said_to_be_missing_and_the_open_one_stays() {
    let mut window = Window::with_made_slide();
    let gone = PathBuf::from("/no/such/slide.svs");
    window
        .harness
        .state_mut()
        .as_mut()
        .unwrap()
        .command(Command::Open(FIRST, gone));
    window.until("a notice comes", |window| {
        window.app().state().notice.is_some()
    });
    window.harness.step();
    assert!(
        window
            .harness
            .query_by_label_contains("/no/such/slide.svs")
            .is_some()
    );
    assert!(window.app().state().pane(FIRST).slide.is_some());
}

#[test]
fn label_images_are_shown_when_asked_for_and_hidden_again() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let mut window = Window::open(vec![path], tempfile::tempdir().unwrap());
    window.until("the slide is sharp", Window::is_sharp);
    window.click("Images");
    let held = |window: &Window| {
        window
            .app()
            .state()
            .pane(FIRST)
            .slide
            .as_ref()
            .unwrap()
            .associated
            .len()
    };
    assert_eq!(held(&window), 0, "label images are read before anyone asks");
    window.click("Show label and macro images");
    window.until("label, macro and thumbnail come", |window| {
        held(window) == 3
    });
    window.click("Hide label and macro images");
    assert_eq!(held(&window), 0, "hidden images stay in memory");
}

#[test]
fn the_last_position_comes_back_with_the_slide() {
    let mut window = Window::with_made_slide();
    window.click("20x");
    let before = *window.app().state().view(FIRST).unwrap();
    let path = window
        .app()
        .state()
        .pane(FIRST)
        .slide
        .as_ref()
        .unwrap()
        .opened_as
        .clone();
    let app = window.harness.state_mut().as_mut().unwrap();
    app.command(Command::Close(FIRST));
    app.command(Command::Open(FIRST, path));
    window.until("the slide is back", Window::is_sharp);
    assert_eq!(*window.app().state().view(FIRST).unwrap(), before);
}

#[test]
fn a_window_at_rest_draws_no_frames() {
    let mut window = Window::with_made_slide();
    for _ in 0..30 {
        window.harness.step();
    }
    let delays = &window.harness.output().viewport_output;
    let soonest = delays.values().map(|output| output.repaint_delay).min();
    assert!(
        soonest.is_none_or(|delay| delay >= Duration::from_secs(1)),
        "asks for a frame in {soonest:?}"
    );
}

#[test]
fn the_window_looks_as_it_did() {
    let mut window = Window::with_made_slide();
    // Drawn by different drivers, text and edges differ by a little.
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(300);
    window.click("10x");
    window.until("10x is at rest", Window::is_at_rest);
    window
        .harness
        .try_snapshot_options("window_10x", &options)
        .unwrap();
    window.harness.key_press(egui::Key::L);
    window.until("linked views are at rest", Window::is_at_rest);
    window
        .harness
        .try_snapshot_options("linked_views", &options)
        .unwrap();
}

#[test]
fn a_folder_of_nothing_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = folder.path();
    let mut window = Window::open(vec![path.to_path_buf()], tempfile::tempdir().unwrap());
    window.until("a notice comes", |window| {
        window.app().state().notice.is_some()
    });
    let label = "View: no slide";
    assert!(window.harness.query_by_label(label).is_some());
}

/// Bytes of the picture's first pane, without what lies on top of it at its edges.
fn pane_px(window: &mut Window) -> Vec<u8> {
    let picture = window.harness.render().unwrap();
    let pane = window
        .harness
        .get_by_label(&window.pane_label(FIRST))
        .rect()
        .shrink(130.0);
    let columns = pane.left() as u32..pane.right() as u32;
    let rows = pane.top() as u32..pane.bottom() as u32;
    let at = |(x, y)| picture.get_pixel(x, y).0;
    rows.flat_map(|y| columns.clone().map(move |x| (x, y)))
        .flat_map(at)
        .collect()
}

fn is_analysed(window: &Window) -> bool {
    let overlay = &window.app().state().overlay;
    overlay.facts().is_some() && overlay.status.encoded > 0 && overlay.status.waiting == 0
}

#[test]
fn a_dial_turned_by_hand_changes_the_overlay_and_nothing_is_encoded_again() {
    let mut window = Window::open(vec!["phantom:breast".into()], tempfile::tempdir().unwrap());
    window.until("the slide is open", |window| {
        window.app().state().panes[0].slide.is_some()
    });
    let ask = Window::ask;
    ask(
        &mut window,
        Command::Camera(FIRST, CameraMove::Magnification(20.0)),
    );
    ask(
        &mut window,
        Command::Camera(
            FIRST,
            CameraMove::CenterOn(SlidePoint::new(50_400.0, 40_800.0)),
        ),
    );
    window.click("Dials");
    window.until("the slide is sharp", Window::is_sharp);
    let bare = pane_px(&mut window);
    ask(
        &mut window,
        Command::Overlay(OverlayCommand::SetMode(AnalysisMode::Pinned(3))),
    );
    ask(
        &mut window,
        Command::Overlay(OverlayCommand::OpenModel(ModelChoice::Shipped("breast"))),
    );
    window.until("the field is analysed", is_analysed);
    let segmented = pane_px(&mut window);
    assert_ne!(segmented, bare, "there is an overlay");
    let decoded = |window: &Window| window.app().state().overlay.status.decoded;
    let encoded = window.app().state().overlay.status.encoded;

    // The number beside the slider has its name; the slider is the one in its row.
    let row = window.harness.get_by_label("Attention of tumor").rect();
    let sliders = window
        .harness
        .get_all_by_role(egui::accesskit::Role::Slider);
    let slider = sliders
        .map(|node| node.rect())
        .find(|rect| rect.y_range().contains(row.center().y));
    let slider = slider.expect("a slider in the row");
    let (from, to) = (
        slider.center(),
        slider.right_center() - egui::vec2(20.0, 0.0),
    );
    window.harness.drag_at(from);
    window.harness.step();
    // On the way in steps, which are one to undo.
    for part in [0.3, 0.6, 1.0] {
        window.harness.hover_at(from + (to - from) * part);
        window.harness.step();
        window.harness.step();
    }
    window.harness.drop_at(to);
    window.harness.step();
    let turned = window.app().state().overlay.dials.values(DialSet::Bias)[0];
    assert!(turned > 1.0, "{turned}, {slider:?}");
    window.until("the turn is shown", |window| {
        is_analysed(window) && window.app().state().overlay.status.turn_s.is_some()
    });
    assert_ne!(pane_px(&mut window), segmented, "the tissue answers");
    assert_eq!(window.app().state().overlay.status.encoded, encoded);

    // Back by undo, bit for bit; and hidden, the slide is as it was.
    let before = decoded(&window);
    ask(&mut window, Command::Undo);
    window.until("the turn is taken back", |window| {
        is_analysed(window) && decoded(window) > before
    });
    assert!(pane_px(&mut window) == segmented, "undone");
    ask(&mut window, Command::Overlay(OverlayCommand::Show(false)));
    window.until("it is hidden", Window::is_sharp);
    assert!(pane_px(&mut window) == bare, "hidden");
}

/// A breast slide at rest with its model, its field analysed at 5x.
fn with_breast_model(store: Option<Store>) -> Window {
    let slides = vec!["phantom:breast".into()];
    let mut window = Window::open_keeping(1.0, slides, tempfile::tempdir().unwrap(), store);
    window.until("the slide is open", |window| {
        window.app().state().panes[0].slide.is_some()
    });
    let middle = CameraMove::CenterOn(SlidePoint::new(50_400.0, 40_800.0));
    window.ask(Command::Camera(FIRST, CameraMove::Magnification(20.0)));
    window.ask(Command::Camera(FIRST, middle));
    let mode = OverlayCommand::SetMode(AnalysisMode::Pinned(3));
    window.ask(Command::Overlay(mode));
    let model = OverlayCommand::OpenModel(ModelChoice::Shipped("breast"));
    window.ask(Command::Overlay(model));
    window.until("the field is analysed", is_analysed);
    window.until("the slide is sharp", Window::is_sharp);
    window
}

fn strokes(window: &Window) -> Vec<(String, usize)> {
    let state = window.app().state();
    let slide = state.panes[0].slide.as_ref().unwrap();
    let strokes = state.marks.strokes(&slide.source.info().hash).iter();
    strokes
        .map(|record| (record.stroke.class.clone(), record.stroke.points.len()))
        .collect()
}

/// A line drawn with the first button held, by shares of the view.
fn drag(window: &mut Window, from: (f32, f32), to: (f32, f32)) {
    let pane = window
        .harness
        .get_by_label(&window.pane_label(FIRST))
        .rect();
    let at = |(x, y): (f32, f32)| pane.min + egui::vec2(x, y) * pane.size();
    let (from, to) = (at(from), at(to));
    window.harness.drag_at(from);
    window.harness.step();
    for part in [0.25, 0.5, 0.75, 1.0] {
        window.harness.hover_at(from + (to - from) * part);
        window.harness.step();
    }
    window.harness.drop_at(to);
    window.harness.step();
    window.harness.step();
}

#[test]
fn strokes_are_painted_erased_undone_and_there_again_after_a_restart() {
    let kept = tempfile::tempdir().unwrap();
    let store = || Some(Store::open(kept.path()).unwrap());
    let mut window = with_breast_model(store());
    let center = window.app().state().view(FIRST).unwrap().center;
    let bare = pane_px(&mut window);
    window.harness.key_press(egui::Key::B);
    window.harness.step();
    window.harness.key_press(egui::Key::Num2);
    window.harness.step();
    drag(&mut window, (0.4, 0.5), (0.6, 0.55));
    assert_eq!(
        window.app().state().view(FIRST).unwrap().center,
        center,
        "it paints"
    );
    let painted = strokes(&window);
    assert_eq!((painted.len(), painted[0].0.as_str()), (1, "stroma"));
    assert!(painted[0].1 >= 4, "{painted:?}");
    assert_ne!(pane_px(&mut window), bare, "it is seen");
    window.harness.key_press(egui::Key::Num0);
    window.harness.step();
    drag(&mut window, (0.5, 0.3), (0.5, 0.7));
    assert_eq!(strokes(&window), []);
    window.ask(Command::Undo);
    assert_eq!(strokes(&window), painted);
    window.ask(Command::Undo);
    assert_eq!(strokes(&window), []);
    window.ask(Command::Redo);
    assert_eq!(strokes(&window), painted);
    window.ask(Command::Marks(MarkCommand::SavePreset(
        "mine".into(),
        "H&E".into(),
    )));
    drop(window);

    let slides = vec!["phantom:breast".into()];
    let mut window = Window::open_keeping(1.0, slides, tempfile::tempdir().unwrap(), store());
    window.until("the slide is open", |window| {
        let state = window.app().state();
        state.panes[0].slide.is_some() && !state.marks.presets.is_empty()
    });
    assert_eq!(strokes(&window), painted);
    assert_eq!(window.app().state().marks.presets[0].name, "mine");
}

#[test]
fn a_mask_is_drawn_and_held_against_the_model_by_a_swipe() {
    let mut window = with_breast_model(None);
    let of_model = pane_px(&mut window);
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
    let mask = window.app().state().masks.open.as_ref().unwrap();
    let names: Vec<&str> = mask
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    assert_eq!(
        names.last(),
        Some(&"other"),
        "its class is one of the model's: {names:?}"
    );
    // Coarser pages come first and are hatched.
    let (mut of_mask, mut same) = (of_model.clone(), 0);
    while same < 5 {
        let before = std::mem::replace(&mut of_mask, pane_px(&mut window));
        same = if of_mask == before && of_mask != of_model {
            same + 1
        } else {
            0
        };
        window.harness.step();
    }
    let show = parfocal::app::masks::Shown::Model;
    window.ask(Command::Masks(MaskCommand::Show(show)));
    let swipe = |at: f32| Command::Masks(MaskCommand::Swipe(Some(at), SwipeWith::Mask));
    window.ask(swipe(0.0));
    window.harness.run_steps(2);
    assert!(pane_px(&mut window) == of_model);
    window.ask(swipe(0.3));
    window.harness.step();
    drag(&mut window, (0.3, 0.4), (0.999, 0.4));
    window.harness.step();
    assert!(pane_px(&mut window) == of_mask, "dragged across");
}

#[test]
fn the_view_and_what_was_analysed_are_saved_with_where_they_come_from() {
    let mut window = with_breast_model(None);
    let folder = tempfile::tempdir().unwrap();
    let (field, map) = (
        folder.path().join("field.png"),
        folder.path().join("map.tif"),
    );
    window.ask(Command::Export(ExportCommand::Field(field.clone())));
    window.ask(Command::Export(ExportCommand::Map(map.clone())));
    let written = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    window.until("both are written", |window| {
        window.app().state().writing.is_empty()
    });
    assert!(written(&field) && written(&map));
    let bytes = std::fs::read(&field).unwrap();
    let says = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert!(says(b"Model-Hash") && says(b"Attention-Bias") && says(b"ICC-Profile"));
    let state = window.app().state();
    let slide = state.panes[0].slide.as_ref().unwrap();
    let read = LabelFile::open(&map, slide.source.info(), None).unwrap();
    let names: Vec<&str> = read
        .classes()
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    assert_eq!(names[..2], ["tumor", "stroma"]);
    assert!(
        map.with_extension("json").exists(),
        "its report is beside it"
    );
}

#[test]
fn what_looks_like_a_spot_is_found() {
    let mut window = with_breast_model(None);
    let encoded = window.app().state().overlay.status.encoded;
    let center = window.app().state().view(FIRST).unwrap().center;
    window.ask(Command::Similar(SimilarCommand::Ask(FIRST, center)));
    window.until("something is found", |window| {
        let status = &window.app().state().similar.status;
        let search = status.search.as_ref();
        search.is_some_and(|search| !search.matches.is_empty())
    });
    let state = window.app().state();
    assert_eq!(state.overlay.status.encoded, encoded, "classes rest");
    assert!(state.shows(Panel::Similar));
    window.ask(Command::Similar(SimilarCommand::Clear));
    window.until("the classes are back", |window| {
        window.app().state().similar.shown.is_none() && is_analysed(window)
    });
}
