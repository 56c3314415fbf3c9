//! Student, teacher, and the step that moves both.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::{MadConfig, MadConfigError};
use super::network::{Centre, Network, Seen};
use super::objective::{Losses, indices, losses};
use super::ring::Ring;
use super::targets::{Queues, Sharpening, targets};
use super::teacher::follow;
use crate::learn::adam::{Adam, Pace, norm};
use crate::learn::checkpoint::CheckpointError;
use crate::learn::log::Line;
use crate::learn::rank::effective_rank;
use crate::learn::sampling::{FamilyBatch, View};
use crate::learn::schedule::{cosine, line, warm_cosine};
use crate::learn::split_pass::{EncoderPass, add};
use crate::learn::values;
use crate::model::config::ConfigError;
use crate::model::parallel::{forward_in_parts, parts_for};

/// Why training stopped or never began.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration.
    #[error("the configuration can't be trained: {0}")]
    Config(#[from] MadConfigError),
    /// Tiles that do not suit the encoder.
    #[error(transparent)]
    Tiles(#[from] ConfigError),
    /// A step without a child.
    #[error("step {step}: no child of any family has enough tissue")]
    NoChildren {
        /// The step.
        step: u64,
    },
    /// A loss or gradient that is no number.
    #[error("step {step}: {what} is {value}; the last checkpoint is from before it")]
    NotANumber {
        /// The step.
        step: u64,
        /// What was to be a number.
        what: &'static str,
        /// What it was.
        value: f64,
    },
    /// Embeddings that all look alike.
    #[error(
        "step {step}: collapse: the effective rank of the {of} embeddings is {rank:.1}, under \
         {least:.1} (watch.least_rank_share of width {width})"
    )]
    Collapse {
        /// The step.
        step: u64,
        /// Which embeddings.
        of: &'static str,
        /// Their effective rank.
        rank: f64,
        /// The least that is allowed.
        least: f64,
        /// Width of the embedding.
        width: usize,
    },
    /// Something could not be computed or read back.
    #[error("step {step}: the device can't give {what}: {reason}")]
    Device {
        /// The step.
        step: u64,
        /// What was read.
        what: &'static str,
        /// In the device's words.
        reason: String,
    },
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What one step was like; a line of the log.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StepReport {
    /// Number of the step, from 0.
    pub step: u64,
    /// The whole loss.
    pub loss: f32,
    /// Its parts before weighting.
    pub global: f32,
    /// Context to detail.
    pub context: f32,
    /// Patches to patches.
    pub tokens: f32,
    /// Spread.
    pub koleo: f32,
    /// Contrast; zero where it is off.
    pub contrast: f32,
    /// Norm of the gradient before clipping.
    pub gradient: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Momentum of the teacher.
    pub momentum: f64,
    /// Temperature of the teacher.
    pub temperature: f64,
    /// Children kept.
    pub children: usize,
    /// Effective rank of class embeddings, where it was looked at.
    pub rank_class: Option<f64>,
    /// Effective rank of mean patch embeddings, where it was looked at.
    pub rank_tokens: Option<f64>,
    /// Seconds the step took, waiting for tiles included; set by who has a clock.
    pub seconds: f64,
    /// Seconds of them spent waiting for tiles.
    pub waited: f64,
}

impl Line for StepReport {
    fn step(&self) -> u64 {
        self.step
    }
}

/// Embeddings of the last steps, for the watch over their rank.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recent {
    pub(super) class: Ring,
    pub(super) tokens: Ring,
}

/// A run between two steps.
#[derive(Debug)]
pub struct Trainer {
    pub(super) config: MadConfig,
    pub(super) student: Network,
    pub(super) teacher: Network,
    pub(super) adam: Adam<Network>,
    pub(super) queues: Queues,
    pub(super) recent: Recent,
    pub(super) step: u64,
    pub(super) device: Device,
}

