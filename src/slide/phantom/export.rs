//! The phantom as a file that every viewer opens, and its truth beside it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::PhantomSource;
use super::glands::GlandNumbers;
use crate::geometry::{LevelRegion, Mpp, level_scale};
use crate::slide::tiled_tiff::{
    Chroma, FinishedTiff, PixelKind, StripPyramid, TiffError, TiffLayout, TiffLevel, TiledTiff,
};
use crate::slide::{LevelInfo, SlideError, SlideSource};

/// From this quality on colour is stored at every px, as it is finer than what JPEG loses.
const FULL_CHROMA_QUALITY: u8 = 90;

/// How a phantom is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// JPEG quality, 1 to 100. From 90 on, colour is stored at full resolution.
    pub jpeg_quality: u8,
    /// Side of the tiles, px; a multiple of 16.
    pub tile_px: u32,
    /// Also write the truth, beside the picture: the classes to `demo.labels.tif` for `demo.tif`,
    /// and where a tissue has glands, their numbers to `demo.instances.tif`. Without this, files
    /// of these names are left as they are.
    pub labels: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            jpeg_quality: 90,
            tile_px: 256,
            labels: true,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The picture.
    pub picture: PathBuf,
    /// Length of the picture, bytes.
    pub picture_bytes: u64,
    /// The truth, where asked for: the classes, and the glands of a tissue that has some.
    pub truth: Vec<PathBuf>,
    /// Tiles in all files.
    pub tiles: u64,
}

/// A phantom that could not be written. Nothing is left behind, and files that were there stay.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The caller stopped it.
    #[error("{}: stopped, nothing was written", path.display())]
    Cancelled {
        /// The picture that was to appear.
        path: PathBuf,
    },
    /// The phantom can't be drawn.
    #[error("{}: can't be written: {source}", path.display())]
    Draw {
        /// The picture that was to appear.
        path: PathBuf,
        /// What the phantom said.
        source: SlideError,
    },
    /// An option or the disk does not allow it; names the file.
    #[error(transparent)]
    Write(#[from] TiffError),
}

/// The classes' file of the picture `path`: `demo.labels.tif` for `demo.tif`.
pub fn labels_path(path: &Path) -> PathBuf {
    path.with_extension("labels.tif")
}

/// The file of the glands' numbers of the picture `path`: `demo.instances.tif` for `demo.tif`.
pub fn instances_path(path: &Path) -> PathBuf {
    path.with_extension("instances.tif")
}

/// What a file shows.
#[derive(Debug)]
enum Content {
    Picture,
    Classes,
    Glands(GlandNumbers),
}

/// Writes `source` to `path` as a tiled JPEG pyramid with all its levels, and its truth beside it
/// by [`StripPyramid`]'s rules for coarser levels: the classes as a pyramid of codes with a
/// palette, and glands as one of 16-bit numbers, 0 where there is none.
///
/// The finest level is drawn, coarser ones are averaged from it in 8 bits, as scanners do; they
/// are close to, not the same as, what the phantom itself shows there. Memory grows with the
/// slide's width only. `progress` gets the tiles done and their total, of all files, and stops
/// the export by `Break`.
///
/// # Errors
/// When stopped, when an option is out of range, when there are more glands than 16 bits number,
/// or when a file can't be written. All files appear at the end or none does.
pub fn write_pyramid(
    source: &PhantomSource,
    path: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let contents = contents(source, path, options)?;
    let files = contents.iter().map(|content| {
        let tiff = start(source, path, options, content)?;
        StripPyramid::new(tiff)
    });
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let (columns, rows) = files.first().map_or((0, 0), StripPyramid::tiles);
    let total = files.iter().map(StripPyramid::tile_count).sum();
    let mut export = Export {
        pen: Pen {
            source,
            path,
            tile_px: options.tile_px,
            contents: &contents,
        },
        ticker: Ticker {
            path,
            progress,
            done: 0,
            total,
        },
        files,
    };
    export.write_rows(columns, rows)?;
    let finished = export.files.into_iter().map(StripPyramid::finish);
    let finished = finished.collect::<Result<Vec<_>, _>>()?;
    let picture_bytes = finished.first().map_or(0, FinishedTiff::len_bytes);
    let mut kept = keep_all(finished)?;
    Ok(Exported {
        truth: kept.split_off(1),
        picture: path.to_owned(),
        picture_bytes,
        tiles: total,
    })
}

