//! Whether probabilities mean what they say.

use serde::{Deserialize, Serialize};

use super::{IGNORE, MetricsError};

/// Bins of the most probable class's probability, equally wide from 0 to 1.
const BINS: usize = 15;

/// Probabilities of one pixel may miss the sum of 1 by this.
const SUM_TOLERANCE: f64 = 5e-3;

/// Probabilities below this count as this in the logarithm.
const LEAST_PROBABILITY: f64 = 1e-7;

/// Pixels by the class that is most probable and by how probable it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    classes: Vec<[Bin; BINS]>,
    brier_sum: f64,
    nll_sum: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    px: u64,
    right_px: u64,
    confidence_sum: f64,
}

impl Bin {
    fn merge(&mut self, other: &Self) {
        self.px += other.px;
        self.right_px += other.right_px;
        self.confidence_sum += other.confidence_sum;
    }
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Pixels in it.
    pub px: u64,
    /// Mean probability of their most probable class, 0–1.
    pub confidence: f64,
    /// Share of them where that class is true, 0–1.
    pub accuracy: f64,
}

/// Calibration over all pixels that are not ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// Expected calibration error, 0–1: mean over pixels of |accuracy − confidence| of their bin
    /// (Guo et al. 2017; 15 equal bins).
    pub ece: f64,
    /// Mean over pixels of Σ_c (p_c − [c is true])², 0–2 (Brier 1950).
    pub brier: f64,
    /// Mean −ln p of the true class, nats; p below 1e-7 counts as that.
    pub nll: f64,
    /// Of all pixels; empty bins are left out.
    pub bins: Vec<ReliabilityBin>,
    /// The error of the pixels taken for each class (top-label calibration, Gupta and Ramdas 2022);
    /// `None` for a class that is nowhere the most probable.
    pub class_ece: Vec<Option<f64>>,
    /// The bins of the pixels taken for each class.
    pub class_bins: Vec<Vec<ReliabilityBin>>,
}

impl Calibration {
    /// Nothing seen yet.
    pub fn new(classes: usize) -> Self {
        Self {
            classes: vec![[Bin::default(); BINS]; classes],
            brier_sum: 0.0,
            nll_sum: 0.0,
        }
    }

    /// Adds pixels: the codes of the truth and, for each class, a plane of as many probabilities
    /// (softmax over the classes). What is ignored in the truth is left out and not looked at.
    /// The class whose confidence counts is the most probable one, whatever the class map says.
    ///
    /// # Errors
    /// When probabilities of a pixel do not sum to 1 ± 0.005; then nothing has been added.
    pub fn add(
        &mut self,
        image: &str,
        truth: &[u8],
        probabilities: &[f32],
    ) -> Result<(), MetricsError> {
        let mut added = Self::new(self.classes.len());
        let plane_px = count_px(probabilities, self.classes.len());
        for (at, truth) in truth.iter().enumerate().filter(|(_, t)| **t != IGNORE) {
            let planes = probabilities.chunks_exact(plane_px);
            let sum = added.add_px(usize::from(*truth), planes.map(|plane| plane[at]));
            if !((1.0 - SUM_TOLERANCE)..=(1.0 + SUM_TOLERANCE)).contains(&sum) {
                return Err(MetricsError::Probability {
                    image: image.to_owned(),
                    pixel: at,
                    sum,
                });
            }
        }
        self.merge(&added);
        Ok(())
    }

    /// Adds one pixel; gives the sum of its probabilities.
    fn add_px(&mut self, truth: usize, probabilities: impl Iterator<Item = f32>) -> f64 {
        let (mut sum, mut squares, mut of_truth) = (0.0, 0.0, 0.0);
        let (mut best, mut greatest) = (0, f64::NEG_INFINITY);
        for (class, p) in probabilities.map(f64::from).enumerate() {
            sum += p;
            squares += (p - f64::from(u8::from(class == truth))).powi(2);
            if class == truth {
                of_truth = p;
            }
            if p > greatest {
                (best, greatest) = (class, p);
            }
        }
        let bin = ((greatest * BINS as f64) as usize).min(BINS - 1);
        self.classes[best][bin].merge(&Bin {
            px: 1,
            right_px: u64::from(best == truth),
            confidence_sum: greatest,
        });
        self.brier_sum += squares;
        self.nll_sum -= of_truth.max(LEAST_PROBABILITY).ln();
        sum
    }

