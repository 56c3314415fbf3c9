//! From fields to pixels: materials with their textures first, then cells, then tubes, then noise.
//!
//! Everything is mixed linearly in sRGB and every part is band-limited by itself, so that a coarse
//! picture is what averaging a fine one in 8-bit sRGB gives, as pyramids are made.

use std::sync::OnceLock;

use super::anatomy::{AWAY, Anatomy, Weights, Widths};
use super::canvas::Canvas;
use super::cells::Painter;
use super::fat::Foam;
use super::frame::{Frame, Lattice, lattice_step_um};
use super::ground::{BLOCK_PX, Ground, mean_of};
use super::hash::mix;
use super::material::Look;
use super::rings::rings_of;
use super::spec::PhantomSpec;
use super::stain::{Colour, Stain, add_scaled, sub};
use super::texture;

/// Scales at which cells begin and end to give way to their mean, µm/px.
const CELLS_FADE_UM: (f64, f64) = (4.5, 7.5);

/// The same for the cells of tubes, which a wall of their mean colour replaces.
const TUBE_CELLS_FADE_UM: (f64, f64) = (2.4, 3.9);

/// The same for the walls of fat cells.
const FOAM_FADE_UM: (f64, f64) = (22.0, 50.0);

/// Draws one slide.
#[derive(Debug)]
pub struct Renderer {
    /// The tissue program.
    pub anatomy: Box<dyn Anatomy>,
    stain: Stain,
    seed: u64,
    base_mpp: f64,
    blur_um: f32,
    noise: f32,
    looks: Vec<Look>,
    /// Mean colour of every material: with its cells, then with each family of tubes added;
    /// measured when first needed.
    means: OnceLock<Vec<Vec<Colour>>>,
}

fn fade(mpp: f64, (from, to): (f64, f64)) -> f32 {
    let t = ((mpp - from) / (to - from)).clamp(0.0, 1.0);
    (t * t * (3.0 - 2.0 * t)) as f32
}

impl Renderer {
    /// A renderer for a valid spec.
    pub fn new(spec: &PhantomSpec, anatomy: Box<dyn Anatomy>) -> Self {
        let stain = Stain::new(&spec.slide, spec.seed);
        let looks = anatomy.materials().iter().map(|m| m.look(&stain)).collect();
        Self {
            anatomy,
            stain,
            seed: spec.seed,
            base_mpp: spec.base_mpp,
            blur_um: spec.slide.blur_um as f32,
            noise: spec.slide.noise as f32,
            looks,
            means: OnceLock::new(),
        }
    }

    /// The picture of `frame` in 8-bit units, before rounding.
    pub fn render(&self, frame: Frame) -> Canvas {
        let mut canvas = self.paint(frame, None);
        self.add_noise(&mut canvas);
        canvas
    }

    fn paint(&self, frame: Frame, only: Option<Only>) -> Canvas {
        let step = lattice_step_um(self.base_mpp, frame.mpp);
        // Shares are interpolated between places up to a block beyond the picture.
        let margin = CELL_MARGIN_UM.max(frame.mpp * (2 * BLOCK_PX) as f64);
        let lattice = Lattice::new(self.anatomy.as_ref(), frame.bounds_um(margin), step);
        let mut canvas = Canvas::new(frame, self.blur_um);
        let mpp = canvas.frame.mpp;
        let away = if only.is_some() {
            0.0
        } else {
            fade(mpp, CELLS_FADE_UM)
        };
        self.paint_ground(&mut canvas, &lattice, only.map(|o| o.material));
        let widths = self.widths(1.0, mpp);
        let shares: Vec<Weights> = if away < 1.0 {
            lattice
                .nodes()
                .iter()
                .map(|f| self.anatomy.weights(f, &widths))
                .collect()
        } else {
            Vec::new()
        };
        let painter = Painter {
            anatomy: self.anatomy.as_ref(),
            lattice: &lattice,
            shares: &shares,
            stain: self.stain,
            grain: texture::grain().mip(mpp.hypot(f64::from(self.blur_um))),
            presence: 1.0 - away,
            tube_presence: if only.is_some() {
                1.0
            } else {
                1.0 - fade(mpp, TUBE_CELLS_FADE_UM)
            },
            seed: self.seed,
            only: only.map(|o| o.material),
        };
        if painter.presence > 0.0 {
            for (index, population) in self.anatomy.populations().iter().enumerate() {
                painter.paint_population(&mut canvas, index, population);
            }
        }
        self.paint_tubes(&painter, &mut canvas, only);
        canvas
    }

    fn paint_tubes(&self, painter: &Painter<'_>, canvas: &mut Canvas, only: Option<Only>) {
        let anatomy = self.anatomy.as_ref();
        let fine = lattice_step_um(self.base_mpp, self.base_mpp);
        let bounds = canvas.frame.bounds_um(0.0);
        for (index, family) in anatomy.ring_families().iter().enumerate() {
            let (rings, opacity) = match only {
                Some(Only { tubes, .. }) if index >= tubes => continue,
                Some(Only { material, .. }) => match anatomy.heart(material) {
                    Some(heart) => (rings_of(anatomy, index, bounds, |_, _| heart), 1.0),
                    None => continue,
                },
                None => {
                    let opacity = 1.0 - fade(canvas.frame.mpp, family.fade_mpp);
                    if opacity <= 0.0 {
                        continue;
                    }
                    let fields = |x, y| anatomy.fields(x, y, fine);
                    (rings_of(anatomy, index, bounds, fields), opacity)
                }
            };
            for ring in rings {
                painter.paint_ring(canvas, &ring, opacity);
            }
        }
    }

