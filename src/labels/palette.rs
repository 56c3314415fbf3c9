//! Colours of classes, wherever they are drawn or written.

/// Eight colours that all kinds of colour vision tell apart and that stand out from pink and
/// violet tissue, then the same once more darker. Okabe & Ito, Color Universal Design (2008), in
/// another order, with a light grey for their black, which looks like ink on a slide.
pub fn default_palette() -> [[u8; 3]; 16] {
    const FIRST: [[u8; 3]; 8] = [
        [0, 158, 115],
        [240, 228, 66],
        [0, 114, 178],
        [230, 159, 0],
        [86, 180, 233],
        [213, 94, 0],
        [204, 121, 167],
        [187, 187, 187],
    ];
    let darker = |v: u8| (u16::from(v) * 5 / 9) as u8;
    std::array::from_fn(|n| match FIRST.get(n) {
        Some(colour) => *colour,
        None => FIRST[n - FIRST.len()].map(darker),
    })
}

/// Colours for a model's classes: [`default_palette`]'s while there are enough of them, else `own`,
/// those that the model brings. The same in the window and in files.
pub fn class_colours(own: &[[u8; 3]]) -> Vec<[u8; 3]> {
    let default = default_palette();
    let chosen = if own.len() <= default.len() {
        &default[..own.len()]
    } else {
        own
    };
    chosen.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As seen without one kind of cone: Viénot, Brettel & Mollon, Color Res Appl 24 (1999).
    fn seen(rgb: [u8; 3], without_green: bool) -> [f64; 3] {
        let [r, g, b] = rgb.map(|v| (f64::from(v) / 255.0).powf(2.2));
        let (red, blue) = if without_green {
            (0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b)
        } else {
            (0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b)
        };
        [red, red, blue].map(|v| v.max(0.0).powf(1.0 / 2.2) * 255.0)
    }

    #[test]
    fn the_first_classes_are_told_apart_by_the_colour_blind() {
        let palette = &default_palette()[..8];
        for without_green in [false, true] {
            for (n, one) in palette.iter().enumerate() {
                for other in &palette[..n] {
                    let pair = [*one, *other].map(|rgb| seen(rgb, without_green));
                    let apart: f64 = (0..3).map(|c| (pair[0][c] - pair[1][c]).powi(2)).sum();
                    assert!(
                        apart.sqrt() > 25.0,
                        "{one:?} and {other:?}: {}",
                        apart.sqrt()
                    );
                }
            }
        }
    }

    #[test]
    fn a_model_of_more_classes_than_colours_brings_its_own() {
        let own = [[1, 2, 3]; 17];
        assert_eq!(class_colours(&own[..3]), default_palette()[..3]);
        assert_eq!(class_colours(&own), own);
    }
}
