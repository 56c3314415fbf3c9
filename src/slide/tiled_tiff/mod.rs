//! Writes tiled pyramidal TIFF files: slides, class maps, probability maps.
//!
//! One directory a level, coarser ones marked as reduced, as OpenSlide's reader of generic tiled
//! TIFF wants them. The `tiff` crate's encoder writes strips only: neither tiles nor JPEG streams,
//! and a region of a slide in strips costs whole rows of it. The container itself is little: a
//! header, the tiles, and directories whose offsets are known once the last tile is written.
//!
//! Tiles may come in any order, of any level. A file appears under its name only when it is whole.

mod directory;
mod encode;
#[cfg(test)]
pub(crate) mod read_back;
mod strips;
#[cfg(test)]
mod tests;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub use directory::Container;
use directory::{ALIGNMENT_BYTES, LevelDirectory};
pub use encode::{Chroma, PixelKind, encode_tile};
pub use strips::StripPyramid;

use crate::geometry::Mpp;

/// Tile sides are multiples of this, as the format demands, px.
const TILE_STEP_PX: u32 = 16;

/// The largest tile side, px: a JPEG stream and memory both end somewhere.
const MAX_TILE_PX: u32 = 4096;

/// Beyond this a classic file's 4 GiB might not do, bytes.
const CLASSIC_LIMIT_BYTES: u64 = 3_900_000_000;

/// A file that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum TiffError {
    /// The file system refused.
    #[error("{}: can't be written: {source}", path.display())]
    Write {
        /// The file that was to appear.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The layout, or a tile, does not fit the format.
    #[error("{}: can't be written: {reason}", path.display())]
    Layout {
        /// The file that was to appear.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

/// One level of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiffLevel {
    /// Width and height, px of this level.
    pub size_px: (u32, u32),
    /// Microns per px of this level; without it the file states no resolution.
    pub mpp: Option<Mpp>,
}

/// What a file consists of, apart from its tiles.
#[derive(Debug, Clone)]
pub struct TiffLayout {
    /// What a pixel is.
    pub pixels: PixelKind,
    /// Side of the square tiles, px; a multiple of 16.
    pub tile_px: u32,
    /// The finest level first.
    pub levels: Vec<TiffLevel>,
    /// Free text, stored with the first level.
    pub description: String,
    /// Width of the offsets in the file.
    pub container: Container,
}

impl TiffLayout {
    /// A layout whose container is `Big` where uncompressed tiles would come near 4 GiB: few
    /// files do compressed, but none must end in the middle.
    pub fn new(pixels: PixelKind, tile_px: u32, levels: Vec<TiffLevel>) -> Self {
        let mut layout = Self {
            pixels,
            tile_px,
            levels,
            description: String::new(),
            container: Container::Classic,
        };
        if layout.uncompressed_bytes() > CLASSIC_LIMIT_BYTES {
            layout.container = Container::Big;
        }
        layout
    }

    /// Columns and rows of tiles of level `level`; none where there is no such level.
    pub fn tiles(&self, level: usize) -> (u32, u32) {
        let (width, height) = self.levels.get(level).map_or((0, 0), |level| level.size_px);
        let side = self.tile_px.max(1);
        (width.div_ceil(side), height.div_ceil(side))
    }

    /// Number of tiles of all levels.
    pub fn tile_count(&self) -> u64 {
        (0..self.levels.len())
            .map(|level| self.tile_count_of(level))
            .sum()
    }

    fn tile_count_of(&self, level: usize) -> u64 {
        let (columns, rows) = self.tiles(level);
        u64::from(columns) * u64::from(rows)
    }

    fn uncompressed_bytes(&self) -> u64 {
        let side = u64::from(self.tile_px);
        let tile_bytes = side.saturating_mul(side) * self.pixels.px_bytes() as u64;
        self.tile_count().saturating_mul(tile_bytes)
    }

    fn check(&self) -> Result<(), String> {
        let side = self.tile_px;
        if side == 0 || !side.is_multiple_of(TILE_STEP_PX) || side > MAX_TILE_PX {
            return Err(format!(
                "tiles of {side} px, not a multiple of {TILE_STEP_PX} up to {MAX_TILE_PX}"
            ));
        }
        let empty = |level: &TiffLevel| level.size_px.0 == 0 || level.size_px.1 == 0;
        if self.levels.is_empty() || self.levels.iter().any(empty) {
            return Err("a picture without pixels".to_owned());
        }
        self.pixels.check()
    }
}

/// Where a tile's bytes lie in the file.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    bytes: u64,
}

/// A file being written, under a temporary name that goes away unless the file is finished.
#[derive(Debug)]
pub struct TiledTiff {
    layout: TiffLayout,
    path: PathBuf,
    file: NamedTempFile,
    end_bytes: u64,
    /// A span for every tile written, rows of tiles from the top, for every level.
    spans: Vec<Vec<Option<Span>>>,
}

