//! On a little decoder whose weights are large enough for a bias to be seen.

use std::ops::ControlFlow;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::judge::Judge;
use super::problem::Problem;
use super::split::held_out;
use super::*;
use crate::model::dfa::to_tile;
use crate::model::test_model::little_predictor;

const TILE_PX: usize = 32;
const PLANE: usize = TILE_PX * TILE_PX;
const GRID: usize = 4;
const TILES: usize = 6;
const START: [f32; 3] = [0.4, -0.1, -0.3];
/// What the strokes' bias has more than the start's.
const SHIFT: [f32; 3] = [1.6, -0.4, -1.2];

/// Larger weights, so that a bias is seen: most of all those of mask heads, which have three axes,
/// and not those of attention's logits, beside which the bias has to count.
#[derive(Default)]
struct Louder {
    in_logits: bool,
}

impl ModuleMapper for Louder {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.in_logits |= ["q_proj", "k_proj"].contains(&name);
    }

    fn exit_module(&mut self, name: &str, _: &str) {
        self.in_logits &= !["q_proj", "k_proj"].contains(&name);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match D {
            2 if !self.in_logits => param.map(|value| value * 2.0),
            3 => param.map(|value| value * 4.0),
            _ => param,
        }
    }
}

fn decoder() -> Decoder {
    let predictor = little_predictor(START, [0.0; 3]).unwrap();
    predictor.decoder.map(&mut Louder::default())
}

fn features(decoder: &Decoder) -> Features {
    let width = decoder.config().encoder_width;
    let count = TILES * GRID * GRID * width;
    let values: Vec<f32> = (0..count).map(|n| (n as f32 * 1.37).sin() * 2.0).collect();
    let tokens = TensorData::new(values, [TILES, GRID * GRID, width]);
    decoder
        .start(Tensor::from_data(tokens, &Device::flex()))
        .unwrap()
}

/// Probabilities at the tiles' px under a bias.
fn probabilities(decoder: &Decoder, bias: [f32; 3], offsets: &[f32]) -> Vec<Vec<[f64; 3]>> {
    let bias = Tensor::<1>::from_floats(bias, &Device::flex());
    let decoded = decoder.decode(&features(decoder), bias).unwrap();
    let logits = to_tile(decoded.logits, TILE_PX).into_data();
    let logits: Vec<f32> = logits.try_to_vec().unwrap();
    let of_tile = |tile: &[f32]| {
        let raised =
            |px: usize, class: usize| f64::from(tile[class * PLANE + px] + offsets[class]).exp();
        let of_px = |px| {
            let all = [0, 1, 2].map(|class| raised(px, class));
            all.map(|one| one / all.iter().sum::<f64>())
        };
        (0..PLANE).map(of_px).collect()
    };
    logits.chunks(3 * PLANE).map(of_tile).collect()
}

/// Offsets under which each class has a third of the px under the strokes' bias: so balancing
/// classes changes nothing, and that bias is the best one.
fn offsets(decoder: &Decoder) -> Vec<f32> {
    let mut offsets = vec![0.0; 3];
    for _ in 0..20 {
        let all = probabilities(decoder, shifted(1.0), &offsets);
        let px = all.iter().flatten();
        let sum = px.fold([0.0; 3], |sum, p| {
            [0, 1, 2].map(|class| sum[class] + p[class])
        });
        for (offset, sum) in offsets.iter_mut().zip(sum) {
            *offset -= (3.0 * sum / (TILES * PLANE) as f64).ln() as f32;
        }
    }
    offsets
}

/// A class for every px, drawn by its probabilities under the strokes' bias.
fn drawn(decoder: &Decoder) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut draw = |p: &[f64; 3]| {
        let at: f64 = rng.random();
        usize::from(at > p[0]) + usize::from(at > p[0] + p[1])
    };
    let all = probabilities(decoder, shifted(1.0), &offsets(decoder));
    let tiles = all.iter().map(|tile| tile.iter().map(&mut draw).collect());
    tiles.collect()
}

