//! `parfocal bench dfa`: modes × seeds of the attention bias, to one table.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use crate::cli::compute::DeviceChoice;
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::output;
use crate::cli::settings::{base_of, read_toml, sound};
use crate::cli::work_progress::Display;
use crate::jobs::on_compute_thread;
use crate::learn::bench_dfa::{BenchTable, table_files};
use crate::learn::dfa::bench::{BenchFile, Doing, Plan, trace_plot};

const EXAMPLES: &str = "\
Examples:
  parfocal bench dfa --config bench.toml --out runs/bench
  parfocal bench dfa --config bench.toml --out runs/bench --block 0

Every finished training is a file in the folder: the same command goes on where it was stopped, and
commands that run at once may take a block each. When no training is missing, the folder gets
bench.md, bench.json and pictures. docs/dfa.md has the settings and what came of them.";

/// Compare modes of the attention bias: trainings over seeds, one table with paired differences.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DfaArgs {
    /// The benchmark's settings (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder of results; made where it is missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Run this block only (a rotation of roles or a fold, from 0); may be given again.
    #[arg(long, value_name = "N")]
    block: Vec<usize>,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

pub fn run(args: &DfaArgs) -> anyhow::Result<()> {
    let file: BenchFile = read_toml(&args.config)?;
    sound(&args.config, file.check())?;
    let plan = Plan::open(&file, base_of(&args.config), &args.out)?;
    let all: Vec<usize> = (0..plan.blocks()?).collect();
    if let Some(odd) = args.block.iter().find(|block| !all.contains(block)) {
        bail!("--block {odd}: there are blocks 0 to {}", all.len() - 1);
    }
    let blocks = match args.block.is_empty() {
        true => all.clone(),
        false => args.block.clone(),
    };
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let mut display = Display::new(1);
    let mut runs = (0, 1);
    let ended = on_compute_thread(|| {
        plan.run(&blocks, &device, &mut |doing| {
            let words = words(doing, &mut runs);
            display.show(runs.0, runs.1, words);
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    });
    display.bar.finish_and_clear();
    ended.map_err(|words| anyhow!(words))??;
    match plan.missing(&all)? {
        0 => write_table(&file, &plan, &args.out),
        left => output::print(&format!(
            "{left} trainings of other blocks are still to be run\n"
        )),
    }
}

/// What is done beside the trainings that are counted in `runs`: those done, of all.
fn words(doing: &Doing, runs: &mut (u64, u64)) -> String {
    match doing {
        Doing::Counting(done, all) => format!("{done}/{all} masks read"),
        Doing::Colours(done, all) => format!("colour alone, {done}/{all} images"),
        Doing::Encoding(done, all) => format!("{done}/{all} crops and tiles encoded"),
        Doing::Runs(done, all) => {
            *runs = (*done, *all);
            "trainings".to_owned()
        }
        Doing::Step(done, all) => format!("trainings, step {done}/{all} of the next"),
    }
}

fn write_table(file: &BenchFile, plan: &Plan<'_>, folder: &Path) -> anyhow::Result<()> {
    let table = BenchTable::of(&plan.results()?, &file.reference, &file.pairs)?;
    let mut files = table_files(&table)?;
    if let Some(class) = &file.trace_class {
        let arms: Vec<String> = table.modes.iter().map(|mode| mode.mode.clone()).collect();
        let svg = trace_plot(&folder.join("traces"), &arms, class)?;
        files.push(("bench-trace.svg".to_owned(), svg));
    }
    for (name, text) in files {
        let path = folder.join(&name);
        output::write_whole(&path, text.as_bytes()).with_context(|| name.clone())?;
        if name == "bench.md" {
            output::print(&text)?;
        }
    }
    Ok(())
}
