//! One table of all modes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::folder::BenchError;
use super::roles::Role;
use super::run::{ClassRun, RunResult};
use super::values::{BIASES, BiasFigure, ModeRuns, Pick, figure, paired};
use crate::learn::statistics::{CONFIDENCE, Figure, partial, pearson, spearman};

/// Modes of the bias, in the order of tables: none; fixed and learned ones; other remedies for rare
/// or hard classes.
pub const MODES: [&str; 9] = [
    "none",
    "frozen",
    "frequency",
    "difficulty",
    "dfa",
    "anchored",
    "inverse-frequency",
    "difficulty-loss",
    "logit-adjusted",
];

/// The name of the row that no network made: a classifier of single pixels' colours, one a block. It
/// is compared with nothing.
pub const COLOUR: &str = "colour";

/// All modes against one of them. Every figure has one value a seed, averaged over the rotations
/// first; intervals are 95 % by Student's t over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchTable {
    /// Programs and versions that made the runs.
    pub programs: Vec<String>,
    /// Hash of the settings that all runs share.
    pub settings: String,
    /// The mode that the others are compared with.
    pub reference: String,
    /// Rows of the Latin square that every seed has.
    pub rotations: Vec<usize>,
    /// Each mode.
    pub modes: Vec<ModeRow>,
    /// Further differences that were asked for.
    #[serde(default)]
    pub pairs: Vec<PairRow>,
    /// Seeds that lack a rotation and are left out, by mode.
    pub left_out: BTreeMap<String, Vec<u64>>,
}

/// One mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModeRow {
    /// Its name.
    pub mode: String,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// Macro Dice, 0–1.
    pub macro_dice: Option<Figure>,
    /// Macro Dice less that of the reference, by seed.
    pub difference: Option<Figure>,
    /// The same with intervals that hold for all modes at once (Bonferroni).
    pub difference_of_all: Option<Figure>,
    /// Seconds of training.
    pub seconds: Option<Figure>,
    /// α or τ by rotation, where it was chosen on validation.
    pub chosen: BTreeMap<usize, f64>,
    /// Each class, over all roles that it had.
    pub classes: Vec<GroupRow>,
    /// Each role, over all classes that had it; empty without roles.
    pub roles: Vec<GroupRow>,
    /// What the bias follows; empty in modes whose bias is none or does not vary.
    pub correlations: Vec<Correlation>,
    /// Every class of every run with a bias.
    pub points: Vec<BiasPoint>,
}

/// Dice of one mode less that of another, by seed, in points of 0–1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// The first.
    pub mode: String,
    /// What is taken from it.
    pub less: String,
    /// Of macro Dice.
    pub macro_dice: Option<Figure>,
    /// Of each class by name.
    pub classes: Vec<(String, Option<Figure>)>,
    /// Of each role; empty without roles.
    pub roles: Vec<(String, Option<Figure>)>,
}

/// A class or role in one mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Its name.
    pub name: String,
    /// Dice, 0–1.
    pub dice: Option<Figure>,
    /// Intersection over union, 0–1: by Dice, run by run (both are of the same pooled pixels).
    pub iou: Option<Figure>,
    /// Dice less that of the reference, by seed.
    pub difference: Option<Figure>,
    /// b.
    pub learned: Option<Figure>,
    /// b less that at the start.
    pub change: Option<Figure>,
    /// b plus the mean of the rest of the attention logit.
    pub effective_offset: Option<Figure>,
    /// Share of attention, 0–1.
    pub attention_share: Option<Figure>,
}

/// How a figure of the bias goes with difficulty and with ln frequency, over the classes of all
/// rotations of a seed; each figure has one value a seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// Which figure of the bias.
    pub of: String,
    /// `difficulty` or `ln frequency`.
    pub with: String,
    /// Classes in a seed, at least.
    pub points: usize,
    /// Pearson's r.
    pub pearson: Option<Figure>,
    /// Spearman's ρ.
    pub spearman: Option<Figure>,
    /// Pearson's r once the other of the two is taken out.
    pub partial: Option<Figure>,
}

/// A class of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BiasPoint {
    /// b.
    pub learned: f64,
    /// 1 − Dice of independent runs without bias.
    pub difficulty: f64,
    /// Share of the training pixels.
    pub frequency: f64,
    /// Its role.
    pub role: Option<Role>,
}

