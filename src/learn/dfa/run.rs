//! A training run in a folder: a set and an encoder in, checkpoints, a log and weights out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::Module as _;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::config::DfaConfig;
use super::feed::{Feed, FeedError, Kept};
use super::mode::{Known, Mode, ModeError};
use super::scene::{Scene, SceneConfig, SceneError};
use super::trainer::{StepReport, TrainError, Trainer};
use crate::learn::log::Log;
use crate::learn::run_folder::{Ended, FolderError, RunFolder};
use crate::learn::sets::SetError;
use crate::model::dfa::weights::{CLASS_FRACTIONS, ClassLabel, DecoderCard, MODE, TAU};
use crate::model::dfa::{BiasError, ClassBias};
use crate::model::weights::{self, WeightsError};

/// Files of a run, beside its checkpoint and its log.
const SETTINGS: &str = "dfa.toml";
const DECODER: &str = "decoder.safetensors";
const ENCODER: &str = "encoder.safetensors";

/// A training file: the run and what it learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// The run.
    pub run: DfaConfig,
    /// The data and the encoder.
    pub data: SceneConfig,
    /// Crops that are made once and kept, encoded where the encoder is frozen; 0 takes fresh ones
    /// at every step.
    #[serde(default)]
    pub kept_crops: usize,
    /// Dice of each class, by name, of a first model, such as a report of `eval dfa` has it: for mode
    /// `difficulty`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub first_dice: BTreeMap<String, f64>,
}

impl TrainFile {
    /// Whether the file has what its mode needs, as far as that can be known before anything is
    /// opened.
    ///
    /// # Errors
    /// When it is mode `difficulty` without Dice of a first model.
    pub fn check_mode(&self) -> Result<(), ModeError> {
        match self.run.mode == Mode::Difficulty && self.first_dice.is_empty() {
            true => Err(ModeError::NoFirstStage),
            false => Ok(()),
        }
    }

    /// Takes fold `number` where one is given.
    ///
    /// # Errors
    /// When the file has no folds.
    pub fn choose_fold(&mut self, number: Option<usize>) -> Result<(), SetError> {
        match (number, &self.data.folds) {
            (Some(number), None) => {
                let expected = "can be chosen only where the file has [data.folds]";
                Err(SetError::setting("fold", number, expected))
            }
            (number, _) => {
                self.data.fold = number.unwrap_or(self.data.fold);
                Ok(())
            }
        }
    }
}

/// Why a run stopped or never began.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The log.
    #[error("the log can't be kept: {0}")]
    Log(String),
    /// Set and encoder.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The crops.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The bias.
    #[error(transparent)]
    Bias(#[from] BiasError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What a run does at the moment.
#[derive(Debug)]
pub enum Doing<'a> {
    /// Reads masks: so many of so many.
    Counting(u64, u64),
    /// Encodes crops: so many of so many.
    Encoding(u64, u64),
    /// A step was done, of so many in all, with so many tiles.
    Step(&'a StepReport, u64, usize),
}

/// Who hears what a run does, and may stop it.
pub type Progress<'a> = dyn FnMut(&Doing<'_>) -> ControlFlow<()> + 'a;

/// Trains by `file`, whose relative paths are relative to `base`, in the folder `out`.
///
/// All that can stop the run is looked at first: settings, folder, encoder, every mask. `Break`
/// from `progress` saves and stops.
///
/// # Errors
/// When anything of that fails, or training does; the last checkpoint stays as it is.
pub fn run(
    file: &TrainFile,
    base: &Path,
    out: &Path,
    resume: bool,
    device: &Device,
    progress: &mut Progress<'_>,
) -> Result<Ended, RunError> {
    file.run.check().map_err(TrainError::from)?;
    let folder = RunFolder::open(out, resume)?;
    let scene = Scene::open(&file.data, base, device, &mut |done, all| {
        progress(&Doing::Counting(done, all))
    })?;
    let words = format!("{}\nkept {}", scene.words(&file.data), file.kept_crops);
    let mut trainer = begin(file, &scene, device)?;
    if resume {
        let restored = trainer.restore(&folder.checkpoint(), &words);
        trainer = restored.map_err(TrainError::from)?;
    }
    folder.keep_settings(SETTINGS, file)?;
    let save = |trainer: &Trainer| trainer.save(&folder.checkpoint(), &words);
    save(&trainer).map_err(TrainError::from)?;
    let mut log =
        Log::open::<StepReport>(&folder.log(), trainer.step_number()).map_err(RunError::Log)?;
    let mut feed = feed(file, &scene, trainer.step_number(), device, progress)?;
    let pause = Duration::from_secs_f64(file.run.checkpoint_minutes * 60.0);
    let mut saved = Instant::now();
    while trainer.step_number() < file.run.steps {
        let began = Instant::now();
        let batch = feed.batch(file.run.seed, trainer.step_number())?;
        let waited = began.elapsed().as_secs_f64();
        let mut report = trainer.step(&batch)?;
        (report.seconds, report.waited) = (began.elapsed().as_secs_f64(), waited);
        log.push(&report).map_err(RunError::Log)?;
        let stop = progress(&Doing::Step(&report, file.run.steps, batch.tiles()));
        if stop.is_break() || saved.elapsed() >= pause {
            save(&trainer).map_err(TrainError::from)?;
            saved = Instant::now();
        }
        // Stopped at the last step, it is finished all the same.
        if stop.is_break() && trainer.step_number() < file.run.steps {
            return Ok(Ended::Stopped(trainer.step_number()));
        }
    }
    save(&trainer).map_err(TrainError::from)?;
    finish(file, &scene, &trainer, &folder)
}