impl TiledTiff {
    /// Starts a file that will be called `path`; what is there stays until [`FinishedTiff::keep`].
    ///
    /// # Errors
    /// When the layout does not fit the format, `path` is a folder or its folder can't be written.
    pub fn create(path: &Path, layout: TiffLayout) -> Result<Self, TiffError> {
        let refuse = |reason| TiffError::Layout {
            path: path.to_owned(),
            reason,
        };
        layout.check().map_err(refuse)?;
        if path.is_dir() || path.file_name().is_none() {
            return Err(refuse("that is a folder".to_owned()));
        }
        let file = file_beside(path).map_err(|source| failed(path, source))?;
        let count = |level| usize::try_from(layout.tile_count_of(level)).unwrap_or(usize::MAX);
        let spans = (0..layout.levels.len())
            .map(|level| vec![None; count(level)])
            .collect();
        let mut tiff = Self {
            path: path.to_owned(),
            file,
            end_bytes: 0,
            spans,
            layout,
        };
        tiff.append(&tiff.layout.container.header(0))?;
        Ok(tiff)
    }

    /// What the file consists of.
    pub fn layout(&self) -> &TiffLayout {
        &self.layout
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores a tile that [`encode_tile`] made, which several threads may do for one file. A tile
    /// that is written twice is its last version.
    ///
    /// # Errors
    /// When there is no such tile, the disk is full, or a classic file would pass 4 GiB.
    pub fn write_tile(
        &mut self,
        level: usize,
        tile: (u32, u32),
        bytes: &[u8],
    ) -> Result<(), TiffError> {
        let (columns, rows) = self.layout.tiles(level);
        if tile.0 >= columns || tile.1 >= rows {
            return Err(self.refusal(format!("there is no tile {tile:?} in level {level}")));
        }
        let start = self.append(bytes)?;
        let index = tile.1 as usize * columns as usize + tile.0 as usize;
        if let Some(span) = self
            .spans
            .get_mut(level)
            .and_then(|spans| spans.get_mut(index))
        {
            *span = Some(Span {
                start,
                bytes: bytes.len() as u64,
            });
        }
        Ok(())
    }

    /// Writes the directories and hands everything to the disk; the file has no name of its own yet.
    ///
    /// # Errors
    /// When a tile is missing, the disk is full, or a classic file would pass 4 GiB.
    pub fn finish(mut self) -> Result<FinishedTiff, TiffError> {
        let first = self.align()?;
        for level in 0..self.layout.levels.len() {
            let directory = self.directory(level)?;
            let at = self.align()?;
            let last = level + 1 == self.layout.levels.len();
            self.append(&directory.to_bytes(self.layout.container, at, last))?;
        }
        let header = self.layout.container.header(first);
        let file = self.file.as_file_mut();
        let written = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&header))
            .and_then(|()| file.sync_all());
        written.map_err(|source| failed(&self.path, source))?;
        Ok(FinishedTiff {
            path: self.path,
            file: self.file,
            bytes: self.end_bytes,
        })
    }

    fn directory(&self, level: usize) -> Result<LevelDirectory, TiffError> {
        let spans: Option<Vec<Span>> = self.spans[level].iter().copied().collect();
        let spans =
            spans.ok_or_else(|| self.refusal(format!("tiles of level {level} are missing")))?;
        Ok(LevelDirectory::new(&self.layout, level, &spans))
    }

    fn align(&mut self) -> Result<u64, TiffError> {
        let padding = self.end_bytes.next_multiple_of(ALIGNMENT_BYTES) - self.end_bytes;
        self.append(&[0; ALIGNMENT_BYTES as usize][..padding as usize])?;
        Ok(self.end_bytes)
    }

    /// Where `bytes` start in the file.
    fn append(&mut self, bytes: &[u8]) -> Result<u64, TiffError> {
        let (start, end) = (self.end_bytes, self.end_bytes + bytes.len() as u64);
        if self.layout.container == Container::Classic && end > u64::from(u32::MAX) {
            return Err(self.refusal("a classic TIFF ends at 4 GiB".to_owned()));
        }
        let written = self.file.as_file_mut().write_all(bytes);
        written.map_err(|source| failed(&self.path, source))?;
        self.end_bytes = end;
        Ok(start)
    }

    fn refusal(&self, reason: String) -> TiffError {
        TiffError::Layout {
            path: self.path.clone(),
            reason,
        }
    }
}

/// A whole file that has no name of its own yet: dropping it removes it.
#[derive(Debug)]
pub struct FinishedTiff {
    path: PathBuf,
    file: NamedTempFile,
    bytes: u64,
}

impl FinishedTiff {
    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file, bytes.
    pub fn len_bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives the file its name, in place of what is there.
    ///
    /// # Errors
    /// When it can't be renamed; what is there stays.
    pub fn keep(self) -> Result<PathBuf, TiffError> {
        let kept = self.file.persist(&self.path);
        kept.map_err(|refused| failed(&self.path, refused.error))?;
        sync_folder(&self.path);
        Ok(self.path)
    }
}

fn failed(path: &Path, source: std::io::Error) -> TiffError {
    TiffError::Write {
        path: path.to_owned(),
        source,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn file_beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".parfocal-").suffix(".part");
    // The usual permissions, of which the umask takes its part: results are no secrets.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// Makes a rename survive a power cut. Some file systems can't; the file is whole all the same.
fn sync_folder(path: &Path) {
    let synced = std::fs::File::open(folder_of(path)).and_then(|folder| folder.sync_all());
    if let Err(error) = synced {
        tracing::debug!(%error, "the folder was not synced");
    }
}
