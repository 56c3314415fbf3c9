//! Training as a whole: it learns, resumes exactly, and stops where it must.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::config::{EncoderChoice, MadConfig};
use super::network::{Centre, Seen};
use super::run::{Running, TrainFile, run};
use super::trainer::{StepReport, TrainError, Trainer};
use crate::learn::log;
use crate::learn::run_folder::Ended;
use crate::learn::sampling::{FamilyBatch, View};
use crate::model::EncoderConfig;
use crate::model::shipped::ENCODER;
use crate::model::weights::{WeightsSource, inspect};

const TILE_PX: usize = 32;

fn config(steps: u64) -> MadConfig {
    let text = format!(
        "seed = 3\nsteps = {steps}\n\
         [head]\nhidden = 64\nbottleneck = 16\nprototypes = 32\n\
         [student]\nlearning_rate = [1e-3, 1e-4]\nwarm_up_steps = 5\n\
         [teacher]\nqueue_rows = 64\nmomentum = [0.9, 0.99]\n\
         [watch]\nevery_steps = 4\nrows = 64\nleast_rank_share = 0.0\n"
    );
    let mut config: MadConfig = toml::from_str(&text).unwrap();
    config.encoder = EncoderChoice::Shape(EncoderConfig {
        width: 48,
        depth: 2,
        mlp_width: 96,
        patch_px: 8,
        ..EncoderConfig::tiny()
    });
    config
}

/// Tiles of stripes whose direction and width tell the child; some children are left out.
fn batch(step: u64, families: usize) -> FamilyBatch {
    let mut rng = ChaCha8Rng::seed_from_u64(step);
    let child_places: Vec<usize> = (0..families * 16).filter(|n| n % 5 != 0).collect();
    let mut tiles = |count: usize| -> Vec<f32> {
        let mut values = Vec::new();
        for _ in 0..count {
            let (pitch, lean) = (
                rng.random_range(2.0..9.0_f32),
                rng.random_range(0.0..1.0_f32),
            );
            for n in 0..3 * TILE_PX * TILE_PX {
                let (x, y) = (n % TILE_PX, n / TILE_PX % TILE_PX);
                let phase = (x as f32 * lean + y as f32 * (1.0 - lean)) / pitch;
                values.push(0.5 + 0.4 * phase.sin());
            }
        }
        values
    };
    let kept = child_places.len();
    let view = View {
        parents: tiles(families),
        children: tiles(kept),
    };
    FamilyBatch {
        step,
        families,
        tile_px: TILE_PX,
        views: [view.clone(), view],
        child_places,
        parent_mpp: vec![1.0; families],
    }
}

fn same_numbers(a: &StepReport, b: &StepReport) {
    assert_eq!(
        serde_json::to_string(a).unwrap(),
        serde_json::to_string(b).unwrap()
    );
}

fn weights(trainer: &Trainer) -> Vec<f32> {
    let side = TILE_PX;
    let tiles = Tensor::ones([1, 3, side, side], &trainer.device) * 0.3;
    let seen = trainer.teacher().encoder.forward(tiles).unwrap();
    seen.tokens.into_data().try_to_vec().unwrap()
}

#[test]
fn a_run_that_resumes_equals_one_that_was_never_stopped() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.zip");
    let config = config(12);
    let mut whole = Trainer::new(&config, TILE_PX, &device).unwrap();
    let mut reports = Vec::new();
    for step in 0..6 {
        reports.push(whole.step(&batch(step, 2)).unwrap());
        if step == 2 {
            whole.save(&path, "stripes").unwrap();
        }
    }
    let mut resumed = Trainer::load(&path, &config, "stripes", TILE_PX, &device).unwrap();
    assert_eq!(resumed.step_number(), 3);
    for report in &reports[3..] {
        let again = resumed.step(&batch(report.step, 2)).unwrap();
        same_numbers(report, &again);
    }
    assert_eq!(weights(&whole), weights(&resumed), "bit for bit");
}

