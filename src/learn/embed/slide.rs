//! The embeddings of a slide's tissue as a file.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::Serialize;

use super::npz::NpzWriter;
use super::{FeatureError, Features, Grid, Region, Tile, TileAt};
use crate::model::Encoder;
use crate::model::config::ConfigError;
use crate::slide::by_um::{ScaleError, analysed_scale};
use crate::slide::{SlideError, SlideSource};

/// What is embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedOptions {
    /// Scale of the tiles, µm/px.
    pub mpp: f64,
    /// Their side, px; a multiple of the encoder's patch.
    pub tile_px: u32,
    /// Part of the slide; all of it without. Every tile that it touches is meant.
    pub region: Option<Region>,
    /// Least share of tissue of a tile, 0–1; 0 embeds glass too.
    pub least_tissue: f64,
    /// Whether patch tokens are written too.
    pub tokens: bool,
    /// Tiles embedded at a time; changes speed and memory, not results.
    pub batch: usize,
    /// Hash of the encoder's weights file, for the metadata.
    pub model_hash: String,
}

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbedReport {
    /// Tiles of the grid that were looked at.
    pub looked_at: u64,
    /// Tiles that were embedded.
    pub embedded: u64,
}

/// A slide that can't be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The slide has no scale, or no pixels as fine as that.
    #[error(transparent)]
    Scale(#[from] ScaleError),
    /// The region lies beside the slide.
    #[error(
        "{slide}: the region lies beside the slide, which is {width_um:.0} x {height_um:.0} um"
    )]
    Beside {
        /// The slide.
        slide: String,
        /// Its width.
        width_um: f64,
        /// Its height.
        height_um: f64,
    },
    /// Tiles of that side can't be embedded.
    #[error(transparent)]
    Side(#[from] ConfigError),
    /// A batch can't be embedded.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A tile can't be read.
    #[error(transparent)]
    Slide(#[from] SlideError),
    /// The output can't be written.
    #[error("{} can't be written: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The user stopped it.
    #[error("stopped: {} was not written", path.display())]
    Cancelled {
        /// The file.
        path: PathBuf,
    },
}

/// What `metadata` in the file holds, as JSON.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    format: &'a str,
    version: u32,
    program: String,
    slide: &'a str,
    slide_hash: &'a str,
    model: &'a str,
    model_hash: &'a str,
    mpp: f64,
    tile_px: u32,
    patch_px: usize,
    least_tissue: f64,
    positions_um: &'a str,
}

/// Writes embeddings of a slide's tiles to `output`, a `.npz`: `positions_um` (N × 2, `f64`, the
/// tiles' middles as x, y from the slide's origin), `cls` (N × D, `f32`), with `tokens` also
/// `tokens` (N × g × g × D, `f32`), and `metadata`.
///
/// Tiles lie on a grid anchored to the slide's origin, row by row. Memory is bounded by the batch;
/// equal slides, weights and options give equal files. `progress` hears of tiles looked at; it may
/// stop the work, after which nothing is left.
///
/// # Errors
/// When the slide has no scale or not the pixels, can't be read, or the output can't be written.
pub fn embed_slide(
    slide: &dyn SlideSource,
    encoder: &Encoder,
    options: &EmbedOptions,
    output: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<EmbedReport, EmbedError> {
    let grid = grid_of(slide, options)?;
    let mut sink = Sink::new(encoder, options, output)?;
    let (total, batch) = (grid.count(), options.batch.max(1));
    let mut waiting: Vec<(TileAt, Tile)> = Vec::new();
    for first in (0..total).step_by(batch) {
        let end = (first + batch as u64).min(total);
        waiting.extend(read_tissue(slide, &grid, first..end, options)?);
        if waiting.len() >= batch || end == total {
            let rest = waiting.split_off(batch.min(waiting.len()));
            sink.embed(&grid, &waiting, device)?;
            waiting = rest;
        }
        if progress(end, total).is_break() {
            let path = output.to_owned();
            return Err(EmbedError::Cancelled { path });
        }
    }
    sink.embed(&grid, &waiting, device)?;
    let embedded = sink.embedded;
    sink.finish(&metadata(slide, encoder, options))?;
    Ok(EmbedReport {
        looked_at: total,
        embedded,
    })
}

fn grid_of(slide: &dyn SlideSource, options: &EmbedOptions) -> Result<Grid, EmbedError> {
    let info = slide.info();
    let name = || info.name.clone();
    analysed_scale(info, slide.finest_mpp(), options.mpp)?;
    let whole = Region::of_slide(info).ok_or_else(|| ScaleError::NoScale { slide: name() })?;
    let region = match &options.region {
        None => whole,
        Some(region) => region.within(&whole).ok_or_else(|| EmbedError::Beside {
            slide: name(),
            width_um: whole.width_um,
            height_um: whole.height_um,
        })?,
    };
    Ok(Grid::over(&region, options.mpp, options.tile_px))
}

/// Those of the tiles that have enough tissue, in order.
fn read_tissue(
    slide: &dyn SlideSource,
    grid: &Grid,
    numbers: std::ops::Range<u64>,
    options: &EmbedOptions,
) -> Result<Vec<(TileAt, Tile)>, SlideError> {
    let side_px = options.tile_px;
    let places: Vec<TileAt> = numbers.map(|n| grid.tile(n)).collect();
    let tiles = Tile::read_all(slide, &places, side_px)?;
    let with_places = places.into_iter().zip(tiles);
    let tissue =
        |(_, tile): &(TileAt, Tile)| tile.tissue_share(0, 0, side_px) >= options.least_tissue;
    Ok(with_places.filter(tissue).collect())
}

/// Where embeddings go.
struct Sink<'a> {
    encoder: &'a Encoder,
    output: &'a Path,
    npz: NpzWriter,
    positions: usize,
    cls: usize,
    tokens: Option<usize>,
    embedded: u64,
}

