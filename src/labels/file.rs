//! Label maps of this program and of others: TIFF and PNG.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::LabelClass;
use super::class_table::ClassTable;
use super::error::LabelError;
use super::page::{FAILED, Page, Texel};
use super::place::place;
use super::png_codes;
use super::pyramid::Ranks;
use super::raster::{PAGE_PX, PageId, Raster};
use super::source::{Coarser, LabelSource, READ_STAMP, has_page};
use super::tiff_codes::{Piece, TiffCodes};
use crate::geometry::Mpp;
use crate::slide::SlideInfo;

/// From the coarser levels that this program wrote, a page is made from this many levels finer:
/// sixteen tiles, and what is rare there stays visible.
const FINER_LEVELS: u8 = 2;

/// Stated scales coarser than this are a printer's or a camera's, µm/px.
const COARSEST_PLAUSIBLE_MPP: f64 = 20.0;

/// Of a tiled file whose classes nobody names, the coarsest level is looked through for codes where
/// it has no more px than this.
const MOST_SURVEYED_PX: u64 = 1 << 24;

/// What this program writes into a label map's description.
#[derive(Debug, Clone, Default, Deserialize)]
struct Description {
    format: Option<String>,
    slide_hash: Option<String>,
    model_hash: Option<String>,
    mpp: Option<f64>,
    spec_hash: Option<serde_json::Value>,
    classes: Option<serde_json::Value>,
}

impl Description {
    /// Whether this program wrote the file, whose coarser levels are then known.
    fn is_ours(&self) -> bool {
        self.classes.is_some()
            && (self.spec_hash.is_some() || self.format.as_deref() == Some("parfocal.label-map"))
    }
}

/// A label map in a file.
pub struct LabelFile {
    path: PathBuf,
    raster: Raster,
    classes: Vec<LabelClass>,
    description: Description,
    palette: Vec<[u8; 3]>,
    is_named: bool,
    codes: Arc<Codes>,
    /// How often each code is met, as far as that is quickly known.
    counts: Arc<[u64]>,
    /// What each code is in a page.
    to_page: Vec<u8>,
    coarser: Coarser,
}

enum Codes {
    /// All px, rows from the top.
    Memory(Vec<u16>),
    /// Tiles that are read when asked for; `ours`: with coarser levels by this program.
    Tiles { file: TiffCodes, ours: bool },
}

/// What a file holds, before it is known where it lies.
struct Content {
    size_px: (u32, u32),
    mpp: Option<Mpp>,
    palette: Vec<[u8; 3]>,
    description: Description,
    described: Option<ClassTable>,
}

impl LabelFile {
    /// Opens the mask at `path`, a TIFF or PNG, of `slide`.
    ///
    /// It covers the whole slide: by its own scale where both have one, else because the ratios of
    /// the sides agree. Its classes are those of `table`; else those that the file names, as this
    /// program's do; else those of the JSON report of the same name beside it; else `class 0`, …
    /// with the colours of its palette. Code 255 is not analysed unless the table names it; codes
    /// that the classes do not have are shown as failed.
    ///
    /// # Errors
    /// When the file can't be read, is no label map or too large, or does not fit the slide.
    pub fn open(
        path: &Path,
        slide: &SlideInfo,
        table: Option<&ClassTable>,
    ) -> Result<Self, LabelError> {
        let mut first = Vec::new();
        File::open(path)
            .and_then(|file| file.take(8).read_to_end(&mut first))
            .map_err(|error| LabelError::new(path, error))?;
        match first.as_slice() {
            start if start == png_codes::SIGNATURE => Self::open_png(path, slide, table),
            [b'I', b'I', ..] | [b'M', b'M', ..] => Self::open_tiff(path, slide, table),
            _ => Err(LabelError::new(path, "neither a TIFF nor a PNG file")),
        }
    }

    fn open_png(
        path: &Path,
        slide: &SlideInfo,
        table: Option<&ClassTable>,
    ) -> Result<Self, LabelError> {
        let png = png_codes::read(path)?;
        let content = Content {
            size_px: png.size_px,
            mpp: None,
            palette: png.palette,
            description: Description::default(),
            described: None,
        };
        let named = content.named(path, table);
        Self::placed(path, slide, content, named, Codes::Memory(png.codes))
    }

