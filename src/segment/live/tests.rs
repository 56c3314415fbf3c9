//! The engine with a network whose scores tell what went into them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::geometry::{Mpp, SlidePoint, SlideRect};
use crate::labels::{
    FAILED, LabelClass, NO_STAMP, NOT_ANALYSED, PAGE_PX, PageId, Ranks, Texel, UNKNOWN,
};
use crate::segment::fusion::Fusion;
use crate::segment::grid::GridSpec;
use crate::segment::model::{ModelError, RgbTile, TileModel};
use crate::segment::test_slide::{ColourModel, Painted, go_on, little_model, pattern};
use crate::segment::{Field, Network, Pace, Settings, segment_in_memory};
use crate::slide::SlideSource;

const TILE_PX: u32 = 32;
const FILL_UM: f64 = 16.0;

/// A bias of the second class beyond this breaks the network.
const BREAKS_AT: f32 = 1e6;

/// Colours, with the bias added to the scores: what attention does to them need not be known here.
pub(super) struct Biased(ColourModel);

impl LiveModel for Biased {
    type Features = RgbTile;
    type Scores = Vec<f32>;

    fn tile_px(&self) -> u32 {
        self.0.tile_px
    }

    fn classes(&self) -> &[LabelClass] {
        &self.0.classes
    }

    fn encode(&mut self, tiles: &[RgbTile]) -> Result<Vec<RgbTile>, ModelError> {
        Ok(tiles.to_vec())
    }

    fn decode(
        &mut self,
        kept: &[&RgbTile],
        bias: &[f32],
        offsets: &[f32],
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let tiles: Vec<RgbTile> = kept.iter().map(|tile| (*tile).clone()).collect();
        if bias[1] > BREAKS_AT {
            let reason = "too much".to_owned();
            return Err(ModelError { reason });
        }
        let mut all = self.0.predict(&tiles)?;
        let px = (self.0.tile_px * self.0.tile_px) as usize;
        for scores in &mut all {
            for (class, plane) in scores.chunks_mut(px).enumerate() {
                plane
                    .iter_mut()
                    .for_each(|score| *score += bias[class] + offsets[class]);
            }
        }
        Ok(all)
    }

    fn bytes(kept: &RgbTile) -> u64 {
        kept.rgb.len() as u64
    }
}

/// The same as one that is asked for whole slides.
struct Fixed(Biased, Vec<f32>);

impl TileModel for Fixed {
    fn tile_px(&self) -> u32 {
        self.0.0.tile_px
    }

    fn classes(&self) -> &[LabelClass] {
        &self.0.0.classes
    }

    fn predict(&mut self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
        let kept: Vec<&RgbTile> = tiles.iter().collect();
        self.0.decode(&kept, &self.1, &[0.0; 3])
    }
}

pub(super) fn biased() -> Biased {
    Biased(ColourModel::new(TILE_PX, 4.0))
}

pub(super) fn small_slide() -> Arc<dyn SlideSource> {
    Arc::new(Painted::new(1601, 803, Some(0.25), pattern))
}

pub(super) fn engine(limits: Limits) -> Engine<Biased> {
    Engine::new(
        biased(),
        Fusion::default(),
        Ranks::by_rarity(&[3.0, 2.0, 1.0]),
        FILL_UM,
        limits,
        SharedLayers::default(),
    )
}

pub(super) fn rect(x: f64, y: f64, width: f64, height: f64) -> SlideRect {
    SlideRect::new(
        SlidePoint::new(x, y),
        SlidePoint::new(x + width, y + height),
    )
}

pub(super) fn wish(
    slide: &Arc<dyn SlideSource>,
    analysis: Analysis,
    seen: SlideRect,
    bias: [f32; 3],
) -> Wish {
    let field = FieldWish {
        slide: Arc::clone(slide),
        slide_id: 7,
        analysis,
        center: seen.center(),
        seen,
    };
    Wish {
        fields: vec![field],
        bias: bias.to_vec(),
        offsets: vec![0.0; 3],
        shown_class: None,
    }
}

pub(super) fn finish<M: LiveModel, P: CellPainter<Scores = M::Scores>>(engine: &mut Engine<M, P>) {
    for _ in 0..100_000 {
        if engine.step() == Step::Idle {
            return;
        }
    }
    panic!("it never comes to an end");
}

