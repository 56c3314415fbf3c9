//! What colour alone can do: a classifier of single pixels, the floor beside every Dice.
//!
//! Naive Bayes on counts of 16 × 16 × 16 colours, as in the phantoms' colour criterion. All training
//! pixels are counted, so memory is bounded (a table a class), nothing has to be drawn by chance,
//! and the order of the pixels does not matter.

use crate::learn::metrics::Confusion;
use crate::learn::seg_metrics::{IGNORE, MetricsError};
use crate::slide::phantom::criterion::{COLOUR_BINS, colour_bin};

/// How much the classes' own frequencies are taken out: 0 leaves them (most pixels right), 1 makes
/// all classes equally likely. The best macro Dice on the training pixels decides, so that the
/// floor is no strawman.
const POWERS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Training pixels by class and colour.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourFit {
    counts: Vec<Vec<u64>>,
}

/// The class that each colour is taken for.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourClassifier {
    verdicts: Vec<u8>,
    /// λ of count_c(colour) / total_c^λ, whose greatest names the class.
    pub frequency_power: f64,
    /// Pixels that it was fitted on.
    pub training_px: u64,
}

impl ColourFit {
    /// Nothing seen yet.
    pub fn new(classes: usize) -> Self {
        Self {
            counts: vec![vec![0; COLOUR_BINS.pow(3)]; classes],
        }
    }

    /// Adds training pixels: three values each, red first, and their classes; ignored ones are left
    /// out.
    ///
    /// # Errors
    /// When there are not three values a pixel, or a code is no class; then nothing has been added.
    pub fn add(&mut self, image: &str, rgb: &[u8], truth: &[u8]) -> Result<(), MetricsError> {
        check_rgb(image, rgb, truth.len())?;
        let classes = self.counts.len();
        let wrong = |code: &&u8| **code != IGNORE && usize::from(**code) >= classes;
        if let Some(code) = truth.iter().find(wrong) {
            return Err(MetricsError::Code {
                image: image.to_owned(),
                what: "truth",
                code: *code,
                count: truth.iter().filter(|other| *other == code).count(),
                classes,
            });
        }
        for (rgb, code) in rgb.chunks_exact(3).zip(truth) {
            if let Some(counts) = self.counts.get_mut(usize::from(*code)) {
                counts[colour_bin(rgb)] += 1;
            }
        }
        Ok(())
    }

    /// Adds what another fit of the same classes saw.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
    }

    /// The classifier. A class without a training pixel is never predicted; a colour that was never
    /// seen counts as the coarser colour around it that was.
    ///
    /// # Errors
    /// When no pixel was added.
    pub fn fit(&self) -> Result<ColourClassifier, MetricsError> {
        let totals: Vec<u64> = self
            .counts
            .iter()
            .map(|counts| counts.iter().sum())
            .collect();
        let training_px = totals.iter().sum();
        if training_px == 0 {
            return Err(MetricsError::NoColours);
        }
        let filled = self.filled();
        let mut best: Option<(f64, ColourClassifier)> = None;
        for frequency_power in POWERS {
            let classifier = ColourClassifier {
                verdicts: verdicts(&filled, &totals, frequency_power),
                frequency_power,
                training_px,
            };
            let dice = self.macro_dice(&classifier.verdicts);
            if best.as_ref().is_none_or(|(greatest, _)| dice > *greatest) {
                best = Some((dice, classifier));
            }
        }
        best.map(|(_, classifier)| classifier)
            .ok_or(MetricsError::NoColours)
    }

    fn macro_dice(&self, verdicts: &[u8]) -> f64 {
        let mut confusion = Confusion::new(self.counts.len());
        for (class, counts) in self.counts.iter().enumerate() {
            for (count, verdict) in counts.iter().zip(verdicts) {
                confusion.add(class, usize::from(*verdict), *count);
            }
        }
        confusion.macro_f1()
    }

    /// The counts, with those of the smallest seen block of colours around it for each colour that
    /// was never seen: blocks of 2, 4, 8 and 16 bins a channel.
    fn filled(&self) -> Vec<Vec<u64>> {
        let colours = COLOUR_BINS.pow(3);
        let mut filled = self.counts.clone();
        let mut seen: Vec<bool> = (0..colours)
            .map(|bin| self.counts.iter().any(|counts| counts[bin] > 0))
            .collect();
        let mut side = 2;
        while side <= COLOUR_BINS {
            let blocks: Vec<Vec<u64>> = self.counts.iter().map(|c| in_blocks(c, side)).collect();
            for bin in 0..colours {
                let block = block_of(bin, side);
                if !seen[bin] && blocks.iter().any(|counts| counts[block] > 0) {
                    seen[bin] = true;
                    for (filled, counts) in filled.iter_mut().zip(&blocks) {
                        filled[bin] = counts[block];
                    }
                }
            }
            side *= 2;
        }
        filled
    }
}

