//! Cerebral cortex: a folded ribbon of grey matter under a superficial layer and the
//! leptomeninges, white matter inside; folds of the section and ink are excluded.

use super::anatomy::{
    Anatomy, Candidate, Common, FAR_UM, Fields, Noises, OWN_NOISE, Weights, Widths, cover,
    knobs_by_class, sample_noises, threshold,
};
use super::hash::{Draws, Field, mix};
use super::material::{Material, Orientation, Population, Surround};
use super::rings::{Ring, RingFamily, RingKind};
use super::spec::{ClassKnobs, PhantomSpec};

const LEPTO: usize = 1;
const LAYER_ONE: usize = 2;
const UPPER: usize = 3;
const LOWER: usize = 4;
const WHITE: usize = 5;
const FOLD: usize = 6;
const INK: usize = 7;

/// Fields of this program.
const PIA: usize = 0;
const OUTER: usize = 1;
const FOLD_AT: usize = 2;
const INK_AT: usize = 3;

/// Noises of this program.
const SULCI: usize = OWN_NOISE;
const RIBBON: usize = OWN_NOISE + 1;
const MENINGES: usize = OWN_NOISE + 2;
const FOLD_RIDGE: usize = OWN_NOISE + 3;
const FOLD_MASK: usize = OWN_NOISE + 4;

/// The brain program.
#[derive(Debug)]
pub struct Brain {
    common: Common,
    noises: Vec<Field>,
    seed: u64,
    layer_one_um: f64,
    ribbon_um: f64,
    meninges_um: f64,
    fold_level: f64,
    ambiguity: Widths,
    materials: Vec<Material>,
    populations: Vec<Population>,
    families: Vec<RingFamily>,
}

impl Brain {
    /// Builds the program for `spec`.
    pub fn new(spec: &PhantomSpec) -> Self {
        let common = Common::new(spec, 1.0);
        let knobs = knobs_by_class(spec);
        let s = common.scale_um;
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xb4a1));
        let width = |i: usize| knobs[i].ambiguity_um as f32;
        let own = [
            Field::new(seed(1), &[(1.0, 0.95 * s), (0.25, 0.3 * s)]),
            Field::new(seed(2), &[(0.10, 0.5 * s), (0.035, 300.0), (0.012, 70.0)]),
            Field::new(seed(3), &[(0.9, 900.0), (0.3, 180.0)]),
            Field::new(seed(4), &[(1.0, 0.8 * s), (0.05, 90.0)]),
            Field::new(seed(5), &[(1.0, 0.45 * s)]),
        ];
        let mut brain = Self {
            noises: common.with_noises(own),
            seed: spec.seed,
            layer_one_um: 0.0,
            ribbon_um: 1.0,
            meninges_um: 1.0,
            fold_level: 0.0,
            ambiguity: [3.0, width(3), width(4), 260.0, width(2), width(5), 4.0, 1.0],
            materials: materials(&knobs),
            populations: populations(&knobs),
            families: families(spec.seed),
            common,
        };
        brain.fit_shares(&knobs);
        brain
    }

    /// Chooses thicknesses so that the classes get their shares of the tissue.
    fn fit_shares(&mut self, knobs: &[ClassKnobs]) {
        let depths: Vec<(f64, f64, f64)> = self.survey_depths();
        let total: f64 = knobs[1..]
            .iter()
            .map(|k| k.frequency)
            .sum::<f64>()
            .max(1e-6);
        let share = |i: usize| knobs[i].frequency / total;
        let mut inside: Vec<f64> = depths.iter().map(|d| d.0).filter(|&d| d > 0.0).collect();
        if inside.is_empty() {
            return;
        }
        let below = (1.0 - share(3)).max(1e-6);
        self.ribbon_um = threshold(&mut inside, share(2) / below).max(8.0);
        self.layer_one_um =
            threshold(&mut inside, 1.0 - share(4) / below).clamp(2.0, self.ribbon_um);
        // Outside the pia lies a rim as thick as a share of all tissue makes it.
        let mut rim: Vec<f64> = depths
            .iter()
            .filter(|d| d.0 <= 0.0)
            .map(|d| -d.0 / d.2)
            .collect();
        let wanted = share(3) / below * inside.len() as f64 / rim.len().max(1) as f64;
        self.meninges_um = threshold(&mut rim, 1.0 - wanted).clamp(4.0, 0.2 * self.common.scale_um);
        let mut folds: Vec<f64> = depths.iter().filter(|d| d.0 > 0.0).map(|d| d.1).collect();
        self.fold_level = threshold(&mut folds, share(5));
    }

    fn survey_depths(&self) -> Vec<(f64, f64, f64)> {
        self.common
            .survey_points()
            .map(|(x, y)| {
                let n = sample_noises(&self.noises, x, y, 60.0);
                (self.pia(x, y, &n), self.fold_raw(&n), rim_thickness(&n))
            })
            .collect()
    }

    /// Signed depth below the pia, µm.
    fn pia(&self, x: f64, y: f64, noises: &Noises) -> f64 {
        let s = self.common.scale_um;
        let outline = self.common.outline(x, y, noises);
        let n = noises[SULCI];
        // Sulci are where the field is 0, open at the surface and closing with depth.
        let walls = n.abs() * 0.42 * s - 0.012 * s;
        let sulcus = walls + (outline - 0.42 * s).max(0.0) * 1.3;
        let k = 0.05 * s;
        let blend = ((k - (outline - sulcus).abs()) / k).max(0.0);
        outline.min(sulcus) - blend * blend * k * 0.25
    }

    fn fold_raw(&self, n: &Noises) -> f64 {
        let s = self.common.scale_um;
        // Narrow ridges where the field is 0, in a few places only.
        (n[FOLD_MASK] - 0.35).min(0.5) * 0.05 * s - n[FOLD_RIDGE].abs() * 0.3 * s
    }

    /// A stroke of ink across a corner of the slide.
    fn ink(&self, x: f64, y: f64) -> f64 {
        let s = self.common.scale_um;
        if y > 0.2 * s {
            return -f64::from(f32::MAX).sqrt();
        }
        let (w, _) = self.common.size_um();
        let sway = 0.03 * s * (x / (0.21 * s) + (self.seed % 7) as f64).sin();
        let along = ((x - 0.12 * w).min(0.30 * w - x)).min(0.05 * s);
        let across = 0.022 * s - (y - 0.085 * s - sway).abs();
        across.min(along)
    }
}

