//! The bias of each class as a picture.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::eval_dfa::bias::ClassBias;
use crate::learn::report::PlotError;
use crate::learn::report::axis::Axis;
use crate::learn::report::markdown::{number, percent};
use crate::learn::report::svg::{
    Area, GREY, PALETTE, TEXT, TITLE_PX, block, diamond, dot, line, picture, style, words_px, write,
};

/// Sizes, px.
const ROW_PX: i32 = 40;
const AXIS_PX: i32 = 380;
const SHARES_PX: i32 = 220;
const GAP_PX: i32 = 50;
const FOOT_PX: i32 = 120;
const TOP_PX: i32 = TITLE_PX as i32 + 8;

/// On the left where each class's bias started, what was learned and the effective offset; on the
/// right its share of attention beside its share of the training pixels.
///
/// # Errors
/// When it can't be drawn.
pub fn bias_plot(classes: &[ClassBias]) -> Result<String, PlotError> {
    let left = words_px(classes.iter().map(|class| class.class.as_str()));
    let bottom = TOP_PX + classes.len() as i32 * ROW_PX;
    let values = classes.iter().flat_map(|class| {
        let values = [0.0, class.prior, class.start, class.learned];
        values.into_iter().chain(class.effective_offset)
    });
    let biases = Axis::around(values, (left, left + AXIS_PX));
    let shares = shares_axis(classes, biases.right_px + GAP_PX);
    let size = ((shares.right_px + 40) as u32, (bottom + FOOT_PX) as u32);
    picture("Bias by class, centred", size, |root| {
        let ends = (TOP_PX, bottom);
        let title = "bias (a constant for all classes does nothing)";
        biases.draw(root, ends, title, &|value| number(Some(value), 1))?;
        let shown = |share: f64| percent(Some(share), 0);
        shares.draw(root, ends, "share", &shown)?;
        let zero = biases.x_px(0.0);
        line(root, (zero, TOP_PX), (zero, bottom), GREY.stroke_width(1))?;
        for (n, class) in classes.iter().enumerate() {
            let middle = TOP_PX + n as i32 * ROW_PX + ROW_PX / 2;
            draw_class(root, class, (&biases, &shares), middle)?;
        }
        legend(root, (left, bottom + 66))?;
        shares_legend(root, (shares.left_px, bottom + 66))
    })
}

fn shares_axis(classes: &[ClassBias], left: i32) -> Axis {
    let shares = classes.iter().flat_map(|class| {
        let known = [0.0, class.frequency];
        known.into_iter().chain(class.attention_share)
    });
    Axis::around(shares, (left, left + SHARES_PX))
}

fn draw_class(
    root: &Area,
    class: &ClassBias,
    (biases, shares): (&Axis, &Axis),
    y: i32,
) -> Result<(), PlotError> {
    let names = style(13, TEXT, (HPos::Right, VPos::Center));
    write(root, &class.class, &names, (biases.left_px - 12, y))?;
    let (start, learned) = (biases.x_px(class.start), biases.x_px(class.learned));
    let prior = biases.x_px(class.prior);
    line(root, (prior, y - 11), (prior, y + 11), GREY.stroke_width(3))?;
    line(root, (start, y), (learned, y), PALETTE[0].stroke_width(2))?;
    dot(root, (start, y), 5, (WHITE, PALETTE[0]))?;
    dot(root, (learned, y), 6, (PALETTE[0], PALETTE[0]))?;
    if let Some(offset) = class.effective_offset {
        diamond(root, (biases.x_px(offset), y), 7, PALETTE[3].filled())?;
    }
    let left = shares.left_px;
    if let Some(share) = class.attention_share {
        let end = shares.x_px(share);
        block(
            root,
            (left, y - 12),
            (end, y - 1),
            PALETTE[3].mix(0.8).filled(),
        )?;
    }
    let end = shares.x_px(class.frequency);
    block(root, (left, y + 1), (end, y + 12), GREY.mix(0.55).filled())
}

fn legend(root: &Area, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    let (second, below) = (x + 190, y + 26);
    line(root, (x + 10, y - 9), (x + 10, y + 9), GREY.stroke_width(3))?;
    write(root, "prior", &words, (x + 26, y))?;
    dot(root, (x + 10, below), 5, (WHITE, PALETTE[0]))?;
    write(root, "start of training", &words, (x + 26, below))?;
    dot(root, (second + 10, y), 6, (PALETTE[0], PALETTE[0]))?;
    write(root, "learned", &words, (second + 26, y))?;
    diamond(root, (second + 10, below), 7, PALETTE[3].filled())?;
    write(root, "effective offset", &words, (second + 26, below))
}

fn shares_legend(root: &Area, (x, y): (i32, i32)) -> Result<(), PlotError> {
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    block(
        root,
        (x, y - 6),
        (x + 24, y + 6),
        PALETTE[3].mix(0.8).filled(),
    )?;
    write(root, "of attention", &words, (x + 32, y))?;
    block(root, (x, y + 20), (x + 24, y + 32), GREY.mix(0.55).filled())?;
    write(root, "of training pixels", &words, (x + 32, y + 26))
}
