//! BFGS that is asked where to look and told what is there: one evaluation at a time, so that other
//! work comes in between. Solvers that call the function themselves can't wait.

use nalgebra::{DMatrix, DVector};

/// Share of the foreseen gain that a step has to bring (Armijo).
const ARMIJO: f64 = 1e-4;

/// Furthest that a step moves along any axis: what was learned of the curvature holds nearby.
const MOST_MOVE: f64 = 2.0;

/// Steps that move less along every axis are none.
const LEAST_MOVE: f64 = 1e-3;

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is lower there, and that is the place now.
    Lower,
    /// It is not; the next look is nearer.
    TooFar,
    /// As [`Told::Lower`], or not, and there is nothing more to gain.
    Ended,
}

/// A place on the way down.
#[derive(Debug, Clone)]
pub struct Descent {
    at: DVector<f64>,
    value: f64,
    slope: DVector<f64>,
    /// What is known of the inverse of the second derivatives.
    inverse: DMatrix<f64>,
    /// From here to where to look next.
    way: DVector<f64>,
    knows_curvature: bool,
    least_gain: f64,
}

impl Descent {
    /// From a place with its value and slope; first a step of 1 along the steepest axis. Ends at
    /// gains below the share `least_gain` of the value.
    pub fn new(at: &[f64], value: f64, slope: &[f64], least_gain: f64) -> Self {
        let slope = DVector::from_column_slice(slope);
        let axes = at.len();
        let first = 1.0 / slope.amax().max(f64::MIN_POSITIVE);
        Self {
            at: DVector::from_column_slice(at),
            value,
            way: &slope * -first,
            inverse: DMatrix::identity(axes, axes) * first,
            slope,
            knows_curvature: false,
            least_gain,
        }
    }

    /// Where to look next.
    pub fn trial(&self) -> Vec<f64> {
        (&self.at + &self.way).iter().copied().collect()
    }

    /// The lowest place so far.
    pub fn place(&self) -> Vec<f64> {
        self.at.iter().copied().collect()
    }

    /// What was found at [`Self::trial`].
    pub fn tell(&mut self, value: f64, slope: &[f64]) -> Told {
        let foreseen = self.slope.dot(&self.way);
        let is_lower = value <= self.value + ARMIJO * foreseen;
        if !is_lower {
            self.shorten(value, foreseen);
            return match self.way.amax() < LEAST_MOVE {
                true => Told::Ended,
                false => Told::TooFar,
            };
        }
        let slope = DVector::from_column_slice(slope);
        self.learn(&slope);
        self.at += &self.way;
        (self.value, self.slope) = (value, slope);
        self.turn();
        // What a parabola along the way would gain; a step cut short says nothing about the end.
        let gain = -self.slope.dot(&self.way) / 2.0;
        match gain < self.least_gain * value.abs() {
            true => Told::Ended,
            false => Told::Lower,
        }
    }

    /// To where a parabola through both values and the slope is lowest.
    fn shorten(&mut self, value: f64, foreseen: f64) {
        let lowest = -foreseen / (2.0 * (value - self.value - foreseen));
        // NaN where the value is none.
        let share = if lowest > 0.1 { lowest.min(0.5) } else { 0.1 };
        self.way *= share;
    }

    /// BFGS's update from the step that was made.
    fn learn(&mut self, slope: &DVector<f64>) {
        let change = slope - &self.slope;
        let along = self.way.dot(&change);
        if along <= 1e-12 * self.way.norm() * change.norm() {
            return;
        }
        let axes = self.at.len();
        if !self.knows_curvature {
            self.inverse = DMatrix::identity(axes, axes) * (along / change.norm_squared());
            self.knows_curvature = true;
        }
        let side = DMatrix::identity(axes, axes) - &self.way * change.transpose() / along;
        self.inverse =
            &side * &self.inverse * side.transpose() + &self.way * self.way.transpose() / along;
    }

    fn turn(&mut self) {
        self.way = -(&self.inverse * &self.slope);
        let furthest = self.way.amax();
        if furthest > MOST_MOVE {
            self.way *= MOST_MOVE / furthest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `of` until the end; the place, and the number of looks.
    fn down(start: &[f64], of: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> (Vec<f64>, usize) {
        let (value, slope) = of(start);
        let mut descent = Descent::new(start, value, &slope, 1e-7);
        for looks in 2..200 {
            let (value, slope) = of(&descent.trial());
            if descent.tell(value, &slope) == Told::Ended {
                return (descent.place(), looks);
            }
        }
        (descent.place(), 200)
    }

    #[test]
    fn a_narrow_bowl_takes_few_looks() {
        let widths = [1.0, 30.0, 0.2, 4.0, 9.0];
        let middle = [1.0, -2.0, 3.0, 0.5, 0.0];
        let bowl = |at: &[f64]| {
            let off: Vec<f64> = at.iter().zip(middle).map(|(a, b)| a - b).collect();
            let value = off.iter().zip(widths).map(|(d, w)| w * d * d).sum::<f64>();
            let slope = off.iter().zip(widths).map(|(d, w)| 2.0 * w * d).collect();
            (value + 1.0, slope)
        };
        let (place, looks) = down(&[0.0; 5], bowl);
        assert!(looks < 30, "{looks}");
        for (found, meant) in place.iter().zip(middle) {
            assert!((found - meant).abs() < 1e-2, "{place:?}");
        }
    }

    #[test]
    fn a_bent_valley_is_followed_and_what_is_no_number_is_avoided() {
        let valley = |at: &[f64]| {
            let (x, y) = (at[0], at[1]);
            let value = 1.0 + (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            let slope = vec![
                -2.0 * (1.0 - x) - 400.0 * x * (y - x * x),
                200.0 * (y - x * x),
            ];
            let value = if x < -1.5 { f64::NAN } else { value };
            (value, slope)
        };
        let (place, looks) = down(&[-1.2, 1.0], valley);
        assert!(looks < 100 && (place[0] - 1.0).abs() < 1e-2, "{place:?}");
    }

    #[test]
    fn where_nothing_is_lower_it_stays() {
        let (place, _) = down(&[2.0, 1.0], |at| {
            (1.0 + f64::from(at != [2.0, 1.0]), vec![0.3, 0.1])
        });
        assert_eq!(place, [2.0, 1.0]);
        let (place, _) = down(&[2.0, 1.0], |_| (1.0, vec![0.0, 0.0]));
        assert_eq!(place, [2.0, 1.0]);
    }
}
