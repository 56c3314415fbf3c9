//! The probe's loss and its minimum.

use argmin::core::{CostFunction, Error, Executor, Gradient, State as _};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::{Fit, ProbeConfig, ProbeError};

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 10;

/// Penalised multinomial logistic regression. Weights: per class one a feature, then the bias.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) rows: Vec<f64>,
    pub(super) width: usize,
    pub(super) labels: Vec<usize>,
    pub(super) classes: usize,
    pub(super) l2: f64,
}

pub(super) fn logits(weights: &[f64], classes: usize, row: &[f64]) -> Vec<f64> {
    let of_class = |class: &[f64]| {
        let (bias, slopes) = class.split_last().unwrap_or((&0.0, &[]));
        bias + slopes.iter().zip(row).map(|(w, x)| w * x).sum::<f64>()
    };
    weights
        .chunks_exact(weights.len() / classes)
        .map(of_class)
        .collect()
}

/// ln Σ exp, without overflow.
fn log_sum_exp(logits: &[f64]) -> f64 {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logits.iter().map(|z| (z - most).exp()).sum::<f64>().ln()
}

pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    let whole = log_sum_exp(logits);
    logits.iter().map(|z| (z - whole).exp()).collect()
}

impl Problem {
    fn cases(&self) -> impl Iterator<Item = (&[f64], usize)> {
        self.rows
            .chunks_exact(self.width)
            .zip(self.labels.iter().copied())
    }

    fn fit_at(&self, weights: &[f64], iterations: u64) -> Fit {
        let squares = self.slope(weights).into_iter().map(|g| g * g);
        Fit {
            iterations,
            gradient_norm: squares.sum::<f64>().sqrt(),
            loss: self.loss(weights),
        }
    }

    fn is_bias(&self, at: usize) -> bool {
        at % (self.width + 1) == self.width
    }

    fn loss(&self, weights: &[f64]) -> f64 {
        let surprise = |(row, label): (&[f64], usize)| {
            let logits = logits(weights, self.classes, row);
            log_sum_exp(&logits) - logits[label]
        };
        let slopes = weights
            .iter()
            .enumerate()
            .filter(|(at, _)| !self.is_bias(*at));
        let penalty = slopes.map(|(_, w)| w * w).sum::<f64>() * self.l2 / 2.0;
        self.cases().map(surprise).sum::<f64>() / self.labels.len() as f64 + penalty
    }

    fn slope(&self, weights: &[f64]) -> Vec<f64> {
        let share = 1.0 / self.labels.len() as f64;
        let penalty = |(at, w): (usize, &f64)| if self.is_bias(at) { 0.0 } else { self.l2 * w };
        let mut gradient: Vec<f64> = weights.iter().enumerate().map(penalty).collect();
        for (row, label) in self.cases() {
            let probabilities = softmax(&logits(weights, self.classes, row));
            for (class, part) in gradient.chunks_exact_mut(self.width + 1).enumerate() {
                let error = (probabilities[class] - f64::from(u8::from(class == label))) * share;
                for (g, x) in part.iter_mut().zip(row.iter().chain(&[1.0])) {
                    *g += error * x;
                }
            }
        }
        gradient
    }
}

impl CostFunction for &Problem {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, weights: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.loss(weights))
    }
}

impl Gradient for &Problem {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, weights: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.slope(weights))
    }
}

/// A line search that fails near the end of the numbers' precision stops the solver; it begins
/// anew from there, without its memory, as often as this.
const ROUNDS: usize = 5;

pub(super) fn minimise(
    problem: &Problem,
    config: &ProbeConfig,
) -> Result<(Vec<f64>, Fit), ProbeError> {
    let tolerance = config.tolerance;
    let mut weights = vec![0.0; problem.classes * (problem.width + 1)];
    let mut fit = problem.fit_at(&weights, 0);
    for _ in 0..ROUNDS {
        if fit.gradient_norm <= tolerance || fit.iterations >= config.max_iterations {
            break;
        }
        let left = config.max_iterations - fit.iterations;
        let (reached, steps) = descend(problem, weights, tolerance, left)
            .map_err(|error| ProbeError::Solver(error.to_string()))?;
        weights = reached;
        fit = problem.fit_at(&weights, fit.iterations + steps);
    }
    if fit.gradient_norm <= tolerance {
        Ok((weights, fit))
    } else {
        Err(ProbeError::NotConverged { fit, tolerance })
    }
}

/// Weights after at most `most` steps from `start`, and the steps taken.
fn descend(
    problem: &Problem,
    start: Vec<f64>,
    tolerance: f64,
    most: u64,
) -> Result<(Vec<f64>, u64), Error> {
    // The gradient alone decides: small steps are no proof of an end.
    let solver: LBFGS<_, Vec<f64>, Vec<f64>, f64> =
        LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_grad(tolerance)?
            .with_tolerance_cost(0.0)?;
    let run = Executor::new(problem, solver)
        .configure(|state| state.param(start.clone()).max_iters(most))
        .ctrlc(false)
        .timer(false)
        .run()?;
    let state = run.state();
    // After a failed line search only the best point is left.
    let reached = state.get_param().or_else(|| state.get_best_param());
    Ok((reached.cloned().unwrap_or(start), state.get_iter().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let problem = Problem {
            rows: (0..30 * 4)
                .map(|_| 4.0 * rng.random::<f64>() - 2.0)
                .collect(),
            width: 4,
            labels: (0..30).map(|n| n % 3).collect(),
            classes: 3,
            l2: 0.3,
        };
        let weights: Vec<f64> = (0..15).map(|_| rng.random::<f64>() - 0.5).collect();
        let step = 1e-6;
        for (at, slope) in problem.slope(&weights).into_iter().enumerate() {
            let moved = |by: f64| {
                let mut weights = weights.clone();
                weights[at] += by;
                problem.loss(&weights)
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (slope - difference).abs() < 1e-8,
                "{at}: {slope}, {difference}"
            );
        }
    }
}
