//! `parfocal eval`: what a model is worth.

mod dfa;
mod mad;

use clap::{Args, Subcommand};

/// Evaluate a model.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(subcommand)]
    method: Method,
}

#[derive(Debug, Subcommand)]
enum Method {
    Mad(mad::MadArgs),
    Dfa(dfa::DfaArgs),
}

/// Evaluates, writes the report and prints it.
///
/// # Errors
/// When settings, weights or data are wrong, the report can't be written, or the user stops it.
pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    match &args.method {
        Method::Mad(args) => mad::run(args),
        Method::Dfa(args) => dfa::run(args),
    }
}
