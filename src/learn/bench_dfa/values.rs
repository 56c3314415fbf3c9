//! One value a seed: what runs of several rotations come to.

use std::collections::BTreeMap;

use super::run::{BiasFigures, ClassRun, RunResult};
use crate::learn::statistics::{Figure, mean};

/// The complete runs of one mode, by seed: each seed has every rotation.
#[derive(Debug, Clone)]
pub(super) struct ModeRuns<'a> {
    seeds: BTreeMap<u64, Vec<&'a RunResult>>,
}

/// Which classes of a run are meant.
pub(super) type Pick<'a> = &'a dyn Fn(&ClassRun) -> bool;

impl<'a> ModeRuns<'a> {
    /// The runs of `mode` of seeds that have all `rotations`, and the seeds that have not.
    pub(super) fn of(
        results: &'a [RunResult],
        mode: &str,
        rotations: &[usize],
    ) -> (Self, Vec<u64>) {
        let mut seeds: BTreeMap<u64, Vec<&RunResult>> = BTreeMap::new();
        for result in results.iter().filter(|result| result.key.mode == mode) {
            seeds.entry(result.key.seed).or_default().push(result);
        }
        let complete = |runs: &Vec<&RunResult>| {
            let has = |rotation| runs.iter().any(|run| run.key.rotation == rotation);
            rotations.iter().all(|rotation| has(*rotation))
        };
        let left_out = seeds.iter().filter(|(_, runs)| !complete(runs));
        let left_out = left_out.map(|(seed, _)| *seed).collect();
        seeds.retain(|_, runs| complete(runs));
        (Self { seeds }, left_out)
    }

    pub(super) fn seeds(&self) -> Vec<u64> {
        self.seeds.keys().copied().collect()
    }

    /// What was chosen on validation, by rotation; equal for all seeds.
    pub(super) fn settings(&self) -> BTreeMap<usize, f64> {
        let runs = self.seeds.values().flatten();
        runs.filter_map(|run| Some((run.key.rotation, run.setting?)))
            .collect()
    }

    /// The value of each seed: the mean over its rotations. A seed of which a rotation has no value
    /// is left out.
    pub(super) fn by_seed(&self, value: &dyn Fn(&RunResult) -> Option<f64>) -> BTreeMap<u64, f64> {
        let of_seed = |(seed, runs): (&u64, &Vec<&RunResult>)| {
            let values: Option<Vec<f64>> = runs.iter().map(|run| value(run)).collect();
            Some((*seed, mean(&values?)))
        };
        self.seeds.iter().filter_map(of_seed).collect()
    }

    /// The same of the classes of each run that `pick` names: the mean of theirs.
    pub(super) fn of_classes(
        &self,
        pick: Pick,
        value: &dyn Fn(&ClassRun) -> Option<f64>,
    ) -> BTreeMap<u64, f64> {
        self.by_seed(&|run| {
            let picked = run.classes.iter().filter(|class| pick(class));
            let values: Vec<f64> = picked.map(value).collect::<Option<_>>()?;
            (!values.is_empty()).then(|| mean(&values))
        })
    }

    /// Every class of every run of each seed that has all that `point` wants.
    pub(super) fn points<T>(&self, point: &dyn Fn(&ClassRun) -> Option<T>) -> Vec<Vec<T>> {
        let of_seed = |runs: &Vec<&RunResult>| {
            let classes = runs.iter().flat_map(|run| &run.classes);
            classes.filter_map(point).collect()
        };
        self.seeds.values().map(of_seed).collect()
    }
}

/// The figure of what seeds have.
pub(super) fn figure(values: &BTreeMap<u64, f64>) -> Option<Figure> {
    Figure::of(values.values().copied().collect())
}

/// `values` less `reference`, seed by seed, for the seeds that both have.
pub(super) fn paired(values: &BTreeMap<u64, f64>, reference: &BTreeMap<u64, f64>) -> Vec<f64> {
    let both = values.iter();
    both.filter_map(|(seed, value)| Some(value - reference.get(seed)?))
        .collect()
}

/// One of the figures of a bias.
pub(super) type BiasFigure = fn(&BiasFigures) -> Option<f64>;

/// The biases that are compared with difficulty and frequency.
pub(super) const BIASES: [(&str, BiasFigure); 3] = [
    ("b at the end", |bias| Some(bias.learned)),
    ("change of b", |bias| Some(bias.change)),
    ("effective offset", |bias| bias.effective_offset),
];
