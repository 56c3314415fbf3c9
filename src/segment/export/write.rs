//! The files of a mask.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};

use crate::files;
use crate::labels::LabelClass;
use crate::segment::assemble::{Shown, description, layout, write_rows};
use crate::segment::live::Analysis;
use crate::segment::{Outputs, SegmentError};
use crate::slide::SlideInfo;

use super::origin::MapOrigin;
use super::report::MaskReport;
use super::rows::CodeRows;
use super::snapshot::MapSnapshot;

/// What is written, and what it is of.
#[derive(Clone, Copy)]
pub struct MaskSubject<'a> {
    /// The slide, with the scale that was used for it.
    pub slide: &'a SlideInfo,
    /// The map.
    pub snapshot: &'a MapSnapshot,
    /// The model's classes in the order of their codes.
    pub classes: &'a [LabelClass],
    /// What the map was made by. Its bias and offsets are those that the snapshot's stamp is for.
    pub origin: &'a MapOrigin,
}

/// Writes what was analysed of a slide: `output`, a label map as `parfocal segment` writes it, and
/// the report beside it as `.json`. Px that nobody looked at, whose analysis failed, that were made
/// for another bias, or without all of their tiles, are [`crate::labels::NOT_ANALYSED`]; the report
/// has how many of each. Equal maps give equal files.
///
/// The files appear when both are whole. `progress` hears of rows of tiles done and to be done;
/// `Break` stops the work, and nothing is left of it. Memory: four rows of 256 px of the map's
/// width.
///
/// # Errors
/// When the map has no classes, an output is the slide or is there and `overwrite` is not set, a
/// file can't be written, or the work was stopped.
pub fn write_mask(
    subject: &MaskSubject,
    output: &Path,
    overwrite: bool,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<MaskReport, SegmentError> {
    check(subject)?;
    let outputs = Outputs::beside(output, subject.classes, false);
    outputs.check(subject.slide, overwrite)?;
    let size_px = subject.snapshot.raster().size_px;
    let shown = Shown::Codes(subject.classes);
    let layout = layout(size_px, subject.origin.mpp(), shown, &described(subject));
    let mut rows = CodeRows::new(subject.snapshot, subject.classes.len());
    let (mut done, total) = (0, u64::from(layout.tiles(0).1));
    let mut tick = || {
        done += 1;
        match progress(done, total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SegmentError::StoppedField),
        }
    };
    let labels = write_rows(output, layout, &mut |count| Ok(rows.take(count)), &mut tick)?;
    let name = output.file_name().unwrap_or_default();
    let report = MaskReport::new(subject, &rows.counts(), name.to_string_lossy().into_owned());
    let failed = |error| SegmentError::file(&outputs.report, error);
    let mut beside = files::beside(&outputs.report).map_err(failed)?;
    let text = serde_json::to_vec_pretty(&report).map_err(|error| failed(error.into()))?;
    beside.write_all(&text).map_err(failed)?;
    labels.keep()?;
    files::keep(beside, &outputs.report).map_err(failed)?;
    Ok(report)
}

fn check(subject: &MaskSubject) -> Result<(), SegmentError> {
    let refuse = |reason: String| Err(SegmentError::Settings { reason });
    let (analysis, names) = (subject.origin.analysis, subject.origin.bias.classes());
    if let Analysis::Agreement(_) = analysis {
        return refuse(format!(
            "the {analysis} has no classes: write the map of one of both"
        ));
    }
    let same = names
        .iter()
        .eq(subject.classes.iter().map(|class| &class.name));
    if !same {
        return refuse(format!(
            "a bias for {} does not go with the map's classes",
            names.join(", ")
        ));
    }
    Ok(())
}

/// What the label map says of itself: as any, and which of a live map it is.
fn described(subject: &MaskSubject) -> Value {
    let origin = subject.origin;
    let shown = Shown::Codes(subject.classes);
    let mut text = description(subject.slide, &origin.settings(), shown);
    text["model"] = origin.model.clone().into();
    text["analysis"] = origin.analysis.to_string().into();
    text["fusion"] = json!(origin.fusion());
    text["output_offsets"] = json!(origin.offsets_by_class());
    text["model_input_uses_icc_profile"] = false.into();
    text["part_of_slide"] = true.into();
    text
}
