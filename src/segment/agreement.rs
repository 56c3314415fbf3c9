//! Two label maps of one slide, px by px: a grid against one shifted by half a tile, a model
//! against another.

use serde::Serialize;

use crate::labels::NOT_ANALYSED;

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
        let class = |code: u8| {
            let class = usize::from(code);
            (code != NOT_ANALYSED && class < self.classes).then_some(class)
        };
        for (a, b) in first.iter().zip(second) {
            match (class(*a), class(*b)) {
                (Some(a), Some(b)) => self.pairs[a * self.classes + b] += 1,
                (None, None) => {}
                _ => self.only_one += 1,
            }
        }
    }

    /// What the counts say.
    pub fn agreement(&self) -> Agreement {
        let pair = |a: usize, b: usize| self.pairs[a * self.classes + b];
        let px: u64 = self.pairs.iter().sum();
        let same: u64 = (0..self.classes).map(|class| pair(class, class)).sum();
        let dice = |class: usize| {
            let of = |other: usize| pair(class, other) + pair(other, class);
            let both: u64 = (0..self.classes).map(of).sum();
            (both > 0).then(|| 2.0 * pair(class, class) as f64 / both as f64)
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
    use super::*;

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
