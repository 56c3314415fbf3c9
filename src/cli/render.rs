//! `parfocal render`: a picture of a part of a slide, drawn as the window draws it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};

use super::place::PlaceArgs;
use super::render_overlay::{Overlay, OverlayArgs};
use super::{output, parse, png, warn_user};
use crate::geometry::{Mpp, View};
use crate::gpu::offscreen::{Offscreen, Picture};
use crate::gpu::overlay::OverlayInput;
use crate::gpu::{DisplayAdjust, StainView};
use crate::slide::argument::open_argument;
use crate::slide::{SlideInfo, SlideSource};

const EXAMPLES: &str = "\
Examples:
  parfocal render a.svs -o a.png                           the whole slide
  parfocal render a.svs --mag 10 --center-um 800,1200 -o a.png
  parfocal render a.svs --downsample 4 --rotate 30 -o a.png
  parfocal render photo.png --slide-mpp 0.5 --mag 20 -o a.png
  parfocal render a.svs --mag 10 --model breast -o a.png    as the window segments it
  parfocal render a.svs --overlay labels.tif --regions border -o a.png

Tiles that can't be read are drawn in striped grey, with a warning; when none can be read there
is no picture and the exit code is 1. The PNG holds the slide's hash and the scale.";

/// Draw part of a slide into a PNG file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RenderArgs {
    /// The slide.
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
    /// Factor about mid grey, 0 to 4.
    #[arg(long, default_value_t = 1.0, value_parser = parse::within(0.0, 4.0))]
    contrast: f32,
    /// Applied as the exponent 1/gamma, 0.2 to 5.
    #[arg(long, default_value_t = 1.0, value_parser = parse::within(0.2, 5.0))]
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
    let picture = draw(
        slide.as_ref(),
        &view,
        &args.display.adjust(),
        overlay.as_ref(),
    )?;
    judge_failures(&picture, slide.info())?;
    if let Some(failure) = overlay.as_ref().and_then(Overlay::failure) {
        warn_user(&format!(
            "warning: parts of the overlay are missing: {failure}"
        ));
    }
    let provenance = png::Provenance {
        slide_hash: slide.info().hash.0.clone(),
        mpp: mpp.map(|mpp| shown_mpp(mpp, &view)),
        notes: overlay.map(|overlay| overlay.notes).unwrap_or_default(),
    };
    output::write_whole(&args.output, &png::encode(&picture.pixels, &provenance)?)
}

fn draw(
    slide: &dyn SlideSource,
    view: &View,
    display: &DisplayAdjust,
    overlay: Option<&Overlay>,
) -> anyhow::Result<Picture> {
    let name = &slide.info().name;
    let layer = overlay.map(|overlay| [overlay.layer()]);
    let input = overlay.zip(layer.as_ref());
    let input = input.map(|(overlay, layer)| OverlayInput {
        view,
        layers: layer,
        before_layers: &[],
        style: &overlay.style,
    });
    let background_rgb = slide.info().background_rgb;
    Offscreen::open()?
        .draw_with(slide, view, display, background_rgb, input.as_ref())
        .with_context(|| format!("{name} can't be drawn"))
}

/// Microns that one px of the picture covers.
fn shown_mpp(mpp: Mpp, view: &View) -> f64 {
    mpp.x * view.slide_px_per_screen_px
}

fn shows_slide(view: &View, info: &SlideInfo) -> bool {
    let whole = info.size().to_vector().to_point();
    let (min, max) = (view.bounding_rect().min, view.bounding_rect().max);
    max.x > 0.0 && max.y > 0.0 && min.x < whole.x && min.y < whole.y
}

/// Warns of tiles that are drawn in grey.
fn judge_failures(picture: &Picture, info: &SlideInfo) -> anyhow::Result<()> {
    let (failed, of) = (picture.failures.len(), picture.tiles);
    let Some(first) = picture.failures.first() else {
        return Ok(());
    };
    if failed == of {
        bail!(
            "{}: no tile can be read, so there is no picture: {first}",
            info.name
        );
    }
    warn_user(&format!(
        "warning: {failed} of {of} tiles can't be read and are striped grey; the first: {first}"
    ));
    Ok(())
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