impl Anatomy for Brain {
    fn noises(&self) -> &[Field] {
        &self.noises
    }

    fn compose(&self, x: f64, y: f64, n: &Noises) -> Fields {
        let mut f = Fields::default();
        let pia = self.pia(x, y, n);
        let outer = pia + self.meninges_um * rim_thickness(n);
        f[PIA] = pia as f32;
        f[OUTER] = outer as f32;
        f[INK_AT] = self.ink(x, y) as f32;
        if outer < -FAR_UM {
            return f;
        }
        if pia > 0.0 {
            // Layers swell and thin together: depth is measured against the local ribbon.
            f[PIA] = (pia * (1.0 + n[RIBBON]).clamp(0.6, 1.5)) as f32;
        }
        f[FOLD_AT] = (self.fold_raw(n) - self.fold_level) as f32;
        self.common.fill(&mut f, n);
        f
    }

    fn widths(&self, footprint_um: f32) -> Widths {
        self.ambiguity.map(|w| w.hypot(footprint_um))
    }

    #[inline]
    fn weights(&self, f: &Fields, w: &Widths) -> Weights {
        let mut out = Weights::default();
        let ink = cover(f[INK_AT], w[6]);
        let tissue = cover(f[OUTER], w[0]) * (1.0 - ink);
        let fold = tissue * cover(f[FOLD_AT], w[5]);
        let mut rest = tissue - fold;
        out[0] = 1.0 - tissue - ink;
        out[INK] = ink;
        out[FOLD] = fold;
        let mut layer = |slot: usize, distance: f32, width: f32| {
            let deeper = rest * cover(distance, width);
            out[slot] = rest - deeper;
            rest = deeper;
        };
        let (one, ribbon) = (self.layer_one_um as f32, self.ribbon_um as f32);
        layer(LEPTO, f[PIA], w[1]);
        layer(LAYER_ONE, f[PIA] - one, w[2]);
        layer(
            UPPER,
            f[PIA] - one - 0.45 * (ribbon - one),
            w[3].min(0.5 * (ribbon - one) + 1.0),
        );
        layer(LOWER, f[PIA] - ribbon, w[4]);
        out[WHITE] = rest;
        out
    }

    fn materials(&self) -> &[Material] {
        &self.materials
    }

