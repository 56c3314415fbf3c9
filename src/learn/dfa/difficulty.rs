//! How hard each class is at the moment: the share of its pixels that are named rightly.

use super::mode::mean_one;

/// Pixels of each class, and those named rightly, since the epoch began.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    right: Vec<f64>,
    all: Vec<f64>,
}

impl Accuracy {
    /// Nothing seen of so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            right: vec![0.0; classes],
            all: vec![0.0; classes],
        }
    }

    /// Adds what one step saw, pixels of each class.
    pub fn add(&mut self, right: &[f32], all: &[f32]) {
        for (sum, more) in self.right.iter_mut().zip(right) {
            *sum += f64::from(*more);
        }
        for (sum, more) in self.all.iter_mut().zip(all) {
            *sum += f64::from(*more);
        }
    }

    /// Loss weights (1 − accuracy)^τ with mean 1 over the classes seen; an epoch that saw nothing
    /// weights nothing.
    pub fn weights(&self, tau: f64) -> Vec<f64> {
        let wrong = self.right.iter().zip(&self.all);
        // A class that is never wrong keeps a hundredth: weight 0 would let it be forgotten.
        let share = wrong.map(|(right, all)| match *all > 0.0 {
            true => (1.0 - right / all).max(0.01),
            false => 0.0,
        });
        let wrong: Vec<f64> = share.collect();
        mean_one(&wrong, |wrong| wrong.powf(tau))
    }

    /// All numbers, to be kept; [`Accuracy::restore`] takes them back.
    pub fn values(&self) -> Vec<f32> {
        let all = self.right.iter().chain(&self.all);
        all.map(|value| *value as f32).collect()
    }

    /// Puts kept numbers back; `false`, and no change, where they are of other classes.
    #[must_use]
    pub fn restore(&mut self, values: &[f32]) -> bool {
        let classes = self.right.len();
        if values.len() != 2 * classes {
            return false;
        }
        let wide = |part: &[f32]| part.iter().map(|value| f64::from(*value)).collect();
        (self.right, self.all) = (wide(&values[..classes]), wide(&values[classes..]));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_that_is_often_wrong_weighs_more() {
        let mut seen = Accuracy::new(3);
        seen.add(&[45.0, 5.0, 0.0], &[50.0, 10.0, 0.0]);
        seen.add(&[45.0, 5.0, 0.0], &[50.0, 10.0, 0.0]);
        let weights = seen.weights(1.0);
        assert!((weights[1] / weights[0] - 5.0).abs() < 1e-9);
        assert!((weights[0] + weights[1] - 2.0).abs() < 1e-9 && weights[2] == 0.0);
        let sharper = seen.weights(2.0);
        assert!((sharper[1] / sharper[0] - 25.0).abs() < 1e-6);
        let mut again = Accuracy::new(3);
        assert!(again.restore(&seen.values()) && again == seen);
        assert!(!again.restore(&[0.0; 4]));
    }
}
