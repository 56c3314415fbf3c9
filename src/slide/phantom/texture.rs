//! Texture tables: what tissue looks like below the size of a cell.
//!
//! Two tables of four channels tile the plane. They are looked up in turned and warped
//! coordinates, which hides their period, and carry a mip chain made by box averaging, so that a
//! sample at any scale is already band-limited. They do not depend on a slide and are made once.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::hash::periodic_noise;

/// Side of a table, texels; a power of two.
const SIDE: usize = 512;

/// Microns per texel of the finest table: about the resolving power of a 20x objective.
pub const TEXEL_UM: f64 = 0.5;

/// Four channels at one place.
pub type Texel = [f32; 4];

/// One table with its mip chain, finest first.
#[derive(Debug)]
pub struct Texture {
    mips: Vec<Vec<Texel>>,
}

/// The level of a mip chain that fits a pixel footprint.
#[derive(Debug, Clone, Copy)]
pub struct Mip<'a> {
    texels: &'a [Texel],
    side: usize,
    per_um: f64,
}

impl Texture {
    fn generate(texel: fn(f64, f64) -> Texel) -> Self {
        let step = 1.0 / SIDE as f64;
        let base: Vec<Texel> = (0..SIDE * SIDE)
            .into_par_iter()
            .map(|i| texel((i % SIDE) as f64 * step, (i / SIDE) as f64 * step))
            .collect();
        let mut mips = vec![base];
        let mut side = SIDE;
        while side > 1 {
            let Some(finer) = mips.last() else { break };
            let half = halve(finer, side);
            mips.push(half);
            side /= 2;
        }
        Self { mips }
    }

    /// The mip whose texels are nearest to `footprint_um`.
    pub fn mip(&self, footprint_um: f64) -> Mip<'_> {
        let wanted = (footprint_um / TEXEL_UM).max(1.0).log2().round() as usize;
        let level = wanted.min(self.mips.len() - 1);
        let side = SIDE >> level;
        Mip {
            texels: &self.mips[level],
            side,
            per_um: 1.0 / (TEXEL_UM * (1_u32 << level) as f64),
        }
    }

    /// Mean of every channel.
    pub fn mean(&self) -> Texel {
        self.mips
            .last()
            .and_then(|m| m.first())
            .copied()
            .unwrap_or_default()
    }
}

fn halve(finer: &[Texel], side: usize) -> Vec<Texel> {
    let half = side / 2;
    let at = |x: usize, y: usize| finer[y * side + x];
    let mean = |i: usize| {
        let (x, y) = (i % half * 2, i / half * 2);
        let quad = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
        std::array::from_fn(|c| quad.iter().map(|t| t[c]).sum::<f32>() * 0.25)
    };
    (0..half * half).map(mean).collect()
}

/// Added to coordinates before truncation, so that truncating is rounding down.
const POSITIVE: f64 = 16_777_216.0;

impl Mip<'_> {
    /// Bilinear sample at (`u`, `v`) µm of texture space; any finite value within ±8 m.
    #[inline]
    pub fn sample(&self, u: f64, v: f64) -> Texel {
        let (u, v) = (
            u * self.per_um - 0.5 + POSITIVE,
            v * self.per_um - 0.5 + POSITIVE,
        );
        let (iu, iv) = (u as i64, v as i64);
        let (fu, fv) = ((u - iu as f64) as f32, (v - iv as f64) as f32);
        let mask = self.side - 1;
        let (x0, y0) = (iu as usize & mask, iv as usize & mask);
        let (x1, y1) = ((x0 + 1) & mask, (y0 + 1) & mask);
        let (r0, r1) = (y0 * self.side, y1 * self.side);
        let (a, b) = (self.texels[r0 + x0], self.texels[r0 + x1]);
        let (c, d) = (self.texels[r1 + x0], self.texels[r1 + x1]);
        std::array::from_fn(|i| {
            let top = a[i] + (b[i] - a[i]) * fu;
            let bottom = c[i] + (d[i] - c[i]) * fu;
            top + (bottom - top) * fv
        })
    }
}

/// Noise of `cx`·`cy` cells over the unit square.
fn cells(seed: u64, x: f64, y: f64, cx: i64, cy: i64) -> f64 {
    periodic_noise(seed, x * cx as f64, y * cy as f64, (cx, cy))
}

fn step(value: f64, low: f64, high: f64) -> f64 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Fibres along x: fine fibrils, wavy bundles, clefts (coverage), basophilic streaks.
fn fibre_texel(x: f64, y: f64) -> Texel {
    let sway = cells(12, x, y, 5, 7) * 0.012 + cells(13, x, y, 14, 16) * 0.0035;
    let y = y + sway;
    let fibrils = cells(1, x, y, 11, 120) * 1.3 + cells(2, x, y, 22, 210) * 0.8;
    let phase = cells(3, x, y, 4, 18) * 1.1 + cells(4, x, y, 9, 40) * 0.35;
    let bundles =
        (std::f64::consts::TAU * (y * 22.0 + phase)).sin() * (0.75 + 0.5 * cells(5, x, y, 6, 14));
    let slit = cells(6, x, y, 7, 44) + 0.35 * cells(7, x, y, 19, 90);
    let clefts = step(slit, 0.62, 0.95);
    let streaks = cells(8, x, y, 14, 58) * 1.5;
    [fibrils, bundles, clefts, streaks].map(|v| v as f32)
}

/// No direction: granules, mesh (coverage of thin strands), vacuoles (coverage), blotches.
fn grain_texel(x: f64, y: f64) -> Texel {
    let (wx, wy) = (
        x + 0.004 * cells(20, x, y, 40, 40),
        y + 0.004 * cells(21, x, y, 40, 40),
    );
    let granules = cells(22, x, y, 96, 96) * 1.1 + cells(23, x, y, 190, 190) * 1.1;
    let strand = |n: f64| (1.0 - n.abs() * 3.2).max(0.0);
    let mesh = strand(cells(24, wx, wy, 34, 34)).max(0.8 * strand(cells(25, wx, wy, 62, 62)));
    let hole = cells(26, wx, wy, 52, 52) + 0.3 * cells(27, x, y, 26, 26);
    let vacuoles = step(hole, 0.62, 0.85);
    let blotches = cells(28, x, y, 11, 11) * 1.2 + cells(29, x, y, 25, 25) * 0.9;
    [granules, mesh, vacuoles, blotches].map(|v| v as f32)
}

/// The table with a direction; its fibres run along u.
pub fn fibres() -> &'static Texture {
    static TABLE: OnceLock<Texture> = OnceLock::new();
    TABLE.get_or_init(|| Texture::generate(fibre_texel))
}

/// The table without a direction.
pub fn grain() -> &'static Texture {
    static TABLE: OnceLock<Texture> = OnceLock::new();
    TABLE.get_or_init(|| Texture::generate(grain_texel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_mip_is_the_mean() {
        let texture = grain();
        let far = texture.mip(1e9).sample(3.0, 4.0);
        for (a, b) in far.iter().zip(texture.mean()) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