fn begin(file: &TrainFile, scene: &Scene, device: &Device) -> Result<Trainer, RunError> {
    let dice = first_dice(file, scene)?;
    let known = Known {
        fractions: &scene.fractions,
        dice: dice.as_deref(),
    };
    let width = scene.encoder.config().width;
    let encoder = Some(&scene.encoder);
    Ok(Trainer::new(&file.run, known, encoder, width, device)?)
}

/// The first model's Dice in the order of the classes; `None` where the file has none.
fn first_dice(file: &TrainFile, scene: &Scene) -> Result<Option<Vec<f64>>, BiasError> {
    if file.first_dice.is_empty() {
        return Ok(None);
    }
    let names = scene.set.classes().names();
    let given: Vec<&String> = file.first_dice.keys().collect();
    let dice: Option<Vec<f64>> = names
        .iter()
        .map(|name| file.first_dice.get(name).copied())
        .collect();
    match dice {
        Some(dice) if given.len() == names.len() => Ok(Some(dice)),
        _ => Err(BiasError::Values(format!(
            "first_dice for {given:?}, expected one for each of {names:?}"
        ))),
    }
}

fn feed(
    file: &TrainFile,
    scene: &Scene,
    first: u64,
    device: &Device,
    progress: &mut Progress<'_>,
) -> Result<Feed, FeedError> {
    let (crops, seed, fine_tunes) = (&file.data.crops, file.run.seed, file.run.fine_tunes());
    if file.kept_crops == 0 {
        return Feed::fresh(scene, crops, seed, first, fine_tunes, device);
    }
    let told = &mut |done, all| progress(&Doing::Encoding(done, all));
    let wanted = (file.kept_crops, seed);
    let kept = Kept::make(scene, crops, wanted, fine_tunes, device, told)?;
    Ok(Feed::Kept(kept))
}

/// Writes the weights; an encoder that was trained too comes first, since the decoder names it.
fn finish(
    file: &TrainFile,
    scene: &Scene,
    trainer: &Trainer,
    folder: &RunFolder,
) -> Result<Ended, RunError> {
    let notes = notes(file, scene);
    let mut encoder_sha256 = scene.encoder_sha256.clone();
    let still = trainer.segmenter().valid();
    if let Some(encoder) = &still.encoder {
        let path = folder.file(ENCODER);
        weights::save(encoder, &notes, &path)?;
        encoder_sha256 = weights::hash_of(&path)?;
    }
    let classes = scene.set.classes();
    let labels = classes.classes().iter().map(|class| ClassLabel {
        name: class.name.clone(),
        code: class.codes.first().copied().unwrap_or_default(),
        colour: class.colour,
    });
    let bias: Vec<f64> = trainer.bias()?.into_iter().map(f64::from).collect();
    let card = DecoderCard {
        classes: labels.collect(),
        bias: ClassBias::new(&classes.names(), &trainer.start().bias())?.trained_to(&bias)?,
        encoder_sha256,
        tile_px: file.data.crops.tile_px,
        mpp: file.data.crops.mpp,
        program: DecoderCard::this_program(),
        notes,
    };
    let path = folder.file(DECODER);
    crate::model::dfa::weights::save(&still.decoder, &card, &path)?;
    Ok(Ended::Finished(path))
}

/// What a weights file says of its making.
fn notes(file: &TrainFile, scene: &Scene) -> BTreeMap<String, String> {
    let run = &file.run;
    let fractions: Vec<String> = scene.fractions.iter().map(f64::to_string).collect();
    BTreeMap::from(
        [
            ("method", "dynamic focal attention".to_owned()),
            (MODE, run.mode.name().to_owned()),
            (TAU, run.tau.to_string()),
            ("seed", run.seed.to_string()),
            ("steps", run.steps.to_string()),
            ("tiles_a_step", file.data.crops.samples.to_string()),
            (CLASS_FRACTIONS, fractions.join(" ")),
            ("data", scene.set.provenance()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}
