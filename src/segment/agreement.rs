//! Two label maps of one slide, px by px: a grid against one shifted by half a tile, a model
//! against another, one magnification against another.

use serde::Serialize;

use crate::labels::{FAILED, NOT_ANALYSED, Ranks, UNKNOWN, is_class};

/// Code of a px that two maps give the same class.
pub const AGREES: u8 = 0;

/// Code of a px that two maps give different classes.
pub const DIFFERS: u8 = 1;

/// What two codes of one px say together: [`AGREES`] or [`DIFFERS`] where both are classes.
/// Otherwise the px is not analysed where one of them is not, else it failed where one did, else
/// it is unknown.
pub fn difference(first: u8, second: u8) -> u8 {
    if is_class(first) && is_class(second) {
        return if first == second { AGREES } else { DIFFERS };
    }
    let either = |code: u8| first == code || second == code;
    match () {
        () if either(NOT_ANALYSED) => NOT_ANALYSED,
        () if either(FAILED) => FAILED,
        () => UNKNOWN,
    }
}

/// Differing px stay visible at low power, however few they are.
pub fn difference_ranks() -> Ranks {
    Ranks::by_rarity(&[1.0, 0.0])
}

/// Jensen-Shannon divergence of two distributions over the same classes, of their natural
/// log-probabilities: 0 bits where they are equal, 1 where they share no class (Lin 1991).
pub fn divergence_bits(first: &[f32], second: &[f32]) -> f32 {
    let part = |log: f32, log_mean: f32| match log.exp() {
        0.0 => 0.0,
        p => p * (log - log_mean) / 2.0,
    };
    let of_class = |(a, b): (&f32, &f32)| {
        let log_mean = ((a.exp() + b.exp()) / 2.0).ln();
        part(*a, log_mean) + part(*b, log_mean)
    };
    let nats: f32 = first.iter().zip(second).map(of_class).sum();
    (nats / std::f32::consts::LN_2).clamp(0.0, 1.0)
}

/// Counts of pairs of codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePairs {
    classes: usize,
    /// `classes` × `classes`, the first map's class by rows.
    pairs: Vec<u64>,
    only_one: u64,
}

/// How well two label maps agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Px that both have a class for.
    pub px: u64,
    /// Px that only one has a class for.
    pub only_one_px: u64,
    /// Part of `px` with the same class in both, 0–1; 1 where there are none.
    pub share: f64,
    /// Dice of each class over `px`, 0–1; none where neither map has it.
    pub dice: Vec<Option<f64>>,
}

impl CodePairs {
    /// Nothing counted yet, for maps of codes 0 to `classes` − 1 and [`NOT_ANALYSED`].
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            pairs: vec![0; classes * classes],
            only_one: 0,
        }
    }

    /// Counts px of both maps, equally many, in the same order; codes of no class count as not
    /// analysed.
    pub fn add(&mut self, first: &[u8], second: &[u8]) {
        let classes = self.classes.min(usize::from(NOT_ANALYSED));
        for (a, b) in first.iter().zip(second) {
            let (a, b) = (usize::from(*a), usize::from(*b));
            match (a < classes, b < classes) {
                (true, true) => self.pairs[a * self.classes + b] += 1,
                (false, false) => {}
                _ => self.only_one += 1,
            }
        }
    }

    /// Px of class `first` in the first map and of class `second` in the second.
    pub fn px(&self, first: usize, second: usize) -> u64 {
        self.pairs[first * self.classes + second]
    }

    /// Classes that there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// What the counts say.
    pub fn agreement(&self) -> Agreement {
        let px: u64 = self.pairs.iter().sum();
        let same: u64 = (0..self.classes).map(|class| self.px(class, class)).sum();
        let dice = |class: usize| {
            let of = |other: usize| self.px(class, other) + self.px(other, class);
            let both: u64 = (0..self.classes).map(of).sum();
            (both > 0).then(|| 2.0 * self.px(class, class) as f64 / both as f64)
        };
        Agreement {
            px,
            only_one_px: self.only_one,
            share: if px == 0 {
                1.0
            } else {
                same as f64 / px as f64
            },
            dice: (0..self.classes).map(dice).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_class_is_neither_the_same_nor_different() {
        assert_eq!([difference(3, 3), difference(3, 0)], [AGREES, DIFFERS]);
        for (first, second, both) in [
            (3, NOT_ANALYSED, NOT_ANALYSED),
            (FAILED, NOT_ANALYSED, NOT_ANALYSED),
            (FAILED, 3, FAILED),
            (UNKNOWN, FAILED, FAILED),
            (UNKNOWN, 3, UNKNOWN),
            (UNKNOWN, UNKNOWN, UNKNOWN),
        ] {
            assert_eq!(difference(first, second), both);
            assert_eq!(difference(second, first), both);
        }
    }

    fn logs(weights: &[f32]) -> Vec<f32> {
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|weight| (weight / sum).ln()).collect()
    }

    #[test]
    fn divergence_is_that_worked_out_by_hand() {
        let [a, b] = [logs(&[1.0, 0.0, 0.0]), logs(&[0.0, 0.5, 0.5])];
        assert!(
            (divergence_bits(&a, &b) - 1.0).abs() < 1e-6,
            "they share nothing"
        );
        // H(3/4, 1/4) − (0 + 1) / 2 bits.
        let half = divergence_bits(&a, &logs(&[0.5, 0.5, 0.0]));
        assert!((half - 0.311_278).abs() < 1e-5, "{half}");
    }

    proptest! {
        #[test]
        fn divergence_is_a_symmetric_part_of_one_bit(
            pairs in proptest::collection::vec((0.0..1.0_f32, 0.0..1.0_f32), 1..9),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (a, b) = (a.iter().sum::<f32>() > 0.0)
                .then(|| (logs(&a), logs(&b)))
                .filter(|(_, b)| b.iter().all(|log| !log.is_nan()))
                .unwrap_or((vec![0.0], vec![0.0]));
            prop_assert!(divergence_bits(&a, &a) < 1e-6);
            let (there, back) = (divergence_bits(&a, &b), divergence_bits(&b, &a));
            prop_assert!((there - back).abs() < 1e-6);
            prop_assert!((0.0..=1.0).contains(&there));
        }
    }

    #[test]
    fn agreement_is_that_of_px_that_both_have() {
        let mut pairs = CodePairs::new(3);
        pairs.add(&[0, 0, 1, 1, NOT_ANALYSED], &[0, 1, 1, 1, NOT_ANALYSED]);
        pairs.add(&[NOT_ANALYSED, 1], &[1, 77]);
        let agreement = pairs.agreement();
        assert_eq!(
            (agreement.px, agreement.only_one_px, agreement.share),
            (4, 2, 0.75)
        );
        assert_eq!(agreement.dice, [Some(2.0 / 3.0), Some(0.8), None]);
        assert_eq!(CodePairs::new(2).agreement().share, 1.0);
    }
}
