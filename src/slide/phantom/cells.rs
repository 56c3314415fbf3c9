//! Cells: which live where (a jittered, turned grid a population), and how each is painted.

use super::anatomy::{Anatomy, FIELDS, WARP_V, Weights};
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
    /// Share of every material at the nodes of the lattice.
    pub shares: &'a [Weights],
    /// The slide's stain.
    pub stain: Stain,
    /// Chromatin.
    pub grain: Mip<'a>,
    /// Opacity of cells: below 1 where they give way to their mean, 0–1.
    pub presence: f32,
    /// The same for the cells of tubes.
    pub tube_presence: f32,
    /// Seed of the slide.
    pub seed: u64,
    /// Only this material, everywhere: for measuring its mean colour.
    pub only: Option<usize>,
}

/// Scale beyond which single cells are squares of one colour, µm/px.
const SPECKS_ABOVE_UM: f64 = 3.0;

/// Cells whose half length is below this many pixels are not drawn.
const SPECK_PX: f32 = 0.55;

/// How coarse chromatin is beyond what a population states.
const CHROMATIN_GAIN: f32 = 1.7;

/// Places of line `iv` of a turned grid that lie within `bounds`, with a place to spare.
fn line_range(
    bounds: [f64; 4],
    (cos, sin): (f64, f64),
    pitch: f64,
    iv: i64,
) -> std::ops::RangeInclusive<i64> {
    let v = (iv as f64 + 0.5) * pitch;
    let (mut low, mut high) = (f64::MIN, f64::MAX);
    // Where the line enters and leaves the bounds, axis by axis.
    let slabs = [
        (cos, -sin * v, bounds[0], bounds[2]),
        (sin, cos * v, bounds[1], bounds[3]),
    ];
    for (slope, offset, from, to) in slabs {
        if slope.abs() > 1e-3 {
            let (a, b) = ((from - offset) / slope, (to - offset) / slope);
            // Places stray half a pitch off the line, which shifts the crossing.
            let slack = pitch * (1.0 + 0.5 / slope.abs());
            (low, high) = (low.max(a.min(b) - slack), high.min(a.max(b) + slack));
        }
    }
    (low / pitch).floor() as i64 - 1..=(high / pitch).ceil() as i64 + 1
}

