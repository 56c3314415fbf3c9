//! `parfocal train mad`: teaching an encoder.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::{Display, RunArgs, tell};
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::settings::{base_of, read_toml, sound};
use crate::jobs::on_compute_thread;
use crate::learn::mad::run::{Running, TrainFile, run as run_training};

const EXAMPLES: &str = "\
Examples:
  parfocal train mad --config mad.toml --out runs/a
  parfocal train mad --config mad.toml --out runs/a --resume

The folder gets checkpoint.zip (at least every five minutes), log.csv, and at the end
encoder.safetensors. Ctrl-C saves and stops.";

/// Train an encoder by Magnification-Aware Distillation.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MadArgs {
    #[command(flatten)]
    run: RunArgs,
}

pub fn run(args: &MadArgs) -> anyhow::Result<()> {
    let args = &args.run;
    let file: TrainFile = read_toml(&args.config)?;
    sound(&args.config, file.sampling.validate())?;
    sound(&args.config, file.run.check(file.sampling.tile_px))?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let mut display = Display::new(file.run.steps);
    let mut rank = "–".to_owned();
    let ended = on_compute_thread(|| {
        run_training(
            &file,
            base_of(&args.config),
            &args.out,
            args.resume,
            &device,
            &mut |running| {
                let words = words(running, &mut rank);
                display.show(running.report.step + 1, running.steps, words);
                match stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        )
    });
    display.bar.finish_and_clear();
    tell(ended.map_err(|words| anyhow!(words))??, file.run.steps)
}

/// A line on a step. `rank` is what was last seen of the effective rank.
fn words(running: &Running<'_>, rank: &mut String) -> String {
    let row = running.report;
    if let (Some(class), Some(tokens)) = (row.rank_class, row.rank_tokens) {
        *rank = format!("{class:.0}/{tokens:.0}");
        if class.min(tokens) < running.low_rank {
            let low = running.low_rank;
            *rank += &format!(" (collapsed by the method's measure: under {low:.0})");
        }
    }
    let contrast = match row.contrast {
        0.0 => String::new(),
        value => format!(" contrast {value:.2}"),
    };
    format!(
        "loss {:.3} (global {:.2} context {:.2} tokens {:.2} koleo {:.2}{contrast}) rank {rank} \
         {:.0} tiles/s waiting {:.0} %",
        row.loss,
        row.global,
        row.context,
        row.tokens,
        row.koleo,
        running.tiles as f64 / row.seconds,
        100.0 * row.waited / row.seconds,
    )
}
