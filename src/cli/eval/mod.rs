//! `parfocal eval`: what a model is worth.

mod consistency;
mod dfa;
mod mad;
mod similar;

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
    Consistency(consistency::ConsistencyArgs),
    Similar(similar::SimilarArgs),
}

/// Evaluates, writes the report and prints it.
///
/// # Errors
/// When settings, weights or data are wrong, the report can't be written, or the user stops it.
pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    match &args.method {
        Method::Mad(args) => mad::run(args),
        Method::Dfa(args) => dfa::run(args),
        Method::Consistency(args) => consistency::run(args),
        Method::Similar(args) => similar::run(args),
    }
}
