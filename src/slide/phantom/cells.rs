//! Cells: which live where (a jittered, turned grid a population), and how each is painted.

use super::anatomy::{Anatomy, FIELDS, WARP_V, Weights};
use super::canvas::{Blob, Canvas};
use super::frame::Lattice;
use super::hash::{Draws, cell_hash, mix};
use super::material::{Orientation, Population, ROW_STEP_UM, Surround};
use super::rings::turned_range;
use super::stain::{Colour, Stain, sub};
use super::texture::Mip;

/// Number of steps of [`Tones`].
const TONES: usize = 64;

/// Haematoxylin of the last tone, optical density.
const DARKEST: f32 = 2.4;

/// Eosin in every nucleus, optical density.
const NUCLEAR_EOSIN: f32 = 0.25;

/// Colours of nuclei by haematoxylin, tabulated: exponentials would cost more than the painting.
#[derive(Debug)]
pub struct Tones {
    /// Colour, change a unit of haematoxylin, and what a nucleolus adds.
    steps: Vec<[Colour; 3]>,
}

impl Tones {
    /// The table for one stain.
    pub fn new(stain: &Stain) -> Self {
        let tone = |i: usize| {
            let h = i as f32 / (TONES - 1) as f32 * DARKEST;
            let slope = stain.slope(h, NUCLEAR_EOSIN, 0.2, 0.0).map(|v| v * 5.0);
            [
                stain.colour(h, NUCLEAR_EOSIN),
                slope,
                stain.slope(h, NUCLEAR_EOSIN, 0.55, 0.25),
            ]
        };
        Self {
            steps: (0..TONES).map(tone).collect(),
        }
    }

    #[inline]
    fn at(&self, h: f32) -> &[Colour; 3] {
        let i = (h / DARKEST * (TONES - 1) as f32 + 0.5) as usize;
        &self.steps[i.min(TONES - 1)]
    }
}

/// What painting cells needs to know.
pub struct Painter<'a> {
    /// The tissue.
    pub anatomy: &'a dyn Anatomy,
    /// Its fields under the picture, with a margin.
    pub lattice: &'a Lattice,
    /// Shares of the materials at the lattice's nodes.
    pub weights: Vec<Weights>,
    /// The slide's stain.
    pub stain: Stain,
    /// Colours of nuclei.
    pub tones: &'a Tones,
    /// Chromatin.
    pub grain: Mip<'a>,
    /// Opacity of cells: below 1 where they give way to their mean, 0–1.
    pub presence: f32,
    /// Cells are a pixel or two in size.
    pub small: bool,
    /// Seed of the slide.
    pub seed: u64,
    /// Only this material, everywhere: for measuring its mean colour.
    pub only: Option<usize>,
}

/// The part of the turned line v = `v` that runs through `bounds` grown by `margin`, all µm.
fn line_range(bounds: [f64; 4], (cos, sin): (f64, f64), v: f64, margin: f64) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f64::MIN, f64::MAX);
    // x = cos·u − sin·v and y = sin·u + cos·v have to lie within the bounds.
    let axes = [
        (cos, -sin * v, bounds[0], bounds[2]),
        (sin, cos * v, bounds[1], bounds[3]),
    ];
    for (slope, offset, from, to) in axes {
        let (from, to) = (from - margin - offset, to + margin - offset);
        if slope.abs() < 1e-9 {
            if from > 0.0 || to < 0.0 {
                return None;
            }
            continue;
        }
        let (a, b) = (from / slope, to / slope);
        (low, high) = (low.max(a.min(b)), high.min(a.max(b)));
    }
    (low < high).then_some((low, high))
}