    /// Widths of transitions over pixels of `footprint_um`, in a picture of `mpp`.
    fn widths(&self, footprint_um: f32, mpp: f64) -> Widths {
        let mut widths = self.anatomy.widths(footprint_um);
        let first = self.anatomy.ring_families().first();
        widths[AWAY] = first.map_or(0.0, |family| fade(mpp, family.fade_mpp));
        widths
    }

    /// Looks of the materials, drawn towards their mean colours as far as cells and tubes have
    /// given way to them.
    fn ground_looks(&self, mpp: f64) -> Vec<Look> {
        let families = self
            .anatomy
            .ring_families()
            .iter()
            .map(|f| fade(mpp, f.fade_mpp));
        let away: Vec<f32> = [fade(mpp, CELLS_FADE_UM)]
            .into_iter()
            .chain(families)
            .collect();
        if away.iter().all(|&a| a <= 0.0) {
            return self.looks.clone();
        }
        let towards_mean = |(material, look): (usize, &Look)| {
            let whole = self.anatomy.is_seen_from_afar_only(material);
            // The textures have means of their own, which the measured colour contains.
            let mut before = mean_of(look);
            let mut base = look.base;
            for (stage, &away) in self.means().iter().zip(&away) {
                let mean = stage[material];
                base = add_scaled(base, sub(mean, before), if whole { 1.0 } else { away });
                before = mean;
            }
            Look { base, ..*look }
        };
        self.looks.iter().enumerate().map(towards_mean).collect()
    }

    /// Mean colours of pure materials, measured on a patch of each.
    fn means(&self) -> &[Vec<Colour>] {
        self.means.get_or_init(|| {
            let mut stages: Vec<Vec<Colour>> = Vec::new();
            for tubes in 0..=self.anatomy.ring_families().len() {
                let measure = |material| match stages.last() {
                    // Without tubes nothing changes from stage to stage.
                    Some(last) if self.anatomy.heart(material).is_none() => last[material],
                    _ => self.measure(Only { material, tubes }),
                };
                let stage = (0..self.looks.len()).map(measure).collect();
                stages.push(stage);
            }
            stages
        })
    }

    fn measure(&self, only: Only) -> Colour {
        let material = only.material;
        let populated = self
            .anatomy
            .populations()
            .iter()
            .any(|p| p.chance[material] > 0.0);
        if !populated && only.tubes == 0 && self.anatomy.fat() != Some(material) {
            return mean_of(&self.looks[material]);
        }
        let shift_um = (0.0, 0.0);
        let (width, height) = (PATCH_PX, PATCH_PX);
        let frame = Frame {
            mpp: PATCH_UM,
            x0: 0,
            y0: 0,
            shift_um,
            width,
            height,
        };
        let canvas = self.paint(frame, Some(only));
        let mut sum = [0.0_f64; 4];
        for pixel in &canvas.pixels {
            for (s, &v) in sum.iter_mut().zip(pixel) {
                *s += f64::from(v);
            }
        }
        sum.map(|s| (s / canvas.pixels.len() as f64) as f32)
    }

    /// Materials and textures.
    fn paint_ground(&self, canvas: &mut Canvas, lattice: &Lattice, only: Option<usize>) {
        let mpp = canvas.frame.mpp;
        let looks = if only.is_some() {
            self.looks.clone()
        } else {
            self.ground_looks(mpp)
        };
        let ground = Ground {
            anatomy: self.anatomy.as_ref(),
            looks: &looks,
            widths: self.widths(canvas.edge_um, mpp),
            foam: self.foam(canvas),
            foam_away: fade(mpp, FOAM_FADE_UM),
            edge_um: canvas.edge_um,
            only,
            fibre_turn: self.anatomy.fibre_angle().sin_cos(),
            footprint_um: mpp.hypot(f64::from(self.blur_um)),
        };
        ground.paint(canvas, lattice);
    }

    fn foam(&self, canvas: &Canvas) -> Option<(usize, Foam)> {
        let fat = self.anatomy.fat()?;
        let frame = &canvas.frame;
        (frame.mpp < FOAM_FADE_UM.1).then(|| (fat, Foam::new(self.seed, frame.bounds_um(0.0))))
    }

    /// Noise of the sensor at level 0; a coarser pixel is a mean of many and has less.
    fn add_noise(&self, canvas: &mut Canvas) {
        let frame = &canvas.frame;
        let strength = self.noise * (self.base_mpp / frame.mpp).min(1.0) as f32;
        if strength < 0.02 {
            return;
        }
        let seed = mix(self.seed ^ frame.mpp.to_bits());
        for (row, line) in canvas.pixels.chunks_exact_mut(frame.width).enumerate() {
            let row_seed = mix(seed ^ (frame.y0 + row as i64).cast_unsigned());
            for (col, pixel) in line.iter_mut().enumerate() {
                let key = row_seed.wrapping_add(
                    (frame.x0 + col as i64)
                        .cast_unsigned()
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15),
                );
                let hash = (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let hash = hash ^ (hash >> 32);
                for (lane, value) in pixel.iter_mut().take(3).enumerate() {
                    // The sum of two uniform bytes is a triangle of standard deviation 104.5.
                    let bits = hash >> (lane * 16);
                    let sum = (bits & 0xff) as f32 + ((bits >> 8) & 0xff) as f32 - 255.0;
                    *value += sum * (1.0 / 104.5) * strength;
                }
            }
        }
    }
}

/// Margin within which cells outside a picture may reach into it, µm.
const CELL_MARGIN_UM: f64 = 64.0;

/// Side of the patch on which a material's mean colour is measured, px.
const PATCH_PX: usize = 192;

/// Its scale, µm/px.
const PATCH_UM: f64 = 2.0;

/// For measuring: one material everywhere, with the first few families of tubes.
#[derive(Debug, Clone, Copy)]
struct Only {
    material: usize,
    tubes: usize,
}
