//! Retention: what a probe trained at 10x still knows at 20x and 40x.

use burn::tensor::Device;
use serde::Serialize;

use super::arm::Arm;
use super::footprint::{Footprint, Scale, Wanted, draw, scored_classes};
use super::scores::{ProbeScores, RankScores};
use super::slides::{Split, phantom, slide_seed};
use super::watch::Watch;
use super::{EvalConfig, EvalError};
use crate::learn::embed::{Features, Tile, TileAt};
use crate::learn::metrics::Confusion;
use crate::learn::probe::{Fit, Probe};
use crate::learn::rank::effective_rank;
use crate::slide::SlideSource;
use crate::slide::phantom::Tissue;

/// What every part of an evaluation works with.
pub struct Bench<'a> {
    /// The settings.
    pub config: &'a EvalConfig,
    /// Where encoders live.
    pub device: &'a Device,
    /// What is compared.
    pub arms: &'a [Arm<'a>],
    /// Which slides and places.
    pub seed: u64,
}

impl Bench<'_> {
    /// Side of tiles, px.
    pub fn side_px(&self) -> u32 {
        self.config.tile_px as u32
    }
}

/// One class of a tissue, in the first seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScores {
    /// Its name.
    pub class: String,
    /// Footprints that the probe was trained on.
    pub training: usize,
    /// Footprints that it was tested on.
    pub held_out: usize,
    /// F1 of the probe trained at 10x, at each scale, 0–1; `None` of a class that is neither true
    /// nor predicted.
    pub f1_10x: Option<f64>,
    /// See `f1_10x`.
    pub f1_20x: Option<f64>,
    /// See `f1_10x`.
    pub f1_40x: Option<f64>,
}

/// What one arm reached on one tissue with one seed.
#[derive(Debug, Clone)]
pub struct TissueResult {
    /// The figures.
    pub scores: ProbeScores,
    /// The classes behind them.
    pub classes: Vec<ClassScores>,
    /// How the probes at 10x and at 40x converged.
    pub fits: [Fit; 2],
}

/// Embeddings whose effective rank is told: one row a footprint.
#[derive(Debug, Clone, Default)]
pub struct RankRows {
    cls: [Vec<f32>; 2],
    tokens: [Vec<f32>; 2],
}

impl RankRows {
    /// Effective ranks of embeddings of `width` values.
    pub fn scores(&self, width: usize) -> RankScores {
        RankScores {
            cls_10x: effective_rank(&self.cls[0], width),
            cls_40x: effective_rank(&self.cls[1], width),
            tokens_10x: effective_rank(&self.tokens[0], width),
            tokens_40x: effective_rank(&self.tokens[1], width),
        }
    }

    /// Rows of each kind.
    pub fn count(&self, width: usize) -> usize {
        self.cls[0].len() / width.max(1)
    }

    fn take(&mut self, scale: Scale, features: &Features, footprints: &[Footprint], first: usize) {
        let slot = match scale {
            Scale::X10 => 0,
            Scale::X20 => return,
            Scale::X40 => 1,
        };
        for (n, footprint) in footprints.iter().enumerate() {
            let block = footprint.block(scale, features.grid);
            // Another token of the block each time: always the same would be one position's.
            let at = (first + n) % (block.side * block.side).max(1);
            let token = (block.column + at % block.side, block.row + at / block.side);
            self.cls[slot].extend_from_slice(features.cls(n));
            self.tokens[slot].extend_from_slice(features.token(n, token));
        }
    }
}

/// Mean tokens of the footprints of one arm, at each scale: one row a footprint.
type Rows = [Vec<f32>; 3];

/// Embedded footprints of a split.
struct Gathered {
    labels: Vec<usize>,
    arms: Vec<Rows>,
}

/// Tiles that [`tissue`] reads at most.
pub fn forecast(config: &EvalConfig, tissue: Tissue) -> u64 {
    let each = config.footprints * scored_classes(tissue).len();
    (each * (2 * config.training_slides + 3 * config.held_out_slides)) as u64
}

/// Every arm's retention on one tissue; `ranks`, one an arm, get the held-out embeddings.
///
/// # Errors
/// When a slide can't be read, a probe does not converge or a class is missing, or the user stops.
pub fn tissue(
    bench: &Bench,
    tissue: Tissue,
    ranks: &mut [RankRows],
    watch: &mut Watch,
) -> Result<Vec<TissueResult>, EvalError> {
    let training = gather(bench, tissue, Split::Training, &mut [], watch)?;
    let held_out = gather(bench, tissue, Split::HeldOut, ranks, watch)?;
    let score = |(n, arm): (usize, &Arm)| {
        let case = Case {
            tissue,
            arm,
            training: (&training.labels, &training.arms[n]),
            held_out: (&held_out.labels, &held_out.arms[n]),
        };
        case.score(bench.config)
    };
    bench.arms.iter().enumerate().map(score).collect()
}

