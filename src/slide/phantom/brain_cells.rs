//! What the brain is made of: its materials, its cells and its vessels.

use super::brain::{FOLD, LAYER_ONE, LEPTO, LOWER, PIA, UPPER, WHITE};
use super::hash::mix;
use super::material::{Material, Orientation, Population, Surround};
use super::rings::RingFamily;
use super::spec::ClassKnobs;

/// The materials, drawn towards their neighbours as the knobs say.
pub fn materials(knobs: &[ClassKnobs]) -> Vec<Material> {
    // fibrils bundles clefts streaks | granules mesh vacuoles blotches
    let lepto = Material::new(
        3,
        0.07,
        0.46,
        [0.10, 0.12, 0.75, 0.05, 0.03, 0.10, 0.10, 0.05],
    );
    let layer_one = Material::new(
        4,
        0.12,
        0.38,
        [0.02, 0.0, 0.0, 0.02, 0.09, 0.22, 0.35, 0.03],
    );
    let upper = Material::new(
        1,
        0.20,
        0.33,
        [0.01, 0.0, 0.0, 0.02, 0.09, 0.20, 0.30, 0.03],
    );
    let lower = Material::new(
        1,
        0.19,
        0.34,
        [0.02, 0.0, 0.0, 0.02, 0.09, 0.20, 0.30, 0.03],
    );
    let white = Material::new(
        2,
        0.06,
        0.48,
        [0.08, 0.04, 0.10, 0.05, 0.05, 0.16, 0.50, 0.02],
    );
    let fold = Material::new(
        5,
        0.40,
        0.80,
        [0.12, 0.20, 0.05, 0.12, 0.10, 0.10, 0.10, 0.08],
    );
    let like = |i: usize| knobs[i].similarity as f32;
    vec![
        Material::glass(),
        lepto.towards(&layer_one, like(3) * 0.6),
        layer_one.towards(&upper, like(4)),
        upper.towards(&white, like(1)),
        lower.towards(&white, like(1)),
        white.towards(&lower, like(2)),
        fold.towards(&lower, like(5)),
        Material {
            ink: Some([38.0, 62.0, 120.0]),
            ..Material::new(5, 0.0, 0.0, [0.0; 8])
        },
    ]
}

/// The cells, in painting order.
pub fn populations(knobs: &[ClassKnobs]) -> Vec<Population> {
    let clear = |k: f32, alpha: f32, chance: f32| {
        Some(Surround {
            scale: (k, k),
            h: 0.03,
            e: 0.08,
            alpha,
            taper: 0.0,
            chance,
        })
    };
    let oligo = Population {
        halo: clear(1.55, 0.7, 0.5),
        row: 3,
        orientation: Orientation::Fibres,
        ..Population::round(24.0, (2.7, 3.4), 1.35)
    };
    let satellite = Population {
        halo: clear(1.4, 0.55, 0.35),
        ..Population::round(19.0, (2.7, 3.4), 1.35)
    };
    let astro = Population {
        chromatin: 0.22,
        ..Population::round(25.0, (3.8, 5.0), 0.75)
    };
    let rod = Population {
        aspect: (3.0, 5.0),
        bend: 0.6,
        ..Population::round(34.0, (4.5, 7.5), 1.25)
    };
    let mut cells = neurons(knobs);
    cells.extend([
        oligo
            .living_in(&[(WHITE, 0.62), (LOWER, 0.04), (FOLD, 0.4)])
            .varied(knobs[2].variability),
        satellite
            .living_in(&[
                (WHITE, 0.12),
                (UPPER, 0.22),
                (LOWER, 0.26),
                (LAYER_ONE, 0.10),
                (FOLD, 0.3),
            ])
            .varied(knobs[1].variability),
        astro
            .living_in(&[
                (WHITE, 0.35),
                (UPPER, 0.30),
                (LOWER, 0.30),
                (LAYER_ONE, 0.42),
                (FOLD, 0.4),
            ])
            .varied(knobs[4].variability),
        rod.living_in(&[
            (WHITE, 0.20),
            (UPPER, 0.16),
            (LOWER, 0.16),
            (LAYER_ONE, 0.12),
        ]),
        Population::spindle(12.5, (4.5, 8.0), 1.15)
            .living_in(&[(LEPTO, 0.62), (FOLD, 0.1)])
            .varied(knobs[3].variability),
        Population::round(16.0, (2.7, 3.6), 1.3)
            .living_in(&[(LEPTO, 0.28)])
            .varied(knobs[3].variability),
    ]);
    cells
}

/// Pyramidal cells, small ones above and large ones below.
fn neurons(knobs: &[ClassKnobs]) -> Vec<Population> {
    let soma = |long: f32, wide: f32| {
        Some(Surround {
            scale: (long, wide),
            h: 0.55,
            e: 0.42,
            alpha: 0.85,
            taper: 0.5,
            chance: 1.0,
        })
    };
    let neuron = Population {
        orientation: Orientation::Slope(PIA),
        nucleolus: 0.9,
        rim: 0.22,
        chromatin: 0.10,
        halo: Some(Surround {
            scale: (2.9, 2.0),
            h: 0.02,
            e: 0.10,
            alpha: 0.55,
            taper: 0.5,
            chance: 0.6,
        }),
        body: soma(2.6, 1.65),
        ..Population::round(24.0, (3.0, 4.4), 0.62)
    };
    let large = Population {
        length_um: (4.2, 6.6),
        body: soma(3.0, 1.7),
        pitch_um: 38.0,
        ..neuron.clone()
    };
    vec![
        neuron
            .living_in(&[(UPPER, 0.60), (LOWER, 0.18), (LAYER_ONE, 0.02)])
            .varied(knobs[1].variability),
        large
            .living_in(&[(LOWER, 0.62), (UPPER, 0.10)])
            .varied(knobs[1].variability),
    ]
}

/// Capillaries, then larger vessels.
pub fn families(seed: u64) -> Vec<RingFamily> {
    let family = |n: u64, pitch: f64, reach_um: f64, fade_mpp: (f64, f64)| RingFamily {
        seed: mix(seed ^ mix(n ^ 0x7e55)),
        pitch_um: (pitch, pitch),
        jitter: (1.0, 1.0),
        angle: 0.3 + n as f64,
        reach_um,
        fade_mpp,
    };
    vec![
        family(1, 62.0, 42.0, (2.2, 3.9)),
        family(2, 120.0, 90.0, (9.0, 15.0)),
    ]
}
