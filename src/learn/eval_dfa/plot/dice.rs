//! Dice of each class beside what colour alone reaches.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::eval_dfa::report::Part;
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::percent;
use crate::learn::report::svg::{
    Area, GREY, PALETTE, TEXT, TITLE_PX, block, line, picture, style, whisker, words_px, write,
};

/// Sizes, px.
const BAR_PX: i32 = 15;
const GAP_PX: i32 = 18;
const BARS_PX: i32 = 440;
const NUMBERS_PX: i32 = 80;
const FOOT_PX: i32 = 90;
const TOP_PX: i32 = TITLE_PX as i32 + 8;

/// A row: its name, Dice and its interval, Dice of colour alone.
type Row<'a> = (&'a str, Option<f64>, Option<(f64, f64)>, Option<f64>);

/// A bar a class and one for their mean, each above the bar of colour alone.
///
/// # Errors
/// When it can't be drawn.
pub fn dice_plot(part: &Part) -> Result<String, PlotError> {
    let rows = rows(part);
    let names_px = words_px(rows.iter().map(|row| row.0));
    let bars = 1 + i32::from(part.colour_floor.is_some());
    let row_px = bars * BAR_PX + GAP_PX;
    let bottom = TOP_PX + rows.len() as i32 * row_px;
    let axis = Axis {
        left_px: names_px,
        right_px: names_px + BARS_PX,
        from: 0.0,
        to: 1.0,
    };
    let size = (
        (axis.right_px + NUMBERS_PX) as u32,
        (bottom + FOOT_PX) as u32,
    );
    let title = format!("Dice by class, {}", part.label());
    picture(&title, size, |root| {
        axis.draw(root, (TOP_PX, bottom), "Dice", &|share| {
            percent(Some(share), 0)
        })?;
        for (n, row) in rows.iter().enumerate() {
            let top = TOP_PX + n as i32 * row_px + GAP_PX / 2 - 1;
            let names = style(13, TEXT, (HPos::Right, VPos::Center));
            write(
                root,
                row.0,
                &names,
                (axis.left_px - 10, top + bars * BAR_PX / 2),
            )?;
            draw_bars(root, &axis, row, top)?;
        }
        let above = bottom - row_px + 1;
        line(
            root,
            (8, above),
            (axis.right_px, above),
            GREY.stroke_width(1),
        )?;
        legend(root, part, (names_px, bottom + 66))
    })
}

fn rows(part: &Part) -> Vec<Row<'_>> {
    let scores = &part.scores;
    let classes = scores.classes.iter().enumerate();
    let of_class = classes.map(|(n, class)| {
        (
            class.class.as_str(),
            class.dice,
            class.dice_interval,
            part.floor_dice(n),
        )
    });
    let macros = (
        "mean of classes",
        scores.macros.dice,
        scores.macro_dice_interval,
        part.floor_macro_dice(),
    );
    of_class.chain([macros]).collect()
}

fn draw_bars(root: &Area, axis: &Axis, row: &Row, top: i32) -> Result<(), PlotError> {
    let (_, dice, interval, floor) = *row;
    let mut end = axis.left_px;
    if let Some(dice) = dice {
        end = axis.x_px(dice);
        let corners = ((axis.left_px, top), (end, top + BAR_PX - 2));
        block(root, corners.0, corners.1, PALETTE[0].filled())?;
    }
    if let Some((low, high)) = interval {
        let ends = (axis.x_px(low), axis.x_px(high));
        whisker(root, ends, top + BAR_PX / 2 - 1, TEXT.stroke_width(2))?;
        end = end.max(ends.1);
    }
    number(root, dice, (end, top + BAR_PX / 2))?;
    let Some(floor) = floor else {
        return Ok(());
    };
    let (x, y) = (axis.x_px(floor), top + BAR_PX);
    block(
        root,
        (axis.left_px, y),
        (x, y + BAR_PX - 2),
        GREY.mix(0.55).filled(),
    )?;
    number(root, Some(floor), (x, y + BAR_PX / 2))
}

fn number(root: &Area, share: Option<f64>, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let words = style(12, TEXT, (HPos::Left, VPos::Center));
    let text = match share {
        Some(_) => percent(share, 1),
        None => "not there".to_owned(),
    };
    write(root, &text, &words, (x + 8, y))
}

fn legend(root: &Area, part: &Part, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    let interval = part.scores.macro_dice_interval.is_some();
    let model = if interval {
        "model (line: 95 % over images)"
    } else {
        "model"
    };
    block(root, (x, y - 6), (x + 30, y + 6), PALETTE[0].filled())?;
    write(root, model, &words, (x + 38, y))?;
    if part.colour_floor.is_none() {
        return Ok(());
    }
    let x = x + 260;
    block(root, (x, y - 6), (x + 30, y + 6), GREY.mix(0.55).filled())?;
    write(root, "floor: colour of single pixels", &words, (x + 38, y))
}