fn gather(
    bench: &Bench,
    tissue: Tissue,
    split: Split,
    ranks: &mut [RankRows],
    watch: &mut Watch,
) -> Result<Gathered, EvalError> {
    let (slides, scales) = match split {
        Split::Training => (bench.config.training_slides, &[Scale::X10, Scale::X40][..]),
        Split::HeldOut => (bench.config.held_out_slides, &Scale::ALL[..]),
    };
    let mut gathered = Gathered {
        labels: Vec::new(),
        arms: vec![Rows::default(); bench.arms.len()],
    };
    for n in 0..slides {
        let slide = phantom(tissue, slide_seed(split, bench.seed, n))?;
        let footprints = draw(&slide, bench.config.wanted())?;
        for chunk in footprints.chunks(bench.config.batch) {
            for scale in scales {
                let tiles = read(bench, &slide, chunk, *scale)?;
                gathered.take(bench, &tiles, chunk, *scale, ranks)?;
                watch.add(tiles.len())?;
            }
            gathered.labels.extend(chunk.iter().map(|f| f.label));
        }
    }
    Ok(gathered)
}

fn read(
    bench: &Bench,
    slide: &dyn SlideSource,
    footprints: &[Footprint],
    scale: Scale,
) -> Result<Vec<Tile>, EvalError> {
    let place = |footprint: &Footprint| footprint.tile(scale, bench.config.tile_px);
    let places: Vec<TileAt> = footprints.iter().map(place).collect();
    Ok(Tile::read_all(slide, &places, bench.side_px())?)
}

impl Gathered {
    fn take(
        &mut self,
        bench: &Bench,
        tiles: &[Tile],
        footprints: &[Footprint],
        scale: Scale,
        ranks: &mut [RankRows],
    ) -> Result<(), EvalError> {
        for (n, arm) in bench.arms.iter().enumerate() {
            let features = arm.see(tiles, bench.device)?;
            for (tile, footprint) in footprints.iter().enumerate() {
                let block = footprint.block(scale, features.grid);
                self.arms[n][scale as usize].extend(features.mean(tile, block));
            }
            if let Some(rows) = ranks.get_mut(n) {
                rows.take(scale, &features, footprints, self.labels.len());
            }
        }
        Ok(())
    }
}

impl EvalConfig {
    fn wanted(&self) -> Wanted {
        Wanted {
            per_class: self.footprints,
            least_share: self.least_share,
            tile_px: self.tile_px,
        }
    }
}

/// One arm on one tissue: labels and rows.
struct Case<'a> {
    tissue: Tissue,
    arm: &'a Arm<'a>,
    training: (&'a [usize], &'a Rows),
    held_out: (&'a [usize], &'a Rows),
}

impl Case<'_> {
    fn score(&self, config: &EvalConfig) -> Result<TissueResult, EvalError> {
        let coarse = self.fit(config, Scale::X10)?;
        let fine = self.fit(config, Scale::X40)?;
        let [at_10x, at_20x, at_40x] = Scale::ALL.map(|scale| self.test(&coarse, scale));
        let f1_10x = at_10x.macro_f1();
        // A probe that knows nothing at 10x has nothing to retain.
        let retained = |f1: f64| if f1_10x > 0.0 { f1 / f1_10x } else { 0.0 };
        let scores = ProbeScores {
            f1_10x,
            f1_20x: at_20x.macro_f1(),
            f1_40x: at_40x.macro_f1(),
            retention_20x: retained(at_20x.macro_f1()),
            retention_40x: retained(at_40x.macro_f1()),
            ceiling_40x: self.test(&fine, Scale::X40).macro_f1(),
            reverse_10x: self.test(&fine, Scale::X10).macro_f1(),
        };
        Ok(TissueResult {
            scores,
            classes: self.classes(&[at_10x, at_20x, at_40x]),
            fits: [coarse.fit_report(), fine.fit_report()],
        })
    }

    fn fit(&self, config: &EvalConfig, scale: Scale) -> Result<Probe, EvalError> {
        let (labels, rows) = self.training;
        let classes = scored_classes(self.tissue).len();
        let width = self.arm.width();
        Probe::fit(&rows[scale as usize], width, labels, classes, &config.probe).map_err(|error| {
            EvalError::Probe {
                arm: self.arm.name.clone(),
                set: self.tissue.name().to_owned(),
                error,
            }
        })
    }

    fn test(&self, probe: &Probe, scale: Scale) -> Confusion {
        let (labels, rows) = self.held_out;
        let predicted = probe.predict(&rows[scale as usize]);
        Confusion::of(scored_classes(self.tissue).len(), labels, &predicted)
    }

    fn classes(&self, confusions: &[Confusion; 3]) -> Vec<ClassScores> {
        let count = |labels: &[usize], label: usize| labels.iter().filter(|l| **l == label).count();
        let of = |(label, class): (usize, usize)| ClassScores {
            class: self.tissue.classes()[class].name.to_owned(),
            training: count(self.training.0, label),
            held_out: count(self.held_out.0, label),
            f1_10x: confusions[0].f1(label),
            f1_20x: confusions[1].f1(label),
            f1_40x: confusions[2].f1(label),
        };
        let scored = scored_classes(self.tissue);
        scored.into_iter().enumerate().map(of).collect()
    }
}
