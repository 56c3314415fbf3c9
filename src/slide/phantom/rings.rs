//! Tubes cut across or along: crypts, ducts, vessels. A tube is a rounded bar with an uneven
//! outline; what one sees depends on the depth below that outline.

use super::anatomy::{Anatomy, Candidate, Fields};
use super::hash::{Draws, cell_hash, mix};

/// Places where tubes of one kind may grow: a jittered, turned, staggered grid.
#[derive(Debug, Clone)]
pub struct RingFamily {
    /// Seed of the family.
    pub seed: u64,
    /// Distance between places along both axes of the grid, µm.
    pub pitch_um: (f64, f64),
    /// How far a place strays, as a share of the pitch (0–1).
    pub jitter: (f64, f64),
    /// Angle of the grid, radians.
    pub angle: f64,
    /// Farthest that any tube reaches from its centre, µm.
    pub reach_um: f64,
    /// Scales at which tubes begin and end to give way to their mean, µm/px.
    pub fade_mpp: (f64, f64),
}

/// What a tube is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingKind {
    /// Colonic crypt: tall epithelium, goblet cells, mucus.
    Crypt,
    /// Breast duct: two rows of round nuclei.
    Duct,
    /// Vessel with a muscular wall and blood.
    Vessel,
    /// Capillary: a thin wall and a clear space.
    Capillary,
}

/// One tube.
#[derive(Debug, Clone)]
pub struct Ring {
    /// What it is made of.
    pub kind: RingKind,
    /// Identifier, never 0.
    pub id: u32,
    /// Class of everything inside; `None` leaves the class of the surroundings.
    pub class: Option<u8>,
    /// Hash for its cells.
    pub hash: u64,
    /// Centre, µm.
    pub x: f64,
    /// Centre, µm.
    pub y: f64,
    /// Cosine and sine of its axis.
    pub axis: (f64, f64),
    /// Half length of the straight part, µm; 0 is a cross-section.
    pub half_um: f32,
    /// Outer radius, µm.
    pub radius_um: f32,
    /// Thickness of the wall, µm.
    pub wall_um: f32,
    /// Softness of the outline, µm.
    pub soft_um: f32,
    /// How far its colours are drawn towards those around it, 0–1.
    pub likeness: f32,
    /// Unevenness of the outline: two- and three-fold, as (cosine, sine) parts.
    pub lobes: [(f32, f32); 2],
}

impl Ring {
    /// Depth below the outline, µm: negative outside.
    #[inline]
    pub fn depth_um(&self, x: f64, y: f64) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let u = (self.axis.0 * dx + self.axis.1 * dy) as f32;
        let v = (self.axis.0 * dy - self.axis.1 * dx) as f32;
        let end = u - u.clamp(-self.half_um, self.half_um);
        let rho = (end * end + v * v).sqrt().max(1e-3);
        let (c, s) = if self.half_um > 0.0 {
            // Along a bar the outline wavers with the place, not with the angle.
            let t = u / (self.half_um + self.radius_um) * 2.2;
            let c = half_turn_cosine(t);
            // Its sine turns smoothly from one side of the bar to the other.
            (c, (1.0 - c * c).max(0.0).sqrt() * t.signum() * v / rho)
        } else {
            (end / rho, v / rho)
        };
        self.radius_at(c, s) - rho
    }

    /// The part of the row at `y` µm that the tube may touch, grown by `margin_um`: its middle and
    /// half length, µm.
    pub fn chord(&self, y: f64, margin_um: f64) -> Option<(f64, f64)> {
        let reach = self.reach_um() + margin_um;
        let breadth = reach - f64::from(self.half_um);
        let (mut low, mut high) = (self.x - reach, self.x + reach);
        let (c, s) = self.axis;
        if s.abs() > 0.05 {
            // Where the row crosses the bar's two long sides.
            let middle = self.x + c * (y - self.y) / s;
            (low, high) = (
                low.max(middle - breadth / s.abs()),
                high.min(middle + breadth / s.abs()),
            );
        }
        (low < high).then_some(((low + high) * 0.5, (high - low) * 0.5))
    }

    /// Outer radius in the direction (cosine, sine).
    #[inline]
    pub fn radius_at(&self, c: f32, s: f32) -> f32 {
        let (c2, s2) = (c * c - s * s, 2.0 * c * s);
        let (c3, s3) = (c2 * c - s2 * s, s2 * c + c2 * s);
        let [two, three] = self.lobes;
        self.radius_um * (1.0 + two.0 * c2 + two.1 * s2 + three.0 * c3 + three.1 * s3)
    }

    /// Farthest reach from the centre, µm.
    pub fn reach_um(&self) -> f64 {
        let lobes: f32 = self.lobes.iter().map(|l| l.0.hypot(l.1)).sum();
        f64::from(self.half_um + self.radius_um * (1.0 + lobes) + 2.0)
    }

    /// Length of the outline, µm.
    pub fn perimeter_um(&self) -> f32 {
        4.0 * self.half_um + std::f32::consts::TAU * self.radius_um
    }

    /// The place `along` the outline (0–1) at `depth` µm below it, and the outward direction.
    pub fn wall_point(&self, along: f32, depth: f32) -> ((f64, f64), (f32, f32)) {
        let s = along * self.perimeter_um();
        let (arc, side) = (std::f32::consts::PI * self.radius_um, 2.0 * self.half_um);
        let quarter = std::f32::consts::FRAC_PI_2;
        let (u, (nu, nv)) = if s < side {
            (s - self.half_um, (0.0, 1.0))
        } else if s < side + arc {
            let t = quarter - (s - side) / self.radius_um;
            (self.half_um, (t.cos(), t.sin()))
        } else if s < 2.0 * side + arc {
            (self.half_um - (s - side - arc), (0.0, -1.0))
        } else {
            let t = -quarter - (s - 2.0 * side - arc) / self.radius_um;
            (-self.half_um, (t.cos(), t.sin()))
        };
        let radius = if self.half_um > 0.0 {
            self.radius_um
        } else {
            self.radius_at(nu, nv)
        };
        let (u, v) = (
            f64::from(u + nu * (radius - depth)),
            f64::from(nv * (radius - depth)),
        );
        let (c, sn) = self.axis;
        let out = (
            c as f32 * nu - sn as f32 * nv,
            sn as f32 * nu + c as f32 * nv,
        );
        ((self.x + c * u - sn * v, self.y + sn * u + c * v), out)
    }
}

