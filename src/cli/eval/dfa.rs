//! `parfocal eval dfa`: what a decoder is worth, beside colour alone.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, anyhow, bail};
use burn::tensor::Device;
use clap::Args;
use indicatif::ProgressBar;

use crate::cli::compute::DeviceChoice;
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::settings::{base_of, read_toml, sound};
use crate::cli::{output, work_progress};
use crate::jobs::on_compute_thread;
use crate::learn::dfa::judge::{JudgeConfig, Judged, judge};
use crate::learn::dfa::{Scene, TrainFile};
use crate::learn::eval_dfa::{EvalReport, Identity, report_files};
use crate::learn::sets::Part;
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};

const EXAMPLES: &str = "\
Examples:
  parfocal eval dfa --config dfa.toml --weights runs/brain/decoder.safetensors -o report
  parfocal eval dfa --config dfa.toml --weights decoder.safetensors --part validation \\
      --mpp 1.0,0.25 -o report

The folder gets report.md, report.json, images.csv and plots. Every figure on pixels stands beside
what a classifier of single pixels' colours reaches.";

/// Evaluate a decoder on a part of a set: Dice, boundaries, calibration, the learned bias.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DfaArgs {
    /// The training file (TOML): its set, split and encoder are used.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The decoder: a weights file, or breast or brain, which ship.
    #[arg(long, value_parser = decoder)]
    weights: WeightsSource,
    /// Weights of the encoder, where it was trained too; else the file's.
    #[arg(long, value_name = "FILE")]
    encoder: Option<PathBuf>,
    /// Another bias than the weights' (JSON, by class names).
    #[arg(long, value_name = "FILE")]
    bias: Option<PathBuf>,
    /// Which part of the split: training, validation or test.
    #[arg(long, default_value = "test", value_parser = part)]
    part: Part,
    /// Another fold than the file's, from 0, where it has [data.folds].
    #[arg(long, value_name = "N")]
    fold: Option<usize>,
    /// Scales, µm/px: 1 is 10x, 0.25 is 40x.
    #[arg(long, value_delimiter = ',', default_value = "1.0")]
    mpp: Vec<f64>,
    /// How far a boundary may be off, µm.
    #[arg(long, default_value_t = 4.0)]
    tolerance_um: f64,
    /// The folder of the report; made where it is missing.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

fn decoder(text: &str) -> Result<WeightsSource, String> {
    Ok(WeightsSource::named(text, &shipped::decoders()))
}

fn part(name: &str) -> Result<Part, String> {
    let all = [Part::Training, Part::Validation, Part::Test];
    let found = all.into_iter().find(|part| part.name() == name);
    found.ok_or_else(|| format!("'{name}' is none of training, validation, test"))
}

pub fn run(args: &DfaArgs) -> anyhow::Result<()> {
    if let Some(odd) = args.mpp.iter().find(|mpp| !(0.05..=1000.0).contains(*mpp)) {
        bail!("--mpp {odd}: expected a scale of 0.05 to 1000 µm/px");
    }
    let mut file: TrainFile = read_toml(&args.config)?;
    sound(&args.config, file.choose_fold(args.fold))?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let bar = work_progress::bar("images");
    let report = on_compute_thread(|| args.report(file, &device, &stop, &bar));
    bar.finish_and_clear();
    let report = report.map_err(|words| anyhow!(words))??;
    let folder = &args.output;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    for (name, text) in report_files(&report)? {
        output::write_whole(&folder.join(&name), text.as_bytes())?;
        if name == "report.md" {
            output::print(&text)?;
        }
    }
    Ok(())
}

impl DfaArgs {
    fn report(
        &self,
        mut file: TrainFile,
        device: &Device,
        stop: &AtomicBool,
        bar: &ProgressBar,
    ) -> anyhow::Result<EvalReport> {
        let base = base_of(&self.config);
        if let Some(encoder) = &self.encoder {
            // Named on the command line, so relative to where the user is.
            file.data.encoder = std::path::absolute(encoder)?;
        }
        let mut progress = |done, total| work_progress::go_on(bar, stop, done, total);
        let encoder = WeightsSource::from(&base.join(&file.data.encoder));
        let bias = self.bias.as_deref();
        let model = ReadyModel::open(&self.weights, Some(&encoder), bias, device)?;
        let scene = Scene::open(&file.data, base, device, &mut progress)?;
        let judged = Judged {
            model: Identity {
                name: self.weights.to_string(),
                hash: format!("sha256:{}", model.decoder_sha256),
            },
            mode: model.mode().to_owned(),
            bias: model.bias.clone(),
        };
        let config = JudgeConfig {
            part: self.part,
            mpp: self.mpp.clone(),
            tile_px: model.card.tile_px,
            halo_px: model.card.tile_px / 8,
            tolerance_um: self.tolerance_um,
            upsample: file.data.crops.upsample,
            ..JudgeConfig::default()
        };
        Ok(judge(
            &scene,
            &model.predictor,
            &judged,
            &config,
            &mut progress,
        )?)
    }
}