/// The files to write, the picture first.
fn contents(
    source: &PhantomSource,
    path: &Path,
    options: &ExportOptions,
) -> Result<Vec<Content>, TiffError> {
    let mut contents = vec![Content::Picture];
    if options.labels {
        contents.push(Content::Classes);
    }
    if options.labels && source.spec().tissue.has_glands() {
        let numbers = GlandNumbers::of(source).ok_or_else(|| TiffError::Layout {
            path: instances_path(path),
            reason: "the slide has more than 65,535 glands; make it smaller".to_owned(),
        })?;
        contents.push(Content::Glands(numbers));
    }
    Ok(contents)
}

/// Renames all or none, the picture last: a picture that appears has its truth.
fn keep_all(files: Vec<FinishedTiff>) -> Result<Vec<PathBuf>, TiffError> {
    let (mut kept, mut new) = (Vec::new(), Vec::new());
    for file in files.into_iter().rev() {
        let replaced = file.path().exists();
        let path = file.keep().inspect_err(|_| {
            // This error is the one to tell; the rest is no more than tidying up.
            new.iter().for_each(|path| drop(std::fs::remove_file(path)));
        })?;
        if !replaced {
            new.push(path.clone());
        }
        kept.push(path);
    }
    kept.reverse();
    Ok(kept)
}

fn start(
    source: &PhantomSource,
    path: &Path,
    options: &ExportOptions,
    content: &Content,
) -> Result<TiledTiff, TiffError> {
    let levels = source.info().levels.iter();
    let levels: Option<Vec<TiffLevel>> = levels.map(|level| tiff_level(source, level)).collect();
    let (path, pixels) = match content {
        Content::Picture => (path.to_owned(), picture_pixels(options.jpeg_quality)),
        Content::Classes => {
            let palette = source.classes().iter().map(|class| class.rgb).collect();
            (labels_path(path), PixelKind::Palette(palette))
        }
        Content::Glands(_) => (instances_path(path), PixelKind::Numbers),
    };
    let levels = levels.ok_or_else(|| TiffError::Layout {
        path: path.clone(),
        reason: "the slide is too large".to_owned(),
    })?;
    let layout = TiffLayout {
        description: description(source, matches!(content, Content::Classes)),
        ..TiffLayout::new(pixels, options.tile_px, levels)
    };
    TiledTiff::create(&path, layout)
}

fn picture_pixels(quality: u8) -> PixelKind {
    let chroma = if quality < FULL_CHROMA_QUALITY {
        Chroma::Halved
    } else {
        Chroma::Full
    };
    PixelKind::RgbJpeg { quality, chroma }
}

fn tiff_level(source: &PhantomSource, level: &LevelInfo) -> Option<TiffLevel> {
    let info = source.info();
    let (x, y) = level_scale(info.levels.first()?.size_px, level.size_px);
    let size_px = (
        u32::try_from(level.size_px.0).ok()?,
        u32::try_from(level.size_px.1).ok()?,
    );
    let mpp = info.mpp.and_then(|mpp| Mpp::new(mpp.x * x, mpp.y * y));
    Some(TiffLevel { size_px, mpp })
}

fn description(source: &PhantomSource, classes: bool) -> String {
    let mut text = json!({ "name": source.info().name, "spec_hash": source.spec().hash() });
    if classes {
        let class = |(code, class): (usize, &super::ClassInfo)| json!({ "code": code, "name": class.name, "ignore": class.ignore });
        text["classes"] = source
            .classes()
            .iter()
            .enumerate()
            .map(class)
            .collect::<Vec<Value>>()
            .into();
    }
    text.to_string()
}

