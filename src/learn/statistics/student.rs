//! Student's t: the interval of a mean of few values.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use serde::{Deserialize, Serialize};

use super::{deviation, mean};

/// Of repetitions of an experiment, the share whose interval holds the true mean.
pub const CONFIDENCE: f64 = 0.95;

/// A figure that was measured several times independently, such as over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Mean of the values.
    pub mean: f64,
    /// Lower and upper end of the interval of the mean; `None` of one value.
    pub interval: Option<(f64, f64)>,
    /// The values, in the order given.
    pub values: Vec<f64>,
}

impl Figure {
    /// Mean and its [`CONFIDENCE`] interval by Student's t (values independent, their mean about
    /// normal); `None` of no value.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        Self::at(values, CONFIDENCE)
    }

    /// The same with another confidence, above 0 and below 1: mean ± t · s / √n with n − 1 degrees
    /// of freedom.
    pub fn at(values: Vec<f64>, confidence: f64) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let (count, middle) = (values.len(), mean(&values));
        let half =
            || student_t(confidence, count as u64 - 1) * deviation(&values) / (count as f64).sqrt();
        Some(Self {
            mean: middle,
            interval: (count > 1).then(|| (middle - half(), middle + half())),
            values,
        })
    }

    /// The same with the interval's ends kept within `low` and `high`, where no value can lie
    /// beyond.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        let ends = self.interval;
        self.interval = ends.map(|(from, to)| (from.clamp(low, high), to.clamp(low, high)));
        self
    }
}

/// The t of which |T| stays below with probability `confidence` (0 to 1, both excluded), for T of
/// Student's distribution with so many degrees of freedom, at least 1.
pub fn student_t(confidence: f64, degrees: u64) -> f64 {
    // |T| ≤ t grows with θ = atan(t / √ν), which has both ends: halve until f64 has no more.
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if probability_within(middle, degrees) < confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    (degrees as f64).sqrt() * low.tan()
}

/// P(|T| ≤ √ν tan θ) for ν whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn probability_within(theta: f64, degrees: u64) -> f64 {
    let (sin, cos) = theta.sin_cos();
    let odd = degrees % 2 == 1;
    let mut power = u64::from(odd);
    let mut term = if odd { cos } else { 1.0 };
    let mut sum = 0.0;
    while power + 2 <= degrees {
        sum += term;
        term *= cos * cos * (power + 1) as f64 / (power + 2) as f64;
        power += 2;
    }
    if odd {
        FRAC_2_PI * (theta + sin * sum)
    } else {
        sin * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let known = [
            (0.95, 1, 12.706_205),
            (0.95, 2, 4.302_653),
            (0.95, 3, 3.182_446),
            (0.95, 4, 2.776_445),
            (0.95, 9, 2.262_157),
            (0.95, 30, 2.042_272),
            (0.95, 100, 1.983_972),
            (0.99, 4, 4.604_095),
            (0.99, 1, 63.656_741),
            (0.90, 5, 2.015_048),
            (0.50, 2, 0.816_497),
        ];
        for (confidence, degrees, t) in known {
            let found = student_t(confidence, degrees);
            assert!((found - t).abs() < 2e-6 * t.max(1.0), "{degrees}: {found}");
        }
        let normal = student_t(0.95, 1_000_000);
        assert!((normal - 1.959_966).abs() < 1e-5, "{normal}");
    }

    #[test]
    fn an_interval_is_the_one_worked_out_by_hand() {
        // Deviation 1 of 1, 2, 3; t of 2 degrees of freedom; √3 values.
        let figure = Figure::of(vec![1.0, 2.0, 3.0]).unwrap();
        let half = 4.302_653 / 3_f64.sqrt();
        let (low, high) = figure.interval.unwrap();
        assert!((low - (2.0 - half)).abs() < 1e-5 && (high - (2.0 + half)).abs() < 1e-5);
        assert_eq!(figure.clone().within(0.0, 4.0).interval, Some((0.0, 4.0)));
        assert_eq!(Figure::of(vec![5.0]).unwrap().interval, None);
        assert_eq!(Figure::of(Vec::new()), None);
    }

    /// Of many small samples, about 95 % of the intervals must hold the true mean.
    #[test]
    fn intervals_hold_the_true_mean_as_often_as_they_say() {
        use rand::{RngExt as _, SeedableRng as _};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let holds = |figure: Figure| figure.interval.is_some_and(|(l, h)| l <= 0.0 && h >= 0.0);
        let draws = 4000;
        let held = (0..draws)
            .filter(|_| Figure::of((0..5).map(|_| normal()).collect()).is_some_and(holds))
            .count();
        let share = held as f64 / f64::from(draws);
        assert!((share - CONFIDENCE).abs() < 0.012, "{share}");
    }
}
