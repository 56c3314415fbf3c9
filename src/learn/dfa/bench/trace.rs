//! How loss and attention of each class go while a training runs.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::plan::BenchRunError;
use super::stage::Stage;
use crate::files::write_whole;
use crate::learn::dfa::batch::LabelledBatch;
use crate::learn::dfa::losses::{Said, soft_dice_by_class};
use crate::learn::dfa::target::Target;
use crate::learn::dfa::trainer::Trainer;
use crate::learn::values;

/// Batches that are looked at.
const WATCHED: usize = 3;

/// One class at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceRow {
    /// Steps done.
    pub step: u64,
    /// The class.
    pub class: String,
    /// Its soft Dice loss on the validation tiles that are watched, 0–1; none where they lack it.
    pub loss: Option<f64>,
    /// Its share of the attention in the first biased layer there, 0–1; 1/K were uniform.
    pub attention: f64,
    /// The same of the tokens of which the class covers at least half; none where there is none.
    pub attention_on: Option<f64>,
    /// The same of the other tokens of which at least half has a class.
    pub attention_off: Option<f64>,
    /// ∂L/∂b of the class there, see [`Trainer::bias_gradient`]: descent raises b where it is below 0.
    pub gradient: f64,
    /// b, centred.
    pub bias: f64,
}

/// The same tiles, looked at every so many steps.
pub struct Trace<'a> {
    watched: Vec<&'a LabelledBatch>,
    names: Vec<String>,
    every: u64,
}

impl<'a> Trace<'a> {
    /// Of the validation tiles, those batches that have most of the rarest class, so that what
    /// starves can be seen; `every` 0 looks at nothing.
    pub fn new(stage: &'a Stage, every: u64) -> Self {
        let fractions = stage.scene.fractions.iter().enumerate();
        let rarest = fractions.min_by(|a, b| a.1.total_cmp(b.1));
        let rarest = rarest.map_or(0, |(class, _)| class as u8);
        let has = |batch: &LabelledBatch| batch.labels.iter().filter(|l| **l == rarest).count();
        let mut watched: Vec<&LabelledBatch> = stage.validation.iter().collect();
        watched.sort_by_key(|batch| std::cmp::Reverse(has(batch)));
        watched.truncate(WATCHED);
        Self {
            watched,
            names: stage.scene.set.classes().names(),
            every,
        }
    }

    /// A row for each class, at steps that are looked at.
    ///
    /// # Errors
    /// When the device fails.
    pub fn look(
        &self,
        trainer: &Trainer,
        step: u64,
        device: &Device,
    ) -> Result<Vec<TraceRow>, BenchRunError> {
        if self.every == 0 || !step.is_multiple_of(self.every) {
            return Ok(Vec::new());
        }
        let count = self.names.len();
        let (mut loss, mut there, mut gradient) =
            (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
        let mut attended = vec![Attended::default(); count];
        for batch in &self.watched {
            let (each, present) = self.losses(trainer, batch, device)?;
            for class in 0..count {
                loss[class] += f64::from(each[class] * present[class]);
                there[class] += f64::from(present[class]);
            }
            for (sum, of_batch) in gradient.iter_mut().zip(trainer.bias_gradient(batch)?) {
                *sum += f64::from(of_batch) / self.watched.len() as f64;
            }
            attend(trainer, batch, &mut attended)?;
        }
        let bias = trainer.bias()?;
        let row = |(n, class): (usize, &String)| TraceRow {
            step,
            class: class.clone(),
            loss: (there[n] > 0.0).then(|| loss[n] / there[n]),
            attention: attended[n].all(),
            attention_on: attended[n].on(),
            attention_off: attended[n].off(),
            gradient: gradient[n],
            bias: f64::from(bias[n]),
        };
        Ok(self.names.iter().enumerate().map(row).collect())
    }

    fn losses(
        &self,
        trainer: &Trainer,
        batch: &LabelledBatch,
        device: &Device,
    ) -> Result<(Vec<f32>, Vec<f32>), BenchRunError> {
        let logits = trainer
            .segmenter()
            .valid()
            .forward(batch.shown(device))?
            .logits;
        let [_, classes, cells, _] = logits.dims();
        let target = Target::of(&batch.labels, batch.tile_px, cells, classes, device);
        let (loss, present) = soft_dice_by_class(&Said::of(logits), &target);
        let read = |tensor| values::read(tensor).map_err(BenchRunError::Device);
        Ok((read(loss)?, read(present)?))
    }
}

/// Attention on a class, summed over tokens on it, over others, and over those that are mostly
/// unlabelled, as in a tile's rim; and how many those were.
#[derive(Debug, Clone, Copy, Default)]
struct Attended {
    on: (f64, u64),
    off: (f64, u64),
    unlabelled: (f64, u64),
}

impl Attended {
    fn all(&self) -> f64 {
        let parts = [self.on, self.off, self.unlabelled];
        let sum: f64 = parts.iter().map(|part| part.0).sum();
        sum / parts.iter().map(|part| part.1).sum::<u64>().max(1) as f64
    }

