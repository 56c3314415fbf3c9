//! Finished rows become files: a pyramid of codes with a palette, and pyramids of probabilities.

use std::path::Path;

use serde_json::{Value, json};

use super::error::SegmentError;
use super::grid::TileGrid;
use super::settings::{PROGRAM, Settings};
use super::work::WorkFolder;
use crate::geometry::Mpp;
use crate::labels::LabelClass;
use crate::labels::NOT_ANALYSED;
use crate::slide::SlideInfo;
use crate::slide::tiled_tiff::{
    FinishedTiff, PixelKind, StripPyramid, TiffLayout, TiffLevel, TiledTiff,
};

/// Side of the files' tiles, px.
pub(super) const FILE_TILE_PX: u32 = 256;

/// Levels are added until both sides are at most this, px.
const COARSEST_SIDE_PX: u32 = 512;

/// Colour of what was not analysed: that of glass.
const NOT_ANALYSED_RGB: [u8; 3] = [255; 3];

/// What a file shows.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// Codes in the classes' colours; coarser px have the most frequent of the four under them.
    Codes(&'a [LabelClass]),
    /// The probability of a class, by index: black is 0, white is 1. Coarser px have the mean.
    Probability(usize, &'a LabelClass),
}

impl Shown<'_> {
    /// Which part of a row's file it is made of.
    fn section(self) -> usize {
        match self {
            Self::Codes(_) => 0,
            Self::Probability(class, _) => class + 1,
        }
    }

    fn pixels(self) -> PixelKind {
        let Self::Codes(classes) = self else {
            return PixelKind::Grey;
        };
        let mut palette = vec![[0; 3]; 256];
        palette
            .iter_mut()
            .zip(classes)
            .for_each(|(colour, class)| *colour = class.rgb);
        palette[usize::from(NOT_ANALYSED)] = NOT_ANALYSED_RGB;
        PixelKind::Palette(palette)
    }
}

/// What a file says of itself, to be its description as JSON. Equal work gives equal text.
pub fn description(slide: &SlideInfo, settings: &Settings, shown: Shown) -> Value {
    let mut text = json!({
        "format": "parfocal.label-map",
        "program": PROGRAM,
        "slide": slide.name,
        "slide_hash": slide.hash.0,
        "model_hash": settings.model_hash,
        "encoder_hash": settings.encoder_hash,
        "mpp": settings.grid.mpp,
        "bias": settings.bias,
    });
    match shown {
        Shown::Codes(classes) => {
            let class =
                |(code, class): (usize, &LabelClass)| json!({ "code": code, "name": class.name });
            text["classes"] = classes.iter().enumerate().map(class).collect();
            text["not_analysed"] = NOT_ANALYSED.into();
        }
        Shown::Probability(_, class) => {
            text["format"] = "parfocal.probability-map".into();
            text["class"] = class.name.clone().into();
        }
    }
    text
}

/// Writes a pyramid of the finished rows, of which none may be missing; see [`write_rows`].
///
/// # Errors
/// When a row can't be read, the file can't be written, or what `tick` returns.
pub fn write_pyramid(
    path: &Path,
    work: &WorkFolder,
    grid: &TileGrid,
    shown: Shown,
    description: &Value,
    tick: &mut dyn FnMut() -> Result<(), SegmentError>,
) -> Result<FinishedTiff, SegmentError> {
    let layout = layout(grid.size_px, grid.spec.mpp, shown, description);
    let mut feed = RowFeed::new(work, grid, shown.section());
    write_rows(path, layout, &mut |rows| feed.take(rows), tick)
}

/// The file of a map of `size_px` px of `mpp` µm.
pub fn layout(size_px: (u32, u32), mpp: f64, shown: Shown, description: &Value) -> TiffLayout {
    TiffLayout {
        description: description.to_string(),
        ..TiffLayout::new(shown.pixels(), FILE_TILE_PX, levels(size_px, mpp))
    }
}

/// Writes a pyramid under a name that goes away unless the file is kept. `take` gives the next so
/// many rows of px of the finest level, [`FILE_TILE_PX`] of them or fewer at the end; `tick` is
/// called for every row of tiles and may end the work.
///
/// Memory: three rows of the file's tiles, beside what `take` needs.
///
/// # Errors
/// What `take` or `tick` return, or when the file can't be written.
pub fn write_rows(
    path: &Path,
    layout: TiffLayout,
    take: &mut dyn FnMut(u32) -> Result<Vec<u8>, SegmentError>,
    tick: &mut dyn FnMut() -> Result<(), SegmentError>,
) -> Result<FinishedTiff, SegmentError> {
    let (width, full_height) = layout.levels.first().map_or((0, 0), |level| level.size_px);
    let mut pyramid = StripPyramid::new(TiledTiff::create(path, layout)?)?;
    let (columns, rows) = pyramid.tiles();
    for row in 0..rows {
        let px = take(FILE_TILE_PX.min(full_height - row * FILE_TILE_PX))?;
        for first in (0..columns).step_by(StripPyramid::batch_columns()) {
            let end = columns.min(first + StripPyramid::batch_columns() as u32);
            let tiles: Vec<Vec<u8>> = (first..end).map(|column| cut(&px, width, column)).collect();
            pyramid.place(first, &tiles)?;
        }
        pyramid.end_row(&mut |_| Ok::<_, SegmentError>(()))?;
        tick()?;
    }
    Ok(pyramid.finish()?)
}

/// Each level half the one before, rounded up; its px twice as wide.
fn levels(mut size_px: (u32, u32), mpp: f64) -> Vec<TiffLevel> {
    let mut levels = Vec::new();
    loop {
        let mpp = Mpp::square(mpp * (1_u64 << levels.len()) as f64);
        levels.push(TiffLevel { size_px, mpp });
        if size_px.0.max(size_px.1) <= COARSEST_SIDE_PX {
            return levels;
        }
        size_px = (size_px.0.div_ceil(2), size_px.1.div_ceil(2));
    }
}

/// One column of tiles of some rows of px.
fn cut(px: &[u8], width: u32, column: u32) -> Vec<u8> {
    let left = (column * FILE_TILE_PX) as usize;
    let right = (left + FILE_TILE_PX as usize).min(width as usize);
    let mut tile = Vec::with_capacity((FILE_TILE_PX * FILE_TILE_PX) as usize);
    for row in px.chunks_exact(width as usize) {
        tile.extend_from_slice(&row[left..right]);
    }
    tile
}

/// Rows of px one after the other, from rows of tiles of another height.
pub struct RowFeed<'a> {
    work: &'a WorkFolder,
    grid: &'a TileGrid,
    section: usize,
    /// The row of tiles that is read next.
    next: u32,
    px: Vec<u8>,
}

impl<'a> RowFeed<'a> {
    /// Of one part of the rows' files: 0 is codes, n + 1 the probabilities of class n.
    pub fn new(work: &'a WorkFolder, grid: &'a TileGrid, section: usize) -> Self {
        Self {
            work,
            grid,
            section,
            next: 0,
            px: Vec::new(),
        }
    }

    /// The next `rows` rows of px; fewer at the end.
    ///
    /// # Errors
    /// When a row of tiles can't be read.
    pub fn take(&mut self, rows: u32) -> Result<Vec<u8>, SegmentError> {
        let wanted = rows as usize * self.grid.size_px.0 as usize;
        while self.px.len() < wanted && self.next < self.grid.rows() {
            self.px
                .extend(self.work.row(self.next)?.read(self.section)?);
            self.next += 1;
        }
        let rest = self.px.split_off(wanted.min(self.px.len()));
        Ok(std::mem::replace(&mut self.px, rest))
    }
}
