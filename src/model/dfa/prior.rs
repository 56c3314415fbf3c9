//! Where the bias begins: from how common each class is (methods 1.2).

use serde::{Deserialize, Serialize};

use super::bias::{BiasError, centred_over};

/// Least that a logarithm is taken of.
const LEAST: f64 = 1e-8;

/// Formula from a class's pixel fraction f to log π.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriorKind {
    /// γ ln(1 − f): lowers common classes, but hardly tells rare ones apart.
    LogOneMinus,
    /// −ln f: raises rare classes without end; γ takes no part.
    LogInverse,
}

/// How a start value is made of pixel fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prior {
    /// The formula.
    pub kind: PriorKind,
    /// γ of [`PriorKind::LogOneMinus`].
    pub gamma: f64,
    /// α: the strength of the whole.
    pub alpha: f64,
}

impl Default for Prior {
    /// The paper's formula with γ = 2, α = 0.5.
    fn default() -> Self {
        Self {
            kind: PriorKind::LogOneMinus,
            gamma: 2.0,
            alpha: 0.5,
        }
    }
}

impl Prior {
    /// log π of one class; 0 for a class without pixels. Not centred.
    ///
    /// `fraction` is the class's share of the pixels, or any measure 0–1 in its place (the
    /// `difficulty` baseline puts Dice there).
    pub fn log_pi(&self, fraction: f64) -> f64 {
        match self.kind {
            _ if fraction <= 0.0 => 0.0,
            PriorKind::LogOneMinus => self.gamma * (1.0 - fraction).max(LEAST).ln(),
            PriorKind::LogInverse => -fraction.max(LEAST).ln(),
        }
    }

    /// δ = α (log π − its mean over the classes that have pixels); 0 for those that have none,
    /// such as an ignored one. So δ also has mean 0 over all classes given. α = 1 gives the
    /// centred log π of the `anchored` mode.
    ///
    /// # Errors
    /// When a fraction is none, no class has pixels, or γ or α is no finite number.
    pub fn delta(&self, fractions: &[f64]) -> Result<Vec<f64>, BiasError> {
        if !(self.gamma.is_finite() && self.alpha.is_finite()) {
            let (gamma, alpha) = (self.gamma, self.alpha);
            return Err(BiasError::Values(format!(
                "prior with gamma {gamma} and alpha {alpha}, expected finite numbers"
            )));
        }
        if let Some(odd) = fractions.iter().find(|f| !(0.0..=1.0).contains(*f)) {
            return Err(BiasError::Values(format!(
                "a pixel fraction of {odd}, expected one in 0..=1"
            )));
        }
        if fractions.iter().all(|f| *f == 0.0) {
            let words = "no class has pixels, so there is no prior";
            return Err(BiasError::Values(words.to_owned()));
        }
        let log_pi: Vec<f64> = fractions.iter().map(|f| self.log_pi(*f)).collect();
        let centred = centred_over(&log_pi, |class| fractions[class] > 0.0);
        Ok(centred
            .into_iter()
            .map(|value| self.alpha * value)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_vectors_come_out() {
        let rows: [(&[f64], f64, &[f64]); 3] = [
            (
                &[0.0, 0.334, 0.106, 0.064, 0.030, 0.466],
                0.1,
                &[0.0, -0.03159, 0.02729, 0.03647, 0.04361, -0.07577],
            ),
            (
                &[0.0, 0.078, 0.398, 0.347, 0.097, 0.080],
                0.5,
                &[0.0, 0.15885, -0.26744, -0.18612, 0.13803, 0.15668],
            ),
            (&[0.0, 0.460, 0.390], 0.1, &[0.0, -0.01219, 0.01219]),
        ];
        for (fractions, alpha, expected) in rows {
            let prior = Prior {
                alpha,
                ..Prior::default()
            };
            let delta = prior.delta(fractions).unwrap();
            assert!(delta.iter().sum::<f64>().abs() < 1e-12);
            for (delta, expected) in delta.iter().zip(expected) {
                assert!((delta - expected).abs() < 6e-6, "{delta} for {expected}");
            }
        }
    }

    #[test]
    fn rare_classes_differ_under_log_inverse_alone() {
        let fractions = [0.0, 0.967, 0.030, 0.003];
        let of = |kind| {
            let prior = Prior {
                kind,
                ..Prior::default()
            };
            prior.delta(&fractions).unwrap()
        };
        let saturated = of(PriorKind::LogOneMinus);
        assert!((saturated[3] - saturated[2] - 0.5 * 2.0 * (0.997_f64 / 0.97).ln()).abs() < 1e-12);
        let apart = of(PriorKind::LogInverse);
        assert!((apart[3] - apart[2] - 0.5 * 10.0_f64.ln()).abs() < 1e-12);
        assert_eq!(apart[0], 0.0);
    }

    #[test]
    fn one_class_and_a_class_that_fills_all_are_finite() {
        let prior = Prior::default();
        assert_eq!(prior.delta(&[1.0]).unwrap(), [0.0]);
        let delta = prior.delta(&[1.0, 0.0, 0.0]).unwrap();
        assert!(delta.iter().all(|value| *value == 0.0));
        assert_eq!(prior.log_pi(1.0), 2.0 * 1e-8_f64.ln());
    }

    #[test]
    fn what_is_no_fraction_is_refused() {
        let prior = Prior::default();
        for (fractions, words) in [
            (&[0.5, f64::NAN][..], "NaN"),
            (&[0.5, -0.1], "-0.1"),
            (&[1.5], "1.5"),
            (&[0.0, 0.0], "no class has pixels"),
            (&[], "no class has pixels"),
        ] {
            let error = prior.delta(fractions).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let endless = Prior {
            alpha: f64::INFINITY,
            ..prior
        };
        assert!(endless.delta(&[0.5, 0.5]).is_err());
    }

    #[test]
    fn settings_name_the_formula() {
        let prior: Prior = toml::from_str("kind = \"log-inverse\"\nalpha = 0.1").unwrap();
        assert_eq!(prior.kind, PriorKind::LogInverse);
        assert_eq!((prior.gamma, prior.alpha), (2.0, 0.1));
    }
}
