//! The phantom as a file that every viewer opens, and its truth beside it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::PhantomSource;
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
    /// Also write the classes, beside the picture: `demo.labels.tif` for `demo.tif`. Without
    /// this, a file of that name is left as it is.
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
    /// The classes, where asked for.
    pub labels: Option<PathBuf>,
    /// Length of the classes' file, bytes; 0 without one.
    pub labels_bytes: u64,
    /// Tiles in both files.
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

/// Writes `source` to `path` as a tiled JPEG pyramid with all its levels, and its classes beside
/// it as a pyramid of codes with a palette, by [`StripPyramid`]'s rules for coarser levels.
///
/// The finest level is drawn, coarser ones are averaged from it in 8 bits, as scanners do; they
/// are close to, not the same as, what the phantom itself shows there. Memory grows with the
/// slide's width only. `progress` gets the tiles done and their total, of both files, and stops
/// the export by `Break`.
///
/// # Errors
/// When stopped, when an option is out of range, or when a file can't be written. Both files
/// appear at the end or none does.
pub fn write_pyramid(
    source: &PhantomSource,
    path: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let chroma = if options.jpeg_quality < FULL_CHROMA_QUALITY {
        Chroma::Halved
    } else {
        Chroma::Full
    };
    let pixels = PixelKind::RgbJpeg {
        quality: options.jpeg_quality,
        chroma,
    };
    let picture = start(source, path, options, pixels)?;
    let palette = source.classes().iter().map(|class| class.rgb).collect();
    let labels = options.labels.then(|| {
        start(
            source,
            &labels_path(path),
            options,
            PixelKind::Palette(palette),
        )
    });
    let labels = labels.transpose()?;

    let tiles = picture.layout().tile_count() * (1 + u64::from(options.labels));
    let ticker = Ticker {
        path,
        progress,
        done: 0,
        total: tiles,
    };
    let mut export = Export {
        pen: Pen {
            source,
            path,
            tile_px: options.tile_px,
            labels: options.labels,
        },
        ticker,
        picture: StripPyramid::new(picture)?,
        labels: labels.map(StripPyramid::new).transpose()?,
    };
    export.write_rows()?;
    let Export {
        picture, labels, ..
    } = export;
    let picture = picture.finish()?;
    let labels = labels.map(StripPyramid::finish).transpose()?;
    keep_both(picture, labels, tiles)
}

/// Renames both or none: a picture that appears has its classes.
fn keep_both(
    picture: FinishedTiff,
    labels: Option<FinishedTiff>,
    tiles: u64,
) -> Result<Exported, ExportError> {
    let picture_bytes = picture.len_bytes();
    let labels_bytes = labels.as_ref().map_or(0, FinishedTiff::len_bytes);
    let replaced = labels.as_ref().is_some_and(|labels| labels.path().exists());
    let labels = labels.map(FinishedTiff::keep).transpose()?;
    let picture = picture.keep().inspect_err(|_| {
        if let Some(labels) = labels.as_ref().filter(|_| !replaced) {
            // The picture's error is the one to tell; this is no more than tidying up.
            drop(std::fs::remove_file(labels));
        }
    })?;
    Ok(Exported {
        picture,
        picture_bytes,
        labels,
        labels_bytes,
        tiles,
    })
}

fn start(
    source: &PhantomSource,
    path: &Path,
    options: &ExportOptions,
    pixels: PixelKind,
) -> Result<TiledTiff, TiffError> {
    let levels: Option<Vec<TiffLevel>> = source
        .info()
        .levels
        .iter()
        .map(|level| tiff_level(source, level))
        .collect();
    let too_large = || TiffError::Layout {
        path: path.to_owned(),
        reason: "the slide is too large".to_owned(),
    };
    let description = description(source, matches!(pixels, PixelKind::Palette(_)));
    let layout = TiffLayout {
        description,
        ..TiffLayout::new(pixels, options.tile_px, levels.ok_or_else(too_large)?)
    };
    TiledTiff::create(path, layout)
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
    picture: StripPyramid,
    labels: Option<StripPyramid>,
}

