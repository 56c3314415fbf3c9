//! What is done to the window without its buttons, and what is seen of it at once: a pinch, a file
//! that is dropped, the theme.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui_kittest::kittest::Queryable as _;
use parfocal::app::settings::Theme;
use parfocal::geometry::ScreenPoint;

use crate::window::Window;
use crate::{FIRST, shared_data};

#[test]
fn a_pinch_zooms_about_the_pointer() {
    let mut window = Window::with_made_slide();
    window.click("40x");
    let label = window.pane_label(FIRST);
    let pane = window.harness.get_by_label(&label).rect();
    // Not in the middle, where zooming about the centre would do too.
    let at = pane.center() + egui::vec2(90.0, -40.0);
    window.harness.hover_at(at);
    window.harness.step();
    let held = |window: &Window| {
        let at = at - pane.min;
        let at = ScreenPoint::new(f64::from(at.x), f64::from(at.y));
        window.app().state().view(FIRST).unwrap().slide_at(at)
    };
    let (before, um) = (held(&window), window.um_per_screen_px(FIRST));
    for factor in [1.6_f32, 0.5] {
        let um = window.um_per_screen_px(FIRST);
        window.harness.event(egui::Event::Zoom(factor));
        window.harness.step();
        let wanted = um / f64::from(factor);
        let now = window.um_per_screen_px(FIRST);
        assert!(
            (now / wanted - 1.0).abs() < 1e-6,
            "{factor}: {now} µm/px, not {wanted}"
        );
        let moved = (held(&window) - before).length();
        assert!(
            moved < 0.01,
            "{factor}: the spot under the pointer moved by {moved} px"
        );
    }
    assert!((window.um_per_screen_px(FIRST) / um - 1.25).abs() < 1e-6);
}

/// Few frames, as where the processor draws: the spot that was taken is under the pointer where it was
/// let go, though most of the way lies in the frames of pressing and letting go.
#[test]
fn a_drag_of_few_frames_keeps_the_spot_under_the_pointer() {
    let mut window = Window::with_made_slide();
    window.click("40x");
    let label = window.pane_label(FIRST);
    let pane = window.harness.get_by_label(&label).rect();
    let from = pane.center();
    let spot = |window: &Window, at: egui::Pos2| {
        let at = at - pane.min;
        let at = ScreenPoint::new(f64::from(at.x), f64::from(at.y));
        window.app().state().view(FIRST).unwrap().slide_at(at)
    };
    let button = |pos: egui::Pos2, pressed: bool| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    };
    window.harness.hover_at(from);
    window.harness.step();
    let taken = spot(&window, from);
    let by = |x: f32, y: f32| from + egui::vec2(x, y);
    window.harness.event(button(from, true));
    window
        .harness
        .event(egui::Event::PointerMoved(by(3.0, 2.0)));
    window.harness.step();
    window
        .harness
        .event(egui::Event::PointerMoved(by(50.0, -30.0)));
    window.harness.step();
    window
        .harness
        .event(egui::Event::PointerMoved(by(90.0, -70.0)));
    window.harness.event(button(by(90.0, -70.0), false));
    // What comes after is no drag.
    window
        .harness
        .event(egui::Event::PointerMoved(by(95.0, 40.0)));
    window.harness.step();
    let off = (spot(&window, by(90.0, -70.0)) - taken).length();
    assert!(off < 0.01, "the slide is {off} px off the hand");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the program opens the path".into())
    }
}

#[test]
fn a_file_that_is_dropped_on_the_window_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dropped.tif");
    let content = shared_data::scaled_tiff(&[(600, 400)], 64, 40_000, 3);
    std::fs::write(&path, content).unwrap();
    let mut window = Window::open(Vec::new(), tempfile::tempdir().unwrap());
    window.harness.step();
    assert!(window.app().state().pane(FIRST).slide.is_none());
    let dropped = Arc::new(Dropped(path.clone()));
    window.harness.input_mut().dropped_files.push(dropped);
    window.until("the dropped slide is sharp", Window::is_sharp);
    let opened = window.app().state().pane(FIRST).slide.as_ref();
    assert_eq!(opened.unwrap().opened_as, path);
}

#[test]
fn the_theme_is_chosen_in_its_menu_and_the_window_follows() {
    let mut window = Window::with_made_slide();
    for (name, theme, is_dark) in [("Light", Theme::Light, false), ("Dark", Theme::Dark, true)] {
        window.click("Theme");
        window.click(name);
        window.harness.step();
        assert_eq!(window.app().state().settings.theme, theme);
        let shown = window.harness.ctx.theme() == egui::Theme::Dark;
        assert_eq!(shown, is_dark, "{name}");
        let picture = window.harness.render().unwrap();
        // The toolbar's row, which is mostly ground; what is drawn nowhere is transparent.
        let row = picture.enumerate_pixels().filter(|(_, y, _)| *y < 30);
        let drawn = row.filter(|(_, _, px)| px.0[3] == 255);
        let (count, sum) = drawn.fold((0, 0), |(count, sum), (_, _, px)| {
            (
                count + 3,
                sum + px.0[..3].iter().map(|v| u64::from(*v)).sum::<u64>(),
            )
        });
        assert!(count > 0, "{name}: no toolbar");
        assert_eq!(sum / count < 128, is_dark, "{name}: {}", sum / count);
    }
}
