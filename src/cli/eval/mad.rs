//! `parfocal eval mad`: what an encoder is worth, beside floors and ceiling.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use burn::tensor::Device;
use clap::Args;

use crate::cli::compute::DeviceChoice;
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::{output, warn_user, work_progress};
use crate::jobs::on_compute_thread;
use crate::learn::eval_mad::{
    EvalConfig, NamedEncoder, Report, evaluate, probe_plot, retrieval_plot, to_markdown,
};
use crate::model::weights;

const MAD_EXAMPLES: &str = "\
Examples:
  parfocal eval mad --weights tiny.safetensors -o report
  parfocal eval mad --weights a.safetensors --weights b.safetensors --without c.safetensors \\
      --seeds 3 --data eval.toml -o report

The folder gets report.md, report.json, macro-f1.svg and retrieval.svg. An untrained encoder of
each shape and the mean colour are always compared with. --data names real slides and tiles:

  colorectal = \"labelled/colorectal_tiles\"
  [[fields]]
  path = \"slides/CMU-1-Small-Region.svs\"
  in_training = false";

/// Evaluate encoders across magnifications: retention, retrieval, effective rank, real tissue.
#[derive(Debug, Args)]
#[command(after_help = MAD_EXAMPLES)]
pub struct MadArgs {
    /// Weights of an encoder; give it again for more, on the same tiles.
    #[arg(long, value_name = "FILE", required = true)]
    weights: Vec<PathBuf>,
    /// Weights of the same training without the context and token losses: a floor.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// Repeat with as many seeds: other phantom slides, places and untrained encoders.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: Option<u64>,
    /// Settings (TOML): real slides and tiles, and how much of everything.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// As little as shows that everything runs; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// The folder of the report; made where it is missing.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Evaluates, writes the report and prints it.
///
/// # Errors
/// When settings, weights or data are wrong, the report can't be written, or the user stops it.
pub fn run(args: &MadArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let bar = work_progress::bar("tiles");
    let start = Instant::now();
    let report = on_compute_thread(|| -> anyhow::Result<Report> {
        let encoders = args.encoders(&device)?;
        let mut progress = |done, total| work_progress::go_on(&bar, &stop, done, total);
        Ok(evaluate(&encoders, &config, &device, &mut progress)?)
    });
    bar.finish_and_clear();
    let report = report.map_err(|words| anyhow!(words))??;
    warn_user(&format!(
        "evaluated in {:.0} s",
        start.elapsed().as_secs_f64()
    ));
    output::print(&write(&report, &args.output)?)
}

/// Writes all files of a report; gives the Markdown back.
fn write(report: &Report, folder: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    let (probes, retrieval) = ("macro-f1.svg", "retrieval.svg");
    let markdown = to_markdown(report, &[probes, retrieval]);
    for (name, text) in [
        (probes, &probe_plot(report)?),
        (retrieval, &retrieval_plot(report)?),
        ("report.json", &report.to_json()?),
        ("report.md", &markdown),
    ] {
        output::write_whole(&folder.join(name), text.as_bytes())?;
    }
    Ok(markdown)
}

impl MadArgs {
    fn config(&self) -> anyhow::Result<EvalConfig> {
        let mut config = match &self.data {
            Some(path) => EvalConfig::read(path)?,
            None => EvalConfig::default(),
        };
        if let Some(count) = self.seeds {
            config.seeds = (1..=count).collect();
        }
        Ok(if self.quick { config.quick() } else { config })
    }

    fn encoders(&self, device: &Device) -> anyhow::Result<Vec<NamedEncoder>> {
        let trained = self.weights.iter().map(|path| (path, false));
        let without = self.without.iter().map(|path| (path, true));
        let all: Vec<(&PathBuf, bool)> = trained.chain(without).collect();
        let load = |(path, without): &(&PathBuf, bool)| {
            anyhow::Ok(NamedEncoder {
                name: name_of(path, &all),
                encoder: weights::load(*path, device)?,
                hash: format!("sha256:{}", weights::hash_of(*path)?),
                without: *without,
            })
        };
        all.iter().map(load).collect()
    }
}

/// A file's name without its ending; with its folder, where two files are called alike.
fn name_of(path: &Path, all: &[(&PathBuf, bool)]) -> String {
    let stem = |path: &Path| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let alike = all.iter().filter(|(other, _)| stem(other) == stem(path));
    if alike.count() == 1 {
        return stem(path).unwrap_or_default();
    }
    path.with_extension("").display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        args: MadArgs,
    }

    #[test]
    fn encoders_of_one_name_are_told_apart_by_their_folders() {
        let paths = ["a/w.safetensors", "b/w.safetensors", "c/v.safetensors"].map(PathBuf::from);
        let all: Vec<(&PathBuf, bool)> = paths.iter().map(|path| (path, false)).collect();
        let names = paths.each_ref().map(|path| name_of(path, &all));
        assert_eq!(names, ["a/w", "b/w", "v"]);
    }

    #[test]
    fn seeds_and_haste_change_the_settings() {
        let parse = |args: &str| Only::try_parse_from(format!("x {args}").split_whitespace());
        let args = parse("--weights a --weights b --seeds 3 --quick -o r")
            .unwrap()
            .args;
        let config = args.config().unwrap();
        assert_eq!((args.weights.len(), config.seeds), (2, vec![1, 2, 3]));
        assert!(config.families < EvalConfig::default().families);
        assert!(parse("-o r").is_err(), "weights are needed");
        assert!(parse("--weights a --seeds 0 -o r").is_err());
    }
}
