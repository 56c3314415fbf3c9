//! The overlay painted on the graphics card beside the one painted on the processor. A software
//! driver will do.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;

use super::live::{score_store, window_engine_for};
use super::window_model::{SharedScores, WindowPainter, WindowScores};
use crate::geometry::{SlidePoint, SlideRect};
use crate::gpu::device::Headless;
use crate::gpu::tensor_buffer::burn_device;
use crate::labels::{FAILED, LabelClass, NOT_ANALYSED, PageId, Ranks, Texel};
use crate::model::{Predictor, ReadyModel};
use crate::segment::fusion::Fusion;
use crate::segment::live::{
    Analysis, CellPainter, Engine, FieldWish, LayerKey, Limits, LiveModel, SharedLayers, Step, Wish,
};
use crate::segment::test_slide::{Painted, go_on, little_model, pattern};
use crate::segment::{ModelError, Network, RgbTile, segment_in_memory};
use crate::slide::SlideSource;

pub(super) const TILE_PX: u32 = 64;
pub(super) const FILL_UM: f64 = 16.0;
const SLIDE: u64 = 7;

/// Scores that look random, of as many classes as wanted; where they go is for `put` to say.
pub(super) struct Noise<S> {
    classes: Vec<LabelClass>,
    put: Box<dyn Fn(Vec<f32>) -> S>,
}

impl<S> Noise<S> {
    pub(super) fn new(classes: usize, put: Box<dyn Fn(Vec<f32>) -> S>) -> Self {
        let class = |n: usize| LabelClass {
            name: n.to_string(),
            rgb: [n as u8; 3],
        };
        Self {
            classes: (0..classes).map(class).collect(),
            put,
        }
    }

    fn scores(&self, tile: &RgbTile, bias: &[f32]) -> Vec<f32> {
        let px = (TILE_PX * TILE_PX) as usize;
        let seed: u32 = tile.rgb.iter().map(|byte| u32::from(*byte)).sum();
        let score = |n: usize| {
            let mixed = (n as u32 ^ seed).wrapping_mul(2_654_435_761);
            let mixed = (mixed ^ mixed >> 15).wrapping_mul(2_246_822_519);
            (mixed >> 8) as f32 / 1e6 + bias[n / px]
        };
        (0..self.classes.len() * px).map(score).collect()
    }
}

impl<S: crate::segment::live::TileScores> LiveModel for Noise<S> {
    type Features = RgbTile;
    type Scores = S;

    fn tile_px(&self) -> u32 {
        TILE_PX
    }

    fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    fn encode(&mut self, tiles: &[RgbTile]) -> Result<Vec<RgbTile>, ModelError> {
        Ok(tiles.to_vec())
    }

    fn decode(
        &mut self,
        kept: &[&RgbTile],
        bias: &[f32],
        _offsets: &[f32],
    ) -> Result<Vec<S>, ModelError> {
        let scores = kept.iter().map(|tile| self.scores(tile, bias));
        Ok(scores.map(|scores| (self.put)(scores)).collect())
    }

    fn bytes(kept: &RgbTile) -> u64 {
        kept.rgb.len() as u64
    }
}

pub(super) fn slide() -> Arc<dyn SlideSource> {
    let mut slide = Painted::new(900, 420, Some(0.25), pattern);
    slide.failing_left_of = 150;
    Arc::new(slide)
}

pub(super) fn wish(
    slide: &Arc<dyn SlideSource>,
    analysis: Analysis,
    width: f64,
    bias: Vec<f32>,
) -> Wish {
    let corner = |x: f64, y: f64| SlidePoint::new(x, y);
    let seen = SlideRect::new(corner(-50.0, -50.0), corner(width, 800.0));
    let field = FieldWish {
        slide: Arc::clone(slide),
        slide_id: SLIDE,
        analysis,
        center: seen.center(),
        seen,
    };
    Wish {
        fields: vec![field],
        offsets: vec![0.0; bias.len()],
        bias,
        shown_class: None,
    }
}

pub(super) fn finish<M: LiveModel, P: CellPainter<Scores = M::Scores>>(engine: &mut Engine<M, P>) {
    for _ in 0..10_000 {
        if engine.step() == Step::Idle {
            assert_eq!(engine.broken(), None);
            return;
        }
    }
    panic!("it never comes to an end");
}