impl Painter<'_> {
    /// Paints every cell of population `index` that reaches into the picture.
    pub fn paint_population(&self, canvas: &mut Canvas, index: usize, population: &Population) {
        if population.length_um.1 < SPECK_PX * canvas.frame.mpp as f32 {
            return;
        }
        let bounds = canvas.frame.bounds_um(population.reach_um());
        let seed = mix(self.seed ^ mix(index as u64 ^ 0xce11));
        let angle = 0.37 + index as f64 * 1.13;
        let turn = (angle.cos(), angle.sin());
        let pitch = population.pitch_um;
        let chances = self.chances(population);
        let most = chances.iter().copied().fold(0.0, f32::max);
        if most <= 0.0 {
            return;
        }
        let specks = self.specks(population, canvas.frame.mpp);
        let [_, (v0, v1)] = turned_range(bounds, turn);
        for iv in (v0 / pitch).floor() as i64 - 1..=(v1 / pitch).ceil() as i64 + 1 {
            for iu in line_range(bounds, turn, pitch, iv) {
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
                if seen && lot < self.lattice.scalar_at(&chances, at.0, at.1) {
                    if specks.is_empty() {
                        self.paint_group(canvas, population, at, &mut draws);
                    }
                    for &(half_um, colour, alpha) in &specks {
                        canvas.paint_speck(at, half_um, colour, alpha);
                    }
                }
            }
        }
    }

    /// What single cells of a population look like where a pixel is about as large as a cell:
    /// half side (µm), colour and opacity of a square for each part. Empty in finer pictures.
    fn specks(&self, population: &Population, mpp: f64) -> Vec<(f32, Colour, f32)> {
        if mpp < SPECKS_ABOVE_UM || population.row > 1 {
            return Vec::new();
        }
        let p = population;
        let length = (p.length_um.0 + p.length_um.1) * 0.5;
        let aspect = (p.aspect.0 + p.aspect.1) * 0.5;
        let round = if aspect < 2.0 {
            length
        } else {
            length / aspect.sqrt()
        };
        let side = |radius: f32| radius * std::f32::consts::PI.sqrt() * 0.5;
        let part = |s: &Surround| {
            let grown = |k: f32| 1.0 + (k - 1.0) * 0.775;
            let area = grown(s.scale.0) * grown(s.scale.1);
            // A square knows nothing of what lies upon it: lay down what will show.
            let alpha = s.alpha * s.chance * (1.0 - 1.0 / area) * self.presence;
            (
                side(round * area.sqrt()),
                self.stain.colour(s.h, s.e),
                alpha,
            )
        };
        let surrounds = [&p.halo, &p.body].into_iter().flatten().map(part);
        let nucleus = self.stain.colour(p.h + 0.3 * p.rim, 0.25);
        surrounds
            .chain([(side(round), nucleus, 0.96 * self.presence)])
            .collect()
    }

    /// The chance of a cell at every node of the lattice.
    fn chances(&self, population: &Population) -> Vec<f32> {
        if let Some(material) = self.only {
            return vec![population.chance[material]; self.shares.len()];
        }
        let chance = |weights: &Weights| {
            weights
                .iter()
                .zip(population.chance)
                .map(|(w, c)| w * c)
                .sum::<f32>()
        };
        self.shares.iter().map(chance).collect()
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
            let stray = if count > 1 {
                f64::from(draws.range(-2.5, 2.5))
            } else {
                0.0
            };
            let along = f64::from(n) * ROW_STEP_UM + stray;
            let across = if n > 0 {
                f64::from(draws.range(-2.6, 2.6))
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
            let (lot, size) = (draws.unit(), draws.range(0.55, 1.0));
            if lot < surround.chance {
                let mut blob = self.surround(surround, size, at, (a, b), axis);
                if canvas.is_small(blob.a, blob.b) {
                    // Boxes know nothing of what lies upon them: lay down what will show.
                    blob.alpha *= 1.0 - a * b / (blob.a * blob.b);
                }
                canvas.paint(&blob, self.grain);
            }
        }
        let (lot, place) = (
            draws.unit(),
            (draws.range(-0.35, 0.35), draws.range(-0.35, 0.35)),
        );
        let (taper, soft_um) = (draws.range(-0.12, 0.12), draws.range(0.1, 0.9));
        let alpha = self.presence * 0.96;
        if canvas.is_small(a, b) {
            // Too small for any detail: spare its colours.
            let colour = self.stain.colour(h + 0.3 * p.rim, 0.25);
            canvas.paint(
                &Blob {
                    alpha,
                    ..Blob::plain(at, a, b, axis, colour)
                },
                self.grain,
            );
            return;
        }
        let dark = |extra: f32| self.stain.slope(h, 0.25, extra, 0.0);
        let spot = (lot < p.nucleolus).then(|| {
            let radius = 0.6 + 0.12 * b + 0.2 * place.0.abs();
            (
                place.0,
                place.1,
                radius,
                self.stain.slope(h, 0.25, 0.55, 0.25),
            )
        });
        let blob = Blob {
            bend,
            taper,
            rim: dark(p.rim),
            grain: dark(p.chromatin * CHROMATIN_GAIN),
            spot,
            // Nuclei lie at many depths of the section: some are a little out of focus.
            soft_um,
            alpha,
            ..Blob::plain(at, a, b, axis, self.stain.colour(h, 0.25))
        };
        canvas.paint(&blob, self.grain);
    }

    /// A halo or body of `size` (0–1) of its greatest excess over the nucleus.
    fn surround(
        &self,
        s: &Surround,
        size: f32,
        at: (f64, f64),
        (a, b): (f32, f32),
        axis: (f32, f32),
    ) -> Blob {
        let round = (a * b).sqrt();
        let grown = |k: f32| round * (1.0 + (k - 1.0) * size);
        Blob {
            taper: s.taper,
            alpha: s.alpha * self.presence,
            grain: self.stain.slope(s.h, s.e, 0.12 * s.h, 0.12 * s.e),
            soft_um: 1.1,
            ..Blob::plain(
                at,
                grown(s.scale.0),
                grown(s.scale.1),
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
            grain: slope(0.2 * CHROMATIN_GAIN),
            soft_um: 0.3,
            alpha: self.tube_presence * 0.95,
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
