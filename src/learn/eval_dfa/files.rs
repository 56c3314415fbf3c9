//! The files of a report.

use super::markdown::to_markdown;
use super::plot::{bias_plot, confusion_plot, dice_plot, reliability_plot};
use super::report::{EvalReport, Part};
use crate::learn::report::{PlotError, ReportFile};
use crate::learn::seg_metrics::ImageScores;

/// A report that can't be put into files.
#[derive(Debug, thiserror::Error)]
pub enum EvalFilesError {
    /// A picture.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The JSON.
    #[error("the report can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The table of images.
    #[error("the table of images can't be written: {0}")]
    Csv(String),
}

/// Names and contents of all files: `report.md` first, `report.json`, `images.csv` and pictures.
///
/// # Errors
/// When a picture or table can't be made.
pub fn report_files(report: &EvalReport) -> Result<Vec<ReportFile>, EvalFilesError> {
    let mut pictures = Vec::new();
    for part in &report.parts {
        let named = |what: &str| match report.parts.len() {
            1 => format!("{what}.svg"),
            _ => format!("{what}-{}.svg", slug(&part.name)),
        };
        pictures.push((named("dice"), dice_plot(part)?));
        pictures.push((named("confusion"), confusion_plot(part)?));
        if let Some(svg) = reliability_plot(part)? {
            pictures.push((named("reliability"), svg));
        }
    }
    if !report.bias.is_empty() {
        pictures.push(("bias.svg".to_owned(), bias_plot(&report.bias)?));
    }
    let names: Vec<&str> = pictures.iter().map(|(name, _)| name.as_str()).collect();
    let mut files = vec![
        ("report.md".to_owned(), to_markdown(report, &names)),
        ("report.json".to_owned(), report.to_json()?),
        ("images.csv".to_owned(), images_csv(report)?),
    ];
    files.extend(pictures);
    Ok(files)
}

fn slug(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() { c } else { '-' };
    name.chars().map(safe).collect::<String>().to_lowercase()
}

/// The table of all images at all scales; an empty cell is a score that does not exist.
///
/// # Errors
/// When it can't be written.
pub fn images_csv(report: &EvalReport) -> Result<String, EvalFilesError> {
    let failed = |error: &dyn std::fmt::Display| EvalFilesError::Csv(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let classes = report
        .parts
        .first()
        .map_or(&[][..], |part| &part.scores.classes);
    let fixed = "part,image,mpp,pixels,ignored_pixels,macro_dice,macro_iou,pixel_accuracy,\
                 macro_boundary_f1,mean_displacement_um";
    let names = classes.iter().map(|class| format!("dice {}", class.class));
    let head = fixed.split(',').map(str::to_owned).chain(names);
    writer.write_record(head).map_err(|e| failed(&e))?;
    for part in &report.parts {
        for image in &part.scores.images {
            writer
                .write_record(image_record(part, image))
                .map_err(|e| failed(&e))?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

fn image_record(part: &Part, image: &ImageScores) -> Vec<String> {
    let number = |value: &Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
    let mut record = vec![
        part.name.clone(),
        image.image.clone(),
        image.mpp.to_string(),
        image.pixels.to_string(),
        image.ignored_pixels.to_string(),
    ];
    let scores = [
        image.macros.dice,
        image.macros.iou,
        image.pixel_accuracy,
        image.macros.boundary_f1,
        image.mean_displacement_um,
    ];
    record.extend(scores.iter().chain(&image.dice).map(number));
    record
}
