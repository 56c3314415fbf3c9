//! Means, spreads, intervals and correlations of a few numbers.

mod correlation;
mod student;

pub use correlation::{partial, pearson, spearman};
pub use student::{CONFIDENCE, Figure, student_t};

/// Mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Sample standard deviation; 0 of less than two values.
pub fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|v| (v - middle).powi(2)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// The least and greatest value of the middle `share` (0–1) of `values`, such as bootstrap draws;
/// 0 of nothing.
pub fn middle_share(mut values: Vec<f64>, share: f64) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(index).copied().unwrap_or(0.0)
    };
    (at((1.0 - share) / 2.0), at((1.0 + share) / 2.0))
}

/// Wilson's [`CONFIDENCE`] interval of a share of which `right` of `of` were seen (Wilson, 1927);
/// (0, 1) of nothing.
pub fn wilson(right: usize, of: usize) -> (f64, f64) {
    /// The normal distribution's quantile of 97.5 %.
    const Z: f64 = 1.959_963_985;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (right, of) = (right as f64, of as f64);
    let middle = (right + Z * Z / 2.0) / (of + Z * Z);
    let half = Z / (of + Z * Z) * (right * (of - right) / of + Z * Z / 4.0).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_the_textbook() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (right, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(right, of);
            assert!((found.0 - low).abs() < 1e-4, "{right} of {of}: {found:?}");
            assert!((found.1 - high).abs() < 1e-4, "{right} of {of}: {found:?}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn spreads_are_those_worked_out_by_hand() {
        assert_eq!((mean(&[]), deviation(&[3.0])), (0.0, 0.0));
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert!((deviation(&[1.0, 2.0, 6.0]) - 7_f64.sqrt()).abs() < 1e-12);
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(middle_share(values, 0.9), (5.0, 95.0));
        assert_eq!(middle_share(Vec::new(), 0.9), (0.0, 0.0));
    }
}
