//! The step that moves decoder, bias and perhaps encoder.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::batch::{LabelledBatch, Shown};
use super::config::{DfaConfig, DfaConfigError, LossGrid};
use super::difficulty::Accuracy;
use super::losses::{Said, focal, iou_error, soft_dice};
use super::mode::{Known, Mode, ModeError, Start};
use super::segmenter::{LearnedBias, Segmenter, SegmenterError};
use super::target::Target;
use crate::learn::adam::{self, Adam, norm};
use crate::learn::checkpoint::CheckpointError;
use crate::learn::log::Line;
use crate::learn::schedule::warm_cosine;
use crate::learn::split_pass::SplitPass;
use crate::learn::values;
use crate::model::Encoder;
use crate::model::dfa::{BiasedLayer, Decoder, DecoderError, to_tile};
use crate::model::parallel::parts_for;

/// Why training stopped or never began.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration.
    #[error("the configuration can't be trained: {0}")]
    Config(#[from] DfaConfigError),
    /// The mode.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// The network and its input.
    #[error(transparent)]
    Segmenter(#[from] SegmenterError),
    /// The decoder.
    #[error(transparent)]
    Decoder(#[from] DecoderError),
    /// A batch without a pixel that counts.
    #[error("step {step}: no pixel of the batch has a class")]
    NoLabels {
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
    /// Focal loss before weighting.
    pub focal: f32,
    /// Soft Dice loss.
    pub dice: f32,
    /// Error of the foretold IoU.
    pub iou: f32,
    /// Norm of the decoder's gradient before clipping.
    pub gradient: f64,
    /// Norm of the bias's.
    pub bias_gradient: f64,
    /// Learning rate of the decoder.
    pub learning_rate: f64,
    /// b, centred, one value a class, parted by spaces.
    pub bias: String,
    /// Share of the first biased attention that each class has, where it was looked at.
    pub attention: Option<String>,
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

/// The optimizers, one a group of parameters.
#[derive(Debug)]
pub(super) struct Optimizers {
    pub(super) encoder: Option<Adam<Encoder>>,
    pub(super) decoder: Adam<Decoder>,
    pub(super) bias: Adam<LearnedBias>,
}

/// A run between two steps.
#[derive(Debug)]
pub struct Trainer {
    pub(super) config: DfaConfig,
    pub(super) segmenter: Segmenter,
    pub(super) optimizers: Optimizers,
    /// Where the bias began, and whether it moves.
    start: Start,
    /// Factors on the classes' loss.
    pub(super) weights: Vec<f64>,
    pub(super) accuracy: Accuracy,
    pub(super) step: u64,
    device: Device,
}

impl Trainer {
    /// A run at its start, on `device` (without autodiff), for classes as `known`. The `encoder` is
    /// trained too where it is given and the configuration says so; its tokens have `width` values.
    ///
    /// # Errors
    /// When the configuration is wrong or lacks what its mode needs.
    pub fn new(
        config: &DfaConfig,
        known: Known<'_>,
        encoder: Option<&Encoder>,
        width: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        config.check()?;
        let start = config.mode.start(&config.prior, known)?;
        let learns = device.clone().autodiff();
        let classes = known.fractions.len();
        let shape = config.decoder(width)?;
        let segmenter = Segmenter {
            encoder: encoder
                .filter(|_| config.fine_tunes())
                .map(|encoder| encoder.clone().train()),
            decoder: Decoder::new(&shape, classes, config.seed, &learns)?,
            bias: LearnedBias::new(&start, &learns),
        };
        Ok(Self {
            config: config.clone(),
            optimizers: Optimizers {
                encoder: segmenter.encoder.as_ref().map(Adam::new),
                decoder: Adam::new(&segmenter.decoder),
                bias: Adam::new(&segmenter.bias),
            },
            segmenter,
            start,
            weights: config.mode.loss_weights(known.fractions),
            accuracy: Accuracy::new(classes),
            step: 0,
            device: device.clone(),
        })
    }

    /// The next step's number: so many are done.
    pub fn step_number(&self) -> u64 {
        self.step
    }

    /// What is trained.
    pub fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }

    /// Where the bias began.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// b as it is now, centred.
    ///
    /// # Errors
    /// When the device does not give it.
    pub fn bias(&self) -> Result<Vec<f32>, TrainError> {
        read(self.segmenter.bias.centred().inner(), "the bias", self.step)
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// When the batch does not fit or has no labels, or something is no number. The run is then
    /// over; its last checkpoint is not touched.
    pub fn step(&mut self, batch: &LabelledBatch) -> Result<StepReport, TrainError> {
        let step = self.step;
        if batch
            .labels
            .iter()
            .all(|label| usize::from(*label) >= self.weights.len())
        {
            return Err(TrainError::NoLabels { step });
        }
        let learns = self.device.clone().autodiff();
        let shown = batch.shown(&learns);
        let attention = match step.is_multiple_of(self.config.look_every_steps) {
            true => Some(words(&self.attention(batch)?)),
            false => None,
        };
        let pass = self.pass(&shown, batch.tiles(), &learns)?;
        let (logits, foretold) = pass.seen().clone();
        let (logits, target) = self.on_the_grid(logits, batch, &learns);
        let said = Said::of(logits);
        let losses = self.losses(&said, foretold, &target, &learns);
        let mut report = self.report(&losses, attention)?;
        let gradients = pass.gradients(&losses.total.backward());
        self.remember(&said, &target)?;
        self.learn(gradients, &mut report)?;
        self.step += 1;
        if self.config.mode == Mode::DifficultyLoss
            && self.step.is_multiple_of(self.config.epoch_steps)
        {
            self.weights = self.accuracy.weights(self.config.tau);
            self.accuracy = Accuracy::new(self.weights.len());
        }
        Ok(report)
    }

    fn pass(
        &self,
        shown: &Shown,
        tiles: usize,
        learns: &Device,
    ) -> Result<SplitPass<Segmenter, 4, 2>, TrainError> {
        let parts = parts_for(&self.device);
        let pass = SplitPass::forward(&self.segmenter, learns, tiles, parts, |segmenter, run| {
            let decoded = segmenter.forward(shown.part(run.start, run.len()))?;
            Ok::<_, SegmenterError>((decoded.logits, decoded.iou))
        });
        Ok(pass?)
    }

    /// Logits and what they should be, on the grid on which the loss is taken.
    fn on_the_grid(
        &self,
        logits: Tensor<4>,
        batch: &LabelledBatch,
        device: &Device,
    ) -> (Tensor<4>, Target) {
        let [_, classes, cells, _] = logits.dims();
        let (logits, cells) = match self.config.loss_grid {
            LossGrid::Mask => (logits, cells),
            LossGrid::Tile => (to_tile(logits, batch.tile_px), batch.tile_px),
        };
        let target = Target::of(&batch.labels, batch.tile_px, cells, classes, device);
        (logits, target)
    }

    fn losses(&self, said: &Said, foretold: Tensor<2>, target: &Target, device: &Device) -> Losses {
        let weights: Vec<f32> = self.weights.iter().map(|weight| *weight as f32).collect();
        let weights = Tensor::<1>::from_floats(weights.as_slice(), device);
        let focal = focal(said, target, weights);
        let dice = soft_dice(said, target);
        let iou = iou_error(foretold, said, target);
        let by = &self.config.loss;
        let total = focal.clone() * by.focal + dice.clone() * by.dice + iou.clone() * by.iou;
        let parts = [total.clone(), focal, dice, iou];
        Losses {
            parts: Tensor::cat(parts.map(Tensor::inner).to_vec(), 0),
            total,
        }
    }

    fn report(&self, losses: &Losses, attention: Option<String>) -> Result<StepReport, TrainError> {
        let step = self.step;
        let parts = read(losses.parts.clone(), "the loss", step)?;
        let [loss, focal, dice, iou] = parts[..] else {
            let reason = format!("{} values instead of 4", parts.len());
            let what = "the loss";
            return Err(TrainError::Device { step, what, reason });
        };
        number("the loss", f64::from(loss), step)?;
        let pace = &self.config.pace;
        Ok(StepReport {
            step,
            loss,
            focal,
            dice,
            iou,
            gradient: 0.0,
            bias_gradient: 0.0,
            learning_rate: warm_cosine(
                pace.learning_rate,
                pace.warm_up_steps,
                step,
                self.config.steps,
            ),
            bias: words(&self.bias()?),
            attention,
            seconds: 0.0,
            waited: 0.0,
        })
    }

    /// Moves each group of parameters at its own pace.
    fn learn(
        &mut self,
        mut gradients: GradientsParams,
        report: &mut StepReport,
    ) -> Result<(), TrainError> {
        let step = self.step;
        let segmenter = self.segmenter.clone();
        report.gradient = norm(&segmenter.decoder, &gradients);
        report.bias_gradient = norm(&segmenter.bias, &gradients);
        number("the gradient", report.gradient, step)?;
        number("the bias's gradient", report.bias_gradient, step)?;
        let pace = self.config.pace.clone();
        let clip = |most: f64, length: f64| (most / length.max(1e-12)).min(1.0);
        let decoder = adam::Pace {
            rate: report.learning_rate,
            decay: pace.weight_decay,
            factor: clip(pace.most_gradient, report.gradient),
        };
        let bias = adam::Pace {
            rate: pace.learning_rate[0] * pace.bias_rate_factor,
            decay: 0.0,
            factor: clip(pace.most_bias_gradient, report.bias_gradient),
        };
        let optimizers = &mut self.optimizers;
        let encoder = match (segmenter.encoder, &mut optimizers.encoder) {
            (Some(encoder), Some(adam)) => {
                let length = norm(&encoder, &gradients);
                number("the encoder's gradient", length, step)?;
                let pace = adam::Pace {
                    rate: decoder.rate * pace.encoder_rate_factor,
                    factor: clip(pace.most_gradient, length),
                    ..decoder
                };
                Some(adam.step(encoder, &mut gradients, pace))
            }
            (encoder, _) => encoder,
        };
        self.segmenter = Segmenter {
            encoder,
            decoder: optimizers
                .decoder
                .step(segmenter.decoder, &mut gradients, decoder),
            bias: match self.start.trained {
                true => optimizers.bias.step(segmenter.bias, &mut gradients, bias),
                false => segmenter.bias,
            },
        };
        Ok(())
    }

    /// Counts what was named rightly, for the mode that weights by it.
    fn remember(&mut self, said: &Said, target: &Target) -> Result<(), TrainError> {
        if self.config.mode != Mode::DifficultyLoss {
            return Ok(());
        }
        let p = said.probability.clone().inner();
        let shares = target.shares.clone().inner();
        let chosen = p
            .clone()
            .equal(p.clone().max_dim(1).expand(p.dims()))
            .float();
        let by_class = |x: Tensor<4>| -> Tensor<1> {
            let [_, classes, _, _] = x.dims();
            x.sum_dim(0).sum_dim(2).sum_dim(3).reshape([classes])
        };
        let right = read(by_class(chosen * shares.clone()), "accuracy", self.step)?;
        let all = read(by_class(shares), "accuracy", self.step)?;
        self.accuracy.add(&right, &all);
        Ok(())
    }

    /// ∂L/∂b of a batch, \[K\], before any clipping; nothing is learned from it. Also where the mode
    /// holds b fixed: it is what b would be moved by.
    ///
    /// Σ over layers, heads and tokens of a_ic ⟨g_i, v_c − o_i⟩ (DFA, gradient of the bias): a class
    /// that nothing attends to has none.
    ///
    /// # Errors
    /// When the batch does not fit, or the device fails.
    pub fn bias_gradient(&self, batch: &LabelledBatch) -> Result<Vec<f32>, TrainError> {
        let learns = self.device.clone().autodiff();
        let pass = self.pass(&batch.shown(&learns), batch.tiles(), &learns)?;
        let (logits, foretold) = pass.seen().clone();
        let (logits, target) = self.on_the_grid(logits, batch, &learns);
        let losses = self.losses(&Said::of(logits), foretold, &target, &learns);
        let gradients = pass.gradients(&losses.total.backward());
        match self.segmenter.bias.gradient(&gradients) {
            Some(found) => read(found, "the bias's gradient", self.step),
            None => Ok(vec![0.0; self.weights.len()]),
        }
    }

    /// Share of each class in the first biased attention over a batch, \[K\].
    ///
    /// # Errors
    /// When the batch does not fit.
    pub fn attention(&self, batch: &LabelledBatch) -> Result<Vec<f32>, TrainError> {
        let layers = self.look(batch)?;
        match layers.first() {
            Some(first) => read(first.shares(), "the attention", self.step),
            None => Ok(Vec::new()),
        }
    }

    /// What every biased layer sees of a batch, without gradients.
    ///
    /// # Errors
    /// When the batch does not fit.
    pub fn look(&self, batch: &LabelledBatch) -> Result<Vec<BiasedLayer>, TrainError> {
        let still = self.segmenter.valid();
        let tokens = still.tokens(batch.shown(&self.device))?;
        let features = still.decoder.start(tokens)?;
        let (_, layers) = still
            .decoder
            .decode_traced(&features, still.bias.centred())?;
        Ok(layers)
    }
}

/// The parts of the loss as tensors of one value.
struct Losses {
    total: Tensor<1>,
    parts: Tensor<1>,
}

fn number(what: &'static str, value: f64, step: u64) -> Result<(), TrainError> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(TrainError::NotANumber { step, what, value }),
    }
}

fn words(values: &[f32]) -> String {
    let each: Vec<String> = values.iter().map(|value| format!("{value:.5}")).collect();
    each.join(" ")
}

fn read<const D: usize>(
    tensor: Tensor<D>,
    what: &'static str,
    step: u64,
) -> Result<Vec<f32>, TrainError> {
    values::read(tensor).map_err(|reason| TrainError::Device { step, what, reason })
}
