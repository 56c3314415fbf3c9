//! `parfocal bench`: how quickly tiles come and how smoothly the window moves, on this machine;
//! `parfocal bench overlay`: the same with a model at work; and `parfocal bench dfa`: modes of the
//! attention bias against each other.

mod delivery;
mod dfa;
mod journey;
mod overlay;
mod report;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::parse;
use crate::slide::argument::{DEMO, open_argument};

/// Measure tile delivery and a scripted journey through slides.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Slides to travel through; none takes the built-in demo and a pyramid file made from it.
    #[arg(value_name = "SLIDE", value_parser = parse::slide())]
    slides: Vec<PathBuf>,
    /// Print JSON on stdout instead of a table.
    #[arg(long)]
    json: bool,
    /// Size of the window in px.
    #[arg(long, value_name = "WxH", default_value = "1280x800", value_parser = parse_size)]
    size: [u32; 2],
    /// How often each journey is made; medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    repeats: u32,
}

#[derive(Debug, Subcommand)]
enum What {
    Dfa(dfa::DfaArgs),
    Overlay(overlay::OverlayArgs),
}

fn parse_size(text: &str) -> Result<[u32; 2], String> {
    let sides = text
        .split_once('x')
        .and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    match sides {
        Some(size @ [64..=8192, 64..=8192]) => Ok(size),
        _ => Err("give width and height between 64 and 8192, such as 1280x800".into()),
    }
}

/// Runs the benchmark.
///
/// # Errors
/// When a slide can't be opened or there is no graphics adapter.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match &args.what {
        Some(What::Dfa(args)) => return dfa::run(args),
        Some(What::Overlay(args)) => return overlay::run(args),
        None => {}
    }
    let scratch = tempfile::tempdir()?;
    let mut slides = args.slides.clone();
    if slides.is_empty() {
        slides.push(DEMO.into());
        slides.push(delivery::pyramid_file(scratch.path())?);
    }
    // One that can't be opened is told before minutes are spent on the others.
    for slide in &slides {
        open_argument(slide)?;
    }
    let mut report = report::Report::new(args.size);
    for slide in &slides {
        if !crate::slide::argument::is_phantom(slide) {
            report
                .deliveries
                .extend(delivery::measure(slide, args.repeats)?);
        }
        report
            .journeys
            .push(journey::measure(slide, args.size, args.repeats)?);
        report.adapter = report
            .journeys
            .last()
            .map(|journey| journey.adapter.clone())
            .unwrap_or_default();
    }
    report.print(args.json)
}
