//! An evaluation from settings to report.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::arm::{Arm, NamedEncoder};
use super::colorectal::{RESAMPLING, Set, Transfer};
use super::family::Tally;
use super::report::{ArmReport, PlaceReport, Report, TissueReport};
use super::retention::{self, Bench, RankRows, TissueResult};
use super::retrieval::{self, OpenField};
use super::scores::{ProbeScores, RankScores, Scores as _, Spread};
use super::watch::Watch;
use super::{EvalConfig, EvalError, footprint};
use crate::learn::statistics::mean;
use crate::slide::phantom::Tissue;

/// Evaluates `encoders` and the floors on the same tiles.
///
/// `progress` hears of tiles read and of the most that there may be; it may stop the work.
///
/// # Errors
/// When settings and encoders do not fit, something can't be read, a probe does not converge, or
/// the work was stopped.
pub fn evaluate(
    encoders: &[NamedEncoder],
    config: &EvalConfig,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Report, EvalError> {
    config.check()?;
    let real = Real::open(encoders, config)?;
    let mut watch = Watch::new(forecast(config, &real), progress);
    let mut arms = Vec::new();
    for (n, &seed) in config.seeds.iter().enumerate() {
        let all = Arm::all(encoders, config.tile_px, seed, device)?;
        let bench = Bench {
            config,
            device,
            arms: &all,
            seed,
        };
        if n == 0 {
            arms = all.iter().map(Collected::new).collect();
        }
        add_seed(&bench, &mut arms, &mut watch)?;
        // Real tiles do not depend on the seed.
        if n == 0 {
            real.add(&bench, &mut arms, &mut watch)?;
        }
    }
    Ok(Report {
        program: format!("parfocal {}", env!("CARGO_PKG_VERSION")),
        config: config.clone(),
        notes: notes(config, &real),
        arms: arms.into_iter().map(|arm| arm.report(config)).collect(),
    })
}

/// Tiles that are read at most.
fn forecast(config: &EvalConfig, real: &Real) -> u64 {
    let each = |tissue: &Tissue| retention::forecast(config, *tissue) + retrieval::forecast(config);
    let seeds = config.seeds.len() as u64;
    let phantom = config.tissues.iter().map(each).sum::<u64>() * seeds;
    let fields = real.fields.len() as u64 * retrieval::forecast(config);
    phantom + fields + real.colorectal.as_ref().map_or(0, |set| set.count() as u64)
}

/// What one arm reached, while it is being collected.
struct Collected {
    report: ArmReport,
    /// Results by tissue, then by seed.
    tissues: Vec<Vec<TissueResult>>,
    /// Tallies by tissue, then by seed.
    places: Vec<Vec<Tally>>,
    ranks: Vec<RankScores>,
}

impl Collected {
    fn new(arm: &Arm) -> Self {
        Self {
            report: ArmReport {
                name: arm.name.clone(),
                kind: arm.kind,
                model_hash: arm.hash.clone(),
                width: arm.width(),
                tissues: Vec::new(),
                all_tissues: None,
                places: Vec::new(),
                rank: None,
                rank_rows: 0,
                colorectal: Vec::new(),
            },
            tissues: Vec::new(),
            places: Vec::new(),
            ranks: Vec::new(),
        }
    }

    fn report(self, config: &EvalConfig) -> ArmReport {
        let names = || config.tissues.iter().map(|tissue| tissue.name());
        let tissues = names().zip(&self.tissues).map(|(n, r)| tissue_report(n, r));
        let phantoms = names()
            .zip(&self.places)
            .map(|(name, tallies)| PlaceReport {
                place: name.to_owned(),
                real: false,
                in_training: false,
                parent_mpp: footprint::PARENT_MPP,
                ..place_report(tallies)
            });
        ArmReport {
            tissues: tissues.collect(),
            all_tissues: Spread::of(over_tissues(&self.tissues)),
            places: phantoms.chain(self.report.places).collect(),
            rank: Spread::of(self.ranks),
            ..self.report
        }
    }
}

/// The mean over tissues of each seed.
fn over_tissues(tissues: &[Vec<TissueResult>]) -> Vec<ProbeScores> {
    let seeds = tissues.first().map_or(0, Vec::len);
    let of_seed = |seed: usize| {
        let each = tissues.iter().filter_map(|results| results.get(seed));
        let scores: Vec<ProbeScores> = each.map(|result| result.scores).collect();
        ProbeScores::combine(&scores, &mean)
    };
    (0..seeds).map(of_seed).collect()
}

fn tissue_report(tissue: &str, results: &[TissueResult]) -> TissueReport {
    let fits = || results.iter().flat_map(|result| result.fits);
    let norm = fits().map(|fit| fit.gradient_norm).fold(0.0, f64::max);
    TissueReport {
        tissue: tissue.to_owned(),
        scores: Spread::of(results.iter().map(|result| result.scores).collect()),
        classes: results
            .first()
            .map_or_else(Vec::new, |first| first.classes.clone()),
        most_iterations: fits().map(|fit| fit.iterations).max().unwrap_or(0),
        greatest_gradient_norm: norm,
    }
}

fn place_report(tallies: &[Tally]) -> PlaceReport {
    PlaceReport {
        place: String::new(),
        real: true,
        in_training: false,
        parent_mpp: 0.0,
        families: tallies.iter().map(|tally| tally.families).sum(),
        children: tallies.iter().map(|tally| tally.children).sum(),
        scores: Spread::of(tallies.iter().filter_map(Tally::scores).collect()),
    }
}

/// Everything on phantoms with one seed.
fn add_seed(bench: &Bench, arms: &mut [Collected], watch: &mut Watch) -> Result<(), EvalError> {
    let mut ranks = vec![RankRows::default(); bench.arms.len()];
    for (at, &tissue) in bench.config.tissues.iter().enumerate() {
        let results = retention::tissue(bench, tissue, &mut ranks, watch)?;
        let tallies = retrieval::in_tissue(bench, tissue, watch)?;
        for ((arm, result), tally) in arms.iter_mut().zip(results).zip(tallies) {
            put(&mut arm.tissues, at, result);
            put(&mut arm.places, at, tally);
        }
    }
    for (arm, rows) in arms.iter_mut().zip(&ranks) {
        let width = arm.report.width;
        arm.ranks.push(rows.scores(width));
        arm.report.rank_rows = rows.count(width);
    }
    Ok(())
}

/// Adds `value` to the list at `at`, which may be one that is not there yet.
fn put<T>(lists: &mut Vec<Vec<T>>, at: usize, value: T) {
    if lists.len() <= at {
        lists.resize_with(at + 1, Vec::new);
    }
    lists[at].push(value);
}

/// Real slides and tiles, open.
struct Real {
    fields: Vec<OpenField>,
    colorectal: Option<Set>,
}

impl Real {
    /// Opened before anything is computed: what is missing is told at once.
    fn open(encoders: &[NamedEncoder], config: &EvalConfig) -> Result<Self, EvalError> {
        let patches = encoders.iter().map(|named| named.encoder.config().patch_px);
        let patch_px = patches.fold(1, least_common_multiple);
        let set = config
            .colorectal
            .as_deref()
            .map(|at| Set::open(at, patch_px as u32));
        Ok(Self {
            fields: config
                .fields
                .iter()
                .map(OpenField::open)
                .collect::<Result<_, _>>()?,
            colorectal: set.transpose()?,
        })
    }

    fn add(
        &self,
        bench: &Bench,
        arms: &mut [Collected],
        watch: &mut Watch,
    ) -> Result<(), EvalError> {
        for field in &self.fields {
            for (arm, tally) in arms.iter_mut().zip(field.retrieve(bench, watch)?) {
                arm.report.places.push(PlaceReport {
                    place: field.name.clone(),
                    in_training: field.field.in_training,
                    parent_mpp: field.parent_mpp,
                    ..place_report(&[tally])
                });
            }
        }
        if let Some(set) = &self.colorectal {
            let transfers: Vec<Vec<Transfer>> = set.transfers(bench, watch)?;
            for (arm, transfers) in arms.iter_mut().zip(transfers) {
                arm.report.colorectal = transfers;
            }
        }
        Ok(())
    }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    (a..=a * b).step_by(a).find(|n| n % b == 0).unwrap_or(a * b)
}

/// Footprints of a class on a slide below which figures mean nothing.
const FEW: usize = 6;

fn notes(config: &EvalConfig, real: &Real) -> Vec<String> {
    let (footprints, slides) = (config.footprints, config.held_out_slides);
    let child_um = footprint::PARENT_MPP * (config.tile_px / footprint::GRID) as f64;
    let mut notes = vec![
        format!(
            "Footprints are squares of {child_um} um of which one class covers at least {:.0} %, up \
             to {footprints} of each class on each of {} training and {slides} held-out phantom \
             slides of each tissue; seeds and stains of the slides differ. Glass and ignored classes \
             are left out.",
            100.0 * config.least_share, config.training_slides
        ),
        "The probe is a multinomial logistic regression on the mean of the tokens over a footprint, \
         trained at 10x alone; the ceiling is the same trained at 40x. Retention is macro-F1 at \
         20x or 40x over macro-F1 at 10x: near 100 % is easy for what knows little, so read it \
         beside the macro-F1."
            .to_owned(),
        "Retrieval: the parent's tokens over a child against the child's own tokens, both less \
         their mean over the parent's children of tissue; the nearest by cosine must be the right \
         one. Mean colour is the same at every scale, so that colour alone finds nearly every \
         child; jittered, every tile has its optical densities times 0.7 to 1.4 by channel, and \
         form has to do it."
            .to_owned(),
        "Effective rank is RankMe: the exponential of the entropy of the singular values.".to_owned(),
    ];
    if let Some(set) = &real.colorectal {
        notes.push(format!(
            "Colorectal tiles are brought to {} px of {:.3} um ({RESAMPLING}). There are {} of \
             them and each source has its own scale: these figures are anecdotal. The interval \
             of the share that is right is Wilson's (95 %); that of macro-F1 is 95 % of {} \
             bootstrap draws from all test tiles.",
            set.side_px,
            set.mpp,
            set.count(),
            config.bootstrap
        ));
    }
    if config.seeds.len() > 1 {
        notes.push("Real tissue was looked at with the first seed alone.".to_owned());
    }
    if config.footprints < FEW {
        notes.push("Few footprints: this run shows that everything works, no more.".to_owned());
    }
    if real.fields.is_empty() {
        notes.push(
            "No real slide was named in the settings: retrieval is on phantoms alone.".to_owned(),
        );
    }
    notes
}