impl ColourClassifier {
    /// The class of each pixel, three values each, red first.
    ///
    /// # Errors
    /// When there are not three values a pixel.
    pub fn predict(&self, image: &str, rgb: &[u8]) -> Result<Vec<u8>, MetricsError> {
        check_rgb(image, rgb, rgb.len() / 3)?;
        let pixels = rgb.chunks_exact(3);
        Ok(pixels.map(|rgb| self.verdicts[colour_bin(rgb)]).collect())
    }
}

fn verdicts(counts: &[Vec<u64>], totals: &[u64], power: f64) -> Vec<u8> {
    let weight = |total: &u64| (*total as f64).max(1.0).powf(-power);
    let weights: Vec<f64> = totals.iter().map(weight).collect();
    let best = |bin: usize| {
        let score = |class: usize| counts[class][bin] as f64 * weights[class];
        let better = |best, class| {
            if score(class) > score(best) {
                class
            } else {
                best
            }
        };
        (0..counts.len()).fold(0, better) as u8
    };
    (0..COLOUR_BINS.pow(3)).map(best).collect()
}

/// The block of `side` bins a channel that holds a bin.
fn block_of(bin: usize, side: usize) -> usize {
    let across = COLOUR_BINS / side;
    let part = |divisor: usize| bin / divisor % COLOUR_BINS / side;
    (part(COLOUR_BINS * COLOUR_BINS) * across + part(COLOUR_BINS)) * across + part(1)
}

fn in_blocks(counts: &[u64], side: usize) -> Vec<u64> {
    let mut blocks = vec![0; (COLOUR_BINS / side).pow(3)];
    for (bin, count) in counts.iter().enumerate() {
        blocks[block_of(bin, side)] += count;
    }
    blocks
}

fn check_rgb(image: &str, rgb: &[u8], pixels: usize) -> Result<(), MetricsError> {
    if rgb.len() == 3 * pixels {
        return Ok(());
    }
    Err(MetricsError::Length {
        image: image.to_owned(),
        what: "the picture",
        expected: 3 * pixels,
        found: rgb.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 3] = [200, 10, 10];
    const GREEN: [u8; 3] = [10, 200, 10];

    fn fitted(pixels: &[([u8; 3], u8, usize)]) -> ColourFit {
        let mut fit = ColourFit::new(2);
        for (rgb, class, count) in pixels {
            fit.add("a", &rgb.repeat(*count), &vec![*class; *count])
                .unwrap();
        }
        fit
    }

    #[test]
    fn colours_that_tell_the_classes_apart_are_learned_and_strange_ones_go_to_the_nearest() {
        let classifier = fitted(&[(RED, 0, 5), (GREEN, 1, 50), (RED, IGNORE, 900)])
            .fit()
            .unwrap();
        let strange = [230, 30, 5];
        let pixels = [RED, GREEN, strange].concat();
        assert_eq!(classifier.predict("a", &pixels).unwrap(), [0, 1, 0]);
        assert_eq!(classifier.training_px, 55);
    }

    /// Green is 60 of class 0 and 30 of class 1; all else of class 0 is red. By frequency green is
    /// class 0 and class 1 is never found; its share of the rarer class is far greater.
    #[test]
    fn the_weight_of_frequency_is_what_serves_macro_dice() {
        let classifier = fitted(&[(RED, 0, 1000), (GREEN, 0, 60), (GREEN, 1, 30)])
            .fit()
            .unwrap();
        assert_eq!(classifier.predict("a", &GREEN).unwrap(), [1]);
        assert!(classifier.frequency_power > 0.0);
        let even = fitted(&[(RED, 0, 10), (GREEN, 1, 10)]).fit().unwrap();
        assert_eq!(even.frequency_power, 0.0, "the least of equals");
    }

    #[test]
    fn parts_merged_are_the_whole() {
        let (one, two) = ([(RED, 0, 5), (GREEN, 0, 2)], [(GREEN, 1, 3)]);
        let mut merged = fitted(&one);
        merged.merge(&fitted(&two));
        assert_eq!(merged, fitted(&[one[0], one[1], two[0]]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut fit = ColourFit::new(2);
        assert!(matches!(fit.fit(), Err(MetricsError::NoColours)));
        let error = fit.add("slide", &RED, &[7]).unwrap_err().to_string();
        assert!(
            error.contains("slide: 1 px of the truth have code 7"),
            "{error}"
        );
        assert!(fit.add("slide", &RED, &[0, 0]).is_err());
        fit.add("slide", &RED, &[0]).unwrap();
        assert!(fit.fit().unwrap().predict("slide", &[1, 2]).is_err());
    }
}