#[test]
fn a_repeated_batch_is_learned() {
    let device = Device::flex();
    let mut trainer = Trainer::new(&config(60), TILE_PX, &device).unwrap();
    let one = batch(1, 2);
    let reports: Vec<StepReport> = (0..60).map(|_| trainer.step(&one).unwrap()).collect();
    let mean = |part: &[StepReport]| {
        part.iter().map(|r| r.tokens + r.global).sum::<f32>() / part.len() as f32
    };
    let (early, late) = (mean(&reports[..5]), mean(&reports[55..]));
    assert!(late < 0.75 * early, "{early} to {late}");
}

#[test]
fn checkpoints_of_other_runs_and_damaged_ones_are_refused_in_words() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.zip");
    let config = config(12);
    let mut trainer = Trainer::new(&config, TILE_PX, &device).unwrap();
    trainer.step(&batch(0, 1)).unwrap();
    trainer.save(&path, "stripes").unwrap();
    let load = |config: &MadConfig, data: &str| {
        let loaded = Trainer::load(&path, config, data, TILE_PX, &device);
        loaded.map(|_| ()).unwrap_err().to_string()
    };
    let mut other = config.clone();
    other.loss.tokens = 0.0;
    assert!(load(&other, "stripes").contains("loss differs"));
    assert!(load(&config, "dots").contains("what it learns from"));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(load(&config, "stripes").contains("damaged"));
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 3] ^= 0x40;
    std::fs::write(&path, &flipped).unwrap();
    assert!(load(&config, "stripes").contains("can't be used"));
    std::fs::remove_file(&path).unwrap();
    assert!(load(&config, "stripes").contains("checkpoint.zip: can't be opened"));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_before_it_moves() {
    let device = Device::flex();
    let mut trainer = Trainer::new(&config(12), TILE_PX, &device).unwrap();
    let before = weights(&trainer);
    let mut bad = batch(0, 1);
    bad.views[1].parents[0] = f32::NAN;
    let error = trainer.step(&bad).unwrap_err();
    assert!(
        matches!(error, TrainError::NotANumber { step: 0, .. }),
        "{error}"
    );
    assert_eq!(weights(&trainer), before);
}

#[test]
fn embeddings_that_look_alike_end_the_run() {
    let mut config = config(40);
    config.watch.least_rank_share = 0.9;
    config.watch.grace_steps = 2;
    let mut trainer = Trainer::new(&config, TILE_PX, &Device::flex()).unwrap();
    let error = (0..40).find_map(|step| {
        let report = trainer.step(&batch(step, 2)).unwrap();
        trainer.check_rank(&report).err()
    });
    let error = error.expect("stopped").to_string();
    assert!(
        error.contains("collapse") && error.contains("effective rank"),
        "{error}"
    );
}

#[test]
fn rows_lose_their_mean_before_the_head() {
    let first = |centred: bool| {
        let mut config = config(4);
        config.head.centred = centred;
        let mut trainer = Trainer::new(&config, TILE_PX, &Device::flex()).unwrap();
        let report = trainer.step(&batch(0, 2)).unwrap();
        let centre = trainer.centre();
        (report, centre)
    };
    let (plain, none) = first(false);
    assert!(
        none.class
            .iter()
            .chain(&none.patch)
            .all(|value| *value == 0.0)
    );
    let (centred, centre) = first(true);
    assert!(centre.class.iter().any(|value| value.abs() > 0.01));
    assert_ne!(plain.tokens, centred.tokens);
    // Spread is measured on rows as they are.
    assert_eq!(plain.koleo, centred.koleo);
    let device = Device::flex();
    let rows = |value: f32| Tensor::<2>::ones([2, 48], &device) * value;
    let seen = Seen {
        parents: rows(1.0),
        children: rows(2.0),
        coarse: rows(3.0),
        fine: rows(4.0),
    };
    let less = seen.less(&Centre {
        class: vec![0.5; 48],
        patch: vec![0.25; 48],
    });
    let means = [less.parents, less.children, less.coarse, less.fine];
    let means = means.map(|rows| rows.mean().into_scalar::<f32>());
    assert_eq!(means, [0.5, 1.5, 2.75, 3.75]);
}