    fn on(&self) -> Option<f64> {
        (self.on.1 > 0).then(|| self.on.0 / self.on.1 as f64)
    }

    fn off(&self) -> Option<f64> {
        (self.off.1 > 0).then(|| self.off.0 / self.off.1 as f64)
    }
}

/// Adds the attention of each token of a batch in the first biased layer, the mean of its heads.
fn attend(
    trainer: &Trainer,
    batch: &LabelledBatch,
    sums: &mut [Attended],
) -> Result<(), BenchRunError> {
    let layers = trainer.look(batch)?;
    let Some(first) = layers.first() else {
        return Ok(());
    };
    let read = |tensor| values::read(tensor).map_err(BenchRunError::Device);
    let heads = first.weights.clone().mean_dim(1);
    let [_, _, tokens, classes] = heads.dims();
    // Tokens lie on a square grid, rows from the top, as the cells of a target do.
    let (side, device) = (tokens.isqrt(), heads.device());
    let target = Target::of(&batch.labels, batch.tile_px, side, classes, &device);
    let (weights, shares) = (read(heads)?, read(target.shares)?);
    let rows = weights.chunks_exact(classes).enumerate();
    for (row, weights) in rows {
        let (tile, token) = (row / tokens, row % tokens);
        let share = |class: usize| shares[(tile * classes + class) * tokens + token];
        let is_labelled = (0..classes).map(share).sum::<f32>() >= 0.5;
        for (class, weight) in weights.iter().enumerate() {
            let covers = share(class);
            let sum = match (covers >= 0.5, is_labelled) {
                (true, _) => &mut sums[class].on,
                (false, true) => &mut sums[class].off,
                (false, false) => &mut sums[class].unlabelled,
            };
            *sum = (sum.0 + f64::from(*weight), sum.1 + 1);
        }
    }
    Ok(())
}

/// Writes the looks of a training as a table.
///
/// # Errors
/// When the file can't be written.
pub fn write(path: &Path, rows: &[TraceRow]) -> Result<(), BenchRunError> {
    let failed = |reason: String| BenchRunError::Trace {
        path: path.to_owned(),
        reason,
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.serialize(row).map_err(|e| failed(e.to_string()))?;
    }
    let bytes = table.into_inner().map_err(|e| failed(e.to_string()))?;
    write_whole(path, &bytes).map_err(|e| failed(e.to_string()))
}

/// Reads such a table.
///
/// # Errors
/// When it can't be read or is none.
pub fn read(path: &Path) -> Result<Vec<TraceRow>, BenchRunError> {
    let failed = |error: csv::Error| BenchRunError::Trace {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut table = csv::Reader::from_path(path).map_err(failed)?;
    table
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(failed)
}
