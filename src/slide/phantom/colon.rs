//! Colonic mucosa: crypts cut across and along in a cellular lamina propria, then the muscularis
//! mucosae, the submucosa and the muscular coat. Every crypt is an instance.

use super::anatomy::{
    AWAY, Anatomy, Candidate, Common, Fields, Noises, OWN, TINT, Weights, Widths, cover,
    knobs_by_class, noises_at, threshold,
};
use super::hash::{Draws, Field, mix};
use super::material::{Material, Population, Surround};
use super::rings::{Ring, RingFamily, RingKind};
use super::spec::{ClassKnobs, PhantomSpec};

const PROPRIA: usize = 1;
const MUSCLE: usize = 2;
const SUBMUCOSA: usize = 3;
const FOLLICLE: usize = 4;
const WATERY: usize = 5;

/// Mucosa with its crypts, seen from afar.
const CUT_ACROSS: usize = 6;
const CUT_ALONG: usize = 7;

/// Among the widths: how far crypts have given way to their mean, 0–1.
const TUBES_AWAY: usize = AWAY;

const OUTLINE: usize = 0;
const MUCOSA: usize = 1;
const COAT: usize = 2;
const FOLLICLE_AT: usize = 3;
const CUT: usize = 7;

const GLAND_CLASS: u8 = 1;
const STROMA_CLASS: u8 = 2;

/// Share of the mucosa that crypts fill.
const CRYPT_SHARE: f64 = 0.425;

/// Thickness of the muscularis mucosae, µm.
const MUSCULARIS_UM: f32 = 55.0;

/// The colon program.
#[derive(Debug)]
pub struct Colon {
    common: Common,
    noises: Vec<Field>,
    mucosa_um: f64,
    coat_um: f64,
    variability: f32,
    gland_ambiguity_um: f32,
    likeness: f32,
    ambiguity: Widths,
    materials: Vec<Material>,
    populations: Vec<Population>,
    families: Vec<RingFamily>,
}

impl Colon {
    /// Builds the program for `spec`.
    pub fn new(spec: &PhantomSpec) -> Self {
        let seed = |n: u64| mix(spec.seed ^ mix(n ^ 0xc010));
        let (common, noises) = Common::new(spec, 0.9, |s| {
            vec![
                Field::new(seed(1), &[(0.22, 0.5 * s), (0.06, 400.0)]),
                Field::new(seed(2), &[(1.0, 620.0), (0.3, 200.0)]),
                Field::new(seed(3), &[(1.0, 0.30 * s.min(5000.0) + 300.0)]),
            ]
        });
        let knobs = knobs_by_class(spec);
        let width = |i: usize| knobs[i].ambiguity_um as f32;
        let mut colon = Self {
            noises,
            mucosa_um: 500.0,
            coat_um: 1500.0,
            variability: knobs[1].variability as f32,
            gland_ambiguity_um: width(1),
            likeness: knobs[1].similarity as f32,
            ambiguity: [
                width(0).max(2.0),
                width(2),
                width(2).max(10.0),
                width(2) + 20.0,
                1.0,
                1.0,
                1.0,
                1.0,
            ],
            materials: materials(&knobs),
            populations: populations(&knobs),
            families: families(spec.seed),
            common,
        };
        colon.fit_shares(&knobs);
        colon
    }

    /// The mucosa is as thick as the share of glands asks for.
    fn fit_shares(&mut self, knobs: &[ClassKnobs]) {
        let total = (knobs[1].frequency + knobs[2].frequency).max(1e-6);
        let mucosa = (knobs[1].frequency / total / CRYPT_SHARE).min(1.0);
        let mut depths: Vec<f64> = self
            .common
            .survey_points()
            .map(|(x, y)| (x, y, noises_at(&self.noises, x, y, 60.0)))
            .map(|(x, y, n)| self.common.outline(x, y, &n) * swell(&n))
            .filter(|&depth| depth > 0.0)
            .collect();
        self.mucosa_um = threshold(&mut depths, 1.0 - mucosa).max(1.0);
        self.coat_um = threshold(&mut depths, (1.0 - mucosa) * 0.45).max(self.mucosa_um + 80.0);
    }
}

/// Layers swell and thin by this factor.
fn swell(noises: &Noises) -> f64 {
    (1.0 + noises[OWN]).clamp(0.6, 1.6)
}

impl Anatomy for Colon {
    fn noises(&self) -> &[Field] {
        &self.noises
    }

    fn compose(&self, x: f64, y: f64, noises: &Noises) -> Fields {
        let mut f = Fields::default();
        let outline = self.common.outline(x, y, noises);
        let depth = outline * swell(noises);
        f[OUTLINE] = outline as f32;
        f[MUCOSA] = (self.mucosa_um - depth) as f32;
        f[COAT] = (depth - self.coat_um) as f32;
        f[FOLLICLE_AT] = ((noises[OWN + 1] - 0.78) * 150.0) as f32;
        f[CUT] = (noises[OWN + 2] * 260.0) as f32;
        self.common.fill(&mut f, noises);
        f
    }

