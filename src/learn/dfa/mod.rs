//! Training the Dynamic Focal Attention decoder, and every baseline it is judged by.
//!
//! ```text
//! crops ─→ encoder (frozen: once, kept) ─→ decoder, biased ─→ losses
//!                                              ↑ b: prior, and what training adds
//! ```

pub mod batch;
pub mod bench;
pub mod checkpoint;
pub mod config;
pub mod difficulty;
pub mod feed;
pub mod judge;
pub mod losses;
pub mod mode;
pub mod run;
pub mod scene;
pub mod segmenter;
pub mod target;
#[cfg(test)]
mod tests;
pub mod trainer;

pub use batch::{Input, LabelledBatch};
pub use config::DfaConfig;
pub use mode::Mode;
pub use run::TrainFile;
pub use scene::Scene;
pub use segmenter::{LearnedBias, Segmenter};
pub use trainer::{StepReport, TrainError, Trainer};