impl BenchTable {
    /// The table of `results`, with differences to `reference` and those of further `pairs`.
    ///
    /// # Errors
    /// When there is no result, no complete one of the reference, or runs of other settings or
    /// classes.
    pub fn of(
        results: &[RunResult],
        reference: &str,
        pairs: &[[String; 2]],
    ) -> Result<Self, BenchError> {
        let first = results
            .first()
            .ok_or_else(|| table_error("there is no result"))?;
        check_alike(first, results)?;
        let rotations: BTreeSet<usize> = results.iter().map(|run| run.key.rotation).collect();
        let rotations: Vec<usize> = rotations.into_iter().collect();
        let (base, _) = ModeRuns::of(results, reference, &rotations);
        if base.seeds().is_empty() {
            let words = format!("no seed of the reference `{reference}` has all rotations");
            return Err(table_error(&words));
        }
        let names = modes_of(results);
        let compared = names.iter().filter(|name| *name != COLOUR).count();
        let group = Groups::of(first, results, (reference, compared));
        let mut left_out = BTreeMap::new();
        let mut modes = Vec::new();
        for mode in names {
            let (runs, incomplete) = ModeRuns::of(results, &mode, &rotations);
            if !incomplete.is_empty() {
                left_out.insert(mode.clone(), incomplete);
            }
            modes.push(group.row(mode, &runs, &base));
        }
        let programs: BTreeSet<&String> = results.iter().map(|run| &run.program).collect();
        Ok(Self {
            programs: programs.into_iter().cloned().collect(),
            settings: first.settings.clone(),
            reference: reference.to_owned(),
            rotations: rotations.clone(),
            pairs: pairs
                .iter()
                .map(|pair| group.pair(pair, results, &rotations))
                .collect(),
            modes,
            left_out,
        })
    }

    /// As JSON, ending in a line break.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn table_error(words: &str) -> BenchError {
    BenchError::Table(words.to_owned())
}

fn check_alike(first: &RunResult, results: &[RunResult]) -> Result<(), BenchError> {
    let names = |run: &RunResult| -> Vec<String> {
        run.classes
            .iter()
            .map(|class| class.class.clone())
            .collect()
    };
    let wanted = names(first);
    for run in results {
        if run.settings != first.settings || names(run) != wanted {
            let (mode, seed) = (&run.key.mode, run.key.seed);
            let words = format!("mode {mode}, seed {seed} has other settings or classes");
            return Err(table_error(&words));
        }
    }
    Ok(())
}

/// Known modes in their order, then others by name, colour alone last.
fn modes_of(results: &[RunResult]) -> Vec<String> {
    let found: BTreeSet<&str> = results.iter().map(|run| run.key.mode.as_str()).collect();
    let known = MODES.iter().copied().filter(|mode| found.contains(mode));
    let other = |mode: &&str| !MODES.contains(mode) && *mode != COLOUR;
    let other = found.iter().copied().filter(other);
    let colour = found.contains(COLOUR).then_some(COLOUR);
    known
        .chain(other)
        .chain(colour)
        .map(str::to_owned)
        .collect()
}

/// What every mode's row is made by.
struct Groups<'a> {
    classes: Vec<String>,
    roles: BTreeSet<Role>,
    reference: &'a str,
    /// Modes that are compared with the reference.
    compared: usize,
}

