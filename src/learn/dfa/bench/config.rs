//! What a benchmark is made of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::plan::BenchRunError;
use crate::files::hex;
use crate::learn::bench_dfa::{COLOUR, Role, role_of};
use crate::learn::dfa::config::DfaConfig;
use crate::learn::dfa::mode::Mode;
use crate::learn::dfa::scene::SceneConfig;
use crate::learn::sets::phantom::KnobChange;
use crate::learn::sets::{FoldConfig, SetConfig};
use crate::model::dfa::Prior;
use crate::slide::phantom::spec::FORMULA_VERSION;

/// A benchmark file (TOML).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchFile {
    /// Seeds of the trainings: first weights and order of crops. All see the same crops.
    pub seeds: Vec<u64>,
    /// Modes to compare, each an arm of its name.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// Further arms.
    #[serde(default, rename = "arm", skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<Arm>,
    /// The arm that the others are compared with.
    #[serde(default = "none")]
    pub reference: String,
    /// Further pairs of arms whose difference is reported, seed by seed: the first less the second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<[String; 2]>,
    /// Crops that are made once and shared by all trainings of a block.
    pub kept_crops: usize,
    /// Scale of the class maps that are scored, µm/px.
    #[serde(default = "one")]
    pub mpp: f64,
    /// What is chosen on validation.
    #[serde(default)]
    pub tuning: Tuning,
    /// Seeds of the independent runs without bias by which difficulty is measured.
    #[serde(default = "first_seeds")]
    pub first_seeds: Vec<u64>,
    /// Steps between two looks at loss and attention of each class; 0 for none.
    #[serde(default)]
    pub trace_every: u64,
    /// The class whose looks are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_class: Option<String>,
    /// The training; its seed and mode are set run by run.
    pub run: DfaConfig,
    /// Set, split, crops and encoder.
    pub data: SceneConfig,
    /// What is rotated.
    #[serde(default)]
    pub blocks: Blocks,
}

fn none() -> String {
    Mode::None.name().to_owned()
}

fn one() -> f64 {
    1.0
}

fn first_seeds() -> Vec<u64> {
    vec![9001, 9002]
}

/// One row of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name in tables: letters, digits and `-`.
    pub name: String,
    /// How the bias is treated.
    pub mode: Mode,
    /// Its own prior, with which nothing is tuned; else the training's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

/// Settings that are chosen on validation, block by block, by one training each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// Seed of these trainings.
    pub seed: u64,
    /// α of `frequency`, `difficulty` and `dfa`; fewer than two leave the training's.
    pub alphas: Vec<f64>,
    /// τ of `difficulty-loss` and `logit-adjusted`.
    pub taus: Vec<f64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            seed: 9101,
            alphas: vec![0.1, 0.5, 2.0],
            taus: vec![0.5, 1.0, 2.0],
        }
    }
}

/// What differs between the blocks of a benchmark. Results of a seed are averaged over them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Blocks {
    /// One block: the set as it is.
    #[default]
    One,
    /// Roles of four classes of a phantom, rotated (Latin square): four blocks.
    Roles(Roles),
    /// Each fold of a set is a block.
    Folds(FoldConfig),
}

/// How a class of a phantom is made to play a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The four classes.
    pub classes: [String; 4],
    /// Wished share of a rare class; see [`KnobChange::frequency`].
    pub rare: f64,
    /// That of a common one.
    pub common: f64,
    /// Knobs of an easy class; its name and frequency are set.
    pub easy: Difficulty,
    /// Knobs of a hard one.
    pub hard: Difficulty,
}

/// The knobs that make a class easy or hard; see [`KnobChange`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difficulty {
    /// Width of the transition to a neighbour, µm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguity_um: Option<f64>,
    /// How far its colours are drawn towards its neighbour's, 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// Spread of size and shape, 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variability: Option<f64>,
}

impl Roles {
    /// The role of a class in a rotation; `None` for a class without one.
    pub fn of(&self, class: &str, rotation: usize) -> Option<Role> {
        let index = self.classes.iter().position(|name| name == class)?;
        Some(role_of(index, rotation))
    }

