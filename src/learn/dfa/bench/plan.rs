//! Which trainings a benchmark needs, in their order, and who runs them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::colour::colour_floor;
use super::config::{Arm, BenchFile, Blocks};
use super::stage::{Stage, goes_on};
use super::trace;
use super::trial::{Reached, Trial, is_tau};
use crate::learn::bench_dfa::{
    BenchError, COLOUR, ResultFolder, RunKey, RunResult, measured_difficulty,
};
use crate::learn::dfa::feed::FeedError;
use crate::learn::dfa::judge::JudgeError;
use crate::learn::dfa::mode::Mode;
use crate::learn::dfa::scene::SceneError;
use crate::learn::dfa::trainer::TrainError;
use crate::learn::sets::{Part, SetError, folds};

/// Why a benchmark stopped or never began.
#[derive(Debug, thiserror::Error)]
pub enum BenchRunError {
    /// A setting.
    #[error("the benchmark can't be run: {0}")]
    Settings(String),
    /// Set and encoder.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The crops.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The tiles.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The results.
    #[error(transparent)]
    Results(#[from] BenchError),
    /// The looks of a training.
    #[error("{}: {reason}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The device.
    #[error("the device can't give the values: {0}")]
    Device(String),
    /// The user.
    #[error("stopped: what was finished is kept, and the same command goes on")]
    Cancelled,
}

/// What a benchmark does at the moment.
#[derive(Debug, Clone)]
pub enum Doing {
    /// Reads masks: so many of so many.
    Counting(u64, u64),
    /// Encodes crops or tiles: so many of so many.
    Encoding(u64, u64),
    /// Reads what colour alone is fitted to and scored on: images so many of so many.
    Colours(u64, u64),
    /// Trainings done of all that this process has to run.
    Runs(u64, u64),
    /// Steps done of the training that runs.
    Step(u64, u64),
}

/// Who hears what a benchmark does, and may stop it.
pub type Progress<'a> = dyn FnMut(&Doing) -> ControlFlow<()> + 'a;

/// A benchmark in its folder.
pub struct Plan<'a> {
    file: &'a BenchFile,
    base: &'a Path,
    folder: PathBuf,
    settings: String,
    arms: Vec<Arm>,
    first: ResultFolder,
    tuning: ResultFolder,
    runs: ResultFolder,
    colour: ResultFolder,
}

/// Trainings are known by these, in the folder of their kind.
type Wanted = Vec<RunKey>;

impl<'a> Plan<'a> {
    /// Checks the settings and opens the folder `out`; paths in `file` are relative to `base`.
    ///
    /// # Errors
    /// When a setting is wrong, or the folder holds results of others.
    pub fn open(file: &'a BenchFile, base: &'a Path, out: &Path) -> Result<Self, BenchRunError> {
        file.check()?;
        let settings = file.hash(base)?;
        let results = |name: &str| ResultFolder::open(&out.join(name), &settings);
        Ok(Self {
            file,
            base,
            folder: out.to_owned(),
            arms: file.all_arms(),
            first: results("first")?,
            tuning: results("tuning")?,
            runs: results("runs")?,
            colour: results(COLOUR)?,
            settings,
        })
    }

    /// Number of blocks.
    ///
    /// # Errors
    /// When the set has no such folds.
    pub fn blocks(&self) -> Result<usize, BenchRunError> {
        Ok(match &self.file.blocks {
            Blocks::One => 1,
            Blocks::Roles(_) => 4,
            Blocks::Folds(config) => {
                let set = self.file.data.set.open(self.base)?;
                folds(set.as_ref(), config)?.len()
            }
        })
    }

    /// Trainings of `blocks` that are still to be run, and classifiers of colours.
    ///
    /// # Errors
    /// When the folder holds what is no result.
    pub fn missing(&self, blocks: &[usize]) -> Result<u64, BenchRunError> {
        let mut all = 0;
        for &block in blocks {
            all += self.first.missing(&self.first_of(block))?.len();
            all += self.tuning.missing(&self.tuning_of(block))?.len();
            all += self.runs.missing(&self.runs_of(block))?.len();
            all += self.colour.missing(&[Self::colour_of(block)])?.len();
        }
        Ok(all as u64)
    }

