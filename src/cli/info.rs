//! `parfocal info`: what a slide says about itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use moxcms::{ColorProfile, ProfileText};
use serde::Serialize;

use super::{output, parse};
use crate::geometry::Magnification;
use crate::slide::argument::open_argument;
use crate::slide::{AssociatedImage, ScaleOrigin, SlideInfo};

/// Show what a slide says about itself: size, scale, levels, colour profile.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The slide.
    #[arg(value_parser = parse::slide())]
    slide: PathBuf,
    /// Print JSON, properties included.
    #[arg(long)]
    json: bool,
    /// Print the file's own properties too; they may name the patient.
    #[arg(long)]
    properties: bool,
}

/// Prints the description to stdout.
///
/// # Errors
/// When the slide can't be opened or stdout is closed.
pub fn run(args: &InfoArgs) -> anyhow::Result<()> {
    let slide = open_argument(&args.slide)?;
    let report = Report::new(slide.info());
    let text = if args.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.to_text(args.properties)
    };
    output::print(&text)
}

/// What `--json` prints. Fields are added, never renamed or removed; what is not known is `null`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The file's name, or the description of a made-up slide.
    name: &'a str,
    /// The file or folder as it was named; `null` for a made-up slide.
    path: Option<String>,
    /// The reader's word for the format: `aperio`, `dicom`, `image`, `phantom`…
    vendor: &'a str,
    /// Width and height of level 0, px.
    size_px: (u64, u64),
    /// Width and height of level 0, millimetres.
    size_mm: Option<(f64, f64)>,
    /// Microns per level-0 px, x and y.
    mpp: Option<(f64, f64)>,
    /// Where `mpp` is from: `mpp` (stated), `objective-power` (approximate), `missing`.
    mpp_origin: ScaleOrigin,
    /// Objective-equivalent magnification of level 0: 10 / mpp.
    magnification: Option<f64>,
    /// The objective's label as the file states it.
    objective_power: Option<f64>,
    /// Scanned part of level 0 as x, y, width, height, px; `null` where it is all of it.
    bounds_px: Option<(f64, f64, f64, f64)>,
    /// Colour of glass that was not scanned, 0 to 255.
    background_rgb: [u8; 3],
    /// The colour profile of the tissue pixels.
    icc_profile: Option<ProfileReport>,
    /// Finest first.
    levels: Vec<LevelReport>,
    /// Label, macro and other pictures; names and sizes only.
    associated_images: Vec<AssociatedReport<'a>>,
    /// Identity of the content: stable over renaming and moving.
    hash: &'a str,
    /// The file's own properties.
    properties: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct LevelReport {
    /// Width and height, level px.
    size_px: (u64, u64),
    /// Level-0 px per level px, x and y.
    downsample: (f64, f64),
    /// Width and height of the tiles the file is cut into, level px.
    tile_px: Option<(u32, u32)>,
}

#[derive(Debug, Serialize)]
struct AssociatedReport<'a> {
    name: &'a str,
    /// Width and height, px.
    size_px: (u64, u64),
}

#[derive(Debug, Serialize)]
struct ProfileReport {
    /// Size of the profile.
    bytes: usize,
    /// The profile's own name; `null` where it has none or can't be read.
    description: Option<String>,
}

impl<'a> Report<'a> {
    fn new(info: &'a SlideInfo) -> Self {
        let size_px = info.levels.first().map_or((1, 1), |level| level.size_px);
        let mm = |px: u64, mpp: f64| px as f64 * mpp / 1e3;
        let bounds = info.bounds;
        Self {
            name: &info.name,
            path: info.path.as_ref().map(|path| path.display().to_string()),
            vendor: &info.vendor,
            size_px,
            size_mm: info
                .mpp
                .map(|mpp| (mm(size_px.0, mpp.x), mm(size_px.1, mpp.y))),
            mpp: info.mpp.map(|mpp| (mpp.x, mpp.y)),
            mpp_origin: info.scale_origin,
            magnification: info.mpp.map(|mpp| Magnification::from_mpp(mpp.mean()).0),
            objective_power: info.objective_power,
            bounds_px: bounds.map(|b| (b.min.x, b.min.y, b.width(), b.height())),
            background_rgb: info.background_rgb,
            icc_profile: info.icc_profile.as_deref().map(ProfileReport::new),
            levels: level_reports(info),
            associated_images: info.associated.iter().map(AssociatedReport::new).collect(),
            hash: &info.hash.0,
            properties: &info.properties,
        }
    }

