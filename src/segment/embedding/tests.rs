//! The engine with an encoder that sees the mean colour of each patch.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::{PAGE_PX, PageId, Texel, UNKNOWN};
use crate::segment::live::Step;
use crate::segment::model::{ModelError, RgbTile};
use crate::segment::test_slide::{COLOURS, GLASS, Painted, little_model};
use crate::segment::{Network, Settings};
use crate::slide::SlideSource;

const FILL_UM: f64 = 16.0;
const X40: u8 = 0;
const X10: u8 = 2;

/// Values follow from a patch's mean colour; a long common part, as real tokens have it.
struct MeanColour;

impl TokenModel for MeanColour {
    fn tile_px(&self) -> u32 {
        128
    }

    fn patch_px(&self) -> u32 {
        16
    }

    fn width(&self) -> usize {
        5
    }

    fn embed(&mut self, tiles: &[RgbTile]) -> Result<Vec<TokenGrid>, ModelError> {
        let token = |tile: &RgbTile, index: usize| {
            let mut sums = [0.0_f32; 3];
            for px in 0..256 {
                let (x, y) = (index % 8 * 16 + px % 16, index / 8 * 16 + px / 16);
                let rgb = &tile.rgb[3 * (y * 128 + x)..][..3];
                sums.iter_mut()
                    .zip(rgb)
                    .for_each(|(sum, v)| *sum += f32::from(*v) / 65280.0);
            }
            let [red, green, blue] = sums;
            vec![red, green, blue, 1.0, red * green]
        };
        let grid = |tile: &RgbTile| TokenGrid {
            side: 8,
            width: 5,
            values: (0..64).flat_map(|index| token(tile, index)).collect(),
        };
        Ok(tiles.iter().map(grid).collect())
    }
}

/// Middles of the blue squares, µm.
const BLUE_UM: [(u32, u32); 3] = [(250, 250), (800, 250), (1200, 700)];

/// 1600 × 1000 µm: red, with a green band, three blue squares of 160 µm, glass on the right.
fn painted() -> Arc<dyn SlideSource> {
    Arc::new(Painted::new(6400, 4000, Some(0.25), |x, y| {
        let (x, y) = (x / 4, y / 4);
        let is_blue = |at: &(u32, u32)| x.abs_diff(at.0) < 80 && y.abs_diff(at.1) < 80;
        match () {
            () if x >= 1400 => GLASS,
            () if BLUE_UM.iter().any(is_blue) => COLOURS[2],
            () if (450..560).contains(&y) => COLOURS[1],
            () => COLOURS[0],
        }
    }))
}

fn engine_of(limits: EmbeddingLimits) -> EmbeddingEngine<MeanColour> {
    EmbeddingEngine::new(MeanColour, FILL_UM, limits, SharedEmbeddings::default())
}

fn engine() -> EmbeddingEngine<MeanColour> {
    engine_of(EmbeddingLimits::default())
}

fn at_um((x, y): (u32, u32)) -> SlidePoint {
    SlidePoint::new(f64::from(x) * 4.0, f64::from(y) * 4.0)
}

/// A field of so many µm around a place.
fn wish(slide: &Arc<dyn SlideSource>, scale: u8, at: (u32, u32), side_um: f64) -> EmbeddingWish {
    let center = at_um(at);
    let half = euclid::vec2(side_um * 2.0, side_um * 2.0);
    EmbeddingWish {
        slide: Arc::clone(slide),
        slide_id: 7,
        scale,
        seen: SlideRect::new(center - half, center + half),
        center,
        query: None,
        whole_slide_at_10x: false,
    }
}

fn finish<M: TokenModel>(engine: &mut EmbeddingEngine<M>) {
    for _ in 0..100_000 {
        if engine.step() == Step::Idle {
            return;
        }
    }
    panic!("it never comes to an end");
}

