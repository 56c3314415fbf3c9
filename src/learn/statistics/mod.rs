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

#[cfg(test)]
mod tests {
    use super::*;

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