impl<'a> Sink<'a> {
    fn new(
        encoder: &'a Encoder,
        options: &EmbedOptions,
        output: &'a Path,
    ) -> Result<Self, EmbedError> {
        let width = encoder.config().width;
        let grid = encoder.config().grid(options.tile_px as usize)?;
        let failed = |error| unwritten(output, error);
        let mut npz = NpzWriter::new(output);
        let tokens = options.tokens;
        Ok(Self {
            positions: npz.add_f64("positions_um", &[2]).map_err(failed)?,
            cls: npz.add_f32("cls", &[width]).map_err(failed)?,
            tokens: tokens
                .then(|| npz.add_f32("tokens", &[grid, grid, width]))
                .transpose()
                .map_err(failed)?,
            encoder,
            output,
            npz,
            embedded: 0,
        })
    }

    fn embed(
        &mut self,
        grid: &Grid,
        tiles: &[(TileAt, Tile)],
        device: &Device,
    ) -> Result<(), EmbedError> {
        let pixels: Vec<Tile> = tiles.iter().map(|(_, tile)| tile.clone()).collect();
        let features = Features::of(self.encoder, &pixels, device)?;
        let centres = tiles.iter().map(|(at, _)| grid.centre(*at));
        let positions: Vec<f64> = centres.flat_map(|centre| [centre.x, centre.y]).collect();
        self.embedded += tiles.len() as u64;
        self.push(&positions, &features)
            .map_err(|error| unwritten(self.output, error))
    }

    fn push(&mut self, positions: &[f64], features: &Features) -> io::Result<()> {
        self.npz.push_f64(self.positions, positions)?;
        self.npz.push_f32(self.cls, &features.cls)?;
        match self.tokens {
            Some(tokens) => self.npz.push_f32(tokens, &features.tokens),
            None => Ok(()),
        }
    }

    fn finish(self, metadata: &Metadata) -> Result<(), EmbedError> {
        let output = self.output;
        let text = serde_json::to_string(metadata).map_err(io::Error::from);
        text.and_then(|text| self.npz.finish(&text))
            .map_err(|error| unwritten(output, error))
    }
}

fn unwritten(path: &Path, error: io::Error) -> EmbedError {
    let path = path.to_owned();
    EmbedError::Output { path, error }
}

fn metadata<'a>(
    slide: &'a dyn SlideSource,
    encoder: &'a Encoder,
    options: &'a EmbedOptions,
) -> Metadata<'a> {
    Metadata {
        format: "parfocal.embedding",
        version: 1,
        program: format!("parfocal {}", env!("CARGO_PKG_VERSION")),
        slide: &slide.info().name,
        slide_hash: &slide.info().hash.0,
        model: &encoder.config().name,
        model_hash: &options.model_hash,
        mpp: options.mpp,
        tile_px: options.tile_px,
        patch_px: encoder.config().patch_px,
        least_tissue: options.least_tissue,
        positions_um: "middle of each tile, x and y from the slide's origin",
    }
}
