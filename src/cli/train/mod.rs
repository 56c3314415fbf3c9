//! `parfocal train`: teaching encoders and decoders.

mod dfa;
mod mad;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::compute::DeviceChoice;
use super::output;
use super::work_progress::Display;
use crate::learn::run_folder::Ended;

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
