//! What a tile costs on its way through Parfocal, beside the bare OpenSlide call.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use crate::geometry::LevelRegion;
use crate::slide::openslide::BareReader;
use crate::slide::phantom::export::{ExportOptions, write_pyramid};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::{OPEN_TIMEOUT, SlideSource, open_with_timeout};
use crate::tiles::TilePyramid;
use crate::tiles::reduce::read_tile;

/// Most tiles that are read in one repeat.
const TILES: usize = 60;

/// Tile delivery beside the bare call.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DeliveryResult {
    /// The slide's name.
    pub slide: String,
    /// Width and height of the tiles, px.
    pub tile_px: (u32, u32),
    /// Tiles read a repeat.
    pub tiles: usize,
    /// The bare OpenSlide call, median of the repeats' means, ms a tile.
    pub openslide_ms: f64,
    /// Through Parfocal, ms a tile.
    pub parfocal_ms: f64,
    /// Median over repeats of the ratio, minus 1.
    pub overhead: f64,
}

/// Reads the same level-0 tiles through both, taking turns tile by tile, on handles of their own.
/// `None` for files that OpenSlide does not read.
///
/// # Errors
/// When the slide can't be opened or read.
pub fn measure(path: &Path, repeats: u32) -> anyhow::Result<Option<DeliveryResult>> {
    if BareReader::open(path).is_err() {
        return Ok(None);
    }
    let (mut bare_ms, mut own_ms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut shape = (String::new(), (0, 0), 0);
    // One more than asked: the first warms the file up and is dropped.
    for repeat in 0..=repeats.max(3) {
        let source = open_with_timeout(path, OPEN_TIMEOUT)?;
        let bare = BareReader::open(path)?;
        let (bare_s, own_s, count) = one_repeat(source.as_ref(), &bare)?;
        let tile_px = TilePyramid::new(source.info())
            .level(0)
            .map_or((0, 0), |level| level.tile_px);
        shape = (source.info().name.clone(), tile_px, count);
        if repeat > 0 {
            bare_ms.push(bare_s * 1e3 / count as f64);
            own_ms.push(own_s * 1e3 / count as f64);
            ratios.push(own_s / bare_s);
        }
    }
    let (slide, tile_px, tiles) = shape;
    let [openslide_ms, parfocal_ms, ratio] = [bare_ms, own_ms, ratios].map(median);
    Ok(Some(DeliveryResult {
        slide,
        tile_px,
        tiles,
        openslide_ms,
        parfocal_ms,
        overhead: ratio - 1.0,
    }))
}

fn one_repeat(source: &dyn SlideSource, bare: &BareReader) -> anyhow::Result<(f64, f64, usize)> {
    let pyramid = TilePyramid::new(source.info());
    let level = pyramid.level(0).context("the slide has no level")?;
    let (cols, rows) = level.grid();
    let all: Vec<(u32, u32)> = (0..rows)
        .flat_map(|row| (0..cols).map(move |col| (col, row)))
        .collect();
    let stride = all.len().div_ceil(TILES).max(1);
    let (mut bare_s, mut own_s, mut count) = (0.0, 0.0, 0);
    for (turn, &(col, row)) in all.iter().step_by(stride).enumerate() {
        let region: LevelRegion = level.region(col, row);
        // Each goes first every other time, so that neither finds the file always warmed up.
        for first in [turn % 2 == 0, turn % 2 != 0] {
            let started = Instant::now();
            if first {
                std::hint::black_box(bare.read(0, region)?);
                bare_s += started.elapsed().as_secs_f64();
            } else {
                let tile = read_tile(source, level, (col, row), &|| true);
                std::hint::black_box(tile.map_err(|failure| anyhow::anyhow!("{failure:?}"))?);
                own_s += started.elapsed().as_secs_f64();
            }
        }
        count += 1;
    }
    Ok((bare_s, own_s, count))
}

/// A pyramid file of 3 mm of the demo tissue, as a scanner would have written it.
///
/// # Errors
/// When it can't be written.
pub fn pyramid_file(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("demo-pyramid.tif");
    let spec = PhantomSpec::preset(Tissue::Brain, 7).with_extent_um(3000.0, 2400.0);
    let source = PhantomSource::new(spec)?;
    let options = ExportOptions {
        labels: false,
        ..ExportOptions::default()
    };
    write_pyramid(&source, &path, &options, &mut |_, _| {
        ControlFlow::Continue(())
    })?;
    Ok(path)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