/// All px of all pages of a map, with their places, and which of their blocks are current.
fn pages(layers: &SharedLayers, analysis: Analysis) -> Vec<(PageId, Vec<Texel>, u64)> {
    let layers = layers.lock();
    let key = LayerKey {
        slide: SLIDE,
        analysis,
    };
    let pyramid = &layers[&key].pyramid;
    let raster = *pyramid.raster();
    let whole = raster.slide_rect(0..raster.size_px.0, 0..raster.size_px.1);
    let ids = (0..=raster.coarsest()).flat_map(|level| raster.pages_in(level, &whole));
    let held = ids.filter_map(|id| {
        let page = pyramid.peek(id)?;
        let current = page.current_blocks(pyramid.stamp());
        Some((id, page.texels().to_vec(), current))
    });
    held.collect()
}

/// Px apart in class, of how many; values may differ by one step.
pub(super) fn apart(layers: [&SharedLayers; 2], analysis: Analysis) -> (usize, usize) {
    let [ours, meant] = layers.map(|layers| pages(layers, analysis));
    assert_eq!(ours.len(), meant.len());
    let (mut apart, mut all) = (0, 0);
    for ((id, ours, current), (of, meant, meant_current)) in ours.iter().zip(&meant) {
        assert_eq!((id, current), (of, meant_current));
        for (ours, meant) in ours.iter().zip(meant) {
            let near = |a: u8, b: u8| a.abs_diff(b) <= 1;
            let is_same = ours.code == meant.code && ours.any == meant.any;
            if is_same && id.level == 0 {
                assert!(near(ours.value, meant.value), "{ours:?} for {meant:?}");
                assert!(near(ours.extra, meant.extra), "{ours:?} for {meant:?}");
            }
            apart += usize::from(!is_same);
            all += 1;
        }
    }
    (apart, all)
}

pub(super) fn fusion() -> Fusion {
    Fusion {
        weight_of_fine: [(0, 0.7)].into(),
        temperature: [(0, 1.3), (2, 0.8)].into(),
    }
}

#[test]
fn the_card_paints_what_the_processor_does() {
    let (gpu, slide) = (Headless::open().unwrap(), slide());
    for (classes, analysis, shown_class) in [
        (2, Analysis::Plain(1), None),
        (9, Analysis::Plain(2), Some(4)),
        (3, Analysis::Fused(0), None),
        (6, Analysis::Fused(1), Some(0)),
        (4, Analysis::Agreement(0), None),
        (3, Analysis::InPlace(0), None),
        (4, Analysis::Alone(1), Some(2)),
    ] {
        let ranks = Ranks::by_rarity(&[3.0, 1.0, 2.0, 0.5, 0.1][..classes.min(5)]);
        let limits = Limits {
            encode_batch: 5,
            ..Limits::default()
        };
        let plain = Noise::new(classes, Box::new(|scores| scores));
        let layers = SharedLayers::default();
        let mut meant = Engine::new(
            plain,
            fusion(),
            ranks.clone(),
            FILL_UM,
            limits,
            layers.clone(),
        );
        let values = classes * (TILE_PX * TILE_PX) as usize;
        let (scores, limits) = score_store(&gpu.shared(), values, limits).unwrap();
        let put = |scores: &SharedScores| {
            let scores = scores.clone();
            Box::new(move |values: Vec<f32>| WindowScores::of(&values, &scores).unwrap())
        };
        let model = Noise::new(classes, put(&scores));
        let painter = WindowPainter::new(&gpu.shared(), classes, scores).unwrap();
        let on_card = SharedLayers::default();
        let shared = on_card.clone();
        let parts = (model, painter);
        let mut ours = Engine::painted_by(parts, fusion(), ranks, FILL_UM, limits, shared);
        let mut bias = vec![0.0; classes];
        // A part first, then all of it with another bias, some of it old.
        for (width, lift) in [(300.0, 1.0), (1000.0, 1.0), (600.0, 2.0)] {
            bias[1] = lift;
            let mut wish = wish(&slide, analysis, width, bias.clone());
            wish.shown_class = shown_class;
            meant.ask(wish.clone());
            ours.ask(wish);
            finish(&mut meant);
            finish(&mut ours);
            for map in analysis.maps() {
                let (apart, all) = apart([&on_card, &layers], map);
                assert!(apart * 20_000 <= all, "{map}, {classes}: {apart} of {all}");
            }
            let (ours, meant) = (ours.status(), meant.status());
            assert_eq!(ours.areas.map(|a| a.known), meant.areas.map(|a| a.known));
        }
        let codes: BTreeSet<u8> = pages(&on_card, analysis)
            .iter()
            .flat_map(|(_, texels, _)| texels.iter().map(|texel| texel.code))
            .collect();
        assert!(codes.contains(&NOT_ANALYSED) && codes.contains(&FAILED));
        let codes_meant = match analysis {
            Analysis::Agreement(_) => 2,
            _ => classes as u8,
        };
        assert!((0..codes_meant).all(|class| codes.contains(&class)));
    }
}

