//! What the shader does to a colour, once more in plain arithmetic.

use parfocal::gpu::{DisplayAdjust, StainView};

const HAEMATOXYLIN: [f64; 3] = [0.650, 0.704, 0.286];
const EOSIN: [f64; 3] = [0.072, 0.990, 0.105];

/// What `rgb` is shown as, without a colour profile.
pub fn shown(rgb: [u8; 3], display: &DisplayAdjust) -> [u8; 3] {
    let mut colour = rgb.map(|v| f64::from(v) / 255.0);
    let stain = match display.stain {
        StainView::All => None,
        StainView::Haematoxylin => Some(0),
        StainView::Eosin => Some(1),
        StainView::Residual => Some(2),
    };
    if let Some(stain) = stain {
        colour = one_stain(colour, stain);
    }
    colour.map(|v| {
        let v = (v - 0.5) * f64::from(display.contrast) + 0.5 + f64::from(display.brightness);
        (v.clamp(0.0, 1.0).powf(1.0 / f64::from(display.gamma)) * 255.0).round() as u8
    })
}

fn one_stain(rgb: [f64; 3], stain: usize) -> [f64; 3] {
    let density = rgb.map(|v| -((v * 255.0 + 1.0) / 256.0).ln());
    let vectors = stain_vectors();
    // Cramer's rule: amounts · vectors = density.
    let mut replaced = vectors;
    replaced[stain] = density;
    let amount = (determinant(replaced) / determinant(vectors)).max(0.0);
    vectors[stain].map(|v| (((-amount * v).exp() * 256.0 - 1.0) / 255.0).clamp(0.0, 1.0))
}

fn stain_vectors() -> [[f64; 3]; 3] {
    let (h, e) = (unit(HAEMATOXYLIN), unit(EOSIN));
    let cross: [f64; 3] = std::array::from_fn(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        (h[j] * e[k] - h[k] * e[j]).abs()
    });
    [h, e, unit(cross)]
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v.map(|x| x / length)
}

fn determinant(m: [[f64; 3]; 3]) -> f64 {
    let column =
        |c: usize| m[1][(c + 1) % 3] * m[2][(c + 2) % 3] - m[1][(c + 2) % 3] * m[2][(c + 1) % 3];
    (0..3).map(|c| m[0][c] * column(c)).sum()
}
