//! `parfocal embed`: embeddings of a slide's tissue as a file that numpy opens.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use clap::Args;

use super::compute::DeviceChoice;
use super::interrupt::stop_on_ctrl_c;
use super::{output, parse, slide, work_progress};
use crate::geometry::{Magnification, Mpp};
use crate::jobs::on_compute_thread;
use crate::learn::embed::{EmbedOptions, Region, embed_slide};
use crate::model::shipped;
use crate::model::weights::{self, WeightsSource};

const EXAMPLES: &str = "\
Examples:
  parfocal embed a.svs --mag 10 -o a.npz
  parfocal embed a.svs --mag 20 --region 1000,800,2000,1500 --tokens --weights w.safetensors -o a.npz

In Python: a = numpy.load('a.npz'); a['cls'] is N x D, a['positions_um'] N x 2 (middle of each tile,
x and y from the slide's origin), a['tokens'] N x g x g x D, and json.loads(str(a['metadata'])).
Tiles lie on a grid anchored to the slide: regions of one slide fit together. Ctrl-C stops and
leaves no file.";

/// Write embeddings of a slide's tissue tiles, with their places in microns.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EmbedArgs {
    /// The slide.
    #[arg(value_parser = parse::slide())]
    slide: PathBuf,
    /// The .npz file to write; one that exists is replaced.
    #[arg(short, long, value_name = "FILE", value_parser = npz_path)]
    output: PathBuf,
    /// The encoder: tiny, which ships, or a weights file.
    #[arg(long, value_name = "WEIGHTS", default_value = shipped::ENCODER.name, value_parser = encoder)]
    weights: WeightsSource,
    /// Magnification of the tiles: 10x is 1 µm a px. Never finer than the slide.
    #[arg(long, default_value = "10", value_parser = parse::magnification, allow_negative_numbers = true)]
    mag: f64,
    /// Part of the slide, microns from its top-left corner: every tile that it touches.
    #[arg(long, value_name = "X,Y,W,H", value_parser = region, allow_hyphen_values = true)]
    region: Option<Region>,
    /// Side of a tile, px; a multiple of the encoder's patch.
    #[arg(long, default_value_t = 128, value_name = "PX", value_parser = clap::value_parser!(u32).range(8..=2048))]
    tile: u32,
    /// Write patch tokens too.
    #[arg(long)]
    tokens: bool,
    /// Embed tiles without tissue too.
    #[arg(long, conflicts_with = "tissue")]
    all: bool,
    /// Least share of a tile that is tissue, 0 to 1.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", value_parser = parse::within(0.0, 1.0), allow_negative_numbers = true)]
    tissue: f32,
    /// Tiles embedded at a time: speed and memory, not results.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Microns per level-0 px, for a slide that does not state them or states them wrong.
    #[arg(long, alias = "mpp", value_name = "MPP", value_parser = parse::mpp, allow_negative_numbers = true)]
    slide_mpp: Option<Mpp>,
    /// What computes: auto, cpu or wgpu.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Embeds, and prints how many tiles there were.
///
/// # Errors
/// When slide or weights can't be opened, the slide has no scale or not the pixels, the file can't
/// be written, or the user stops it.
pub fn run(args: &EmbedArgs) -> anyhow::Result<()> {
    output::refuse_same_file(&args.slide, &args.output)?;
    if let Some(weights) = args.weights.file() {
        output::refuse_same_file(weights, &args.output)?;
    }
    let slide = slide::open(&args.slide, args.slide_mpp)?;
    let options = args.options()?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let bar = work_progress::bar("tiles");
    let report = on_compute_thread(|| -> anyhow::Result<_> {
        let encoder = weights::load(&args.weights, &device)?;
        let mut progress = |done, total| work_progress::go_on(&bar, &stop, done, total);
        let (slide, path) = (slide.as_ref(), &args.output);
        Ok(embed_slide(
            slide,
            &encoder,
            &options,
            path,
            &device,
            &mut progress,
        )?)
    });
    bar.finish_and_clear();
    let report = report.map_err(|words| anyhow!(words))??;
    output::print(&format!(
        "{}: {} of {} tiles\n",
        args.output.display(),
        report.embedded,
        report.looked_at
    ))
}

impl EmbedArgs {
    fn options(&self) -> anyhow::Result<EmbedOptions> {
        Ok(EmbedOptions {
            mpp: Magnification(self.mag).mpp(),
            tile_px: self.tile,
            region: self.region,
            least_tissue: if self.all { 0.0 } else { self.tissue.into() },
            tokens: self.tokens,
            batch: self.batch.into(),
            model_hash: format!("sha256:{}", weights::hash_of(&self.weights)?),
        })
    }
}

/// Infallible but for its type: clap wants a `Result`.
fn encoder(text: &str) -> Result<WeightsSource, String> {
    Ok(WeightsSource::named(text, &[shipped::ENCODER]))
}

fn region(text: &str) -> Result<Region, String> {
    let parts: Vec<&str> = text.split(',').collect();
    let &[x, y, width, height] = parts.as_slice() else {
        return Err("write X,Y,WIDTH,HEIGHT in microns, such as 1000,800,2000,1500".to_owned());
    };
    Ok(Region {
        x_um: parse::finite(x)?,
        y_um: parse::finite(y)?,
        width_um: parse::positive(width)?,
        height_um: parse::positive(height)?,
    })
}

fn npz_path(text: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(text);
    let is_npz = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    ensure!(is_npz, "only .npz is written: end the name in .npz");
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        embed: EmbedArgs,
    }

    #[test]
    fn regions_scales_and_names_are_checked() {
        let parse = |args: &str| {
            let args = format!("x a.svs --weights w -o a.npz {args}");
            Only::try_parse_from(args.split_whitespace())
        };
        let embed = parse("--region -5,0,20.5,10 --mag 20x --mpp 0.25")
            .unwrap()
            .embed;
        assert_eq!(embed.region.unwrap().width_um, 20.5);
        assert_eq!((embed.mag, embed.slide_mpp), (20.0, Mpp::square(0.25)));
        for wrong in [
            "--region 1,2,3",
            "--region 0,0,0,5",
            "--mag 0",
            "--tile 4",
            "--all --tissue 0.5",
            "--batch 0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(npz_path("a.npy").is_err());
    }
}
