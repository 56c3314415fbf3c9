//! Slides made for tests, and the one graphics device that draws them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parfocal::geometry::{LevelRegion, ScreenSize, SlidePoint, View};
use parfocal::gpu::offscreen::{Offscreen, Picture};
use parfocal::gpu::{DisplayAdjust, OverlayInput};
use parfocal::slide::{
    LevelInfo, Rgba, ScaleOrigin, SlideError, SlideHash, SlideInfo, SlideSource,
};

/// What is outside the slide in every picture here.
pub const OUTSIDE_RGB: [u8; 3] = [255, 0, 255];

/// A picture with one level, held in memory.
pub struct Made {
    pub info: SlideInfo,
    pub pixels: Rgba,
    /// Regions that begin here can't be read.
    pub broken_at: Vec<(i64, i64)>,
}

impl Made {
    pub fn new(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 4]) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let data = places.flat_map(|(x, y)| colour(x, y)).collect();
        Self {
            info: info(width, height),
            pixels: Rgba {
                width,
                height,
                data,
            },
            broken_at: Vec::new(),
        }
    }
}

impl SlideSource for Made {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        if self.broken_at.contains(&(region.x, region.y)) {
            return Err(SlideError::Region {
                slide: "made".into(),
                level,
                x: region.x,
                y: region.y,
                reason: "as told".into(),
            });
        }
        let mut out = Rgba::transparent(region.width, region.height);
        let places = (0..region.height).flat_map(|y| (0..region.width).map(move |x| (x, y)));
        for ((x, y), to) in places.zip(out.data.chunks_exact_mut(4)) {
            let at = (
                u32::try_from(region.x + i64::from(x)),
                u32::try_from(region.y + i64::from(y)),
            );
            if let (Ok(x), Ok(y)) = at {
                to.copy_from_slice(&self.pixels.pixel(x, y).unwrap_or_default());
            }
        }
        Ok(out)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        let (slide, name) = ("made".into(), name.into());
        let reason = "there is none".into();
        Err(SlideError::Associated {
            slide,
            name,
            reason,
        })
    }
}

fn info(width: u32, height: u32) -> SlideInfo {
    SlideInfo {
        name: "made".into(),
        path: None,
        vendor: "made".into(),
        levels: vec![LevelInfo {
            size_px: (width.into(), height.into()),
            scale: (1.0, 1.0),
            native_tile_px: None,
        }],
        mpp: None,
        scale_origin: ScaleOrigin::Missing,
        objective_power: None,
        bounds: None,
        background_rgb: [255; 3],
        icc_profile: None,
        properties: BTreeMap::new(),
        associated: Vec::new(),
        hash: SlideHash("made".into()),
    }
}

/// A smooth wave that is different along both axes and in every channel.
pub fn wave(x: u32, y: u32) -> [u8; 4] {
    let (x, y) = (f64::from(x), f64::from(y));
    let level = |phase: f64| (128.0 + 110.0 * phase.sin()) as u8;
    [level(x / 41.0), level(y / 37.0), level((x + y) / 53.0), 255]
}

/// Colours that repeat nowhere nearby, so that a shift by a pixel is seen.
pub fn speckle(x: u32, y: u32) -> [u8; 4] {
    let mut h = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h ^= h >> 13;
    [h as u8, (h >> 8) as u8, (h >> 16) as u8, 255]
}

pub fn open(path: &Path) -> Arc<dyn SlideSource> {
    parfocal::slide::open(path).unwrap()
}

/// The view whose top-left corner is at (`left`, `top`), slide px, upright.
pub fn view_at(left: f64, top: f64, (width, height): (u32, u32), slide_px_per_px: f64) -> View {
    let size = ScreenSize::new(width.into(), height.into());
    View {
        center: SlidePoint::new(
            left + size.width / 2.0 * slide_px_per_px,
            top + size.height / 2.0 * slide_px_per_px,
        ),
        slide_px_per_screen_px: slide_px_per_px,
        rotation_rad: 0.0,
        mirrored: false,
        pixel_aspect: 1.0,
        size,
    }
}

/// The slide as it is stored.
pub fn plain() -> DisplayAdjust {
    DisplayAdjust {
        use_profile: false,
        ..DisplayAdjust::default()
    }
}

/// Draws on the one device of this program: opening a device takes long.
pub fn draw(source: &dyn SlideSource, view: &View, display: &DisplayAdjust) -> Picture {
    draw_with(source, view, display, None)
}

/// The same with an overlay on top.
pub fn draw_with(
    source: &dyn SlideSource,
    view: &View,
    display: &DisplayAdjust,
    overlay: Option<&OverlayInput<'_>>,
) -> Picture {
    static DEVICE: OnceLock<Mutex<Offscreen>> = OnceLock::new();
    let open = || Mutex::new(Offscreen::open().expect("run `make setup`, which installs a driver"));
    // A test that failed while drawing leaves nothing that the next drawing would use.
    let device = DEVICE.get_or_init(open).lock();
    let mut device = device.unwrap_or_else(PoisonError::into_inner);
    device
        .draw_with(source, view, display, OUTSIDE_RGB, overlay)
        .unwrap()
}

pub fn rgb(pixels: &Rgba, x: u32, y: u32) -> [u8; 3] {
    let [r, g, b, _] = pixels.pixel(x, y).unwrap();
    [r, g, b]
}

/// The largest difference of any channel of any pixel.
pub fn largest_difference(a: &Rgba, b: &Rgba) -> u8 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let pairs = a.data.iter().zip(&b.data);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// What the slide's own pixels look like from (`left`, `top`) of `level` on: over the background,
/// and `OUTSIDE_RGB` beyond the level.
pub fn expected(
    source: &dyn SlideSource,
    level: usize,
    (left, top): (i64, i64),
    (width, height): (u32, u32),
) -> Rgba {
    let region = LevelRegion {
        x: left,
        y: top,
        width,
        height,
    };
    let mut pixels = source.read_region(level, region).unwrap();
    let size = source.info().levels[level].size_px;
    let background = source.info().background_rgb;
    for (index, pixel) in pixels.data.chunks_exact_mut(4).enumerate() {
        let x = left + (index as u32 % width) as i64;
        let y = top + (index as u32 / width) as i64;
        let inside = (0..size.0 as i64).contains(&x) && (0..size.1 as i64).contains(&y);
        let under = if inside { background } else { OUTSIDE_RGB };
        let shows = 255 - u16::from(pixel[3]);
        for c in 0..3 {
            pixel[c] += ((u16::from(under[c]) * shows + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    pixels
}