    fn populations(&self) -> &[Population] {
        &self.populations
    }

    fn ring_families(&self) -> &[RingFamily] {
        &self.families
    }

    fn ring(&self, family: usize, c: &Candidate) -> Option<Ring> {
        let mut draws = Draws::new(c.hash);
        let weights = self.weights(&c.fields, &self.widths(1.0));
        let neuropil = weights[LAYER_ONE] + weights[UPPER] + weights[LOWER] + 0.6 * weights[WHITE];
        let (kind, chance, radius_um, wall_um) = if family == 0 {
            let radius = draws.range(3.2, 6.0);
            (RingKind::Capillary, neuropil * 0.8, radius, 1.3)
        } else {
            let radius = draws.range(9.0, 34.0);
            (
                RingKind::Vessel,
                weights[LEPTO] * 0.75 + neuropil * 0.06,
                radius,
                2.0 + 0.12 * radius,
            )
        };
        if draws.unit() > chance {
            return None;
        }
        let angle = f64::from(draws.unit()) * std::f64::consts::TAU;
        let long = draws.unit();
        let half_um = if long > 0.55 {
            (long - 0.55) * 2.2 * if family == 0 { 26.0 } else { 30.0 }
        } else {
            0.0
        };
        let mut lobe = || (draws.range(-0.1, 0.1), draws.range(-0.1, 0.1));
        Some(Ring {
            kind,
            id: c.id,
            class: None,
            hash: mix(c.hash),
            x: c.x,
            y: c.y,
            axis: (angle.cos(), angle.sin()),
            half_um,
            radius_um,
            wall_um,
            lobes: [lobe(), lobe()],
        })
    }

    fn fibre_angle(&self) -> f64 {
        self.common.fibre_angle
    }
}

/// Relative thickness of the leptomeninges, about 1.
fn rim_thickness(n: &Noises) -> f64 {
    (1.0 + n[MENINGES]).clamp(0.25, 2.6)
}

fn materials(knobs: &[ClassKnobs]) -> Vec<Material> {
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
        0.19,
        0.37,
        [0.01, 0.0, 0.0, 0.02, 0.09, 0.20, 0.30, 0.03],
    );
    let lower = Material::new(
        1,
        0.18,
        0.38,
        [0.02, 0.0, 0.0, 0.02, 0.09, 0.20, 0.30, 0.03],
    );
    let white = Material::new(
        2,
        0.10,
        0.51,
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

fn populations(knobs: &[ClassKnobs]) -> Vec<Population> {
    let clear = |k: f32, alpha: f32| {
        Some(Surround {
            scale: (k, k),
            h: 0.05,
            e: 0.14,
            alpha,
            taper: 0.0,
        })
    };
    let soma = |long: f32, wide: f32| {
        Some(Surround {
            scale: (long, wide),
            h: 0.55,
            e: 0.42,
            alpha: 0.85,
            taper: 0.5,
        })
    };
    let neuron = Population {
        orientation: Orientation::Slope(PIA),
        nucleolus: 0.9,
        rim: 0.22,
        chromatin: 0.10,
        halo: Some(Surround {
            scale: (3.1, 2.3),
            h: 0.04,
            e: 0.14,
            alpha: 0.55,
            taper: 0.5,
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
    let oligo = Population {
        halo: clear(1.55, 0.62),
        row: 3,
        orientation: Orientation::Fibres,
        ..Population::round(24.0, (2.7, 3.4), 1.35)
    };
    let satellite = Population {
        halo: clear(1.4, 0.5),
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
    vec![
        neuron
            .living_in(&[(UPPER, 0.60), (LOWER, 0.18), (LAYER_ONE, 0.02)])
            .varied(knobs[1].variability),
        large
            .living_in(&[(LOWER, 0.62), (UPPER, 0.10)])
            .varied(knobs[1].variability),
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
    ]
}

fn families(seed: u64) -> Vec<RingFamily> {
    let family = |n: u64, pitch: f64, reach_um: f64, drop_above_mpp: f64| RingFamily {
        seed: mix(seed ^ mix(n ^ 0x7e55)),
        pitch_um: (pitch, pitch),
        jitter: (1.0, 1.0),
        stagger: 0.35,
        angle: 0.3 + n as f64,
        reach_um,
        drop_above_mpp,
    };
    vec![family(1, 62.0, 42.0, 3.0), family(2, 120.0, 90.0, 20.0)]
}