/// The most probable class of every px.
fn best(decoder: &Decoder, bias: [f32; 3]) -> Vec<Vec<usize>> {
    let best = |p: &[f64; 3]| (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
    let all = probabilities(decoder, bias, &offsets(decoder));
    let tiles = all.iter().map(|tile| tile.iter().map(best).collect());
    tiles.collect()
}

fn shifted(by: f32) -> [f32; 3] {
    [0, 1, 2].map(|class| START[class] + by * SHIFT[class])
}

/// The stroke of a class that a px is for: of four a class, all over the tiles.
fn stroke_of(px: usize, class: usize) -> usize {
    3 * (px % 4) + class
}

/// Twelve strokes over all tiles; `stroke` says which a px of a tile belongs to.
fn task_of(stroke: impl Fn(usize, usize) -> Option<usize>) -> TuneTask {
    let decoder = decoder();
    let all = features(&decoder);
    let tile = |n: usize| PaintedTile {
        features: all.part(n..n + 1),
        px: (0..PLANE)
            .filter_map(|px| {
                let stroke = stroke(n, px)? as u32;
                Some(PaintedPx {
                    px: px as u32,
                    stroke,
                })
            })
            .collect(),
    };
    TuneTask {
        tiles: (0..TILES).map(tile).collect(),
        offsets: offsets(&decoder),
        decoder,
        device: Device::flex(),
        tile_px: TILE_PX,
        classes: ["one", "two", "three"].map(str::to_owned).to_vec(),
        strokes: (0..12).map(|n| n % 3).collect(),
        start: START.to_vec(),
        learned: START.to_vec(),
    }
}

fn task() -> TuneTask {
    let drawn = drawn(&decoder());
    task_of(|tile, px| Some(stroke_of(px, drawn[tile][px])))
}

const FREE: TuneRules = TuneRules {
    pull: 1e-5,
    most_steps: 40,
    least_gain: 1e-5,
    held_out: 1.0 / 3.0,
};

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Weights of strokes in the loss that [`problem`] has the slope of; of every third none.
fn weight(stroke: usize) -> f64 {
    [0.0, 0.002, 0.003][stroke % 3] * (stroke + 1) as f64
}

fn problem(task: &TuneTask) -> Problem {
    let judge = Judge {
        tile_px: TILE_PX,
        weights: (0..task.strokes.len()).map(weight).collect(),
        strokes: task.strokes.clone(),
        offsets: task.offsets.clone(),
    };
    Problem::new(
        task.decoder.clone(),
        task.device.clone(),
        task.tiles.clone(),
        judge,
    )
}

fn loss(problem: &Problem, bias: &[f64]) -> f64 {
    let strokes = problem.at(bias).unwrap().strokes;
    let each = strokes.iter().enumerate();
    each.map(|(n, stroke)| weight(n) * stroke.surprise).sum()
}

#[test]
fn the_slope_is_that_of_finite_differences() {
    let problem = problem(&task());
    let at = [0.9, -0.6, 0.3];
    let slope = problem.at(&at).unwrap().slope;
    let largest = slope
        .iter()
        .fold(0.0_f64, |most, slope| most.max(slope.abs()));
    assert!(largest > 1e-2, "{slope:?}");
    for (class, slope) in slope.iter().enumerate() {
        let moved = |by: f64| {
            let mut at = at;
            at[class] += by;
            loss(&problem, &at)
        };
        let difference = (moved(0.01) - moved(-0.01)) / 0.02;
        assert!(
            (slope - difference).abs() < 0.01 * largest,
            "class {class}: {slope}, {difference}"
        );
    }
}

#[test]
fn a_number_added_to_the_whole_bias_changes_nothing() {
    let task = task();
    let problem = problem(&task);
    let (a, b) = (problem.at(&[0.5, 0.0, -0.5]), problem.at(&[4.5, 4.0, 3.5]));
    let (a, b) = (a.unwrap(), b.unwrap());
    for (a, b) in a.strokes.iter().zip(&b.strokes) {
        assert!((a.surprise - b.surprise).abs() < 1e-3 * a.surprise.max(1.0));
    }
    let largest = a
        .slope
        .iter()
        .fold(0.0_f64, |most, slope| most.max(slope.abs()));
    assert!(a.slope.iter().sum::<f64>().abs() < 1e-3 * largest, "{a:?}");

    let lifted = TuneTask {
        start: START.map(|b| b + 3.0).to_vec(),
        learned: START.map(|b| b - 7.0).to_vec(),
        ..task.clone()
    };
    let plain = tune(task, FREE, &mut go_on).unwrap();
    let lifted = tune(lifted, FREE, &mut go_on).unwrap();
    for (a, b) in plain.bias.iter().zip(&lifted.bias) {
        assert!((a - b).abs() < 0.02, "{plain:?} {lifted:?}");
    }
}

#[test]
fn the_shift_that_made_the_strokes_is_found() {
    let task = task();
    let mut told = Vec::new();
    let tuned = tune(task, FREE, &mut |step, most| {
        told.push((step, most));
        ControlFlow::Continue(())
    });
    let tuned = tuned.unwrap();
    let moved: Vec<f64> = tuned
        .bias
        .iter()
        .zip(START)
        .map(|(b, s)| f64::from(b - s))
        .collect();
    let along: f64 = moved.iter().zip(SHIFT).map(|(m, s)| m * f64::from(s)).sum();
    let length = |of: &[f64]| of.iter().map(|v| v * v).sum::<f64>().sqrt();
    let cosine = along / length(&moved) / length(&SHIFT.map(f64::from));
    assert!(cosine > 0.9, "{cosine}: {tuned:?}");
    assert!(tuned.loss_after < tuned.loss_before);
    let (before, after) = tuned.held_out.unwrap();
    assert!(after > before + 0.01, "{before} to {after}");
    assert!(tuned.bias.iter().sum::<f32>().abs() < 1e-5, "centred");
    assert_eq!((tuned.strokes_fitted, tuned.strokes_held_out), (9, 3));
    let most = FREE.most_steps as u64;
    assert!(
        told.iter()
            .copied()
            .eq((1..tuned.steps as u64).map(|step| (step, most)))
    );
}

#[test]
fn a_class_without_a_px_is_named() {
    let mut task = task();
    let is_two = |stroke: u32| task.strokes[stroke as usize] == 1;
    for tile in &mut task.tiles {
        tile.px.retain(|painted| !is_two(painted.stroke));
    }
    let refused = BiasTuning::new(task, FREE).unwrap_err();
    let classes = vec!["two".to_owned()];
    assert_eq!(refused, Refusal::ClassWithoutStroke { classes });
    assert!(refused.to_string().contains("no stroke shows two"));
}

#[test]
fn a_single_stroke_of_a_class_leaves_no_score() {
    let mut task = task();
    let first = task.strokes.iter().position(|class| *class == 2).unwrap();
    let keep = |n: u32| task.strokes[n as usize] != 2 || n as usize == first;
    for tile in &mut task.tiles {
        tile.px.retain(|painted| keep(painted.stroke));
    }
    let tuned = tune(task, FREE, &mut go_on).unwrap();
    assert_eq!(tuned.held_out, None);
    assert_eq!((tuned.strokes_fitted, tuned.strokes_held_out), (9, 0));
}

#[test]
fn held_out_strokes_that_would_be_worse_off_have_their_way() {
    let decoder = decoder();
    let (now, then) = (best(&decoder, START), best(&decoder, shifted(1.0)));
    let drawn = drawn(&decoder);
    let strokes: Vec<Option<usize>> = (0..12).map(|n| Some(n % 3)).collect();
    let held = held_out(&strokes, 3, FREE.held_out).unwrap();
    // Held-out strokes have what is theirs now and would not be, and a few px so as not to be empty.
    let task = task_of(|tile, px| {
        let (now, then) = (now[tile][px], then[tile][px]);
        let (lost, usual) = (stroke_of(px, now), stroke_of(px, drawn[tile][px]));
        match now != then && held[lost] {
            true => Some(lost),
            false => Some(usual).filter(|usual| !held[*usual] || px < 8),
        }
    });
    match tune(task, FREE, &mut go_on) {
        Err(Refusal::HeldOutFell { before, after }) => assert!(after < before),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pull_that_nothing_outweighs_is_told_as_no_gain() {
    let firm = TuneRules { pull: 1e6, ..FREE };
    match tune(task(), firm, &mut go_on) {
        Err(Refusal::NothingGained { before, after }) => assert!(after > before * 0.999),
        other => panic!("{other:?}"),
    }
    let near = |pull| tune(task(), TuneRules { pull, ..FREE }, &mut go_on).unwrap();
    let moved = |tuned: TunedBias| -> f32 {
        let each = tuned.bias.iter().zip(START);
        each.map(|(bias, start)| (bias - start).powi(2)).sum()
    };
    assert!(moved(near(1e-2)) < moved(near(1e-5)), "the pull pulls");
}

#[test]
fn it_stops_between_two_decodes() {
    let mut steps = 0;
    let stopped = tune(task(), FREE, &mut |_, _| {
        steps += 1;
        match steps {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!((stopped, steps), (Err(Refusal::Cancelled), 3));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let refused = |change: &dyn Fn(&mut TuneTask)| {
        let mut task = task();
        change(&mut task);
        tune(task, FREE, &mut go_on).unwrap_err().to_string()
    };
    assert!(refused(&|task| task.start.truncate(2)).contains("start"));
    assert!(refused(&|task| task.learned[1] = f32::NAN).contains("learned bias"));
    assert!(refused(&|task| task.offsets.clear()).contains("offsets"));
    assert!(refused(&|task| task.strokes[4] = 3).contains("class 3 of 3"));
    assert!(refused(&|task| task.tiles[1].px[0].px = 1024).contains("a tile of 1024 px"));
    let narrow = |task: &mut TuneTask| {
        let device = Device::flex();
        task.tiles
            .iter_mut()
            .for_each(|tile| tile.features.classes = Tensor::zeros([1, 2, 16], &device));
    };
    assert!(refused(&narrow).contains("the model failed: "));
}

#[test]
fn bfgs_needs_few_decodes() {
    let tuned = tune(task(), FREE, &mut go_on).unwrap();
    assert!(tuned.steps <= 15, "{}", tuned.steps);
}

/// `CUBECL_AUTOTUNE_LEVEL=minimal cargo test --release on_a_graphics_card -- --ignored`.
#[test]
#[ignore = "needs an adapter; on a software one kernels are compiled for minutes"]
fn the_slope_is_the_same_on_a_graphics_card() {
    let mut task = task();
    task.tiles.truncate(1);
    let here = problem(&task).at(&[0.9, -0.6, 0.3]).unwrap();
    task.device = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    task.decoder = task.decoder.to_device(&task.device);
    let features = &mut task.tiles[0].features;
    features.image = features.image.clone().to_device(&task.device);
    features.classes = features.classes.clone().to_device(&task.device);
    features.logits = features.logits.clone().to_device(&task.device);
    let there = problem(&task).at(&[0.9, -0.6, 0.3]).unwrap();
    for (there, here) in there.strokes.iter().zip(&here.strokes) {
        assert!((there.surprise - here.surprise).abs() < 1e-3 * here.surprise.max(1.0));
    }
    let largest = here
        .slope
        .iter()
        .fold(0.0_f64, |most, slope| most.max(slope.abs()));
    for (there, here) in there.slope.iter().zip(&here.slope) {
        assert!((there - here).abs() < 1e-2 * largest, "{there} for {here}");
    }
}
