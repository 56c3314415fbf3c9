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
use crate::model::shipped;
use crate::model::weights::{self, WeightsSource};

const MAD_EXAMPLES: &str = "\
Examples:
  parfocal eval mad --weights tiny -o report
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
    /// Weights of an encoder, a file or what ships: tiny; give it again for more, on the same tiles.
    #[arg(long, value_name = "WEIGHTS", required = true, value_parser = encoder)]
    weights: Vec<WeightsSource>,
    /// Weights of the same training without the context and token losses: a floor.
    #[arg(long, value_name = "WEIGHTS", value_parser = encoder)]
    without: Vec<WeightsSource>,
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
        let trained = self.weights.iter().map(|source| (source, false));
        let without = self.without.iter().map(|source| (source, true));
        let all: Vec<(&WeightsSource, bool)> = trained.chain(without).collect();
        let load = |(source, without): &(&WeightsSource, bool)| {
            anyhow::Ok(NamedEncoder {
                name: name_of(source, &all),
                encoder: weights::load(*source, device)?,
                hash: format!("sha256:{}", weights::hash_of(*source)?),
                without: *without,
            })
        };
        all.iter().map(load).collect()
    }
}

/// Infallible but for its type: clap wants a `Result`.
fn encoder(text: &str) -> Result<WeightsSource, String> {
    Ok(WeightsSource::named(text, &[shipped::ENCODER]))
}

/// The name of what ships, or a file's without its ending; where two are called alike, a file's with
/// its folder.
fn name_of(source: &WeightsSource, all: &[(&WeightsSource, bool)]) -> String {
    let stem = |source: &WeightsSource| {
        let name = PathBuf::from(source.short_name());
        name.with_extension("").display().to_string()
    };
    let alike = all.iter().filter(|(other, _)| stem(other) == stem(source));
    match (alike.count(), source.file()) {
        (1, _) => stem(source),
        (_, Some(path)) => path.with_extension("").display().to_string(),
        (_, None) => source.to_string(),
    }
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
        let names = |given: &[&str]| -> Vec<String> {
            let given = given.iter().map(|text| encoder(text).unwrap());
            let given: Vec<WeightsSource> = given.collect();
            let all: Vec<(&WeightsSource, bool)> = given.iter().map(|one| (one, false)).collect();
            given.iter().map(|one| name_of(one, &all)).collect()
        };
        let files = ["a/w.safetensors", "b/w.safetensors", "c/v.safetensors"];
        assert_eq!(names(&files), ["a/w", "b/w", "v"]);
        assert_eq!(names(&["tiny", "a/w.safetensors"]), ["tiny", "w"]);
        let both = names(&["tiny", "tiny.safetensors"]);
        assert_eq!(both, ["shipped weights 'tiny'", "tiny"]);
    }

    #[test]
    fn what_ships_is_found_by_its_name() {
        let text = "x --weights tiny --without ./tiny -o r";
        let args = Only::try_parse_from(text.split(' ')).unwrap().args;
        assert!(matches!(args.weights[..], [WeightsSource::Shipped(_)]));
        assert_eq!(args.without[0].file(), Some(Path::new("./tiny")));
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
