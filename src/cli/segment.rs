//! `parfocal segment`: a slide's label map as a file that viewers open, and its areas.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{anyhow, ensure};
use burn::tensor::Device;
use clap::Args;
use indicatif::ProgressBar;

use super::compute::DeviceChoice;
use super::interrupt::stop_on_ctrl_c;
use super::{output, parse, slide, warn_user, work_progress};
use crate::geometry::{Magnification, Mpp};
use crate::jobs::on_compute_thread;
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};
use crate::segment::{
    GridSpec, Network, Outputs, Pace, Report, RunOptions, Settings, WorkFolder, segment_slide,
};
use crate::slide::SlideSource;

const EXAMPLES: &str = "\
Examples:
  parfocal segment a.svs --mag 10 -o a-map.tif
  parfocal segment a.svs --weights brain --probabilities -o a-map.tif
  parfocal segment a.svs --weights runs/b/decoder.safetensors --bias mine.json -o a-map.tif

a-map.tif is a tiled pyramid of class codes with a palette, for Parfocal, QuPath and whatever reads
tiled TIFF; a-map.json has areas in mm² and what they were made with. Glass is code 255.

Ctrl-C stops and keeps what is done in a-map.tif.unfinished; so does a crash. The same command with
--resume goes on there, to the same files. Research use, no medical device: the weights that ship
were trained on computed tissue.";

/// Write a slide's label map and its areas by class.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SegmentArgs {
    /// The slide.
    #[arg(value_parser = parse::slide())]
    slide: PathBuf,
    /// The label map to write, a .tif; its .json goes beside it.
    #[arg(short, long, value_name = "FILE", value_parser = parse::tif_path)]
    output: PathBuf,
    /// The decoder: breast or brain, which ship, or a weights file; without it, breast.
    #[arg(long, value_parser = decoder)]
    weights: Option<WeightsSource>,
    /// The encoder's weights, where they neither ship nor lie beside the decoder's as
    /// encoder.safetensors.
    #[arg(long, value_name = "FILE")]
    encoder: Option<PathBuf>,
    /// Another bias than the weights' (JSON, by class names).
    #[arg(long, value_name = "FILE")]
    bias: Option<PathBuf>,
    /// Magnification of the analysis: 10x is 1 µm a px. Never finer than the slide.
    #[arg(long, default_value = "10", value_parser = parse::magnification, allow_negative_numbers = true)]
    mag: f64,
    /// Write probabilities too, a grey .tif a class: 0 to 255 are 0 to 1.
    #[arg(long)]
    probabilities: bool,
    /// Run a grid moved by half a tile too, and tell how well both agree. Takes twice the time.
    #[arg(long)]
    check: bool,
    /// Go on with an unfinished run.
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Throw an unfinished run away and begin again.
    #[arg(long)]
    restart: bool,
    /// Replace files that are there.
    #[arg(long)]
    overwrite: bool,
    /// Gaps in tissue that no disc of this radius fits into are analysed too, µm: fat cells, lumens.
    #[arg(long, default_value_t = 48.0, value_name = "UM", value_parser = parse::not_negative, allow_negative_numbers = true)]
    fill_um: f64,
    /// Part of a tile's side that it shares with its neighbour, 0 to 0.5, all of it blended: less is
    /// faster, and shows where tiles meet.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = parse::within(0.0, 0.5), allow_negative_numbers = true)]
    overlap: f32,
    /// Tiles analysed at a time: speed and memory, not results.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Microns per level-0 px, for a slide that does not state them or states them wrong.
    #[arg(long, value_name = "MPP", value_parser = parse::mpp, allow_negative_numbers = true)]
    slide_mpp: Option<Mpp>,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Segments, and prints the areas on one line, and with `--check` the agreement on another.
///
/// # Errors
/// When slide, weights or bias can't be opened or do not fit, the slide has no scale or not the
/// pixels, a file is there already or can't be written, or the user stops it.
pub fn run(args: &SegmentArgs) -> anyhow::Result<()> {
    args.refuse_inputs_as_outputs()?;
    let options = args.options()?;
    let slide = slide::open(&args.slide, args.slide_mpp)?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let bar = work_progress::bar("tiles");
    let report = on_compute_thread(|| args.segment(slide.as_ref(), options, &device, &stop, &bar));
    bar.finish_and_clear();
    let report = report.map_err(|words| anyhow!(words))??;
    output::print(&areas(&args.output, &report))?;
    match words_of_check(&report) {
        Some(words) => output::print(&words),
        None => Ok(()),
    }
}

impl SegmentArgs {
    fn decoder(&self) -> WeightsSource {
        if let Some(weights) = &self.weights {
            return weights.clone();
        }
        let [first, ..] = shipped::decoders();
        let source = WeightsSource::Shipped(first);
        warn_user(&format!("using the {source}; --weights names others"));
        source
    }