    /// Adds what another one of the same classes saw.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            merge_bins(mine, theirs);
        }
        self.brier_sum += other.brier_sum;
        self.nll_sum += other.nll_sum;
    }

    /// The figures; `None` of no pixel.
    pub fn report(&self) -> Option<CalibrationReport> {
        let mut all = [Bin::default(); BINS];
        for bins in &self.classes {
            merge_bins(&mut all, bins);
        }
        let px = all.iter().map(|bin| bin.px).sum::<u64>() as f64;
        Some(CalibrationReport {
            ece: error_of(&all)?,
            brier: self.brier_sum / px,
            nll: self.nll_sum / px,
            bins: shown(&all),
            class_ece: self.classes.iter().map(error_of).collect(),
            class_bins: self.classes.iter().map(shown).collect(),
        })
    }
}

/// Pixels of one plane; at least 1, so that it can be divided by.
fn count_px(probabilities: &[f32], classes: usize) -> usize {
    (probabilities.len() / classes.max(1)).max(1)
}

fn merge_bins(mine: &mut [Bin; BINS], theirs: &[Bin; BINS]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.merge(theirs);
    }
}

fn error_of(bins: &[Bin; BINS]) -> Option<f64> {
    let px: u64 = bins.iter().map(|bin| bin.px).sum();
    let misses = bins
        .iter()
        .map(|bin| (bin.right_px as f64 - bin.confidence_sum).abs());
    (px > 0).then(|| misses.sum::<f64>() / px as f64)
}

fn shown(bins: &[Bin; BINS]) -> Vec<ReliabilityBin> {
    let filled = bins.iter().filter(|bin| bin.px > 0);
    let shown = filled.map(|bin| ReliabilityBin {
        px: bin.px,
        confidence: bin.confidence_sum / bin.px as f64,
        accuracy: bin.right_px as f64 / bin.px as f64,
    });
    shown.collect()
}

/// The most probable class of each pixel, the first of equals, from a plane a class of
/// probabilities, logits or anything that grows with them. Empty when `planes` holds no class.
pub fn most_probable(planes: &[f32], classes: usize) -> Vec<u8> {
    let px = planes.len() / classes.max(1);
    let mut best = vec![0_u8; px];
    let mut greatest = planes[..px].to_vec();
    for (class, plane) in planes.chunks_exact(px.max(1)).enumerate().skip(1) {
        for ((best, greatest), value) in best.iter_mut().zip(&mut greatest).zip(plane) {
            if *value > *greatest {
                (*best, *greatest) = (class as u8, *value);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four pixels of two classes: p = .9 right, .9 wrong, .6 right, and one ignored.
    fn small() -> Calibration {
        let mut calibration = Calibration::new(2);
        let planes = [0.9, 0.1, 0.6, 7.0, 0.1, 0.9, 0.4, 7.0];
        calibration.add("a", &[0, 0, 0, IGNORE], &planes).unwrap();
        calibration
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let report = small().report().unwrap();
        // Bin of .9: two pixels, half right, |1 − 1.8|; bin of .6: |1 − .6|.
        assert!((report.ece - (0.8 + 0.4) / 3.0).abs() < 1e-6);
        assert!((report.brier - 2.0 * (0.01 + 0.81 + 0.16) / 3.0).abs() < 1e-6);
        let nll = -(0.9_f64.ln() + 0.1_f64.ln() + 0.6_f64.ln()) / 3.0;
        assert!((report.nll - nll).abs() < 1e-6);
        assert_eq!(
            report.bins.iter().map(|bin| bin.px).collect::<Vec<_>>(),
            [1, 2]
        );
        assert!((report.class_ece[0].unwrap() - (0.1 + 0.4) / 2.0).abs() < 1e-6);
        assert!((report.class_ece[1].unwrap() - 0.9).abs() < 1e-6);
    }

    #[test]
    fn what_never_happens_has_no_error() {
        assert_eq!(Calibration::new(2).report(), None);
        let mut calibration = Calibration::new(2);
        calibration.add("a", &[0], &[1.0, 0.0]).unwrap();
        let report = calibration.report().unwrap();
        assert_eq!(report.class_ece, [Some(0.0), None]);
        assert_eq!((report.ece, report.brier, report.nll), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_is_no_probability_is_refused_and_nothing_is_added() {
        let mut calibration = small();
        for (wrong, at) in [([0.9, 0.9, 0.1, 0.9], 1), ([f32::NAN, 0.5, 0.5, 0.5], 0)] {
            let error = calibration.add("b", &[0, 0], &wrong).unwrap_err();
            assert!(matches!(error, MetricsError::Probability { pixel, .. } if pixel == at));
        }
        assert_eq!(calibration, small());
    }

    #[test]
    fn the_first_of_the_most_probable_is_taken() {
        assert_eq!(most_probable(&[0.5, 0.1, 0.5, 0.2, 0.0, 0.7], 3), [0, 2]);
        assert_eq!(most_probable(&[], 3), [0_u8; 0]);
    }
}
