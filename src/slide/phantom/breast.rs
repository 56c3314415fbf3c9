//! Invasive breast carcinoma: nests of tumour with necrotic cores in a fibrous stroma, crowds of
//! lymphocytes at its edge, lobules of fat, vessels and normal ducts.

use super::anatomy::{
    Anatomy, Candidate, Common, Fields, Noises, OWN, TINT, Weights, Widths, cover, knobs_by_class,
    noises_at, threshold,
};
use super::hash::{Draws, Field, mix};
use super::material::{Material, Population, Surround};
use super::rings::{Ring, RingFamily, RingKind};
use super::spec::{ClassKnobs, PhantomSpec};

const STROMA: usize = 1;
const TUMOR: usize = 2;
const CROWD: usize = 3;
const NECROSIS: usize = 4;
const FAT: usize = 5;
const LOOSE: usize = 6;

const OUTLINE: usize = 0;
const NEST: usize = 1;
const CORE: usize = 2;
const CROWD_AT: usize = 3;
const FAT_AT: usize = 7;

/// Microns of distance that one unit of each noise field stands for.
const NEST_UM: f64 = 95.0;
const CORE_UM: f64 = 120.0;
const CROWD_UM: f64 = 110.0;
const FAT_UM: f64 = 420.0;

/// The breast program.
#[derive(Debug)]
pub struct Breast {
    common: Common,
    noises: Vec<Field>,
    /// Levels above which a place belongs to a nest, a core, a crowd, fat.
    levels: [f64; 4],
    ambiguity: Widths,
    duct_spread_um: f32,
    materials: Vec<Material>,
    populations: Vec<Population>,
    families: Vec<RingFamily>,
}

impl Breast {
    /// Builds the program for `spec`.
    pub fn new(spec: &PhantomSpec) -> Self {
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xb4ea));
        let (common, noises) = Common::new(spec, 1.5, |s| {
            let s = s.min(6000.0);
            let nests = [(1.0, 330.0), (0.55, 150.0), (0.20, 62.0), (0.05, 24.0)];
            vec![
                Field::new(seed(1), &[(1.0, 0.55 * s), (0.4, 0.2 * s)]),
                Field::new(seed(2), &nests),
                Field::new(seed(3), &[(0.8, 420.0), (0.3, 120.0), (0.08, 40.0)]),
                Field::new(seed(4), &[(1.0, 520.0), (0.5, 170.0), (0.2, 60.0)]),
                Field::new(seed(5), &[(1.0, 0.42 * s), (0.35, 520.0), (0.10, 150.0)]),
            ]
        });
        let knobs = knobs_by_class(spec);
        let width = |i: usize| knobs[i].ambiguity_um as f32;
        let mut breast = Self {
            noises,
            levels: [0.0; 4],
            ambiguity: [
                width(0).max(3.0),
                width(1),
                width(4),
                width(3),
                // The border of fat is stroma's as much as its own.
                (width(2) + width(5)) * 0.5,
                1.0,
                1.0,
                1.0,
            ],
            duct_spread_um: 10.0 + 8.0 * knobs[5].variability as f32,
            materials: materials(&knobs),
            populations: populations(&knobs),
            families: families(spec.seed),
            common,
        };
        breast.fit_shares(&knobs);
        breast
    }

    /// Nests gather where the mass is; cores lie where the mass is thickest.
    fn raw(&self, noises: &Noises) -> [f64; 4] {
        let [mass, nests, cores, crowds, fat] = std::array::from_fn(|i| noises[OWN + i]);
        let nest = nests + 1.5 * mass;
        let core = cores + 0.75 * nest;
        let crowd = crowds - 0.5 * (nest - self.levels[0]).abs();
        let fat = fat - 0.9 * mass;
        [nest, core, crowd, fat]
    }

    /// Chooses the levels one after the other, in painting order, on a coarse survey.
    fn fit_shares(&mut self, knobs: &[ClassKnobs]) {
        let total: f64 = knobs[1..]
            .iter()
            .map(|k| k.frequency)
            .sum::<f64>()
            .max(1e-6);
        let share = |i: usize| knobs[i].frequency / total;
        let inside: Vec<Noises> = self
            .common
            .survey_points()
            .map(|(x, y)| (x, y, noises_at(&self.noises, x, y, 60.0)))
            .filter(|(x, y, n)| self.common.outline(*x, *y, n) > 0.0)
            .map(|(.., n)| n)
            .collect();
        let pick = |this: &Self, field: usize, keep: &dyn Fn(&[f64; 4]) -> bool| -> Vec<f64> {
            inside
                .iter()
                .map(|noises| this.raw(noises))
                .filter(|raw| keep(raw))
                .map(|raw| raw[field])
                .collect()
        };
        let nested = share(1) + share(4);
        self.levels[0] = threshold(&mut pick(self, 0, &|_| true), nested);
        let nest = self.levels[0];
        self.levels[1] = threshold(
            &mut pick(self, 1, &|r| r[0] > nest),
            share(4) / nested.max(1e-6),
        );
        let free = (1.0 - nested).max(1e-6);
        self.levels[2] = threshold(&mut pick(self, 2, &|r| r[0] <= nest), share(3) / free);
        let crowd = self.levels[2];
        let rest = (free - share(3)).max(1e-6);
        self.levels[3] = threshold(
            &mut pick(self, 3, &|r| r[0] <= nest && r[2] <= crowd),
            share(5) * 0.93 / rest,
        );
    }
}

