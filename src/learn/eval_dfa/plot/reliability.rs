//! Whether probabilities mean what they say, as a picture.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::eval_dfa::report::Part;
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::percent;
use crate::learn::report::svg::{
    Area, FAINT, GREY, PALETTE, TEXT, TITLE_PX, block, dot, failed, line, picture, style, write,
};
use crate::learn::seg_metrics::{CalibrationReport, ReliabilityBin};

/// Sizes, px: the square, the bars below it, and the legend.
const SIDE_PX: i32 = 400;
const BARS_PX: i32 = 70;
const LEFT_PX: i32 = 70;
const LEGEND_PX: i32 = 320;
const TOP_PX: i32 = TITLE_PX as i32 + 8;
const BOTTOM_PX: i32 = TOP_PX + SIDE_PX;
const BARS_BOTTOM_PX: i32 = BOTTOM_PX + 22 + BARS_PX;

/// Bins with less of a class's pixels are not drawn in its line: they scatter.
const LEAST_SHARE: f64 = 2e-3;

const AXIS: Axis = Axis {
    left_px: LEFT_PX,
    right_px: LEFT_PX + SIDE_PX,
    from: 0.0,
    to: 1.0,
};

/// How often the most probable class is right, by its probability; below, how many pixels there
/// are. `None` where no probabilities were given.
///
/// # Errors
/// When it can't be drawn.
pub fn reliability_plot(part: &Part) -> Result<Option<String>, PlotError> {
    let Some(found) = &part.scores.calibration else {
        return Ok(None);
    };
    let size = (
        (LEFT_PX + SIDE_PX + LEGEND_PX) as u32,
        (BARS_BOTTOM_PX + 56) as u32,
    );
    let title = format!("Calibration of the most probable class, {}", part.label());
    let svg = picture(&title, size, |root| {
        scales(root)?;
        bars(root, found)?;
        classes(root, part, found)?;
        let black = TEXT;
        curve(root, &found.bins, 0.0, black.stroke_width(3))?;
        let all: u64 = found.bins.iter().map(|bin| bin.px).sum();
        for bin in &found.bins {
            let share = bin.px as f64 / all.max(1) as f64;
            let radius = 3 + (8.0 * share.sqrt()).round() as i32;
            dot(root, place(bin), radius, (black, WHITE))?;
        }
        legend(root, part, found)
    })?;
    Ok(Some(svg))
}

fn y_px(share: f64) -> i32 {
    BOTTOM_PX - (share * f64::from(SIDE_PX)).round() as i32
}

fn place(bin: &ReliabilityBin) -> (i32, i32) {
    (AXIS.x_px(bin.confidence), y_px(bin.accuracy))
}

fn scales(root: &Area) -> Result<(), PlotError> {
    let shown = |share: f64| percent(Some(share), 0);
    let title = "probability of the most probable class";
    AXIS.draw(root, (TOP_PX, BARS_BOTTOM_PX), title, &shown)?;
    let beside = style(13, TEXT, (HPos::Right, VPos::Center));
    for tick in AXIS.ticks() {
        let y = y_px(tick);
        line(
            root,
            (LEFT_PX, y),
            (AXIS.right_px, y),
            FAINT.stroke_width(1),
        )?;
        write(root, &shown(tick), &beside, (LEFT_PX - 8, y))?;
    }
    let turned = style(13, TEXT, (HPos::Center, VPos::Center)).transform(FontTransform::Rotate270);
    write(
        root,
        "pixels where it is right",
        &turned,
        (16, TOP_PX + SIDE_PX / 2),
    )?;
    let diagonal = ((LEFT_PX, BOTTOM_PX), (AXIS.right_px, TOP_PX));
    line(root, diagonal.0, diagonal.1, GREY.stroke_width(1))
}

fn bars(root: &Area, found: &CalibrationReport) -> Result<(), PlotError> {
    let all: u64 = found.bins.iter().map(|bin| bin.px).sum();
    let most = found
        .bins
        .iter()
        .map(|bin| bin.px)
        .max()
        .unwrap_or(1)
        .max(1);
    let words = style(11, TEXT, (HPos::Center, VPos::Bottom));
    for bin in &found.bins {
        let (x, _) = place(bin);
        let height = (bin.px as f64 / most as f64 * f64::from(BARS_PX - 14)).round() as i32;
        let top = BARS_BOTTOM_PX - height;
        block(
            root,
            (x - 7, top),
            (x + 7, BARS_BOTTOM_PX),
            GREY.mix(0.55).filled(),
        )?;
        let share = bin.px as f64 / all.max(1) as f64;
        if share >= 0.05 {
            write(root, &percent(Some(share), 0), &words, (x, top - 1))?;
        }
    }
    Ok(())
}

/// The bins that hold at least so much of all pixels, joined.
fn curve(
    root: &Area,
    bins: &[ReliabilityBin],
    least_share: f64,
    stroke: ShapeStyle,
) -> Result<(), PlotError> {
    let all: u64 = bins.iter().map(|bin| bin.px).sum();
    let enough = |bin: &&ReliabilityBin| bin.px as f64 >= least_share * all as f64;
    let points: Vec<(i32, i32)> = bins.iter().filter(enough).map(place).collect();
    root.draw(&PathElement::new(points, stroke)).map_err(failed)
}

/// A line a class, while there are colours for them.
fn classes(root: &Area, part: &Part, found: &CalibrationReport) -> Result<(), PlotError> {
    if part.scores.classes.len() > PALETTE.len() {
        return Ok(());
    }
    for (bins, colour) in found.class_bins.iter().zip(PALETTE) {
        curve(root, bins, LEAST_SHARE, colour.stroke_width(2))?;
    }
    Ok(())
}

fn legend(root: &Area, part: &Part, found: &CalibrationReport) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    let mut row = 0;
    let mut entry = |colour: RGBColor, width: u32, text: &str| {
        let (x, y) = (AXIS.right_px + 24, TOP_PX + 12 + 24 * row);
        row += 1;
        line(root, (x, y), (x + 30, y), colour.stroke_width(width))?;
        write(root, text, &words, (x + 40, y))
    };
    let error = |ece: f64| format!("error {}", percent(Some(ece), 1));
    entry(TEXT, 3, &format!("all pixels: {}", error(found.ece)))?;
    let each = part
        .scores
        .classes
        .iter()
        .zip(&found.class_ece)
        .zip(PALETTE);
    let few = part.scores.classes.len() <= PALETTE.len();
    for ((class, ece), colour) in each.filter(|_| few) {
        let text = ece.map_or_else(|| "never predicted".to_owned(), error);
        entry(colour, 2, &format!("{}: {text}", class.class))?;
    }
    entry(GREY, 1, "as it should be")
}
