//! A bar that counts what was worked through.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::warn_user;

/// Where there is no terminal, a line on a run of hours is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// On stderr, and only where that is a terminal; `unit` is what is counted, as in `tiles`.
pub fn bar(unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {unit}  {{eta}} left"));
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

/// Progress of a run of hours, on stderr: a bar on a terminal, lines elsewhere.
pub struct Display {
    /// The bar, to be cleared at the end.
    pub bar: ProgressBar,
    told: Option<Instant>,
}

impl Display {
    /// Of so many steps.
    pub fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = "{bar:30} {pos}/{len}  {eta} left  {msg}";
        let style = ProgressStyle::with_template(style);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, told: None }
    }

    /// So many of so many are done; `words` say more.
    pub fn show(&mut self, done: u64, all: u64, words: String) {
        if self.bar.length() != Some(all) || self.bar.position() > done {
            self.bar.set_length(all);
            self.bar.set_position(0);
        }
        if self.bar.position() == 0 {
            self.bar.reset_eta();
        }
        self.bar.set_position(done);
        let hidden = self.bar.is_hidden();
        if hidden && self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            self.told = Some(Instant::now());
            let left = self.bar.eta().as_secs().div_ceil(60);
            warn_user(&format!("{done}/{all}  {left} min left  {words}"));
        }
        self.bar.set_message(words);
    }
}
