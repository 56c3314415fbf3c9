//! Counting right and wrong: a confusion matrix and what is read off it.

/// How often each class was taken for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Nothing counted yet, for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// Counts pairs of truth and prediction, both class indices below `classes`; a pair with an
    /// index beyond is not counted.
    pub fn of(classes: usize, truth: &[usize], predicted: &[usize]) -> Self {
        let mut confusion = Self::new(classes);
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            confusion.add(truth, predicted, 1);
        }
        confusion
    }

    /// Counts `count` cases of class `truth` that were taken for `predicted`; an index that is no
    /// class is not counted.
    pub fn add(&mut self, truth: usize, predicted: usize, count: u64) {
        if truth < self.classes && predicted < self.classes {
            self.counts[truth * self.classes + predicted] += count;
        }
    }

    /// Cases of class `truth` that were taken for `predicted`; 0 for what is no class.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth < self.classes && predicted < self.classes {
            self.counts[truth * self.classes + predicted]
        } else {
            0
        }
    }

    /// Adds what `other` counted; its classes beyond those of `self` are left out.
    pub fn merge(&mut self, other: &Self) {
        for truth in 0..other.classes {
            for predicted in 0..other.classes {
                self.add(truth, predicted, other.count(truth, predicted));
            }
        }
    }

    /// The counts: a row a class of truth, a column a class predicted.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let rows = self.counts.chunks_exact(self.classes.max(1));
        rows.map(<[u64]>::to_vec).collect()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Cases counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Cases whose truth is `class`.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|other| self.count(class, other))
            .sum()
    }

    /// Cases that were taken for `class`.
    pub fn claimed(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|other| self.count(other, class))
            .sum()
    }

    /// F1 = 2 TP / (2 TP + FP + FN) of one class, 0–1; of pixels it is called Dice. `None` where the class is empty: neither
    /// true nor predicted anywhere, so that nothing can be said of it.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let both = self.support(class) + self.claimed(class);
        (both > 0).then(|| 2.0 * self.count(class, class) as f64 / both as f64)
    }

    /// Intersection over union TP / (TP + FP + FN) of one class, 0–1; `None` as for [`Self::f1`].
    pub fn iou(&self, class: usize) -> Option<f64> {
        let right = self.count(class, class);
        let either = self.support(class) + self.claimed(class) - right;
        (either > 0).then(|| right as f64 / either as f64)
    }

    /// F1 of every class, in order.
    pub fn f1s(&self) -> Vec<Option<f64>> {
        (0..self.classes).map(|class| self.f1(class)).collect()
    }

    /// Mean F1 of the classes that are not empty (see [`Self::f1`]), 0–1. A class without truth
    /// that is predicted all the same counts with its F1 of 0. 0 when nothing was counted.
    pub fn macro_f1(&self) -> f64 {
        let known: Vec<f64> = self.f1s().into_iter().flatten().collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    }

    /// Share of cases that were right, 0–1; 0 when nothing was counted.
    pub fn top1(&self) -> f64 {
        let right: u64 = (0..self.classes)
            .map(|class| self.count(class, class))
            .sum();
        right as f64 / self.total().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_worked_out_by_hand() {
        // Class 0: 3 right, 1 taken for 1. Class 1: 2 right, 2 taken for 0.
        let confusion = Confusion::of(2, &[0, 0, 0, 0, 1, 1, 1, 1], &[0, 0, 0, 1, 1, 1, 0, 0]);
        let (first, second) = (6.0 / 9.0, 4.0 / 7.0);
        assert!((confusion.f1(0).unwrap() - first).abs() < 1e-12);
        assert!((confusion.f1(1).unwrap() - second).abs() < 1e-12);
        assert!((confusion.macro_f1() - (first + second) / 2.0).abs() < 1e-12);
        assert!((confusion.top1() - 5.0 / 8.0).abs() < 1e-12);
        assert_eq!(confusion.iou(0), Some(3.0 / 6.0));
        assert_eq!(confusion.iou(1), Some(2.0 / 5.0));
        assert_eq!(confusion.rows(), [[3, 1], [2, 2]]);
        assert_eq!((confusion.support(0), confusion.claimed(0)), (4, 5));
    }

    #[test]
    fn an_empty_class_is_left_out_and_a_wrongly_claimed_one_is_not() {
        let without = Confusion::of(3, &[0, 1], &[0, 1]);
        assert_eq!(without.f1s(), [Some(1.0), Some(1.0), None]);
        assert_eq!(without.macro_f1(), 1.0);
        let claimed = Confusion::of(3, &[0, 1], &[0, 2]);
        assert_eq!(claimed.f1s(), [Some(1.0), Some(0.0), Some(0.0)]);
        assert!((claimed.macro_f1() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn parts_merged_are_the_whole() {
        let (truth, predicted) = ([0, 1, 2, 2, 1, 0], [0, 2, 2, 1, 1, 0]);
        let mut parts = Confusion::of(3, &truth[..2], &predicted[..2]);
        parts.merge(&Confusion::of(3, &truth[2..], &predicted[2..]));
        assert_eq!(parts, Confusion::of(3, &truth, &predicted));
    }

    #[test]
    fn nothing_counted_scores_nothing() {
        let mut confusion = Confusion::new(2);
        confusion.add(2, 0, 5);
        assert_eq!(confusion.total(), 0);
        assert_eq!((confusion.macro_f1(), confusion.top1()), (0.0, 0.0));
    }
}
