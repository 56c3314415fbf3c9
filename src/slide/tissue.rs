//! What is tissue and what is glass, px by px.

use super::Rgba;

/// A px darker than this mean of its channels, 0–255, is tissue: an optical density of 0.06
/// (log₁₀) below glass of 243. Glass lies at 235–255.
const GLASS_MEAN: f32 = 220.0;

/// A brighter px is tissue when its channels differ by this much: pale stroma and counterstain
/// have 12 and more, glass and its compression noise less than 8.
const GLASS_CHROMA: u8 = 11;

/// Nothing stained is darker than this in every channel: the black around scans and photographs.
const BLACK: u8 = 28;

/// Whether one px shows tissue. Meant for px of about 1 µm and more, where glass between cells and
/// the noise of single px are averaged out.
///
/// Optical density where stain is usual, chroma where it is pale, as the saturation tests of
/// tissue finders have it; holds for H&E and for IHC with a pale counterstain. Empty fat cells are
/// glass by it.
pub fn is_tissue([red, green, blue]: [u8; 3]) -> bool {
    let brightest = red.max(green).max(blue);
    let chroma = brightest - red.min(green).min(blue);
    let mean = (f32::from(red) + f32::from(green) + f32::from(blue)) / 3.0;
    brightest >= BLACK && (mean < GLASS_MEAN || chroma >= GLASS_CHROMA)
}

/// Premultiplied RGBA laid over glass of `glass_rgb`, as RGB.
pub fn over_glass(picture: &Rgba, glass_rgb: [u8; 3]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(picture.data.len() / 4 * 3);
    for &[red, green, blue, alpha] in picture.data.as_chunks::<4>().0 {
        let through = u16::from(255 - alpha);
        for (value, glass) in [red, green, blue].into_iter().zip(glass_rgb) {
            let glass = (through * u16::from(glass) + 127) / 255;
            rgb.push((u16::from(value) + glass).min(255) as u8);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stained_is_tissue_and_glass_is_not() {
        for glass in [
            [239, 237, 238],
            [255; 3],
            [243, 242, 244],
            [247, 241, 246],
            [0; 3],
        ] {
            assert!(!is_tissue(glass), "{glass:?}");
        }
        let pale_stroma = [240, 222, 235];
        let counterstain = [222, 226, 236];
        for tissue in [
            pale_stroma,
            counterstain,
            [196, 130, 180],
            [150, 110, 80],
            [60, 40, 90],
        ] {
            assert!(is_tissue(tissue), "{tissue:?}");
        }
    }

    #[test]
    fn what_is_transparent_is_glass() {
        let picture = Rgba {
            width: 3,
            height: 1,
            data: vec![0, 0, 0, 0, 100, 50, 25, 128, 7, 8, 9, 255],
        };
        let rgb = over_glass(&picture, [200, 250, 240]);
        assert_eq!(rgb, [200, 250, 240, 200, 175, 145, 7, 8, 9]);
    }
}
