//! Determinism: every random choice of the phantom is a hash of integers, and every field is
//! gradient noise over such hashes, so that a pixel depends on where it is and on nothing else.

/// One draw of a well-mixed 64-bit value from `x` (the finaliser of SplitMix64).
#[inline]
pub const fn mix(x: u64) -> u64 {
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

/// A gradient of one lattice node, named by its axes' keys, dotted with the offset to it.
#[inline]
fn corner(key: u64, dx: f64, dy: f64) -> f64 {
    // One round is enough for gradients, of which an eye sees only that they differ.
    let hash = (key ^ (key >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let [gx, gy] = GRADIENTS[(hash >> 56) as usize];
    gx * dx + gy * dy
}

/// Gradients of many lengths and directions, each part within ±1.
static GRADIENTS: [[f64; 2]; 256] = gradients();

const fn gradients() -> [[f64; 2]; 256] {
    let mut table = [[0.0; 2]; 256];
    let mut i = 0;
    while i < 256 {
        let hash = mix(i as u64);
        let x = (hash & 0xffff) as f64 / 32768.0 - 1.0;
        let y = ((hash >> 16) & 0xffff) as f64 / 32768.0 - 1.0;
        table[i] = [x, y];
        i += 1;
    }
    table
}

const KEY_X: u64 = 0x8da6_b343_d816_3841;
const KEY_Y: u64 = 0xd819_5a1d_94d0_49bb;

/// The largest whole number not above `v`, and `v`'s distance from it. `f64::floor` is a library
/// call on the plainest x86-64.
#[inline]
pub fn floor(v: f64) -> (i64, f64) {
    let whole = v as i64;
    let whole = if whole as f64 > v { whole - 1 } else { whole };
    (whole, v - whole as f64)
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
    let ((ix, fx), (iy, fy)) = (floor(x), floor(y));
    let kx = seed.wrapping_add(ix.cast_unsigned().wrapping_mul(KEY_X));
    let ky = iy.cast_unsigned().wrapping_mul(KEY_Y);
    let (kx1, ky1) = (kx.wrapping_add(KEY_X), ky.wrapping_add(KEY_Y));
    let corners = [
        corner(kx ^ ky.rotate_left(32), fx, fy),
        corner(kx1 ^ ky.rotate_left(32), fx - 1.0, fy),
        corner(kx ^ ky1.rotate_left(32), fx, fy - 1.0),
        corner(kx1 ^ ky1.rotate_left(32), fx - 1.0, fy - 1.0),
    ];
    blend(corners, fx, fy)
}

/// The same noise on a torus of `period` whole cells, for textures that tile.
pub fn periodic_noise(seed: u64, x: f64, y: f64, period: (i64, i64)) -> f64 {
    let ((ix, fx), (iy, fy)) = (floor(x), floor(y));
    let wrap = |i: i64, n: i64| i.rem_euclid(n.max(1));
    let (x0, y0) = (wrap(ix, period.0), wrap(iy, period.1));
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
        self.octaves
            .iter()
            .map(|o| o.keep(step_um, false) * o.at(x, y))
            .sum()
    }

    /// Values at every node of `grid`. A slow octave is evaluated at some nodes only and
    /// interpolated: those nodes too are fixed on the slide, so that any grid gives one value.
    pub fn on_grid(&self, grid: &Grid) -> Vec<f64> {
        let mut out = vec![0.0; grid.columns * grid.rows];
        for octave in &self.octaves {
            if octave.keep(grid.step_um, grid.overview) > 0.0 {
                octave.add_to_grid(grid, &mut out);
            }
        }
        out
    }
}

/// Nodes of a lattice: index (0, 0) lies at the slide's origin.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Distance between nodes, µm.
    pub step_um: f64,
    /// Index of the first column and row.
    pub first: (i64, i64),
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Serves an overview: small detail is left out, large detail is interpolated farther.
    pub overview: bool,
}

/// A slow octave is evaluated this many times a wavelength at least: where cells are seen, and in
/// overviews.
const SAMPLES_A_WAVE: (f64, f64) = (6.5, 3.3);

/// So many samples a wavelength look smooth even in the outline of the tissue.
const SMOOTH_SAMPLES: f64 = 26.0;

/// No farther apart than this many nodes.
const WIDEST_STRIDE: i64 = 64;

impl Octave {
    /// Share that is left of it at a sampling step, 0–1.
    #[inline]
    fn keep(&self, step_um: f64, overview: bool) -> f64 {
        let cut = if overview { 1.5 } else { 0.75 };
        (self.wavelength_um / step_um * 0.5 - cut).clamp(0.0, 1.0)
    }

    #[inline]
    fn at(&self, x: f64, y: f64) -> f64 {
        let (u, v) = (self.cos * x - self.sin * y, self.sin * x + self.cos * y);
        let at = 1.0 / self.wavelength_um;
        self.amplitude * noise(self.seed, u * at, v * at)
    }

    /// Nodes between evaluations.
    fn stride(&self, grid: &Grid) -> i64 {
        let least = if grid.overview {
            SAMPLES_A_WAVE.1
        } else {
            SAMPLES_A_WAVE.0
        };
        let mut stride = 1;
        while stride < WIDEST_STRIDE {
            let samples = self.wavelength_um / ((stride * 2) as f64 * grid.step_um);
            let enough = samples >= SMOOTH_SAMPLES || (stride < 4 && samples >= least);
            if !enough {
                break;
            }
            stride *= 2;
        }
        stride
    }

    fn add_to_grid(&self, grid: &Grid, out: &mut [f64]) {
        let stride = self.stride(grid);
        let keep = self.keep(grid.step_um, grid.overview);
        let (x0, y0) = (
            grid.first.0.div_euclid(stride),
            grid.first.1.div_euclid(stride),
        );
        let last = |first: i64, count: usize| (first + count as i64 - 1).div_euclid(stride) + 1;
        let coarse_columns = (last(grid.first.0, grid.columns) - x0 + 1) as usize;
        let step = stride as f64 * grid.step_um;
        let coarse_row = |cy: i64| -> Vec<f64> {
            (0..coarse_columns as i64)
                .map(|c| keep * self.at((x0 + c) as f64 * step, cy as f64 * step))
                .collect()
        };
        let (mut at, mut upper, mut lower) = (y0, coarse_row(y0), coarse_row(y0 + 1));
        let mut between = upper.clone();
        for (row, line) in out.chunks_exact_mut(grid.columns).enumerate() {
            let gy = grid.first.1 + row as i64;
            let cy = gy.div_euclid(stride);
            while at < cy {
                at += 1;
                upper = std::mem::replace(&mut lower, coarse_row(at + 1));
            }
            let t = (gy - cy * stride) as f64 / stride as f64;
            for ((b, u), l) in between.iter_mut().zip(&upper).zip(&lower) {
                *b = u + (l - u) * t;
            }
            add_row(line, &between, grid.first.0 - x0 * stride, stride);
        }
    }
}

/// Adds `coarse`, whose values lie `stride` nodes apart, to a row that begins `phase` nodes in.
fn add_row(line: &mut [f64], coarse: &[f64], phase: i64, stride: i64) {
    let scale = 1.0 / stride as f64;
    let (mut index, mut phase) = (0, phase);
    for value in line {
        let (a, b) = (coarse[index], coarse[index + 1]);
        *value += a + (b - a) * (phase as f64 * scale);
        phase += 1;
        if phase == stride {
            phase = 0;
            index += 1;
        }
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