    fn to_text(&self, with_properties: bool) -> String {
        let mut text = format!("{}\n", printable(self.name));
        for (label, value) in self.lines() {
            // Writing into a string can't fail.
            let _ = writeln!(text, "  {label:<12}{}", printable(&value));
        }
        if with_properties {
            text += "  properties\n";
            for (name, value) in self.properties {
                let _ = writeln!(text, "    {} = {}", printable(name), printable(value));
            }
        }
        text
    }

    fn lines(&self) -> Vec<(String, String)> {
        let [r, g, b] = self.background_rgb;
        let mut lines = vec![
            line("format", self.vendor.to_owned()),
            line("size", self.size_text()),
            line("scale", self.scale_text()),
            line(
                "objective",
                or_unknown(self.objective_power.map(|power| format!("{power}x"))),
            ),
            line("scanned", self.bounds_text()),
            line("background", format!("#{r:02x}{g:02x}{b:02x}")),
            line("colour", self.profile_text()),
        ];
        let levels = self.levels.iter().enumerate();
        lines.extend(levels.map(|(index, level)| line(&format!("level {index}"), level.text())));
        let images = self.associated_images.iter();
        lines.extend(images.map(|image| line("image", image.text())));
        lines.push(line("hash", self.hash.to_owned()));
        lines
    }

    fn size_text(&self) -> String {
        let px = px_text(self.size_px);
        match self.size_mm {
            Some((width, height)) => format!("{px}, {width:.3} x {height:.3} mm"),
            None => px,
        }
    }

    fn scale_text(&self) -> String {
        let (Some((x, y)), Some(magnification)) = (self.mpp, self.magnification) else {
            return "unknown: lengths are in pixels".to_owned();
        };
        let mpp = if x == y {
            x.to_string()
        } else {
            format!("{x} x {y}")
        };
        let origin = match self.mpp_origin {
            ScaleOrigin::Mpp => "stated by the slide",
            ScaleOrigin::ObjectivePower => "from the objective alone, so approximate",
            ScaleOrigin::Typed => "typed in",
            ScaleOrigin::Missing => "of unknown origin",
        };
        format!("{mpp} µm/px = {}, {origin}", Magnification(magnification))
    }

    fn bounds_text(&self) -> String {
        match self.bounds_px {
            Some((x, y, width, height)) => format!("{width} x {height} px from ({x}, {y})"),
            None => "all of it".to_owned(),
        }
    }

    fn profile_text(&self) -> String {
        let Some(profile) = &self.icc_profile else {
            return "no profile: taken as sRGB".to_owned();
        };
        let name = profile.description.as_deref().unwrap_or("unnamed");
        format!("ICC profile \"{name}\", {} bytes", profile.bytes)
    }
}

impl LevelReport {
    fn text(&self) -> String {
        let (x, y) = self.downsample;
        let downsample = if x == y {
            format!("1/{x}")
        } else {
            format!("1/{x:.4} x 1/{y:.4}")
        };
        let tiles = self.tile_px.map_or_else(
            || "not tiled".to_owned(),
            |(width, height)| format!("tiles of {width} x {height}"),
        );
        format!("{}, {downsample}, {tiles}", px_text(self.size_px))
    }
}

impl<'a> AssociatedReport<'a> {
    fn new(image: &'a AssociatedImage) -> Self {
        Self {
            name: &image.name,
            size_px: image.size_px,
        }
    }

    fn text(&self) -> String {
        format!("{}, {}", self.name, px_text(self.size_px))
    }
}

impl ProfileReport {
    fn new(profile: &[u8]) -> Self {
        let parsed = ColorProfile::new_from_slice(profile).ok();
        Self {
            bytes: profile.len(),
            description: parsed.and_then(|parsed| description(parsed.description?)),
        }
    }
}

fn description(text: ProfileText) -> Option<String> {
    let text = match text {
        ProfileText::PlainString(text) => text,
        ProfileText::Localizable(texts) => texts.into_iter().next()?.value,
        ProfileText::Description(text) => text.ascii_string,
    };
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

fn level_reports(info: &SlideInfo) -> Vec<LevelReport> {
    let report = |level: &crate::slide::LevelInfo| LevelReport {
        size_px: level.size_px,
        downsample: level.scale,
        tile_px: level.native_tile_px,
    };
    info.levels.iter().map(report).collect()
}

fn line(label: &str, value: String) -> (String, String) {
    (label.to_owned(), value)
}

fn px_text((width, height): (u64, u64)) -> String {
    format!("{width} x {height} px")
}

fn or_unknown(text: Option<String>) -> String {
    text.unwrap_or_else(|| "unknown".to_owned())
}

/// Text out of a file must not steer the terminal: control characters become visible escapes.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_not_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nµ"), "a\\u{1b}[2Jb\\nµ");
    }
}
