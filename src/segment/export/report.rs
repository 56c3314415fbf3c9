//! What a written mask holds and leaves out, as JSON and in words.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::geometry::Magnification;
use crate::labels::NOT_ANALYSED;
use crate::model::dfa::ClassBias;
use crate::segment::ClassArea;
use crate::segment::settings::PROGRAM;
use crate::slide::ScaleOrigin;

use super::origin::FusionUsed;
use super::rows::PxCounts;
use super::write::MaskSubject;

/// Areas that were looked at and are not in the file, mm².
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LeftOut {
    /// Their analysis failed.
    pub failed_mm2: f64,
    /// Made with another bias or other offsets than the rest: nothing is mixed.
    pub other_bias_mm2: f64,
    /// Made without all the tiles that have a say on them.
    pub incomplete_mm2: f64,
}

impl LeftOut {
    /// All of it, mm².
    pub fn total_mm2(&self) -> f64 {
        self.failed_mm2 + self.other_bias_mm2 + self.incomplete_mm2
    }
}

/// What a file holds and what it was made with. The classes are read as a class table.
#[derive(Debug, Clone, Serialize)]
pub struct MaskReport {
    /// `parfocal.analysed-mask`.
    pub format: &'static str,
    /// Version of this format.
    pub version: u32,
    /// The program and its version.
    pub program: &'static str,
    /// The slide's name.
    pub slide: String,
    /// Hash of the slide.
    pub slide_hash: String,
    /// Where the slide's scale is from.
    pub scale_origin: ScaleOrigin,
    /// The model's name.
    pub model: String,
    /// Hash of the model's weights.
    pub model_hash: String,
    /// Hash of the weights of the encoder under it.
    pub encoder_hash: String,
    /// Which map: `10x`, `40x with the context of 10x`, or `10x in place of 40x`.
    pub analysis: String,
    /// How maps of two magnifications were fused; none for a map of one as the model gives it.
    pub fusion: Option<FusionUsed>,
    /// Attention bias as it was used, by class name.
    pub bias: BTreeMap<String, f64>,
    /// The same in its parts: prior, learned, and what the user added.
    pub bias_parts: ClassBias,
    /// What the user added to the finished scores, by class name; empty for nothing.
    pub output_offsets: BTreeMap<String, f64>,
    /// Whether the slide has a colour profile.
    pub slide_has_icc_profile: bool,
    /// Whether it was applied to what the model saw: never, as in training.
    pub model_input_uses_icc_profile: bool,
    /// Scale of the map, µm/px.
    pub mpp: f64,
    /// The same as an objective's magnification.
    pub magnification: f64,
    /// Width and height of the map, px.
    pub size_px: (u32, u32),
    /// Code of px that are not in the file.
    pub not_analysed_code: u8,
    /// Areas of the classes.
    pub classes: Vec<ClassArea>,
    /// Area of the map, mm².
    pub slide_mm2: f64,
    /// Area of all classes, mm².
    pub analysed_mm2: f64,
    /// Area that was looked at and is no tissue, mm².
    pub no_tissue_mm2: f64,
    /// What was looked at and is not in the file.
    pub left_out: LeftOut,
    /// Name of the label map beside this file.
    pub labels: String,
}

impl MaskReport {
    /// What is known once all px are counted; `labels`: name of the map's file.
    pub(super) fn new(subject: &MaskSubject, counts: &PxCounts, labels: String) -> Self {
        let (slide, origin) = (subject.slide, subject.origin);
        let (mpp, size_px) = (origin.mpp(), subject.snapshot.raster().size_px);
        let mm2 = |px: u64| px as f64 * mpp * mpp * 1e-6;
        let settings = origin.settings();
        let analysed_px: u64 = counts.classes.iter().sum();
        Self {
            format: "parfocal.analysed-mask",
            version: 1,
            program: PROGRAM,
            slide: slide.name.clone(),
            slide_hash: slide.hash.0.clone(),
            scale_origin: slide.scale_origin,
            model: origin.model.clone(),
            model_hash: settings.model_hash,
            encoder_hash: settings.encoder_hash,
            analysis: origin.analysis.to_string(),
            fusion: origin.fusion(),
            bias: settings.bias,
            bias_parts: origin.bias.clone(),
            output_offsets: origin.offsets_by_class(),
            slide_has_icc_profile: slide.icc_profile.is_some(),
            model_input_uses_icc_profile: false,
            mpp,
            magnification: Magnification::from_mpp(mpp).0,
            size_px,
            not_analysed_code: NOT_ANALYSED,
            classes: class_areas(subject, counts, &mm2),
            slide_mm2: mm2(u64::from(size_px.0) * u64::from(size_px.1)),
            analysed_mm2: mm2(analysed_px),
            no_tissue_mm2: mm2(counts.no_tissue),
            left_out: LeftOut {
                failed_mm2: mm2(counts.failed),
                other_bias_mm2: mm2(counts.older),
                incomplete_mm2: mm2(counts.incomplete),
            },
            labels,
        }
    }

    /// `Analysed of the slide: 3.2 mm² of 120 mm².`, and what was left out, for a person.
    pub fn summary(&self) -> String {
        let mut text = format!(
            "Analysed of the slide: {} of {}.",
            area_text(self.analysed_mm2),
            area_text(self.slide_mm2)
        );
        let left_out = &self.left_out;
        for (mm2, why) in [
            (
                left_out.other_bias_mm2,
                "made with an older bias: look there again to have it",
            ),
            (left_out.incomplete_mm2, "not finished yet"),
            (left_out.failed_mm2, "failed"),
        ] {
            if mm2 > 0.0 {
                text = format!("{text} Left out: {}, {why}.", area_text(mm2));
            }
        }
        text
    }
}

fn class_areas(
    subject: &MaskSubject,
    counts: &PxCounts,
    mm2: &dyn Fn(u64) -> f64,
) -> Vec<ClassArea> {
    let all_px: u64 = counts.classes.iter().sum();
    let classes = (0..=u8::MAX).zip(subject.classes).zip(&counts.classes);
    let area = |((code, class), px): ((u8, &crate::labels::LabelClass), &u64)| ClassArea {
        code,
        name: class.name.clone(),
        rgb: class.rgb,
        px: *px,
        area_mm2: mm2(*px),
        share: *px as f64 / all_px.max(1) as f64,
    };
    classes.map(area).collect()
}

/// Three digits, as many as a person reads.
fn area_text(mm2: f64) -> String {
    match mm2 {
        mm2 if mm2 >= 100.0 => format!("{mm2:.0} mm²"),
        mm2 if mm2 >= 1.0 => format!("{mm2:.1} mm²"),
        mm2 => format!("{mm2:.3} mm²"),
    }
}
