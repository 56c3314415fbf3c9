//! Cerebral cortex: a folded ribbon of grey matter under a superficial layer and the
//! leptomeninges, white matter inside; folds of the section and ink are excluded.

use super::anatomy::{
    Anatomy, Candidate, Common, Fields, Noises, OWN, Weights, Widths, cover, knobs_by_class,
    noises_at, threshold,
};
use super::brain_cells;
use super::hash::{Draws, Field, mix};
use super::material::{Material, Population};
use super::rings::{Ring, RingFamily, RingKind};
use super::spec::{ClassKnobs, PhantomSpec};

/// Materials of this program.
pub const LEPTO: usize = 1;
pub const LAYER_ONE: usize = 2;
pub const UPPER: usize = 3;
pub const LOWER: usize = 4;
pub const WHITE: usize = 5;
pub const FOLD: usize = 6;
pub const INK: usize = 7;

/// Noises of this program.
const SULCI: usize = OWN;
const RIBBON: usize = OWN + 1;
const MENINGES: usize = OWN + 2;
const FOLDS: usize = OWN + 3;
const FOLD_MASK: usize = OWN + 4;

/// Fields of this program.
pub const PIA: usize = 0;
const OUTER: usize = 1;
const FOLD_AT: usize = 2;
const INK_AT: usize = 3;

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
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xb4a1));
        let knobs = knobs_by_class(spec);
        // Folds are the more ragged, the more they vary.
        let raggedness = knobs[5].variability;
        let (common, noises) = Common::new(spec, 1.0, |s| {
            vec![
                Field::new(seed(1), &[(1.0, 0.95 * s), (0.25, 0.3 * s)]),
                Field::new(seed(2), &[(0.10, 0.5 * s), (0.035, 300.0), (0.012, 70.0)]),
                Field::new(seed(3), &[(0.9, 900.0), (0.3, 180.0)]),
                Field::new(seed(4), &[(1.0, 0.8 * s), (0.1 * raggedness, 90.0)]),
                Field::new(seed(5), &[(1.0, 0.45 * s)]),
            ]
        });
        let width = |i: usize| knobs[i].ambiguity_um as f32;
        let mut brain = Self {
            noises,
            seed: spec.seed,
            layer_one_um: 0.0,
            ribbon_um: 1.0,
            meninges_um: 1.0,
            fold_level: 0.0,
            ambiguity: [
                width(0).max(2.0),
                width(3),
                width(4),
                260.0,
                // The border between grey and white matter is both classes'.
                (width(1) + width(2)) * 0.5,
                width(5),
                4.0,
                1.0,
            ],
            materials: brain_cells::materials(&knobs),
            populations: brain_cells::populations(&knobs),
            families: brain_cells::families(spec.seed),
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
                let n = noises_at(&self.noises, x, y, 60.0);
                (self.pia(x, y, &n), self.fold_raw(&n), rim_thickness(&n))
            })
            .collect()
    }

    /// Signed depth below the pia, µm.
    fn pia(&self, x: f64, y: f64, noises: &Noises) -> f64 {
        let s = self.common.scale_um;
        let outline = self.common.outline(x, y, noises);
        // Sulci are where the field is 0, open at the surface and closing with depth.
        let walls = noises[SULCI].abs() * 0.42 * s - 0.012 * s;
        let sulcus = walls + (outline - 0.42 * s).max(0.0) * 1.3;
        let k = 0.05 * s;
        let blend = ((k - (outline - sulcus).abs()) / k).max(0.0);
        outline.min(sulcus) - blend * blend * k * 0.25
    }

    fn fold_raw(&self, noises: &Noises) -> f64 {
        let s = self.common.scale_um;
        // Narrow ridges where the field is 0, in a few places only.
        (noises[FOLD_MASK] - 0.35).min(0.5) * 0.05 * s - noises[FOLDS].abs() * 0.3 * s
    }

    /// A stroke of ink across a corner of the slide.
    fn ink(&self, x: f64, y: f64) -> f64 {
        let s = self.common.scale_um;
        let (w, _) = self.common.size_um();
        let sway = 0.03 * s * (x / (0.21 * s) + (self.seed % 7) as f64).sin();
        let along = ((x - 0.12 * w).min(0.30 * w - x)).min(0.05 * s);
        let across = 0.022 * s - (y - 0.085 * s - sway).abs();
        across.min(along)
    }
}

/// Relative thickness of the leptomeninges, about 1.
fn rim_thickness(noises: &Noises) -> f64 {
    (1.0 + noises[MENINGES]).clamp(0.25, 2.6)
}

impl Anatomy for Brain {
    fn noises(&self) -> &[Field] {
        &self.noises
    }

    fn compose(&self, x: f64, y: f64, noises: &Noises) -> Fields {
        let mut f = Fields::default();
        let pia = self.pia(x, y, noises);
        let outer = pia + self.meninges_um * rim_thickness(noises);
        // Layers swell and thin together: depth is measured against the local ribbon.
        let swell = (1.0 + noises[RIBBON]).clamp(0.6, 1.5);
        f[PIA] = if pia > 0.0 {
            (pia * swell) as f32
        } else {
            pia as f32
        };
        f[OUTER] = outer as f32;
        f[FOLD_AT] = (self.fold_raw(noises) - self.fold_level) as f32;
        f[INK_AT] = self.ink(x, y) as f32;
        self.common.fill(&mut f, noises);
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
            soft_um: 0.0,
            likeness: 0.0,
            lobes: [lobe(), lobe()],
        })
    }

    fn heart(&self, material: usize) -> Option<Fields> {
        let mut f = [0.0, 1e5, -1e4, -1e4, 0.0, 0.0, 0.0, 0.0];
        let (one, ribbon) = (self.layer_one_um as f32, self.ribbon_um as f32);
        f[PIA] = match material {
            LEPTO => -1e4,
            LAYER_ONE => one * 0.5,
            UPPER => one + 0.15 * (ribbon - one),
            LOWER => one + 0.8 * (ribbon - one),
            WHITE => ribbon + 1e4,
            _ => return None,
        };
        Some(f)
    }

    fn fibre_angle(&self) -> f64 {
        self.common.fibre_angle
    }
}
