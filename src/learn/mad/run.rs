//! A training run in a folder: data in, checkpoints, a log and weights out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::config::MadConfig;
use super::trainer::{StepReport, TrainError, Trainer};
use crate::learn::log::Log;
use crate::learn::run_folder::{Ended, FolderError, RunFolder};
use crate::learn::sampling::{Loader, SamplingConfig, SamplingError, SourceConfig, Sources};
use crate::model::weights::{self, WeightsError};

/// Batches made ahead of the step that needs them.
const AHEAD: usize = 3;

/// Threads that cut and augment tiles: one keeps two cores of training fed.
const LOADERS: usize = 1;

/// Files of a run, beside its checkpoint and its log.
const SETTINGS: &str = "mad.toml";
const WEIGHTS: &str = "encoder.safetensors";

/// A training file: the run and what it learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainFile {
    /// The run.
    pub run: MadConfig,
    /// How families are cut and augmented.
    #[serde(default)]
    pub sampling: SamplingConfig,
    /// Where they come from.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
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
    /// The data.
    #[error(transparent)]
    Data(#[from] SamplingError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// A run after one of its steps.
#[derive(Debug)]
pub struct Running<'a> {
    /// The step that was done.
    pub report: &'a StepReport,
    /// Steps in all.
    pub steps: u64,
    /// Tiles learned from in the step, both views counted once.
    pub tiles: usize,
    /// Effective rank below which embeddings have collapsed by the method's measure.
    pub low_rank: f64,
}

/// Trains by `file`, whose relative paths are relative to `base`, in the folder `out`.
///
/// All that can stop the run is looked at first: settings, every source, the folder, room for two
/// checkpoints, of which one replaces the other. `progress` is called after each step; `Break` saves
/// and stops.
///
/// # Errors
/// When anything of that fails, or training does; the last checkpoint stays as it is.
pub fn run(
    file: &TrainFile,
    base: &Path,
    out: &Path,
    resume: bool,
    device: &Device,
    progress: &mut dyn FnMut(&Running<'_>) -> ControlFlow<()>,
) -> Result<Ended, RunError> {
    let tile_px = file.sampling.tile_px;
    file.run.check(tile_px).map_err(TrainError::from)?;
    let folder = RunFolder::open(out, resume)?;
    let sources = Arc::new(Sources::open(&file.sources, base, &file.sampling)?);
    let data = data_words(file, &sources);
    let mut trainer = match resume {
        true => Trainer::load(&folder.checkpoint(), &file.run, &data, tile_px, device)?,
        false => Trainer::new(&file.run, tile_px, device)?,
    };
    let low_rank = file.run.watch.low_rank_share * trainer.width() as f64;
    let mut notes = notes(file, &sources);
    folder.keep_settings(SETTINGS, file)?;
    let save = |trainer: &Trainer| trainer.save(&folder.checkpoint(), &data);
    // The second is written while the first lies there, as every one after it will be.
    for _ in 0..2 {
        save(&trainer).map_err(TrainError::from)?;
    }
    let mut log =
        Log::open::<StepReport>(&folder.log(), trainer.step_number()).map_err(RunError::Log)?;
    let first = trainer.step_number();
    let (sampling, seed) = (file.sampling.clone(), file.run.seed);
    let mut loader = Loader::start(sources, sampling, seed, first, LOADERS, AHEAD)?;
    let pause = Duration::from_secs_f64(file.run.checkpoint_minutes * 60.0);
    let mut saved = Instant::now();
    while trainer.step_number() < file.run.steps {
        let began = Instant::now();
        let batch = loader.next_batch()?;
        let waited = began.elapsed().as_secs_f64();
        let mut report = trainer.step(&batch)?;
        (report.seconds, report.waited) = (began.elapsed().as_secs_f64(), waited);
        log.push(&report).map_err(RunError::Log)?;
        trainer.check_rank(&report)?;
        let stop = progress(&Running {
            report: &report,
            steps: file.run.steps,
            tiles: batch.families + batch.child_places.len(),
            low_rank,
        });
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
    notes.insert("effective_rank".to_owned(), ranks(&trainer));
    let weights = folder.file(WEIGHTS);
    weights::save(&trainer.teacher().encoder, &notes, &weights)?;
    Ok(Ended::Finished(weights))
}

/// What a continued run must learn from, in words that can be compared.
fn data_words(file: &TrainFile, sources: &Sources) -> String {
    let sampling = toml::to_string(&file.sampling).unwrap_or_default();
    // How often each source is drawn is no part of where it comes from, but of what is learned.
    let weights: Vec<f64> = file.sources.iter().map(|source| source.weight).collect();
    format!(
        "{sampling}\n{}\nweights {weights:?}",
        sources.provenance().join("\n")
    )
}

/// What a weights file says of the embeddings of the last steps.
fn ranks(trainer: &Trainer) -> String {
    let ([class, patch], width) = (trainer.ranks(), trainer.width());
    format!(
        "of the last steps: class embeddings {class:.1}, patch embeddings {patch:.1}, of {width}"
    )
}

/// What a weights file says of its making.
fn notes(file: &TrainFile, sources: &Sources) -> BTreeMap<String, String> {
    let run = &file.run;
    let loss = serde_json::to_string(&run.loss).unwrap_or_default();
    BTreeMap::from([
        (
            "method".to_owned(),
            "magnification-aware distillation".to_owned(),
        ),
        (
            "program".to_owned(),
            format!("parfocal {}", env!("CARGO_PKG_VERSION")),
        ),
        ("seed".to_owned(), run.seed.to_string()),
        ("steps".to_owned(), run.steps.to_string()),
        (
            "families_a_step".to_owned(),
            file.sampling.families.to_string(),
        ),
        ("tile_px".to_owned(), file.sampling.tile_px.to_string()),
        ("loss_weights".to_owned(), loss),
        ("data".to_owned(), sources.provenance().join("; ")),
    ])
}