impl<'a> Groups<'a> {
    fn of(first: &RunResult, results: &[RunResult], (reference, modes): (&'a str, usize)) -> Self {
        let all = results.iter().flat_map(|run| &run.classes);
        Self {
            classes: first
                .classes
                .iter()
                .map(|class| class.class.clone())
                .collect(),
            roles: all.filter_map(|class| class.role).collect(),
            reference,
            compared: modes.saturating_sub(1),
        }
    }

    fn row(&self, mode: String, runs: &ModeRuns, base: &ModeRuns) -> ModeRow {
        let base = (mode != self.reference).then_some(base);
        let of_all = |runs: &ModeRuns| runs.by_seed(&|run| Some(run.macro_dice));
        let differences = base.map_or_else(Vec::new, |base| paired(&of_all(runs), &of_all(base)));
        let confidence = 1.0 - (1.0 - CONFIDENCE) / self.compared.max(1) as f64;
        let class_rows = self.classes.iter().map(|name| {
            let pick = |class: &ClassRun| class.class == *name;
            group_row(name, runs, base, &pick)
        });
        let role_rows = self.roles.iter().map(|role| {
            let pick = |class: &ClassRun| class.role == Some(*role);
            group_row(role.name(), runs, base, &pick)
        });
        ModeRow {
            seeds: runs.seeds(),
            macro_dice: figure(&of_all(runs)),
            difference: Figure::of(differences.clone()),
            difference_of_all: Figure::at(differences, confidence),
            // Colour is fitted, not trained.
            seconds: figure(&runs.by_seed(&|run| (mode != COLOUR).then_some(run.seconds))),
            chosen: runs.settings(),
            classes: class_rows.collect(),
            roles: role_rows.collect(),
            correlations: correlations(runs),
            points: runs.points(&bias_point).into_iter().flatten().collect(),
            mode,
        }
    }
}

impl Groups<'_> {
    fn pair(
        &self,
        [mode, less]: &[String; 2],
        results: &[RunResult],
        rotations: &[usize],
    ) -> PairRow {
        let [first, second] = [mode, less].map(|name| ModeRuns::of(results, name, rotations).0);
        let difference = |pick: Pick| {
            let dice = |runs: &ModeRuns| runs.of_classes(pick, &|class| class.dice);
            Figure::of(paired(&dice(&first), &dice(&second)))
        };
        let of_all = |runs: &ModeRuns| runs.by_seed(&|run| Some(run.macro_dice));
        let classes = self.classes.iter().map(|name| {
            let found = difference(&|class| class.class == *name);
            (name.clone(), found)
        });
        let roles = self.roles.iter().map(|role| {
            let found = difference(&|class| class.role == Some(*role));
            (role.name().to_owned(), found)
        });
        PairRow {
            mode: mode.clone(),
            less: less.clone(),
            macro_dice: Figure::of(paired(&of_all(&first), &of_all(&second))),
            classes: classes.collect(),
            roles: roles.collect(),
        }
    }
}

fn group_row(name: &str, runs: &ModeRuns, base: Option<&ModeRuns>, pick: Pick) -> GroupRow {
    let dice = |runs: &ModeRuns| runs.of_classes(pick, &|class| class.dice);
    let bias =
        |of: BiasFigure| figure(&runs.of_classes(pick, &|class| class.bias.as_ref().and_then(of)));
    GroupRow {
        name: name.to_owned(),
        dice: figure(&dice(runs)),
        iou: figure(&runs.of_classes(pick, &ClassRun::iou)),
        difference: base.and_then(|base| Figure::of(paired(&dice(runs), &dice(base)))),
        learned: bias(|bias| Some(bias.learned)),
        change: bias(|bias| Some(bias.change)),
        effective_offset: bias(|bias| bias.effective_offset),
        attention_share: bias(|bias| bias.attention_share),
    }
}

fn bias_point(class: &ClassRun) -> Option<BiasPoint> {
    Some(BiasPoint {
        learned: class.bias?.learned,
        difficulty: class.difficulty?,
        frequency: class.frequency,
        role: class.role,
    })
}

/// Every figure of the bias with difficulty and with ln frequency.
fn correlations(runs: &ModeRuns) -> Vec<Correlation> {
    let mut found = Vec::new();
    for (name, of) in BIASES {
        let seeds = runs.points(&|class| {
            let seen = class.frequency > 0.0;
            let bias = class.bias.as_ref().and_then(of)?;
            seen.then_some([bias, class.difficulty?, class.frequency.ln()])
        });
        found.push(correlation((name, "difficulty"), &seeds, [0, 1, 2]));
        found.push(correlation((name, "ln frequency"), &seeds, [0, 2, 1]));
    }
    found.retain(|row| row.pearson.is_some());
    found
}

/// A figure of three columns.
type ThreeColumns<'a> = &'a dyn Fn(&[f64], &[f64], &[f64]) -> Option<f64>;

/// Of columns `x` and `y` of each seed's points, with `z` taken out in the last figure.
fn correlation(
    (of, with): (&str, &str),
    seeds: &[Vec<[f64; 3]>],
    [x, y, z]: [usize; 3],
) -> Correlation {
    let column = |points: &[[f64; 3]], n: usize| -> Vec<f64> {
        points.iter().map(|point| point[n]).collect()
    };
    let over_seeds = |how: ThreeColumns| {
        let of_seed = |points: &Vec<[f64; 3]>| {
            how(&column(points, x), &column(points, y), &column(points, z))
        };
        let values: Vec<f64> = seeds.iter().filter_map(of_seed).collect();
        Figure::of(values).map(|figure| figure.within(-1.0, 1.0))
    };
    Correlation {
        of: of.to_owned(),
        with: with.to_owned(),
        points: seeds.iter().map(Vec::len).min().unwrap_or(0),
        pearson: over_seeds(&|x, y, _| pearson(x, y)),
        spearman: over_seeds(&|x, y, _| spearman(x, y)),
        partial: over_seeds(&partial),
    }
}
