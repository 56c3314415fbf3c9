//! Colour by optical density: haematoxylin and eosin absorb, the lamp shines through
//! (Ruifrok & Johnston 2001), with the reference directions of Macenko et al. 2009.

use super::hash::{Draws, mix};
use super::spec::SlideKnobs;

/// A colour in 8-bit sRGB units (0–255), not clamped; the fourth lane is padding for the vector
/// units.
pub type Colour = [f32; 4];

/// Light through clean glass.
pub const GLASS: Colour = [243.0, 242.0, 244.0, 0.0];

const HAEMATOXYLIN: [f32; 3] = [0.600, 0.715, 0.359];
const EOSIN: [f32; 3] = [0.190, 0.850, 0.492];

/// The stain of one slide: what a density of each dye does to the light.
#[derive(Debug, Clone, Copy)]
pub struct Stain {
    haematoxylin: [f32; 3],
    eosin: [f32; 3],
}

impl Stain {
    /// The stain that a slide's knobs describe; the jitter's direction comes from `seed`.
    pub fn new(knobs: &SlideKnobs, seed: u64) -> Self {
        let mut draws = Draws::new(mix(seed ^ 0x57a1));
        let jitter = knobs.stain_jitter as f32;
        let mut turn = |vector: [f32; 3], strength: f64| {
            vector.map(|v| (v + jitter * draws.normal()).max(0.02) * strength as f32)
        };
        Self {
            haematoxylin: turn(HAEMATOXYLIN, knobs.haematoxylin),
            eosin: turn(EOSIN, knobs.eosin),
        }
    }

    /// The colour of `h` haematoxylin and `e` eosin, in optical densities (natural logarithm).
    pub fn colour(&self, h: f32, e: f32) -> Colour {
        let (h, e) = (h.max(0.0), e.max(0.0));
        let lane = |i: usize| GLASS[i] * (-(h * self.haematoxylin[i] + e * self.eosin[i])).exp();
        [lane(0), lane(1), lane(2), 0.0]
    }

    /// Change of colour for a change of densities around (`h`, `e`): the phantom mixes linearly in
    /// sRGB, because pyramids are averaged there.
    pub fn slope(&self, h: f32, e: f32, dh: f32, de: f32) -> Colour {
        let up = self.colour(h + dh * 0.5, e + de * 0.5);
        let down = self.colour(h - dh * 0.5, e - de * 0.5);
        sub(up, down)
    }
}

/// `a − b`.
#[inline(always)]
pub fn sub(a: Colour, b: Colour) -> Colour {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
}

/// `a + k·b`.
#[inline(always)]
pub fn add_scaled(a: Colour, b: Colour, k: f32) -> Colour {
    [
        a[0] + k * b[0],
        a[1] + k * b[1],
        a[2] + k * b[2],
        a[3] + k * b[3],
    ]
}

/// From `a` (t = 0) to `b` (t = 1).
#[inline(always)]
pub fn lerp(a: Colour, b: Colour, t: f32) -> Colour {
    let step = |i: usize| a[i] + (b[i] - a[i]) * t;
    [step(0), step(1), step(2), step(3)]
}
