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
    codes: Codes,
    coarser: Coarser,
}

enum Codes {
    /// All px, as in pages, rows from the top.
    Memory(Vec<u8>),
    /// Tiles that are read when asked for; `ours`: with coarser levels by this program.
    Tiles {
        file: TiffCodes,
        to_page: Vec<u8>,
        ours: bool,
    },
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
        let table = content.table(path, table, most(&png.codes));
        let to_page = table.look_up();
        let codes = png.codes.iter().map(|code| to_page[usize::from(*code)]);
        let codes = Codes::Memory(codes.collect());
        Self::placed(path, slide, content, table, codes)
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
        if file.is_tiled() {
            let ours = content.description.is_ours();
            let table = content.table(path, table, usize::from(FAILED));
            let to_page = table.look_up();
            let codes = Codes::Tiles {
                file,
                to_page,
                ours,
            };
            return Self::placed(path, slide, content, table, codes);
        }
        let codes = all_codes(&file, content.size_px)?;
        let table = content.table(path, table, most(&codes));
        let to_page = table.look_up();
        let codes = codes.iter().map(|code| to_page[usize::from(*code)]);
        Self::placed(path, slide, content, table, Codes::Memory(codes.collect()))
    }

    fn placed(
        path: &Path,
        slide: &SlideInfo,
        content: Content,
        table: ClassTable,
        codes: Codes,
    ) -> Result<Self, LabelError> {
        let raster = place(content.size_px, content.mpp, slide)
            .map_err(|reason| LabelError::new(path, reason))?;
        let classes = table.classes().to_vec();
        let ranks = Ranks::by_rarity(&codes.shares(classes.len()));
        Ok(Self {
            path: path.to_owned(),
            raster,
            classes,
            description: content.description,
            codes,
            coarser: Coarser::new(raster, ranks),
        })
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
        match &self.codes {
            Codes::Tiles {
                file, ours: true, ..
            } => {
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
        match &self.codes {
            Codes::Memory(codes) => y.clone().for_each(|row| {
                let at = row as usize * size_px.0 as usize;
                let run = &codes[at + x.start as usize..at + x.end as usize];
                put(x.start, row, &mut run.iter().copied());
            }),
            Codes::Tiles { file, to_page, .. } => {
                file.read(id.level.into(), &x, &y, &mut |piece| {
                    for (row, left, run) in piece.within(&x, &y) {
                        put(
                            left,
                            row,
                            &mut run.iter().map(|code| to_page[usize::from(*code)]),
                        );
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

    /// The classes; `count`: as many as there are if nobody names them.
    fn table(&self, path: &Path, given: Option<&ClassTable>, count: usize) -> ClassTable {
        let named = given.cloned().or_else(|| self.described.clone());
        named
            .or_else(|| ClassTable::load(&path.with_extension("json")).ok())
            .unwrap_or_else(|| ClassTable::numbered(count, &self.palette))
    }
}

impl Codes {
    /// How often each of `classes` is met, as far as that is quickly known.
    fn shares(&self, classes: usize) -> Vec<f64> {
        let mut shares = vec![0.0; classes];
        let mut count = |code: u8| {
            if let Some(share) = shares.get_mut(usize::from(code)) {
                *share += 1.0;
            }
        };
        match self {
            Self::Memory(codes) => codes.iter().for_each(|code| count(*code)),
            Self::Tiles {
                file,
                to_page,
                ours: true,
            } => {
                let sizes = file.sizes_px();
                let level = sizes.len().saturating_sub(1);
                let (width, height) = sizes.last().copied().unwrap_or_default();
                let mut take = |piece: Piece| {
                    let codes = piece.codes.iter();
                    codes.for_each(|code| count(to_page[usize::from(*code)]));
                };
                // Only the order of rarity hangs on it.
                let _ = file.read(level, &(0..width), &(0..height), &mut take);
            }
            Self::Tiles { .. } => {}
        }
        shares
    }
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
