//! `parfocal train`: teaching an encoder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::compute::DeviceChoice;
use super::interrupt::stop_on_ctrl_c;
use super::warn_user;
use crate::jobs::on_compute_thread;
use crate::learn::mad::config::read_toml;
use crate::learn::mad::run::{Ended, Running, TrainFile, run as run_training};

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
    Mad(MadArgs),
}

const MAD_EXAMPLES: &str = "\
Examples:
  parfocal train mad --config mad.toml --out runs/a
  parfocal train mad --config mad.toml --out runs/a --resume

The folder gets checkpoint.zip (at least every five minutes), log.csv, and at the end
encoder.safetensors. Ctrl-C saves and stops.";

/// Train an encoder by Magnification-Aware Distillation.
#[derive(Debug, Args)]
#[command(after_help = MAD_EXAMPLES)]
struct MadArgs {
    /// The training file (TOML): run, sampling, sources.
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
    let Method::Mad(args) = &args.method;
    let file: TrainFile = read_toml(&args.config).map_err(|words| anyhow!(words))?;
    let base = args.config.parent().unwrap_or(Path::new("."));
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let mut display = Display::new(file.run.steps);
    let ended = on_compute_thread(|| {
        run_training(
            &file,
            base,
            &args.out,
            args.resume,
            &device,
            &mut |running| {
                display.show(running);
                match stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        )
    });
    display.bar.finish_and_clear();
    match ended.map_err(|words| anyhow!(words))?? {
        Ended::Finished(weights) => super::output::print(&format!("{}\n", weights.display())),
        Ended::Stopped(steps) => anyhow::bail!(
            "stopped after {steps} of {} steps, which are saved: go on with --resume",
            file.run.steps
        ),
    }
}

/// Progress on stderr: a bar on a terminal, lines elsewhere.
struct Display {
    bar: ProgressBar,
    told: Option<Instant>,
    rank: String,
}

impl Display {
    fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = "{bar:30} {pos}/{len}  {eta} left  {msg}";
        let style = ProgressStyle::with_template(style);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            told: None,
            rank: "–".to_owned(),
        }
    }

    fn show(&mut self, running: &Running<'_>) {
        let row = running.report;
        if let (Some(class), Some(tokens)) = (row.rank_class, row.rank_tokens) {
            self.rank = format!("{class:.0}/{tokens:.0}");
            if class.min(tokens) < running.low_rank {
                self.rank += &format!(" (low: under {:.0})", running.low_rank);
            }
        }
        let contrast = match row.contrast {
            0.0 => String::new(),
            value => format!(" contrast {value:.2}"),
        };
        let words = format!(
            "loss {:.3} (global {:.2} context {:.2} tokens {:.2} koleo {:.2}{contrast}) rank {} \
             {:.0} tiles/s waiting {:.0} %",
            row.loss,
            row.global,
            row.context,
            row.tokens,
            row.koleo,
            self.rank,
            running.tiles as f64 / row.seconds,
            100.0 * row.waited / row.seconds,
        );
        if self.bar.length() == Some(running.steps) && self.bar.position() == 0 {
            self.bar.reset_eta();
        }
        self.bar.set_position(row.step + 1);
        let hidden = self.bar.is_hidden();
        if hidden && self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            self.told = Some(Instant::now());
            let left = self.bar.eta().as_secs();
            let (done, steps) = (row.step + 1, running.steps);
            warn_user(&format!(
                "{done}/{steps}  {} min left  {words}",
                left.div_ceil(60)
            ));
        }
        self.bar.set_message(words);
    }
}
