//! One training on a block, and what it reaches.

use std::time::Instant;

use burn::module::Module as _;
use burn::tensor::Device;

use super::config::Arm;
use super::plan::{BenchRunError, Doing, Progress};
use super::stage::{Stage, goes_on};
use super::trace::{Trace, TraceRow};
use crate::learn::bench_dfa::{BiasFigures, ClassRun};
use crate::learn::dfa::batch::LabelledBatch;
use crate::learn::dfa::config::DfaConfig;
use crate::learn::dfa::mode::{Known, Mode};
use crate::learn::dfa::segmenter::{Segmenter, SegmenterError};
use crate::learn::dfa::trainer::{TrainError, Trainer};
use crate::learn::metrics::Confusion;
use crate::learn::seg_metrics::most_probable;
use crate::learn::sets::Part;
use crate::learn::statistics::mean;
use crate::learn::values;
use crate::model::dfa::{centred, to_tile};
use crate::model::parallel::{parts_for, runs, side_by_side};

/// A training that is wanted.
#[derive(Debug, Clone)]
pub struct Trial<'a> {
    /// Its arm.
    pub arm: &'a Arm,
    /// Its seed.
    pub seed: u64,
    /// α or τ in place of the training's.
    pub setting: Option<f64>,
    /// Dice of the independent first runs, for mode `difficulty`.
    pub dice: Option<&'a [f64]>,
    /// What it is scored on.
    pub on: Part,
}

/// What it reached.
#[derive(Debug, Clone)]
pub struct Reached {
    /// Seconds of training, looks at loss and attention left out.
    pub seconds: f64,
    /// Mean Dice of the classes that have one, 0–1.
    pub macro_dice: f64,
    /// Each class; difficulty is not known here.
    pub classes: Vec<ClassRun>,
    /// Looks on the way.
    pub trace: Vec<TraceRow>,
}

impl Trial<'_> {
    /// The settings of this training.
    pub fn config(&self, shared: &DfaConfig) -> DfaConfig {
        let mut config = shared.clone();
        config.seed = self.seed;
        config.mode = self.arm.mode;
        config.prior = self.arm.prior.unwrap_or(config.prior);
        match (self.setting, is_tau(self.arm.mode)) {
            (Some(tau), true) => config.tau = tau,
            (Some(alpha), false) => config.prior.alpha = alpha,
            (None, _) => {}
        }
        config
    }

    /// Trains and scores.
    ///
    /// # Errors
    /// When training fails, or `progress` breaks.
    pub fn run(
        &self,
        stage: &Stage,
        shared: &DfaConfig,
        trace_every: u64,
        device: &Device,
        progress: &mut Progress<'_>,
    ) -> Result<Reached, BenchRunError> {
        let config = self.config(shared);
        let mut trainer = begin(&config, self.dice, stage, device)?;
        let trace = Trace::new(stage, trace_every);
        let (mut rows, mut seconds) = (Vec::new(), 0.0);
        while trainer.step_number() < config.steps {
            let step = trainer.step_number();
            rows.extend(trace.look(&trainer, step, device)?);
            let began = Instant::now();
            trainer.step(&stage.kept.batch(config.seed, step))?;
            seconds += began.elapsed().as_secs_f64();
            goes_on(progress(&Doing::Step(step + 1, config.steps)))?;
        }
        rows.extend(trace.look(&trainer, config.steps, device)?);
        let batches = stage.part(self.on);
        let offsets = config
            .mode
            .logit_offsets(&stage.scene.fractions, config.tau);
        let confusion = confusion(&trainer, &offsets, batches, device)?;
        let classes = classes(stage, &trainer, &confusion, batches)?;
        let scored: Vec<f64> = classes.iter().filter_map(|class| class.dice).collect();
        Ok(Reached {
            seconds,
            macro_dice: mean(&scored),
            classes,
            trace: rows,
        })
    }
}

/// Whether a mode's setting is τ; else it is α, where it has one.
pub(super) fn is_tau(mode: Mode) -> bool {
    matches!(mode, Mode::DifficultyLoss | Mode::LogitAdjusted)
}

