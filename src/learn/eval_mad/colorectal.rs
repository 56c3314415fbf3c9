//! Real tissue: nine classes of colorectal tiles from two sources, a probe from one to the other.
//!
//! Scale and source are confounded and there are few tiles, so the figures are anecdotal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::EvalError;
use super::arm::Arm;
use super::retention::Bench;
use super::watch::Watch;
use crate::geometry::{Mpp, UmPoint};
use crate::learn::embed::{Block, Tile, TileAt};
use crate::learn::metrics::Confusion;
use crate::learn::probe::Probe;
use crate::learn::statistics::{CONFIDENCE, middle_share, wilson};
use crate::slide::image_file::ImageFileSource;
use crate::slide::scaled::Scaled;

/// How tiles are brought to one scale and side.
pub const RESAMPLING: &str = "mean over the exact area of each px, in sRGB";

/// A row of `index.csv`.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    path: PathBuf,
    class: String,
    source: String,
    px: u32,
    approx_mpp: f64,
}

/// All tiles, at one scale and side.
pub struct Set {
    /// Classes, in alphabetical order.
    pub classes: Vec<String>,
    /// Sources, in alphabetical order.
    pub sources: Vec<String>,
    /// Scale that all tiles are brought to, µm/px.
    pub mpp: f64,
    /// Their side, px.
    pub side_px: u32,
    rows: Vec<Row>,
    folder: PathBuf,
}

/// A figure and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The figure, 0–1.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A probe trained on one source and tested on another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transfer {
    /// Source of the training tiles.
    pub from: String,
    /// Source of the test tiles.
    pub to: String,
    /// Training tiles.
    pub training: usize,
    /// Test tiles.
    pub tested: usize,
    /// Share of test tiles that were right; Wilson's interval.
    pub top1: Interval,
    /// Macro-F1; bootstrap interval over all test tiles.
    pub macro_f1: Interval,
}

impl Set {
    /// Reads the index of `folder` and chooses scale and side: the largest side that a multiple of
    /// every encoder's patch allows without up-sampling the coarsest tile, over what the smallest
    /// covers.
    ///
    /// # Errors
    /// When the index can't be read or has no tile.
    pub fn open(folder: &Path, patch_px: u32) -> Result<Self, EvalError> {
        let path = folder.join("index.csv");
        let refuse = |reason: String| EvalError::Settings {
            path: path.clone(),
            reason,
        };
        let mut reader =
            csv::Reader::from_path(&path).map_err(|error| refuse(error.to_string()))?;
        let rows: Result<Vec<Row>, csv::Error> = reader.deserialize().collect();
        let rows = rows.map_err(|error| refuse(error.to_string()))?;
        let side_um = rows.iter().map(|row| f64::from(row.px) * row.approx_mpp);
        let side_um = side_um.fold(f64::INFINITY, f64::min);
        let coarsest = rows.iter().map(|row| row.approx_mpp).fold(0.0, f64::max);
        let side_px = (side_um / coarsest + 1e-6) as u32 / patch_px.max(1) * patch_px;
        if rows.is_empty() || side_px == 0 || !side_um.is_finite() {
            return Err(refuse("it lists no tile as large as a patch".to_owned()));
        }
        let names = |of: fn(&Row) -> &String| {
            let mut names: Vec<String> = rows.iter().map(of).cloned().collect();
            names.sort();
            names.dedup();
            names
        };
        Ok(Self {
            classes: names(|row| &row.class),
            sources: names(|row| &row.source),
            mpp: side_um / f64::from(side_px),
            side_px,
            rows,
            folder: folder.to_owned(),
        })
    }

    /// Number of tiles.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Every arm's transfers, from each source to each other.
    ///
    /// # Errors
    /// When a tile can't be read, a probe does not converge, or the user stops.
    pub fn transfers(
        &self,
        bench: &Bench,
        watch: &mut Watch,
    ) -> Result<Vec<Vec<Transfer>>, EvalError> {
        let mut embedded = vec![Vec::new(); bench.arms.len()];
        for chunk in self.rows.chunks(bench.config.batch) {
            let tiles: Result<Vec<Tile>, EvalError> =
                chunk.par_iter().map(|row| self.read(row)).collect();
            let tiles = tiles?;
            for (arm, rows) in bench.arms.iter().zip(&mut embedded) {
                let features = arm.see(&tiles, bench.device)?;
                let whole = Block::whole(features.grid);
                rows.extend((0..tiles.len()).map(|n| features.mean(n, whole)));
            }
            watch.add(tiles.len())?;
        }
        let arms = bench.arms.iter().zip(&embedded);
        arms.map(|(arm, rows)| self.of_arm(bench, arm, rows))
            .collect()
    }

    fn read(&self, row: &Row) -> Result<Tile, EvalError> {
        let path = self.folder.join(&row.path);
        let mpp = Mpp::square(row.approx_mpp).ok_or_else(|| EvalError::Settings {
            path: path.clone(),
            reason: format!("a scale of {} um a px is none", row.approx_mpp),
        })?;
        let picture = Scaled::new(Arc::new(ImageFileSource::open(&path)?), mpp);
        let rest_um = f64::from(row.px) * row.approx_mpp - self.mpp * f64::from(self.side_px);
        let at = TileAt {
            origin: UmPoint::new(rest_um / 2.0, rest_um / 2.0),
            mpp: self.mpp,
        };
        Ok(Tile::read(&picture, at, self.side_px)?)
    }