/// All px of a map, as one row after the other.
pub(super) fn texels(layers: &SharedLayers, analysis: Analysis) -> Vec<Texel> {
    let layers = layers.lock();
    let pyramid = &layers[&LayerKey { slide: 7, analysis }].pyramid;
    let (width, height) = pyramid.raster().size_px;
    let at = |x: u32, y: u32| {
        let id = PageId {
            level: 0,
            col: x / PAGE_PX,
            row: y / PAGE_PX,
        };
        let page = pyramid.peek(id);
        page.map_or(Texel::UNKNOWN, |page| page.texel(x % PAGE_PX, y % PAGE_PX))
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| at(x, y))
        .collect()
}

pub(super) fn codes(layers: &SharedLayers, analysis: Analysis) -> Vec<u8> {
    texels(layers, analysis)
        .iter()
        .map(|texel| texel.code)
        .collect()
}

/// The whole slide at once, as files are made.
pub(super) fn whole(slide: &Arc<dyn SlideSource>, mpp: f64, bias: [f32; 3]) -> Field {
    let settings = Settings {
        grid: GridSpec::new(mpp, TILE_PX),
        fill_um: FILL_UM,
        ..Settings::new(mpp, TILE_PX, "hash")
    };
    let mut model = Fixed(biased(), bias.to_vec());
    segment_in_memory(
        slide.as_ref(),
        &mut model,
        &settings,
        Pace::default(),
        &mut go_on,
    )
    .unwrap()
}

const EVERYWHERE: (f64, f64, f64, f64) = (-50.0, -50.0, 2000.0, 2000.0);

pub(super) fn everywhere() -> SlideRect {
    let (x, y, width, height) = EVERYWHERE;
    rect(x, y, width, height)
}

#[test]
fn a_pinned_overlay_is_the_slides_label_map() {
    let slide = small_slide();
    for (scale, mpp) in [(1, 0.5), (2, 1.0)] {
        for bias in [[0.0; 3], [9.0, -3.0, 1.0]] {
            let mut engine = engine(Limits::default());
            // Fields on the way must not matter.
            engine.ask(wish(
                &slide,
                Analysis::Plain(scale),
                rect(300.0, 100.0, 200.0, 300.0),
                [1.0; 3],
            ));
            (0..5).for_each(|_| assert_eq!(engine.step(), Step::Worked));
            engine.ask(wish(&slide, Analysis::Plain(scale), everywhere(), bias));
            finish(&mut engine);
            let (live, meant) = (
                codes(&engine.layers(), Analysis::Plain(scale)),
                whole(&slide, mpp, bias),
            );
            assert!(live == meant.codes, "scale {scale}, bias {bias:?}");
            assert!(meant.codes.contains(&0) && meant.codes.contains(&NOT_ANALYSED));
        }
    }
}

#[test]
fn a_pinned_overlay_is_the_slides_label_map_with_a_real_network() {
    let (slide, model) = (small_slide(), little_model());
    let settings = Settings {
        fill_um: FILL_UM,
        ..Settings::of_model(&model, 1.0)
    };
    let mut network = Network::new(&model);
    let pace = Pace::default();
    let meant =
        segment_in_memory(slide.as_ref(), &mut network, &settings, pace, &mut go_on).unwrap();
    let ranks = Ranks::by_rarity(&[1.0; 3]);
    let mut engine = Engine::new(
        network,
        Fusion::default(),
        ranks,
        FILL_UM,
        Limits::default(),
        SharedLayers::default(),
    );
    let total = model.bias.total();
    engine.ask(wish(
        &slide,
        Analysis::Plain(2),
        everywhere(),
        [total[0], total[1], total[2]],
    ));
    finish(&mut engine);
    assert!(codes(&engine.layers(), Analysis::Plain(2)) == meant.codes);
    assert!(meant.codes.contains(&0) && meant.codes.contains(&1));
    // Attention does not see what all classes share, and a turn of one dial is seen.
    let encoded = engine.status().encoded;
    for (lift, same) in [([2.0, 2.0, 2.0], true), ([-40.0, 0.0, 0.0], false)] {
        let bias = [0, 1, 2].map(|class| total[class] + lift[class]);
        engine.ask(wish(&slide, Analysis::Plain(2), everywhere(), bias));
        finish(&mut engine);
        let turned = codes(&engine.layers(), Analysis::Plain(2));
        let apart = turned
            .iter()
            .zip(&meant.codes)
            .filter(|(a, b)| a != b)
            .count();
        match same {
            // Centring rounds: a px in ten thousand may be that near to the border of two classes.
            true => assert!(apart * 10_000 <= turned.len(), "{apart}"),
            false => assert!(apart > turned.len() / 1000, "{apart}"),
        }
    }
    assert_eq!(
        engine.status().encoded,
        encoded,
        "a dial asks for no new features"
    );
}

