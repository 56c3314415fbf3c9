//! Macro-F1 at each magnification.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{LEGEND_LEFT_PX, LEGEND_ROW_PX, Look, SAMPLE_PX, legend, legend_rows, looks};
use crate::learn::eval_mad::arm::ArmKind;
use crate::learn::eval_mad::footprint::scored_classes;
use crate::learn::eval_mad::report::{ArmReport, Report};
use crate::learn::eval_mad::scores::{ProbeScores, Spread};
use crate::learn::report::PlotError;
use crate::learn::report::svg::{Area, FAINT, TEXT, TITLE_PX, failed, line, picture, style, write};
use crate::learn::statistics::mean;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Width and height of one panel, px.
const PANEL_PX: (u32, u32) = (300, 330);

/// How far apart arms are drawn on that axis.
const ASIDE: f64 = 0.04;

/// Ends of the axis along which 10x, 20x and 40x are 0, 1 and 2.
const FROM_X: f64 = -0.3;
const TO_X: f64 = 2.6;

/// A panel a tissue and one for their mean; a line an arm, and beside 40x a bar for what a probe
/// trained there reaches.
///
/// # Errors
/// When it can't be drawn.
pub fn probe_plot(report: &Report) -> Result<String, PlotError> {
    let panels = report.config.tissues.len() + 1;
    let legend_px = (legend_rows(report) + 1) * LEGEND_ROW_PX + 12;
    let width = PANEL_PX.0 * panels as u32;
    let size = (width, TITLE_PX + PANEL_PX.1 + legend_px);
    let title = "Macro-F1 of a probe trained at 10x, held-out phantom slides";
    picture(title, size, |root| {
        let (_, below) = root.split_vertically(TITLE_PX);
        let (charts, words) = below.split_vertically(PANEL_PX.1);
        for (n, area) in charts.split_evenly((1, panels)).iter().enumerate() {
            panel(area, report, n)?;
        }
        legend(&words, report, sample)?;
        explain(&words, legend_rows(report) as i32)
    })
}

/// The figures of panel `n`: a tissue's, or the mean's after the last.
fn scores_of(arm: &ArmReport, n: usize) -> Option<&Spread<ProbeScores>> {
    match arm.tissues.get(n) {
        Some(tissue) => tissue.scores.as_ref(),
        None => arm.all_tissues.as_ref(),
    }
}

/// Name of panel `n`, and the share that chance gets right there.
fn about(report: &Report, n: usize) -> (&'static str, f64) {
    let tissues = &report.config.tissues;
    let chances = tissues
        .iter()
        .map(|t| 1.0 / scored_classes(*t).len() as f64);
    let chances: Vec<f64> = chances.collect();
    match tissues.get(n) {
        Some(tissue) => (tissue.name(), chances[n]),
        None => ("mean of tissues", mean(&chances)),
    }
}

fn panel(area: &Area, report: &Report, n: usize) -> Result<(), PlotError> {
    let (name, chance) = about(report, n);
    let mut chart = ChartBuilder::on(area)
        .caption(name, style(15, TEXT, (HPos::Center, VPos::Top)))
        .margin_right(14)
        .x_label_area_size(26)
        .y_label_area_size(48)
        .build_cartesian_2d(FROM_X..TO_X, 0.0..1.0_f64)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(TEXT)
        .y_labels(6)
        .x_labels(0)
        .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
        .label_style(style(13, TEXT, (HPos::Right, VPos::Center)))
        .draw()
        .map_err(failed)?;
    let ends = [(FROM_X, chance), (TO_X, chance)];
    dashed(&mut chart, &ends, CHANCE.stroke_width(2), 2)?;
    magnifications(area, &chart)?;
    for (m, (arm, look)) in report.arms.iter().zip(looks(&report.arms)).enumerate() {
        if let Some(scores) = scores_of(arm, n) {
            // Beside each other, so that spreads do not hide one another.
            let aside = ASIDE * (m as f64 - (report.arms.len() - 1) as f64 / 2.0);
            // Colour is the same at every scale, and so is its ceiling.
            let ceiling = (arm.kind != ArmKind::MeanRgb).then_some(scores.mean.ceiling_40x);
            arm_line(&mut chart, (look, aside), scores)?;
            ceiling.map_or(Ok(()), |ceiling| bar(&mut chart, look, ceiling))?;
        }
    }
    Ok(())
}

