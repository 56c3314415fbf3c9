//! Tuning as the window asks for it: on a little model, and with the shipped one on a phantom.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::tuner::ENCODED_AT_ONCE;
use super::*;
use crate::geometry::{SlidePoint, SlideRect, UmPoint};
use crate::jobs::live::{ComputeDevice, LiveThread, ModelChoice, ModelState, engine_for};
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};
use crate::segment::Network;
use crate::segment::live::{Analysis, Engine, FieldWish, Limits, SharedLayers, Step, Wish};
use crate::segment::test_slide::{Painted as PaintedSlide, little_model, pattern};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

const SLIDE: u64 = 7;
/// 10x.
const SCALE: u8 = 2;

fn slide() -> Arc<dyn SlideSource> {
    Arc::new(PaintedSlide::new(1601, 803, Some(0.25), pattern))
}

fn engine(model: &ReadyModel) -> Engine<Network> {
    engine_for(model, Limits::default(), SharedLayers::default())
}

fn stroke(class: &str, x: f64, y: f64) -> Stroke {
    Stroke {
        class: class.to_owned(),
        radius_px: 30.0,
        points: vec![SlidePoint::new(x, y), SlidePoint::new(x + 90.0, y)],
    }
}

fn strokes(classes: &[&str]) -> Vec<Stroke> {
    let at = |n: usize| {
        (
            150.0 + 160.0 * (n % 8) as f64,
            100.0 + 180.0 * (n / 8) as f64,
        )
    };
    let each = classes.iter().enumerate();
    each.map(|(n, class)| stroke(class, at(n).0, at(n).1))
        .collect()
}

fn request(strokes: Vec<Stroke>) -> TuneRequest {
    TuneRequest {
        slide: slide(),
        slide_id: SLIDE,
        scale: SCALE,
        strokes,
        bias: vec![0.3, -0.1, -0.2],
        offsets: vec![0.0; 3],
    }
}

/// All states until there is no more to do.
fn states(tuner: &mut Tuner, engine: &mut Engine<Network>) -> Vec<TuneState> {
    let mut states = Vec::new();
    while tuner.step(engine) == Step::Worked {
        states.extend(tuner.state());
        assert!(states.len() < 200);
    }
    states
}

fn last(classes: &[&str]) -> TuneState {
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    tuner.ask(request(strokes(classes)));
    states(&mut tuner, &mut engine).pop().unwrap()
}

const ONE_EACH: [&str; 3] = ["one", "two", "three"];

#[test]
fn strokes_become_dials_step_by_step() {
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    assert_eq!((tuner.step(&mut engine), tuner.state()), (Step::Idle, None));
    let mut asked = request(strokes(&["one", "two", "three", "unheard of"]));
    asked.strokes.push(stroke("one", 9e5, 9e5));
    tuner.rules.pull = 1e-9;
    tuner.rules.least_gain = 1e-7;
    tuner.ask(asked);
    let states = states(&mut tuner, &mut engine);
    let Some(TuneState::Done(outcome)) = states.last() else {
        panic!("{states:?}")
    };
    assert!(outcome.loss_after < outcome.loss_before);
    assert_eq!(
        (outcome.accuracy_before, outcome.accuracy_after),
        (None, None)
    );
    assert_eq!(outcome.bias.len(), 3);
    for ((bias, dial), own) in outcome
        .bias
        .iter()
        .zip(&outcome.dials)
        .zip([0.3, -0.1, -0.2])
    {
        assert!((bias - dial - own).abs() < 1e-5);
    }
    assert_eq!((outcome.strokes_fitted, outcome.strokes_left_out), (3, 2));
    assert!(outcome.tiles >= 3 && outcome.tiles == outcome.tiles_painted);
    // Few tiles are shared out, so that no class is without.
    tuner.most_tiles = 3;
    tuner.ask(request(strokes(&ONE_EACH)));
    match self::states(&mut tuner, &mut engine).pop() {
        Some(TuneState::Done(few)) => {
            assert_eq!((few.tiles, few.tiles_painted), (3, outcome.tiles));
            assert_eq!(few.strokes_fitted, 3);
        }
        other => panic!("{other:?}"),
    }
    let preparing = |state: &&TuneState| matches!(state, TuneState::Preparing { .. });
    let prepared = states.iter().filter(preparing).count();
    assert_eq!(prepared, 1 + outcome.tiles.div_ceil(ENCODED_AT_ONCE));
    assert_eq!(states.len(), prepared + outcome.steps);
}