impl Trainer {
    /// A run at its start, on `device` (without autodiff: the student gets it here).
    ///
    /// # Errors
    /// When `config` is wrong for tiles of `tile_px`.
    pub fn new(config: &MadConfig, tile_px: usize, device: &Device) -> Result<Self, TrainError> {
        config.check(tile_px)?;
        let encoder = config.encoder()?;
        let network = |device: &Device| Network::new(&encoder, &config.head, config.seed, device);
        let student = network(&device.clone().autodiff())?;
        let recent = || Ring::new(encoder.width, config.watch.rows);
        Ok(Self {
            config: config.clone(),
            adam: Adam::new(&student),
            student,
            teacher: network(device)?,
            queues: Queues::new(config.head.bottleneck, config.teacher.queue_rows),
            recent: Recent {
                class: recent(),
                tokens: recent(),
            },
            step: 0,
            device: device.clone(),
        })
    }

    /// The next step's number: so many are done.
    pub fn step_number(&self) -> u64 {
        self.step
    }

    /// Width D of the embeddings.
    pub fn width(&self) -> usize {
        self.recent.class.width()
    }

    /// What training is for.
    pub fn teacher(&self) -> &Network {
        &self.teacher
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// When tiles do not suit the encoder, no child was kept, or something is no number. The run
    /// is then over; its last checkpoint is not touched. Collapse is told by [`Self::check_rank`].
    pub fn step(&mut self, batch: &FamilyBatch) -> Result<StepReport, TrainError> {
        let step = self.step;
        if batch.child_places.is_empty() {
            return Err(TrainError::NoChildren { step });
        }
        let [of_teacher, of_student] = &batch.views;
        let parts = parts_for(&self.device);
        let tiles = tiles(of_teacher, batch.tile_px, &self.device);
        let seen = forward_in_parts(&self.teacher.encoder, &tiles, parts)?;
        let seen = Seen::new(&seen, batch.families);
        let places = indices(batch.child_places.iter().copied(), &self.device);
        self.remember(&seen, &places)?;
        let centre = self.centre();
        let how = self.sharpening();
        let says = targets(
            &self.teacher.head,
            &seen.less(&centre),
            &places,
            &mut self.queues,
            how,
        );
        let pass = self.student_pass(of_student, batch, parts)?;
        let seen = Seen::new(&pass.embedding(), batch.families);
        let head = &self.student.head;
        let losses = losses(
            head,
            &self.config,
            &seen,
            &centre,
            &says,
            &batch.child_places,
        );
        let mut report = self.report(&losses, batch)?;
        report.gradient = self.learn(losses.total, pass, report.learning_rate)?;
        self.teacher = follow(self.teacher.clone(), &self.student, report.momentum);
        self.step += 1;
        self.watch(&mut report);
        Ok(report)
    }

    fn student_pass(
        &self,
        view: &View,
        batch: &FamilyBatch,
        parts: usize,
    ) -> Result<EncoderPass, ConfigError> {
        let tiles = tiles(view, batch.tile_px, &self.student.head.device());
        EncoderPass::embed(&self.student.encoder, &tiles, parts)
    }

    /// What rows lose before the head; nothing where the head is not to be centred.
    pub(super) fn centre(&self) -> Centre {
        let mean = |ring: &Ring| match self.config.head.centred {
            true => ring.mean(),
            false => vec![0.0; ring.width()],
        };
        Centre {
            class: mean(&self.recent.class),
            patch: mean(&self.recent.tokens),
        }
    }

    fn sharpening(&self) -> Sharpening {
        let teacher = &self.config.teacher;
        Sharpening {
            temperature: line(teacher.temperature, self.step, teacher.temperature_steps),
            iterations: teacher.sinkhorn_iterations,
        }
    }

    fn report(&self, losses: &Losses, batch: &FamilyBatch) -> Result<StepReport, TrainError> {
        let step = self.step;
        let parts = read(losses.parts.clone(), "the loss", step)?;
        let [loss, global, context, tokens, koleo, contrast] = parts[..] else {
            let reason = format!("{} values instead of 6", parts.len());
            let what = "the loss";
            return Err(TrainError::Device { step, what, reason });
        };
        if !loss.is_finite() {
            let value = f64::from(loss);
            let what = "the loss";
            return Err(TrainError::NotANumber { step, what, value });
        }
        let student = &self.config.student;
        let steps = self.config.steps;
        Ok(StepReport {
            step,
            loss,
            global,
            context,
            tokens,
            koleo,
            contrast,
            gradient: 0.0,
            learning_rate: warm_cosine(student.learning_rate, student.warm_up_steps, step, steps),
            momentum: cosine(self.config.teacher.momentum, step, steps),
            temperature: self.sharpening().temperature,
            children: batch.child_places.len(),
            rank_class: None,
            rank_tokens: None,
            seconds: 0.0,
            waited: 0.0,
        })
    }

    /// Moves the student down the gradient of `loss`; tells the gradient's norm.
    fn learn(&mut self, loss: Tensor<1>, pass: EncoderPass, rate: f64) -> Result<f64, TrainError> {
        let (step, steps) = (self.step, self.config.steps);
        let student = &self.config.student;
        let mut of_loss = loss.backward();
        let mut gradients = GradientsParams::from_module(&mut of_loss, &self.student.head);
        let of_encoder = pass.gradients(&of_loss);
        add(&self.student.encoder, &mut gradients, of_encoder);
        let length = norm(&self.student, &gradients);
        if !length.is_finite() {
            return Err(TrainError::NotANumber {
                step,
                what: "the gradient",
                value: length,
            });
        }
        let pace = Pace {
            rate,
            decay: cosine(student.weight_decay, step, steps),
            factor: (student.most_gradient / length).min(1.0),
        };
        self.student = self.adam.step(self.student.clone(), &mut gradients, pace);
        Ok(length)
    }

    /// Keeps embeddings of both scales, for the watch and for their mean.
    fn remember(&mut self, seen: &Seen, places: &Tensor<1, Int>) -> Result<(), TrainError> {
        let step = self.step;
        let class = Tensor::cat(vec![seen.parents.clone(), seen.children.clone()], 0);
        let class = read(class, "embeddings", step)?;
        self.recent.class.push(&class);
        let coarse = seen.coarse.clone().select(0, places.clone());
        let tokens = Tensor::cat(vec![coarse, seen.fine.clone()], 0);
        let tokens = read(tokens, "embeddings", step)?;
        self.recent.tokens.push(&tokens);
        Ok(())
    }

    /// Looks at the effective rank now and then.
    fn watch(&self, report: &mut StepReport) {
        if self.step.is_multiple_of(self.config.watch.every_steps) {
            let [class, tokens] = self.ranks();
            (report.rank_class, report.rank_tokens) = (Some(class), Some(tokens));
        }
    }

    /// Effective ranks of class embeddings and of mean patch embeddings, over the rows of
    /// `watch.rows` that are there.
    pub fn ranks(&self) -> [f64; 2] {
        let rank = |ring: &Ring| effective_rank(ring.values(), ring.width());
        [rank(&self.recent.class), rank(&self.recent.tokens)]
    }

    /// Whether a run may go on after the step of `report`. Asked once that step is in the log, so
    /// that the log shows why it ended.
    ///
    /// # Errors
    /// [`TrainError::Collapse`] where the rank that was looked at is under what the settings allow.
    pub fn check_rank(&self, report: &StepReport) -> Result<(), TrainError> {
        let (watch, width) = (&self.config.watch, self.width());
        let least = watch.least_rank_share * width as f64;
        let full = self.recent.tokens.rows() >= watch.rows.min(width);
        let looked = [("class", report.rank_class), ("patch", report.rank_tokens)];
        let found = looked
            .into_iter()
            .filter_map(|(of, rank)| Some((of, rank?)));
        let low = found.into_iter().find(|(_, rank)| *rank < least);
        match low.filter(|_| full && self.step > watch.grace_steps) {
            None => Ok(()),
            Some((of, rank)) => Err(TrainError::Collapse {
                step: report.step,
                of,
                rank,
                least,
                width,
            }),
        }
    }
}

/// Parents, then children, \[B + C, 3, S, S\].
fn tiles(view: &View, side: usize, device: &Device) -> Tensor<4> {
    let values = [view.parents.as_slice(), &view.children].concat();
    let count = values.len() / (3 * side * side);
    Tensor::from_data(TensorData::new(values, [count, 3, side, side]), device)
}

fn read<const D: usize>(
    tensor: Tensor<D>,
    what: &'static str,
    step: u64,
) -> Result<Vec<f32>, TrainError> {
    values::read(tensor).map_err(|reason| TrainError::Device { step, what, reason })
}
