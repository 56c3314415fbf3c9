//! The report as two pictures (SVG).

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::EvalError;
use super::arm::ArmKind;
use super::footprint::scored_classes;
use super::report::{ArmReport, PlaceReport, Report};
use super::scores::{ProbeScores, Spread, mean};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Okabe and Ito's colours, told apart by the colour-blind: one a trained encoder.
const TRAINED: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
];
const WITHOUT: RGBColor = RGBColor(213, 94, 0);
const UNTRAINED: RGBColor = RGBColor(110, 110, 110);
const COLOUR_ALONE: RGBColor = RGBColor(0, 0, 0);
const TEXT: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(225, 225, 225);

const FONT: &str = "sans-serif";

/// Sizes of the pictures' parts, px.
const PANEL_PX: (u32, u32) = (300, 330);
const TITLE_PX: u32 = 46;
const LEGEND_ROW_PX: u32 = 24;
const BAR_PX: i32 = 15;
const GROUP_GAP_PX: i32 = 16;
const BARS_LEFT_PX: i32 = 250;
const BARS_WIDTH_PX: i32 = 560;

/// How an arm is drawn in both pictures.
#[derive(Clone, Copy)]
struct Look {
    colour: RGBColor,
    /// Floors are dashed and hollow.
    floor: bool,
}

fn looks(arms: &[ArmReport]) -> Vec<Look> {
    let mut trained = 0;
    let look = |arm: &ArmReport| {
        let colour = match arm.kind {
            ArmKind::Trained => {
                trained += 1;
                TRAINED[(trained - 1) % TRAINED.len()]
            }
            ArmKind::Without => WITHOUT,
            ArmKind::Untrained => UNTRAINED,
            ArmKind::MeanRgb => COLOUR_ALONE,
        };
        Look {
            colour,
            floor: arm.kind != ArmKind::Trained,
        }
    };
    arms.iter().map(look).collect()
}

fn failed(error: impl std::fmt::Display) -> EvalError {
    EvalError::Plot(error.to_string())
}

/// Text of `px` height, anchored as `at` says.
fn style(px: i32, colour: RGBColor, at: (HPos, VPos)) -> TextStyle<'static> {
    (FONT, px)
        .into_font()
        .color(&colour)
        .pos(Pos::new(at.0, at.1))
}

/// An SVG of `size` px on white, filled by `draw`.
fn picture(
    size: (u32, u32),
    draw: impl FnOnce(&Area) -> Result<(), EvalError>,
) -> Result<String, EvalError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        draw(&root)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// Macro-F1 at each magnification: a panel a tissue and one for their mean; a line an arm, and a
/// bar at 40x for what a probe trained there reaches.
///
/// # Errors
/// When it can't be drawn.
pub fn probe_plot(report: &Report) -> Result<String, EvalError> {
    let panels = report.config.tissues.len() + 1;
    let rows = report.arms.len().div_ceil(2) as u32 + 1;
    let width = PANEL_PX.0 * panels as u32;
    let size = (width, TITLE_PX + PANEL_PX.1 + rows * LEGEND_ROW_PX + 12);
    picture(size, |root| {
        let title = style(18, TEXT, (HPos::Left, VPos::Top));
        let words = "Macro-F1 of a probe trained at 10x, held-out phantom slides";
        root.draw_text(words, &title, (14, 12)).map_err(failed)?;
        let (_, below) = root.split_vertically(TITLE_PX);
        let (charts, legend) = below.split_vertically(PANEL_PX.1);
        for (n, area) in charts.split_evenly((1, panels)).iter().enumerate() {
            probe_panel(area, report, n)?;
        }
        probe_legend(&legend, report)
    })
}

/// The figures of panel `n`: a tissue's, or the mean's after the last.
fn panel_scores(arm: &ArmReport, n: usize) -> Option<&Spread<ProbeScores>> {
    match arm.tissues.get(n) {
        Some(tissue) => tissue.scores.as_ref(),
        None => arm.all_tissues.as_ref(),
    }
}

fn probe_panel(area: &Area, report: &Report, n: usize) -> Result<(), EvalError> {
    let chance =
        |tissue: &crate::slide::phantom::Tissue| 1.0 / scored_classes(*tissue).len() as f64;
    let tissues = &report.config.tissues;
    let all: Vec<f64> = tissues.iter().map(chance).collect();
    let (name, chance) = match tissues.get(n) {
        Some(tissue) => (tissue.name(), chance(tissue)),
        None => ("mean of tissues", mean(&all)),
    };
    let mut chart = ChartBuilder::on(area)
        .caption(name, style(15, TEXT, (HPos::Center, VPos::Top)))
        .margin_right(14)
        .x_label_area_size(26)
        .y_label_area_size(46)
        .build_cartesian_2d(-0.3..2.5_f64, 0.0..1.0_f64)
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
    dashed(
        &mut chart,
        &[(-0.3, chance), (2.5, chance)],
        FAINT.mix(1.0).stroke_width(2),
        2,
    )?;
    let bottom = style(13, TEXT, (HPos::Center, VPos::Top));
    for (x, label) in ["10x", "20x", "40x"].into_iter().enumerate() {
        let at = chart.backend_coord(&(x as f64, 0.0));
        let (left, top) = area.get_base_pixel();
        area.draw_text(label, &bottom, (at.0 - left, at.1 - top + 8))
            .map_err(failed)?;
    }
    for (arm, look) in report.arms.iter().zip(looks(&report.arms)) {
        if let Some(scores) = panel_scores(arm, n) {
            probe_line(&mut chart, look, scores)?;
        }
    }
    Ok(())
}

