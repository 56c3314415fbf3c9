//! Dice of every mode and its difference to the reference: a point a seed, mean and interval.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::bench_dfa::table::{BenchTable, GroupRow, ModeRow};
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::number;
use crate::learn::report::svg::{
    Area, GREY, PALETTE, TEXT, TITLE_PX, dot, line, picture, style, whisker, words_px, write,
};
use crate::learn::statistics::Figure;

/// Sizes, px.
const ROW_PX: i32 = 30;
const COLUMN_PX: i32 = 330;
const GAP_PX: i32 = 50;
const PANEL_HEAD_PX: i32 = 30;
const PANEL_FOOT_PX: i32 = 60;
const FOOT_PX: i32 = 34;

/// A panel: what it shows, and the figures of a mode (Dice, difference).
struct Panel {
    name: String,
    figures: Vec<(String, Option<Figure>, Option<Figure>)>,
}

/// A panel for macro Dice and one for each role (without roles, for each class).
///
/// # Errors
/// When it can't be drawn.
pub fn dice_plot(table: &BenchTable) -> Result<String, PlotError> {
    let panels = panels(table);
    let left = words_px(table.modes.iter().map(|mode| mode.mode.as_str()));
    let panel_px = PANEL_HEAD_PX + table.modes.len() as i32 * ROW_PX + PANEL_FOOT_PX;
    let width = left + 2 * COLUMN_PX + GAP_PX + 30;
    let height = TITLE_PX as i32 + panels.len() as i32 * panel_px + FOOT_PX;
    picture(
        "Dice by mode, and paired differences",
        (width as u32, height as u32),
        |root| {
            for (n, panel) in panels.iter().enumerate() {
                let top = TITLE_PX as i32 + n as i32 * panel_px;
                draw_panel(root, table, panel, (left, top))?;
            }
            legend(root, (left, height - FOOT_PX / 2 - 4))
        },
    )
}

fn panels(table: &BenchTable) -> Vec<Panel> {
    let mut panels = vec![Panel {
        name: "mean of classes".to_owned(),
        figures: table
            .modes
            .iter()
            .map(|m| (m.mode.clone(), m.macro_dice.clone(), m.difference.clone()))
            .collect(),
    }];
    let groups = |mode: &ModeRow| -> Vec<GroupRow> {
        let groups = if mode.roles.is_empty() {
            &mode.classes
        } else {
            &mode.roles
        };
        groups.clone()
    };
    let first = table.modes.first().map(groups).unwrap_or_default();
    for (n, group) in first.into_iter().enumerate() {
        let figures = table.modes.iter().filter_map(|mode| {
            let group = groups(mode).into_iter().nth(n)?;
            Some((mode.mode.clone(), group.dice, group.difference))
        });
        panels.push(Panel {
            figures: figures.collect(),
            name: group.name,
        });
    }
    panels
}

/// All values and ends of intervals, in per cent.
fn values<'a>(figures: impl Iterator<Item = Option<&'a Figure>>) -> Vec<f64> {
    let of = |figure: &Figure| {
        let ends = figure
            .interval
            .map_or([figure.mean; 2], |(low, high)| [low, high]);
        let all = figure.values.iter().copied().chain(ends);
        all.map(|value| 100.0 * value).collect::<Vec<f64>>()
    };
    figures.flatten().flat_map(of).collect()
}

fn draw_panel(
    root: &Area,
    table: &BenchTable,
    panel: &Panel,
    (left, top): (i32, i32),
) -> Result<(), PlotError> {
    let second = left + COLUMN_PX + GAP_PX;
    let dice = values(panel.figures.iter().map(|f| f.1.as_ref()));
    let differences = values(panel.figures.iter().map(|f| f.2.as_ref()));
    let dice = Axis::around(dice, (left, left + COLUMN_PX));
    let differences = differences.into_iter().chain([0.0]);
    let differences = Axis::around(differences, (second, second + COLUMN_PX));
    let ends = (
        top + PANEL_HEAD_PX,
        top + PANEL_HEAD_PX + table.modes.len() as i32 * ROW_PX,
    );
    let whole = |axis: &Axis| usize::from(axis.to - axis.from < 4.0);
    let (few, fine) = (whole(&dice), whole(&differences));
    dice.draw(root, ends, "Dice, %", &|value| number(Some(value), few))?;
    let title = format!("difference to {}, same seed, points", table.reference);
    differences.draw(root, ends, &title, &|value| number(Some(value), fine))?;
    let zero = differences.x_px(0.0);
    line(root, (zero, ends.0), (zero, ends.1), GREY.stroke_width(2))?;
    let heading = style(15, TEXT, (HPos::Left, VPos::Top));
    write(root, &panel.name, &heading, (left, top + 4))?;
    let names = style(13, TEXT, (HPos::Right, VPos::Center));
    for (n, (mode, of_dice, difference)) in panel.figures.iter().enumerate() {
        let y = ends.0 + n as i32 * ROW_PX + ROW_PX / 2;
        write(root, mode, &names, (left - 12, y))?;
        let colour = if *mode == table.reference {
            TEXT
        } else {
            PALETTE[0]
        };
        draw_figure(root, &dice, of_dice.as_ref(), (y, colour))?;
        draw_figure(root, &differences, difference.as_ref(), (y, colour))?;
    }
    Ok(())
}

/// A ring a seed, and over them mean and interval.
fn draw_figure(
    root: &Area,
    axis: &Axis,
    figure: Option<&Figure>,
    (y, colour): (i32, RGBColor),
) -> Result<(), PlotError> {
    let Some(figure) = figure else {
        return Ok(());
    };
    let x = |value: f64| axis.x_px(100.0 * value);
    for value in &figure.values {
        dot(root, (x(*value), y + 7), 3, (WHITE, GREY))?;
    }
    if let Some((low, high)) = figure.interval {
        whisker(root, (x(low), x(high)), y - 4, colour.stroke_width(2))?;
    }
    dot(root, (x(figure.mean), y - 4), 4, (colour, colour))
}

fn legend(root: &Area, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    dot(root, (x + 6, y), 3, (WHITE, GREY))?;
    write(root, "one seed", &words, (x + 18, y))?;
    let x = x + 110;
    whisker(root, (x, x + 36), y, PALETTE[0].stroke_width(2))?;
    dot(root, (x + 18, y), 4, (PALETTE[0], PALETTE[0]))?;
    write(
        root,
        "mean and 95 % interval over seeds",
        &words,
        (x + 46, y),
    )
}