    fn widths(&self, footprint_um: f32) -> Widths {
        let mut widths = self.ambiguity.map(|w| w.hypot(footprint_um));
        widths[TUBES_AWAY] = 0.0;
        widths
    }

    #[inline]
    fn weights(&self, f: &Fields, w: &Widths) -> Weights {
        let mut out = Weights::default();
        let tissue = cover(f[OUTLINE], w[0]);
        out[0] = 1.0 - tissue;
        let mucosa = tissue * cover(f[MUCOSA], w[1]);
        let deep = tissue - mucosa;
        let coat = deep * cover(f[COAT], w[2]).max(cover(f[MUCOSA] + MUSCULARIS_UM, w[1]));
        let follicle = cover(f[FOLLICLE_AT], w[3]);
        let watery = (0.35 + 0.8 * f[TINT]).clamp(0.0, 1.0);
        out[FOLLICLE] = (deep - coat) * follicle * 0.8 + mucosa * follicle * 0.6;
        let propria = mucosa * (1.0 - follicle * 0.6);
        // Where crypts are too small to draw, the mucosa among them takes their mean colour.
        let room = f[OUTLINE].min(f[MUCOSA]) - 30.0;
        let crypts = propria * w[TUBES_AWAY] * cover(room, w[0] + 30.0) * (1.0 - follicle);
        out[CUT_ALONG] = crypts * cover(f[CUT] - 95.0, w[0]);
        out[CUT_ACROSS] = crypts * cover(50.0 - f[CUT], w[0]);
        let propria = propria - out[CUT_ALONG] - out[CUT_ACROSS];
        out[WATERY] = propria * watery;
        out[PROPRIA] = propria - out[WATERY];
        out[MUSCLE] = coat;
        out[SUBMUCOSA] = (deep - coat) * (1.0 - follicle * 0.8);
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
        match family {
            0 | 1 => self.crypt(family == 1, c, &mut draws),
            _ => self.vessel(c, &mut draws),
        }
    }

    fn is_seen_from_afar_only(&self, material: usize) -> bool {
        material == CUT_ACROSS || material == CUT_ALONG
    }

    fn heart(&self, material: usize) -> Option<Fields> {
        let mut f = [1e4, -1e4, -1e4, -1e4, 0.0, 0.0, 0.0, -300.0];
        match material {
            CUT_ACROSS => f[MUCOSA] = 1e4,
            CUT_ALONG => (f[MUCOSA], f[CUT]) = (1e4, 300.0),
            SUBMUCOSA => {}
            _ => return None,
        }
        Some(f)
    }

    fn fibre_angle(&self) -> f64 {
        self.common.fibre_angle
    }
}

impl Colon {
    /// A crypt cut across (`along` false) or along.
    fn crypt(&self, along: bool, c: &Candidate, draws: &mut Draws) -> Option<Ring> {
        let f = &c.fields;
        let spread = 0.5 + self.variability;
        let radius_um = if along {
            30.0 + 3.0 * spread * draws.normal()
        } else {
            36.0 + 4.0 * spread * draws.normal()
        };
        let half_um = if along {
            105.0 + 22.0 * spread * draws.unit()
        } else {
            (draws.unit() - 0.62).max(0.0) * 34.0
        };
        let reach = radius_um + if along { half_um * 0.75 } else { 0.0 };
        // Along and across keep apart, and both keep off the surface and the muscle below.
        let zone = if along { f[CUT] - 95.0 } else { 50.0 - f[CUT] };
        let room = f[OUTLINE].min(f[MUCOSA]) - reach * 0.8;
        let crowded = f[FOLLICLE_AT] + 30.0 > 0.0;
        if zone < 0.0 || room < 0.0 || crowded || draws.unit() > 0.965 {
            return None;
        }
        let turn = if along {
            f64::from(draws.normal()) * 0.03 + self.families[1].angle + std::f64::consts::FRAC_PI_2
        } else {
            f64::from(draws.unit()) * std::f64::consts::TAU
        };
        let k = if along { 0.05 } else { 0.085 * spread };
        let mut lobe = || (draws.range(-k, k), draws.range(-k, k));
        Some(Ring {
            kind: RingKind::Crypt,
            id: c.id,
            class: Some(GLAND_CLASS),
            hash: mix(c.hash),
            x: c.x,
            y: c.y,
            axis: (turn.cos(), turn.sin()),
            half_um,
            radius_um,
            wall_um: radius_um * if along { 0.80 } else { 0.70 },
            soft_um: self.gland_ambiguity_um,
            likeness: self.likeness,
            lobes: [lobe(), lobe()],
        })
    }

