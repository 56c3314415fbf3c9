//! What an evaluation found.

use serde::Serialize;

use super::EvalConfig;
use super::arm::ArmKind;
use super::colorectal::Transfer;
use super::retention::ClassScores;
use super::scores::{PlaceScores, ProbeScores, RankScores, Spread};

/// All of it. Equal settings, encoders and device kind give equal reports.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Program and version.
    pub program: String,
    /// The settings.
    pub config: EvalConfig,
    /// Encoders first, in the order given, then floors.
    pub arms: Vec<ArmReport>,
    /// What has to be known to read the figures.
    pub notes: Vec<String>,
}

/// One arm.
#[derive(Debug, Clone, Serialize)]
pub struct ArmReport {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub kind: ArmKind,
    /// Hash of its weights file.
    pub model_hash: Option<String>,
    /// Values of an embedding.
    pub width: usize,
    /// Probes on held-out phantom slides.
    pub tissues: Vec<TissueReport>,
    /// The same, averaged over tissues within each seed.
    pub all_tissues: Option<Spread<ProbeScores>>,
    /// Right-child retrieval and alignment.
    pub places: Vec<PlaceReport>,
    /// Effective rank of embeddings.
    pub rank: Option<Spread<RankScores>>,
    /// Embeddings behind each rank, per seed: a rank can't be more.
    pub rank_rows: usize,
    /// Real tissue, from one source to the other.
    pub colorectal: Vec<Transfer>,
}

/// Probes of one arm on one tissue.
#[derive(Debug, Clone, Serialize)]
pub struct TissueReport {
    /// The tissue.
    pub tissue: String,
    /// The figures.
    pub scores: Option<Spread<ProbeScores>>,
    /// The classes behind them, first seed.
    pub classes: Vec<ClassScores>,
    /// The most steps that a probe took to converge.
    pub most_iterations: u64,
    /// The greatest norm of the gradient at the end of a probe.
    pub greatest_gradient_norm: f64,
}

/// Retrieval of one arm in one place.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceReport {
    /// The tissue of a phantom, or a field's name.
    pub place: String,
    /// Whether it is real tissue.
    pub real: bool,
    /// Whether encoders were trained on it.
    pub in_training: bool,
    /// Scale of its parents, µm/px.
    pub parent_mpp: f64,
    /// Parents looked at, over all seeds.
    pub families: usize,
    /// Children looked at, over all seeds.
    pub children: usize,
    /// The figures.
    pub scores: Option<Spread<PlaceScores>>,
}

impl Report {
    /// As JSON, ending in a line break.
    ///
    /// # Errors
    /// When a figure is not finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The arm of that name.
    pub fn arm(&self, name: &str) -> Option<&ArmReport> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}
