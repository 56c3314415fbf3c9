//! How long a scale bar is, and what it says.

use super::Mpp;

/// A bar of a round length.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleBar {
    /// The length on the slide, as people write it: `20 µm`, `1 mm`, or `500 px` where there is no
    /// scale.
    pub text: String,
    /// The length in the picture, in the unit that the bar was asked for in; at least 1.
    pub length: f64,
}

impl ScaleBar {
    /// The longest bar of a round length that is not longer than `longest`: in units of length, or
    /// in level-0 px where the scale is not known. Picture lengths are in px or in points, whichever
    /// `slide_px_per_unit` is for: level-0 px (along x) that one of them covers. `None` where nothing
    /// sensible can be shown.
    pub fn new(slide_px_per_unit: f64, mpp: Option<Mpp>, longest: f64) -> Option<Self> {
        let (length, text) = match mpp {
            Some(mpp) => {
                let um_per_unit = slide_px_per_unit * mpp.x;
                let length_um = nice_length(longest * um_per_unit);
                (length_um / um_per_unit, length_text(length_um))
            }
            None => {
                let length_px = nice_length(longest * slide_px_per_unit).max(1.0);
                (length_px / slide_px_per_unit, format!("{length_px:.0} px"))
            }
        };
        (length.is_finite() && length >= 1.0).then_some(Self { text, length })
    }
}

/// The largest length of the form 1, 2 or 5 times a power of ten that is not above `longest`.
/// Zero where `longest` is not a positive number.
fn nice_length(longest: f64) -> f64 {
    if !(longest.is_finite() && longest > 0.0) {
        return 0.0;
    }
    let exponent = longest.log10().floor();
    let decade = 10f64.powf(exponent);
    // Rounding of the logarithm may have put the decade one off.
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0];
    let fitting = steps
        .iter()
        .rev()
        .find(|step| **step * decade <= longest * (1.0 + 1e-9));
    fitting.map_or(0.0, |step| step * decade)
}

/// A length in the unit that a reader would use: `500 nm`, `20 µm`, `1 mm`, `2 cm`.
fn length_text(length_um: f64) -> String {
    let (value, unit) = match length_um {
        um if um < 0.9995 => (um * 1e3, "nm"),
        um if um < 999.5 => (um, "µm"),
        um if um < 9_999.5 => (um / 1e3, "mm"),
        um => (um / 1e4, "cm"),
    };
    // The lengths are 1, 2 or 5 times a power of ten, so three digits show them in full.
    let text = format!("{value:.3}");
    format!(
        "{} {unit}",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_one_two_or_five() {
        let lengths = [0.7, 1.0, 1.99, 2.0, 4.9, 5.0, 9.99, 10.0, 999.9, 1000.0];
        let nice = [0.5, 1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 10.0, 500.0, 1000.0];
        for (longest, want) in lengths.into_iter().zip(nice) {
            assert!(
                (nice_length(longest) - want).abs() < 1e-9 * want,
                "{longest}"
            );
        }
        assert_eq!(nice_length(f64::NAN), 0.0);
        assert_eq!(nice_length(-1.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_nice_length_fits_and_fills_two_fifths(longest in 1e-6..1e9f64) {
            let nice = nice_length(longest);
            prop_assert!(nice <= longest * (1.0 + 1e-6) && nice >= longest * 0.39);
        }
    }

    #[test]
    fn units_are_those_of_the_microscope() {
        let texts = [0.5, 1.0, 200.0, 1000.0, 5000.0, 10_000.0].map(length_text);
        assert_eq!(texts, ["500 nm", "1 µm", "200 µm", "1 mm", "5 mm", "1 cm"]);
    }

    #[test]
    fn the_bar_is_as_long_as_it_says() {
        let bar = |text: &str, length| {
            let text = text.to_owned();
            Some(ScaleBar { text, length })
        };
        // 4 px a unit, 0.25 µm a px: 1 µm a unit.
        let scaled = ScaleBar::new(4.0, Mpp::square(0.25), 160.0);
        assert_eq!(scaled, bar("100 µm", 100.0));
        assert_eq!(ScaleBar::new(4.0, None, 160.0), bar("500 px", 125.0));
        assert_eq!(ScaleBar::new(4.0, Mpp::square(0.25), 0.5), None);
        assert_eq!(ScaleBar::new(f64::NAN, None, 160.0), None);
    }
}