fn on(model: &ReadyModel, device: &Device) -> ReadyModel {
    let here = &model.predictor;
    ReadyModel {
        predictor: Predictor {
            encoder: here.encoder.clone().to_device(device),
            decoder: here.decoder.clone().to_device(device),
            bias: here.bias.clone().to_device(device),
            offsets: here.offsets.clone(),
            device: device.clone(),
        },
        ..model.clone()
    }
}

#[test]
#[ignore = "minutes on a software adapter, which compiles burn's kernels: make test-card"]
fn a_network_on_the_windows_device_shows_what_one_on_the_processor_does() {
    // A process of its own, since how hard burn looks for fast kernels is set by the environment;
    // on a software adapter the search takes minutes.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .env("CUBECL_AUTOTUNE_LEVEL", "minimal")
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("jobs::window_tests::network_on_the_windows_device")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&child.stdout);
    eprintln!("{words}{}", String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && words.contains("1 passed"));
}

#[test]
#[ignore = "run by the test above, in its environment"]
fn network_on_the_windows_device() {
    // Few tiles and one size of batch, since each new one has kernels compiled.
    let painted = Painted::new(200, 160, Some(0.25), pattern);
    let slide: Arc<dyn SlideSource> = Arc::new(painted);
    let (gpu, model) = (Headless::open().unwrap(), little_model());
    let device = burn_device(&gpu.shared()).unwrap();
    let layers = [SharedLayers::default(), SharedLayers::default()];
    let window = gpu.shared();
    let moved = on(&model, &device);
    let limits = Limits {
        encode_batch: 12,
        decode_batch: 12,
        ..Limits::default()
    };
    let engine = window_engine_for(&moved, limits, layers[0].clone(), &window);
    let mut ours = engine.unwrap();
    let mut meant = Engine::new(
        Network::new(&model),
        Fusion::default(),
        Ranks::by_rarity(&[1.0; 3]),
        crate::segment::Settings::of_model(&model, 1.0).fill_um,
        limits,
        layers[1].clone(),
    );
    let analysis = Analysis::Plain(2);
    let settings = crate::segment::Settings::of_model(&model, 1.0);
    let (mut network, pace) = (Network::new(&model), crate::segment::Pace::default());
    let whole = segment_in_memory(slide.as_ref(), &mut network, &settings, pace, &mut go_on);
    let whole = whole.unwrap();
    for lift in [0.0, -3.0] {
        let mut bias = model.bias.total().to_vec();
        bias[0] += lift;
        let wish = wish(&slide, analysis, 400.0, bias);
        ours.ask(wish.clone());
        meant.ask(wish);
        finish(&mut ours);
        finish(&mut meant);
        let (apart, all) = apart([&layers[0], &layers[1]], analysis);
        assert!(apart * 500 <= all, "{apart} of {all}");
        if lift == 0.0 {
            // Pinned, it is what `parfocal segment` writes on the processor, but for rounding.
            let (width, height) = whole.grid.size_px;
            let px = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let found = layers[0].lock();
            let key = LayerKey {
                slide: SLIDE,
                analysis,
            };
            let first = PageId {
                level: 0,
                col: 0,
                row: 0,
            };
            let page = found[&key].pyramid.peek(first).unwrap();
            let code = |(x, y): (u32, u32)| page.texel(x, y).code;
            let apart = px.zip(&whole.codes).filter(|(px, of)| code(*px) != **of);
            let (apart, all) = (apart.count(), whole.codes.len());
            assert!(apart * 500 <= all, "{apart} of {all}");
            assert!((0..3).filter(|class| whole.codes.contains(class)).count() > 1);
        }
    }
    // A device that is lost ends the work with a reason, without a panic.
    gpu.device.destroy();
    let mut bias = model.bias.total().to_vec();
    bias[0] += 9.0;
    ours.ask(wish(&slide, analysis, 900.0, bias));
    let ended = (0..100).find(|_| ours.step() == Step::Idle || ours.broken().is_some());
    assert!(ended.is_some() && ours.broken().is_some());
    let reason = ours.broken().unwrap_or_default();
    assert!(reason.starts_with("the graphics card"), "{reason}");
}
