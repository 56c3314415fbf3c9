//! Label rasters made for tests, and what an overlay of them is to look like.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use parfocal::geometry::{ScreenPoint, SlidePoint, SlideVector, View};
use parfocal::gpu::OverlayStyle;
use parfocal::gpu::overlay::{LayerKey, OverlayLayer, PageStore, texel_at};
use parfocal::labels::{PAGE_PX, Page, PageId, Raster, Texel};
use parfocal::slide::{LevelInfo, Rgba, SlideError, SlideInfo, SlideSource};

use crate::slides::{Made, rgb};

/// A large slide of one colour.
pub struct Blank(SlideInfo);

pub const BLANK_RGB: [u8; 3] = [201, 171, 190];

impl Blank {
    pub fn new(width: u64, height: u64) -> Self {
        let mut info = Made::new(1, 1, |_, _| [0; 4]).info;
        let level = |factor: u64| LevelInfo {
            size_px: (width.div_ceil(factor), height.div_ceil(factor)),
            scale: (factor as f64, factor as f64),
            native_tile_px: None,
        };
        info.levels = [1, 4, 16, 64, 256].map(level).into();
        Self(info)
    }
}

impl SlideSource for Blank {
    fn info(&self) -> &SlideInfo {
        &self.0
    }

    fn read_region(
        &self,
        _level: usize,
        region: parfocal::geometry::LevelRegion,
    ) -> Result<Rgba, SlideError> {
        let [r, g, b] = BLANK_RGB;
        Ok(Rgba {
            width: region.width,
            height: region.height,
            data: [r, g, b, 255].repeat(region.area_px() as usize),
        })
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        Made::new(1, 1, |_, _| [0; 4]).read_associated(name)
    }
}

/// The texel of a level at a column and row.
type Rule = dyn Fn(u8, u32, u32) -> Texel;

/// Pages by formula, made when first asked for; those of other levels than `levels` and those in
/// `missing` are not there.
pub struct ByRule {
    pub levels: Range<u8>,
    pub missing: Vec<PageId>,
    pub current: u64,
    rule: Box<Rule>,
    made: Mutex<HashMap<PageId, Arc<Page>>>,
}

impl ByRule {
    pub fn new(rule: impl Fn(u8, u32, u32) -> Texel + 'static) -> Self {
        Self {
            levels: 0..u8::MAX,
            missing: Vec::new(),
            current: u64::MAX,
            rule: Box::new(rule),
            made: Mutex::default(),
        }
    }

    /// All of one class.
    pub fn plain(code: u8) -> Self {
        Self::new(move |_, _, _| Texel::of(code))
    }

    fn make(&self, id: PageId) -> Arc<Page> {
        let mut page = Page::new(1);
        let (left, top) = (id.col * PAGE_PX, id.row * PAGE_PX);
        for (n, texel) in (0..).zip(page.texels_mut()) {
            *texel = (self.rule)(id.level, left + n % PAGE_PX, top + n / PAGE_PX);
        }
        Arc::new(page)
    }
}

impl PageStore for ByRule {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        let there = self.levels.contains(&id.level) && !self.missing.contains(&id);
        let mut made = self.made.lock().unwrap();
        there.then(|| {
            let page = made.entry(id).or_insert_with(|| self.make(id));
            (Arc::clone(page), self.current)
        })
    }
}

/// A layer whose pages no other test's layer shares.
pub fn layer(raster: Raster, pages: &dyn PageStore) -> OverlayLayer<'_> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    OverlayLayer {
        key: LayerKey(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        raster,
        pages,
        is_provisional: false,
    }
}

/// Eight classes without any order, so that a shift by a px is seen.
pub fn speckled(level: u8, x: u32, y: u32) -> Texel {
    let mut h = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ u32::from(level);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    Texel::of((h >> 13) as u8 & 7)
}

/// The colour of the overlay at a place, where it is opaque and only areas are drawn.
pub fn colour_at(
    layers: &[OverlayLayer<'_>],
    style: &OverlayStyle,
    view: &View,
    at: SlidePoint,
) -> [u8; 3] {
    let seen = texel_at(layers, style.content, at, view.slide_px_per_screen_px);
    let code = seen.map(|seen| seen.texel.code);
    let shown = code.filter(|code| style.shows(*code));
    shown.map_or(BLANK_RGB, |code| {
        let [r, g, b, _] = style.palette[usize::from(code)];
        [r, g, b]
    })
}

/// How far from where it belongs a picture shows anything, level-0 px, up to 0.5; beyond that the
/// first wrong px is the error.
pub fn registration_error_px(
    picture: &Rgba,
    layers: &[OverlayLayer<'_>],
    style: &OverlayStyle,
    view: &View,
) -> Result<f64, String> {
    let mut worst = 0.0_f64;
    for (x, y) in (0..picture.height).flat_map(|y| (0..picture.width).map(move |x| (x, y))) {
        let shown = rgb(picture, x, y);
        let at = view.slide_at(ScreenPoint::new(f64::from(x) + 0.5, f64::from(y) + 0.5));
        let off = [0.0, 0.001, 0.01, 0.1, 0.25, 0.5]
            .into_iter()
            .find(|off| around(at, *off).any(|at| colour_at(layers, style, view, at) == shown));
        let Some(off) = off else {
            return Err(format!("{shown:?} at {x}, {y}, which is {at:?}, {view:?}"));
        };
        worst = worst.max(off);
    }
    Ok(worst)
}

fn around(at: SlidePoint, off: f64) -> impl Iterator<Item = SlidePoint> {
    let steps = [-1.0, 0.0, 1.0];
    let all = steps.into_iter().flat_map(move |x| steps.map(|y| (x, y)));
    all.map(move |(x, y)| at + SlideVector::new(x * off, y * off))
}
