//! The command line: what it accepts, and one file a subcommand.

mod bench;
mod compute;
mod embed;
mod eval;
mod info;
mod interrupt;
mod output;
mod parse;
mod phantom;
mod place;
mod render;
mod render_overlay;
mod render_show;
mod segment;
mod settings;
mod slide;
mod train;
mod weights;
mod work_progress;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::app::WindowArgs;
use compute::DeviceChoice;

/// Environment variable that says what is logged, as in `PARFOCAL_LOG=debug`.
const LOG_VARIABLE: &str = "PARFOCAL_LOG";

const EXAMPLES: &str = "\
SLIDE is a slide file, a DICOM folder, a picture, or a made-up slide such as phantom:brain?seed=3.
A slide that is named like a command opens as ./NAME.

Examples:
  parfocal                        open the built-in demo slide
  parfocal a.svs b.ndpi           open two slides side by side
  parfocal --device cpu a.svs     have models compute on the processor
  parfocal info a.svs             what the file says about itself
  parfocal render a.svs --mag 10 -o a.png
  parfocal phantom --size-mm 4 -o demo.tif
  parfocal segment a.svs --mag 10 -o a.tif

Exit codes: 0 done, 1 failed, 2 wrong use. PARFOCAL_LOG=debug logs to stderr.";

/// View whole-slide images: histology scans far larger than memory.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Slides to open in the window, two at most; none opens the demo slide.
    #[arg(value_name = "SLIDE", num_args = 0..=2, value_parser = parse::slide())]
    slides: Vec<PathBuf>,
    /// What a model in the window computes on.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// For tests: F12 has the graphics device fail.
    #[arg(long, hide = true)]
    lose_device_by_key: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::InfoArgs),
    Render(render::RenderArgs),
    Phantom(phantom::PhantomArgs),
    Bench(bench::BenchArgs),
    Train(train::TrainArgs),
    Embed(embed::EmbedArgs),
    Eval(eval::EvalArgs),
    Segment(segment::SegmentArgs),
    Weights(weights::WeightsArgs),
}

/// Runs what the command line asks for.
///
/// # Errors
/// Whatever went wrong, in words that name the file concerned; see [`report`].
pub fn run(cli: Cli) -> anyhow::Result<()> {
    // The window keeps a log of its own, which it also shows.
    let Some(command) = cli.command else {
        return crate::app::run(WindowArgs {
            slides: cli.slides,
            device_wish: cli.device.wish(),
            loses_device_by_key: cli.lose_device_by_key,
        });
    };
    start_logging();
    match command {
        Command::Info(args) => info::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Phantom(args) => phantom::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Segment(args) => segment::run(&args),
        Command::Weights(args) => weights::run(&args),
    }
}

/// Prints an error and its causes on one line of stderr; tells the exit code that goes with it.
/// A reader that closed the pipe early, as `head` does, has all it wanted: that is no failure.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed_pipe) {
        return ExitCode::SUCCESS;
    }
    warn_user(&format!("error: {}", chain_words(error)));
    ExitCode::FAILURE
}

/// The error and its causes, each once: many say in their own words what caused them.
fn chain_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.ends_with(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// One line on stderr. Were stderr closed, there would be nobody to tell.
fn warn_user(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn start_logging() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE)
        // Other crates' warnings are about their own insides: nothing a user could act on.
        .unwrap_or_else(|_| EnvFilter::new("error,parfocal=warn"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Only a test that runs two commands in one process gets here twice.
    let _ = started;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::live::DeviceWish;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_slide_named_like_a_command_opens_by_its_path() {
        for args in [["parfocal", "./info"], ["parfocal", "a.svs"]] {
            let cli = Cli::try_parse_from(args).unwrap();
            assert!(cli.command.is_none());
            assert_eq!(cli.slides, [PathBuf::from(args[1])]);
        }
        let cli = Cli::try_parse_from(["parfocal", "a.svs", "info"]).unwrap();
        assert_eq!(cli.slides.len(), 2, "after a slide, every word is a slide");
        let cli = Cli::try_parse_from(["parfocal", "info", "info"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Info(_))));
    }

    #[test]
    fn the_window_computes_on_what_was_asked_for() {
        let device = |args: &[&str]| {
            let cli = Cli::try_parse_from([&["parfocal"], args].concat()).unwrap();
            (cli.device.wish(), cli.slides.len())
        };
        assert_eq!(device(&[]), (DeviceWish::Auto, 0));
        assert_eq!(device(&["a.svs"]), (DeviceWish::Auto, 1));
        assert_eq!(
            device(&["--device", "wgpu", "a.svs"]),
            (DeviceWish::Window, 1)
        );
        assert_eq!(
            device(&["a.svs", "--device", "cpu"]),
            (DeviceWish::Processor, 1)
        );
        assert!(Cli::try_parse_from(["parfocal", "--device", "tpu"]).is_err());
    }
}