#[test]
fn a_fused_map_follows_from_its_two_maps_alone() {
    let slide = small_slide();
    let bias = [1.0, 0.0, -0.5];
    let (fine, coarse) = (whole(&slide, 0.25, bias), whole(&slide, 1.0, bias));
    let mut meant = fine.codes.clone();
    let px = fine.codes.len();
    let (width, coarse_width) = (fine.grid.size_px.0 as usize, coarse.grid.size_px.0 as usize);
    let fusion = Fusion::default();
    for (at, code) in meant
        .iter_mut()
        .enumerate()
        .filter(|(_, code)| **code != NOT_ANALYSED)
    {
        let mut logs: Vec<f32> = (0..3)
            .map(|k| fine.log_probabilities[k * px + at])
            .collect();
        let log_at = |x: f64, y: f64, k: usize| {
            let (x, y) = ((at % width) as f64 + x, (at / width) as f64 + y);
            let place =
                |at: f64, side: usize| ((at + 0.5) / 4.0 - 0.5).clamp(0.0, side as f64 - 1.0);
            let (x, y) = (
                place(x, coarse_width),
                place(y, coarse.grid.size_px.1 as usize),
            );
            let value = |x: f64, y: f64| {
                let at = y as usize * coarse_width + x as usize;
                let analysed = coarse.codes[at] != NOT_ANALYSED;
                analysed.then(|| f64::from(coarse.log_probabilities[k * coarse.codes.len() + at]))
            };
            let (left, top) = (x.floor(), y.floor());
            let right = (left + 1.0).min(coarse_width as f64 - 1.0);
            let bottom = (top + 1.0).min(f64::from(coarse.grid.size_px.1) - 1.0);
            let (u, v) = (x - left, y - top);
            Some(
                (value(left, top)? * (1.0 - u) + value(right, top)? * u) * (1.0 - v)
                    + (value(left, bottom)? * (1.0 - u) + value(right, bottom)? * u) * v,
            )
        };
        let around: Option<Vec<f32>> = (0..3)
            .map(|k| log_at(0.0, 0.0, k).map(|l| l as f32))
            .collect();
        fusion.fuse(0, &mut logs, around.as_deref());
        let best = (0..3).max_by(|a, b| logs[*a].total_cmp(&logs[*b])).unwrap();
        *code = best as u8;
    }
    let paths: [&[SlideRect]; 2] = [
        &[],
        &[
            rect(100.0, 100.0, 90.0, 60.0),
            rect(1100.0, 300.0, 400.0, 300.0),
        ],
    ];
    let mut results = Vec::new();
    for path in paths {
        let mut engine = engine(Limits::default());
        for seen in path {
            engine.ask(wish(&slide, Analysis::Fused(0), *seen, [5.0, 0.0, 0.0]));
            (0..30).for_each(|_| _ = engine.step());
        }
        engine.ask(wish(&slide, Analysis::Fused(0), everywhere(), bias));
        finish(&mut engine);
        results.push(codes(&engine.layers(), Analysis::Fused(0)));
    }
    assert!(
        results[0] == results[1],
        "how one got there must not matter"
    );
    // Where the coarse map is masked but was computed, the engine has more to go by than the field.
    let apart = results[0]
        .iter()
        .zip(&meant)
        .filter(|(a, b)| a != b)
        .count();
    assert!(apart * 200 < px, "{apart} of {px}");
    let unfused = fine
        .codes
        .iter()
        .zip(&meant)
        .filter(|(a, b)| a != b)
        .count();
    assert!(
        unfused > 4 * apart,
        "fusing changes {unfused}, and {apart} are unlike"
    );
}

#[test]
fn the_middle_comes_first_and_one_tile_is_seen_at_once() {
    let slide = small_slide();
    let mut engine = engine(Limits {
        encode_batch: 3,
        ..Limits::default()
    });
    engine.ask(wish(
        &slide,
        Analysis::Plain(1),
        rect(200.0, 100.0, 400.0, 400.0),
        [0.0; 3],
    ));
    engine.step();
    assert_eq!(engine.status().encoded, 1);
    let seen = texels(&engine.layers(), Analysis::Plain(1));
    let known = |x: usize, y: usize| seen[y * 801 + x].code != UNKNOWN;
    assert!(known(200, 150), "the middle of the field");
    assert!(!known(110, 60) && !known(290, 240));
    engine.step();
    assert_eq!(engine.status().encoded, 4, "then as many as go together");
}

