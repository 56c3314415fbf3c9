//! What a run found, as JSON: areas by class, provenance, cost.

use std::collections::BTreeMap;

use serde::Serialize;

use super::band::{RowStats, Times};
use super::grid::{GridSpec, TileGrid};
use super::seams::Seams;
use super::settings::{Outputs, PROGRAM, Settings};
use super::shifted::ShiftedGrid;
use super::tissue::TissueMap;
use crate::geometry::Magnification;
use crate::labels::{LabelClass, NOT_ANALYSED};
use crate::slide::{ScaleOrigin, SlideInfo};

/// The area of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassArea {
    /// Its code in the label map.
    pub code: u8,
    /// Its name.
    pub name: String,
    /// Its colour, sRGB.
    pub rgb: [u8; 3],
    /// Px of the label map.
    pub px: u64,
    /// Their area, mm².
    pub area_mm2: f64,
    /// Their part of all that was analysed, 0–1.
    pub share: f64,
}

/// Tiles of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TileCounts {
    /// All.
    pub total: u64,
    /// Those that the network saw.
    pub run: u64,
    /// Those without tissue.
    pub skipped: u64,
}

/// How the slide was cut, as it came out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GridReport {
    /// What was asked for.
    #[serde(flatten)]
    pub spec: GridSpec,
    /// Distance from tile to tile, px.
    pub step_px: u32,
    /// Number of tiles from left to right.
    pub columns: u32,
    /// Number of tiles from top to bottom.
    pub rows: u32,
}

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `parfocal.segmentation`.
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
    /// Hash of the model's weights.
    pub model_hash: String,
    /// Hash of the weights of the encoder under it.
    pub encoder_hash: String,
    /// Attention bias by class name.
    pub bias: BTreeMap<String, f64>,
    /// Scale of the label map, µm/px.
    pub mpp: f64,
    /// The same as an objective's magnification.
    pub magnification: f64,
    /// Width and height of the label map, px.
    pub size_px: (u32, u32),
    /// The tiles.
    pub grid: GridReport,
    /// Gaps in tissue that no disc of this radius fits into were filled, µm.
    pub fill_um: f64,
    /// Whether all px beside tissue were left out.
    pub only_near_tissue: bool,
    /// Code of px that were not analysed.
    pub not_analysed_code: u8,
    /// Areas of the classes.
    pub classes: Vec<ClassArea>,
    /// Area of the label map, mm².
    pub slide_mm2: f64,
    /// Area of tissue as the overview has it, mm².
    pub tissue_mm2: f64,
    /// Area of all classes, mm².
    pub analysed_mm2: f64,
    /// How many tiles were run and skipped.
    pub tiles: TileCounts,
    /// Edges at tile borders beside those elsewhere.
    pub seams: Seams,
    /// What a grid moved by half a tile finds, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shifted: Option<ShiftedGrid>,
    /// What the time went to, of all runs that made the rows; for a row that was made twice, of
    /// the first time.
    pub times: Times,
    /// Stitching and writing as a part of waiting for tiles, network, stitching and writing, 0–1.
    pub stitching_share: f64,
    /// The files beside this one.
    pub files: Outputs,
}

/// What a report is about.
pub struct Found<'a> {
    /// The slide.
    pub slide: &'a SlideInfo,
    /// How it was cut.
    pub grid: &'a TileGrid,
    /// What was asked for.
    pub settings: &'a Settings,
    /// The model's classes.
    pub classes: &'a [LabelClass],
    /// Where tissue is.
    pub tissue: &'a TissueMap,
    /// What was written.
    pub files: &'a Outputs,
    /// Side of the network's blocks, px.
    pub block_px: u32,
    /// What the moved grid found.
    pub shifted: Option<ShiftedGrid>,
}

/// Puts together what is known at the end; `sums` are those of all rows.
pub fn report(found: Found, sums: &RowStats) -> Report {
    let Found {
        slide,
        grid,
        settings,
        classes,
        tissue,
        files,
        block_px,
        shifted,
    } = found;
    let analysed_px: u64 = sums.class_px.iter().sum();
    let area = |((code, class), px): ((u8, &LabelClass), &u64)| ClassArea {
        code,
        name: class.name.clone(),
        rgb: class.rgb,
        px: *px,
        area_mm2: *px as f64 * grid.px_mm2(),
        share: *px as f64 / analysed_px.max(1) as f64,
    };
    let (columns, rows) = (grid.columns(), grid.rows());
    Report {
        format: "parfocal.segmentation",
        version: 1,
        program: PROGRAM,
        slide: slide.name.clone(),
        slide_hash: slide.hash.0.clone(),
        scale_origin: slide.scale_origin,
        model_hash: settings.model_hash.clone(),
        encoder_hash: settings.encoder_hash.clone(),
        bias: settings.bias.clone(),
        mpp: grid.spec.mpp,
        magnification: Magnification::from_mpp(grid.spec.mpp).0,
        size_px: grid.size_px,
        grid: GridReport {
            spec: grid.spec,
            step_px: grid.spec.step_px(),
            columns,
            rows,
        },
        fill_um: settings.fill_um,
        only_near_tissue: settings.only_near_tissue,
        not_analysed_code: NOT_ANALYSED,
        classes: (0..=u8::MAX)
            .zip(classes.iter())
            .zip(&sums.class_px)
            .map(area)
            .collect(),
        slide_mm2: f64::from(grid.size_px.0) * f64::from(grid.size_px.1) * grid.px_mm2(),
        tissue_mm2: tissue.tissue_mm2(),
        analysed_mm2: analysed_px as f64 * grid.px_mm2(),
        tiles: TileCounts {
            total: u64::from(columns) * u64::from(rows),
            run: sums.tiles_run,
            skipped: sums.tiles_skipped,
        },
        seams: sums.seams.summary(grid.spec.blend_px, block_px),
        shifted,
        times: sums.times,
        stitching_share: stitching_share(&sums.times),
        files: files.clone(),
    }
}

fn stitching_share(times: &Times) -> f64 {
    let stitching_s = times.stitching_s + times.writing_s;
    let all_s = times.waiting_s + times.network_s + stitching_s;
    if all_s > 0.0 {
        stitching_s / all_s
    } else {
        0.0
    }
}
