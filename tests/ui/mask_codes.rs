//! A mask whose codes no file names: named in the window, saved, and read back.

use std::time::{Duration, Instant};

use egui_kittest::kittest::Queryable as _;
use parfocal::app::command::{Command, Panel};
use parfocal::app::masks::{CodeEdit, MaskCommand};

use crate::window::Window;

fn names(window: &Window) -> Vec<String> {
    let mask = window.app().state().masks.open.as_ref().unwrap();
    mask.classes
        .iter()
        .map(|class| class.name.clone())
        .collect()
}

/// Steps until the middle of the view looks as wanted.
fn until_drawn(window: &mut Window, what: &str, is_wanted: impl Fn([u8; 3]) -> bool) {
    let started = Instant::now();
    loop {
        let (drawn, _) = window.middle();
        if is_wanted(drawn) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{what}: {drawn:?}"
        );
        window.harness.step();
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn codes_are_named_in_the_window_drawn_saved_and_read_back() {
    let mut window = Window::with_made_slide();
    let ask = |window: &mut Window, command| {
        window.ask(Command::Masks(command));
        window.harness.run_steps(2);
    };
    window.ask(Command::Toggle(Panel::Model));
    window.until("the slide is sharp", Window::is_sharp);
    let (bare, _) = window.middle();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let code = |x: u32, _| image::Luma([if x == 0 { 7 } else { 1 }]);
    image::GrayImage::from_fn(16, 12, code).save(&path).unwrap();
    ask(&mut window, MaskCommand::Open(path));
    window.until("the mask is read", |window| {
        window.app().state().masks.open.is_some()
    });
    assert_eq!(names(&window), ["class 1", "class 7"]);
    until_drawn(&mut window, "the mask", |drawn| drawn != bare);

    let field = window.harness.get_by_label("Name of code 1");
    field.focus();
    window.harness.run_steps(1);
    let harness = &mut window.harness;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_steps(1);
    harness.get_by_label("Name of code 1").type_text("tumor");
    harness.run_steps(3);
    assert_eq!(names(&window), ["tumor", "class 7"]);
    window.harness.get_by_label("tumor");
    window.click("Code 1 is ignored");
    window.harness.run_steps(2);
    assert_eq!(names(&window), ["class 7"]);
    until_drawn(&mut window, "what is left out", |drawn| drawn == bare);
    window.click("Code 1 is ignored");
    let blue = CodeEdit::Colour(1, [0, 0, 255]);
    ask(&mut window, MaskCommand::Code(blue));
    until_drawn(&mut window, "the colour", |[r, _, b]| {
        b > bare[2].max(r).saturating_add(10)
    });

    let saved = folder.path().join("classes.txt");
    ask(&mut window, MaskCommand::SaveClasses(saved.clone()));
    let notice = window.app().state().notice.clone().unwrap();
    assert!(
        notice.text.contains(".json") && !saved.exists(),
        "{notice:?}"
    );
    let saved = saved.with_extension("json");
    ask(&mut window, MaskCommand::SaveClasses(saved.clone()));
    window.until("the classes are written", |_| saved.exists());
    ask(&mut window, MaskCommand::Classes(saved));
    window.until("the classes are read", |window| {
        let open = window.app().state().masks.open.as_ref();
        open.is_some_and(|mask| mask.unnamed.is_none())
    });
    assert_eq!(names(&window), ["tumor", "class 7"]);
    let mask = window.app().state().masks.open.as_ref().unwrap();
    assert_eq!(mask.classes[0].rgb, [0, 0, 255]);
}