impl Anatomy for Breast {
    fn noises(&self) -> &[Field] {
        &self.noises
    }

    fn compose(&self, x: f64, y: f64, noises: &Noises) -> Fields {
        let mut f = Fields::default();
        let raw = self.raw(noises);
        f[OUTLINE] = self.common.outline(x, y, noises) as f32;
        f[NEST] = ((raw[0] - self.levels[0]) * NEST_UM) as f32;
        f[CORE] = ((raw[1] - self.levels[1]) * CORE_UM) as f32;
        f[CROWD_AT] = ((raw[2] - self.levels[2]) * CROWD_UM) as f32;
        f[FAT_AT] = ((raw[3] - self.levels[3]) * FAT_UM) as f32;
        self.common.fill(&mut f, noises);
        f
    }

    fn widths(&self, footprint_um: f32) -> Widths {
        self.ambiguity.map(|w| w.hypot(footprint_um))
    }

    #[inline]
    fn weights(&self, f: &Fields, w: &Widths) -> Weights {
        let mut out = Weights::default();
        let tissue = cover(f[OUTLINE], w[0]);
        out[0] = 1.0 - tissue;
        let nest = tissue * cover(f[NEST], w[1]);
        out[NECROSIS] = nest * cover(f[CORE], w[2]);
        out[TUMOR] = nest - out[NECROSIS];
        let mut rest = tissue - nest;
        out[CROWD] = rest * cover(f[CROWD_AT], w[3]);
        rest -= out[CROWD];
        out[FAT] = rest * cover(f[FAT_AT], w[4]);
        rest -= out[FAT];
        // Loose, watery stroma alternates with dense collagen.
        let loose = (0.5 + 1.1 * (f[TINT] - 0.15)).clamp(0.0, 1.0);
        out[LOOSE] = rest * loose;
        out[STROMA] = rest - out[LOOSE];
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
        let fibrous = weights[STROMA] + weights[LOOSE];
        let (kind, chance, radius_um, wall_um) = match family {
            0 => (
                RingKind::Duct,
                fibrous * 0.35,
                44.0 + draws.range(-1.0, 1.0) * self.duct_spread_um,
                15.0,
            ),
            _ => {
                let radius = draws.range(8.0, 30.0);
                (
                    RingKind::Vessel,
                    fibrous * 0.45 + weights[CROWD] * 0.2,
                    radius,
                    2.5 + 0.18 * radius,
                )
            }
        };
        if draws.unit() > chance {
            return None;
        }
        let angle = f64::from(draws.unit()) * std::f64::consts::TAU;
        let half_um = if draws.unit() > 0.55 {
            draws.range(0.3, 1.4) * radius_um
        } else {
            0.0
        };
        let mut lobe = || (draws.range(-0.12, 0.12), draws.range(-0.12, 0.12));
        Some(Ring {
            kind,
            id: c.id,
            class: Some(5),
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
        let mut f = [-1e4, -1e4, -1e4, -1e4, 0.0, 0.0, 0.0, -1e4];
        f[OUTLINE] = 1e4;
        match material {
            STROMA => f[TINT] = -1.0,
            LOOSE => f[TINT] = 1.0,
            CROWD => f[CROWD_AT] = 1e4,
            _ => return None,
        }
        Some(f)
    }

    fn fat(&self) -> Option<usize> {
        Some(FAT)
    }

    fn fibre_angle(&self) -> f64 {
        self.common.fibre_angle
    }
}

fn materials(knobs: &[ClassKnobs]) -> Vec<Material> {
    // fibrils bundles clefts streaks | granules mesh vacuoles blotches
    let stroma = Material::new(
        2,
        0.08,
        0.58,
        [0.11, 0.20, 0.45, 0.05, 0.03, 0.05, 0.05, 0.06],
    );
    let tumor = Material::new(1, 0.26, 0.48, [0.0, 0.0, 0.10, 0.0, 0.11, 0.28, 0.30, 0.09]);
    let crowd = Material::new(
        3,
        0.17,
        0.42,
        [0.05, 0.05, 0.40, 0.03, 0.07, 0.30, 0.30, 0.06],
    );
    let necrosis = Material::new(
        4,
        0.14,
        0.62,
        [0.0, 0.03, 0.20, 0.0, 0.20, 0.22, 0.50, 0.16],
    );
    let fat = Material::new(5, 0.03, 0.40, [0.05, 0.0, 0.0, 0.0, 0.03, 0.0, 0.0, 0.05]);
    let loose = Material::new(
        2,
        0.07,
        0.38,
        [0.12, 0.12, 0.70, 0.05, 0.03, 0.25, 0.15, 0.05],
    );
    let like = |i: usize| knobs[i].similarity as f32;
    vec![
        Material::glass(),
        stroma.towards(&necrosis, like(2)),
        tumor.towards(&crowd, like(1)),
        crowd.towards(&tumor, like(3)),
        necrosis.towards(&stroma, like(4)),
        fat.towards(&loose, like(5)),
        loose.towards(&crowd, like(2)),
    ]
}

fn populations(knobs: &[ClassKnobs]) -> Vec<Population> {
    let carcinoma = Population {
        aspect: (1.0, 1.7),
        nucleolus: 0.75,
        rim: 0.3,
        chromatin: 0.2,
        h_spread: 0.16,
        ..Population::round(10.4, (3.7, 6.0), 0.92)
    };
    let clear = Some(Surround {
        scale: (1.3, 1.3),
        h: 0.05,
        e: 0.12,
        alpha: 0.45,
        taper: 0.0,
        chance: 1.0,
    });
    let lymphocyte = Population {
        aspect: (1.0, 1.15),
        chromatin: 0.25,
        halo: clear,
        ..Population::round(7.4, (2.7, 3.4), 1.35)
    };
    let plasma_body = Some(Surround {
        scale: (2.0, 1.5),
        h: 0.42,
        e: 0.45,
        alpha: 0.7,
        taper: 0.2,
        chance: 1.0,
    });
    let plasma = Population {
        body: plasma_body,
        ..Population::round(13.0, (2.7, 3.3), 1.25)
    };
    let debris = Population {
        length_um: (0.6, 2.0),
        aspect: (1.0, 1.8),
        ..Population::round(6.0, (0.6, 2.0), 1.3)
    };
    let ghost = Population {
        rim: 0.12,
        ..Population::round(12.0, (3.0, 5.0), 0.38)
    };
    vec![
        Population::spindle(16.0, (6.0, 11.0), 1.05)
            .living_in(&[(STROMA, 0.50), (LOOSE, 0.42), (CROWD, 0.20)])
            .varied(knobs[2].variability),
        ghost
            .living_in(&[(NECROSIS, 0.50)])
            .varied(knobs[4].variability),
        debris
            .living_in(&[(NECROSIS, 0.42), (TUMOR, 0.02)])
            .varied(knobs[4].variability),
        carcinoma
            .living_in(&[(TUMOR, 0.88), (NECROSIS, 0.05)])
            .varied(knobs[1].variability),
        plasma
            .living_in(&[(CROWD, 0.25), (LOOSE, 0.06)])
            .varied(knobs[3].variability),
        lymphocyte
            .living_in(&[
                (CROWD, 0.70),
                (STROMA, 0.02),
                (LOOSE, 0.07),
                (TUMOR, 0.02),
                (NECROSIS, 0.04),
            ])
            .varied(knobs[3].variability),
    ]
}

fn families(seed: u64) -> Vec<RingFamily> {
    let family = |n: u64, pitch: f64, reach_um: f64, fade_mpp: (f64, f64)| RingFamily {
        seed: mix(seed ^ mix(n ^ 0xd0c7)),
        pitch_um: (pitch, pitch),
        jitter: (0.6, 0.6),
        angle: 0.5 + n as f64,
        reach_um,
        fade_mpp,
    };
    vec![
        family(1, 240.0, 170.0, (17.0, 30.0)),
        family(2, 150.0, 90.0, (9.0, 15.0)),
    ]
}
