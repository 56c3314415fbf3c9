//! Codes out of a TIFF file: tiled or in strips, 8 or 16 bits, grey or with a palette.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tiff::TiffError;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::code_as_grey::CodeAsGrey;
use super::error::LabelError;
use crate::geometry::Mpp;
use crate::slide::image_file::MAX_IMAGE_PX;

/// The largest tile side, px.
const MAX_TILE_PX: u32 = 4096;

/// What the decoder may allocate for a tile or strip, bytes.
const MAX_CHUNK_BYTES: usize = 2 * MAX_IMAGE_PX as usize;

/// The most directories that are looked at: a pyramid has a dozen.
const MAX_DIRECTORIES: usize = 32;

const UNIT_CENTIMETRE: u32 = 3;
const UM_PER_CM: f64 = 10_000.0;

type Grey = Decoder<CodeAsGrey<BufReader<File>>>;

/// What a file says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct TiffHead {
    /// Free text.
    pub description: String,
    /// Colours of the codes.
    pub palette: Vec<[u8; 3]>,
    /// µm per px, where it is stated per centimetre.
    pub mpp: Option<Mpp>,
}

/// A tile or strip of a level, as far as it lies within it.
pub(super) struct Piece {
    /// Column of the level at which it begins.
    pub left: u32,
    /// Row of the level at which it begins.
    pub top: u32,
    /// Its width, px.
    pub width: u32,
    /// Rows from the top.
    pub codes: Vec<u16>,
}

impl Piece {
    /// The parts of its rows in columns `x` and rows `y`, with the row and column that each
    /// begins at.
    pub fn within(
        &self,
        x: &Range<u32>,
        y: &Range<u32>,
    ) -> impl Iterator<Item = (u32, u32, &[u16])> {
        let (from, to) = (self.left.max(x.start), (self.left + self.width).min(x.end));
        let part = (from - self.left) as usize..(to - self.left) as usize;
        let rows = (self.top..).zip(self.codes.chunks_exact(self.width as usize));
        let rows = rows.skip_while(|(row, _)| *row < y.start);
        rows.take_while(|(row, _)| *row < y.end)
            .map(move |(row, codes)| (row, from, &codes[part.clone()]))
    }
}

/// A file that is open.
pub(super) struct TiffCodes {
    path: PathBuf,
    pub head: TiffHead,
    /// Finest level first.
    levels: Vec<Level>,
}

struct Level {
    size_px: (u32, u32),
    tile_px: (u32, u32),
    tiled: bool,
    decoder: Mutex<Grey>,
}

impl TiffCodes {
    /// Opens the file and reads its directories.
    pub fn open(path: &Path) -> Result<Self, LabelError> {
        guarded(path, || {
            let (head, offsets) = survey(path)?;
            let mut levels = Vec::new();
            for index in 0..offsets.len() {
                match Level::open(path, &offsets, index) {
                    Ok(level) if index == 0 || level.halves(levels.last()) => levels.push(level),
                    // What is no coarser level of the first picture is none of ours.
                    Ok(_) => break,
                    Err(error) if index == 0 => return Err(error),
                    Err(_) => break,
                }
            }
            let path = path.to_owned();
            Ok(Self { path, head, levels })
        })
    }

    /// Width and height, px, of the picture and of the coarser ones in the file that follow it,
    /// each half the one before, rounded up.
    pub fn sizes_px(&self) -> Vec<(u32, u32)> {
        self.levels.iter().map(|level| level.size_px).collect()
    }

    /// Whether the picture is cut into tiles, so that a part is cheap to read.
    pub fn is_tiled(&self) -> bool {
        self.levels.first().is_some_and(|level| level.tiled)
    }

    /// Calls `take` with pieces of a level that cover its columns `x` and rows `y`.
    pub fn read(
        &self,
        level: usize,
        x: &Range<u32>,
        y: &Range<u32>,
        take: &mut dyn FnMut(Piece),
    ) -> Result<(), LabelError> {
        let Some(level) = self.levels.get(level) else {
            return Err(LabelError::new(&self.path, "there is no such level"));
        };
        guarded(&self.path, || {
            level
                .read(x, y, take)
                .map_err(|reason| LabelError::new(&self.path, reason))
        })
    }
}

impl Level {
    fn open(path: &Path, directories: &[u64], index: usize) -> Result<Self, LabelError> {
        let wrong = |error: TiffError| LabelError::new(path, words(&error));
        let file = File::open(path).map_err(|error| LabelError::new(path, error))?;
        let file = CodeAsGrey::new(BufReader::new(file), directories);
        let file = file.map_err(|error| wrong(error.into()))?;
        let mut decoder = Decoder::new(file).map_err(wrong)?.with_limits(limits());
        decoder.seek_to_image(index).map_err(wrong)?;
        let level = Self {
            size_px: decoder.dimensions().map_err(wrong)?,
            tile_px: decoder.chunk_dimensions(),
            tiled: decoder.get_chunk_type() == ChunkType::Tile,
            decoder: Mutex::new(decoder),
        };
        level
            .check()
            .map_err(|reason| LabelError::new(path, reason))?;
        Ok(level)
    }

