//! Slides and models for tests: painted by a rule, and classified by colour with an error that
//! grows towards tile borders.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ModelError, RgbTile, Settings, TileModel};
use crate::geometry::{LevelRegion, Mpp};
use crate::labels::LabelClass;
use crate::model::ReadyModel;
use crate::model::dfa::ClassBias;
use crate::model::dfa::weights::{ClassLabel, DecoderCard};
use crate::model::test_model::little_predictor;
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::tiled_tiff::read_back::{Reader, u32_of};
use crate::slide::{LevelInfo, Rgba, ScaleOrigin, SlideError, SlideHash, SlideInfo, SlideSource};

/// A slide of one level whose px have the colour that a rule gives them.
pub struct Painted<F: Fn(u32, u32) -> [u8; 3] + Send + Sync> {
    info: SlideInfo,
    colour: F,
    /// Px that were read, all regions together.
    pub px_read: AtomicU64,
    /// Small regions left of this fail.
    pub failing_left_of: i64,
}

impl<F: Fn(u32, u32) -> [u8; 3] + Send + Sync> Painted<F> {
    pub fn new(width: u32, height: u32, mpp: Option<f64>, colour: F) -> Self {
        let phantom = PhantomSource::new(PhantomSpec::preset(Tissue::Brain, 1)).unwrap();
        let mut info = phantom.info().clone();
        info.name = "painted".into();
        info.hash = SlideHash(format!("painted:{width}x{height}"));
        info.mpp = mpp.and_then(Mpp::square);
        info.scale_origin = ScaleOrigin::Mpp;
        info.bounds = None;
        info.levels = vec![LevelInfo {
            size_px: (width.into(), height.into()),
            scale: (1.0, 1.0),
            native_tile_px: None,
        }];
        Self {
            info,
            colour,
            px_read: AtomicU64::new(0),
            failing_left_of: i64::MIN,
        }
    }
}

impl<F: Fn(u32, u32) -> [u8; 3] + Send + Sync> SlideSource for Painted<F> {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        // Overviews begin at the slide's origin and always succeed.
        if region.x < self.failing_left_of && region.x != 0 {
            return Err(SlideError::Region {
                slide: "painted".into(),
                level,
                x: region.x,
                y: region.y,
                reason: "as told".into(),
            });
        }
        self.px_read.fetch_add(region.area_px(), Ordering::Relaxed);
        let (width, height) = self.info.levels[0].size_px;
        let mut out = Rgba::transparent(region.width, region.height);
        for (index, pixel) in out.data.chunks_exact_mut(4).enumerate() {
            let x = region.x + (index % region.width as usize) as i64;
            let y = region.y + (index / region.width as usize) as i64;
            if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                let [r, g, b] = (self.colour)(x as u32, y as u32);
                pixel.copy_from_slice(&[r, g, b, 255]);
            }
        }
        Ok(out)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        Err(SlideError::Associated {
            slide: "painted".into(),
            name: name.into(),
            reason: "there is none".into(),
        })
    }
}

/// Scores fall with the distance from a class's colour. `drift` is added to the first class at a
/// tile's right border, taken off at its left, in proportion between, and so from top to bottom:
/// neighbours differ by twice as much where they meet.
pub struct ColourModel {
    pub tile_px: u32,
    pub classes: Vec<LabelClass>,
    pub drift: f32,
    /// Tiles that were seen.
    pub seen: u64,
    /// Fails on the tile of this number.
    pub fails_at: Option<u64>,
}

pub const COLOURS: [[u8; 3]; 3] = [[200, 60, 60], [60, 200, 60], [60, 60, 200]];

impl ColourModel {
    pub fn new(tile_px: u32, drift: f32) -> Self {
        let names = ["red", "green", "blue"];
        let class = |(name, rgb): (&str, [u8; 3])| LabelClass {
            name: name.into(),
            rgb,
        };
        let classes = names.into_iter().zip(COLOURS).map(class).collect();
        Self {
            tile_px,
            classes,
            drift,
            seen: 0,
            fails_at: None,
        }
    }

