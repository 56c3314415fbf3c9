//! Loss, attention, bias and its gradient of one class on the way, arm by arm.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plan::BenchRunError;
use super::trace::{TraceRow, read};
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::number;
use crate::learn::report::svg::{
    Area, FAINT, PALETTE, TEXT, TITLE_PX, line, picture, style, write,
};
use crate::learn::statistics::mean;

/// Sizes, px.
const LEFT_PX: i32 = 70;
const WIDTH_PX: i32 = 640;
const HEIGHT_PX: i32 = 170;
const PANEL_PX: i32 = HEIGHT_PX + 74;
const FOOT_PX: i32 = 36;

/// A panel: its title, and what of a look it shows.
type Panel = (&'static str, fn(&TraceRow) -> Option<f64>);

const PANELS: [Panel; 5] = [
    ("soft Dice loss of the class, by step", |row| row.loss),
    ("its share of the attention of all tokens, by step", |row| {
        Some(row.attention)
    }),
    (
        "its share of the attention of tokens on the class, by step",
        |row| row.attention_on,
    ),
    ("b, by step", |row| Some(row.bias)),
    ("∂L/∂b, by step", |row| Some(row.gradient)),
];

/// All looks of each arm, run by run.
type Runs = BTreeMap<String, Vec<Vec<TraceRow>>>;

/// Draws the looks at `class` in `folder`: a thin line a run, a thick one for their mean.
///
/// # Errors
/// When a table can't be read, none has the class, or it can't be drawn.
pub fn trace_plot(folder: &Path, arms: &[String], class: &str) -> Result<String, BenchRunError> {
    let runs = runs(folder, class)?;
    let arms: Vec<&String> = arms.iter().filter(|arm| runs.contains_key(*arm)).collect();
    if arms.is_empty() {
        let words = format!("no training has looks at a class '{class}': see trace_every");
        return Err(BenchRunError::Settings(words));
    }
    let height = TITLE_PX as i32 + PANELS.len() as i32 * PANEL_PX + FOOT_PX;
    let size = ((LEFT_PX + WIDTH_PX + 30) as u32, height as u32);
    let title = format!("{class}, on validation tiles");
    let svg = picture(&title, size, |root| {
        for (n, panel) in PANELS.iter().enumerate() {
            draw(
                root,
                panel,
                &arms,
                &runs,
                TITLE_PX as i32 + n as i32 * PANEL_PX + 6,
            )?;
        }
        legend(root, &arms, height - FOOT_PX / 2)
    });
    svg.map_err(|error| BenchRunError::Settings(error.to_string()))
}

fn runs(folder: &Path, class: &str) -> Result<Runs, BenchRunError> {
    let failed = |error: std::io::Error| BenchRunError::Trace {
        path: folder.to_owned(),
        reason: error.to_string(),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|end| end == "csv"));
    paths.sort();
    let mut runs = Runs::new();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let arm = name.split('.').next().unwrap_or_default().to_owned();
        let mut rows = read(&path)?;
        rows.retain(|row| row.class == class);
        if !rows.is_empty() {
            runs.entry(arm).or_default().push(rows);
        }
    }
    Ok(runs)
}

fn draw(
    root: &Area,
    (title, value): &Panel,
    arms: &[&String],
    runs: &Runs,
    top: i32,
) -> Result<(), PlotError> {
    let all = || {
        arms.iter()
            .filter_map(|arm| runs.get(*arm))
            .flatten()
            .flatten()
    };
    let across = Axis::around(
        all().map(|row| row.step as f64),
        (LEFT_PX, LEFT_PX + WIDTH_PX),
    );
    let up = Axis::around(all().filter_map(value), (0, HEIGHT_PX));
    let place =
        |step: u64, value: f64| (across.x_px(step as f64), top + HEIGHT_PX - up.x_px(value));
    across.draw(root, (top, top + HEIGHT_PX), title, &|step| {
        number(Some(step), 0)
    })?;
    let beside = style(13, TEXT, (HPos::Right, VPos::Center));
    let digits = if up.to - up.from < 0.1 { 3 } else { 2 };
    for tick in up.ticks() {
        let y = top + HEIGHT_PX - up.x_px(tick);
        line(
            root,
            (LEFT_PX, y),
            (LEFT_PX + WIDTH_PX, y),
            FAINT.stroke_width(1),
        )?;
        write(root, &number(Some(tick), digits), &beside, (LEFT_PX - 8, y))?;
    }
    for (n, arm) in arms.iter().enumerate() {
        let colour = PALETTE[n % PALETTE.len()];
        let runs = runs.get(*arm).map_or(&[][..], Vec::as_slice);
        let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in runs {
            let seen: Vec<(u64, f64)> = run
                .iter()
                .filter_map(|row| Some((row.step, value(row)?)))
                .collect();
            path(root, &seen, &place, colour.mix(0.35).stroke_width(1))?;
            for (step, value) in seen {
                by_step.entry(step).or_default().push(value);
            }
        }
        let means: Vec<(u64, f64)> = by_step
            .iter()
            .map(|(step, all)| (*step, mean(all)))
            .collect();
        path(root, &means, &place, colour.stroke_width(3))?;
    }
    Ok(())
}

fn path(
    root: &Area,
    seen: &[(u64, f64)],
    place: &dyn Fn(u64, f64) -> (i32, i32),
    style: ShapeStyle,
) -> Result<(), PlotError> {
    for pair in seen.windows(2) {
        line(
            root,
            place(pair[0].0, pair[0].1),
            place(pair[1].0, pair[1].1),
            style,
        )?;
    }
    Ok(())
}

fn legend(root: &Area, arms: &[&String], y: i32) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    let step = WIDTH_PX / arms.len().max(1) as i32;
    for (n, arm) in arms.iter().enumerate() {
        let x = LEFT_PX + n as i32 * step;
        line(
            root,
            (x, y),
            (x + 24, y),
            PALETTE[n % PALETTE.len()].stroke_width(3),
        )?;
        write(root, arm, &words, (x + 30, y))?;
    }
    Ok(())
}
