//! Where two maps agree, beside the two maps themselves.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;

use super::tests::{
    Biased, biased, codes, engine, everywhere, finish, rect, small_slide, texels, whole, wish,
};
use super::*;
use crate::geometry::{Mpp, SlideRect};
use crate::labels::{LabelClass, NO_STAMP, NOT_ANALYSED, PAGE_PX, PageId, Ranks, Texel, UNKNOWN};
use crate::segment::Field;
use crate::segment::agreement::{AGREES, DIFFERS, difference, divergence_bits};
use crate::segment::compare::{LiveMap, Side, compare};
use crate::segment::fusion::Fusion;
use crate::slide::SlideSource;

const BIAS: [f32; 3] = [1.0, 0.0, -0.5];
const MAPS: [Analysis; 3] = [
    Analysis::Agreement(0),
    Analysis::Plain(0),
    Analysis::Plain(2),
];
/// Px of the maps of 40x and 10x in a row.
const WIDTH: usize = 1601;
const COARSE_WIDTH: usize = 401;

fn fusion() -> Fusion {
    Fusion {
        temperature: BTreeMap::from([(0, 1.5), (2, 0.7)]),
        ..Fusion::default()
    }
}

fn calibrated() -> Engine<Biased> {
    let ranks = Ranks::by_rarity(&[3.0, 2.0, 1.0]);
    let (limits, layers) = (Limits::default(), SharedLayers::default());
    Engine::new(biased(), fusion(), ranks, 16.0, limits, layers)
}

fn asked(slide: &Arc<dyn SlideSource>, seen: SlideRect, bias: [f32; 3]) -> Wish {
    wish(slide, Analysis::Agreement(0), seen, bias)
}

/// What the two plain maps say of each px together.
fn by_hand(layers: &SharedLayers) -> Vec<u8> {
    let (fine, coarse) = (
        codes(layers, Analysis::Plain(0)),
        codes(layers, Analysis::Plain(2)),
    );
    let other = |at: usize| coarse[at / WIDTH / 4 * COARSE_WIDTH + at % WIDTH / 4];
    let both = fine.iter().enumerate();
    both.map(|(at, code)| difference(*code, other(at)))
        .collect()
}

/// Log-probabilities of a coarse field at the middle of a px that is a quarter as wide, bilinear;
/// none where one of the px around it has none.
fn between(coarse: &Field, at: usize) -> Option<Vec<f32>> {
    let (width, height) = coarse.grid.size_px;
    let along = |at: usize, side: u32| {
        let place = ((at as f64 + 0.5) / 4.0 - 0.5).clamp(0.0, f64::from(side) - 1.0);
        let first = place.floor() as usize;
        let next = (first + 1).min(side as usize - 1);
        [(first, 1.0 - place.fract()), (next, place.fract())]
    };
    let mut logs = vec![0.0; 3];
    for (y, of_y) in along(at / WIDTH, height) {
        for (x, of_x) in along(at % WIDTH, width) {
            let at = y * width as usize + x;
            if coarse.codes[at] == NOT_ANALYSED {
                return None;
            }
            for (class, log) in logs.iter_mut().enumerate() {
                let value = coarse.log_probabilities[class * coarse.codes.len() + at];
                *log += (of_x * of_y) as f32 * value;
            }
        }
    }
    Some(logs)
}

#[test]
fn agreement_follows_from_the_two_plain_maps() {
    let slide = small_slide();
    let mut engine = calibrated();
    engine.ask(asked(&slide, everywhere(), BIAS));
    finish(&mut engine);
    let layers = engine.layers();
    let (fine, coarse) = (whole(&slide, 0.25, BIAS), whole(&slide, 1.0, BIAS));
    assert!(codes(&layers, Analysis::Plain(0)) == fine.codes);
    assert!(codes(&layers, Analysis::Plain(2)) == coarse.codes);
    let (found, meant) = (texels(&layers, Analysis::Agreement(0)), by_hand(&layers));
    let same = found.iter().zip(&meant).filter(|(a, b)| a.code == **b);
    assert_eq!(same.count(), meant.len());
    for code in [AGREES, DIFFERS, NOT_ANALYSED] {
        assert!(
            meant.iter().filter(|of| **of == code).count() > 1000,
            "{code}"
        );
    }
    let (mut looked_at, mut far_apart) = (0, 0);
    for (at, texel) in found.iter().enumerate().filter(|(_, t)| t.code <= DIFFERS) {
        let Some(mut around) = between(&coarse, at) else {
            continue;
        };
        let plane = fine.codes.len();
        let mut own: Vec<f32> = (0..3)
            .map(|class| fine.log_probabilities[class * plane + at])
            .collect();
        fusion().calibrate(0, &mut own);
        fusion().calibrate(2, &mut around);
        let top = |logs: &[f32]| logs.iter().copied().fold(f32::MIN, f32::max).exp();
        let unsure = 1.0 - top(&own).min(top(&around));
        let bits = divergence_bits(&own, &around);
        assert!((f32::from(texel.value) - 255.0 * bits).abs() < 0.6, "{at}");
        assert!(
            (f32::from(texel.extra) - 255.0 * unsure).abs() < 0.6,
            "{at}"
        );
        looked_at += 1;
        far_apart += usize::from(bits > 0.5);
    }
    assert!(
        looked_at > 100_000 && far_apart > 1000,
        "{looked_at}, {far_apart}"
    );
}