fn dashed(
    chart: &mut Chart,
    points: &[(f64, f64)],
    line: ShapeStyle,
    dash_px: i32,
) -> Result<(), EvalError> {
    let series = DashedLineSeries::new(points.iter().copied(), dash_px * 2, dash_px * 2, line);
    chart.draw_series(series).map_err(failed)?;
    Ok(())
}

/// One arm's line, its spread over seeds, and its ceiling.
fn probe_line(
    chart: &mut Chart,
    look: Look,
    scores: &Spread<ProbeScores>,
) -> Result<(), EvalError> {
    let values = |s: &ProbeScores| [s.f1_10x, s.f1_20x, s.f1_40x];
    let points: Vec<(f64, f64)> = (0..).map(f64::from).zip(values(&scores.mean)).collect();
    let line = look.colour.stroke_width(2);
    if look.floor {
        dashed(chart, &points, line, 3)?;
    } else {
        let series = LineSeries::new(points.iter().copied(), line);
        chart.draw_series(series).map_err(failed)?;
    }
    let deviations = scores.deviation.as_ref().map(values).unwrap_or_default();
    for (&(x, y), deviation) in points.iter().zip(deviations) {
        let ends = vec![(x, (y - deviation).max(0.0)), (x, (y + deviation).min(1.0))];
        let spread = PathElement::new(ends, look.colour.stroke_width(1));
        chart.draw_series([spread]).map_err(failed)?;
        let fill = if look.floor { WHITE } else { look.colour };
        chart
            .draw_series([Circle::new((x, y), 4, fill.filled())])
            .map_err(failed)?;
        chart
            .draw_series([Circle::new((x, y), 4, line)])
            .map_err(failed)?;
    }
    let ceiling = scores.mean.ceiling_40x;
    let bar = PathElement::new(
        vec![(1.82, ceiling), (2.32, ceiling)],
        look.colour.stroke_width(3),
    );
    chart.draw_series([bar]).map_err(failed)?;
    Ok(())
}

/// Arms in two columns, then what bars and the pale line are.
fn probe_legend(area: &Area, report: &Report) -> Result<(), EvalError> {
    let words = style(14, TEXT, (HPos::Left, VPos::Center));
    let column_px = area.dim_in_pixel().0 as i32 / 2;
    let row = LEGEND_ROW_PX as i32;
    for (n, (arm, look)) in report.arms.iter().zip(looks(&report.arms)).enumerate() {
        let (x, y) = (46 + n as i32 % 2 * column_px, row / 2 + n as i32 / 2 * row);
        sample(area, look, (x, y))?;
        area.draw_text(&arm_label(arm), &words, (x + 46, y))
            .map_err(failed)?;
    }
    let y = row / 2 + report.arms.len().div_ceil(2) as i32 * row;
    let bar = PathElement::new(vec![(46, y), (82, y)], TEXT.stroke_width(3));
    area.draw(&bar).map_err(failed)?;
    let ceiling = "bar at 40x: ceiling, the probe trained at 40x";
    area.draw_text(ceiling, &words, (92, y)).map_err(failed)?;
    let pale = PathElement::new(
        vec![(46 + column_px, y), (82 + column_px, y)],
        FAINT.stroke_width(3),
    );
    area.draw(&pale).map_err(failed)?;
    area.draw_text("pale line: chance", &words, (92 + column_px, y))
        .map_err(failed)
}

fn arm_label(arm: &ArmReport) -> String {
    match arm.kind {
        ArmKind::Trained => arm.name.clone(),
        ArmKind::Without => format!("{} (floor: without L_ctx and L_tok)", arm.name),
        ArmKind::Untrained => format!("{} (floor)", arm.name),
        ArmKind::MeanRgb => format!("{} (floor: colour alone)", arm.name),
    }
}

/// A piece of an arm's line.
fn sample(area: &Area, look: Look, (x, y): (i32, i32)) -> Result<(), EvalError> {
    let line = look.colour.stroke_width(2);
    let pieces: &[(i32, i32)] = if look.floor {
        &[(0, 6), (12, 18), (24, 30)]
    } else {
        &[(0, 36)]
    };
    for (from, to) in pieces {
        let piece = PathElement::new(vec![(x + from, y), (x + to, y)], line);
        area.draw(&piece).map_err(failed)?;
    }
    let fill = if look.floor { WHITE } else { look.colour };
    area.draw(&Circle::new((x + 18, y), 4, fill.filled()))
        .map_err(failed)?;
    area.draw(&Circle::new((x + 18, y), 4, line))
        .map_err(failed)
}