/// Colour of the line of chance.
const CHANCE: RGBColor = RGBColor(200, 200, 200);

fn magnifications(area: &Area, chart: &Chart) -> Result<(), PlotError> {
    let below = style(13, TEXT, (HPos::Center, VPos::Top));
    let (left, top) = area.get_base_pixel();
    for (x, label) in ["10x", "20x", "40x"].into_iter().enumerate() {
        let at = chart.backend_coord(&(x as f64, 0.0));
        write(area, label, &below, (at.0 - left, at.1 - top + 8))?;
    }
    Ok(())
}

fn dashed(
    chart: &mut Chart,
    points: &[(f64, f64)],
    style: ShapeStyle,
    dash_px: i32,
) -> Result<(), PlotError> {
    let series = DashedLineSeries::new(points.iter().copied(), dash_px, dash_px, style);
    chart.draw_series(series).map_err(failed)?;
    Ok(())
}

/// One arm's line and its spread over seeds, moved `aside` along the axis.
fn arm_line(
    chart: &mut Chart,
    (look, aside): (Look, f64),
    scores: &Spread<ProbeScores>,
) -> Result<(), PlotError> {
    let values = |s: &ProbeScores| [s.f1_10x, s.f1_20x, s.f1_40x];
    let places = (0..).map(|scale| f64::from(scale) + aside);
    let points: Vec<(f64, f64)> = places.zip(values(&scores.mean)).collect();
    let stroke = look.colour.stroke_width(2);
    if look.floor {
        dashed(chart, &points, stroke, 6)?;
    } else {
        let series = LineSeries::new(points.iter().copied(), stroke);
        chart.draw_series(series).map_err(failed)?;
    }
    let deviations = scores.deviation.as_ref().map(values).unwrap_or_default();
    let fill = if look.floor { WHITE } else { look.colour };
    for (&(x, y), deviation) in points.iter().zip(deviations) {
        let ends = vec![(x, (y - deviation).max(0.0)), (x, (y + deviation).min(1.0))];
        let spread = PathElement::new(ends, look.colour.stroke_width(1));
        chart.draw_series([spread]).map_err(failed)?;
        for style in [fill.filled(), stroke] {
            let circle = Circle::new((x, y), 4, style);
            chart.draw_series([circle]).map_err(failed)?;
        }
    }
    Ok(())
}

fn bar(chart: &mut Chart, look: Look, ceiling: f64) -> Result<(), PlotError> {
    let ends = vec![(2.15, ceiling), (2.5, ceiling)];
    let bar = PathElement::new(ends, look.colour.stroke_width(4));
    chart.draw_series([bar]).map_err(failed)?;
    Ok(())
}

/// A piece of an arm's line.
fn sample(area: &Area, look: Look, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let stroke = look.colour.stroke_width(2);
    let pieces: &[(i32, i32)] = if look.floor {
        &[(0, 8), (28, SAMPLE_PX)]
    } else {
        &[(0, SAMPLE_PX)]
    };
    for (from, to) in pieces {
        line(area, (x + from, y), (x + to, y), stroke)?;
    }
    let fill = if look.floor { WHITE } else { look.colour };
    for style in [fill.filled(), stroke] {
        let circle = Circle::new((x + SAMPLE_PX / 2, y), 4, style);
        area.draw(&circle).map_err(failed)?;
    }
    Ok(())
}

/// What bars and the pale line are, in row `n` of the legend.
fn explain(area: &Area, n: i32) -> Result<(), PlotError> {
    let words = style(14, TEXT, (HPos::Left, VPos::Center));
    let row = LEGEND_ROW_PX as i32;
    let y = row / 2 + n * row;
    let half = area.dim_in_pixel().0 as i32 / 2;
    for (x, stroke, text) in [
        (
            0,
            TEXT.stroke_width(4),
            "bar right of 40x: ceiling, the same arm's probe trained at 40x",
        ),
        (half, CHANCE.stroke_width(2), "pale dashes: chance"),
    ] {
        let x = LEGEND_LEFT_PX + x;
        line(area, (x, y), (x + SAMPLE_PX, y), stroke)?;
        write(area, text, &words, (x + SAMPLE_PX + 10, y))?;
    }
    Ok(())
}
