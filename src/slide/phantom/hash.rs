//! Determinism: every random choice of the phantom is a hash of integers, and every field is
//! gradient noise over such hashes, so that a pixel depends on where it is and on nothing else.

/// One draw of a well-mixed 64-bit value from `x` (the finaliser of SplitMix64).
#[inline]
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hash of one integer grid cell.
#[inline]
pub fn cell_hash(seed: u64, ix: i64, iy: i64) -> u64 {
    let x = ix.cast_unsigned().wrapping_mul(0x8da6_b343_d816_3841);
    let y = iy.cast_unsigned().wrapping_mul(0xd819_5a1d_94d0_49bb);
    mix(seed ^ x ^ y.rotate_left(32))
}

/// A short stream of uniform numbers grown from one hash.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The stream that belongs to `hash`.
    #[inline]
    pub fn new(hash: u64) -> Self {
        Self(hash)
    }

    /// The next number, uniform in 0..1.
    #[inline]
    pub fn unit(&mut self) -> f32 {
        self.0 = mix(self.0);
        // 24 bits are all that an f32 can hold below one.
        (self.0 >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `low..high`.
    #[inline]
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Roughly normal: mean 0, standard deviation 1, never beyond ±3.
    #[inline]
    pub fn normal(&mut self) -> f32 {
        let sum = self.unit() + self.unit() + self.unit();
        (sum - 1.5) * 2.0
    }
}

/// A gradient of one lattice node dotted with the offset to it.
#[inline]
fn corner(hash: u64, dx: f64, dy: f64) -> f64 {
    // Two 16-bit fields of the hash, centred: gradients of many lengths and directions.
    let gx = (hash & 0xffff) as f64 * (1.0 / 32768.0) - 1.0;
    let gy = ((hash >> 16) & 0xffff) as f64 * (1.0 / 32768.0) - 1.0;
    gx * dx + gy * dy
}

#[inline]
fn fade(t: f64) -> f64 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Interpolates four corner values of a unit cell.
#[inline]
fn blend(corners: [f64; 4], fx: f64, fy: f64) -> f64 {
    let (u, v) = (fade(fx), fade(fy));
    let top = corners[0] + (corners[1] - corners[0]) * u;
    let bottom = corners[2] + (corners[3] - corners[2]) * u;
    (top + (bottom - top) * v) * NOISE_GAIN
}

/// Brings the standard deviation of the noise to about 0.5.
const NOISE_GAIN: f64 = 2.05;

/// Gradient noise (Perlin 1985, 2002) of unit wavelength: mean 0, standard deviation about 0.5,
/// nearly always within ±1.5.
#[inline]
pub fn noise(seed: u64, x: f64, y: f64) -> f64 {
    let (ix, iy) = (x.floor(), y.floor());
    let (fx, fy) = (x - ix, y - iy);
    let (ix, iy) = (ix as i64, iy as i64);
    let corners = [
        corner(cell_hash(seed, ix, iy), fx, fy),
        corner(cell_hash(seed, ix + 1, iy), fx - 1.0, fy),
        corner(cell_hash(seed, ix, iy + 1), fx, fy - 1.0),
        corner(cell_hash(seed, ix + 1, iy + 1), fx - 1.0, fy - 1.0),
    ];
    blend(corners, fx, fy)
}

/// The same noise on a torus of `period` whole cells, for textures that tile.
pub fn periodic_noise(seed: u64, x: f64, y: f64, period: (i64, i64)) -> f64 {
    let (ix, iy) = (x.floor(), y.floor());
    let (fx, fy) = (x - ix, y - iy);
    let wrap = |i: i64, n: i64| i.rem_euclid(n.max(1));
    let (x0, y0) = (wrap(ix as i64, period.0), wrap(iy as i64, period.1));
    let (x1, y1) = (wrap(x0 + 1, period.0), wrap(y0 + 1, period.1));
    let corners = [
        corner(cell_hash(seed, x0, y0), fx, fy),
        corner(cell_hash(seed, x1, y0), fx - 1.0, fy),
        corner(cell_hash(seed, x0, y1), fx, fy - 1.0),
        corner(cell_hash(seed, x1, y1), fx - 1.0, fy - 1.0),
    ];
    blend(corners, fx, fy)
}

/// A family of noise octaves over microns. Each octave is turned by its own angle, so that the
/// lattice axes never line up; an octave too fine for the sampling step fades out.
#[derive(Debug, Clone)]
pub struct Field {
    octaves: Vec<Octave>,
}

#[derive(Debug, Clone)]
struct Octave {
    seed: u64,
    amplitude: f64,
    wavelength_um: f64,
    cos: f64,
    sin: f64,
}

impl Field {
    /// `octaves` are (amplitude, wavelength in µm) pairs.
    pub fn new(seed: u64, octaves: &[(f64, f64)]) -> Self {
        let octaves = octaves
            .iter()
            .zip(1_u64..)
            .map(|(&(amplitude, wavelength_um), n)| {
                let seed = mix(seed ^ mix(n));
                let angle = f64::from(Draws::new(seed).unit()) * std::f64::consts::TAU;
                Octave {
                    seed,
                    amplitude,
                    wavelength_um,
                    cos: angle.cos(),
                    sin: angle.sin(),
                }
            });
        Self {
            octaves: octaves.collect(),
        }
    }

    /// Value at (`x`, `y`) µm for a sampling step of `step_um`.
    #[inline]
    pub fn at(&self, x: f64, y: f64, step_um: f64) -> f64 {
        let mut sum = 0.0;
        for o in &self.octaves {
            let keep = (o.wavelength_um / step_um * 0.5 - 0.75).clamp(0.0, 1.0);
            if keep > 0.0 {
                let (u, v) = (o.cos * x - o.sin * y, o.sin * x + o.cos * y);
                let at = 1.0 / o.wavelength_um;
                sum += keep * o.amplitude * noise(o.seed, u * at, v * at);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_centred_and_has_its_stated_spread() {
        let values: Vec<f64> = (0..20_000)
            .map(|i| noise(7, f64::from(i) * 0.37, f64::from(i) * 0.11))
            .collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let spread = (values.iter().map(|v| v * v).sum::<f64>() / 20_000.0).sqrt();
        assert!(
            mean.abs() < 0.03 && (0.35..0.65).contains(&spread),
            "{mean} {spread}"
        );
    }

    #[test]
    fn periodic_noise_repeats() {
        let a = periodic_noise(3, 1.25, 2.5, (8, 4));
        assert!((a - periodic_noise(3, 9.25, 6.5, (8, 4))).abs() < 1e-12);
    }
}
