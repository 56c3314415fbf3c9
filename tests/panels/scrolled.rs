//! A section that is opened by a key is seen, wherever it stands among the others.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use parfocal::app::command::{Command, Panel};
use parfocal::app::{App, AppOptions};

const HEIGHT: f32 = 360.0;

#[test]
fn a_section_that_is_opened_is_scrolled_to() {
    let mut options = Some(AppOptions {
        slides: vec!["phantom:breast?seed=11".into()],
        ..Default::default()
    });
    let show = move |ui: &mut egui::Ui, app: &mut Option<App>| {
        if let Some(options) = options.take() {
            *app = Some(App::new(ui.ctx(), None, options).unwrap());
        }
        app.as_mut().unwrap().show(ui);
    };
    let builder = Harness::builder().with_size(egui::vec2(1100.0, HEIGHT));
    let mut window = builder.build_ui_state(show, None);
    let mut open = |panel: Panel, title: &str| {
        let app = window.state_mut().as_mut().unwrap();
        app.command(Command::Toggle(panel));
        window.run_steps(40);
        let close = format!("Close “{title}”");
        let rect = window.get_by_label(&close).rect();
        assert!(
            (0.0..HEIGHT).contains(&rect.center().y),
            "{title}: {rect:?}"
        );
    };
    open(Panel::Metadata, "About the slide");
    // Below it, and above it again.
    open(Panel::Display, "Display");
    open(Panel::Review, "Review");
    open(Panel::Log, "Messages");
}
