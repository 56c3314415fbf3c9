//! Another laboratory's stain: the amounts of dye changed in optical-density space.
//!
//! Ruifrok & Johnston, "Quantification of histochemical staining by color deconvolution", 2001:
//! a px of densities OD = −ln(I/I₀) holds the amounts c = M⁻¹ OD of haematoxylin, eosin and a
//! residual. Changing them to diag(a) c + b (Tellez et al. 2018) is one affine map of OD.

use nalgebra::{Matrix3, Vector3};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::AugmentConfig;

/// Directions of haematoxylin (Ruifrok & Johnston) and eosin (Macenko et al. 2009) in optical
/// density, red, green, blue, as QuPath pairs them. Ruifrok's own eosin has next to no blue: most
/// slides' eosin would count as residual, and changing that turns tissue orange or grey.
const HAEMATOXYLIN: [f64; 3] = [0.651, 0.701, 0.290];
const EOSIN: [f64; 3] = [0.216, 0.801, 0.558];

/// An affine map of optical densities.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StainChange {
    matrix: Matrix3<f32>,
    shift: Vector3<f32>,
}

impl StainChange {
    /// A change within the bounds of `config`.
    pub fn draw(config: &AugmentConfig, rng: &mut ChaCha8Rng) -> Self {
        let mut within = |bound: f64| bound * (2.0 * rng.random::<f64>() - 1.0);
        let scales = Vector3::new(
            1.0 + within(config.stain_scale),
            1.0 + within(config.stain_scale),
            1.0 + within(config.residual_scale),
        );
        let shifts = Vector3::from_fn(|_, _| within(config.stain_shift));
        Self::new(scales, shifts)
    }

    /// Amounts of haematoxylin, eosin and residual times `scales` plus `shifts`.
    pub fn new(scales: Vector3<f64>, shifts: Vector3<f64>) -> Self {
        let haematoxylin = Vector3::from(HAEMATOXYLIN).normalize();
        let eosin = Vector3::from(EOSIN).normalize();
        let residual = haematoxylin.cross(&eosin).normalize();
        let dyes = Matrix3::from_columns(&[haematoxylin, eosin, residual]);
        // The three directions are fixed and independent.
        let amounts = dyes.try_inverse().unwrap_or_else(Matrix3::identity);
        Self {
            matrix: (dyes * Matrix3::from_diagonal(&scales) * amounts).cast(),
            shift: (dyes * shifts).cast(),
        }
    }

    /// RGB bytes of a tile to planes of sRGB, 0–1 before clamping.
    pub fn apply(&self, rgb: &[u8], planes: &mut [f32]) {
        let density: [f32; 256] = std::array::from_fn(|v| -((v as f32 + 1.0) / 256.0).ln());
        let (reds, rest) = planes.split_at_mut(planes.len() / 3);
        let (greens, blues) = rest.split_at_mut(rest.len() / 2);
        let targets = reds.iter_mut().zip(greens.iter_mut()).zip(blues.iter_mut());
        for (((red, green), blue), pixel) in targets.zip(rgb.as_chunks::<3>().0) {
            [*red, *green, *blue] = pixel.map(|value| density[usize::from(value)]);
        }
        // A loop of its own without look-ups: the compiler makes vector code of it.
        let lanes = reds.iter_mut().zip(greens).zip(blues);
        let rows = [0, 1, 2].map(|lane| self.matrix.row(lane).into_owned());
        for ((red, green), blue) in lanes {
            let before = [*red, *green, *blue];
            let after = |lane: usize| {
                let row = &rows[lane];
                let dense = row[0] * before[0] + row[1] * before[1] + row[2] * before[2];
                (exp(-(dense + self.shift[lane])) * 256.0 - 1.0) / 255.0
            };
            (*red, *green, *blue) = (after(0), after(1), after(2));
        }
    }
}

/// e^x to 3·10⁻⁶ of its value for x in −80..80: 2^(whole + part), the part by its series. The
/// standard library's call for each of a tile's values would take longer than all the rest.
fn exp(x: f32) -> f32 {
    // Adding it rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let power = x.clamp(-80.0, 80.0) * std::f32::consts::LOG2_E;
    let rounded = power + ROUND;
    let part = (power - (rounded - ROUND)) * std::f32::consts::LN_2;
    let series =
        1.0 + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part / 120.0))));
    let whole = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    whole * series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(scales: [f64; 3], shifts: [f64; 3], rgb: [u8; 3]) -> [f32; 3] {
        let mut planes = [0.0; 3];
        StainChange::new(scales.into(), shifts.into()).apply(&rgb, &mut planes);
        planes
    }

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for step in -1200..=400 {
            let x = step as f32 / 100.0;
            let off = (exp(x) / x.exp() - 1.0).abs();
            assert!(off < 5e-6, "{x}: {off}");
        }
    }

    #[test]
    fn no_change_is_no_change() {
        for rgb in [[0, 0, 0], [255, 255, 255], [180, 90, 160], [3, 200, 77]] {
            let same = changed([1.0; 3], [0.0; 3], rgb);
            for (value, byte) in same.iter().zip(rgb) {
                assert!(
                    (value * 255.0 - f32::from(byte)).abs() < 0.01,
                    "{rgb:?}: {same:?}"
                );
            }
        }
    }

    #[test]
    fn more_eosin_takes_green_and_leaves_glass() {
        let pink = [230, 150, 190];
        let more = changed([1.0, 1.3, 1.0], [0.0; 3], pink);
        assert!(more[1] * 255.0 < 140.0, "{more:?}");
        assert!((more[0] * 255.0 - 230.0).abs() < 12.0, "{more:?}");
        let glass = changed([1.3, 1.3, 0.7], [0.0; 3], [255; 3]);
        assert!(glass.iter().all(|v| (v - 1.0).abs() < 1e-3), "{glass:?}");
    }

    #[test]
    fn more_haematoxylin_darkens_a_nucleus() {
        let nucleus = [110, 80, 150];
        let more = changed([1.25, 1.0, 1.0], [0.0; 3], nucleus);
        for (value, byte) in more.iter().zip(nucleus) {
            assert!(value * 255.0 < f32::from(byte), "{more:?}");
        }
    }
}
