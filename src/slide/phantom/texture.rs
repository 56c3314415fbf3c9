//! Texture tables: what tissue looks like below the size of a cell.
//!
//! Two tables of four channels tile the plane. They are looked up in turned and warped
//! coordinates, which hides their period, and carry a mip chain made by box averaging, so that a
//! sample at any scale is already band-limited. They do not depend on a slide and are made once.

use std::sync::OnceLock;

use super::hash::Torus;
use super::stain::lerp;

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
    fn generate(
        layers: &[(u64, usize, usize)],
        texel: impl Fn(&dyn Fn(usize, f64, f64) -> f64, f64, f64) -> Texel + Sync,
    ) -> Self {
        let layers: Vec<Torus> = layers
            .iter()
            .map(|&(s, cx, cy)| Torus::new(s, cx, cy))
            .collect();
        let noise = |layer: usize, x: f64, y: f64| layers[layer].at(x, y);
        let step = 1.0 / SIDE as f64;
        let at = |i: usize| texel(&noise, (i % SIDE) as f64 * step, (i / SIDE) as f64 * step);
        let mut base = vec![Texel::default(); SIDE * SIDE];
        fill(&mut base, &at);
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

/// Fills `values` from their indices on threads of its own. Not on rayon's: textures are made
/// inside a `OnceLock`, and rayon's threads, should they be the first to ask, would wait there for
/// work that only they can do.
fn fill(values: &mut [Texel], at: &(impl Fn(usize) -> Texel + Sync)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = values.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (n, part) in values.chunks_mut(each).enumerate() {
            scope.spawn(move || {
                for (place, i) in part.iter_mut().zip(n * each..) {
                    *place = at(i);
                }
            });
        }
    });
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

/// A place in texture space in whole texels and a fraction of [`FRACTION_BITS`].
pub type Fixed = (i64, i64);

/// Bits of a texel's fraction.
const FRACTION_BITS: u32 = 12;

impl Mip<'_> {
    /// (`u`, `v`) µm of texture space as fixed-point texels.
    #[inline]
    pub fn fixed(&self, u: f64, v: f64) -> Fixed {
        let one = f64::from(1_u32 << FRACTION_BITS);
        (
            ((u * self.per_um - 0.5) * one) as i64,
            ((v * self.per_um - 0.5) * one) as i64,
        )
    }

    /// Bilinear sample at a fixed-point place.
    #[inline]
    pub fn sample_fixed(&self, (u, v): Fixed) -> Texel {
        let fraction = |i: i64| {
            let bits = (i & ((1 << FRACTION_BITS) - 1)) as i32;
            bits as f32 * (1.0 / (1_u32 << FRACTION_BITS) as f32)
        };
        let (iu, iv) = (u >> FRACTION_BITS, v >> FRACTION_BITS);
        self.bilinear((iu as usize, iv as usize), fraction(u), fraction(v))
    }

    #[inline]
    fn bilinear(&self, (iu, iv): (usize, usize), fu: f32, fv: f32) -> Texel {
        let mask = self.side - 1;
        let (x0, y0) = (iu & mask, iv & mask);
        let (x1, y1) = ((x0 + 1) & mask, (y0 + 1) & mask);
        let (r0, r1) = (y0 * self.side, y1 * self.side);
        let (a, b) = (self.texels[r0 + x0], self.texels[r0 + x1]);
        let (c, d) = (self.texels[r1 + x0], self.texels[r1 + x1]);
        lerp(lerp(a, b, fu), lerp(c, d, fu), fv)
    }
}

fn step(value: f64, low: f64, high: f64) -> f64 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Seed and cells of each noise under the fibres.
const FIBRE_LAYERS: [(u64, usize, usize); 10] = [
    (12, 5, 7),
    (13, 14, 16),
    (1, 11, 120),
    (2, 22, 210),
    (3, 4, 18),
    (4, 9, 40),
    (5, 6, 14),
    (6, 7, 44),
    (7, 19, 90),
    (8, 14, 58),
];

/// Fibres along x: fine fibrils, wavy bundles, clefts (coverage), basophilic streaks.
fn fibre_texel(noise: &dyn Fn(usize, f64, f64) -> f64, x: f64, y: f64) -> Texel {
    let y = y + noise(0, x, y) * 0.012 + noise(1, x, y) * 0.0035;
    let n = |layer: usize| noise(layer, x, y);
    let fibrils = n(2) * 1.3 + n(3) * 0.8;
    let phase = n(4) * 1.1 + n(5) * 0.35;
    let bundles = (std::f64::consts::TAU * (y * 22.0 + phase)).sin() * (0.75 + 0.5 * n(6));
    let clefts = step(n(7) + 0.35 * n(8), 0.62, 0.95);
    let streaks = n(9) * 1.5;
    [fibrils, bundles, clefts, streaks].map(|v| v as f32)
}

/// Seed and cells of each noise under the grain.
const GRAIN_LAYERS: [(u64, usize, usize); 10] = [
    (20, 40, 40),
    (21, 40, 40),
    (22, 96, 96),
    (23, 190, 190),
    (24, 34, 34),
    (25, 62, 62),
    (26, 52, 52),
    (27, 26, 26),
    (28, 11, 11),
    (29, 25, 25),
];

/// No direction: granules, mesh (coverage of thin strands), vacuoles (coverage), blotches.
fn grain_texel(noise: &dyn Fn(usize, f64, f64) -> f64, x: f64, y: f64) -> Texel {
    let (wx, wy) = (x + 0.004 * noise(0, x, y), y + 0.004 * noise(1, x, y));
    let granules = (noise(2, x, y) + noise(3, x, y)) * 1.1;
    let strand = |n: f64| (1.0 - n.abs() * 3.2).max(0.0);
    let mesh = strand(noise(4, wx, wy)).max(0.8 * strand(noise(5, wx, wy)));
    let vacuoles = step(noise(6, wx, wy) + 0.3 * noise(7, x, y), 0.62, 0.85);
    let blotches = noise(8, x, y) * 1.2 + noise(9, x, y) * 0.9;
    [granules, mesh, vacuoles, blotches].map(|v| v as f32)
}

/// The table with a direction; its fibres run along u.
pub fn fibres() -> &'static Texture {
    static TABLE: OnceLock<Texture> = OnceLock::new();
    TABLE.get_or_init(|| Texture::generate(&FIBRE_LAYERS, fibre_texel))
}

/// The table without a direction.
pub fn grain() -> &'static Texture {
    static TABLE: OnceLock<Texture> = OnceLock::new();
    TABLE.get_or_init(|| Texture::generate(&GRAIN_LAYERS, grain_texel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rayons_threads_may_be_the_first_to_ask() {
        use rayon::prelude::*;
        static TABLE: OnceLock<Texture> = OnceLock::new();
        let make = || Texture::generate(&[(1, 4, 4)], |noise, x, y| [noise(0, x, y) as f32; 4]);
        let seen: Vec<f32> = (0..64)
            .into_par_iter()
            .map(|_| TABLE.get_or_init(make).mean()[0])
            .collect();
        assert!(seen.iter().all(|mean| *mean == seen[0]));
    }

    #[test]
    fn a_coarse_mip_is_the_mean() {
        let texture = grain();
        let mip = texture.mip(1e9);
        let far = mip.sample_fixed(mip.fixed(3.0, 4.0));
        for (a, b) in far.iter().zip(texture.mean()) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