#[test]
fn a_batch_without_children_is_refused() {
    let mut trainer = Trainer::new(&config(4), TILE_PX, &Device::flex()).unwrap();
    let mut empty = batch(0, 1);
    empty.child_places.clear();
    empty
        .views
        .iter_mut()
        .for_each(|view| view.children.clear());
    assert!(
        trainer
            .step(&empty)
            .unwrap_err()
            .to_string()
            .contains("no child")
    );
}

/// A run of a few steps on a small phantom.
fn little_run(steps: u64, watch: &str) -> TrainFile {
    let mut file: TrainFile = toml::from_str(&format!(
        "[run]\nseed = 3\nsteps = {steps}\n\
         [sampling]\ntile_px = {TILE_PX}\nfamilies = 2\nchildren_per_family = 4\n\
         [[source]]\nphantom = \"breast\"\nseeds = [3]\nextent_mm = 1.0\n"
    ))
    .unwrap();
    file.run = config(steps);
    file.run.watch = toml::from_str(watch).unwrap();
    file
}

#[test]
fn the_step_that_collapsed_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = little_run(
        40,
        "every_steps = 3\nrows = 64\nleast_rank_share = 0.9\ngrace_steps = 2",
    );
    let mut go_on = |_: &Running<'_>| ControlFlow::Continue(());
    let ended = run(
        &file,
        Path::new("."),
        folder.path(),
        false,
        &Device::flex(),
        &mut go_on,
    );
    let error = ended.unwrap_err().to_string();
    let rows = log::read::<StepReport>(&folder.path().join("log.csv")).unwrap();
    let last = rows.last().unwrap();
    assert!(
        error.contains(&format!("step {}: collapse", last.step)),
        "{error}"
    );
    let rank = last.rank_class.unwrap().min(last.rank_tokens.unwrap());
    assert!(rank < 0.9 * 48.0, "{rank}");
}

#[test]
fn weights_say_which_ranks_training_ended_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = little_run(
        3,
        "every_steps = 3\nrows = 64\nleast_rank_share = 0.0\ngrace_steps = 2",
    );
    let mut last = None;
    let mut look = |running: &Running<'_>| {
        last = running.report.rank_class;
        ControlFlow::Continue(())
    };
    let (base, device) = (Path::new("."), Device::flex());
    let ended = run(&file, base, folder.path(), false, &device, &mut look).unwrap();
    let Ended::Finished(weights) = ended else {
        panic!("{ended:?}");
    };
    let notes = inspect(&weights).unwrap().notes;
    let class = format!("class embeddings {:.1}", last.unwrap());
    let said = &notes["effective_rank"];
    assert!(said.contains(&class) && said.ends_with("of 48"), "{said}");
}

#[test]
fn the_shipped_settings_are_those_of_the_shipped_encoder() {
    let text = include_str!("../../../assets/encoder-tiny.toml");
    let file: TrainFile = toml::from_str(text).unwrap();
    file.sampling.validate().unwrap();
    file.run.check(file.sampling.tile_px).unwrap();
    let shape = file.run.encoder().unwrap();
    assert_eq!(shape, EncoderConfig::tiny());
    let shipped = inspect(WeightsSource::Shipped(ENCODER)).unwrap();
    assert_eq!(shipped.config, Some(shape));
    let run = &file.run;
    for (note, here) in [
        ("loss_weights", serde_json::to_string(&run.loss).unwrap()),
        ("seed", run.seed.to_string()),
        ("steps", run.steps.to_string()),
        ("families_a_step", file.sampling.families.to_string()),
        ("tile_px", file.sampling.tile_px.to_string()),
    ] {
        assert_eq!(shipped.notes[note], here, "{note}");
    }
    let phantoms = file
        .sources
        .iter()
        .filter(|source| source.phantom.is_some());
    let seeds: Vec<_> = phantoms.map(|it| format!("seeds {:?}", it.seeds)).collect();
    assert_eq!(seeds.len(), 3);
    let data = &shipped.notes["data"];
    assert!(seeds.iter().all(|seeds| data.contains(seeds)), "{data}");
}
