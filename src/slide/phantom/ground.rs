//! The ground of a picture: materials, their textures and the walls of fat, row by row.

use super::anatomy::{Anatomy, Fields, TINT, WARP_U, WARP_V, Weights, Widths};
use super::canvas::Canvas;
use super::fat::Foam;
use super::frame::{Lattice, lerp_fields};
use super::material::{CHANNELS, Look};
use super::stain::{Colour, GLASS, add_scaled, lerp};
use super::texture::{self, Fixed, Mip, Texel};

/// Pixels between the places where the shares of materials are worked out.
pub const BLOCK_PX: usize = 4;

/// Shares that differ by less than this between two places are interpolated.
const SMOOTH_BELOW: f32 = 0.3;

/// Scale beyond which the fine textures are their mean, µm/px.
const TEXTURE_MEAN_ABOVE_UM: f64 = 24.0;

/// Turn of the grain texture's axes, radians: no lattice lines up with the pixels.
const GRAIN_ANGLE: f64 = 0.61;

/// Mean colour of a look with its textures, without cells.
pub fn mean_of(look: &Look) -> Colour {
    let (fibres, grain) = (texture::fibres().mean(), texture::grain().mean());
    textured(look, &fibres, &grain, 0.0)
}

#[inline]
fn textured(look: &Look, fibres: &Texel, grain: &Texel, tint: f32) -> Colour {
    let mut colour = add_scaled(look.base, look.tint, tint);
    for i in 0..CHANNELS / 2 {
        colour = add_scaled(colour, look.channels[i], fibres[i]);
        colour = add_scaled(colour, look.channels[i + CHANNELS / 2], grain[i]);
    }
    colour
}

/// What painting the ground needs for every row.
pub struct Ground<'a> {
    /// The tissue.
    pub anatomy: &'a dyn Anatomy,
    /// Its materials' colours.
    pub looks: &'a [Look],
    /// Widths of transitions over the picture's pixels.
    pub widths: Widths,
    /// Index of the material that is fat, and its cells.
    pub foam: Option<(usize, Foam)>,
    /// How far the walls of fat cells have given way to their mean, 0–1.
    pub foam_away: f32,
    /// Width of the ramp at every edge, µm.
    pub edge_um: f32,
    /// Only this material, everywhere: for measuring its mean colour.
    pub only: Option<usize>,
    /// Sine and cosine of the fibres' axis.
    pub fibre_turn: (f64, f64),
    /// Pixel and optics together, µm.
    pub footprint_um: f64,
}

/// What is known at the edge of a block.
struct Place {
    fields: Fields,
    weights: Weights,
    /// Where it lies in the fibre texture and in the grain texture.
    texels: (Fixed, Fixed),
}

/// The two textures, or their means where a picture is too coarse for them.
struct Textures {
    mips: Option<(Mip<'static>, Mip<'static>)>,
    means: (Texel, Texel),
    fibre_turn: (f64, f64),
    grain_turn: (f64, f64),
}

impl Textures {
    fn fixed(&self, x: f64, y: f64, fields: &Fields) -> (Fixed, Fixed) {
        let Some((fibres, grain)) = &self.mips else {
            return Default::default();
        };
        let (wu, wv) = (f64::from(fields[WARP_U]), f64::from(fields[WARP_V]));
        let ((fs, fc), (gs, gc)) = (self.fibre_turn, self.grain_turn);
        (
            fibres.fixed(fc * x + fs * y + wu, fc * y - fs * x + wv),
            grain.fixed(gc * x + gs * y + 0.3 * wv, gc * y - gs * x + 0.3 * wu),
        )
    }

    /// Texels `i` pixels into the block from `a` to `b`.
    #[inline]
    fn between(&self, a: &(Fixed, Fixed), b: &(Fixed, Fixed), i: usize) -> (Texel, Texel) {
        let Some((fibres, grain)) = &self.mips else {
            return self.means;
        };
        let part = |a: i64, b: i64| a + (b - a) * i as i64 / BLOCK_PX as i64;
        let place = |a: Fixed, b: Fixed| (part(a.0, b.0), part(a.1, b.1));
        (
            fibres.sample_fixed(place(a.0, b.0)),
            grain.sample_fixed(place(a.1, b.1)),
        )
    }
}

