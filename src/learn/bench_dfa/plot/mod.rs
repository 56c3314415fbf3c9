//! The table as pictures (SVG).

mod against;
mod dice;

pub use against::bias_against_plot;
pub use dice::dice_plot;
