//! What painted px say of logits, in plain numbers.

use super::PaintedPx;
use crate::model::dfa::to_tile::{Between, neighbours};

/// What the px of a stroke say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StrokeSum {
    /// How many.
    pub px: u64,
    /// Those whose most probable class, the first of several, is the stroke's.
    pub right: u64,
    /// Sum of −ln p of the stroke's class, nat.
    pub surprise: f64,
}

/// Judges logits by strokes.
#[derive(Debug)]
pub struct Judge {
    /// Side of the tiles, px.
    pub tile_px: usize,
    /// The class of each stroke.
    pub strokes: Vec<usize>,
    /// What each px of a stroke counts in the loss; 0 for strokes that are held out.
    pub weights: Vec<f64>,
    /// Added to the logits of each of K classes.
    pub offsets: Vec<f32>,
}

/// The four samples that a px lies between: place in a plane, and share.
fn corners(between: &[Between], side: usize, row: usize, column: usize) -> [(usize, f32); 4] {
    let (top, bottom, down) = between[row];
    let (left, right, across) = between[column];
    [
        (top * side + left, (1.0 - down) * (1.0 - across)),
        (top * side + right, (1.0 - down) * across),
        (bottom * side + left, down * (1.0 - across)),
        (bottom * side + right, down * across),
    ]
}

impl Judge {
    /// Looks at a tile whose `logits` are K planes of `side`² samples. Adds what its px say to `sums`,
    /// by stroke, and the loss's slope at each sample to `pull`, of the size of `logits`.
    pub fn look(
        &self,
        (logits, side): (&[f32], usize),
        px: &[PaintedPx],
        sums: &mut [StrokeSum],
        pull: &mut [f32],
    ) {
        let between: Vec<Between> = neighbours(side, self.tile_px).collect();
        let mut of_px = self.offsets.clone();
        for painted in px {
            let (row, column) = (
                painted.px as usize / self.tile_px,
                painted.px as usize % self.tile_px,
            );
            let corners = corners(&between, side, row, column);
            for (class, value) in of_px.iter_mut().enumerate() {
                let plane = &logits[class * side * side..];
                let at = corners.iter().map(|(at, share)| plane[*at] * share);
                *value = self.offsets[class] + at.sum::<f32>();
            }
            let stroke = painted.stroke as usize;
            sums[stroke].add(&mut of_px, self.strokes[stroke]);
            let weight = self.weights[stroke] as f32;
            // `of_px` is p − 1 for the stroke's class and p for the others now.
            for (class, slope) in of_px.iter().enumerate().filter(|_| weight > 0.0) {
                let plane = &mut pull[class * side * side..];
                for (at, share) in corners {
                    plane[at] += weight * share * slope;
                }
            }
        }
    }
}

impl StrokeSum {
    /// Adds a px of `class`, whose logits become the slope of its surprise.
    fn add(&mut self, logits: &mut [f32], class: usize) {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let own = logits[class];
        let chosen = logits.iter().position(|value| *value == most);
        self.px += 1;
        self.right += u64::from(chosen == Some(class));
        let mut whole = 0.0;
        for value in logits.iter_mut() {
            *value = (*value - most).exp();
            whole += *value;
        }
        self.surprise += f64::from(whole.ln() + most - own);
        logits.iter_mut().for_each(|value| *value /= whole);
        logits[class] -= 1.0;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            px: self.px + other.px,
            right: self.right + other.right,
            surprise: self.surprise + other.surprise,
        }
    }

    /// Mean surprise of its px, nat.
    pub fn mean_surprise(&self) -> f64 {
        self.surprise / self.px.max(1) as f64
    }

    /// Share of its px that are right, 0–1.
    pub fn share_right(&self) -> f64 {
        self.right as f64 / self.px.max(1) as f64
    }
}

