//! A bar that counts what was worked through.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// On stderr, and only where that is a terminal; `unit` is what is counted, as in `tiles`.
pub fn bar(unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(&format!(
        "{{bar:40}} {{pos}}/{{len}} {unit}  {{eta}} left  {{msg}}"
    ));
    // The template is fixed; were it wrong, the plain bar would do.
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// `done` of `total`.
pub fn show(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}