fn begin(
    config: &DfaConfig,
    dice: Option<&[f64]>,
    stage: &Stage,
    device: &Device,
) -> Result<Trainer, TrainError> {
    let scene = &stage.scene;
    let known = Known {
        fractions: &scene.fractions,
        dice,
    };
    let width = scene.encoder.config().width;
    Trainer::new(config, known, Some(&scene.encoder), width, device)
}

/// Counts the px of the tiles, each in the one tile that scores it.
fn confusion(
    trainer: &Trainer,
    offsets: &[f64],
    batches: &[LabelledBatch],
    device: &Device,
) -> Result<Confusion, BenchRunError> {
    let still = trainer.segmenter().valid();
    let parts = side_by_side(runs(batches.len(), parts_for(device)), |run| {
        let mut confusion = Confusion::new(offsets.len());
        for batch in &batches[run] {
            count(&still, offsets, batch, device, &mut confusion)?;
        }
        Ok::<_, BenchRunError>(confusion)
    });
    let mut all = Confusion::new(offsets.len());
    for part in parts {
        all.merge(&part?);
    }
    Ok(all)
}

fn count(
    segmenter: &Segmenter,
    offsets: &[f64],
    batch: &LabelledBatch,
    device: &Device,
    confusion: &mut Confusion,
) -> Result<(), BenchRunError> {
    let decoded = segmenter.forward(batch.shown(device))?;
    let logits = to_tile(decoded.logits, batch.tile_px);
    let mut logits = values::read(logits).map_err(BenchRunError::Device)?;
    let area = batch.tile_px * batch.tile_px;
    let tiles = logits.chunks_exact_mut(offsets.len() * area);
    for (planes, truth) in tiles.zip(batch.labels.chunks_exact(area)) {
        for (plane, offset) in planes.chunks_exact_mut(area).zip(offsets) {
            plane.iter_mut().for_each(|z| *z += *offset as f32);
        }
        let predicted = most_probable(planes, offsets.len());
        for (truth, predicted) in truth.iter().zip(predicted) {
            // What is ignored is no class, and so not counted.
            confusion.add(usize::from(*truth), usize::from(predicted), 1);
        }
    }
    Ok(())
}

/// Figures of each class; those of the bias are over the first batches of the part.
fn classes(
    stage: &Stage,
    trainer: &Trainer,
    confusion: &Confusion,
    batches: &[LabelledBatch],
) -> Result<Vec<ClassRun>, BenchRunError> {
    const LOOKED_AT: usize = 8;
    let count = confusion.classes();
    let (mut shares, mut logits, mut layers) = (vec![0.0; count], vec![0.0; count], 0.0);
    // Spread over all images, since a class may be in some of them only.
    let every = batches.len().div_ceil(LOOKED_AT).max(1);
    for batch in batches.iter().step_by(every) {
        for layer in trainer.look(batch)? {
            let read = |tensor| values::read(tensor).map_err(BenchRunError::Device);
            add(&mut shares, &read(layer.shares())?);
            add(&mut logits, &read(layer.mean_logits())?);
            layers += 1.0;
        }
    }
    let bias: Vec<f64> = trainer.bias()?.into_iter().map(f64::from).collect();
    let start = trainer.start().bias();
    let rest: Vec<f64> = logits
        .iter()
        .map(|sum| sum / f64::max(layers, 1.0))
        .collect();
    let effective = centred(
        &bias
            .iter()
            .zip(&rest)
            .map(|(b, l)| b + l)
            .collect::<Vec<_>>(),
    );
    let names = stage.scene.set.classes().names();
    let of = |(n, class): (usize, String)| ClassRun {
        class,
        role: stage.roles[n],
        frequency: stage.scene.fractions[n],
        difficulty: None,
        dice: confusion.f1(n),
        bias: Some(BiasFigures {
            learned: bias[n],
            change: bias[n] - start[n],
            effective_offset: Some(effective[n]),
            attention_share: Some(shares[n] / f64::max(layers, 1.0)),
        }),
    };
    Ok(names.into_iter().enumerate().map(of).collect())
}

fn add(sums: &mut [f64], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += f64::from(*value);
    }
}

impl From<SegmenterError> for BenchRunError {
    fn from(error: SegmenterError) -> Self {
        Self::Train(error.into())
    }
}