impl Export<'_> {
    fn write_rows(&mut self) -> Result<(), ExportError> {
        self.ticker.add(0)?;
        let (columns, rows) = self.picture.tiles();
        for row in 0..rows {
            for first in (0..columns).step_by(StripPyramid::batch_columns()) {
                let end = columns.min(first + StripPyramid::batch_columns() as u32);
                self.write_batch(row, first, end)?;
            }
            let ticker = &mut self.ticker;
            self.picture.end_row(&mut |tiles| ticker.add(tiles))?;
            if let Some(labels) = &mut self.labels {
                labels.end_row(&mut |tiles| ticker.add(tiles))?;
            }
        }
        Ok(())
    }

    fn write_batch(&mut self, row: u32, first: u32, end: u32) -> Result<(), ExportError> {
        let (pictures, labels): (Vec<_>, Vec<_>) =
            self.pen.draw(row, first, end)?.into_iter().unzip();
        self.picture.place(first, &pictures)?;
        self.ticker.add(u64::from(end - first))?;
        if let Some(pyramid) = &mut self.labels {
            pyramid.place(first, &labels)?;
            self.ticker.add(u64::from(end - first))?;
        }
        Ok(())
    }
}

/// RGB and classes of a tile; no classes where none are asked for.
type Tile = (Vec<u8>, Vec<u8>);

/// What the threads that draw share.
struct Pen<'a> {
    source: &'a PhantomSource,
    path: &'a Path,
    tile_px: u32,
    labels: bool,
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
        let pixels = rgba.data.as_chunks::<4>().0.iter();
        let rgb = pixels.flat_map(|px| [px[0], px[1], px[2]]).collect();
        let labels = if self.labels {
            self.source.label_region(0, region)?
        } else {
            Vec::new()
        };
        Ok((rgb, labels))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slide::phantom::{PhantomSpec, Tissue};
    use crate::slide::tiled_tiff::read_back::Reader;

    fn small() -> PhantomSource {
        // 1,300 x 1,050 px: two levels, neither a multiple of a tile.
        let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(325.0, 262.5);
        PhantomSource::new(spec).unwrap()
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_shows_what_the_phantom_shows() {
        let folder = tempfile::tempdir().unwrap();
        let (source, path) = (small(), folder.path().join("demo.tif"));
        std::fs::write(&path, b"old").unwrap();
        let mut last = (0, 0);
        let exported = write_pyramid(
            &source,
            &path,
            &ExportOptions::default(),
            &mut |done, total| {
                assert!(done >= last.0 && std::fs::read(&path).unwrap() == b"old");
                last = (done, total);
                ControlFlow::Continue(())
            },
        );
        let exported = exported.unwrap();
        assert_eq!((last, exported.tiles), ((78, 78), 78));
        assert_eq!(files(folder.path()), ["demo.labels.tif", "demo.tif"]);
        assert_eq!(
            std::fs::metadata(&path).unwrap().len(),
            exported.picture_bytes
        );
        let reader = Reader::open(&path);
        let picture = reader.picture(&reader.directories()[0], 256);
        assert_eq!(picture.dimensions(), (1300, 1050));
        let drawn = source
            .read_region(
                0,
                LevelRegion {
                    x: 0,
                    y: 0,
                    width: 1300,
                    height: 1050,
                },
            )
            .unwrap();
        let off: Vec<u8> = picture
            .pixels()
            .zip(drawn.data.as_chunks::<4>().0)
            .flat_map(|(a, b)| [0, 1, 2].map(|c| a.0[c].abs_diff(b[c])))
            .collect();
        let mean = off.iter().map(|v| f64::from(*v)).sum::<f64>() / off.len() as f64;
        assert!(mean < 3.0, "{mean}");
        let labels = Reader::open(&labels_path(&path));
        let tile = labels.inflated(&labels.directories()[0], 0);
        let first = LevelRegion {
            x: 0,
            y: 0,
            width: 256,
            height: 256,
        };
        assert_eq!(tile, source.label_region(0, first).unwrap());
    }

    #[test]
    fn a_stopped_export_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (source, path) = (small(), folder.path().join("demo.tif"));
        for stop_at in [0, 20, 65, 78] {
            let stopped =
                write_pyramid(&source, &path, &ExportOptions::default(), &mut |done, _| {
                    if done >= stop_at {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                });
            assert!(stopped.is_err_and(|error| error.to_string().contains("demo.tif: stopped")));
            assert!(files(folder.path()).is_empty());
        }
    }

    #[test]
    fn without_labels_there_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let options = ExportOptions {
            labels: false,
            jpeg_quality: 60,
            tile_px: 512,
        };
        let exported = write_pyramid(
            &small(),
            &folder.path().join("demo.tif"),
            &options,
            &mut |_, _| ControlFlow::Continue(()),
        )
        .unwrap();
        assert_eq!((exported.labels, exported.labels_bytes), (None, 0));
        assert_eq!(files(folder.path()), ["demo.tif"]);
    }
}
