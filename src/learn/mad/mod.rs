//! Magnification-Aware Distillation: an encoder that ties a tile to its aligned detail.
//!
//! A student learns to say of a tile and of its sixteen four times finer children what its own
//! slow average, the teacher, says of them. See `docs/mad.md` for geometry and losses.

#[cfg(test)]
mod alignment_tests;
pub mod checkpoint;
pub mod config;
pub mod losses;
pub mod network;
pub mod objective;
pub mod pool;
pub mod ring;
pub mod run;
pub mod sinkhorn;
pub mod speed;
pub mod targets;
pub mod teacher;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use config::MadConfig;
pub use trainer::{StepReport, TrainError, Trainer};
