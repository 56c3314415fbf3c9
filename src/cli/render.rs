//! `parfocal render`: a picture of a part of a slide, drawn as the window draws it.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::place::PlaceArgs;
use super::render_overlay::{Overlay, OverlayArgs};
use super::{output, parse, warn_user};
use crate::app::export::{FieldPicture, LegendClasses};
use crate::geometry::View;
use crate::gpu::offscreen::Offscreen;
use crate::gpu::{DisplayAdjust, StainView};
use crate::slide::SlideInfo;
use crate::slide::argument::open_argument;

const EXAMPLES: &str = "\
Examples:
  parfocal render a.svs -o a.png                           the whole slide
  parfocal render a.svs --mag 10 --center-um 800,1200 -o a.png
  parfocal render a.svs --downsample 4 --rotate 30 -o a.png
  parfocal render photo.png --slide-mpp 0.5 --mag 20 -o a.png
  parfocal render a.svs --mag 10 --model breast -o a.png    as the window segments it
  parfocal render a.svs --mag 10 --model breast --scale-bar --legend -o a.png
  parfocal render a.svs --mag 10 --model breast --dials pale.json --show entropy -o a.png
  parfocal render a.svs --mag 40 --model breast --show probability:tumor -o a.png
  parfocal render a.svs --overlay labels.tif --regions border -o a.png

Tiles that can't be read are drawn in striped grey, with a warning; when none can be read there
is no picture and the exit code is 1. Scale bar and legend stand below the picture, which is higher
by as much. The PNG holds the slide's hash and the scale.";

/// Draw part of a slide into a PNG file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RenderArgs {
    /// The slide.
    #[arg(value_parser = parse::slide())]
    slide: PathBuf,
    /// The PNG file to write; one that exists is replaced.
    #[arg(short, long, value_name = "FILE", value_parser = png_path)]
    output: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    display: DisplayArgs,
    #[command(flatten)]
    overlay: OverlayArgs,
    /// Put a scale bar below the picture.
    #[arg(long)]
    scale_bar: bool,
    /// Put the overlay's classes that are in the picture below it, with their colours.
    #[arg(long)]
    legend: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Display")]
struct DisplayArgs {
    /// Leave the slide's colour profile out.
    #[arg(long)]
    no_icc: bool,
    /// Show what one stain alone would give.
    #[arg(long, value_enum)]
    stain: Option<Stain>,
    /// Added to every channel, -1 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = parse::within(-1.0, 1.0), allow_hyphen_values = true)]
    brightness: f32,
    /// Factor about mid grey, 0.25 to 4.
    #[arg(long, default_value_t = 1.0, value_parser = parse::within(0.25, 4.0), allow_negative_numbers = true)]
    contrast: f32,
    /// Applied as the exponent 1/gamma, 0.2 to 5.
    #[arg(long, default_value_t = 1.0, value_parser = parse::within(0.2, 5.0), allow_negative_numbers = true)]
    gamma: f32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stain {
    Haematoxylin,
    Eosin,
    /// What neither explains.
    Residual,
}

/// Draws the picture and writes it.
///
/// # Errors
/// When the slide can't be opened, the place can't be told without a scale, no tile at all can be
/// read, or the file can't be written.
pub fn run(args: &RenderArgs) -> anyhow::Result<()> {
    output::refuse_same_file(&args.slide, &args.output)?;
    let slide = open_argument(&args.slide)?;
    let view = args.place.view(slide.info())?;
    if !shows_slide(&view, slide.info()) {
        warn_user("warning: the picture shows no part of the slide");
    }
    let mpp = args.place.mpp(slide.info());
    let overlay = args.overlay.open(&slide, mpp, &view)?;
    ensure!(
        overlay.is_some() || !args.legend,
        "--legend is of an overlay: name one with --overlay or --model"
    );
    let pages = overlay.as_ref().map(Overlay::pages);
    let picture = FieldPicture {
        slide,
        mpp,
        view,
        px_per_pt: 1.0,
        enlarged: 1,
        display: args.display.adjust(),
        overlay: overlay.map(Overlay::into_field),
        scale_bar: args.scale_bar,
        legend: match args.legend {
            true => LegendClasses::InPicture,
            false => LegendClasses::None,
        },
        // Equal pictures are equal files.
        created: None,
    };
    let png = picture.png(&mut Offscreen::open()?, &[])?;
    let missing = pages.and_then(|pages| pages.failure());
    let missing = missing.map(|failure| format!("parts of the overlay are missing: {failure}"));
    for warning in png.warnings.iter().chain(&missing) {
        warn_user(&format!("warning: {warning}"));
    }
    output::write_whole(&args.output, &png.bytes)
}

fn shows_slide(view: &View, info: &SlideInfo) -> bool {
    let whole = info.size().to_vector().to_point();
    let (min, max) = (view.bounding_rect().min, view.bounding_rect().max);
    max.x > 0.0 && max.y > 0.0 && min.x < whole.x && min.y < whole.y
}

impl DisplayArgs {
    fn adjust(&self) -> DisplayAdjust {
        DisplayAdjust {
            brightness: self.brightness,
            contrast: self.contrast,
            gamma: self.gamma,
            stain: match self.stain {
                None => StainView::All,
                Some(Stain::Haematoxylin) => StainView::Haematoxylin,
                Some(Stain::Eosin) => StainView::Eosin,
                Some(Stain::Residual) => StainView::Residual,
            },
            use_profile: !self.no_icc,
        }
    }
}

fn png_path(text: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(text);
    let is_png = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    ensure!(is_png, "only PNG is written: end the name in .png");
    Ok(path.to_owned())
}