    /// The knobs of all four classes in a rotation.
    pub fn knobs(&self, rotation: usize) -> Vec<KnobChange> {
        let knob = |(index, name): (usize, &String)| {
            let (rare, difficulty) = match role_of(index, rotation) {
                Role::RareEasy => (true, self.easy),
                Role::RareHard => (true, self.hard),
                Role::CommonEasy => (false, self.easy),
                Role::CommonHard => (false, self.hard),
            };
            KnobChange {
                name: name.clone(),
                frequency: Some(if rare { self.rare } else { self.common }),
                variability: difficulty.variability,
                ambiguity_um: difficulty.ambiguity_um,
                similarity: difficulty.similarity,
            }
        };
        self.classes.iter().enumerate().map(knob).collect()
    }
}

impl BenchFile {
    /// Every arm: the modes, then the others.
    pub fn all_arms(&self) -> Vec<Arm> {
        let of_mode = |mode: &Mode| Arm {
            name: mode.name().to_owned(),
            mode: *mode,
            prior: None,
        };
        let modes = self.modes.iter().map(of_mode);
        modes.chain(self.arms.iter().cloned()).collect()
    }

    /// The data as a block sees them.
    ///
    /// # Errors
    /// When roles are wanted of a set that is no phantom.
    pub fn data_of(&self, block: usize) -> Result<SceneConfig, BenchRunError> {
        let mut data = self.data.clone();
        if let Blocks::Folds(folds) = &self.blocks {
            (data.folds, data.fold) = (Some(folds.clone()), block);
        }
        if let Blocks::Roles(roles) = &self.blocks {
            let SetConfig::Phantom(phantom) = &mut data.set else {
                let words = "blocks.roles needs a phantom set: real tissue can't be given roles";
                return Err(BenchRunError::Settings(words.to_owned()));
            };
            phantom.knobs.extend(roles.knobs(block));
        }
        Ok(data)
    }

    /// Checks what can be known before anything is opened.
    ///
    /// # Errors
    /// With the first setting that is wrong.
    pub fn check(&self) -> Result<(), BenchRunError> {
        let refuse = |words: String| Err(BenchRunError::Settings(words));
        let arms = self.all_arms();
        let names: BTreeSet<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        if names.len() < arms.len() || arms.is_empty() {
            return refuse("modes and arms: at least one, each of its own name".to_owned());
        }
        if !names.contains(self.reference.as_str()) {
            let names: Vec<&str> = names.into_iter().collect();
            return refuse(format!(
                "reference is '{}', not one of {}",
                self.reference,
                names.join(", ")
            ));
        }
        if names.contains(COLOUR) {
            return refuse(format!(
                "'{COLOUR}' is the floor's name and can be no arm's"
            ));
        }
        let unknown = |name: &&String| !names.contains(name.as_str());
        if let Some(name) = self.pairs.iter().flatten().find(unknown) {
            return refuse(format!("pairs: there is no arm '{name}'"));
        }
        if self.seeds.is_empty() || self.first_seeds.is_empty() || self.kept_crops == 0 {
            return refuse("seeds, first_seeds and kept_crops must not be empty".to_owned());
        }
        let others = self.first_seeds.iter().chain([&self.tuning.seed]);
        if let Some(seed) = others.into_iter().find(|seed| self.seeds.contains(seed)) {
            return refuse(format!(
                "seed {seed} is compared and also used before: those runs must be others"
            ));
        }
        self.run
            .check()
            .map_err(|error| BenchRunError::Settings(error.to_string()))
    }

    /// SHA-256 of all that its runs share: not of seeds and arms, which may be added to.
    ///
    /// # Errors
    /// When the encoder can't be read.
    pub fn hash(&self, base: &Path) -> Result<String, BenchRunError> {
        let mut shared = self.clone();
        shared.seeds.clear();
        shared.modes.clear();
        shared.arms.clear();
        shared.reference.clear();
        shared.pairs.clear();
        shared.trace_class = None;
        // Known by its content; where it lies does not matter.
        shared.data.encoder = PathBuf::new();
        let path = base.join(&self.data.encoder);
        let encoder = crate::model::weights::hash_of(&path)
            .map_err(|error| BenchRunError::Settings(error.to_string()))?;
        let words =
            toml::to_string(&shared).map_err(|error| BenchRunError::Settings(error.to_string()))?;
        let mut hash = Sha256::new();
        hash.update(format!("{words}\n{encoder}\nphantom {FORMULA_VERSION}"));
        Ok(format!("sha256:{}", hex(&hash.finalize())))
    }
}
