//! The report as pictures (SVG).

mod bias;
mod confusion;
mod dice;
mod reliability;

pub use bias::bias_plot;
pub use confusion::confusion_plot;
pub use dice::dice_plot;
pub use reliability::reliability_plot;
