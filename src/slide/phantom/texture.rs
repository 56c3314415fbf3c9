//! Texture tables: what tissue looks like below the size of a cell.
//!
//! Two tables of four channels tile the plane. They are looked up in turned and warped
//! coordinates, which hides their period, and carry a mip chain made by box averaging, so that a
//! sample at any scale is already band-limited. They do not depend on a slide and are made once.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::hash::periodic_noise;
use super::stain::add_scaled;

/// Side of a table, texels; a power of two.
const SIDE: usize = 512;

/// Microns per texel of the finest table: about the resolving power of a 20x objective.
pub const TEXEL_UM: f64 = 0.5;

/// Four channels at one place.
pub type Texel = [f32; 4];

/// A texel as stored: four signed bytes, so that the tables stay in the processor's cache.
type Packed = [i8; 4];

/// What one unit of each stored channel stands for.
type Units = [f32; 4];

/// One table with its mip chain, finest first.
#[derive(Debug)]
pub struct Texture {
    mips: Vec<Vec<Packed>>,
    units: Units,
    mean: Texel,
}

/// The level of a mip chain that fits a pixel footprint.
#[derive(Debug, Clone, Copy)]
pub struct Mip<'a> {
    texels: &'a [Packed],
    mask: usize,
    blocks: usize,
    per_um: f64,
    units: Units,
}

/// Texels lie in blocks of 4 × 4, one cache line each: pixels walk across the table at an angle.
#[inline]
fn place(x: usize, y: usize, blocks: usize) -> usize {
    (((y >> 2) * blocks + (x >> 2)) << 4) | ((y & 3) << 2) | (x & 3)
}

/// Levels smaller than a block are left out.
const COARSEST_SIDE: usize = 4;

impl Texture {
    fn generate(texel: fn(f64, f64) -> Texel, units: Units) -> Self {
        let step = 1.0 / SIDE as f64;
        let mut level: Vec<Texel> = (0..SIDE * SIDE)
            .into_par_iter()
            .map(|i| texel((i % SIDE) as f64 * step, (i / SIDE) as f64 * step))
            .collect();
        let mut mips = Vec::new();
        let mut side = SIDE;
        while side >= COARSEST_SIDE {
            mips.push(pack(&level, side, &units));
            level = halve(&level, side);
            side /= 2;
        }
        let count = level.len().max(1) as f32;
        let mean = std::array::from_fn(|c| level.iter().map(|t| t[c]).sum::<f32>() / count);
        Self { mips, units, mean }
    }

    /// The mip whose texels are somewhat finer than `footprint_um`: bilinear samples of those
    /// average over about as much as a pixel does.
    pub fn mip(&self, footprint_um: f64) -> Mip<'_> {
        let wanted = (footprint_um * 0.7 / TEXEL_UM).max(1.0).log2().round() as usize;
        let level = wanted.min(self.mips.len() - 1);
        let side = SIDE >> level;
        let per_um = 1.0 / (TEXEL_UM * (1_u32 << level) as f64);
        Mip {
            texels: &self.mips[level],
            mask: side - 1,
            blocks: side / 4,
            per_um,
            units: self.units,
        }
    }

    /// Mean of every channel.
    pub fn mean(&self) -> Texel {
        self.mean
    }
}

fn pack(level: &[Texel], side: usize, units: &Units) -> Vec<Packed> {
    let mut packed = vec![[0; 4]; side * side];
    for (i, texel) in level.iter().enumerate() {
        // `as i8` saturates, which cuts off the rarest peaks.
        packed[place(i % side, i / side, side / 4)] =
            std::array::from_fn(|c| (texel[c] / units[c]).round() as i8);
    }
    packed
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

/// 1.5 · 2^52: adding it rounds to a whole number and leaves that number in the low bits, which
/// is several times faster than a conversion.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

impl Mip<'_> {
    /// Bilinear sample at (`u`, `v`) µm of texture space; any finite value within ±8 m.
    #[inline(never)] // inlined, the compiler breaks its vectors up
    pub fn sample(&self, u: f64, v: f64) -> Texel {
        // Texel centres lie at halves: rounding u − 1 down by half a texel and a half.
        let (u, v) = (u * self.per_um - 1.0, v * self.per_um - 1.0);
        let (ru, rv) = (u + ROUNDING, v + ROUNDING);
        let (fu, fv) = (
            (u - (ru - ROUNDING)) as f32 + 0.5,
            (v - (rv - ROUNDING)) as f32 + 0.5,
        );
        let (x0, y0) = (
            ru.to_bits() as usize & self.mask,
            rv.to_bits() as usize & self.mask,
        );
        let (x1, y1) = ((x0 + 1) & self.mask, (y0 + 1) & self.mask);
        let at = |x: usize, y: usize| self.texels[place(x, y, self.blocks)].map(f32::from);
        let (left, right) = (1.0 - fu, fu);
        let (top, bottom) = (1.0 - fv, fv);
        let sum = add_scaled([0.0; 4], at(x0, y0), left * top);
        let sum = add_scaled(sum, at(x1, y0), right * top);
        let sum = add_scaled(sum, at(x0, y1), left * bottom);
        let sum = add_scaled(sum, at(x1, y1), right * bottom);
        std::array::from_fn(|i| sum[i] * self.units[i])
    }
}

/// Units of channels that swing about 0, up to ±4, and of shares of 0–1.
const SWING: f32 = 1.0 / 32.0;
const SHARE: f32 = 1.0 / 127.0;

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
    TABLE.get_or_init(|| Texture::generate(fibre_texel, [SWING, SWING, SHARE, SWING]))
}

/// The table without a direction.
pub fn grain() -> &'static Texture {
    static TABLE: OnceLock<Texture> = OnceLock::new();
    TABLE.get_or_init(|| Texture::generate(grain_texel, [SWING, SHARE, SHARE, SWING]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_mip_is_the_mean() {
        let texture = grain();
        let far = texture.mip(1e9).sample(3.0, 4.0);
        for (a, b) in far.iter().zip(texture.mean()) {
            assert!((a - b).abs() < 0.05);
        }
    }
}
