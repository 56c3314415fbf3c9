//! `parfocal train`: teaching encoders and decoders.

mod dfa;
mod mad;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::compute::DeviceChoice;
use super::{output, warn_user};
use crate::learn::run_folder::Ended;

/// Where there is no terminal, a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Train a model.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, Subcommand)]
enum Method {
    Mad(mad::MadArgs),
    Dfa(dfa::DfaArgs),
}

/// What every training is told.
#[derive(Debug, Args)]
struct RunArgs {
    /// The training file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder of the run.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on from the folder's checkpoint.
    #[arg(long)]
    resume: bool,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Trains, and tells where the weights are.
///
/// # Errors
/// When settings, data or folder are wrong, or the run fails; what was saved stays.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    match &args.method {
        Method::Mad(args) => mad::run(args),
        Method::Dfa(args) => dfa::run(args),
    }
}

/// Tells where the weights are; a run that was stopped is no success.
fn tell(ended: Ended, steps: u64) -> anyhow::Result<()> {
    match ended {
        Ended::Finished(weights) => output::print(&format!("{}\n", weights.display())),
        Ended::Stopped(done) => anyhow::bail!(
            "stopped after {done} of {steps} steps, which are saved: go on with --resume"
        ),
    }
}

/// Progress on stderr: a bar on a terminal, lines elsewhere.
struct Display {
    bar: ProgressBar,
    told: Option<Instant>,
}

impl Display {
    fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = "{bar:30} {pos}/{len}  {eta} left  {msg}";
        let style = ProgressStyle::with_template(style);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, told: None }
    }

    /// So many of so many are done; `words` say more.
    fn show(&mut self, done: u64, all: u64, words: String) {
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