    /// What is read must not be written over, nor what is made beside the label map.
    fn refuse_inputs_as_outputs(&self) -> anyhow::Result<()> {
        let weights = self.weights.as_ref().and_then(WeightsSource::file);
        let inputs = [
            Some(self.slide.as_path()),
            weights,
            self.encoder.as_deref(),
            self.bias.as_deref(),
        ];
        let outputs = Outputs::beside(&self.output, &[], false);
        for input in inputs.into_iter().flatten() {
            output::refuse_same_file(input, &outputs.labels)?;
            output::refuse_same_file(input, &outputs.report)?;
        }
        Ok(())
    }

    fn options(&self) -> anyhow::Result<RunOptions> {
        let unfinished = WorkFolder::has_rows(&self.output);
        ensure!(
            !unfinished || self.resume || self.restart,
            "{} holds an unfinished run: --resume goes on with it, --restart throws it away",
            WorkFolder::path_for(&self.output).display()
        );
        let batch = self.batch.into();
        Ok(RunOptions {
            pace: Pace {
                batch,
                ..Pace::default()
            },
            // Killed between two of its files, a run has to write over its own.
            overwrite: self.overwrite || unfinished && self.resume,
            restart: self.restart,
            compare_shifted: self.check,
        })
    }

    fn segment(
        &self,
        slide: &dyn SlideSource,
        options: RunOptions,
        device: &Device,
        stop: &AtomicBool,
        bar: &ProgressBar,
    ) -> anyhow::Result<Report> {
        let encoder = self.encoder.as_ref().map(WeightsSource::from);
        let bias = self.bias.as_deref();
        let model = ReadyModel::open(&self.decoder(), encoder.as_ref(), bias, device)?;
        let mpp = Magnification(self.mag).mpp();
        self.warn_of_scale(&model, mpp);
        let tile_px = model.card.tile_px as u32;
        let settings = Settings {
            grid: GridSpec::overlapping(mpp, tile_px, self.overlap.into()),
            probabilities: self.probabilities,
            fill_um: self.fill_um,
            ..Settings::of_model(&model, mpp)
        };
        let mut network = Network::new(&model);
        let (network, path) = (&mut network, &self.output);
        let mut progress = |done, total| work_progress::go_on(bar, stop, done, total);
        Ok(segment_slide(
            slide,
            network,
            &settings,
            options,
            path,
            &mut progress,
        )?)
    }

    fn warn_of_scale(&self, model: &ReadyModel, mpp: f64) {
        let [least, most] = model.card.mpp;
        if mpp < least * 0.99 || mpp > most * 1.01 {
            let mag = |mpp: f64| (10_000.0 / mpp).round() / 1000.0;
            warn_user(&format!(
                "warning: {}x is outside of what the weights were trained at, {}x to {}x",
                self.mag,
                mag(most),
                mag(least)
            ));
        }
    }
}

fn areas(path: &Path, report: &Report) -> String {
    let area =
        |class: &crate::segment::ClassArea| format!("{} {:.4} mm²", class.name, class.area_mm2);
    let areas: Vec<String> = report.classes.iter().map(area).collect();
    let (analysed, all) = (report.analysed_mm2, report.slide_mm2);
    let areas = areas.join(", ");
    format!(
        "{}: {areas}; {analysed:.4} of {all:.4} mm² analysed\n",
        path.display()
    )
}

fn words_of_check(report: &Report) -> Option<String> {
    let shifted = report.shifted.as_ref()?;
    Some(format!(
        "grid moved by half a tile: {:.2} % of {} px alike; edges at tile borders {:.3} times those \
         elsewhere, {:.3} on the moved grid\n",
        shifted.agreement.share * 100.0,
        shifted.agreement.px,
        report.seams.border_ratio,
        shifted.seams.border_ratio
    ))
}

fn decoder(text: &str) -> Result<WeightsSource, String> {
    Ok(WeightsSource::named(text, &shipped::decoders()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        segment: SegmentArgs,
    }

    #[test]
    fn names_scales_and_choices_are_checked() {
        let parse = |args: &str| {
            let args = format!("x a.svs {args}");
            Only::try_parse_from(args.split_whitespace()).map(|only| only.segment)
        };
        let plain = parse("-o a.tif").unwrap();
        assert_eq!((plain.mag, plain.fill_um), (10.0, 48.0));
        assert_eq!(plain.decoder().to_string(), "shipped weights 'breast'");
        let brain = parse("-o a.TIFF --weights brain --mag 20x").unwrap();
        assert!(brain.weights.unwrap().file().is_none());
        for wrong in [
            "-o a.png",
            "-o a",
            "-o a.tif --mag 0",
            "-o a.tif --fill-um -1",
            "-o a.tif --resume --restart",
            "-o a.tif --batch 0",
            "-o a.tif --overlap 0.6",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
