//! Evaluation of Magnification-Aware Distillation: does the encoder see the same tissue at every
//! magnification?
//!
//! ```text
//! seed ─→ phantom slides ─→ footprints ─→ tiles at 10x, 20x, 40x ─→ every arm ─→ probe ─→ retention
//!                        └→ parents and their children ─→ every arm ─→ retrieval, alignment
//! ```
//!
//! Tiles are read once for all arms, and only their means over footprints are kept.

mod arm;
mod colorectal;
mod config;
mod error;
mod family;
mod footprint;
mod jitter;
mod markdown;
mod plot;
mod report;
mod retention;
mod retrieval;
mod run;
mod scores;
mod slides;
#[cfg(test)]
mod tests;
mod watch;

pub use arm::{ArmKind, NamedEncoder};
pub use colorectal::{Interval, Transfer};
pub use config::{EvalConfig, Field};
pub use error::EvalError;
pub use markdown::to_markdown;
pub use plot::{probe_plot, retrieval_plot};
pub use report::{ArmReport, PlaceReport, Report, TissueReport};
pub use retention::ClassScores;
pub use run::evaluate;
pub use scores::{PlaceScores, ProbeScores, RankScores, Spread};
pub use slides::{HELD_OUT_FROM, TRAINING_FROM};
