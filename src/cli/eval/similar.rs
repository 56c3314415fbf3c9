//! `parfocal eval similar`: does what looks alike at 10x look alike at 40x?

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use burn::tensor::Device;
use clap::Args;

use crate::cli::compute::DeviceChoice;
use crate::cli::interrupt::stop_on_ctrl_c;
use crate::cli::{output, parse, slide, work_progress};
use crate::jobs::on_compute_thread;
use crate::model::weights::WeightsSource;
use crate::model::{ReadyModel, shipped};
use crate::segment::embedding::{
    EmbeddingEngine, EmbeddingLimits, OverlapPlan, SharedEmbeddings, SpotOverlap, measure_overlap,
};
use crate::segment::{Network, Settings};
use crate::slide::SlideSource;
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

const EXAMPLES: &str = "\
Examples:
  parfocal eval similar --weights breast --tissue breast --seeds 954001,954003 -o report
  parfocal eval similar --weights brain --spots 10 slide.svs -o report

Random spots of the tissue are asked for at 10x and at 40x, and the answers compared, beside those
to two spots that have nothing to do with each other. The folder gets similar.md and spots.csv.";

/// Evaluate find-similar and the colours of embeddings across magnifications.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimilarArgs {
    /// Slides that have px of 40x; all of each is embedded at 10x.
    #[arg(value_parser = parse::slide())]
    slides: Vec<PathBuf>,
    /// The decoder whose encoder is used: breast or brain, which ship, or a weights file.
    #[arg(long, default_value = "breast", value_parser = decoder)]
    weights: WeightsSource,
    /// Tissue of made-up slides.
    #[arg(long, requires = "seeds")]
    tissue: Option<Tissue>,
    /// Their seeds.
    #[arg(long, value_delimiter = ',', requires = "tissue")]
    seeds: Vec<u64>,
    /// Their width, millimetres; they are three quarters as high.
    #[arg(long, default_value_t = 2.0, value_name = "MM", value_parser = parse::positive, allow_negative_numbers = true)]
    size_mm: f64,
    /// Spots of each slide.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=1000))]
    spots: u16,
    /// Side of the field around each spot that is embedded at 40x too, µm.
    #[arg(long, default_value_t = 320.0, value_name = "UM", value_parser = parse::positive, allow_negative_numbers = true)]
    field_um: f64,
    /// Seed of the draw of spots.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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

/// A slide and what was measured on it.
type Measured = (String, Vec<SpotOverlap>);

/// Measures, writes the report and prints it.
///
/// # Errors
/// When slides or weights can't be opened, a slide has no px of 40x or too little tissue, the report
/// can't be written, or the user stops it.
pub fn run(args: &SimilarArgs) -> anyhow::Result<()> {
    let slides = args.open()?;
    let device = args.device.open()?;
    let stop = stop_on_ctrl_c()?;
    let bar = work_progress::bar("answers");
    let mut progress = |done, total| work_progress::go_on(&bar, &stop, done, total);
    let measured = on_compute_thread(|| args.measure(&slides, &device, &mut progress));
    bar.finish_and_clear();
    let measured = measured.map_err(|words| anyhow!(words))??;
    let folder = &args.output;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    let report = markdown(&measured);
    output::write_whole(&folder.join("spots.csv"), csv(&measured).as_bytes())?;
    output::write_whole(&folder.join("similar.md"), report.as_bytes())?;
    output::print(&report)
}

impl SimilarArgs {
    fn open(&self) -> anyhow::Result<Vec<(String, Arc<dyn SlideSource>)>> {
        let mut slides = Vec::new();
        for path in &self.slides {
            slides.push((path.display().to_string(), slide::open(path, None)?));
        }
        for (tissue, seed) in self
            .tissue
            .iter()
            .flat_map(|t| self.seeds.iter().map(move |s| (t, s)))
        {
            let width_um = self.size_mm * 1e3;
            let spec =
                PhantomSpec::preset(*tissue, *seed).with_extent_um(width_um, width_um * 0.75);
            let name = format!("{} {seed}", tissue.name());
            slides.push((name, Arc::new(PhantomSource::new(spec)?)));
        }
        ensure!(
            !slides.is_empty(),
            "name slides, or made-up ones with --tissue and --seeds"
        );
        Ok(slides)
    }