#[test]
fn a_turned_bias_is_decoded_from_what_is_kept_and_old_px_are_known_to_be_old() {
    let slide = small_slide();
    let mut engine = engine(Limits {
        decode_batch: 1,
        ..Limits::default()
    });
    let seen = rect(100.0, 100.0, 500.0, 300.0);
    engine.ask(wish(&slide, Analysis::Plain(1), seen, [0.0; 3]));
    finish(&mut engine);
    let encoded = engine.status().encoded;
    let key = LayerKey {
        slide: 7,
        analysis: Analysis::Plain(1),
    };
    let id = PageId {
        level: 0,
        col: 0,
        row: 0,
    };
    let layers = engine.layers();
    // The part in the third column and row, which lies within the field.
    let is_current = || layers.page(key, id).unwrap().1 >> 18 & 1 == 1;
    assert!(is_current());
    engine.ask(wish(&slide, Analysis::Plain(1), seen, [-500.0, 0.0, 0.0]));
    assert!(!is_current(), "shown, and known to be old");
    assert!(codes(&layers, Analysis::Plain(1)).contains(&0));
    finish(&mut engine);
    assert!(is_current());
    let (x, y) = (50..300, 50..200);
    let codes = codes(&layers, Analysis::Plain(1));
    let in_field = y.flat_map(|y| x.clone().map(move |x| y * 801 + x));
    let in_field_codes: Vec<u8> = in_field.map(|at| codes[at]).collect();
    assert!(
        !in_field_codes.contains(&0),
        "red is out of the question now"
    );
    let status = engine.status();
    assert_eq!(status.encoded, encoded);
    assert!(status.turn_s.is_some() && status.full_s.is_some());
    let areas = status.areas.unwrap();
    assert!(areas.known > 0.999, "{}", areas.known);
    assert!(
        areas.field_mm2[0] == 0.0 && areas.field_mm2[2] > 0.0,
        "{areas:?}"
    );
    let px_mm2 = 0.5 * 0.5 / 1e6;
    let blue = in_field_codes.iter().filter(|code| **code == 2).count();
    assert!(
        (areas.field_mm2[2] - blue as f64 * px_mm2).abs() < 1e-9,
        "{areas:?}"
    );
}

#[test]
fn tiles_that_fail_are_marked_and_the_others_are_not() {
    let mut painted = Painted::new(1601, 803, Some(0.25), pattern);
    painted.failing_left_of = 330;
    let slide: Arc<dyn SlideSource> = Arc::new(painted);
    let mut engine = engine(Limits::default());
    engine.ask(wish(
        &slide,
        Analysis::Plain(1),
        rect(100.0, 100.0, 600.0, 300.0),
        [0.0; 3],
    ));
    finish(&mut engine);
    let codes = codes(&engine.layers(), Analysis::Plain(1));
    let at = |x: usize, y: usize| codes[y * 801 + x];
    assert_eq!(at(100, 100), FAILED);
    assert!(at(300, 100) < 3);
    assert!(engine.status().failure.unwrap().contains("as told"));
}

#[test]
fn a_bias_that_breaks_the_network_harms_no_other() {
    let slide = small_slide();
    let mut engine = engine(Limits::default());
    let seen = rect(100.0, 100.0, 500.0, 300.0);
    engine.ask(wish(&slide, Analysis::Plain(1), seen, [0.0; 3]));
    finish(&mut engine);
    let before = codes(&engine.layers(), Analysis::Plain(1));
    let broken = [0.0, 2.0 * BREAKS_AT, 0.0];
    engine.ask(wish(&slide, Analysis::Plain(1), seen, broken));
    finish(&mut engine);
    assert!(codes(&engine.layers(), Analysis::Plain(1)).contains(&FAILED));
    let failure = engine.status().failure;
    assert!(failure.is_some_and(|reason| reason.contains("too much")));
    engine.ask(wish(&slide, Analysis::Plain(1), seen, [0.0; 3]));
    finish(&mut engine);
    assert!(codes(&engine.layers(), Analysis::Plain(1)) == before);
    assert_eq!(engine.status().failure, None);
}

#[test]
fn a_slide_that_is_closed_leaves_nothing_behind() {
    let slide = small_slide();
    let mut engine = engine(Limits::default());
    engine.ask(wish(
        &slide,
        Analysis::Fused(0),
        rect(100.0, 100.0, 300.0, 300.0),
        [0.0; 3],
    ));
    finish(&mut engine);
    assert!(engine.status().feature_bytes > 0);
    engine.forget(7);
    let status = engine.status();
    assert_eq!((status.feature_bytes, status.score_bytes), (0, 0));
    assert!(engine.layers().lock().is_empty());
    assert_eq!(engine.step(), Step::Idle);
}

