//! Maps on which one of two magnifications has no say.

use super::tests::{biased, everywhere, finish, rect, small_slide, texels, wish};
use super::*;
use crate::geometry::SlideRect;
use crate::labels::{NOT_ANALYSED, Ranks, UNKNOWN};
use crate::segment::fusion::Fusion;

const BIAS: [f32; 3] = [1.0, 0.0, -0.5];

/// 40x has no weight beside 10x, 5x has none beside 20x.
fn one_sided() -> Fusion {
    Fusion {
        weight_of_fine: [(0, 0.0), (1, 1.0)].into(),
        temperature: [(0, 3.0), (1, 2.0), (2, 1.5), (3, 0.5)].into(),
    }
}

/// An engine that has done all that was asked of it.
fn done(analysis: Analysis, seen: SlideRect) -> Engine<super::tests::Biased> {
    let ranks = Ranks::by_rarity(&[3.0, 2.0, 1.0]);
    let (limits, layers) = (Limits::default(), SharedLayers::default());
    let mut engine = Engine::new(biased(), one_sided(), ranks, 16.0, limits, layers);
    engine.ask(wish(&small_slide(), analysis, seen, BIAS));
    finish(&mut engine);
    assert_eq!(engine.status().failure, None);
    engine
}

#[test]
fn a_magnification_without_weight_is_not_worked_on_and_nothing_waits_for_it() {
    let seen = rect(200.0, 100.0, 300.0, 300.0);
    for (map, plain) in [
        (Analysis::InPlace(0), Analysis::Plain(2)),
        (Analysis::Alone(1), Analysis::Plain(1)),
    ] {
        let (mut ours, alone) = (done(map, seen), done(plain, seen));
        let fused = Analysis::Fused(map.scale());
        let mut both = done(fused, seen);
        let (ours_status, alone) = (ours.status(), alone.status());
        assert!(ours_status.encoded >= alone.encoded);
        // A coarse tile or two more at the rim, where interpolation reaches into the neighbours.
        let most = alone.encoded + alone.encoded / 2;
        assert!(ours_status.encoded <= most, "{ours_status:?}, {alone:?}");
        assert!(both.status().encoded > ours_status.encoded);
        assert_eq!(ours_status.waiting, 0);
        assert!(ours_status.areas.unwrap().known > 0.999);
        // Every cell is what was asked for: none lacks tiles that have a say.
        ours.ask(wish(&small_slide(), map, seen, BIAS));
        assert_eq!(ours.status().waiting, 0, "{map}");
        both.ask(wish(&small_slide(), fused, seen, BIAS));
        assert_eq!(both.status().waiting, 0, "{fused}");
        let turned = [9.0, 0.0, 0.0];
        ours.ask(wish(&small_slide(), map, seen, turned));
        assert_eq!(ours.status().waiting as u64, ours_status.encoded, "{map}");
    }
}

#[test]
fn what_is_shown_is_what_fusing_with_such_a_weight_gives() {
    for (map, scale) in [(Analysis::InPlace(0), 0), (Analysis::Alone(1), 1)] {
        let fused = Analysis::Fused(scale);
        let ours = texels(&done(map, everywhere()).layers(), map);
        let meant = texels(&done(fused, everywhere()).layers(), fused);
        let class = |code: u8| code < 3;
        let known = ours.iter().filter(|texel| class(texel.code)).count();
        assert!(known > 10_000 && ours.iter().any(|texel| texel.code == NOT_ANALYSED));
        assert!(ours.iter().all(|texel| texel.code != UNKNOWN));
        // At the rim of what was analysed fusing has nothing to go between and takes the finer map.
        let apart = ours.iter().zip(&meant).filter(|(a, b)| a != b).count();
        assert!(apart * 100 <= known, "{map}: {apart} of {known}");
        let same = ours.iter().zip(&meant).all(|(a, b)| {
            class(a.code) == class(b.code) || a.code == NOT_ANALYSED || b.code == NOT_ANALYSED
        });
        assert!(same, "{map}");
    }
}