    fn vessel(&self, c: &Candidate, draws: &mut Draws) -> Option<Ring> {
        let weights = self.weights(&c.fields, &self.widths(1.0));
        let radius_um = draws.range(9.0, 42.0);
        if draws.unit() > weights[SUBMUCOSA] * 0.6 {
            return None;
        }
        let angle = f64::from(draws.unit()) * std::f64::consts::TAU;
        let mut lobe = || (draws.range(-0.12, 0.12), draws.range(-0.12, 0.12));
        Some(Ring {
            kind: RingKind::Vessel,
            id: c.id,
            class: None,
            hash: mix(c.hash),
            x: c.x,
            y: c.y,
            axis: (angle.cos(), angle.sin()),
            half_um: if radius_um > 25.0 { 0.0 } else { radius_um },
            radius_um,
            wall_um: 3.0 + 0.15 * radius_um,
            soft_um: 0.0,
            likeness: 0.0,
            lobes: [lobe(), lobe()],
        })
    }
}

fn materials(knobs: &[ClassKnobs]) -> Vec<Material> {
    // fibrils bundles clefts streaks | granules mesh vacuoles blotches
    let propria = Material::new(
        STROMA_CLASS,
        0.16,
        0.44,
        [0.06, 0.05, 0.55, 0.03, 0.06, 0.35, 0.45, 0.06],
    );
    let muscle = Material::new(
        STROMA_CLASS,
        0.10,
        0.58,
        [0.08, 0.16, 0.40, 0.06, 0.02, 0.03, 0.03, 0.04],
    );
    let submucosa = Material::new(
        STROMA_CLASS,
        0.06,
        0.42,
        [0.10, 0.14, 0.60, 0.04, 0.03, 0.12, 0.10, 0.05],
    );
    let follicle = Material::new(
        STROMA_CLASS,
        0.22,
        0.36,
        [0.0, 0.0, 0.15, 0.0, 0.08, 0.30, 0.10, 0.05],
    );
    let watery = Material::new(
        STROMA_CLASS,
        0.12,
        0.34,
        [0.06, 0.05, 0.60, 0.03, 0.06, 0.60, 0.70, 0.06],
    );
    let like = knobs[2].similarity as f32;
    vec![
        Material::glass(),
        propria.clone(),
        muscle.towards(&propria, like * 0.5),
        submucosa.towards(&propria, like),
        follicle,
        watery.towards(&propria, like),
        propria.towards(&watery, 0.35 * (1.0 - like)),
        propria.towards(&watery, 0.35 * (1.0 - like)),
    ]
}

fn populations(knobs: &[ClassKnobs]) -> Vec<Population> {
    let plasma_body = Some(Surround {
        scale: (1.9, 1.5),
        h: 0.40,
        e: 0.45,
        alpha: 0.7,
        taper: 0.2,
        chance: 1.0,
    });
    let plasma = Population {
        body: plasma_body,
        ..Population::round(10.5, (2.6, 3.3), 1.2)
    };
    let lymphocyte = Population {
        chromatin: 0.25,
        ..Population::round(7.0, (2.6, 3.4), 1.3)
    };
    let muscle = Population {
        aspect: (4.0, 6.5),
        bend: 0.3,
        ..Population::spindle(12.0, (6.0, 11.0), 1.0)
    };
    let v = knobs[2].variability;
    vec![
        Population::spindle(13.0, (4.5, 9.0), 1.05)
            .living_in(&[
                (PROPRIA, 0.45),
                (WATERY, 0.35),
                (SUBMUCOSA, 0.42),
                (CUT_ACROSS, 0.42),
                (CUT_ALONG, 0.42),
            ])
            .varied(v),
        muscle.living_in(&[(MUSCLE, 0.80)]).varied(v),
        plasma
            .living_in(&[
                (PROPRIA, 0.55),
                (WATERY, 0.40),
                (SUBMUCOSA, 0.04),
                (CUT_ACROSS, 0.5),
                (CUT_ALONG, 0.5),
            ])
            .varied(v),
        lymphocyte
            .living_in(&[
                (PROPRIA, 0.30),
                (WATERY, 0.26),
                (CUT_ACROSS, 0.28),
                (CUT_ALONG, 0.28),
                (FOLLICLE, 0.80),
                (SUBMUCOSA, 0.08),
            ])
            .varied(v),
    ]
}

fn families(seed: u64) -> Vec<RingFamily> {
    let family =
        |n: u64, pitch_um: (f64, f64), jitter: (f64, f64), reach_um: f64, fade_mpp: (f64, f64)| {
            RingFamily {
                seed: mix(seed ^ mix(n ^ 0xc41f)),
                pitch_um,
                jitter,
                angle: 0.25 + n as f64 * 0.83 + (seed % 31) as f64 * 0.2,
                reach_um,
                fade_mpp,
            }
        };
    vec![
        family(1, (98.0, 90.0), (0.22, 0.2), 80.0, (8.5, 15.0)),
        family(2, (74.0, 300.0), (0.12, 0.1), 190.0, (8.5, 15.0)),
        family(3, (170.0, 170.0), (0.8, 0.8), 110.0, (9.0, 15.0)),
    ]
}