impl Ground<'_> {
    /// Paints the ground of a picture over the `lattice` that lies under it.
    pub fn paint(&self, canvas: &mut Canvas, lattice: &Lattice) {
        // Blocks hang on the slide's pixel grid, not on the picture.
        let frame = &canvas.frame;
        let lead = frame.x0.rem_euclid(BLOCK_PX as i64);
        let blocks = (lead as usize + frame.width).div_ceil(BLOCK_PX);
        let edge = |block: usize| (block * BLOCK_PX) as i64 - lead;
        let columns: Vec<(usize, f32)> = (0..=blocks)
            .map(|block| lattice.column(frame.x_um(edge(block))))
            .collect();
        let textures = self.textures();
        let (mut nodes, mut places) = (Vec::new(), Vec::new());
        let width = frame.width;
        for row in 0..frame.height {
            let y = frame.y_um(row as i64);
            lattice.row(y, &mut nodes);
            places.clear();
            places.extend(columns.iter().enumerate().map(|(block, &(c, t))| {
                let fields = lerp_fields(&nodes[c], &nodes[c + 1], t);
                let texels = textures.fixed(frame.x_um(edge(block)), y, &fields);
                Place {
                    fields,
                    weights: self.weights(&fields),
                    texels,
                }
            }));
            let line = &mut canvas.pixels[row * width..(row + 1) * width];
            self.paint_row(line, (&canvas.xs, y), lead as usize, (&places, &textures));
        }
    }

    /// Paints one row: blocks that begin `lead` px before it, between neighbouring places.
    fn paint_row(
        &self,
        line: &mut [Colour],
        (xs, y): (&[f64], f64),
        lead: usize,
        (places, textures): (&[Place], &Textures),
    ) {
        let mut col = 0;
        for (block, pair) in places.windows(2).enumerate() {
            let (a, b) = (&pair[0], &pair[1]);
            let (wa, wb) = (&a.weights, &b.weights);
            let end = ((block + 1) * BLOCK_PX - lead).min(line.len());
            let first = col + lead - block * BLOCK_PX;
            let pixels = line[col..end].iter_mut().zip(&xs[col..end]);
            col = end;
            if wa[0] >= 1.0 && wb[0] >= 1.0 {
                pixels.for_each(|(pixel, _)| *pixel = GLASS);
                continue;
            }
            let apart: f32 = wa.iter().zip(wb).map(|(a, b)| (a - b).abs()).sum();
            for (i, (pixel, &x)) in (first..).zip(pixels) {
                let t = i as f32 * (1.0 / BLOCK_PX as f32);
                let weights = if apart == 0.0 {
                    *wa
                } else if apart < SMOOTH_BELOW {
                    std::array::from_fn(|m| wa[m] + (wb[m] - wa[m]) * t)
                } else {
                    self.weights(&lerp_fields(&a.fields, &b.fields, t))
                };
                let tint = a.fields[TINT] + (b.fields[TINT] - a.fields[TINT]) * t;
                let (fibres, grain) = textures.between(&a.texels, &b.texels, i);
                let colour = self.mix(&weights, &fibres, &grain, tint);
                *pixel = self.with_fat(colour, &weights, x, y);
            }
        }
    }

    fn textures(&self) -> Textures {
        let (fibres, grain) = (texture::fibres(), texture::grain());
        let fine = self.footprint_um < TEXTURE_MEAN_ABOVE_UM;
        Textures {
            mips: fine.then(|| (fibres.mip(self.footprint_um), grain.mip(self.footprint_um))),
            means: (fibres.mean(), grain.mean()),
            fibre_turn: self.fibre_turn,
            grain_turn: GRAIN_ANGLE.sin_cos(),
        }
    }

    /// The ground of fat is its walls; what is not wall is empty.
    #[inline]
    fn with_fat(&self, colour: Colour, weights: &Weights, x: f64, y: f64) -> Colour {
        match &self.foam {
            Some((fat, foam)) if weights[*fat] > 0.0 => {
                let open = (1.0 - foam.wall(x, y, self.edge_um)) * (1.0 - self.foam_away);
                lerp(colour, EMPTY_FAT, open * weights[*fat])
            }
            _ => colour,
        }
    }

    #[inline]
    fn weights(&self, fields: &Fields) -> Weights {
        match self.only {
            None => self.anatomy.weights(fields, &self.widths),
            Some(material) => std::array::from_fn(|i| if i == material { 1.0 } else { 0.0 }),
        }
    }

    #[inline]
    fn mix(&self, weights: &Weights, fibres: &Texel, grain: &Texel, tint: f32) -> Colour {
        let mut colour = [0.0; 4];
        for (look, &weight) in self.looks.iter().zip(weights) {
            if weight > 0.0 {
                colour = add_scaled(colour, textured(look, fibres, grain, tint), weight);
            }
        }
        colour
    }
}

/// A fat cell, whose content the laboratory's solvents took away.
const EMPTY_FAT: Colour = [239.0, 236.0, 238.0, 0.0];