    /// All results so far, those of colour alone last.
    ///
    /// # Errors
    /// When the folder holds what is no result.
    pub fn results(&self) -> Result<Vec<RunResult>, BenchRunError> {
        let mut results = self.runs.results()?;
        results.extend(self.colour.results()?);
        Ok(results)
    }

    /// Runs what is missing of `blocks`.
    ///
    /// # Errors
    /// When data, a training or a file fails, or `progress` breaks.
    pub fn run(
        &self,
        blocks: &[usize],
        device: &Device,
        progress: &mut Progress<'_>,
    ) -> Result<(), BenchRunError> {
        let all = self.missing(blocks)?;
        let mut done = 0;
        for &block in blocks {
            if self.missing(&[block])? == 0 {
                continue;
            }
            let stage = Stage::open(self.file, self.base, block, device, progress)?;
            let mut work = Work {
                plan: self,
                stage: &stage,
                block,
                device,
                progress,
                count: (&mut done, all),
                dice: Vec::new(),
            };
            work.run()?;
        }
        Ok(())
    }

    fn key(mode: &str, seed: u64, rotation: usize) -> RunKey {
        RunKey {
            mode: mode.to_owned(),
            seed,
            rotation,
        }
    }

    fn colour_of(block: usize) -> RunKey {
        Self::key(COLOUR, 0, block)
    }

    fn first_of(&self, block: usize) -> Wanted {
        let seeds = self.file.first_seeds.iter();
        seeds
            .map(|seed| Self::key(Mode::None.name(), *seed, block))
            .collect()
    }

    fn tuning_of(&self, block: usize) -> Wanted {
        let tried = |arm: &Arm| -> Wanted {
            let count = self.tried(arm).len();
            (0..count).map(|n| self.try_key(arm, n, block)).collect()
        };
        self.arms.iter().flat_map(tried).collect()
    }

    fn try_key(&self, arm: &Arm, n: usize, block: usize) -> RunKey {
        Self::key(
            &format!("{}-try-{n}", arm.name),
            self.file.tuning.seed,
            block,
        )
    }

    fn runs_of(&self, block: usize) -> Wanted {
        let of_arm = |arm: &Arm| -> Wanted {
            let seeds = self.file.seeds.iter();
            seeds
                .map(|seed| Self::key(&arm.name, *seed, block))
                .collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }

    /// The settings of an arm that are tried on validation; none where there is nothing to choose.
    fn tried(&self, arm: &Arm) -> &[f64] {
        let tuning = &self.file.tuning;
        let has_alpha = matches!(arm.mode, Mode::Frequency | Mode::Difficulty | Mode::Dfa);
        let tried = match arm.prior {
            Some(_) => &[],
            None if has_alpha => tuning.alphas.as_slice(),
            None if is_tau(arm.mode) => tuning.taus.as_slice(),
            None => &[],
        };
        if tried.len() < 2 { &[] } else { tried }
    }
}

/// The trainings of a block.
struct Work<'a, 'p> {
    plan: &'a Plan<'a>,
    stage: &'a Stage,
    block: usize,
    device: &'a Device,
    progress: &'a mut Progress<'p>,
    count: (&'a mut u64, u64),
    /// Dice of each class by the first runs; empty until they are done.
    dice: Vec<Option<f64>>,
}

impl Work<'_, '_> {
    fn run(&mut self) -> Result<(), BenchRunError> {
        self.colour()?;
        let plan = self.plan;
        let none = Arm {
            name: Mode::None.name().to_owned(),
            mode: Mode::None,
            prior: None,
        };
        for key in plan.first.missing(&plan.first_of(self.block))? {
            self.trial(&plan.first, &none, key, None, Part::Validation)?;
        }
        self.dice = self.first_dice()?;
        for arm in &plan.arms {
            for (n, value) in plan.tried(arm).iter().enumerate() {
                let key = plan.try_key(arm, n, self.block);
                for key in plan.tuning.missing(&[key])? {
                    self.trial(&plan.tuning, arm, key, Some(*value), Part::Validation)?;
                }
            }
        }
        for key in plan.runs.missing(&plan.runs_of(self.block))? {
            let Some(arm) = plan.arms.iter().find(|arm| arm.name == key.mode) else {
                continue;
            };
            let chosen = self.chosen(arm)?;
            self.trial(&plan.runs, arm, key, chosen, Part::Test)?;
        }
        Ok(())
    }