fn texel(layers: &SharedEmbeddings, scale: u8, view: EmbeddingView, at: (u32, u32)) -> Texel {
    let key = EmbeddingKey {
        slide: 7,
        scale,
        view,
    };
    let Some(raster) = layers.raster(key) else {
        return Texel::UNKNOWN;
    };
    let place = at_um(at);
    let x = (place.x / raster.slide_px_per_px.0) as u32;
    let y = (place.y / raster.slide_px_per_px.1) as u32;
    let id = PageId {
        level: 0,
        col: x / PAGE_PX,
        row: y / PAGE_PX,
    };
    let page = layers.page(key, id);
    page.map_or(Texel::UNKNOWN, |(page, _)| {
        page.texel(x % PAGE_PX, y % PAGE_PX)
    })
}

fn colour(layers: &SharedEmbeddings, scale: u8, at: (u32, u32)) -> [u8; 3] {
    let texel = texel(layers, scale, EmbeddingView::Colours, at);
    assert_eq!(texel.extra, 255, "{at:?} at {scale} is not known");
    [texel.code, texel.any, texel.value]
}

#[test]
fn a_region_keeps_its_colour_from_10x_to_40x() {
    let (slide, mut engine) = (painted(), engine());
    let layers = engine.layers();
    let places = [(250, 250), (600, 100), (600, 505)];
    let mut seen = BTreeSet::new();
    for at in places {
        for scale in [X10, X40] {
            engine.ask(wish(&slide, scale, at, 40.0));
            finish(&mut engine);
        }
        let (coarse, fine) = (colour(&layers, X10, at), colour(&layers, X40, at));
        let off = coarse.iter().zip(fine).map(|(a, b)| a.abs_diff(b));
        assert!(off.max().unwrap() <= 4, "{at:?}: {coarse:?} and {fine:?}");
        seen.insert(coarse);
    }
    assert_eq!(seen.len(), places.len(), "regions look alike: {seen:?}");
    assert!(engine.status().has_colours && engine.status().failure.is_none());
}

#[test]
fn nothing_is_drawn_before_the_colours_are_settled() {
    let (slide, mut engine) = (painted(), engine());
    engine.ask(wish(&slide, X10, (250, 250), 40.0));
    while !engine.status().has_colours {
        assert_eq!(engine.layers().lock().len(), 0);
        assert_eq!(engine.step(), Step::Worked);
    }
    finish(&mut engine);
    assert_eq!(engine.layers().lock().len(), 1);
}

#[test]
fn the_newest_wish_wins() {
    let slide = painted();
    let mut direct = engine();
    direct.ask(wish(&slide, X10, (1100, 700), 300.0));
    finish(&mut direct);
    for steps in [1, 40, 52, 60] {
        let mut engine = engine();
        let layers = engine.layers();
        engine.ask(wish(&slide, X10, (250, 250), 400.0));
        for _ in 0..steps {
            engine.step();
        }
        engine.ask(wish(&slide, X10, (1100, 700), 300.0));
        let before = texel(&layers, X10, EmbeddingView::Colours, (60, 60));
        finish(&mut engine);
        assert_eq!(
            texel(&layers, X10, EmbeddingView::Colours, (60, 60)),
            before
        );
        for at in [(1100, 700), (1000, 620), (1200, 700)] {
            assert_eq!(colour(&layers, X10, at), colour(&direct.layers(), X10, at));
        }
    }
}

