//! Cells: which live where (a jittered, turned grid a population), and how each is painted.

use super::anatomy::{Anatomy, FIELDS, WARP_V, Widths};
use super::canvas::{Blob, Canvas};
use super::frame::Lattice;
use super::hash::{Draws, cell_hash, mix};
use super::material::{Orientation, Population, ROW_STEP_UM, Surround};
use super::rings::turned_range;
use super::stain::{Colour, Stain, sub};
use super::texture::Mip;

/// What painting cells needs to know.
pub struct Painter<'a> {
    /// The tissue.
    pub anatomy: &'a dyn Anatomy,
    /// Its fields under the picture, with a margin.
    pub lattice: &'a Lattice,
    /// Transition widths that do not depend on the picture's scale.
    pub widths: Widths,
    /// The slide's stain.
    pub stain: Stain,
    /// Chromatin.
    pub grain: Mip<'a>,
    /// Opacity of cells: below 1 where they give way to their mean, 0–1.
    pub presence: f32,
    /// Seed of the slide.
    pub seed: u64,
    /// Only this material, everywhere: for measuring its mean colour.
    pub only: Option<usize>,
}

impl Painter<'_> {
    /// Paints every cell of population `index` that reaches into the picture.
    pub fn paint_population(&self, canvas: &mut Canvas, index: usize, population: &Population) {
        let reach = population.reach_um();
        let bounds = canvas.frame.bounds_um(reach);
        let seed = mix(self.seed ^ mix(index as u64 ^ 0xce11));
        let angle = 0.37 + index as f64 * 1.13;
        let turn = (angle.cos(), angle.sin());
        let pitch = population.pitch_um;
        let most = population.chance.iter().copied().fold(0.0, f32::max);
        let [(u0, u1), (v0, v1)] = turned_range(bounds, turn);
        for iv in (v0 / pitch).floor() as i64 - 1..=(v1 / pitch).ceil() as i64 + 1 {
            for iu in (u0 / pitch).floor() as i64 - 1..=(u1 / pitch).ceil() as i64 + 1 {
                let hash = cell_hash(seed, iu, iv);
                let mut draws = Draws::new(hash);
                let lot = draws.unit();
                if lot > most {
                    continue;
                }
                let u = (iu as f64 + f64::from(draws.unit())) * pitch;
                let v = (iv as f64 + f64::from(draws.unit())) * pitch;
                let at = (turn.0 * u - turn.1 * v, turn.1 * u + turn.0 * v);
                let seen = at.0 >= bounds[0]
                    && at.0 <= bounds[2]
                    && at.1 >= bounds[1]
                    && at.1 <= bounds[3];
                if seen && lot < self.chance_at(population, at) {
                    self.paint_group(canvas, population, at, &mut draws);
                }
            }
        }
    }

    fn chance_at(&self, population: &Population, at: (f64, f64)) -> f32 {
        if let Some(material) = self.only {
            return population.chance[material];
        }
        let weights = self
            .anatomy
            .weights(&self.lattice.at(at.0, at.1), &self.widths);
        weights
            .iter()
            .zip(population.chance)
            .map(|(w, c)| w * c)
            .sum()
    }

    fn paint_group(
        &self,
        canvas: &mut Canvas,
        population: &Population,
        at: (f64, f64),
        draws: &mut Draws,
    ) {
        let axis = self.axis(population, at, draws);
        let count = if population.row > 1 {
            1 + (draws.unit() * population.row as f32) as u32
        } else {
            1
        };
        for n in 0..count {
            let along = f64::from(n) * ROW_STEP_UM + f64::from(draws.range(-1.0, 1.0));
            let across = if n > 0 {
                f64::from(draws.range(-1.2, 1.2))
            } else {
                0.0
            };
            let (c, s) = (f64::from(axis.0), f64::from(axis.1));
            let place = (at.0 + c * along - s * across, at.1 + s * along + c * across);
            self.paint_cell(canvas, population, place, axis, draws);
        }
    }

    fn axis(&self, population: &Population, at: (f64, f64), draws: &mut Draws) -> (f32, f32) {
        let wobble = draws.normal() * 0.22;
        let angle = match population.orientation {
            Orientation::Random => draws.unit() * std::f32::consts::TAU,
            Orientation::Fibres => {
                // Fibres run where the coordinate across them does not change.
                let (sx, sy) = self.lattice.slope(WARP_V, at.0, at.1);
                let base = self.anatomy.fibre_angle();
                let (ax, ay) = (-(base.sin() as f32) + sx, base.cos() as f32 + sy);
                (-ax).atan2(ay) + wobble
            }
            Orientation::Slope(field) if field < FIELDS => {
                let (sx, sy) = self.lattice.slope(field, at.0, at.1);
                (-sy).atan2(-sx) + wobble
            }
            Orientation::Slope(_) => wobble,
        };
        (angle.cos(), angle.sin())
    }

    fn paint_cell(
        &self,
        canvas: &mut Canvas,
        p: &Population,
        at: (f64, f64),
        axis: (f32, f32),
        draws: &mut Draws,
    ) {
        let a = draws.range(p.length_um.0, p.length_um.1);
        let aspect = draws.range(p.aspect.0, p.aspect.1);
        // Half lengths are those of a round cell of the same area for the nearly round ones.
        let (a, b) = if aspect < 2.0 {
            (a * aspect.sqrt(), a / aspect.sqrt())
        } else {
            (a, a / aspect)
        };
        let h = (p.h * (1.0 + p.h_spread * draws.normal())).max(0.1);
        let bend = p.bend * draws.range(-1.0, 1.0);
        for surround in [&p.halo, &p.body].into_iter().flatten() {
            canvas.paint(&self.surround(surround, at, (a, b), axis), self.grain);
        }
        let dark = |extra: f32| self.stain.slope(h, 0.25, extra, 0.0);
        let spot = (draws.unit() < p.nucleolus).then(|| {
            let place = (draws.range(-0.3, 0.3), draws.range(-0.3, 0.3));
            (
                place.0,
                place.1,
                0.75 + 0.12 * b,
                self.stain.slope(h, 0.25, 0.55, 0.25),
            )
        });
        let blob = Blob {
            bend,
            taper: draws.range(-0.12, 0.12),
            rim: dark(p.rim),
            grain: dark(p.chromatin),
            spot,
            alpha: self.presence * 0.96,
            ..Blob::plain(at, a, b, axis, self.stain.colour(h, 0.25))
        };
        canvas.paint(&blob, self.grain);
    }

    fn surround(&self, s: &Surround, at: (f64, f64), (a, b): (f32, f32), axis: (f32, f32)) -> Blob {
        let round = (a * b).sqrt();
        Blob {
            taper: s.taper,
            alpha: s.alpha * self.presence,
            grain: self.stain.slope(s.h, s.e, 0.12 * s.h, 0.12 * s.e),
            soft_um: 0.8,
            ..Blob::plain(
                at,
                round * s.scale.0,
                round * s.scale.1,
                axis,
                self.stain.colour(s.h, s.e),
            )
        }
    }

    /// A nucleus with the usual membrane and chromatin, for the cells of tubes.
    pub fn nucleus(&self, at: (f64, f64), (a, b): (f32, f32), axis: (f32, f32), h: f32) -> Blob {
        let slope = |extra: f32| -> Colour { self.stain.slope(h, 0.25, extra, 0.0) };
        Blob {
            rim: slope(0.25),
            grain: slope(0.2),
            alpha: self.presence * 0.95,
            ..Blob::plain(at, a, b, axis, self.stain.colour(h, 0.25))
        }
    }

    /// Colour difference between two stainings, for rims of plain blobs.
    pub fn difference(&self, from: (f32, f32), to: (f32, f32)) -> Colour {
        sub(
            self.stain.colour(to.0, to.1),
            self.stain.colour(from.0, from.1),
        )
    }
}
