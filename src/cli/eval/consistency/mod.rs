//! `parfocal eval consistency`: whether the overlay says the same at every magnification, what
//! fusing is worth against the truth, and what a dial is worth.

mod choose;
mod dials;
mod maps;
mod place;
mod report;
mod score;
mod slide;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::compute::DeviceChoice;
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::output;
use crate::cli::work_progress::Display;
use crate::jobs::on_compute_thread;
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use dials::DialResult;
use slide::{FIELD_UM, FIELDS, SlideResult};

const EXAMPLES: &str = "\
Examples:
  parfocal eval consistency --model breast -o report
  parfocal eval consistency --model my-decoder.safetensors --tissue brain -o report

Weights and temperatures of the fusion are chosen on the validation slides alone. Each slide's figures
are written as they come: the same command goes on where it was stopped.";

/// Measure the overlay across magnifications on computed slides: fused and not, and what a dial does.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConsistencyArgs {
    /// breast, brain, or a decoder's weights file.
    #[arg(long, value_name = "NAME|FILE")]
    model: String,
    /// The computed tissue: breast, brain or colon. Without, the one that the model is named after.
    #[arg(long, value_name = "TISSUE")]
    tissue: Option<String>,
    /// Seeds of the slides that weights and temperatures are chosen on.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "953001,953002,953003,953004"
    )]
    validation: Vec<u64>,
    /// Seeds of the slides that are reported.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "953101,953102,953103,953104,953105,953106"
    )]
    test: Vec<u64>,
    /// Measure what the dials do as well.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    dials: bool,
    /// The folder of the report; made where it is missing.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

pub fn run(args: &ConsistencyArgs) -> anyhow::Result<()> {
    let shared = args.validation.iter().find(|seed| args.test.contains(seed));
    if let Some(seed) = shared {
        bail!("seed {seed} is among validation and test: what is reported must not be chosen on");
    }
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("{} can't be made", args.output.display()))?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let source = WeightsSource::named(&args.model, &shipped::decoders());
    let text = on_compute_thread(|| -> anyhow::Result<String> {
        let model = ReadyModel::open(&source, None, None, &device)?;
        let work = Work {
            args,
            tissue: args.tissue()?,
            model: &model,
            stop: &stop,
        };
        work.run()
    });
    let text = text.map_err(|words| anyhow!(words))??;
    output::write_whole(&args.output.join("report.md"), text.as_bytes())?;
    output::print(&text)
}

impl ConsistencyArgs {
    fn tissue(&self) -> anyhow::Result<Tissue> {
        let name = self.tissue.as_deref().unwrap_or(&self.model);
        match name {
            "breast" => Ok(Tissue::Breast),
            "brain" => Ok(Tissue::Brain),
            "colon" => Ok(Tissue::Colon),
            _ => bail!("--tissue {name}: expected breast, brain or colon"),
        }
    }
}

/// One run of the command.
struct Work<'a> {
    args: &'a ConsistencyArgs,
    tissue: Tissue,
    model: &'a ReadyModel,
    stop: &'a AtomicBool,
}

