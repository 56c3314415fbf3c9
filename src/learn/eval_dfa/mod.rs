//! Evaluation of a segmentation model: from its class maps to a report.
//!
//! ```text
//! class maps ─→ Tally ────────────────────→ SegReport ┐
//! training pixels ─→ ColourFit ─→ colour alone ─→ SegReport ├─→ EvalReport ─→ files
//! bias, attention ─→ ClassBias ───────────────────────┘
//! ```
//!
//! Nothing here runs a network: predictions are handed in.

mod bias;
mod colour_floor;
mod files;
mod markdown;
mod plot;
mod report;
#[cfg(test)]
mod tests;

pub use bias::{ClassBias, centred};
pub use colour_floor::{ColourClassifier, ColourFit};
pub use files::{EvalFilesError, images_csv, report_files};
pub use markdown::to_markdown;
pub use plot::{bias_plot, confusion_plot, dice_plot, reliability_plot};
pub use report::{ColourFloor, EvalReport, Identity, Part};
