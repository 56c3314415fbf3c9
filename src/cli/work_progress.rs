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
    pace: Option<Pace>,
    told: Option<Instant>,
}

/// The mean pace since the first count. The bar's own estimate forgets what is minutes old, and a
/// training may take minutes to be counted.
struct Pace {
    began: Instant,
    first: u64,
    last: u64,
    all: u64,
}

impl Pace {
    fn at(done: u64, all: u64) -> Self {
        Self {
            began: Instant::now(),
            first: done,
            last: done,
            all,
        }
    }

    /// What is left by that pace; `None` before anything was done.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let done = self.last.saturating_sub(self.first);
        let left = self.all.saturating_sub(self.last);
        (done > 0).then(|| elapsed.mul_f64(left as f64 / done as f64))
    }
}

impl Display {
    /// Of so many steps.
    pub fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            pace: None,
            told: None,
        }
    }

    /// So many of so many are done; `words` say more.
    pub fn show(&mut self, done: u64, all: u64, words: String) {
        let goes_on = |pace: &Pace| pace.all == all && pace.last <= done;
        let pace = self.pace.take().filter(goes_on);
        let mut pace = pace.unwrap_or_else(|| Pace::at(done, all));
        pace.last = done;
        let left = pace.left(pace.began.elapsed());
        self.pace = Some(pace);
        let words = format!("{}  {words}", words_of(left));
        self.bar.set_length(all);
        self.bar.set_position(done);
        let hidden = self.bar.is_hidden();
        if hidden && self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            self.told = Some(Instant::now());
            warn_user(&format!("{done}/{all}  {words}"));
        }
        self.bar.set_message(words);
    }
}

fn words_of(left: Option<Duration>) -> String {
    match left.map(|left| left.as_secs()) {
        None => "time left not known yet".to_owned(),
        Some(seconds) if seconds < 90 => format!("{seconds} s left"),
        Some(seconds) => format!("{} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_by_the_mean_pace_since_the_first_count() {
        let mut pace = Pace::at(10, 30);
        let minute = Duration::from_secs(60);
        assert_eq!(pace.left(minute), None, "nothing was done by this run");
        pace.last = 15;
        // Five took a minute, fifteen are left; those before took no time of this run.
        assert_eq!(pace.left(minute), Some(3 * minute));
        assert_eq!(words_of(pace.left(minute)), "3 min left");
        pace.last = 30;
        assert_eq!(words_of(pace.left(minute)), "0 s left");
    }
}