impl Work<'_> {
    fn run(&self) -> anyhow::Result<String> {
        let dials = if self.args.dials {
            self.args.test.len()
        } else {
            0
        };
        let all = (2 * self.args.validation.len() + self.args.test.len() + dials) as u64;
        let mut display = Display::new(all);
        let mut done = 0;
        let mut tell = |words: &str, seed: u64| -> ControlFlow<()> {
            display.show(done, all, format!("{words} {seed}"));
            done += 1;
            match self.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        // Temperatures first, then weights under them.
        let mut fits = Vec::new();
        for seed in &self.args.validation {
            go_on(tell("temperatures on", *seed))?;
            let fit = || slide::temperatures(self.model, &self.slide(*seed)?);
            fits.push(self.kept(&format!("temperature-{seed}.json"), &(), fit)?);
        }
        let temperature = choose::temperatures(&fits)?;
        let mut sweeps: Vec<SlideResult> = Vec::new();
        for seed in &self.args.validation {
            go_on(tell("weights on", *seed))?;
            let score = || slide::sweep(self.model, &self.slide(*seed)?, &temperature);
            sweeps.push(self.kept(&format!("validation-{seed}.json"), &temperature, score)?);
        }
        let chosen = choose::weights(&sweeps, temperature)?;
        output::write_whole(
            &self.args.output.join("fusion.json"),
            serde_json::to_string_pretty(&chosen)?.as_bytes(),
        )?;
        let mut tests: Vec<SlideResult> = Vec::new();
        for seed in &self.args.test {
            go_on(tell("fusion on", *seed))?;
            let score = || slide::test(self.model, &self.slide(*seed)?, &chosen);
            tests.push(self.kept(&format!("test-{seed}.json"), &chosen, score)?);
        }
        let mut turned: Vec<DialResult> = Vec::new();
        for seed in self.args.test.iter().filter(|_| self.args.dials) {
            go_on(tell("dials on", *seed))?;
            let turn = || dials::turn(self.model, &self.slide(*seed)?);
            turned.push(self.kept(&format!("dials-{seed}.json"), &(), turn)?);
        }
        display.bar.finish_and_clear();
        let classes = self.model.card.class_names();
        for (name, plot) in report::plots(&sweeps, &turned, &classes)? {
            output::write_whole(&self.args.output.join(name), plot.as_bytes())?;
        }
        Ok(report::markdown(&report::Figures {
            model: &self.args.model,
            classes: &classes,
            chosen: &chosen,
            sweeps: &sweeps,
            tests: &tests,
            dials: &turned,
        }))
    }

    fn slide(&self, seed: u64) -> anyhow::Result<PhantomSource> {
        let spec = PhantomSpec::preset(self.tissue, seed);
        let slide = PhantomSource::new(spec)?;
        ensure!(FIELDS > 0 && FIELD_UM > 0.0, "no field is asked for");
        Ok(slide)
    }

    /// What an earlier run wrote, made with the same choices, or what `make` gives, written.
    fn kept<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        choices: &impl Serialize,
        make: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let path = self.args.output.join(name);
        let stamp = Stamp {
            model: self.model.decoder_sha256.clone(),
            fields: (FIELDS, FIELD_UM),
            choices: serde_json::to_string(choices)?,
        };
        if let Some(kept) = read::<T>(&path, &stamp) {
            return Ok(kept);
        }
        let figures = make()?;
        let text = serde_json::to_string(&Kept { stamp, figures })?;
        output::write_whole(&path, text.as_bytes())?;
        let Kept { figures, .. } = serde_json::from_str(&text)?;
        Ok(figures)
    }
}

/// What figures were made with.
#[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
struct Stamp {
    model: String,
    fields: (usize, f64),
    /// Temperatures and weights of the fusion, where they have a say.
    choices: String,
}

#[derive(Serialize, serde::Deserialize)]
struct Kept<T> {
    stamp: Stamp,
    figures: T,
}

/// Figures of an earlier run, where they are there and made with the same.
fn read<T: DeserializeOwned>(path: &Path, stamp: &Stamp) -> Option<T> {
    let text = std::fs::read_to_string(path).ok()?;
    let kept: Kept<T> = serde_json::from_str(&text).ok()?;
    (kept.stamp == *stamp).then_some(kept.figures)
}

fn go_on(flow: ControlFlow<()>) -> anyhow::Result<()> {
    ensure!(
        flow.is_continue(),
        "stopped: the same command goes on from here"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_other_choices_are_not_taken_for_these() {
        let stamp = |choices: &str| Stamp {
            model: "a".into(),
            fields: (3, 384.0),
            choices: choices.into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test-1.json");
        let kept = Kept {
            stamp: stamp("0.1"),
            figures: 7_u32,
        };
        std::fs::write(&path, serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(read::<u32>(&path, &stamp("0.1")), Some(7));
        assert_eq!(read::<u32>(&path, &stamp("0.2")), None);
    }
}
