//! The probe: multinomial logistic regression on fixed embeddings.

mod solve;

use serde::{Deserialize, Serialize};

use solve::{Problem, logits, minimise, softmax};

/// Deviations below this stand for a feature that does not vary; it is left as it is.
const LEAST_DEVIATION: f64 = 1e-9;

/// How a probe is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeConfig {
    /// λ of the penalty λ/2 · ‖W‖² beside the mean cross-entropy; biases are free. Above 0.
    pub l2: f64,
    /// Converged once the Euclidean norm of the gradient is below this.
    pub tolerance: f64,
    /// Steps after which a probe counts as not converging.
    pub max_iterations: u64,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            l2: 1e-2,
            tolerance: 1e-6,
            max_iterations: 1000,
        }
    }
}

/// How the fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Steps taken.
    pub iterations: u64,
    /// Euclidean norm of the gradient at the end.
    pub gradient_norm: f64,
    /// Penalised mean cross-entropy at the end, nats.
    pub loss: f64,
}

/// A probe that can't be fitted.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Rows, labels and classes do not fit together, or a value is no number.
    #[error("the probe can't be fitted: {0}")]
    Data(String),
    /// The solver stopped before the gradient vanished.
    #[error(
        "the probe did not converge: gradient norm {:.1e} after {} steps, wanted {tolerance:.1e}; \
         raise max_iterations or l2",
        fit.gradient_norm, fit.iterations
    )]
    NotConverged {
        /// Where it stopped.
        fit: Fit,
        /// The norm that was asked for.
        tolerance: f64,
    },
    /// The solver failed.
    #[error("the probe's solver failed: {0}")]
    Solver(String),
}

/// A fitted probe. Features are standardised by the mean and deviation of its training rows.
#[derive(Debug, Clone)]
pub struct Probe {
    standard: Standard,
    /// Per class: a weight a feature, then the bias.
    weights: Vec<f64>,
    classes: usize,
    fit: Fit,
}

impl Probe {
    /// Fits by L-BFGS with More and Thuente's line search (Nocedal and Wright, 2006), from zero
    /// weights: equal data give equal probes.
    ///
    /// `rows` holds one row of `width` features a label; labels are below `classes`.
    ///
    /// # Errors
    /// When the data do not fit together, or the fit does not converge.
    pub fn fit(
        rows: &[f32],
        width: usize,
        labels: &[usize],
        classes: usize,
        config: &ProbeConfig,
    ) -> Result<Self, ProbeError> {
        check(rows, width, labels, classes, config)?;
        let standard = Standard::of(rows, width);
        let problem = Problem {
            rows: standard.apply(rows),
            width,
            labels: labels.to_vec(),
            classes,
            l2: config.l2,
        };
        let (weights, fit) = minimise(&problem, config)?;
        Ok(Self {
            standard,
            weights,
            classes,
            fit,
        })
    }

    /// How the fit ended.
    pub fn fit_report(&self) -> Fit {
        self.fit
    }

    /// Class probabilities of each row, one row of `classes` values after the other.
    pub fn probabilities(&self, rows: &[f32]) -> Vec<f64> {
        let width = self.standard.mean.len();
        let rows = self.standard.apply(rows);
        let of_row = |row| softmax(&logits(&self.weights, self.classes, row));
        rows.chunks_exact(width).flat_map(of_row).collect()
    }

    /// The most probable class of each row; the first of equals.
    pub fn predict(&self, rows: &[f32]) -> Vec<usize> {
        let probabilities = self.probabilities(rows);
        let best = |row: &[f64]| {
            let better = |best: usize, n: usize| if row[n] > row[best] { n } else { best };
            (0..row.len()).fold(0, better)
        };
        probabilities.chunks_exact(self.classes).map(best).collect()
    }
}

fn check(
    rows: &[f32],
    width: usize,
    labels: &[usize],
    classes: usize,
    config: &ProbeConfig,
) -> Result<(), ProbeError> {
    let refuse = |what: String| Err(ProbeError::Data(what));
    if width == 0 || labels.is_empty() || rows.len() != width * labels.len() {
        let (values, labels) = (rows.len(), labels.len());
        return refuse(format!(
            "{values} values are not {labels} rows of {width} features"
        ));
    }
    if classes < 2 || labels.iter().any(|label| *label >= classes) {
        return refuse(format!(
            "labels must be below {classes} classes, at least 2"
        ));
    }
    if rows.iter().any(|value| !value.is_finite()) {
        return refuse("a feature is not a finite number".to_owned());
    }
    if !(config.l2 > 0.0 && config.tolerance > 0.0) {
        return refuse("l2 and tolerance must be above 0".to_owned());
    }
    Ok(())
}

