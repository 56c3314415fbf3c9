//! From fields to pixels: materials with their textures first, then cells, then tubes, then noise.
//!
//! Everything is mixed linearly in sRGB and every part is band-limited by itself, so that a coarse
//! picture is what averaging a fine one in 8-bit sRGB gives, as pyramids are made.

use std::sync::OnceLock;

use super::anatomy::{Anatomy, FIELDS, Fields, MATERIALS, TINT, WARP_U, WARP_V, Weights};
use super::canvas::Canvas;
use super::cells::{Painter, Tones};
use super::fat::Foam;
use super::frame::{Frame, Lattice, OVERVIEW_MPP, lattice_step_um, lerp_fields};
use super::hash::mix;
use super::material::Look;
use super::rings::rings_in;
use super::spec::PhantomSpec;
use super::stain::{Colour, GLASS, Stain, add_scaled, lerp};
use super::texture::{self, Mip, Texel};

/// Scales at which cells begin and end to give way to their mean, µm/px.
const CELLS_FADE_UM: (f64, f64) = (4.4, 7.9);

/// The same for the walls of fat cells.
const FOAM_FADE_UM: (f64, f64) = (10.0, 24.0);

/// Turn of the grain texture's axes, radians: no lattice lines up with the pixels.
const GRAIN_ANGLE: f64 = 0.61;

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
    tones: Tones,
    /// Mean colour of every material with its cells; measured when first needed.
    means: OnceLock<Vec<Colour>>,
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
            tones: Tones::new(&stain),
            means: OnceLock::new(),
        }
    }

    /// The picture of `frame` in 8-bit units, before rounding.
    pub fn render(&self, frame: Frame) -> Canvas {
        let mut canvas = self.paint(frame, None);
        self.add_noise(&mut canvas);
        canvas
    }

    fn paint(&self, frame: Frame, only: Option<usize>) -> Canvas {
        let step = lattice_step_um(self.base_mpp, frame.mpp);
        let lattice = Lattice::new(
            self.anatomy.as_ref(),
            frame.bounds_um(self.cell_margin_um(&frame)),
            step,
            frame.mpp >= OVERVIEW_MPP,
        );
        let mut canvas = Canvas::new(frame, self.blur_um);
        let mpp = canvas.frame.mpp;
        let away = if only.is_some() {
            0.0
        } else {
            fade(mpp, CELLS_FADE_UM)
        };
        self.paint_ground(&mut canvas, &lattice, away, only);
        let footprint = mpp.hypot(f64::from(self.blur_um));
        let painter = Painter {
            anatomy: self.anatomy.as_ref(),
            lattice: &lattice,
            weights: if away < 1.0 {
                lattice.weights(self.anatomy.as_ref())
            } else {
                Vec::new()
            },
            stain: self.stain,
            tones: &self.tones,
            grain: texture::grain().mip(footprint),
            presence: 1.0 - away,
            small: mpp > 3.0,
            seed: self.seed,
            only,
        };
        if painter.presence > 0.0 {
            for (index, population) in self.anatomy.populations().iter().enumerate() {
                painter.paint_population(&mut canvas, index, population);
            }
        }
        if only.is_none() {
            self.paint_tubes(&painter, &mut canvas);
        }
        canvas
    }

    fn paint_tubes(&self, painter: &Painter<'_>, canvas: &mut Canvas) {
        let mpp = canvas.frame.mpp;
        let lattice = (mpp >= OVERVIEW_MPP).then_some(painter.lattice);
        for ring in rings_in(
            self.anatomy.as_ref(),
            canvas.frame.bounds_um(0.0),
            mpp,
            lattice,
        ) {
            painter.paint_ring(canvas, &ring, painter.grain);
        }
    }

    /// Looks of the materials where cells are `away` (0–1): drawn towards their mean colours.
    fn ground_looks(&self, away: f32) -> Vec<Look> {
        if away <= 0.0 {
            return self.looks.clone();
        }
        let towards_mean = |(look, mean): (&Look, &Colour)| {
            // The textures have means of their own, which the measured colour contains.
            let own = mean_of(look);
            let shift: Colour = std::array::from_fn(|i| mean[i] - own[i]);
            Look {
                base: add_scaled(look.base, shift, away),
                ..*look
            }
        };
        self.looks
            .iter()
            .zip(self.means())
            .map(towards_mean)
            .collect()
    }

    /// Mean colours of pure materials with their cells, measured on a small patch of each.
    fn means(&self) -> &[Colour] {
        self.means
            .get_or_init(|| (0..self.looks.len()).map(|m| self.measure(m)).collect())
    }

    fn measure(&self, material: usize) -> Colour {
        let populated = self
            .anatomy
            .populations()
            .iter()
            .any(|p| p.chance[material] > 0.0);
        if !populated && self.anatomy.fat() != Some(material) {
            return mean_of(&self.looks[material]);
        }
        let frame = Frame {
            mpp: 1.5,
            x0: 0,
            y0: 0,
            shift_um: (0.0, 0.0),
            width: PATCH_PX,
            height: PATCH_PX,
        };
        let canvas = self.paint(frame, Some(material));
        let mut sum = [0.0_f64; 4];
        for pixel in &canvas.pixels {
            for (s, &v) in sum.iter_mut().zip(pixel) {
                *s += f64::from(v);
            }
        }
        sum.map(|s| (s / canvas.pixels.len() as f64) as f32)
    }

    /// Materials and textures.
    fn paint_ground(&self, canvas: &mut Canvas, lattice: &Lattice, away: f32, only: Option<usize>) {
        let mpp = canvas.frame.mpp;
        let looks = self.ground_looks(away);
        let footprint_um = mpp.hypot(f64::from(self.blur_um));
        let ground = Ground {
            renderer: self,
            looks: &looks,
            widths: self.anatomy.widths(canvas.edge_um),
            foam: self.foam(canvas),
            foam_away: fade(mpp, FOAM_FADE_UM),
            edge_um: canvas.edge_um,
            only,
            fat: self.anatomy.fat().unwrap_or(MATERIALS),
            fibre_turn: self.anatomy.fibre_angle().sin_cos(),
            grain_turn: GRAIN_ANGLE.sin_cos(),
            fibre_mip: texture::fibres().mip(footprint_um),
            grain_mip: texture::grain().mip(footprint_um),
        };
        let columns: Vec<(usize, f32)> = canvas.xs.iter().map(|&x| lattice.column(x)).collect();
        let mut rows = Rows::default();
        let width = canvas.frame.width;
        for row in 0..canvas.frame.height {
            let y = canvas.frame.y_um(row as i64);
            lattice.row(y, &mut rows.nodes);
            ground.prepare(&mut rows, &columns);
            let line = &mut canvas.pixels[row * width..(row + 1) * width];
            ground.paint_row(line, &canvas.xs, y, &rows);
        }
    }

    fn foam(&self, canvas: &Canvas) -> Option<Foam> {
        self.anatomy.fat()?;
        (canvas.frame.mpp < FOAM_FADE_UM.1)
            .then(|| Foam::new(self.seed, canvas.frame.bounds_um(0.0)))
    }

    /// Farthest place, µm, whose fields decide on a cell that reaches into the picture.
    fn cell_margin_um(&self, frame: &Frame) -> f64 {
        let cells = frame.mpp < CELLS_FADE_UM.1;
        let reach = self
            .anatomy
            .populations()
            .iter()
            .map(|p| p.reach_um())
            .fold(0.0, f64::max);
        // Tubes are decided at their centres.
        if cells { reach + 4.0 } else { 200.0 }
    }

    /// Noise of the sensor at level 0; a coarser pixel is a mean of many and has less.
    fn add_noise(&self, canvas: &mut Canvas) {
        let frame = &canvas.frame;
        let strength = self.noise * (self.base_mpp / frame.mpp).min(1.0) as f32;
        if strength < 0.08 {
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

/// Side of the patch on which a material's mean colour is measured, px of 1.5 µm.
const PATCH_PX: usize = 128;

/// Mean colour of a look with its textures, without cells.
fn mean_of(look: &Look) -> Colour {
    let (fibres, grain) = (texture::fibres().mean(), texture::grain().mean());
    look.textured(&fibres, &grain, 0.0)
}

/// What painting the ground needs for every row.
struct Ground<'a> {
    renderer: &'a Renderer,
    looks: &'a [Look],
    widths: super::anatomy::Widths,
    foam: Option<Foam>,
    foam_away: f32,
    edge_um: f32,
    only: Option<usize>,
    /// Index of fat, beyond the last material where there is none.
    fat: usize,
    fibre_turn: (f64, f64),
    grain_turn: (f64, f64),
    fibre_mip: Mip<'a>,
    grain_mip: Mip<'a>,
}

/// Buffers that are used again for every row.
#[derive(Debug, Default)]
struct Rows {
    nodes: Vec<Fields>,
    fields: Vec<Fields>,
    weights: Vec<Weights>,
}

impl Ground<'_> {
    fn paint_row(&self, line: &mut [Colour], xs: &[f64], y: f64, rows: &Rows) {
        let ((fs, fc), (gs, gc)) = (self.fibre_turn, self.grain_turn);
        let mut clear_until = f64::MIN;
        for (((pixel, &x), fields), weights) in
            line.iter_mut().zip(xs).zip(&rows.fields).zip(&rows.weights)
        {
            if weights[0] >= 1.0 {
                *pixel = GLASS;
                continue;
            }
            let (wu, wv) = (f64::from(fields[WARP_U]), f64::from(fields[WARP_V]));
            let fibres = self
                .fibre_mip
                .sample(fc * x + fs * y + wu, fc * y - fs * x + wv);
            let grain = self
                .grain_mip
                .sample(gc * x + gs * y + 0.3 * wv, gc * y - gs * x + 0.3 * wu);
            *pixel = self.mix(weights, &fibres, &grain, fields[TINT]);
            if self.fat < MATERIALS && weights[self.fat] > 0.0 {
                *pixel = self.add_fat(*pixel, weights[self.fat], (x, y), &mut clear_until);
            }
        }
    }

    /// Fields and weights of the row at `y`, from the lattice's row of nodes.
    fn prepare(&self, rows: &mut Rows, columns: &[(usize, f32)]) {
        rows.fields.clear();
        let nodes = &rows.nodes;
        rows.fields.extend(
            columns
                .iter()
                .map(|&(column, t)| lerp_fields(&nodes[column], &nodes[column + 1], t)),
        );
        match self.only {
            None => {
                self.renderer
                    .anatomy
                    .weights_row(&rows.fields, &self.widths, &mut rows.weights)
            }
            Some(material) => {
                rows.weights.clear();
                rows.weights.resize(
                    columns.len(),
                    std::array::from_fn(|i| if i == material { 1.0 } else { 0.0 }),
                );
            }
        }
    }

    #[inline]
    fn mix(&self, weights: &Weights, fibres: &Texel, grain: &Texel, tint: f32) -> Colour {
        let mut mixed = Look::default();
        for (look, &weight) in self.looks.iter().zip(weights) {
            if weight >= 1.0 {
                return look.textured(fibres, grain, tint);
            }
            if weight > 0.0 {
                mixed.add(look, weight);
            }
        }
        mixed.textured(fibres, grain, tint)
    }

    /// The ground of fat is its walls; what is not wall is empty. Up to `clear_until` (µm along
    /// the row) there is no wall and no need to look for one.
    fn add_fat(
        &self,
        colour: Colour,
        weight: f32,
        (x, y): (f64, f64),
        clear_until: &mut f64,
    ) -> Colour {
        let Some(foam) = &self.foam else {
            return colour;
        };
        let mut wall = 0.0;
        if x >= *clear_until {
            let (share, clear_um) = foam.wall(x, y, self.edge_um);
            wall = share;
            *clear_until = x + f64::from(clear_um);
        }
        let open = (1.0 - wall) * (1.0 - self.foam_away);
        let empty: Colour = [239.0, 236.0, 238.0, 0.0];
        lerp(colour, empty, open * weight)
    }
}

const _: () = assert!(FIELDS == MATERIALS);
