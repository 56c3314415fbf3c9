//! Right-child retrieval as bars.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{LEGEND_ROW_PX, Look, SAMPLE_PX, legend, legend_rows, looks};
use crate::learn::eval_mad::report::{PlaceReport, Report};
use crate::learn::eval_mad::scores::PlaceScores;
use crate::learn::report::PlotError;
use crate::learn::report::svg::{Area, FAINT, TEXT, TITLE_PX, block, line, picture, style, write};

/// Sizes, px.
const BAR_PX: i32 = 15;
const GAP_PX: i32 = 20;
const NAMES_PX: i32 = 230;
const COLUMN_PX: i32 = 400;
/// Of a column, what bars take at 100 %; the rest is for the last number.
const BARS_PX: i32 = 330;
const TOP_PX: i32 = TITLE_PX as i32 + 30;

/// The red of chance.
const CHANCE: RGBColor = RGBColor(200, 0, 0);

/// A way of testing: its title and its figure.
type Column = (&'static str, fn(&PlaceScores) -> f64);

const COLUMNS: [Column; 2] = [
    ("tiles as they are", |scores| scores.top1),
    ("every tile's stain jittered by itself", |scores| {
        scores.top1_jittered
    }),
];

/// A group of bars a place, in a column for each way of testing.
///
/// # Errors
/// When it can't be drawn.
pub fn retrieval_plot(report: &Report) -> Result<String, PlotError> {
    let places = report.arms.first().map_or(&[][..], |arm| &arm.places);
    let bottom = TOP_PX + group_px(report) * places.len() as i32;
    let height = bottom as u32 + 40 + legend_rows(report) * LEGEND_ROW_PX + 12;
    let size = ((NAMES_PX + COLUMN_PX * COLUMNS.len() as i32) as u32, height);
    let title = "Right-child retrieval: top-1 among a parent's children of tissue";
    picture(title, size, |root| {
        for (n, place) in places.iter().enumerate() {
            name(
                root,
                place,
                TOP_PX + n as i32 * group_px(report) + arms_px(report) / 2,
            )?;
        }
        for (n, column) in COLUMNS.iter().enumerate() {
            let left = NAMES_PX + n as i32 * COLUMN_PX;
            scale(root, column.0, left, bottom)?;
            for place in 0..places.len() {
                group(root, report, place, column, left)?;
            }
        }
        let (_, words) = root.split_vertically(bottom + 40);
        legend(&words, report, sample)
    })
}

fn arms_px(report: &Report) -> i32 {
    report.arms.len() as i32 * BAR_PX
}

fn group_px(report: &Report) -> i32 {
    arms_px(report) + GAP_PX
}

fn name(root: &Area, place: &PlaceReport, middle: i32) -> Result<(), PlotError> {
    let about = match (place.real, place.in_training) {
        (false, _) => "phantom, held out",
        (true, true) => "real, in training",
        (true, false) => "real, not in training",
    };
    let right = NAMES_PX - 12;
    let large = style(14, TEXT, (HPos::Right, VPos::Center));
    let small = style(12, TEXT, (HPos::Right, VPos::Center));
    write(root, &place.place, &large, (right, middle - 8))?;
    write(root, about, &small, (right, middle + 9))
}

/// Horizontal place of a share within a column that begins at `left`, px.
fn x_of(share: f64, left: i32) -> i32 {
    left + (share * f64::from(BARS_PX)).round() as i32
}

fn scale(root: &Area, title: &str, left: i32, bottom: i32) -> Result<(), PlotError> {
    let above = style(14, TEXT, (HPos::Left, VPos::Bottom));
    write(root, title, &above, (left, TOP_PX - 12))?;
    let below = style(13, TEXT, (HPos::Center, VPos::Top));
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let x = x_of(share, left);
        line(root, (x, TOP_PX - 6), (x, bottom), FAINT.stroke_width(1))?;
        write(
            root,
            &format!("{:.0} %", 100.0 * share),
            &below,
            (x, bottom + 6),
        )?;
    }
    Ok(())
}

fn group(
    root: &Area,
    report: &Report,
    place: usize,
    column: &Column,
    left: i32,
) -> Result<(), PlotError> {
    let top = TOP_PX + place as i32 * group_px(report);
    let words = style(12, TEXT, (HPos::Left, VPos::Center));
    let mut chance = None;
    for (n, (arm, look)) in report.arms.iter().zip(looks(&report.arms)).enumerate() {
        let scores = arm
            .places
            .get(place)
            .and_then(|place| place.scores.as_ref());
        let Some(scores) = scores else {
            continue;
        };
        chance = Some(scores.mean.chance);
        let share = column.1(&scores.mean);
        let (x, y) = (x_of(share, left), top + n as i32 * BAR_PX);
        fill(root, look, (left, y + 1), (x, y + BAR_PX - 2))?;
        let mut end = x;
        if let Some(deviation) = &scores.deviation {
            let by = column.1(deviation);
            let from = x_of((share - by).max(0.0), left);
            end = x_of((share + by).min(1.0), left);
            let middle = y + BAR_PX / 2;
            line(root, (from, middle), (end, middle), TEXT.stroke_width(2))?;
        }
        let number = format!("{:.1} %", 100.0 * share);
        write(root, &number, &words, (end + 8, y + BAR_PX / 2))?;
    }
    chance.map_or(Ok(()), |chance| {
        mark_chance(root, report, (x_of(chance, left), top))
    })
}

fn mark_chance(root: &Area, report: &Report, (x, top): (i32, i32)) -> Result<(), PlotError> {
    let end = top + arms_px(report) + 2;
    line(root, (x, top - 3), (x, end), CHANCE.stroke_width(2))?;
    let below = style(11, CHANCE, (HPos::Center, VPos::Top));
    write(root, "chance", &below, (x, end + 1))
}

/// A bar; floors are paler.
fn fill(root: &Area, look: Look, from: (i32, i32), to: (i32, i32)) -> Result<(), PlotError> {
    let strength = if look.floor { 0.55 } else { 1.0 };
    let style = look.colour.mix(strength).filled();
    block(root, from, to, style)
}

fn sample(area: &Area, look: Look, (x, y): (i32, i32)) -> Result<(), PlotError> {
    fill(area, look, (x, y - 6), (x + SAMPLE_PX, y + 6))
}