#[test]
fn a_search_finds_where_the_paint_repeats() {
    let (slide, mut engine) = (painted(), engine());
    let layers = engine.layers();
    for scale in [X10, X40] {
        let at = at_um((251, 252));
        engine.ask(EmbeddingWish {
            query: Some(Query { at, scale }),
            whole_slide_at_10x: true,
            ..wish(&slide, scale, (250, 250), 100.0)
        });
        finish(&mut engine);
        let own = texel(&layers, scale, EmbeddingView::Likeness, (251, 252));
        assert!((own.code, likeness_of(own.value)) >= (0, 0.99), "{own:?}");
        let status = engine.status();
        let search = status.search.unwrap();
        assert_eq!((search.done, search.total), (17 * 11, 17 * 11));
        let found: BTreeSet<(u32, u32)> = search.matches[..2].iter().map(place_um).collect();
        for (meant, found) in BLUE_UM[1..].iter().zip(found) {
            assert!(meant.0.abs_diff(found.0) < 60 && meant.1.abs_diff(found.1) < 60);
        }
        assert!(search.matches[1].similarity > 0.98, "{:?}", search.matches);
        assert!(search.matches[2].similarity < 0.6, "{:?}", search.matches);
        let red = texel(&layers, X10, EmbeddingView::Likeness, (600, 100));
        assert!(likeness_of(red.value) < 0.0);
        let glass = texel(&layers, X10, EmbeddingView::Likeness, (1550, 500));
        assert_eq!(glass.code, UNKNOWN);
    }
}

fn place_um(found: &Match) -> (u32, u32) {
    ((found.at.x / 4.0) as u32, (found.at.y / 4.0) as u32)
}

#[test]
fn a_search_goes_on_while_the_view_moves_and_ends_with_its_spot() {
    let (slide, mut engine) = (painted(), engine());
    let ask = |at: (u32, u32), seen: (u32, u32)| EmbeddingWish {
        query: Some(Query {
            at: at_um(at),
            scale: X10,
        }),
        whole_slide_at_10x: true,
        ..wish(&slide, X10, seen, 100.0)
    };
    let done = |engine: &EmbeddingEngine<MeanColour>| engine.status().search.unwrap().done;
    engine.ask(ask((250, 250), (250, 250)));
    while done(&engine) < 20 {
        engine.step();
    }
    engine.ask(ask((250, 250), (800, 600)));
    assert!(done(&engine) >= 20);
    finish(&mut engine);
    let first = engine.status().search.unwrap();
    engine.ask(ask((600, 100), (800, 600)));
    let second = engine.status().search.unwrap();
    assert_eq!((second.done, second.matches.len()), (0, 0));
    let view = EmbeddingView::Likeness;
    let layers = engine.layers();
    assert_eq!(texel(&layers, X10, view, (800, 600)), Texel::UNKNOWN);
    finish(&mut engine);
    assert_ne!(engine.status().search.unwrap().matches, first.matches);
    engine.ask(wish(&slide, X10, (800, 600), 100.0));
    assert_eq!(engine.status().search, None);
    assert!(
        layers
            .lock()
            .keys()
            .all(|key| key.view == EmbeddingView::Colours)
    );
}

#[test]
fn the_cache_keeps_its_limit_and_slides_are_forgotten() {
    // A tile's core has 36 tokens of 5 values and a step each.
    let tile_bytes = 36 * (5 + 4);
    let limits = EmbeddingLimits {
        token_bytes: 10 * tile_bytes,
        ..EmbeddingLimits::default()
    };
    let (slide, mut engine) = (painted(), engine_of(limits));
    engine.ask(wish(&slide, X10, (600, 500), 900.0));
    let mut most = 0;
    while engine.step() == Step::Worked {
        most = most.max(engine.status().token_bytes);
    }
    assert!((5 * tile_bytes..=10 * tile_bytes).contains(&most), "{most}");
    let layers = engine.layers();
    assert_eq!(colour(&layers, X10, (600, 500)).len(), 3);
    engine.forget(7);
    assert_eq!((engine.status().token_bytes, layers.lock().len()), (0, 0));
    assert_eq!(engine.step(), Step::Idle);
}