/// Right-child retrieval: a group of bars a place, with its chance.
///
/// # Errors
/// When it can't be drawn.
pub fn retrieval_plot(report: &Report) -> Result<String, EvalError> {
    let places = report.arms.first().map_or(&[][..], |arm| &arm.places);
    let arms = report.arms.len() as i32;
    let group_px = arms * BAR_PX + GROUP_GAP_PX;
    let height = TITLE_PX as i32 + 26 + group_px * places.len() as i32 + 40;
    let size = ((BARS_LEFT_PX + BARS_WIDTH_PX + 250) as u32, height as u32);
    let most = report.arms.iter().flat_map(|arm| &arm.places);
    let most = most.filter_map(|place| Some(place.scores.as_ref()?.mean.top1));
    // Whole tens of percent, and room for the numbers.
    let end = ((most.fold(0.1, f64::max) * 10.0).ceil() / 10.0).min(1.0);
    picture(size, |root| {
        let title = style(18, TEXT, (HPos::Left, VPos::Top));
        let words = "Right-child retrieval: top-1 among a parent's children of tissue";
        root.draw_text(words, &title, (14, 12)).map_err(failed)?;
        let bottom = TITLE_PX as i32 + 20 + group_px * places.len() as i32;
        scale(root, end, bottom)?;
        for (n, place) in places.iter().enumerate() {
            let top = TITLE_PX as i32 + 20 + n as i32 * group_px;
            group(root, report, (n, place), (top, end))?;
        }
        Ok(())
    })
}

/// Horizontal place of a share, px.
fn bar_x(share: f64, end: f64) -> i32 {
    BARS_LEFT_PX + (share / end * f64::from(BARS_WIDTH_PX)).round() as i32
}

fn scale(root: &Area, end: f64, bottom: i32) -> Result<(), EvalError> {
    let words = style(13, TEXT, (HPos::Center, VPos::Top));
    for tick in 0..=(end * 10.0).round() as i32 {
        let x = bar_x(f64::from(tick) / 10.0, end);
        let line = vec![(x, TITLE_PX as i32 + 8), (x, bottom)];
        root.draw(&PathElement::new(line, FAINT.stroke_width(1)))
            .map_err(failed)?;
        root.draw_text(&format!("{} %", tick * 10), &words, (x, bottom + 8))
            .map_err(failed)?;
    }
    Ok(())
}

fn group(
    root: &Area,
    report: &Report,
    (n, place): (usize, &PlaceReport),
    (top, end): (i32, f64),
) -> Result<(), EvalError> {
    let arms = report.arms.len() as i32;
    let right = style(14, TEXT, (HPos::Right, VPos::Center));
    let middle = top + arms * BAR_PX / 2;
    let about = match (place.real, place.in_training) {
        (false, _) => "phantom, held out",
        (true, true) => "real, in training",
        (true, false) => "real, not in training",
    };
    root.draw_text(&place.place, &right, (BARS_LEFT_PX - 10, middle - 9))
        .map_err(failed)?;
    let small = style(12, TEXT, (HPos::Right, VPos::Center));
    root.draw_text(about, &small, (BARS_LEFT_PX - 10, middle + 9))
        .map_err(failed)?;
    let words = style(12, TEXT, (HPos::Left, VPos::Center));
    for (m, (arm, look)) in report.arms.iter().zip(looks(&report.arms)).enumerate() {
        let scores = arm.places.get(n).and_then(|place| place.scores.as_ref());
        let top1 = scores.map_or(0.0, |scores| scores.mean.top1);
        let (x, y) = (bar_x(top1, end), top + m as i32 * BAR_PX);
        let corners = [(BARS_LEFT_PX, y + 1), (x, y + BAR_PX - 2)];
        let fill = if look.floor {
            look.colour.mix(0.45)
        } else {
            look.colour.mix(1.0)
        };
        root.draw(&Rectangle::new(corners, fill.filled()))
            .map_err(failed)?;
        let text = format!("{:.1} %  {}", top1 * 100.0, arm.name);
        root.draw_text(&text, &words, (x + 6, y + BAR_PX / 2))
            .map_err(failed)?;
    }
    let chance = place
        .scores
        .as_ref()
        .map_or(0.0, |scores| scores.mean.chance);
    let x = bar_x(chance, end);
    let line = vec![(x, top - 4), (x, top + arms * BAR_PX + 3)];
    root.draw(&PathElement::new(line, RED.stroke_width(2)))
        .map_err(failed)?;
    let above = style(11, RED, (HPos::Center, VPos::Bottom));
    root.draw_text("chance", &above, (x, top - 4))
        .map_err(failed)
}