/// Mean of `value` over the strokes that `counts` wants: over each class's, then over the classes
/// that have such.
pub fn balanced(
    strokes: &[usize],
    sums: &[StrokeSum],
    counts: impl Fn(usize) -> bool,
    value: impl Fn(&StrokeSum) -> f64,
) -> f64 {
    let classes = strokes.iter().max().map_or(0, |most| most + 1);
    let mut of_class = vec![(0.0, 0.0); classes];
    for (n, sum) in sums.iter().enumerate() {
        if sum.px > 0 && counts(n) {
            of_class[strokes[n]].0 += value(sum);
            of_class[strokes[n]].1 += 1.0;
        }
    }
    let counted = of_class.iter().filter(|(_, strokes)| *strokes > 0.0);
    let means: Vec<f64> = counted.map(|(sum, strokes)| sum / strokes).collect();
    means.iter().sum::<f64>() / means.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;
    use crate::model::dfa::to_tile;

    const CLASSES: usize = 3;
    const SIDE: usize = 4;
    const TILE_PX: usize = 10;

    fn judge(weights: [f64; 2]) -> Judge {
        Judge {
            tile_px: TILE_PX,
            strokes: vec![1, 2],
            weights: weights.to_vec(),
            offsets: vec![0.2, 0.0, -0.4],
        }
    }

    fn logits() -> Vec<f32> {
        let value = |n: usize| (n as f32 * 0.71).sin() * 3.0;
        (0..CLASSES * SIDE * SIDE).map(value).collect()
    }

    fn px() -> Vec<PaintedPx> {
        let some = (0..(TILE_PX * TILE_PX) as u32).filter(|px| px % 7 < 3);
        some.map(|px| PaintedPx {
            px,
            stroke: u32::from(px > 40),
        })
        .collect()
    }

    fn seen(judge: &Judge, logits: &[f32]) -> (Vec<StrokeSum>, Vec<f32>) {
        let (mut sums, mut pull) = (vec![StrokeSum::default(); 2], vec![0.0; logits.len()]);
        judge.look((logits, SIDE), &px(), &mut sums, &mut pull);
        (sums, pull)
    }

    #[test]
    fn px_see_what_the_overlay_shows() {
        let data = TensorData::new(logits(), [1, CLASSES, SIDE, SIDE]);
        let large = to_tile(Tensor::from_data(data, &Device::flex()), TILE_PX);
        let large: Vec<f32> = large.into_data().try_to_vec().unwrap();
        let judge = judge([1.0, 0.0]);
        let mut meant = [StrokeSum::default(); 2];
        for painted in px() {
            let plane = TILE_PX * TILE_PX;
            let z = [0, 1, 2].map(|c| large[c * plane + painted.px as usize] + judge.offsets[c]);
            let class = judge.strokes[painted.stroke as usize];
            let of_stroke = &mut meant[painted.stroke as usize];
            let whole: f64 = z.iter().map(|z| f64::from(*z).exp()).sum();
            of_stroke.px += 1;
            of_stroke.surprise += whole.ln() - f64::from(z[class]);
            of_stroke.right += u64::from(z.iter().all(|other| *other <= z[class]));
        }
        for (found, meant) in seen(&judge, &logits()).0.iter().zip(meant) {
            assert_eq!((found.px, found.right), (meant.px, meant.right));
            assert!((found.surprise - meant.surprise).abs() < 1e-4 * meant.surprise);
        }
        assert!(meant.iter().all(|sum| sum.right > 0 && sum.right < sum.px));
    }

    #[test]
    fn the_pull_is_the_slope_of_the_loss_and_held_out_strokes_have_none() {
        let judge = judge([0.3, 0.0]);
        let pull = seen(&judge, &logits()).1;
        for (at, slope) in pull.iter().enumerate() {
            let loss = |by: f32| {
                let mut moved = logits();
                moved[at] += by;
                judge.weights[0] * seen(&judge, &moved).0[0].surprise
            };
            let difference = (loss(1e-2) - loss(-1e-2)) / 2e-2;
            assert!(
                (f64::from(*slope) - difference).abs() < 1e-3,
                "{at}: {slope} for {difference}"
            );
        }
        assert!(pull.iter().any(|slope| slope.abs() > 0.1));
    }

    #[test]
    fn of_classes_that_are_as_probable_only_the_one_that_is_shown_is_right() {
        let right = |class| {
            let mut sum = StrokeSum::default();
            sum.add(&mut [0.0, 2.0, 2.0], class);
            sum.right
        };
        assert_eq!([0, 1, 2].map(right), [0, 1, 0]);
    }

    #[test]
    fn neither_long_strokes_nor_many_win() {
        let sum = |px, right| StrokeSum {
            px,
            right,
            surprise: 0.0,
        };
        let sums = [sum(10, 10), sum(1000, 0), sum(4, 2), sum(0, 0)];
        let share = |counts: fn(usize) -> bool| {
            balanced(&[0, 0, 2, 2], &sums, counts, StrokeSum::share_right)
        };
        assert_eq!(share(|_| true), 0.5);
        assert_eq!(share(|n| n == 1), 0.0);
        assert_eq!(share(|n| n != 1), 0.75);
        assert_eq!(share(|_| false), 0.0);
    }
}
