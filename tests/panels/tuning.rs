//! Strokes become dials, by the labels of the strokes' panel: the whole program without graphics,
//! with the shipped breast model on a phantom whose tissue is known.

use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use parfocal::app::command::{CameraMove, Command};
use parfocal::app::marks::MarkCommand;
use parfocal::app::overlay::{DialSet, OverlayCommand};
use parfocal::app::{App, AppOptions};
use parfocal::geometry::{SlidePoint, UmPoint};
use parfocal::jobs::live::ModelChoice;
use parfocal::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

use crate::FIRST;

const SLIDE: &str = "phantom:breast?seed=11";

/// Half of a stroke's length and the brush's width, points, where one is 2 µm.
const HALF_PT: f32 = 10.0;
const BRUSH_PT: f32 = 6.0;
/// The same, with room around.
const HALF_UM: f64 = 26.0;
const UM_PER_PX: f64 = 0.25;

/// The tumor's dial before strokes are asked: so far off that they have something to say.
const WRONG_DIAL: f32 = 6.0;

struct Bench(Harness<'static, Option<App>>);

impl Bench {
    fn start() -> Self {
        let mut options = Some(AppOptions {
            slides: vec![SLIDE.into()],
            ..Default::default()
        });
        let show = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            if let Some(options) = options.take() {
                *app = Some(App::new(ui.ctx(), None, options).unwrap());
            }
            app.as_mut().unwrap().show(ui);
        };
        let builder = Harness::builder().with_size(egui::vec2(1100.0, 700.0));
        let mut bench = Self(builder.build_ui_state(show, None));
        bench.until("the slide is open", |bench| {
            bench.app().state().pane(FIRST).slide.is_some()
        });
        bench.ask(Command::Camera(FIRST, CameraMove::Magnification(5.0)));
        // What is hidden is not analysed: only painted tiles are.
        bench.overlay(OverlayCommand::Show(false));
        bench.overlay(OverlayCommand::OpenModel(ModelChoice::Shipped("breast")));
        bench.until("the model is open", |bench| {
            bench.app().state().overlay.facts().is_some()
        });
        bench.ask(Command::Marks(MarkCommand::BrushWidth(BRUSH_PT)));
        bench.ask(Command::Marks(MarkCommand::UseBrush(true)));
        bench.0.run_steps(3);
        bench
    }

    fn app(&self) -> &App {
        self.0.state().as_ref().unwrap()
    }

    fn ask(&mut self, command: Command) {
        self.0.state_mut().as_mut().unwrap().command(command);
    }

    fn overlay(&mut self, command: OverlayCommand) {
        self.ask(Command::Overlay(command));
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        self.0.run_steps(2);
        while !done(self) {
            assert!(
                started.elapsed() < Duration::from_secs(120),
                "{what}: not within two minutes"
            );
            self.0.step();
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn says(&self, text: &str) -> bool {
        self.0.query_by_label_contains(text).is_some()
    }

    fn click(&mut self, label: &str) {
        self.0.get_by_label(label).click();
        self.0.run_steps(3);
    }

    /// The numbers of the line that holds a text.
    fn numbers(&self, text: &str) -> Vec<f64> {
        let node = self.0.get_by_label_contains(text);
        let node = node.accesskit_node();
        let line = node.value().or_else(|| node.label()).unwrap();
        let words = line.split(|c: char| !c.is_ascii_digit() && c != '.');
        let numbers = words.filter_map(|word| word.trim_end_matches('.').parse().ok());
        numbers.collect()
    }

    fn dials(&self) -> Vec<f32> {
        let dials = &self.app().state().overlay.dials;
        dials.values(DialSet::Bias).to_vec()
    }

    /// Paints a class with the mouse, to both sides of a spot that is brought to the middle.
    fn paint(&mut self, class: &str, spot: UmPoint) {
        self.click(class);
        let spot = SlidePoint::new(spot.x / UM_PER_PX, spot.y / UM_PER_PX);
        self.ask(Command::Camera(FIRST, CameraMove::CenterOn(spot)));
        self.0.run_steps(2);
        let middle = self.0.get_by_label_contains("View: ").rect().center();
        let half = egui::vec2(HALF_PT, 0.0);
        self.0.drag_at(middle - half);
        self.0.step();
        for part in [-0.5, 0.0, 0.5, 1.0] {
            self.0.hover_at(middle + half * part);
            self.0.step();
        }
        self.0.drop_at(middle + half);
        self.0.run_steps(2);
    }

    fn tune(&mut self) {
        self.click("Fine-tune the dials");
        self.until("dials are found", |bench| {
            bench.says("Found dials") || bench.says("stay as they are")
        });
        assert!(self.says("Found dials"));
    }
}

/// Two spots of each class, far from each other and with room for a stroke.
fn spots(phantom: &PhantomSource, classes: &[String]) -> Vec<(String, [UmPoint; 2])> {
    let [width, height] = phantom.spec().extent_um;
    let steps = |side: f64| (1..(side / 170.0) as usize).map(|n| n as f64 * 170.0);
    let grid = steps(height).flat_map(|y| steps(width).map(move |x| UmPoint::new(x, y)));
    let grid: Vec<UmPoint> = grid.collect();
    let is_of = |spot: &UmPoint, code: usize| {
        let offsets = [-1.0, -0.5, 0.0, 0.5, 1.0].map(|along| along * HALF_UM);
        let around = offsets
            .into_iter()
            .flat_map(|dx| [-8.0, 0.0, 8.0].map(|dy| (dx, dy)));
        around.into_iter().all(|(dx, dy)| {
            usize::from(phantom.class_at(UmPoint::new(spot.x + dx, spot.y + dy))) == code
        })
    };
    let of_class = |name: &String| {
        let infos = phantom.classes();
        let code = infos.iter().position(|info| info.name == *name).unwrap();
        let first = grid.iter().find(|spot| is_of(spot, code)).unwrap();
        let far = |spot: &&UmPoint| (**spot - *first).length() > 1000.0 && is_of(spot, code);
        let second = grid.iter().find(far).unwrap();
        (name.clone(), [*first, *second])
    };
    classes.iter().map(of_class).collect()
}

#[test]
fn strokes_become_dials_that_are_used_or_not() {
    let mut bench = Bench::start();
    let classes = bench
        .app()
        .state()
        .overlay
        .facts()
        .unwrap()
        .card
        .class_names();
    let phantom = PhantomSource::new(PhantomSpec::preset(Tissue::Breast, 11)).unwrap();
    let (last, others) = {
        let mut spots = spots(&phantom, &classes);
        (spots.pop().unwrap(), spots)
    };

    // As long as a class has no stroke it is said which, and the button is dead.
    assert!(bench.says(&format!("paint a stroke of: {}", classes.join(", "))));
    for (class, spots) in &others {
        spots.iter().for_each(|spot| bench.paint(class, *spot));
    }
    let missing = format!("To fine-tune, paint a stroke of: {}", last.0);
    assert!(bench.0.query_by_label(&missing).is_some());
    bench.click("Fine-tune the dials");
    assert_eq!(bench.app().state().marks.tuning, None);
    last.1.iter().for_each(|spot| bench.paint(&last.0, *spot));
    assert!(!bench.says("paint a stroke of"));

    bench.overlay(OverlayCommand::Turn {
        dials: DialSet::Bias,
        class: 0,
        to: WRONG_DIAL,
        held: false,
    });
    let turned = bench.dials();
    bench.tune();
    let loss = bench.numbers("Loss ");
    assert!(loss[0] < loss[1], "{loss:?}");
    let right = bench.numbers("On strokes that were held out");
    assert!(right.len() == 2 && right[0] >= right[1], "{right:?}");
    assert!((0.0..=100.0).contains(&right[0]), "{right:?}");
    assert_eq!(bench.dials(), turned, "nothing is turned before it is used");
    bench.click("Discard");
    assert!(!bench.says("Found dials"));
    assert_eq!(bench.dials(), turned);

    bench.tune();
    bench.click("Use these dials");
    let used = bench.dials();
    assert!(used[0] < WRONG_DIAL - 1.0, "{used:?}");
    assert!(!bench.says("Found dials"));
    bench.ask(Command::Undo);
    assert_eq!(bench.dials(), turned, "one step, taken back");
}
