//! The report as two pictures (SVG).

mod probe;
mod retrieval;

pub use probe::probe_plot;
pub use retrieval::retrieval_plot;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::arm::ArmKind;
use super::report::{ArmReport, Report};
use crate::learn::report::PlotError;
use crate::learn::report::svg::{Area, GREY, TEXT, style, write};

/// Okabe and Ito's colours, told apart by the colour-blind: one a trained encoder.
const TRAINED: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
];
const WITHOUT: RGBColor = RGBColor(213, 94, 0);
const UNTRAINED: RGBColor = GREY;
const COLOUR_ALONE: RGBColor = RGBColor(0, 0, 0);

/// Height of a row of a legend, px.
const LEGEND_ROW_PX: u32 = 24;

/// Left edge of legends, px, and what a sample of a line takes.
const LEGEND_LEFT_PX: i32 = 46;
const SAMPLE_PX: i32 = 36;

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

fn arm_label(arm: &ArmReport) -> String {
    match arm.kind {
        ArmKind::Trained => arm.name.clone(),
        ArmKind::Without => format!("{} (floor: without L_ctx and L_tok)", arm.name),
        ArmKind::Untrained => format!("{} (floor)", arm.name),
        ArmKind::MeanRgb => format!("{} (floor: colour alone)", arm.name),
    }
}

/// Rows that the legend of all arms takes.
fn legend_rows(report: &Report) -> u32 {
    report.arms.len().div_ceil(2) as u32
}

/// Arms in two columns; `sample` draws what each looks like at the place it is given.
fn legend(
    area: &Area,
    report: &Report,
    sample: impl Fn(&Area, Look, (i32, i32)) -> Result<(), PlotError>,
) -> Result<(), PlotError> {
    let words = style(14, TEXT, (HPos::Left, VPos::Center));
    let column_px = area.dim_in_pixel().0 as i32 / 2;
    let row = LEGEND_ROW_PX as i32;
    for (n, (arm, look)) in report.arms.iter().zip(looks(&report.arms)).enumerate() {
        let n = n as i32;
        let (x, y) = (LEGEND_LEFT_PX + n % 2 * column_px, row / 2 + n / 2 * row);
        sample(area, look, (x, y))?;
        write(area, &arm_label(arm), &words, (x + SAMPLE_PX + 10, y))?;
    }
    Ok(())
}
