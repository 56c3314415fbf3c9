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

/// The gradients around a unit cell, x and y: left and right above, left and right below.
type Gradients = [(f32, f32); 4];

/// The gradient of one lattice node.
#[inline]
fn gradient(hash: u64) -> (f32, f32) {
    // Two 16-bit fields of the hash, centred: gradients of many lengths and directions.
    let gx = (hash & 0xffff) as f32 * (1.0 / 32768.0) - 1.0;
    let gy = ((hash >> 16) & 0xffff) as f32 * (1.0 / 32768.0) - 1.0;
    (gx, gy)
}

#[inline]
fn gradients(seed: u64, ix: i64, iy: i64) -> Gradients {
    let node = |dx: i64, dy: i64| gradient(cell_hash(seed, ix + dx, iy + dy));
    [node(0, 0), node(1, 0), node(0, 1), node(1, 1)]
}

/// Noise inside a cell, at (`fx`, `fy`) from its upper left node.
#[inline(always)]
fn within(g: &Gradients, fx: f32, fy: f32) -> f32 {
    let dot = |i: usize, dx: f32, dy: f32| g[i].0 * dx + g[i].1 * dy;
    let (gx, gy) = (fx - 1.0, fy - 1.0);
    blend(
        [
            dot(0, fx, fy),
            dot(1, gx, fy),
            dot(2, fx, gy),
            dot(3, gx, gy),
        ],
        fx,
        fy,
    )
}

/// The greatest whole number not above `v`; `f64::floor` is a call on the oldest processors that
/// this program runs on.
#[inline]
pub fn floor_i64(v: f64) -> i64 {
    let truncated = v as i64;
    truncated - i64::from(truncated as f64 > v)
}

#[inline(always)]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Interpolates four corner values of a unit cell.
#[inline(always)]
fn blend(corners: [f32; 4], fx: f32, fy: f32) -> f32 {
    let (u, v) = (fade(fx), fade(fy));
    let top = corners[0] + (corners[1] - corners[0]) * u;
    let bottom = corners[2] + (corners[3] - corners[2]) * u;
    (top + (bottom - top) * v) * NOISE_GAIN
}

/// Brings the standard deviation of the noise to about 0.5.
const NOISE_GAIN: f32 = 2.05;

/// Places of a row that are worked on together.
const LANES: usize = 4;

/// Gradient noise (Perlin 1985, 2002) of unit wavelength: mean 0, standard deviation about 0.5,
/// nearly always within ±1.5.
#[cfg(test)]
pub fn noise(seed: u64, x: f64, y: f64) -> f64 {
    let (ix, iy) = (floor_i64(x), floor_i64(y));
    f64::from(within(
        &gradients(seed, ix, iy),
        (x - ix as f64) as f32,
        (y - iy as f64) as f32,
    ))
}

/// The same noise on a torus of whole cells, for textures that tile; its gradients are kept.
#[derive(Debug)]
pub struct Torus {
    columns: usize,
    rows: usize,
    nodes: Vec<(f32, f32)>,
}

impl Torus {
    /// Noise of `columns` × `rows` cells (each at least 1) over the torus.
    pub fn new(seed: u64, columns: usize, rows: usize) -> Self {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let node = |i: usize| gradient(cell_hash(seed, (i % columns) as i64, (i / columns) as i64));
        Self {
            columns,
            rows,
            nodes: (0..columns * rows).map(node).collect(),
        }
    }

    /// Value at (`x`, `y`), once around at 1.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (x, y) = (x * self.columns as f64, y * self.rows as f64);
        let (ix, iy) = (floor_i64(x), floor_i64(y));
        let (fx, fy) = ((x - ix as f64) as f32, (y - iy as f64) as f32);
        let wrap = |i: i64, n: usize| i.rem_euclid(n as i64) as usize;
        let (x0, y0) = (wrap(ix, self.columns), wrap(iy, self.rows));
        let (x1, y1) = ((x0 + 1) % self.columns, (y0 + 1) % self.rows);
        let node = |x: usize, y: usize| self.nodes[y * self.columns + x];
        f64::from(within(
            &[node(x0, y0), node(x1, y0), node(x0, y1), node(x1, y1)],
            fx,
            fy,
        ))
    }
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
        let mut value = [0.0];
        self.row(|_| x, y, step_um, &mut value);
        value[0]
    }

    /// Values along the row at `y` µm, at the places `x_um` of an index; the same numbers that
    /// [`Self::at`] gives. Neighbours mostly share their gradients, which are kept.
    pub fn row(&self, x_um: impl Fn(usize) -> f64, y: f64, step_um: f64, out: &mut [f64]) {
        out.fill(0.0);
        for octave in &self.octaves {
            let keep = (octave.wavelength_um / step_um * 0.5 - 0.75).clamp(0.0, 1.0);
            if keep > 0.0 {
                octave.add_row((keep * octave.amplitude) as f32, &x_um, y, out);
            }
        }
    }
}

impl Octave {
    /// Adds `gain` times this octave. Places of a row lie on a straight line, so where the first
    /// and the last of a few are in one cell of the noise, all are.
    fn add_row(&self, gain: f32, x_um: &impl Fn(usize) -> f64, y: f64, out: &mut [f64]) {
        let per_um = 1.0 / self.wavelength_um;
        let (cos, sin) = (self.cos, self.sin);
        let place = |i: usize| {
            let x = x_um(i);
            ((cos * x - sin * y) * per_um, (sin * x + cos * y) * per_um)
        };
        let cell_of = |(u, v): (f64, f64)| (floor_i64(u), floor_i64(v));
        let mut cell = (i64::MIN, i64::MIN);
        let mut around = [(0.0, 0.0); 4];
        for (group, values) in out.chunks_mut(LANES).enumerate() {
            let count = values.len();
            let places: [_; LANES] = std::array::from_fn(|n| place(group * LANES + n));
            if cell_of(places[0]) != cell {
                cell = cell_of(places[0]);
                around = gradients(self.seed, cell.0, cell.1);
            }
            if count == LANES && cell_of(places[LANES - 1]) == cell {
                let (cu, cv) = (cell.0 as f64, cell.1 as f64);
                let local = places.map(|(u, v)| ((u - cu) as f32, (v - cv) as f32));
                let noise: [f32; LANES] =
                    std::array::from_fn(|n| within(&around, local[n].0, local[n].1));
                for (value, noise) in values.iter_mut().zip(noise) {
                    *value += f64::from(gain * noise);
                }
                continue;
            }
            for (value, &at) in values.iter_mut().zip(&places) {
                if cell_of(at) != cell {
                    cell = cell_of(at);
                    around = gradients(self.seed, cell.0, cell.1);
                }
                let (fu, fv) = ((at.0 - cell.0 as f64) as f32, (at.1 - cell.1 as f64) as f32);
                *value += f64::from(gain * within(&around, fu, fv));
            }
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
    fn a_torus_repeats() {
        let torus = Torus::new(3, 8, 4);
        assert!((torus.at(0.15, 0.6) - torus.at(1.15, 3.6)).abs() < 1e-6);
    }

    #[test]
    fn a_row_holds_what_single_places_hold() {
        let field = Field::new(5, &[(1.0, 300.0), (0.5, 40.0), (0.2, 11.0)]);
        let x = |i: usize| 1234.5 + i as f64 * 3.0;
        let mut row = vec![0.0; 203];
        field.row(x, -77.0, 4.0, &mut row);
        for (i, value) in row.iter().enumerate() {
            assert_eq!(*value, field.at(x(i), -77.0, 4.0));
        }
    }
}
