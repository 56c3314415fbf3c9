//! Which part of a slide is drawn, and how large.

use anyhow::Context as _;
use clap::Args;

use super::parse;
use crate::geometry::{Magnification, Mpp, ScreenSize, SlidePoint, SlideRect, UmPoint, View};
use crate::slide::SlideInfo;

/// The glass that is left around a slide that is shown whole.
const FIT_MARGIN: f64 = 1.04;

#[derive(Debug, Args)]
#[command(next_help_heading = "Place")]
pub struct PlaceArgs {
    /// Width and height of the picture, px.
    #[arg(long, default_value = "1920x1080", value_name = "WxH", value_parser = parse::size_px)]
    size: (u32, u32),
    #[command(flatten)]
    center: CenterArgs,
    #[command(flatten)]
    scale: ScaleArgs,
    /// Microns per level-0 px, for a slide that does not state them or states them wrong.
    #[arg(long, value_name = "MPP", value_parser = parse::mpp, allow_negative_numbers = true)]
    slide_mpp: Option<Mpp>,
    /// Turn the picture clockwise, degrees.
    #[arg(long, default_value_t = 0.0, value_name = "DEGREES", value_parser = parse::finite, allow_hyphen_values = true)]
    rotate: f64,
    /// Mirror left to right, before turning.
    #[arg(long)]
    flip: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct CenterArgs {
    /// Centre, microns from the slide's top-left corner; without any, the middle of the tissue.
    #[arg(long, value_name = "X,Y", value_parser = parse::point, allow_hyphen_values = true)]
    center_um: Option<(f64, f64)>,
    /// Centre, level-0 px.
    #[arg(long, value_name = "X,Y", value_parser = parse::point, allow_hyphen_values = true)]
    center_px: Option<(f64, f64)>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ScaleArgs {
    /// Magnification: 10x is 1 µm a px; without any scale, all of the slide is shown.
    #[arg(long, value_parser = parse::magnification, allow_negative_numbers = true)]
    mag: Option<f64>,
    /// Microns that one px of the picture covers.
    #[arg(long, value_parser = parse::positive, allow_negative_numbers = true)]
    mpp: Option<f64>,
    /// Level-0 px that one px of the picture covers.
    #[arg(long, value_parser = parse::positive, allow_negative_numbers = true)]
    downsample: Option<f64>,
}

impl PlaceArgs {
    /// Microns per level-0 px: as given here, else as the slide states them.
    pub fn mpp(&self, info: &SlideInfo) -> Option<Mpp> {
        self.slide_mpp.or(info.mpp)
    }

    /// The view asked for.
    ///
    /// # Errors
    /// When a length is asked for and the slide's scale is not known.
    pub fn view(&self, info: &SlideInfo) -> anyhow::Result<View> {
        let size = ScreenSize::new(self.size.0.into(), self.size.1.into());
        let pixel_aspect = self.mpp(info).map_or(1.0, |mpp| mpp.y / mpp.x);
        let mut view = View::fit(info.content(), pixel_aspect, size);
        view.rotation_rad = self.rotate.to_radians();
        view.mirrored = self.flip;
        view.slide_px_per_screen_px = match self.slide_px_per_picture_px(info)? {
            Some(scale) => scale,
            None => fitting_scale(&view, info.content()),
        };
        if let Some(center) = self.center(info)? {
            view.center = center;
        }
        Ok(view)
    }

    fn center(&self, info: &SlideInfo) -> anyhow::Result<Option<SlidePoint>> {
        if let Some((x, y)) = self.center.center_um {
            let mpp = self.known_mpp(info, "--center-px instead of --center-um")?;
            return Ok(Some(mpp.slide_from_um(UmPoint::new(x, y))));
        }
        Ok(self.center.center_px.map(SlidePoint::from))
    }

    fn slide_px_per_picture_px(&self, info: &SlideInfo) -> anyhow::Result<Option<f64>> {
        let wanted_mpp = match self.scale {
            ScaleArgs { mag: Some(mag), .. } => Magnification(mag).mpp(),
            ScaleArgs { mpp: Some(mpp), .. } => mpp,
            ScaleArgs { downsample, .. } => return Ok(downsample),
        };
        let mpp = self.known_mpp(info, "--downsample instead of --mag or --mpp")?;
        Ok(Some(wanted_mpp / mpp.x))
    }

    fn known_mpp(&self, info: &SlideInfo, instead: &str) -> anyhow::Result<Mpp> {
        self.mpp(info).with_context(|| {
            format!(
                "{} does not state its scale (microns per px): give it as in --slide-mpp 0.25, \
                 or use {instead}",
                info.name
            )
        })
    }
}

/// Level-0 px per px of the picture at which the view, turned as it is, shows all of `content`.
fn fitting_scale(view: &View, content: SlideRect) -> f64 {
    let shown = view
        .screen_from_slide_linear()
        .outer_transformed_box(&content);
    let wide = shown.width() / view.size.width;
    let high = shown.height() / view.size.height;
    view.slide_px_per_screen_px * wide.max(high) * FIT_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        place: PlaceArgs,
    }

    #[test]
    fn a_turned_slide_fits_too() {
        let content = SlideRect::new((0.0, 0.0).into(), (1000.0, 4000.0).into());
        for degrees in [0.0_f64, 30.0, 90.0, -135.0] {
            let mut view = View::fit(content, 1.0, ScreenSize::new(1920.0, 1080.0));
            view.rotation_rad = degrees.to_radians();
            view.slide_px_per_screen_px = fitting_scale(&view, content);
            let shown = view.screen_from_slide().outer_transformed_box(&content);
            assert!(shown.min.x >= 0.0 && shown.min.y >= 0.0, "{degrees}°");
            assert!(shown.max.x <= 1920.0 && shown.max.y <= 1080.0, "{degrees}°");
            let tight = shown.width() > 1800.0 || shown.height() > 1000.0;
            assert!(tight, "{degrees}°: {shown:?}");
        }
    }

    #[test]
    fn one_scale_and_one_centre_at_most() {
        let parse = |args: &str| Only::try_parse_from(format!("x {args}").split(' '));
        assert!(parse("--mag 10x --center-um -5,3 --rotate -30").is_ok());
        assert!(parse("--mag 10 --mpp 1").is_err());
        assert!(parse("--center-um 1,1 --center-px 1,1").is_err());
        let place = parse("--size 30x20 --slide-mpp 0.5").unwrap().place;
        assert_eq!(place.size, (30, 20));
    }
}