#[test]
fn a_slide_without_a_scale_is_not_analysed() {
    let slide: Arc<dyn SlideSource> = Arc::new(Painted::new(500, 500, None, pattern));
    let mut engine = engine(Limits::default());
    engine.ask(wish(
        &slide,
        Analysis::Plain(1),
        rect(0.0, 0.0, 300.0, 300.0),
        [0.0; 3],
    ));
    finish(&mut engine);
    assert!(
        engine
            .status()
            .failure
            .unwrap()
            .contains("does not state its scale")
    );
    let scaled = crate::slide::scaled::Scaled::new(slide, Mpp::square(0.25).unwrap());
    let scaled: Arc<dyn SlideSource> = Arc::new(scaled);
    engine.ask(wish(
        &scaled,
        Analysis::Plain(1),
        rect(0.0, 0.0, 300.0, 300.0),
        [0.0; 3],
    ));
    finish(&mut engine);
    assert!(codes(&engine.layers(), Analysis::Plain(1)).contains(&0));
}

#[derive(Debug, Clone)]
enum Act {
    Look(u32, u32),
    Turn(u8),
    Step(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0..1200_u32, 0..500_u32).prop_map(|(x, y)| Act::Look(x, y)),
        (0..4_u8).prop_map(Act::Turn),
        (1..20_u8).prop_map(Act::Step),
    ];
    proptest::collection::vec(act, 4..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However wishes and work interleave and whatever the caches lose: no px goes back to an older
    /// bias, limits hold, and in the end the field is that of the last wish.
    #[test]
    fn stale_results_never_overwrite_newer_ones(
        acts in acts(),
        tight in any::<bool>(),
        analysis in prop_oneof![Just(Analysis::Plain(2)), Just(Analysis::Fused(1))],
    ) {
        let slide = small_slide();
        let tile_bytes = u64::from(TILE_PX * TILE_PX) * 12;
        // Of a field's tiles a part.
        let most = if analysis == Analysis::Plain(2) { 20 } else { 60 };
        let limits = match tight {
            true => Limits {
                feature_bytes: 3072 * (most - 5),
                score_bytes: tile_bytes * most,
                ..Limits::default()
            },
            false => Limits::default(),
        };
        let mut engine = engine(limits);
        let (mut seen, mut bias) = (rect(0.0, 0.0, 300.0, 200.0), [0.0; 3]);
        let key = LayerKey { slide: 7, analysis };
        let mut stamps = std::collections::HashMap::new();
        for act in acts {
            match act {
                Act::Look(x, y) => seen = rect(x.into(), y.into(), 400.0, 300.0),
                Act::Turn(n) => bias = [f32::from(n) * 40.0, 0.0, f32::from(n % 2) * 90.0],
                Act::Step(count) => {
                    for _ in 0..count {
                        engine.step();
                    }
                    let status = engine.status();
                    prop_assert!(status.feature_bytes <= limits.feature_bytes);
                    prop_assert!(status.score_bytes <= limits.score_bytes);
                }
            }
            engine.ask(wish(&slide, analysis, seen, bias));
            let layers = engine.layers();
            let layers = layers.lock();
            for (col, row) in [(0, 0), (1, 0), (2, 0), (1, 1)] {
                let page = layers[&key].pyramid.peek(PageId { level: 0, col, row });
                let Some(page) = page else { continue };
                for block in (0..page.per_side()).flat_map(|y| (0..page.per_side()).map(move |x| (x, y))) {
                    let stamp = page.stamp(block);
                    let before = stamps.insert((col, row, block), stamp);
                    let before = before.filter(|stamp| *stamp != NO_STAMP).unwrap_or(0);
                    prop_assert!(stamp >= before, "block {block:?} of page {col} went back");
                }
            }
        }
        finish(&mut engine);
        let live = codes(&engine.layers(), analysis);
        let mut fresh = self::engine(Limits::default());
        fresh.ask(wish(&slide, analysis, seen, bias));
        finish(&mut fresh);
        let meant = match analysis {
            Analysis::Plain(_) => whole(&slide, 1.0, bias).codes,
            _ => codes(&fresh.layers(), analysis),
        };
        let raster = engine.layers().raster(key).unwrap();
        let px = raster.size_px;
        let (x, y) = raster.px_in(&seen).unwrap();
        for row in y {
            for column in x.clone() {
                let at = (row * px.0 + column) as usize;
                prop_assert_eq!(live[at], meant[at], "px {} {}", column, row);
            }
        }
    }
}
