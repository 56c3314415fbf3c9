//! The confusion matrix as a picture.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::learn::eval_dfa::report::Part;
use crate::learn::report::PlotError;
use crate::learn::report::markdown::percent;
use crate::learn::report::svg::{
    Area, PALETTE, TEXT, TITLE_PX, block, picture, style, words_px, write,
};

/// What all cells take together, at most; a cell takes between the other two, px.
const CELLS_PX: i32 = 520;
const LEAST_CELL_PX: i32 = 36;
const MOST_CELL_PX: i32 = 78;

/// A square a pair of classes: of the pixels of the row's true class, the share taken for the
/// column's.
///
/// # Errors
/// When it can't be drawn.
pub fn confusion_plot(part: &Part) -> Result<String, PlotError> {
    let classes = &part.scores.classes;
    let count = classes.len() as i32;
    let cell = (CELLS_PX / count.max(1)).clamp(LEAST_CELL_PX, MOST_CELL_PX);
    let rows: Vec<String> = (0..classes.len()).map(|n| row_name(part, n)).collect();
    let left = words_px(rows.iter().map(String::as_str)) + 20;
    let upright = classes
        .iter()
        .any(|class| class.class.chars().count() as i32 * 7 > cell - 4);
    let names = words_px(classes.iter().map(|class| class.class.as_str()));
    // Upright names need no margin.
    let top = TITLE_PX as i32 + if upright { names } else { 50 };
    let width = (left + count * cell + 24).max(560);
    let size = (width as u32, (top + count * cell + 20) as u32);
    let title = format!(
        "Confusion, {}: where the pixels of each class go",
        part.label()
    );
    picture(&title, size, |root| {
        let axis = style(13, TEXT, (HPos::Left, VPos::Top));
        write(root, "predicted →", &axis, (left, TITLE_PX as i32))?;
        write(root, "true ↓ (share of pixels)", &axis, (14, top - 22))?;
        for (n, name) in rows.iter().enumerate() {
            let words = style(13, TEXT, (HPos::Right, VPos::Center));
            let middle = n as i32 * cell + cell / 2;
            write(root, name, &words, (left - 10, top + middle))?;
            column_name(root, &classes[n].class, (left + middle, top - 8), upright)?;
            cells(
                root,
                &part.scores.confusion[n],
                (left, top + n as i32 * cell),
                cell,
            )?;
        }
        Ok(())
    })
}

fn row_name(part: &Part, class: usize) -> String {
    let share = part.scores.truth_share(class);
    let name = &part.scores.classes[class].class;
    format!(
        "{name} ({})",
        percent(Some(share), if share < 0.1 { 1 } else { 0 })
    )
}

fn column_name(root: &Area, name: &str, at: (i32, i32), upright: bool) -> Result<(), PlotError> {
    if !upright {
        let words = style(13, TEXT, (HPos::Center, VPos::Bottom));
        return write(root, name, &words, at);
    }
    let words = style(13, TEXT, (HPos::Left, VPos::Center));
    let turned = words.transform(FontTransform::Rotate270);
    write(root, name, &turned, at)
}

fn cells(root: &Area, counts: &[u64], (left, top): (i32, i32), cell: i32) -> Result<(), PlotError> {
    let total: u64 = counts.iter().sum();
    for (n, count) in counts.iter().enumerate() {
        let x = left + n as i32 * cell;
        let share = (total > 0).then(|| *count as f64 / total as f64);
        let strength = share.unwrap_or(0.0);
        let corners = ((x + 1, top + 1), (x + cell - 1, top + cell - 1));
        block(root, corners.0, corners.1, shade(strength).filled())?;
        let colour = if strength > 0.55 { WHITE } else { TEXT };
        let words = style(
            if cell < 50 { 11 } else { 13 },
            colour,
            (HPos::Center, VPos::Center),
        );
        let text = percent(share, if strength < 0.0995 { 1 } else { 0 });
        write(root, &text, &words, (x + cell / 2, top + cell / 2))?;
    }
    Ok(())
}

/// From nearly white to the palette's blue.
fn shade(strength: f64) -> RGBColor {
    let pale = RGBColor(244, 246, 248);
    let mix = |from: u8, to: u8| {
        let (from, to) = (f64::from(from), f64::from(to));
        (from + strength * (to - from)).round() as u8
    };
    let full = PALETTE[0];
    RGBColor(
        mix(pale.0, full.0),
        mix(pale.1, full.1),
        mix(pale.2, full.2),
    )
}