    fn open_tiff(
        path: &Path,
        slide: &SlideInfo,
        table: Option<&ClassTable>,
    ) -> Result<Self, LabelError> {
        let file = TiffCodes::open(path)?;
        let content = Content::of_tiff(&file);
        if content.description.format.as_deref() == Some("parfocal.probability-map") {
            let reason = "a map of probabilities; open the label map beside it";
            return Err(LabelError::new(path, reason));
        }
        let codes = match file.is_tiled() {
            true => Codes::Tiles {
                ours: content.description.is_ours(),
                file,
            },
            false => Codes::Memory(all_codes(&file, content.size_px)?),
        };
        let named = content.named(path, table);
        Self::placed(path, slide, content, named, codes)
    }

    fn placed(
        path: &Path,
        slide: &SlideInfo,
        content: Content,
        named: Option<ClassTable>,
        codes: Codes,
    ) -> Result<Self, LabelError> {
        let raster = place(content.size_px, content.mpp, slide)
            .map_err(|reason| LabelError::new(path, reason))?;
        let is_named = named.is_some();
        let table = named.unwrap_or_else(|| ClassTable::numbered(codes.most(), &content.palette));
        let counts = codes.counts(is_named);
        let to_page = table.look_up();
        let ranks = ranks(&counts, &to_page, table.classes().len());
        Ok(Self {
            path: path.to_owned(),
            raster,
            classes: table.classes().to_vec(),
            description: content.description,
            palette: content.palette,
            is_named,
            codes: Arc::new(codes),
            counts,
            to_page,
            coarser: Coarser::new(raster, ranks),
        })
    }

    /// The same px with other classes, those of `table`. Nothing is read anew.
    pub fn with_table(&self, table: &ClassTable) -> Self {
        let to_page = table.look_up();
        let ranks = ranks(&self.counts, &to_page, table.classes().len());
        Self {
            path: self.path.clone(),
            raster: self.raster,
            classes: table.classes().to_vec(),
            description: self.description.clone(),
            palette: self.palette.clone(),
            is_named: self.is_named,
            codes: Arc::clone(&self.codes),
            counts: Arc::clone(&self.counts),
            to_page,
            coarser: Coarser::new(self.raster, ranks),
        }
    }

    /// Whether the pages of both have the same px; both are of one file.
    pub fn has_pages_of(&self, other: &Self) -> bool {
        self.to_page == other.to_page
    }

    /// Whether a table, the file itself or the report beside it named the classes when it was
    /// opened; else they are numbers.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// The codes that are met, ascending, and whether that is all of them. Of tiled files only the
    /// coarsest level is known, and nothing where that is large.
    pub(super) fn codes_met(&self) -> (Vec<u16>, bool) {
        let met = (0..=u16::MAX)
            .zip(self.counts.iter())
            .filter(|(_, count)| **count > 0);
        let is_all = matches!(*self.codes, Codes::Memory(_));
        (met.map(|(code, _)| code).collect(), is_all)
    }

    /// The colours that the file has for its codes, from code 0 on.
    pub(super) fn palette(&self) -> &[[u8; 3]] {
        &self.palette
    }

    /// Hash of the slide that the map was made of, where the file says so.
    pub fn slide_hash(&self) -> Option<&str> {
        self.description.slide_hash.as_deref()
    }

    /// Hash of the model that made the map, where the file says so.
    pub fn model_hash(&self) -> Option<&str> {
        self.description.model_hash.as_deref()
    }

    /// The level that a page is made from.
    fn base_level(&self, level: u8) -> u8 {
        match &*self.codes {
            Codes::Tiles { file, ours: true } => {
                let coarsest = file.sizes_px().len().saturating_sub(1) as u8;
                level.saturating_sub(FINER_LEVELS).min(coarsest)
            }
            _ => 0,
        }
    }

    /// A page as the file has it.
    fn stored_page(&self, id: PageId) -> Result<Page, LabelError> {
        let size_px = self.raster.level(id.level).size_px;
        let along =
            |n: u32, side: u32| n * PAGE_PX..(n * PAGE_PX).saturating_add(PAGE_PX).min(side);
        let (x, y) = (along(id.col, size_px.0), along(id.row, size_px.1));
        let mut page = Page::new(READ_STAMP);
        let texels = page.texels_mut();
        let mut put = |left: u32, top: u32, codes: &mut dyn Iterator<Item = u8>| {
            let at = ((top - y.start) * PAGE_PX + left - x.start) as usize;
            let places = texels[at..].iter_mut().zip(codes);
            places.for_each(|(texel, code)| *texel = Texel::of(code));
        };
        let to_page = |code: &u16| self.to_page[usize::from(*code)];
        match &*self.codes {
            Codes::Memory(codes) => y.clone().for_each(|row| {
                let at = row as usize * size_px.0 as usize;
                let run = &codes[at + x.start as usize..at + x.end as usize];
                put(x.start, row, &mut run.iter().map(to_page));
            }),
            Codes::Tiles { file, .. } => {
                file.read(id.level.into(), &x, &y, &mut |piece| {
                    for (row, left, run) in piece.within(&x, &y) {
                        put(left, row, &mut run.iter().map(to_page));
                    }
                })?;
            }
        }
        Ok(page)
    }
}