#[test]
fn glass_is_not_embedded() {
    let (slide, mut engine) = (painted(), engine());
    engine.ask(EmbeddingWish {
        whole_slide_at_10x: true,
        ..wish(&slide, X10, (250, 250), 100.0)
    });
    finish(&mut engine);
    // Of 17 columns of 96 um, those that begin before 1400 um.
    assert_eq!(engine.status().embedded, 15 * 11);
    let layers = engine.layers();
    assert_eq!(
        texel(&layers, X10, EmbeddingView::Colours, (1500, 500)).extra,
        0
    );
    assert_eq!(colour(&layers, X10, (1390, 500)).len(), 3);

    let glass: Arc<dyn SlideSource> = Arc::new(Painted::new(900, 900, Some(0.25), |_, _| GLASS));
    engine.forget(7);
    engine.ask(wish(&glass, X40, (100, 100), 100.0));
    finish(&mut engine);
    let status = engine.status();
    assert_eq!((status.embedded, status.has_colours), (15 * 11, false));
    assert!(status.failure.unwrap().contains("no tissue"));
}

#[test]
fn what_can_not_be_done_is_said() {
    let slide: Arc<dyn SlideSource> = Arc::new(Painted::new(3000, 2000, Some(0.5), |x, y| {
        [120, (x / 8 % 90) as u8, (y / 8 % 90) as u8]
    }));
    let mut engine = engine();
    engine.ask(wish(&slide, X40, (100, 100), 100.0));
    finish(&mut engine);
    assert!(engine.status().failure.unwrap().contains("up-sampled"));
    let beyond = Query {
        at: SlidePoint::new(1e7, 0.0),
        scale: X10,
    };
    engine.ask(EmbeddingWish {
        query: Some(beyond),
        whole_slide_at_10x: true,
        ..wish(&slide, X10, (100, 100), 100.0)
    });
    finish(&mut engine);
    let status = engine.status();
    assert!(status.failure.unwrap().contains("no tissue at the spot"));
    assert_eq!(status.search.unwrap().matches, []);
}

#[test]
fn tiles_that_can_not_be_read_are_passed_over() {
    let mut slide = Painted::new(3200, 2400, Some(0.25), |x, y| {
        [120, (x / 16 % 90) as u8, (y / 16 % 90) as u8]
    });
    slide.failing_left_of = 300;
    let slide: Arc<dyn SlideSource> = Arc::new(slide);
    let mut engine = engine();
    engine.ask(wish(&slide, X10, (400, 300), 700.0));
    finish(&mut engine);
    assert!(engine.status().failure.is_some());
    let layers = engine.layers();
    assert_eq!(colour(&layers, X10, (400, 300)).len(), 3);
}

#[test]
fn answers_at_both_magnifications_are_the_same_where_tokens_are() {
    let (slide, mut engine) = (painted(), engine());
    let plan = OverlapPlan {
        spots: 3,
        field_um: 150.0,
        seed: 3,
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let found = measure_overlap(&mut engine, &slide, &plan, &mut go_on).unwrap();
    assert_eq!(found.len(), 3);
    for spot in &found {
        assert!(
            spot.slide_iou > 0.3 && spot.matches_shared > 0.6,
            "{spot:?}"
        );
        assert!(spot.colour_apart < 12.0, "{spot:?}");
        assert!(spot.unrelated_slide_iou <= spot.slide_iou, "{spot:?}");
    }
    let mut stop = |_, _| ControlFlow::Break(());
    let stopped = measure_overlap(&mut engine, &slide, &plan, &mut stop);
    assert!(matches!(stopped, Err(OverlapError::Stopped)));
}

#[test]
fn a_real_network_has_tokens() {
    let model = little_model();
    let fill_um = Settings::of_model(&model, 1.0).fill_um;
    let shared = SharedEmbeddings::default();
    let network = Network::new(&model);
    let mut engine = EmbeddingEngine::new(network, fill_um, EmbeddingLimits::default(), shared);
    let slide = painted();
    engine.ask(wish(&slide, X10, (250, 250), 60.0));
    finish(&mut engine);
    let status = engine.status();
    assert!(status.has_colours && status.failure.is_none(), "{status:?}");
    assert_eq!(
        texel(&engine.layers(), X10, EmbeddingView::Colours, (250, 250)).extra,
        255
    );
}