    /// Colour alone, once a block.
    fn colour(&mut self) -> Result<(), BenchRunError> {
        let plan = self.plan;
        for key in plan.colour.missing(&[Plan::colour_of(self.block)])? {
            let reached = colour_floor(plan.file, self.stage, self.progress)?;
            self.keep(&plan.colour, key, None, reached)?;
            *self.count.0 += 1;
            goes_on((self.progress)(&Doing::Runs(*self.count.0, self.count.1)))?;
        }
        Ok(())
    }

    /// The setting with the best macro Dice on validation; the first of equal ones.
    fn chosen(&self, arm: &Arm) -> Result<Option<f64>, BenchRunError> {
        let results = self.plan.tuning.results()?;
        let mut best: Option<(f64, f64)> = None;
        for (n, value) in self.plan.tried(arm).iter().enumerate() {
            let key = self.plan.try_key(arm, n, self.block);
            let found = results.iter().find(|run| run.key == key);
            let dice = found.map_or(f64::NEG_INFINITY, |run| run.macro_dice);
            if best.is_none_or(|(most, _)| dice > most) {
                best = Some((dice, *value));
            }
        }
        Ok(best.map(|(_, value)| value))
    }

    /// Dice of each class by the first runs: the mean of theirs.
    fn first_dice(&self) -> Result<Vec<Option<f64>>, BenchRunError> {
        let first = self.plan.first.results()?;
        let names = self.stage.scene.set.classes().names();
        let of = |name: &String| measured_difficulty(&first, name, self.block);
        Ok(names.iter().map(|name| Some(1.0 - of(name)?)).collect())
    }

    fn trial(
        &mut self,
        folder: &ResultFolder,
        arm: &Arm,
        key: RunKey,
        setting: Option<f64>,
        on: Part,
    ) -> Result<(), BenchRunError> {
        let (done, all) = (*self.count.0, self.count.1);
        goes_on((self.progress)(&Doing::Runs(done, all)))?;
        // A class that no first run scores is as hard as can be.
        let known: Vec<f64> = self.dice.iter().map(|dice| dice.unwrap_or(0.0)).collect();
        let trial = Trial {
            arm,
            seed: key.seed,
            setting,
            dice: Some(&known),
            on,
        };
        let every = if on == Part::Test {
            self.plan.file.trace_every
        } else {
            0
        };
        let shared = &self.plan.file.run;
        let reached = trial.run(self.stage, shared, every, self.device, self.progress)?;
        self.keep(folder, key, setting, reached)?;
        *self.count.0 += 1;
        goes_on((self.progress)(&Doing::Runs(done + 1, all)))
    }

    fn keep(
        &self,
        folder: &ResultFolder,
        key: RunKey,
        setting: Option<f64>,
        reached: Reached,
    ) -> Result<(), BenchRunError> {
        if !reached.trace.is_empty() {
            trace::write(&trace_path(&self.plan.folder, &key)?, &reached.trace)?;
        }
        let mut classes = reached.classes;
        for (class, dice) in classes.iter_mut().zip(&self.dice) {
            class.difficulty = dice.map(|dice| 1.0 - dice);
        }
        Ok(folder.keep(&RunResult {
            key,
            settings: self.plan.settings.clone(),
            program: crate::learn::eval_dfa::EvalReport::this_program(),
            seconds: reached.seconds,
            macro_dice: reached.macro_dice,
            setting,
            classes,
        })?)
    }
}

/// Where the looks of a training are kept; the folder is made where it is missing.
fn trace_path(folder: &Path, key: &RunKey) -> Result<PathBuf, BenchRunError> {
    let traces = folder.join("traces");
    std::fs::create_dir_all(&traces).map_err(|error| BenchRunError::Trace {
        path: traces.clone(),
        reason: error.to_string(),
    })?;
    let name = format!(
        "{}.seed-{}.rotation-{}.csv",
        key.mode, key.seed, key.rotation
    );
    Ok(traces.join(name))
}