    fn measure(
        &self,
        slides: &[(String, Arc<dyn SlideSource>)],
        device: &Device,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> anyhow::Result<Vec<Measured>> {
        let model = ReadyModel::open(&self.weights, None, None, device)?;
        let fill_um = Settings::of_model(&model, 1.0).fill_um;
        let shared = SharedEmbeddings::default();
        let limits = EmbeddingLimits::default();
        let mut engine = EmbeddingEngine::new(Network::new(&model), fill_um, limits, shared);
        let plan = OverlapPlan {
            spots: self.spots.into(),
            field_um: self.field_um,
            seed: self.seed,
        };
        let mut measured = Vec::new();
        for (n, (name, slide)) in (0..).zip(slides) {
            let mut of_all = |done, total| progress(n * total + done, slides.len() as u64 * total);
            let spots = measure_overlap(&mut engine, slide, &plan, &mut of_all)?;
            measured.push((name.clone(), spots));
        }
        Ok(measured)
    }
}

/// What is told of spots: a heading and the figure itself.
type Figure = (&'static str, fn(&SpotOverlap) -> f64);

const FIGURES: [Figure; 8] = [
    ("slide", |spot| spot.slide_iou),
    ("slide, unrelated", |spot| spot.unrelated_slide_iou),
    ("matches", |spot| spot.matches_shared),
    ("matches, unrelated", |spot| spot.unrelated_matches_shared),
    ("field", |spot| spot.field_iou),
    ("field, unrelated", |spot| spot.unrelated_field_iou),
    ("colours apart", |spot| spot.colour_apart),
    ("colours apart, unrelated", |spot| {
        spot.unrelated_colour_apart
    }),
];

/// Median and range of each figure, slide by slide.
fn markdown(measured: &[Measured]) -> String {
    let heads = FIGURES.map(|(head, _)| format!(" {head} |")).concat();
    let mut text = format!(
        "| slide | spots |{heads}\n|{}\n",
        "---|".repeat(FIGURES.len() + 2)
    );
    let all: Vec<SpotOverlap> = measured
        .iter()
        .flat_map(|(_, spots)| spots.clone())
        .collect();
    let rows = measured.iter().map(|(name, spots)| (name.as_str(), spots));
    for (name, spots) in rows.chain([("all", &all)]) {
        let cells = FIGURES.map(|(_, figure)| {
            let mut values: Vec<f64> = spots.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
            // Colours count to 255, shares to 1.
            let digits = if at(1.0) > 1.0 { 0 } else { 2 };
            format!(
                " {:.digits$} ({:.digits$}–{:.digits$}) |",
                at(0.5),
                at(0.0),
                at(1.0)
            )
        });
        text += &format!("| {name} | {} |{}\n", spots.len(), cells.concat());
    }
    text
}

fn csv(measured: &[Measured]) -> String {
    let heads = FIGURES.map(|(head, _)| format!(",\"{head}\"")).concat();
    let mut text = format!("slide,x_px,y_px{heads}\n");
    for (name, spots) in measured {
        for spot in spots {
            let cells = FIGURES
                .map(|(_, figure)| format!(",{:.4}", figure(spot)))
                .concat();
            let name = name.replace('"', "'");
            text += &format!("\"{name}\",{:.0},{:.0}{cells}\n", spot.at.x, spot.at.y);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::SlidePoint;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        args: SimilarArgs,
    }

    #[test]
    fn made_up_slides_need_tissue_and_seeds() {
        let parse = |args: &str| Only::try_parse_from(format!("x {args} -o r").split_whitespace());
        let args = parse("--tissue brain --seeds 5,6").unwrap().args;
        let names: Vec<String> = args
            .open()
            .unwrap()
            .into_iter()
            .map(|slide| slide.0)
            .collect();
        assert_eq!(names, ["brain 5", "brain 6"]);
        assert!(parse("--tissue brain").is_err() && parse("--seeds 5").is_err());
        assert!(parse("").unwrap().args.open().is_err());
    }

    #[test]
    fn the_table_has_medians_and_ranges() {
        let spot = |value: f64| SpotOverlap {
            at: SlidePoint::new(1.0, 2.0),
            slide_iou: value,
            matches_shared: 0.5,
            field_iou: 0.5,
            unrelated_slide_iou: 0.0,
            unrelated_matches_shared: 0.0,
            unrelated_field_iou: 0.0,
            colour_apart: 12.4,
            unrelated_colour_apart: 70.0,
        };
        let measured = [("a".to_owned(), vec![spot(0.1), spot(0.9), spot(0.3)])];
        let text = markdown(&measured);
        assert!(text.contains("| a | 3 | 0.30 (0.10–0.90) | 0.00"), "{text}");
        assert!(
            text.contains("| all | 3 |") && text.contains("| 12 (12–12) | 70"),
            "{text}"
        );
        assert_eq!(csv(&measured).lines().count(), 4);
    }
}
