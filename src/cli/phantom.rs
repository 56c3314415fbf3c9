//! `parfocal phantom`: a made-up slide as a file that every viewer opens.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupt::stop_on_ctrl_c;
use super::{output, parse};
use crate::slide::phantom::export::{ExportOptions, write_pyramid};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

const EXAMPLES: &str = "\
Examples:
  parfocal phantom --tissue brain --seed 7 --size-mm 4 -o demo.tif
  parfocal phantom --tissue colon --print-spec > colon.toml
  parfocal phantom --spec colon.toml -o colon.tif

Beside demo.tif stand its classes, demo.labels.tif, and for colon the numbers of its
glands, demo.instances.tif (16 bits, 0 where there is none).

Equal specs give equal pixels. Ctrl-C stops and leaves no file.";

/// Write a made-up slide, whose every pixel's tissue is known, as a pyramidal TIFF.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PhantomArgs {
    /// The TIFF file to write; one that exists is replaced.
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_parser = parse::tif_path,
        required_unless_present = "print_spec"
    )]
    output: Option<PathBuf>,
    /// brain, breast or colon.
    #[arg(long, default_value = "brain", conflicts_with = "spec")]
    tissue: Tissue,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 7, conflicts_with = "spec")]
    seed: u64,
    /// Read all knobs from a file, as --print-spec writes it.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Width and height, millimetres; without it, those of the spec.
    #[arg(long, value_name = "MM", value_parser = size_mm, allow_negative_numbers = true)]
    size_mm: Option<f64>,
    /// Microns per px of the finest level; without it, that of the spec.
    #[arg(long, value_parser = parse::positive, allow_negative_numbers = true)]
    mpp: Option<f64>,
    /// JPEG quality, 1 to 100.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Print the spec instead of writing a slide.
    #[arg(long, conflicts_with = "output")]
    print_spec: bool,
}

/// Width and height of a phantom.
fn size_mm(text: &str) -> Result<f64, String> {
    let mm = parse::positive(text)?;
    match (0.064..=200.0).contains(&mm) {
        true => Ok(mm),
        false => Err("it must be from 0.064 to 200 mm".to_owned()),
    }
}

/// Writes the slide, or prints its spec.
///
/// # Errors
/// When the spec is wrong, the file can't be written, or the user stops it.
pub fn run(args: &PhantomArgs) -> anyhow::Result<()> {
    let spec = args.spec()?;
    if args.print_spec {
        return output::print(&toml::to_string(&spec)?);
    }
    let path = args.output.as_deref().context("no file to write")?;
    let source = PhantomSource::new(spec)?;
    export(&source, path, args.quality)
}

impl PhantomArgs {
    fn spec(&self) -> anyhow::Result<PhantomSpec> {
        let mut spec = match &self.spec {
            Some(path) => read_spec(path)?,
            None => PhantomSpec::preset(self.tissue, self.seed),
        };
        if let Some(side_mm) = self.size_mm {
            spec = spec.with_extent_um(side_mm * 1e3, side_mm * 1e3);
        }
        if let Some(mpp) = self.mpp {
            spec.base_mpp = mpp;
        }
        spec.validate()?;
        Ok(spec)
    }
}

fn read_spec(path: &Path) -> anyhow::Result<PhantomSpec> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("{} can't be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no spec", path.display()))
}

/// Writes the slide and, beside it, its truth. No file is there before it is whole.
fn export(source: &PhantomSource, path: &Path, quality: u8) -> anyhow::Result<()> {
    let stop = stop_on_ctrl_c()?;
    let bar = progress_bar();
    let options = ExportOptions {
        jpeg_quality: quality,
        ..ExportOptions::default()
    };
    let written = write_pyramid(source, path, &options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped: {} was not written",
        path.display()
    );
    written?;
    Ok(())
}

/// On stderr, and only where that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {eta} left");
    // The template is fixed; were it wrong, the plain bar would do.
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