impl LabelSource for LabelFile {
    fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    fn raster(&self) -> Raster {
        self.raster
    }

    fn read_page(&self, id: PageId) -> Result<Arc<Page>, LabelError> {
        if !has_page(&self.raster, id) {
            return Err(LabelError::new(&self.path, "there is no such page"));
        }
        let base = self.base_level(id.level);
        self.coarser.page(id, base, &|id| self.stored_page(id))
    }
}

impl Content {
    fn of_tiff(file: &TiffCodes) -> Self {
        let head = &file.head;
        let description: Description = serde_json::from_str(&head.description).unwrap_or_default();
        let stated = description.mpp.and_then(Mpp::square);
        let plausible = |mpp: &Mpp| description.is_ours() || mpp.mean() < COARSEST_PLAUSIBLE_MPP;
        Self {
            size_px: file.sizes_px().first().copied().unwrap_or_default(),
            // The text has all digits, the tags eight.
            mpp: stated.or(head.mpp.filter(plausible)),
            palette: head.palette.clone(),
            described: ClassTable::from_description(&head.description, &head.palette),
            description,
        }
    }

    /// The classes, where anybody names them.
    fn named(&self, path: &Path, given: Option<&ClassTable>) -> Option<ClassTable> {
        let named = given.cloned().or_else(|| self.described.clone());
        named.or_else(|| ClassTable::load(&path.with_extension("json")).ok())
    }
}

impl Codes {
    /// How many classes there are if nobody names them.
    fn most(&self) -> usize {
        match self {
            Self::Memory(codes) => most(codes),
            Self::Tiles { .. } => usize::from(FAILED),
        }
    }

    /// How often each 16-bit code is met, as far as that is quickly known; of tiles by the coarsest
    /// level. `is_named`: only the order of rarity hangs on it.
    fn counts(&self, is_named: bool) -> Arc<[u64]> {
        let mut counts = vec![0; usize::from(u16::MAX) + 1];
        let mut count = |codes: &[u16]| {
            codes
                .iter()
                .for_each(|code| counts[usize::from(*code)] += 1);
        };
        match self {
            Self::Memory(codes) => count(codes),
            Self::Tiles { file, ours } => {
                let sizes = file.sizes_px();
                let level = sizes.len().saturating_sub(1);
                let (width, height) = sizes.last().copied().unwrap_or_default();
                let is_small = u64::from(width) * u64::from(height) <= MOST_SURVEYED_PX;
                if *ours || !is_named && is_small {
                    let mut take = |piece: Piece| count(&piece.codes);
                    // A torn tile is told when it is looked at.
                    let _ = file.read(level, &(0..width), &(0..height), &mut take);
                }
            }
        }
        counts.into()
    }
}

/// Which of so many classes are rarer, by how often codes are met and what they are in a page.
fn ranks(counts: &[u64], to_page: &[u8], classes: usize) -> Ranks {
    let mut shares = vec![0.0; classes];
    for (count, code) in counts.iter().zip(to_page) {
        if let Some(share) = shares.get_mut(usize::from(*code)) {
            *share += *count as f64;
        }
    }
    Ranks::by_rarity(&shares)
}

/// The codes of a picture in strips, within the limit of px.
fn all_codes(file: &TiffCodes, size_px: (u32, u32)) -> Result<Vec<u16>, LabelError> {
    let mut codes = Vec::new();
    file.read(0, &(0..size_px.0), &(0..size_px.1), &mut |strip| {
        codes.extend(strip.codes);
    })?;
    // Nothing is missing: a strip that is cut short is an error of the decoder's.
    Ok(codes)
}

/// Number of classes that the codes ask for: up to the greatest that names one.
fn most(codes: &[u16]) -> usize {
    let classes = codes.iter().filter(|code| **code < u16::from(FAILED));
    classes.max().map_or(1, |code| usize::from(*code) + 1)
}