/// A population with its colours.
struct Kind<'a> {
    population: &'a Population,
    surrounds: Vec<(Surround, Colour, Colour)>,
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
        let kind = Kind {
            population,
            surrounds: self.surrounds(population),
        };
        let chances = self.chances(population);
        let most = chances.iter().copied().fold(0.0, f32::max);
        if most <= 0.0 {
            return;
        }
        let [_, (v0, v1)] = turned_range(bounds, turn);
        for iv in (v0 / pitch).floor() as i64 - 1..=(v1 / pitch).ceil() as i64 + 1 {
            let Some((u0, u1)) = line_range(bounds, turn, (iv as f64 + 0.5) * pitch, pitch) else {
                continue;
            };
            for iu in (u0 / pitch).floor() as i64 - 1..=(u1 / pitch).ceil() as i64 {
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
                if seen && lot < self.lattice.interpolate(&chances, at.0, at.1) {
                    self.paint_group(canvas, &kind, at, &mut draws);
                }
            }
        }
    }

    /// Chance that a candidate place of a population holds a cell, at every node of the lattice.
    fn chances(&self, population: &Population) -> Vec<f32> {
        let chance = |weights: &Weights| -> f32 {
            // No cell hangs over the edge of the tissue.
            if weights[0] > 0.02 {
                return 0.0;
            }
            weights
                .iter()
                .zip(population.chance)
                .map(|(w, c)| w * c)
                .sum()
        };
        match self.only {
            Some(material) => self
                .weights
                .iter()
                .map(|_| population.chance[material])
                .collect(),
            None => self.weights.iter().map(chance).collect(),
        }
    }

    fn paint_group(&self, canvas: &mut Canvas, kind: &Kind<'_>, at: (f64, f64), draws: &mut Draws) {
        let population = kind.population;
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
            self.paint_cell(canvas, kind, place, axis, draws);
        }
    }

    fn axis(&self, population: &Population, at: (f64, f64), draws: &mut Draws) -> (f32, f32) {
        // Every path takes the same draws: what follows is the same cell at every scale.
        let (wobble, turn) = (draws.normal() * 0.22, draws.unit());
        if self.small && population.row == 1 && population.aspect.1 < 2.0 {
            return if turn < 0.5 { (0.8, 0.6) } else { (0.6, -0.8) };
        }
        let angle = match population.orientation {
            Orientation::Random => turn * std::f32::consts::TAU,
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
        kind: &Kind<'_>,
        at: (f64, f64),
        axis: (f32, f32),
        draws: &mut Draws,
    ) {
        let Kind {
            population: p,
            surrounds,
        } = kind;
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
        for (surround, colour, grain) in surrounds {
            let round = (a * b).sqrt();
            let strength = draws.range(0.55, 1.0);
            let blob = Blob {
                taper: surround.taper,
                alpha: surround.alpha * self.presence * strength,
                grain: *grain,
                soft_um: 0.8,
                ..Blob::plain(
                    at,
                    round * surround.scale.0,
                    round * surround.scale.1,
                    axis,
                    *colour,
                )
            };
            canvas.paint(&blob, self.grain);
        }
        let [colour, slope, nucleolus] = self.tones.at(h);
        let dark = |extra: f32| slope.map(|v| v * extra);
        let spot = (draws.unit() < p.nucleolus).then(|| {
            let place = (draws.range(-0.3, 0.3), draws.range(-0.3, 0.3));
            (place.0, place.1, 0.75 + 0.12 * b, *nucleolus)
        });
        let blob = Blob {
            bend,
            taper: draws.range(-0.12, 0.12),
            rim: dark(p.rim),
            grain: dark(p.chromatin),
            spot,
            alpha: self.presence * 0.96,
            ..Blob::plain(at, a, b, axis, *colour)
        };
        canvas.paint(&blob, self.grain);
    }

    /// What is painted behind each nucleus of a population, with its colours.
    fn surrounds(&self, p: &Population) -> Vec<(Surround, Colour, Colour)> {
        let coloured = |s: &Surround| {
            (
                *s,
                self.stain.colour(s.h, s.e),
                self.stain.slope(s.h, s.e, 0.12 * s.h, 0.12 * s.e),
            )
        };
        [&p.halo, &p.body]
            .into_iter()
            .flatten()
            .map(coloured)
            .collect()
    }

    /// A nucleus with the usual membrane and chromatin, for the cells of tubes.
    pub fn nucleus(&self, at: (f64, f64), (a, b): (f32, f32), axis: (f32, f32), h: f32) -> Blob {
        let [colour, slope, _] = self.tones.at(h);
        let dark = |extra: f32| slope.map(|v| v * extra);
        Blob {
            rim: dark(0.25),
            grain: dark(0.2),
            alpha: self.presence * 0.95,
            ..Blob::plain(at, a, b, axis, *colour)
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