/// Counts tiles and asks whether to go on.
struct Ticker<'a> {
    path: &'a Path,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    done: u64,
    total: u64,
}

impl Ticker<'_> {
    fn add(&mut self, tiles: u64) -> Result<(), ExportError> {
        self.done += tiles;
        match (self.progress)(self.done, self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ExportError::Cancelled {
                path: self.path.to_owned(),
            }),
        }
    }
}

/// An export under way.
struct Export<'a> {
    pen: Pen<'a>,
    ticker: Ticker<'a>,
    /// One for each of the pen's contents.
    files: Vec<StripPyramid>,
}

impl Export<'_> {
    fn write_rows(&mut self, columns: u32, rows: u32) -> Result<(), ExportError> {
        self.ticker.add(0)?;
        for row in 0..rows {
            for first in (0..columns).step_by(StripPyramid::batch_columns()) {
                let end = columns.min(first + StripPyramid::batch_columns() as u32);
                self.write_batch(row, first, end)?;
            }
            let ticker = &mut self.ticker;
            for file in &mut self.files {
                file.end_row(&mut |tiles| ticker.add(tiles))?;
            }
        }
        Ok(())
    }

    fn write_batch(&mut self, row: u32, first: u32, end: u32) -> Result<(), ExportError> {
        let mut drawn = self.pen.draw(row, first, end)?;
        for (n, file) in self.files.iter_mut().enumerate() {
            let tiles = drawn.iter_mut().map(|tile| std::mem::take(&mut tile[n]));
            file.place(first, &tiles.collect::<Vec<_>>())?;
            self.ticker.add(u64::from(end - first))?;
        }
        Ok(())
    }
}

/// The bytes of a tile in each of the files.
type Tile = Vec<Vec<u8>>;

/// What the threads that draw share.
struct Pen<'a> {
    source: &'a PhantomSource,
    path: &'a Path,
    tile_px: u32,
    contents: &'a [Content],
}

impl Pen<'_> {
    /// Tiles of the finest level, cut off where the slide ends.
    fn draw(&self, row: u32, first: u32, end: u32) -> Result<Vec<Tile>, ExportError> {
        let columns = (first..end).into_par_iter();
        let tiles: Result<_, SlideError> = columns.map(|column| self.tile(column, row)).collect();
        tiles.map_err(|source| ExportError::Draw {
            path: self.path.to_owned(),
            source,
        })
    }

    fn tile(&self, column: u32, row: u32) -> Result<Tile, SlideError> {
        let region = self.region(column, row);
        let rgba = self.source.read_region(0, region)?;
        let labels = if self.contents.len() > 1 {
            self.source.labels(0, region)?
        } else {
            Vec::new()
        };
        let bytes = |content: &Content| match content {
            Content::Picture => {
                let pixels = rgba.data.as_chunks::<4>().0.iter();
                pixels.flat_map(|px| [px[0], px[1], px[2]]).collect()
            }
            Content::Classes => labels.iter().map(|label| label.0).collect(),
            Content::Glands(numbers) => numbers.bytes(&labels),
        };
        Ok(self.contents.iter().map(bytes).collect())
    }

    fn region(&self, column: u32, row: u32) -> LevelRegion {
        let (width, height) = self
            .source
            .info()
            .levels
            .first()
            .map_or((0, 0), |level| level.size_px);
        let side = u64::from(self.tile_px);
        let (x, y) = (u64::from(column) * side, u64::from(row) * side);
        // No more than a tile's side, which fits.
        let length = |start: u64, full: u64| full.saturating_sub(start).min(side) as u32;
        LevelRegion {
            x: x as i64,
            y: y as i64,
            width: length(x, width),
            height: length(y, height),
        }
    }
}