    fn scores(&self, tile: &RgbTile) -> Vec<f32> {
        let side = self.tile_px as usize;
        let place = |at: usize| (at as f32 + 0.5) / side as f32 * 2.0 - 1.0;
        let mut scores = Vec::new();
        for (index, class) in self.classes.iter().enumerate() {
            for (at, px) in tile.rgb.chunks_exact(3).enumerate() {
                let off = px
                    .iter()
                    .zip(class.rgb)
                    .map(|(a, b)| f32::from(a.abs_diff(b)));
                let score = -off.map(|v| v * v).sum::<f32>() / 4000.0;
                let drift = self.drift * (place(at % side) + place(at / side)) / 2.0;
                scores.push(if index == 0 { score + drift } else { score });
            }
        }
        scores
    }
}

impl TileModel for ColourModel {
    fn tile_px(&self) -> u32 {
        self.tile_px
    }

    fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    fn predict(&mut self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
        let scores = tiles.iter().map(|tile| self.scores(tile)).collect();
        self.seen += tiles.len() as u64;
        match self.fails_at {
            Some(at) if self.seen > at => Err(ModelError {
                reason: "as told".into(),
            }),
            _ => Ok(scores),
        }
    }
}

pub const GLASS: [u8; 3] = [243, 242, 244];

pub const TILE_PX: u32 = 48;

/// 0.25 µm/px: red with blue discs on the left, green on the right, glass around and in a gap.
pub fn pattern(x: u32, y: u32) -> [u8; 3] {
    let glass = !(64..1500).contains(&x) || !(32..640).contains(&y) || (704..1120).contains(&x);
    let disc = (x % 90).abs_diff(45).pow(2) + (y % 70).abs_diff(35).pow(2) < 400;
    match (glass, disc, x < 800) {
        (true, ..) => GLASS,
        (_, true, true) => COLOURS[2],
        (_, _, true) => COLOURS[0],
        _ => COLOURS[1],
    }
}

pub fn slide() -> impl SlideSource {
    Painted::new(1601, 803, Some(0.25), pattern)
}

pub fn settings() -> Settings {
    let mut settings = Settings::new(0.5, TILE_PX, "model-hash");
    settings.fill_um = 16.0;
    settings.grid.halo_px = 8;
    settings.grid.blend_px = 6;
    settings
}

pub fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All codes of a level of a file of ours.
pub fn codes(path: &Path, level: usize) -> (u32, Vec<u8>) {
    let reader = Reader::open(path);
    let directory = &reader.directories()[level];
    let (width, height) = (u32_of(directory, 256), u32_of(directory, 257));
    let side = u32_of(directory, 322);
    let mut codes = vec![0; (width * height) as usize];
    for n in 0..width.div_ceil(side) * height.div_ceil(side) {
        let (left, top) = (
            n % width.div_ceil(side) * side,
            n / width.div_ceil(side) * side,
        );
        let tile = reader.inflated(directory, n as usize);
        for y in top..height.min(top + side) {
            for x in left..width.min(left + side) {
                codes[(y * width + x) as usize] = tile[((y - top) * side + x - left) as usize];
            }
        }
    }
    (width, codes)
}

/// An untrained network of three classes that takes tiles of 64 px.
pub fn little_model() -> ReadyModel {
    let names = ["one", "two", "three"].map(str::to_owned);
    let bias = ClassBias::new(&names, &[0.3, -0.1, -0.2]).unwrap();
    let label = |(code, name): (u16, &String)| ClassLabel {
        name: name.clone(),
        code,
        colour: [code as u8 * 90, 10, 20],
    };
    ReadyModel {
        predictor: little_predictor([0.3, -0.1, -0.2], [0.0; 3]).unwrap(),
        card: DecoderCard {
            classes: (0..).zip(&names).map(label).collect(),
            bias: bias.clone(),
            encoder_sha256: "e".repeat(64),
            tile_px: 64,
            mpp: [0.25, 2.0],
            program: DecoderCard::this_program(),
            notes: BTreeMap::new(),
        },
        bias,
        decoder_sha256: "d".repeat(64),
    }
}
