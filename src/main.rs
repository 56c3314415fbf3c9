//! The program: parses the command line, runs it, and prints what went wrong, once.

use std::process::ExitCode;

use clap::Parser as _;
use parfocal::cli::{self, Cli};

fn main() -> ExitCode {
    // Wrong use ends here with exit code 2, `--help` and `--version` with 0.
    let cli = Cli::parse();
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}
