//! A bar that counts what was worked through.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Shows `done` of `total`, and says whether to go on: until `stop` is set.
pub fn go_on(bar: &ProgressBar, stop: &AtomicBool, done: u64, total: u64) -> ControlFlow<()> {
    let first = bar.position() == 0;
    bar.set_length(total);
    bar.set_position(done);
    if first {
        // What an earlier run did took no time of this one.
        bar.reset_eta();
    }
    match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
