//! Training as a whole: it learns, resumes exactly, and each mode does what its row says.

use burn::module::Module as _;
use burn::tensor::Device;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::batch::{Input, LabelledBatch};
use super::config::{DfaConfig, LossGrid};
use super::mode::{Known, Mode};
use super::target::IGNORE;
use super::trainer::{StepReport, TrainError, Trainer};
use crate::model::{Encoder, EncoderConfig};

const TILE_PX: usize = 32;
const GRID: usize = 4;
const WIDTH: usize = 24;
const FRACTIONS: [f64; 3] = [0.6, 0.3, 0.1];
const DICE: [f64; 3] = [0.9, 0.8, 0.3];

fn config(mode: Mode, steps: u64) -> DfaConfig {
    let text = format!(
        "seed = 3\nsteps = {steps}\nlook_every_steps = 4\nepoch_steps = 3\n\
         [pace]\nlearning_rate = [2e-3, 1e-4]\nwarm_up_steps = 2\n"
    );
    DfaConfig {
        mode,
        ..toml::from_str(&text).unwrap()
    }
}

fn known() -> Known<'static> {
    Known {
        fractions: &FRACTIONS,
        dice: Some(&DICE),
    }
}

fn trainer(config: &DfaConfig) -> Trainer {
    Trainer::new(config, known(), None, WIDTH, &Device::flex()).unwrap()
}

/// Tokens that tell their class by sign and channel, under noise; some pixels are ignored.
fn batch(step: u64, tiles: usize) -> LabelledBatch {
    let mut rng = ChaCha8Rng::seed_from_u64(step);
    let patch = TILE_PX / GRID;
    let mut labels = vec![0; tiles * TILE_PX * TILE_PX];
    let mut values = Vec::new();
    for tile in 0..tiles {
        for token in 0..GRID * GRID {
            let class = rng.random_range(0..3_u8);
            for n in 0..patch * patch {
                let (x, y) = (
                    token % GRID * patch + n % patch,
                    token / GRID * patch + n / patch,
                );
                labels[(tile * TILE_PX + y) * TILE_PX + x] = match n % 17 {
                    0 => IGNORE,
                    _ => class,
                };
            }
            values.extend((0..WIDTH).map(|n| {
                let signal = if n % 3 == usize::from(class) {
                    1.0
                } else {
                    0.0
                };
                signal + rng.random_range(-0.3..0.3_f32)
            }));
        }
    }
    LabelledBatch {
        input: Input::Tokens {
            values,
            count: GRID * GRID,
        },
        labels,
        tile_px: TILE_PX,
    }
}

fn run(trainer: &mut Trainer, steps: std::ops::Range<u64>) -> Vec<StepReport> {
    steps
        .map(|step| trainer.step(&batch(step, 4)).unwrap())
        .collect()
}

fn mean_dice(reports: &[StepReport]) -> f32 {
    reports.iter().map(|report| report.dice).sum::<f32>() / reports.len() as f32
}

#[test]
fn every_mode_learns_and_moves_what_its_row_says() {
    let unweighted = run(&mut trainer(&config(Mode::None, 40)), 0..1)[0].focal;
    for mode in Mode::ALL {
        let mut trainer = trainer(&config(mode, 40));
        let first = trainer.bias().unwrap();
        let mut reports = run(&mut trainer, 0..3);
        if first.iter().all(|b| *b == 0.0) {
            let weighted = reports[0].focal != unweighted;
            assert_eq!(weighted, mode == Mode::InverseFrequency, "{}", mode.name());
        }
        // The first epoch is over and there is still much to get wrong.
        let anew = trainer.weights != mode.loss_weights(&FRACTIONS);
        assert_eq!(anew, mode == Mode::DifficultyLoss, "{}", mode.name());
        reports.extend(run(&mut trainer, 3..40));
        let (early, late) = (mean_dice(&reports[..5]), mean_dice(&reports[35..]));
        assert!(late < 0.7 * early, "{}: {early} to {late}", mode.name());
        let last = trainer.bias().unwrap();
        let moves = matches!(mode, Mode::Dfa | Mode::Anchored);
        assert_eq!(first != last, moves, "{}", mode.name());
        assert!(last.iter().sum::<f32>().abs() < 1e-5, "{last:?}");
        let unbiased = first.iter().all(|b| *b == 0.0);
        let starts_biased = matches!(
            mode,
            Mode::Frozen | Mode::Frequency | Mode::Difficulty | Mode::Dfa | Mode::Anchored
        );
        assert_eq!(!unbiased, starts_biased, "{}", mode.name());
    }
}