    fn of_arm(
        &self,
        bench: &Bench,
        arm: &Arm,
        rows: &[Vec<f32>],
    ) -> Result<Vec<Transfer>, EvalError> {
        let mut transfers = Vec::new();
        for from in &self.sources {
            for to in self.sources.iter().filter(|to| *to != from) {
                transfers.push(self.transfer(bench, arm, rows, (from, to))?);
            }
        }
        Ok(transfers)
    }

    fn transfer(
        &self,
        bench: &Bench,
        arm: &Arm,
        rows: &[Vec<f32>],
        (from, to): (&str, &str),
    ) -> Result<Transfer, EvalError> {
        let (training, labels) = self.part(rows, from);
        let (test, truth) = self.part(rows, to);
        let (classes, config) = (self.classes.len(), bench.config);
        let probe = Probe::fit(&training, arm.width(), &labels, classes, &config.probe);
        let probe = probe.map_err(|error| EvalError::Probe {
            arm: arm.name.clone(),
            set: format!("colorectal tiles of {from}"),
            error,
        })?;
        let predicted = probe.predict(&test);
        let macro_f1 = |picks: &[usize]| {
            let pick = |from: &[usize]| picks.iter().map(|n| from[*n]).collect::<Vec<_>>();
            Confusion::of(classes, &pick(&truth), &pick(&predicted)).macro_f1()
        };
        Ok(Transfer {
            from: from.to_owned(),
            to: to.to_owned(),
            training: labels.len(),
            tested: truth.len(),
            top1: share_right(&truth, &predicted),
            macro_f1: bootstrap(truth.len(), config.bootstrap, bench.seed, macro_f1),
        })
    }

    /// Rows and labels of one source.
    fn part(&self, rows: &[Vec<f32>], source: &str) -> (Vec<f32>, Vec<usize>) {
        let of_source = || {
            self.rows
                .iter()
                .zip(rows)
                .filter(|(row, _)| row.source == source)
        };
        let label = |row: &Row| self.classes.iter().position(|class| *class == row.class);
        (
            of_source()
                .flat_map(|(_, values)| values.iter().copied())
                .collect(),
            of_source().filter_map(|(row, _)| label(row)).collect(),
        )
    }
}

/// The share of cases whose prediction is the truth, with Wilson's interval.
fn share_right(truth: &[usize], predicted: &[usize]) -> Interval {
    let pairs = truth.iter().zip(predicted);
    let right = pairs
        .filter(|(truth, predicted)| truth == predicted)
        .count();
    let (low, high) = wilson(right, truth.len());
    Interval {
        value: right as f64 / truth.len().max(1) as f64,
        low,
        high,
    }
}

/// A figure of all of `cases`, and the interval of that figure over `draws` draws of as many cases
/// with replacement (Efron's percentile bootstrap). From all classes together: of a class with
/// three tiles, draws within it would differ too little.
fn bootstrap(cases: usize, draws: usize, seed: u64, figure: impl Fn(&[usize]) -> f64) -> Interval {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || {
        let picks: Vec<usize> = (0..cases).map(|_| rng.random_range(0..cases)).collect();
        figure(&picks)
    };
    let (low, high) = middle_share((0..draws).map(|_| draw()).collect(), CONFIDENCE);
    Interval {
        value: figure(&(0..cases).collect::<Vec<usize>>()),
        low,
        high,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Nine classes of three tiles: five wholly right, four wholly wrong.
    fn nine_of_three() -> (Vec<usize>, Vec<usize>) {
        let truth: Vec<usize> = (0..27).map(|n| n / 3).collect();
        let right = |class: &usize| if *class < 5 { *class } else { 0 };
        let predicted = truth.iter().map(right).collect();
        (truth, predicted)
    }

    #[test]
    fn the_interval_of_a_share_is_as_wide_as_its_tiles_allow() {
        let (truth, predicted) = nine_of_three();
        let interval = share_right(&truth, &predicted);
        assert_eq!(interval.value, 15.0 / 27.0);
        // Draws within classes would give an interval of no width here.
        assert!((interval.low - 0.373).abs() < 1e-3, "{interval:?}");
        assert!((interval.high - 0.724).abs() < 1e-3, "{interval:?}");
    }

    #[test]
    fn draws_are_from_all_classes_together() {
        let (truth, predicted) = nine_of_three();
        let right = |n: &&usize| truth[**n] == predicted[**n];
        let share = |picks: &[usize]| picks.iter().filter(right).count() as f64 / 27.0;
        let interval = bootstrap(27, 2000, 1, share);
        assert_eq!(interval.value, 15.0 / 27.0);
        // The deviation of the share is 0.096.
        assert!((interval.low - 0.37).abs() <= 0.04, "{interval:?}");
        assert!((interval.high - 0.74).abs() <= 0.04, "{interval:?}");
        assert_eq!(interval, bootstrap(27, 2000, 1, share));
    }

    #[test]
    fn tiles_of_both_sources_come_to_one_scale_without_up_sampling() {
        let folder = Path::new("../shared/data/labelled/colorectal_tiles");
        if !folder.exists() {
            _ = writeln!(
                std::io::stderr(),
                "skipped: {} is not here",
                folder.display()
            );
            return;
        }
        let set = Set::open(folder, 16).unwrap();
        assert_eq!(
            (set.classes.len(), set.sources.len(), set.count()),
            (9, 2, 117)
        );
        assert_eq!(set.side_px, 80);
        assert!(set.mpp > 1.185 && set.mpp < 1.4);
        for row in [&set.rows[0], &set.rows[12]] {
            let tile = set.read(row).unwrap();
            assert_eq!(tile.rgb.len(), 3 * 80 * 80);
        }
    }
}