/// Tubes of every family that reach into `bounds` (µm), families in painting order and places in
/// grid order, so that overlaps are painted alike whatever rectangle is asked for.
///
/// A tube's fate is decided by the fields of the finest lattice (`lattice_um`), so that it is the
/// same at every scale.
pub fn rings_in(anatomy: &dyn Anatomy, bounds: [f64; 4], lattice_um: f64) -> Vec<Ring> {
    let fields = |x, y| anatomy.fields(x, y, lattice_um);
    let families = 0..anatomy.ring_families().len();
    families
        .flat_map(|family| rings_of(anatomy, family, bounds, fields))
        .collect()
}

/// Tubes of one family that reach into `bounds` (µm), where `fields` tells what grows.
pub fn rings_of(
    anatomy: &dyn Anatomy,
    family: usize,
    bounds: [f64; 4],
    fields: impl Fn(f64, f64) -> Fields,
) -> Vec<Ring> {
    let mut rings = Vec::new();
    if let Some(places) = anatomy.ring_families().get(family) {
        places.for_each_place(bounds, |x, y, hash, id| {
            let id = (family as u32 + 1) << 28 | id;
            let fields = fields(x, y);
            rings.extend(anatomy.ring(
                family,
                &Candidate {
                    x,
                    y,
                    hash,
                    id,
                    fields,
                },
            ));
        });
    }
    rings
}

/// Cosine of `t` within ±2.2 radians, to a hundredth or so (after Bhaskara I): smooth, and quick.
#[inline]
fn half_turn_cosine(t: f32) -> f32 {
    let (pi2, t2) = (std::f32::consts::PI * std::f32::consts::PI, t * t);
    (pi2 - 4.0 * t2) / (pi2 + t2)
}

impl RingFamily {
    fn for_each_place(&self, bounds: [f64; 4], mut visit: impl FnMut(f64, f64, u64, u32)) {
        let (cos, sin) = (self.angle.cos(), self.angle.sin());
        let grown = [
            bounds[0] - self.reach_um,
            bounds[1] - self.reach_um,
            bounds[2] + self.reach_um,
            bounds[3] + self.reach_um,
        ];
        let [(u0, u1), (v0, v1)] = turned_range(grown, (cos, sin));
        let (pu, pv) = self.pitch_um;
        for iv in (v0 / pv).floor() as i64 - 1..=(v1 / pv).ceil() as i64 + 1 {
            // Every line is shifted by its own amount: no columns, as in a wall of bricks.
            let shift = f64::from(Draws::new(cell_hash(self.seed ^ 0xb41c, iv, 0)).unit());
            let stagger = shift * 0.35 + 0.5 * iv.rem_euclid(2) as f64;
            for iu in (u0 / pu).floor() as i64 - 2..=(u1 / pu).ceil() as i64 + 1 {
                let hash = cell_hash(self.seed, iu, iv);
                let mut draws = Draws::new(hash);
                let u = (iu as f64 + stagger + self.jitter.0 * f64::from(draws.unit() - 0.5)) * pu;
                let v = (iv as f64 + self.jitter.1 * f64::from(draws.unit() - 0.5)) * pv;
                let (x, y) = (cos * u - sin * v, sin * u + cos * v);
                if x >= grown[0] && x <= grown[2] && y >= grown[1] && y <= grown[3] {
                    visit(x, y, mix(hash), place_id(iu, iv));
                }
            }
        }
    }
}

/// 28 bits that name a grid place on any slide this program can make.
fn place_id(iu: i64, iv: i64) -> u32 {
    let fold = |i: i64| u32::try_from((i + 8192).rem_euclid(16384)).unwrap_or(0);
    fold(iv) << 14 | fold(iu)
}

/// The box in turned coordinates that encloses `bounds`: u range and v range.
pub fn turned_range(bounds: [f64; 4], (cos, sin): (f64, f64)) -> [(f64, f64); 2] {
    let (cx, cy) = ((bounds[0] + bounds[2]) * 0.5, (bounds[1] + bounds[3]) * 0.5);
    let (hx, hy) = ((bounds[2] - bounds[0]) * 0.5, (bounds[3] - bounds[1]) * 0.5);
    let (u, v) = (cos * cx + sin * cy, cos * cy - sin * cx);
    let (hu, hv) = (
        hx * cos.abs() + hy * sin.abs(),
        hx * sin.abs() + hy * cos.abs(),
    );
    [(u - hu, u + hu), (v - hv, v + hv)]
}