    fn check(&self) -> Result<(), String> {
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = decoder.colortype().map_err(|error| words(&error))?;
        if !matches!(kind, tiff::ColorType::Gray(8 | 16)) {
            return Err(format!(
                "its px are {kind:?}, not codes of 8 or 16 bits: a label map has one number a px"
            ));
        }
        let (width, height) = self.size_px;
        if !self.tiled && u64::from(width) * u64::from(height) > MAX_IMAGE_PX {
            return Err(format!(
                "{width} x {height} px are more than the {MAX_IMAGE_PX} px that a mask without \
                 tiles may have; convert it to a tiled TIFF"
            ));
        }
        if self.tiled && self.tile_px.0.max(self.tile_px.1) > MAX_TILE_PX {
            let (width, height) = self.tile_px;
            return Err(format!("its tiles of {width} x {height} px are too large"));
        }
        Ok(())
    }

    fn halves(&self, finer: Option<&Self>) -> bool {
        let half = |px: u32| px.div_ceil(2);
        finer.is_some_and(|finer| {
            let (width, height) = finer.size_px;
            self.tiled && self.size_px == (half(width), half(height))
        })
    }

    fn read(
        &self,
        x: &Range<u32>,
        y: &Range<u32>,
        take: &mut dyn FnMut(Piece),
    ) -> Result<(), String> {
        let (width, height) = self.tile_px;
        let across = self.size_px.0.div_ceil(width);
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        for row in y.start / height..y.end.div_ceil(height) {
            for column in x.start / width..x.end.div_ceil(width) {
                let index = row * across + column;
                let codes = decoder.read_chunk(index).map_err(|error| words(&error))?;
                let codes = match codes {
                    DecodingResult::U8(codes) => codes.into_iter().map(u16::from).collect(),
                    DecodingResult::U16(codes) => codes,
                    _ => return Err("its px are no whole numbers from 0 on".to_owned()),
                };
                take(Piece {
                    left: column * width,
                    top: row * height,
                    width: (self.size_px.0 - column * width).min(width),
                    codes,
                });
            }
        }
        Ok(())
    }
}

/// What the first directory says, and where all of them begin.
fn survey(path: &Path) -> Result<(TiffHead, Vec<u64>), LabelError> {
    let wrong = |error: TiffError| LabelError::new(path, words(&error));
    let file = File::open(path).map_err(|error| LabelError::new(path, error))?;
    let decoder = Decoder::new(BufReader::new(file)).map_err(wrong)?;
    let mut decoder = decoder.with_limits(limits());
    let head = head(&mut decoder);
    let mut offsets: Vec<u64> = decoder.ifd_pointer().iter().map(|at| at.0).collect();
    while decoder.more_images() && offsets.len() < MAX_DIRECTORIES {
        // A damaged directory ends the list, the picture before it may be fine.
        if decoder.next_image().is_err() {
            break;
        }
        offsets.extend(decoder.ifd_pointer().iter().map(|at| at.0));
    }
    Ok((head, offsets))
}

/// Trimmings: a file with damaged ones is still worth showing.
fn head(decoder: &mut Decoder<BufReader<File>>) -> TiffHead {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).unwrap_or_default();
    let channel = map.len() / 3;
    let eight = |value: u16| (value >> 8) as u8;
    let rgb = |code: usize| [0, 1, 2].map(|c| eight(map[c * channel + code]));
    TiffHead {
        description: decoder
            .get_tag_ascii_string(Tag::ImageDescription)
            .unwrap_or_default(),
        palette: (0..channel).map(rgb).collect(),
        mpp: mpp(decoder),
    }
}

fn mpp(decoder: &mut Decoder<BufReader<File>>) -> Option<Mpp> {
    if decoder.get_tag_u32(Tag::ResolutionUnit).ok()? != UNIT_CENTIMETRE {
        return None;
    }
    let mut per_cm = |tag: Tag| {
        let parts = decoder.get_tag_u32_vec(tag).ok()?;
        let [numerator, denominator] = parts.as_slice() else {
            return None;
        };
        Some(f64::from(*numerator) / f64::from(*denominator))
    };
    let (x, y) = (per_cm(Tag::XResolution)?, per_cm(Tag::YResolution)?);
    Mpp::new(UM_PER_CM / x, UM_PER_CM / y)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_CHUNK_BYTES;
    limits.intermediate_buffer_size = MAX_CHUNK_BYTES;
    limits
}

fn words(error: &TiffError) -> String {
    match error {
        TiffError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file ends too early: it is cut off or damaged".to_owned()
        }
        TiffError::LimitsExceeded => "decoding it takes more memory than allowed".to_owned(),
        other => other.to_string(),
    }
}

/// Decoders are written by others and fed with anything: a panic in one is an error here.
pub(super) fn guarded<T>(
    path: &Path,
    job: impl FnOnce() -> Result<T, LabelError>,
) -> Result<T, LabelError> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(LabelError::new(path, "the decoder failed on it")))
}
