//! What is done to the window without its buttons, and what is seen of it at once: a pinch, a file
//! that is dropped, the theme.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui_kittest::kittest::Queryable as _;
use parfocal::app::settings::Theme;
use parfocal::geometry::{ScreenPoint, SlideVector};

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

/// Few frames, as where the processor draws, and too slow for a throw: the spot that was taken is under
/// the pointer where it was let go, though most of the way lies in the frames of pressing and letting go.
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
    window.harness.hover_at(from);
    window.harness.step();
    let taken = spot(&window, from);
    let by = |x: f32, y: f32| from + egui::vec2(x, y);
    window.harness.event(left_button(from, true));
    window
        .harness
        .event(egui::Event::PointerMoved(by(3.0, 2.0)));
    window.harness.step();
    window
        .harness
        .event(egui::Event::PointerMoved(by(9.0, -5.0)));
    window.harness.step();
    // In one frame; what comes after is no drag.
    let last = [
        egui::Event::PointerMoved(by(14.0, -10.0)),
        left_button(by(14.0, -10.0), false),
        egui::Event::PointerMoved(by(19.0, 40.0)),
    ];
    window.harness.input_mut().events.extend(last);
    window.harness.step();
    let off = (spot(&window, by(14.0, -10.0)) - taken).length();
    assert!(off < 0.01, "the slide is {off} px off the hand");
}

fn left_button(pos: egui::Pos2, pressed: bool) -> egui::Event {
    egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: egui::Modifiers::NONE,
    }
}

/// At four frames a second: what was let go in motion goes on the way it went and comes to rest; what
/// rested before stays where it was let go.
#[test]
fn a_slide_let_go_in_motion_glides_on_and_one_that_rested_stays() {
    for rests in [0, 3] {
        let mut window = Window::with_made_slide();
        window.click("40x");
        let label = window.pane_label(FIRST);
        let from = window.harness.get_by_label(&label).rect().center();
        let centre = |window: &Window| window.app().state().view(FIRST).unwrap().center;
        let start = centre(&window);
        window.harness.hover_at(from);
        window.harness.step();
        window.harness.event(left_button(from, true));
        window.harness.step();
        let by = |steps: f32| from + egui::vec2(-70.0 * steps, 0.0);
        let together = |window: &mut Window, events: &[egui::Event]| {
            window.harness.input_mut().events.extend_from_slice(events);
            window.harness.step();
        };
        let moved = |steps: f32| egui::Event::PointerMoved(by(steps));
        together(&mut window, &[moved(1.0)]);
        together(&mut window, &[moved(2.0)]);
        let let_go = left_button(by(3.0), false);
        if rests == 0 {
            together(&mut window, &[moved(3.0), let_go]);
        } else {
            together(&mut window, &[moved(3.0)]);
            for _ in 0..rests {
                together(&mut window, &[]);
            }
            together(&mut window, &[let_go]);
        }
        window.until("the glide is over", |window| {
            let camera = window.app().state().pane(FIRST).camera.as_ref();
            camera.is_some_and(|camera| camera.velocity.length() == 0.0)
        });
        let on = centre(&window) - start - SlideVector::new(210.0, 0.0);
        assert!(on.y.abs() < 1e-6, "{on:?}");
        if rests == 0 {
            // 280 px a second, and 0.28 s of it.
            assert!((65.0..85.0).contains(&on.x), "glided by {} px", on.x);
        } else {
            assert!(on.x.abs() < 0.01, "glided by {} px", on.x);
        }
    }
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

/// A picture may be a slide as well as a mask: who drops it on a slide is asked, and may leave it.
#[test]
fn a_picture_that_is_dropped_on_a_slide_is_what_one_says_that_it_is() {
    let mut window = Window::with_made_slide();
    let slide = |window: &Window| {
        let slide = window.app().state().pane(FIRST).slide.as_ref();
        slide.unwrap().opened_as.clone()
    };
    let made = slide(&window);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.png");
    let size = (2048, 1536);
    let labels = image::GrayImage::from_fn(size.0, size.1, |x, _| image::Luma([(x / 700) as u8]));
    labels.save(&path).unwrap();
    let drop = |window: &mut Window| {
        let dropped = Arc::new(Dropped(path.clone()));
        window.harness.input_mut().dropped_files.push(dropped);
        window.harness.step();
        window.harness.step();
        window
            .harness
            .get_by_label("labels.png is a picture. What of?");
    };
    drop(&mut window);
    window.click("Leave it");
    assert!(window.app().state().dropped.is_none() && window.app().state().masks.opening.is_none());
    drop(&mut window);
    window.click("A mask of this slide");
    window.until("the mask is open", |window| {
        window.app().state().masks.open.is_some()
    });
    assert_eq!(slide(&window), made);
    drop(&mut window);
    window.click("A slide");
    window.until("the picture is open", |window| {
        window.is_sharp() && slide(window) == path
    });
    assert!(window.app().state().dropped.is_none());
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