#[test]
fn a_run_that_resumes_equals_one_that_was_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.zip");
    for mode in [Mode::Dfa, Mode::DifficultyLoss] {
        let config = config(mode, 12);
        let mut whole = trainer(&config);
        run(&mut whole, 0..4);
        whole.save(&path, "noise").unwrap();
        let rest = run(&mut whole, 4..9);
        let mut resumed = trainer(&config).restore(&path, "noise").unwrap();
        assert_eq!(resumed.step_number(), 4);
        assert_eq!(run(&mut resumed, 4..9), rest);
        let error = trainer(&config).restore(&path, "other").unwrap_err();
        assert!(error.to_string().contains("what it learns from"));
    }
}

#[test]
fn one_batch_is_learned_on_either_grid() {
    for loss_grid in [LossGrid::Mask, LossGrid::Tile] {
        let mut trainer = trainer(&DfaConfig {
            loss_grid,
            ..config(Mode::Dfa, 60)
        });
        let one = batch(1, 2);
        let reports: Vec<StepReport> = (0..60).map(|_| trainer.step(&one).unwrap()).collect();
        let (early, late) = (mean_dice(&reports[..3]), mean_dice(&reports[57..]));
        assert!(late < 0.3 * early, "{loss_grid:?}: {early} to {late}");
        assert!(reports[0].attention.is_some() && reports[1].attention.is_none());
    }
}

#[test]
fn an_encoder_is_tuned_where_it_is_asked_for() {
    let shape = EncoderConfig {
        width: WIDTH,
        depth: 1,
        heads: 2,
        mlp_width: 48,
        patch_px: 8,
        position_grid: GRID,
        ..EncoderConfig::tiny()
    };
    let device = Device::flex();
    let encoder = Encoder::new(&shape, 1, &device).unwrap();
    let mut config = config(Mode::Dfa, 4);
    config.pace.encoder_rate_factor = 0.1;
    let mut trainer = Trainer::new(&config, known(), Some(&encoder), WIDTH, &device).unwrap();
    let labels = batch(0, 2).labels;
    let pixels = labels
        .iter()
        .flat_map(|label| [f32::from(label % 3) * 0.4; 3]);
    let tiles = LabelledBatch {
        input: Input::Tiles(pixels.collect()),
        labels,
        tile_px: TILE_PX,
    };
    let weights = |encoder: &Encoder| -> Vec<f32> {
        let ones = burn::tensor::Tensor::ones([1, 3, TILE_PX, TILE_PX], &device) * 0.4;
        let seen = encoder.valid().forward(ones).unwrap();
        seen.tokens.into_data().try_to_vec().unwrap()
    };
    trainer.step(&tiles).unwrap();
    let tuned = trainer.segmenter().encoder.as_ref().unwrap();
    assert_ne!(weights(tuned), weights(&encoder));
    // Tiles without an encoder that is trained have nowhere to go.
    let mut frozen = self::trainer(&self::config(Mode::Dfa, 4));
    let error = frozen.step(&tiles).unwrap_err().to_string();
    assert!(error.contains("takes tokens"), "{error}");
}

#[test]
fn batches_that_can_not_be_learned_are_refused() {
    let mut trainer = trainer(&config(Mode::Dfa, 4));
    let mut blank = batch(0, 1);
    blank.labels.fill(IGNORE);
    let error = trainer.step(&blank).unwrap_err();
    assert!(matches!(error, TrainError::NoLabels { step: 0 }), "{error}");
    let mut bad = batch(0, 1);
    let Input::Tokens { values, .. } = &mut bad.input else {
        panic!("tokens")
    };
    values[0] = f32::NAN;
    let error = trainer.step(&bad).unwrap_err();
    assert!(matches!(error, TrainError::NotANumber { .. }), "{error}");
    assert_eq!(trainer.step_number(), 0);
}
