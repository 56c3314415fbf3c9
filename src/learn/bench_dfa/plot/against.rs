//! What the bias follows: each class of each run by difficulty and by frequency.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::bench_dfa::roles::Role;
use crate::learn::bench_dfa::table::{BenchTable, BiasPoint, ModeRow};
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::{number, percent};
use crate::learn::report::svg::{
    Area, FAINT, GREY, PALETTE, Place, TEXT, TITLE_PX, block, diamond, line, picture, style,
    words_px, write,
};

/// Sizes, px.
const SIDE_PX: i32 = 300;
const HEIGHT_PX: i32 = 200;
const GAP_PX: i32 = 60;
const PANEL_PX: i32 = HEIGHT_PX + 76;
const FOOT_PX: i32 = 34;

/// A column: title, value of a point, values of its axis and their words.
type Column = (
    &'static str,
    fn(&BiasPoint) -> f64,
    fn(&Axis) -> Vec<(f64, String)>,
);

const COLUMNS: [Column; 2] = [
    (
        "difficulty: 1 − Dice of runs without bias",
        |point| point.difficulty,
        |axis| {
            let ticks = axis.ticks().into_iter();
            ticks.map(|tick| (tick, percent(Some(tick), 0))).collect()
        },
    ),
    (
        "share of the training pixels, logarithmic",
        |point| point.frequency.max(1e-6).log10(),
        |_| logarithmic_ticks(),
    ),
];

/// 0.001 % to 100 % in steps of 1, 3 and 10, as decimal logarithms.
fn logarithmic_ticks() -> Vec<(f64, String)> {
    let decades = (-5..=0).flat_map(|power| [1.0, 3.0].map(|n| n * 10_f64.powi(power)));
    let words = |share: f64| {
        let digits = (-2.0 - share.log10()).ceil().max(0.0) as usize;
        (share.log10(), percent(Some(share), digits))
    };
    decades.map(words).collect()
}

/// A row a mode whose bias varies, with b at the end against difficulty and against frequency.
/// `None` when no mode has such a bias.
///
/// # Errors
/// When it can't be drawn.
pub fn bias_against_plot(table: &BenchTable) -> Result<Option<String>, PlotError> {
    let moved = |point: &BiasPoint| point.learned.abs() > 1e-9;
    let varies = |mode: &&ModeRow| mode.points.iter().any(moved);
    let modes: Vec<&ModeRow> = table.modes.iter().filter(varies).collect();
    if modes.is_empty() {
        return Ok(None);
    }
    let left = words_px(modes.iter().map(|mode| mode.mode.as_str())) + 50;
    let width = left + 2 * SIDE_PX + GAP_PX + 30;
    let height = TITLE_PX as i32 + modes.len() as i32 * PANEL_PX + FOOT_PX;
    let size = (width as u32, height as u32);
    let svg = picture("Bias of each class of each run", size, |root| {
        for (n, mode) in modes.iter().enumerate() {
            let top = TITLE_PX as i32 + n as i32 * PANEL_PX + 8;
            draw_mode(root, &modes, mode, (left, top))?;
        }
        legend(root, &modes, (left, height - FOOT_PX / 2))
    })?;
    Ok(Some(svg))
}

/// The two panels of a mode; all modes share the horizontal scales.
fn draw_mode(
    root: &Area,
    modes: &[&ModeRow],
    mode: &ModeRow,
    (left, top): (i32, i32),
) -> Result<(), PlotError> {
    let all = || modes.iter().flat_map(|mode| &mode.points);
    let biases = mode.points.iter().map(|point| point.learned);
    let vertical = Axis::around(biases.chain([0.0]), (0, HEIGHT_PX));
    let y_px = |bias: f64| top + HEIGHT_PX - vertical.x_px(bias);
    let names = style(15, TEXT, (HPos::Right, VPos::Center));
    write(root, &mode.mode, &names, (left - 60, top + HEIGHT_PX / 2))?;
    let beside = style(13, TEXT, (HPos::Right, VPos::Center));
    for (n, (title, value, ticks)) in COLUMNS.iter().enumerate() {
        let from = left + n as i32 * (SIDE_PX + GAP_PX);
        let horizontal = Axis::around(all().map(value), (from, from + SIDE_PX));
        let ends = (top, top + HEIGHT_PX);
        horizontal.draw_at(root, ends, title, &ticks(&horizontal))?;
        for tick in vertical.ticks() {
            let y = y_px(tick);
            let colour = if tick.abs() < 1e-9 { GREY } else { FAINT };
            line(root, (from, y), (from + SIDE_PX, y), colour.stroke_width(1))?;
            write(root, &number(Some(tick), 1), &beside, (from - 8, y))?;
        }
        for point in &mode.points {
            mark(
                root,
                point.role,
                (horizontal.x_px(value(point)), y_px(point.learned)),
            )?;
        }
    }
    Ok(())
}

/// Colour says how hard a class is, form how common; seen through, since many lie on each other.
fn mark(root: &Area, role: Option<Role>, (x, y): Place) -> Result<(), PlotError> {
    let (easy, hard) = (PALETTE[0].mix(0.45).filled(), PALETTE[3].mix(0.45).filled());
    let square = |style| block(root, (x - 5, y - 5), (x + 5, y + 5), style);
    match role {
        Some(Role::CommonEasy) => square(easy),
        Some(Role::CommonHard) => square(hard),
        Some(Role::RareEasy) | None => diamond(root, (x, y), 6, easy),
        Some(Role::RareHard) => diamond(root, (x, y), 6, hard),
    }
}

fn legend(root: &Area, modes: &[&ModeRow], (x, y): (i32, i32)) -> Result<(), PlotError> {
    let has_roles = modes
        .iter()
        .flat_map(|mode| &mode.points)
        .any(|point| point.role.is_some());
    if !has_roles {
        return Ok(());
    }
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    for (n, role) in Role::ALL.into_iter().enumerate() {
        let x = x + 150 * n as i32;
        mark(root, Some(role), (x + 6, y))?;
        write(root, role.name(), &words, (x + 20, y))?;
    }
    Ok(())
}