/// Mean and deviation of each feature.
#[derive(Debug, Clone)]
struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    fn of(rows: &[f32], width: usize) -> Self {
        let count = (rows.len() / width) as f64;
        let mean_of = |part: &dyn Fn(usize, f32) -> f64| {
            let mut sums = vec![0.0; width];
            for row in rows.chunks_exact(width) {
                for (n, value) in row.iter().enumerate() {
                    sums[n] += part(n, *value);
                }
            }
            sums.into_iter()
                .map(|sum| sum / count)
                .collect::<Vec<f64>>()
        };
        let mean = mean_of(&|_, value| f64::from(value));
        let variance = mean_of(&|n, value| (f64::from(value) - mean[n]).powi(2));
        let deviation = |v: f64| {
            Some(v.sqrt())
                .filter(|d| *d > LEAST_DEVIATION)
                .unwrap_or(1.0)
        };
        Self {
            deviation: variance.into_iter().map(deviation).collect(),
            mean,
        }
    }

    fn apply(&self, rows: &[f32]) -> Vec<f64> {
        let width = self.mean.len();
        let scaled = |(n, value): (usize, &f32)| {
            let n = n % width;
            (f64::from(*value) - self.mean[n]) / self.deviation[n]
        };
        rows.iter().enumerate().map(scaled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn noisy(count: usize, width: usize, classes: usize) -> (Vec<f32>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let labels: Vec<usize> = (0..count).map(|n| n % classes).collect();
        let feature = |n: usize, label: usize, noise: f32| {
            noise + if n % classes == label { 1.0 } else { 0.0 }
        };
        let rows = labels
            .iter()
            .flat_map(|label| {
                let row: Vec<f32> = (0..width)
                    .map(|n| feature(n, *label, 3.0 * rng.random::<f32>()))
                    .collect();
                row
            })
            .collect();
        (rows, labels)
    }

    /// Two classes, one feature of ±1 that tells them apart: by symmetry the class weights are
    /// ±w, the biases 0, and λ w = σ(−2w) / 1 at the minimum (half the gradient of each class).
    #[test]
    fn a_known_solution_is_found() {
        let rows = [1.0, 1.0, -1.0, -1.0];
        let config = ProbeConfig {
            l2: 0.1,
            tolerance: 1e-10,
            ..ProbeConfig::default()
        };
        let probe = Probe::fit(&rows, 1, &[0, 0, 1, 1], 2, &config).unwrap();
        let (mut low, mut high) = (0.0_f64, 10.0_f64);
        for _ in 0..200 {
            let w = (low + high) / 2.0;
            let wrong = 1.0 / (1.0 + (2.0 * w).exp());
            if wrong > 0.1 * w {
                low = w;
            } else {
                high = w;
            }
        }
        let expected = [low, 0.0, -low, 0.0];
        for (found, expected) in probe.weights.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-8,
                "{:?}, {low}",
                probe.weights
            );
        }
        assert_eq!(probe.predict(&[0.5, -0.5]), [0, 1]);
    }

    #[test]
    fn it_converges_on_separable_and_on_wide_data_and_is_deterministic() {
        for (count, width) in [(60, 6), (24, 100)] {
            let (rows, labels) = noisy(count, width, 3);
            let fit = || Probe::fit(&rows, width, &labels, 3, &ProbeConfig::default()).unwrap();
            let probe = fit();
            assert!(probe.fit_report().gradient_norm <= 1e-6);
            assert_eq!(probe.weights, fit().weights);
            let sums = probe.probabilities(&rows);
            for row in sums.chunks_exact(3) {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_feature_that_never_varies_does_no_harm() {
        let rows = [7.0, 1.0, 7.0, 2.0, 7.0, -1.0, 7.0, -2.0];
        let probe = Probe::fit(&rows, 2, &[0, 0, 1, 1], 2, &ProbeConfig::default()).unwrap();
        assert_eq!(probe.predict(&rows), [0, 0, 1, 1]);
    }

    #[test]
    fn what_does_not_converge_or_fit_together_is_an_error() {
        let (rows, labels) = noisy(60, 6, 3);
        let hasty = ProbeConfig {
            max_iterations: 1,
            ..ProbeConfig::default()
        };
        let error = Probe::fit(&rows, 6, &labels, 3, &hasty).unwrap_err();
        assert!(matches!(error, ProbeError::NotConverged { .. }), "{error}");
        let fit = |rows: &[f32], labels: &[usize]| {
            Probe::fit(rows, 6, labels, 3, &ProbeConfig::default()).unwrap_err()
        };
        assert!(fit(&rows[1..], &labels).to_string().contains("features"));
        assert!(fit(&rows[..6], &[3]).to_string().contains("below 3"));
        assert!(fit(&[f32::NAN; 6], &[0]).to_string().contains("finite"));
    }
}
