//! Another scanner's sharpness and compression.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Gaussian blur of three planes of `side` × `side` px, standard deviation `sigma_px`; beyond the
/// edge the edge's px go on.
pub(super) fn blur(planes: &mut [f32], side: usize, sigma_px: f64) {
    let half = kernel(sigma_px);
    let radius = half.len() - 1;
    let mut line = vec![0.0_f32; side + 2 * radius];
    let mut copy = vec![0.0_f32; side * side];
    for plane in planes.chunks_exact_mut((side * side).max(1)) {
        for row in plane.chunks_exact_mut(side) {
            line[..radius].fill(row[0]);
            line[radius..radius + side].copy_from_slice(row);
            line[radius + side..].fill(row[side - 1]);
            weigh(row, &half, |shift| &line[shift..shift + side]);
        }
        copy.copy_from_slice(plane);
        for (y, row) in plane.chunks_exact_mut(side).enumerate() {
            let line_at = |shift: usize| {
                let from = (y + shift).saturating_sub(radius).min(side - 1) * side;
                &copy[from..from + side]
            };
            weigh(row, &half, line_at);
        }
    }
}

/// `target` = the lines `line_at(0 ..= 2 · radius)` weighed with the kernel.
fn weigh<'a>(target: &mut [f32], half: &[f32], line_at: impl Fn(usize) -> &'a [f32]) {
    let radius = half.len() - 1;
    target.fill(0.0);
    for shift in 0..=2 * radius {
        let weight = half[shift.abs_diff(radius)];
        for (sum, value) in target.iter_mut().zip(line_at(shift)) {
            *sum += weight * value;
        }
    }
}

/// The centre of the kernel and one side of it, to three deviations; the whole sums to 1.
fn kernel(sigma_px: f64) -> Vec<f32> {
    let radius = (3.0 * sigma_px).ceil() as i32;
    let bell = |x: i32| (-0.5 * (f64::from(x) / sigma_px).powi(2)).exp();
    let sum: f64 = (-radius..=radius).map(bell).sum();
    (0..=radius).map(|x| (bell(x) / sum) as f32).collect()
}

/// The tile (RGB bytes) after JPEG of `quality`, its colour halved (4:2:0) or not; `None` where
/// the encoder or decoder refuses it, which they have no reason to.
pub(super) fn through_jpeg(rgb: &[u8], side: usize, quality: u8, halved: bool) -> Option<Vec<u8>> {
    let side = u16::try_from(side).ok()?;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(if halved {
        SamplingFactor::F_2_2
    } else {
        SamplingFactor::F_1_1
    });
    encoder.encode(rgb, side, side, ColorType::Rgb).ok()?;
    let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    let decoded = reader.decode().ok()?.into_rgb8().into_raw();
    (decoded.len() == rgb.len()).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_mean_and_spreads_by_its_deviation() {
        let side = 33;
        let mut planes = vec![0.0; 3 * side * side];
        planes[16 * side + 16] = 1.0;
        blur(&mut planes, side, 1.5);
        let plane = &planes[..side * side];
        let sum: f32 = plane.iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        let spread = plane.iter().enumerate().map(|(i, v)| {
            let x = (i % side) as f32 - 16.0;
            v * x * x
        });
        let variance: f32 = spread.sum();
        assert!((variance - 2.25).abs() < 0.1, "{variance}");
        assert_eq!(planes[side * side..].iter().sum::<f32>(), 0.0);
    }

    #[test]
    fn an_even_tile_stays_even_up_to_its_edge() {
        let mut planes = vec![0.7; 3 * 16 * 16];
        blur(&mut planes, 16, 2.0);
        assert!(planes.iter().all(|v| (v - 0.7).abs() < 1e-5));
    }

    #[test]
    fn jpeg_of_low_quality_changes_more() {
        let tile: Vec<u8> = (0..64 * 64 * 3).map(|i: u32| (i * i / 97) as u8).collect();
        let off_by = |quality| {
            let after = through_jpeg(&tile, 64, quality, false).unwrap();
            let pairs = after.iter().zip(&tile);
            pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        assert!(off_by(40) > off_by(95));
        assert!(through_jpeg(&tile, 64, 60, true).is_some());
    }
}