#[test]
fn tiles_are_encoded_once_for_overlay_and_strokes() {
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    let everywhere = SlideRect::new(SlidePoint::zero(), SlidePoint::new(1601.0, 803.0));
    engine.ask(Wish {
        fields: vec![FieldWish {
            slide: slide(),
            slide_id: SLIDE,
            analysis: Analysis::Plain(SCALE),
            seen: everywhere,
            center: everywhere.center(),
        }],
        bias: vec![0.0; 3],
        offsets: vec![0.0; 3],
        shown_class: None,
    });
    while engine.step() == Step::Worked {}
    let encoded = engine.status().encoded;
    tuner.ask(request(strokes(&ONE_EACH)));
    states(&mut tuner, &mut engine);
    assert_eq!(engine.status().encoded, encoded);
    engine.forget(SLIDE);
    tuner.ask(request(strokes(&ONE_EACH)));
    states(&mut tuner, &mut engine);
    let again = engine.status().encoded;
    assert!(again > encoded, "what was dropped is encoded anew");
    tuner.ask(request(strokes(&ONE_EACH)));
    states(&mut tuner, &mut engine);
    assert_eq!(engine.status().encoded, again, "and kept");
}

#[test]
fn what_can_not_be_tuned_is_refused_before_work_is_done() {
    match last(&["one", "three", "one"]) {
        TuneState::Refused(reason) => assert!(reason.contains("no stroke shows two"), "{reason}"),
        other => panic!("{other:?}"),
    }
    match last(&[]) {
        TuneState::Refused(reason) => assert!(reason.contains("one, two, three"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    let unscaled = PaintedSlide::new(1601, 803, None, pattern);
    tuner.ask(TuneRequest {
        slide: Arc::new(unscaled),
        ..request(strokes(&ONE_EACH))
    });
    match states(&mut tuner, &mut engine).pop() {
        Some(TuneState::Failed(reason)) => assert!(reason.contains("scale"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.status().encoded, 0);
}

#[test]
fn it_stops_at_any_step_and_with_its_slide() {
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    for steps in [0, 1, 3, 6] {
        tuner.ask(request(strokes(&ONE_EACH)));
        (0..steps).for_each(|_| assert_eq!(tuner.step(&mut engine), Step::Worked));
        tuner.forget(SLIDE + 1);
        assert!(tuner.state().is_some());
        match steps {
            3 => tuner.forget(SLIDE),
            _ => tuner.stop(),
        }
        assert_eq!((tuner.step(&mut engine), tuner.state()), (Step::Idle, None));
    }
}

#[test]
fn what_came_of_a_slide_that_was_closed_is_no_longer_offered() {
    let model = little_model();
    let (mut tuner, mut engine) = (Tuner::new(&model), engine(&model));
    tuner.ask(request(strokes(&ONE_EACH)));
    let last = states(&mut tuner, &mut engine).pop();
    assert!(matches!(last, Some(TuneState::Done(_))), "{last:?}");
    tuner.forget(SLIDE + 1);
    assert!(matches!(tuner.state(), Some(TuneState::Done(_))));
    tuner.forget(SLIDE);
    assert_eq!(tuner.state(), None);
}

fn wait<T>(mut of: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = of() {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it takes too long"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_thread_tunes_and_tells() {
    let choice = ModelChoice::Shipped(shipped::BRAIN.name);
    let device = ComputeDevice::Processor;
    let often = Duration::from_millis(1);
    let live = LiveThread::start(choice, device, Limits::default(), often, Box::new(|_| {}));
    let live = live.unwrap();
    let facts = wait(|| match live.state() {
        ModelState::Opening => None,
        ModelState::Ready(facts) => Some(facts),
        ModelState::Failed(reason) => panic!("{reason}"),
    });
    assert_eq!(live.tuning(), None);
    let names = facts.card.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let asked = || TuneRequest {
        bias: facts.bias.total(),
        offsets: vec![0.0; names.len()],
        ..request(strokes(&names))
    };
    live.tune(asked());
    let is_under_way = |state: &TuneState| {
        matches!(
            state,
            TuneState::Preparing { .. } | TuneState::Running { .. }
        )
    };
    assert!(live.tuning().as_ref().is_some_and(is_under_way));
    let end = wait(|| live.tuning().filter(|state| !is_under_way(state)));
    assert!(
        matches!(end, TuneState::Done(_) | TuneState::Refused(_)),
        "{end:?}"
    );
    // What is told of the request before never comes back.
    live.tune(asked());
    live.stop_tuning();
    assert_eq!(live.tuning(), None);
    live.tune(asked());
    assert!(live.tuning().as_ref().is_some_and(is_under_way));
    live.close_slide(SLIDE);
    live.stop_tuning();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(live.tuning(), None);
}

/// A short stroke on ground of one class, by trial; level-0 px of a slide of 0.25 µm.
fn found(phantom: &PhantomSource, class: &str, rng: &mut ChaCha8Rng) -> Option<Stroke> {
    const LENGTH_UM: f64 = 120.0;
    const RADIUS_UM: f64 = 8.0;
    let code = phantom
        .classes()
        .iter()
        .position(|info| info.name == class)?;
    let [width, height] = phantom.spec().extent_um;
    let mut along = |side: f64| 300.0 + rng.random::<f64>() * (side - 600.0);
    (0..200_000).find_map(|_| {
        let (x, y, turn) = (
            along(width),
            along(height),
            along(600.0 + std::f64::consts::TAU),
        );
        let (dx, dy) = (turn.cos(), turn.sin());
        let is_class = |n: i32| {
            let (step, side) = (f64::from(n / 3) / 8.0, f64::from(n % 3 - 1));
            let x = x + dx * LENGTH_UM * step - dy * RADIUS_UM * side;
            let y = y + dy * LENGTH_UM * step + dx * RADIUS_UM * side;
            usize::from(phantom.class_at(UmPoint::new(x, y))) == code
        };
        let px = |x: f64, y: f64| SlidePoint::new(x / 0.25, y / 0.25);
        (0..27).all(is_class).then(|| Stroke {
            class: class.to_owned(),
            radius_px: RADIUS_UM / 0.25,
            points: vec![px(x, y), px(x + dx * LENGTH_UM, y + dy * LENGTH_UM)],
        })
    })
}

/// Times of tuning anew and on kept features, s, and its end.
type Measured = (f64, f64, TuneState);

fn measure(model: &ReadyModel, phantom: &Arc<PhantomSource>, draw: u64) -> Measured {
    let mut rng = ChaCha8Rng::seed_from_u64(draw);
    let names = model.card.class_names();
    let each = names.iter().flat_map(|name| [name; 4]);
    let strokes = each.filter_map(|name| found(phantom, name, &mut rng));
    let asked = TuneRequest {
        slide: phantom.clone(),
        slide_id: SLIDE,
        scale: SCALE,
        strokes: strokes.collect(),
        bias: model.bias.total(),
        offsets: vec![0.0; names.len()],
    };
    assert_eq!(asked.strokes.len(), 20);
    let (mut tuner, mut engine) = (Tuner::new(model), engine(model));
    let mut took = || {
        let began = Instant::now();
        tuner.ask(asked.clone());
        let end = states(&mut tuner, &mut engine).pop().unwrap();
        (began.elapsed().as_secs_f64(), end)
    };
    let (anew, kept) = (took().0, took());
    (anew, kept.0, kept.1)
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    format!("{:.2} ({least:.2}–{most:.2})", values[values.len() / 2])
}

/// `cargo test --release what_tuning_strokes_is_worth -- --ignored --nocapture`: the numbers of
/// docs/consistency.md on fine-tuning.
#[test]
#[ignore = "measures for a minute"]
fn what_tuning_strokes_is_worth() {
    let source = WeightsSource::Shipped(shipped::BREAST);
    let model = ReadyModel::open(&source, None, None, &Device::flex()).unwrap();
    let spec = PhantomSpec::preset(Tissue::Breast, 955_001).with_extent_um(8000.0, 8000.0);
    let phantom = Arc::new(PhantomSource::new(spec).unwrap());
    for threads in [2, 1] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let draws = || {
            (0..12)
                .map(|draw| measure(&model, &phantom, draw))
                .collect()
        };
        let all: Vec<Measured> = pool.build().unwrap().install(draws);
        let anew = spread(all.iter().map(|(anew, ..)| *anew).collect());
        let kept = spread(all.iter().map(|(_, kept, _)| *kept).collect());
        println!("{threads} threads: {anew} s, on kept features {kept} s");
        for (.., end) in all.iter().filter(|_| threads == 1) {
            println!("{end:?}");
        }
    }
}
