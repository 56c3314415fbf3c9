//! How good class maps are: plain arrays in, figures out, one piece of an image after another.
//!
//! ```text
//! truth, class map, probabilities ─→ Tally ─→ SegReport
//!                                     ├ Confusion        Dice, IoU, accuracy
//!                                     ├ BoundaryTally    boundary F1, displacement in µm
//!                                     └ Calibration      ECE, reliability, Brier, NLL
//! ```
//!
//! Pixels, not images, are summed per class over the whole split before any ratio is taken. A class
//! that neither the truth nor the map holds anywhere has no score and no part in macro means; one
//! that is predicted without ever being true scores 0 and counts. Ignored pixels ([`IGNORE`] in the
//! truth) are in no sum at all, whatever is predicted there.

mod boundary;
mod calibration;
mod error;
mod report;
mod tally;
#[cfg(test)]
mod tests;

pub use boundary::{BoundaryTally, Displacement, Map};
pub use calibration::{Calibration, CalibrationReport, ReliabilityBin, most_probable};
pub use error::MetricsError;
pub use report::{ClassScores, ImageScores, MacroScores, SegReport};
pub use tally::{Piece, Tally};

/// What stands in a truth where nothing is known, or what does not count.
pub const IGNORE: u8 = 255;
