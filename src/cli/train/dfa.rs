//! `parfocal train dfa`: teaching a decoder and its attention bias.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::{Display, RunArgs, tell};
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::settings::{base_of, read_toml, sound};
use crate::jobs::on_compute_thread;
use crate::learn::dfa::Mode;
use crate::learn::dfa::run::{Doing, TrainFile, run as run_training};

const EXAMPLES: &str = "\
Examples:
  parfocal train dfa --config dfa.toml --out runs/brain
  parfocal train dfa --config dfa.toml --out runs/none --mode none
  parfocal train dfa --config dfa.toml --out runs/brain --resume

Modes: none, frozen, frequency, difficulty, dfa, anchored, inverse-frequency, difficulty-loss,
logit-adjusted; difficulty needs a table [first_dice] in the file. The folder gets checkpoint.zip (at least every five minutes), log.csv with the bias
at every step, and at the end decoder.safetensors. Ctrl-C saves and stops.";

/// Train a decoder with Dynamic Focal Attention, or by one of its baselines.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DfaArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Another mode than the file's.
    #[arg(long, value_name = "MODE", value_parser = Mode::named)]
    mode: Option<Mode>,
    /// Another seed than the file's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Another fold than the file's, from 0, where it has [data.folds].
    #[arg(long, value_name = "N")]
    fold: Option<usize>,
}

pub fn run(args: &DfaArgs) -> anyhow::Result<()> {
    let common = &args.run;
    let mut file: TrainFile = read_toml(&common.config)?;
    file.run.mode = args.mode.unwrap_or(file.run.mode);
    file.run.seed = args.seed.unwrap_or(file.run.seed);
    sound(&common.config, file.choose_fold(args.fold))?;
    sound(&common.config, file.run.check())?;
    sound(&common.config, file.check_mode())?;
    sound(&common.config, file.data.crops.validate())?;
    let device = common.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let mut display = Display::new(file.run.steps);
    let ended = on_compute_thread(|| {
        let mut progress = |doing: &Doing<'_>| {
            show(&mut display, doing);
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        run_training(
            &file,
            base_of(&common.config),
            &common.out,
            common.resume,
            &device,
            &mut progress,
        )
    });
    display.bar.finish_and_clear();
    tell(ended.map_err(|words| anyhow!(words))??, file.run.steps)
}

fn show(display: &mut Display, doing: &Doing<'_>) {
    match doing {
        Doing::Counting(done, all) => display.show(*done, *all, "masks read".to_owned()),
        Doing::Encoding(done, all) => display.show(*done, *all, "crops encoded".to_owned()),
        Doing::Step(row, steps, tiles) => {
            let words = format!(
                "loss {:.3} (focal {:.3} dice {:.3} iou {:.3}) bias {} {:.0} tiles/s waiting \
                 {:.0} %",
                row.loss,
                row.focal,
                row.dice,
                row.iou,
                row.bias,
                *tiles as f64 / row.seconds,
                100.0 * row.waited / row.seconds,
            );
            display.show(row.step + 1, *steps, words);
        }
    }
}
