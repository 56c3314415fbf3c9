//! The window's picture with the overlay on is what `parfocal render` draws of the same view, model,
//! dials and style.

use std::path::Path;
use std::process::Command as Process;

use egui_kittest::kittest::Queryable as _;
use parfocal::app::command::{Command, Panel};
use parfocal::app::marks::MarkCommand;
use parfocal::app::overlay::{DialSet, OverlayCommand};
use parfocal::gpu::overlay::{OverlayContent, OverlayShape, OverlayStyle};

use crate::window::Window;
use crate::{FIRST, is_analysed, with_breast_model};

/// Grey levels that two pictures of the same may be apart.
const APART: u8 = 2;

/// Share of the px that have to be the same.
const SAME: f64 = 0.995;

/// From the view's lower left corner, px: the scale bar, and over it the note on the model.
const FURNITURE_PX: (u32, u32) = (240, 90);

/// The first pane's part of the window's picture.
fn pane(window: &mut Window) -> image::RgbaImage {
    let picture = window.harness.render().unwrap();
    let rect = window
        .harness
        .get_by_label(&window.pane_label(FIRST))
        .rect();
    let (x, y) = (rect.left().round() as u32, rect.top().round() as u32);
    let size = window.app().state().view(FIRST).unwrap().size;
    let (width, height) = (size.width as u32, size.height as u32);
    assert_eq!((width, height), (rect.width() as u32, rect.height() as u32));
    image::imageops::crop_imm(&picture, x, y, width, height).to_image()
}

/// The same by the program itself, without a window.
fn rendered(window: &Window, folder: &Path, more: &[&str]) -> image::RgbaImage {
    let view = window.app().state().view(FIRST).unwrap();
    let size = format!("{}x{}", view.size.width, view.size.height);
    let center = format!("{},{}", view.center.x, view.center.y);
    let scale = view.slide_px_per_screen_px.to_string();
    let file = folder.join("rendered.png");
    let output = Process::new(env!("CARGO_BIN_EXE_parfocal"))
        .current_dir(folder)
        .args(["render", "phantom:breast", "-o", "rendered.png"])
        .args(["--size", &size, "--center-px", &center])
        .args(["--downsample", &scale])
        .args(more)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    image::open(file).unwrap().into_rgba8()
}

/// The share of px that are the same in both, where no furniture lies.
fn same(a: &image::RgbaImage, b: &image::RgbaImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let (wide, high) = FURNITURE_PX;
    let is_slide = |x: u32, y: u32| x >= wide || y < a.height() - high;
    let (mut same, mut all) = (0, 0);
    for (x, y, px) in a.enumerate_pixels().filter(|(x, y, _)| is_slide(*x, *y)) {
        let other = b.get_pixel(x, y).0;
        let channels = px.0.iter().zip(other).take(3);
        all += 1;
        same += usize::from(channels.into_iter().all(|(a, b)| a.abs_diff(b) <= APART));
    }
    same as f64 / all as f64
}

/// Dials turned, and kept as a preset, whose file is then in the folder.
fn turn(window: &mut Window, folder: &Path) {
    let decoded = |window: &Window| window.app().state().overlay.status.decoded;
    let before = decoded(window);
    for (dials, class, to) in [(DialSet::Bias, 2, 4.0), (DialSet::Output, 4, 0.75)] {
        window.ask(Command::Overlay(OverlayCommand::Turn {
            dials,
            class,
            to,
            held: false,
        }));
    }
    window.until("the turns are shown", |window| {
        is_analysed(window) && decoded(window) > before
    });
    let kept = MarkCommand::SavePreset("turned".into(), String::new());
    window.ask(Command::Marks(kept));
    let json = &window.app().state().marks.presets[0].bias;
    std::fs::write(folder.join("dials.json"), json).unwrap();
}

fn set_style(window: &mut Window, shape: OverlayShape, content: OverlayContent) {
    let style = OverlayStyle {
        shape,
        content,
        ..window.app().state().overlay.style.clone()
    };
    let style = OverlayCommand::SetStyle(Box::new(style));
    window.ask(Command::Overlay(style));
    window.until("the style is shown", Window::is_at_rest);
}

#[test]
fn the_window_and_render_draw_the_same_overlay() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut window = with_breast_model(None);
    window.ask(Command::Toggle(Panel::Minimap));
    window.until("the overview is gone", Window::is_at_rest);
    let model = ["--model", "breast", "--pin", "5"];
    let learned = rendered(&window, at, &model);
    let found = same(&pane(&mut window), &learned);
    assert!(found >= SAME, "as learned: {found}");

    turn(&mut window, at);
    let model = [&model[..], &["--dials", "dials.json"]].concat();
    for (shape, content, more) in [
        (
            OverlayShape::Fill,
            OverlayContent::Classes,
            ["--regions", "area"],
        ),
        (
            OverlayShape::Both,
            OverlayContent::Classes,
            ["--regions", "both"],
        ),
        (
            OverlayShape::Fill,
            OverlayContent::Value,
            ["--show", "probability"],
        ),
        (
            OverlayShape::Fill,
            OverlayContent::Extra,
            ["--show", "entropy"],
        ),
    ] {
        set_style(&mut window, shape, content);
        let (seen, drawn) = (
            pane(&mut window),
            rendered(&window, at, &[&model[..], &more].concat()),
        );
        let found = same(&seen, &drawn);
        assert!(found >= SAME, "{more:?}: {found}");
        let unturned = same(&seen, &learned);
        assert!(
            unturned < SAME,
            "{more:?}: the dials do nothing, {unturned}"
        );
    }
    let bare = rendered(&window, at, &[]);
    let found = same(&learned, &bare);
    assert!(found < 0.9, "the overlay is hardly there: {found}");
}
