//! Modes × seeds × blocks of the bias, trained with one budget and judged by one rule.
//!
//! ```text
//! settings ─→ Plan ─→ for each block: Stage (crops and tiles, encoded once)
//!                        ├── first runs without bias ─→ how hard each class is   first/
//!                        ├── settings tried on validation                        tuning/
//!                        └── arms × seeds, scored on the test part               runs/
//! ```
//!
//! A block is a rotation of roles over the classes of a phantom, or a fold of a set with few groups.
//! Every finished training is a file, so a benchmark can be stopped, continued, and shared between
//! processes that take a block each.

mod colour;
pub mod config;
pub mod plan;
pub mod stage;
#[cfg(test)]
mod tests;
pub mod trace;
mod trace_plot;
pub mod trial;

pub use config::{Arm, BenchFile, Blocks};
pub use plan::{BenchRunError, Doing, Plan};
pub use trace_plot::trace_plot;
