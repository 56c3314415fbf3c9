//! The report as tables that a reader understands.

use std::fmt::Write as _;

use super::report::{EvalReport, Part};
use crate::learn::report::markdown::{head, number, percent, row};
use crate::learn::seg_metrics::{Displacement, SegReport};

/// Images that the table shows; the rest is in the CSV.
const MOST_IMAGES: usize = 40;

/// The report as Markdown; `pictures` are file names beside it.
pub fn to_markdown(report: &EvalReport, pictures: &[&str]) -> String {
    let mut text = format!("# Evaluation of {}\n\n", report.model.name);
    text += &provenance(report);
    text += &scales(report);
    for picture in pictures {
        let _ = writeln!(text, "![]({picture})\n");
    }
    for part in &report.parts {
        text += &classes(part);
        text += &calibration(part);
        text += &images(part);
    }
    text += &bias(report);
    text + &notes(report)
}

fn provenance(report: &EvalReport) -> String {
    let (model, data) = (&report.model, &report.data);
    let mut text = String::new();
    for (what, words) in [
        ("Program", report.program.clone()),
        ("Model", format!("{}, {}", model.name, model.hash)),
        ("Bias", report.mode.clone()),
        (
            "Data",
            format!("{}, {}, split `{}`", data.name, data.hash, report.split),
        ),
    ] {
        let _ = writeln!(text, "- {what}: {words}");
    }
    for (name, value) in &report.settings {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text + "\n"
}

/// A share of 95 % beside a figure.
fn with_interval(figure: Option<f64>, interval: Option<(f64, f64)>) -> String {
    let text = percent(figure, 1);
    match interval {
        Some((low, high)) if figure.is_some() => {
            format!(
                "{text} ({}–{})",
                number(Some(100.0 * low), 1),
                number(Some(100.0 * high), 1)
            )
        }
        _ => text,
    }
}

/// How far a figure lies above its floor, in points.
fn above(figure: Option<f64>, floor: Option<f64>) -> String {
    number(
        figure
            .zip(floor)
            .map(|(figure, floor)| 100.0 * (figure - floor)),
        1,
    )
}

fn scales(report: &EvalReport) -> String {
    let mut text = "## Macro means\n\n".to_owned();
    text += &head(&[
        "scale",
        "macro Dice (95 % over images)",
        "colour alone",
        "points above it",
        "macro IoU",
        "macro boundary F1",
        "pixels right",
        "boundaries apart, mean / median µm",
        "images",
        "Mpx scored / ignored",
    ]);
    for part in &report.parts {
        let scores = &part.scores;
        let macros = &scores.macros;
        text += &row(&[
            part.label(),
            with_interval(macros.dice, scores.macro_dice_interval),
            percent(part.floor_macro_dice(), 1),
            above(macros.dice, part.floor_macro_dice()),
            percent(macros.iou, 1),
            percent(macros.boundary_f1, 1),
            percent(scores.pixel_accuracy, 1),
            apart(scores.displacement.as_ref()),
            scores.images.len().to_string(),
            format!("{} / {}", mega(scores.pixels), mega(scores.ignored_pixels)),
        ]);
    }
    text + "\n"
}

fn mega(pixels: u64) -> String {
    number(Some(pixels as f64 / 1e6), 2)
}

fn apart(displacement: Option<&Displacement>) -> String {
    let um = |of: fn(&Displacement) -> f64| number(displacement.map(of), 1);
    format!("{} / {}", um(|d| d.mean_um), um(|d| d.median_um))
}

fn classes(part: &Part) -> String {
    let mut text = format!("## Classes at {}\n\n", part.label());
    let boundary = format!("boundary F1 within {} µm", part.scores.tolerance_um);
    text += &head(&[
        "class",
        "share of truth",
        "Dice (95 % over images)",
        "colour alone",
        "points above it",
        "IoU",
        "precision",
        "recall",
        &boundary,
        "boundaries apart, mean / median µm",
    ]);
    for (n, class) in part.scores.classes.iter().enumerate() {
        text += &row(&[
            class.class.clone(),
            percent(Some(part.scores.truth_share(n)), 2),
            with_interval(class.dice, class.dice_interval),
            percent(part.floor_dice(n), 1),
            above(class.dice, part.floor_dice(n)),
            percent(class.iou, 1),
            percent(class.precision, 1),
            percent(class.recall, 1),
            percent(class.boundary_f1, 1),
            apart(class.displacement.as_ref()),
        ]);
    }
    text + "\n"
}

fn calibration(part: &Part) -> String {
    let Some(found) = &part.scores.calibration else {
        return String::new();
    };
    let mut text = format!(
        "Calibration: expected error {}, Brier {}, NLL {} nats. Of the pixels taken for each \
         class: ",
        percent(Some(found.ece), 2),
        number(Some(found.brier), 3),
        number(Some(found.nll), 3)
    );
    let each = part.scores.classes.iter().zip(&found.class_ece);
    let each = each.map(|(class, ece)| format!("{} {}", class.class, percent(*ece, 1)));
    text += &each.collect::<Vec<String>>().join(", ");
    text + ".\n\n"
}

fn images(part: &Part) -> String {
    let scores: &SegReport = &part.scores;
    let mut text = format!("### Images at {}\n\n", part.name);
    let names = scores.classes.iter().map(|class| class.class.as_str());
    let fixed = ["image", "macro Dice", "boundary F1", "Mpx"];
    text += &head(&fixed.into_iter().chain(names).collect::<Vec<&str>>());
    for image in scores.images.iter().take(MOST_IMAGES) {
        let mut cells = vec![
            image.image.clone(),
            percent(image.macros.dice, 1),
            percent(image.macros.boundary_f1, 1),
            mega(image.pixels),
        ];
        cells.extend(image.dice.iter().map(|dice| percent(*dice, 1)));
        text += &row(&cells);
    }
    if let Some(more) = scores.images.len().checked_sub(MOST_IMAGES + 1) {
        let _ = writeln!(text, "\n{} more are in `images.csv`.", more + 1);
    }
    text + "\n"
}

fn bias(report: &EvalReport) -> String {
    if report.bias.is_empty() {
        return String::new();
    }
    let mut text = format!("## Bias ({})\n\n", report.mode);
    text += &head(&[
        "class",
        "share of training pixels",
        "prior",
        "at the start",
        "learned",
        "change",
        "user's offset",
        "effective offset",
        "share of attention",
    ]);
    for class in &report.bias {
        let shown = |value: f64| number(Some(value), 3);
        text += &row(&[
            class.class.clone(),
            percent(Some(class.frequency), 2),
            shown(class.prior),
            shown(class.start),
            shown(class.learned),
            shown(class.change),
            shown(class.user_offset),
            number(class.effective_offset, 3),
            percent(class.attention_share, 1),
        ]);
    }
    text + "\n"
}

const HOW_TO_READ: [&str; 6] = [
    "Pixels, not images, are summed per class over the whole split before any ratio is taken.",
    "A class that neither truth nor prediction holds has no score and no part in macro means; one \
     that is predicted without being true scores 0. In a row of the table of images this holds \
     within the image.",
    "Intervals are 95 % of 1000 draws of images with replacement; with few images they are too \
     narrow. They say nothing about other trainings.",
    "Boundaries are pixels that touch another class; the image's edge and the rim of what is \
     ignored are none. Boundaries apart: from each boundary pixel to the nearest of that class in \
     the other map, both ways, where both maps have one.",
    "The expected calibration error compares the probability of the most probable class with how \
     often it is right, in 15 bins.",
    "Colour alone: naive Bayes on 16 × 16 × 16 colours of single training pixels, with the weight \
     of the classes' frequencies that serves its macro Dice on them best.",
];

const BIAS_NOTE: &str = "Biases and offsets have mean 0 over the classes: what is the same for all \
     does nothing. A bias alone is not identifiable, since the weights around it could take it \
     over: read the effective offset (bias plus the mean of the rest of the attention logit), the \
     share of attention and the change from the start with it.";

fn notes(report: &EvalReport) -> String {
    let mut text = "## How to read this\n\n".to_owned();
    let has_floor = report.parts.iter().any(|part| part.colour_floor.is_some());
    let general = HOW_TO_READ.iter().take(if has_floor { 6 } else { 5 });
    let bias = (!report.bias.is_empty()).then_some(&BIAS_NOTE);
    for note in general.chain(bias) {
        let _ = writeln!(text, "- {note}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}