#[test]
fn what_is_compared_afterwards_is_what_was_shown() {
    let slide = small_slide();
    let mut engine = engine(Limits::default());
    let seen = rect(200.0, 100.0, 500.0, 300.0);
    engine.ask(asked(&slide, seen, BIAS));
    finish(&mut engine);
    let layers = engine.layers();
    let map = |analysis| LiveMap::new(&layers, LayerKey { slide: 7, analysis }).unwrap();
    let (first, second) = (map(Analysis::Plain(0)), map(Analysis::Plain(2)));
    let classes: Vec<LabelClass> = biased().classes().to_vec();
    let side = |map| Side {
        map,
        classes: &classes,
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let mpp = Mpp::square(0.25).unwrap();
    let compared = compare(side(&first), side(&second), &seen, mpp, &mut go_on).unwrap();
    assert!(!compared.provisional);
    assert_eq!(compared.grid.px_um, (0.25, 0.25));
    let shown = codes(&layers, Analysis::Agreement(0));
    let of_row = |y: usize| shown[y * WIDTH + 200..y * WIDTH + 700].to_vec();
    assert!((100..400).flat_map(of_row).collect::<Vec<u8>>() == compared.codes());
    assert!(compared.agreement.share < 1.0 && compared.agreement.px > 10_000);
    // A bias turn makes both provisional.
    engine.ask(asked(&slide, seen, [9.0, 0.0, 0.0]));
    let compared = compare(side(&first), side(&second), &seen, mpp, &mut go_on).unwrap();
    assert!(compared.provisional);
}

#[test]
fn a_turned_bias_redoes_both_and_encodes_nothing() {
    let slide = small_slide();
    let seen = rect(100.0, 100.0, 500.0, 300.0);
    let mut engine = engine(Limits::default());
    engine.ask(asked(&slide, seen, BIAS));
    finish(&mut engine);
    let encoded = engine.status().encoded;
    let before = codes(&engine.layers(), Analysis::Agreement(0));
    engine.ask(asked(&slide, seen, [9.0, -3.0, 1.0]));
    let key = LayerKey {
        slide: 7,
        analysis: Analysis::Agreement(0),
    };
    let id = PageId {
        level: 0,
        col: 1,
        row: 1,
    };
    let layers = engine.layers();
    let current = |layers: &SharedLayers| layers.page(key, id).unwrap().1;
    assert_ne!(current(&layers), u64::MAX, "shown, and known to be old");
    finish(&mut engine);
    assert_eq!(engine.status().encoded, encoded);
    let of_field = layers
        .peek(key, id)
        .unwrap()
        .oldest_in(&(0..256), &(0..144));
    assert_eq!(of_field, layers.stamp(key).unwrap());
    let after = codes(&layers, Analysis::Agreement(0));
    let meant = by_hand(&layers);
    let of_field = |codes: &[u8]| -> Vec<u8> {
        let row = |y: usize| &codes[y * WIDTH + 100..y * WIDTH + 600];
        (100..400).flat_map(row).copied().collect()
    };
    assert!(of_field(&after) != of_field(&before) && of_field(&after) == of_field(&meant));
    // Beyond the field one of the two may know glass where the other was never asked.
    let glass_on_one = |found: u8, meant: u8| found == UNKNOWN && meant == NOT_ANALYSED;
    let mut pairs = after.into_iter().zip(meant);
    assert!(pairs.all(|(found, meant)| found == meant || glass_on_one(found, meant)));
    // Areas are those of classes, not of agreement.
    let areas = engine.status().areas.unwrap();
    assert_eq!(areas.field_mm2.len(), 3);
}

#[test]
fn fused_maps_are_what_they_are_without_it() {
    let slide = small_slide();
    let seen = rect(100.0, 100.0, 500.0, 300.0);
    let fused = |others: &[Analysis]| {
        let mut engine = engine(Limits::default());
        let mut all = wish(&slide, Analysis::Fused(0), seen, BIAS);
        for analysis in others {
            let more = wish(&slide, *analysis, seen, BIAS);
            all.fields.splice(0..0, more.fields);
        }
        engine.ask(all);
        finish(&mut engine);
        let layers = engine.layers();
        (
            texels(&layers, Analysis::Fused(0)),
            texels(&layers, Analysis::Plain(2)),
        )
    };
    assert!(fused(&[]) == fused(&[Analysis::Agreement(0), Analysis::Agreement(1)]));
}

#[test]
fn an_agreement_without_a_partner_is_unknown_and_comes_to_an_end() {
    let slide = small_slide();
    let mut engine = engine(Limits::default());
    engine.ask(wish(&slide, Analysis::Agreement(2), everywhere(), BIAS));
    finish(&mut engine);
    let found = texels(&engine.layers(), Analysis::Agreement(2));
    assert!(found.iter().all(|texel| *texel == Texel::UNKNOWN));
}

/// Stamps of the blocks of a map's first pages.
fn stamps(layers: &SharedLayers, analysis: Analysis) -> Vec<((u32, u32, u32), u64)> {
    let mut all = Vec::new();
    for col in 0..2 {
        let id = PageId {
            level: 0,
            col,
            row: 0,
        };
        let Some(page) = layers.peek(LayerKey { slide: 7, analysis }, id) else {
            continue;
        };
        let side = page.per_side();
        let blocks = (0..side * side).map(|n| (n % side, n / side));
        all.extend(blocks.map(|(x, y)| ((col, x, y), page.stamp((x, y)))));
    }
    all
}

/// Whether a block of the agreement that counts as finished knows all of its px.
fn is_whole(layers: &SharedLayers, (col, x, y): (u32, u32, u32)) -> bool {
    let key = LayerKey {
        slide: 7,
        analysis: Analysis::Agreement(0),
    };
    let id = PageId {
        level: 0,
        col,
        row: 0,
    };
    let page = layers.peek(key, id).unwrap();
    let side = PAGE_PX / page.per_side();
    let px = (0..side * side).map(|n| (x * side + n % side, y * side + n / side));
    px.into_iter()
        .all(|(x, y)| page.texel(x, y).code != UNKNOWN)
}

#[derive(Debug, Clone)]
enum Act {
    Look(u32, Analysis),
    Turn(u8),
    Step(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let analysis = prop_oneof![
        3 => Just(Analysis::Agreement(0)),
        1 => Just(Analysis::Fused(0)),
        1 => Just(Analysis::Plain(2)),
    ];
    let act = prop_oneof![
        (0..300_u32, analysis).prop_map(|(x, analysis)| Act::Look(x, analysis)),
        (0..4_u8).prop_map(Act::Turn),
        (1..20_u8).prop_map(Act::Step),
    ];
    proptest::collection::vec(act, 4..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However wishes and work interleave: no px of the agreement or of its maps goes back to an
    /// older bias, what counts as finished has both maps, and in the end it follows from them.
    #[test]
    fn stale_agreement_never_overwrites_newer(acts in acts()) {
        let slide = small_slide();
        let mut engine = engine(Limits::default());
        let layers = engine.layers();
        let seen = |x: u32| rect(f64::from(x), 20.0, 200.0, 160.0);
        let (mut x, mut bias, mut analysis) = (0, [0.0; 3], Analysis::Agreement(0));
        let mut newest: HashMap<_, u64> = HashMap::new();
        for act in acts {
            match act {
                Act::Look(at, what) => (x, analysis) = (at, what),
                Act::Turn(n) => bias = [f32::from(n) * 40.0, 0.0, f32::from(n % 2) * 90.0],
                Act::Step(count) => (0..count).for_each(|_| _ = engine.step()),
            }
            engine.ask(wish(&slide, analysis, seen(x), bias));
            for map in MAPS {
                for (block, stamp) in stamps(&layers, map) {
                    let before = newest.insert((map, block), stamp);
                    let before = before.filter(|stamp| *stamp != NO_STAMP).unwrap_or(0);
                    prop_assert!(stamp >= before, "block {:?} of {} went back", block, map);
                    let whole = map != MAPS[0] || [0, NO_STAMP].contains(&stamp);
                    prop_assert!(whole || is_whole(&layers, block));
                }
            }
        }
        engine.ask(asked(&slide, seen(x), bias));
        finish(&mut engine);
        let (found, meant) = (codes(&layers, Analysis::Agreement(0)), by_hand(&layers));
        for row in 20..180 {
            let px = row * WIDTH + x as usize..row * WIDTH + x as usize + 200;
            prop_assert!(found[px.clone()] == meant[px.clone()], "row {row}");
            prop_assert!(!found[px].contains(&UNKNOWN));
        }
    }
}
