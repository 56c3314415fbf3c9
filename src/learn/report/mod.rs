//! What every report is made of: Markdown tables and SVG pictures.

pub mod axis;
pub mod markdown;
pub mod svg;

pub use svg::PlotError;

/// A text file of a report: its name, and what it holds.
pub type ReportFile = (String, String);
