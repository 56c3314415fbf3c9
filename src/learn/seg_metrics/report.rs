//! The figures of class maps.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::boundary::Displacement;
use super::calibration::CalibrationReport;
use super::tally::{ImageTally, Tally};
use crate::learn::metrics::Confusion;
use crate::learn::statistics::{CONFIDENCE, middle_share};

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// Class maps of a split against their truth. Scores are shares, 0–1; `None` where neither holds
/// anything that could be scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegReport {
    /// Each class, in the order of the indices.
    pub classes: Vec<ClassScores>,
    /// Means over the classes that have a score.
    pub macros: MacroScores,
    /// 95 % of 1000 draws of images with replacement have their macro Dice between these (Efron's
    /// percentile bootstrap): what other images might have given, as far as these tell; too narrow
    /// for less than about ten. `None` of one image.
    pub macro_dice_interval: Option<(f64, f64)>,
    /// Share of the pixels that are right.
    pub pixel_accuracy: Option<f64>,
    /// Pixels scored.
    pub pixels: u64,
    /// Pixels ignored in the truth.
    pub ignored_pixels: u64,
    /// Boundaries are right within this, µm.
    pub tolerance_um: f64,
    /// Pixels: a row a class of truth, a column a class predicted.
    pub confusion: Vec<Vec<u64>>,
    /// Between all boundaries of truth and prediction.
    pub displacement: Option<Displacement>,
    /// Of the probabilities, where they were given.
    pub calibration: Option<CalibrationReport>,
    /// Each image, by name.
    pub images: Vec<ImageScores>,
}

/// One class over the whole split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Its name.
    pub class: String,
    /// Pixels of it in the truth.
    pub truth_px: u64,
    /// Pixels predicted to be it.
    pub predicted_px: u64,
    /// Dice 2 TP / (2 TP + FP + FN).
    pub dice: Option<f64>,
    /// 95 % interval of Dice over draws of images, as for macro Dice.
    pub dice_interval: Option<(f64, f64)>,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Share of the predicted pixels that are right.
    pub precision: Option<f64>,
    /// Share of the true pixels that are found.
    pub recall: Option<f64>,
    /// Boundary F1 within the tolerance.
    pub boundary_f1: Option<f64>,
    /// How far its boundaries lie from the truth's.
    pub displacement: Option<Displacement>,
}

/// Means over the classes that have a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacroScores {
    /// Mean Dice.
    pub dice: Option<f64>,
    /// Mean intersection over union.
    pub iou: Option<f64>,
    /// Mean boundary F1.
    pub boundary_f1: Option<f64>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageScores {
    /// Its name.
    pub image: String,
    /// Scale at which it was scored, µm/px.
    pub mpp: f64,
    /// Pixels scored.
    pub pixels: u64,
    /// Pixels ignored in the truth.
    pub ignored_pixels: u64,
    /// Dice of each class.
    pub dice: Vec<Option<f64>>,
    /// Means over the classes that this image's truth or prediction holds.
    pub macros: MacroScores,
    /// Share of the pixels that are right.
    pub pixel_accuracy: Option<f64>,
    /// Mean distance of all boundaries, µm.
    pub mean_displacement_um: Option<f64>,
}

impl SegReport {
    /// The figures of a tally.
    pub(super) fn of(tally: &Tally, seed: u64) -> Self {
        let confusions: Vec<&Confusion> = tally.images.values().map(|i| &i.confusion).collect();
        let count = tally.classes.len();
        let whole = sum(count, confusions.iter().copied());
        let draws = draws(count, &confusions, seed);
        let scores = |class| ClassScores {
            dice_interval: interval(&draws, |drawn| drawn.f1(class)),
            ..class_scores(tally, &whole, class)
        };
        let images = tally.images.iter();
        Self {
            classes: (0..count).map(scores).collect(),
            macros: macros(&whole, tally.boundaries.macro_f1()),
            macro_dice_interval: interval(&draws, |drawn| macros(drawn, None).dice),
            pixel_accuracy: accuracy(&whole),
            pixels: whole.total(),
            ignored_pixels: tally.images.values().map(|image| image.ignored_px).sum(),
            tolerance_um: tally.tolerance_um,
            confusion: whole.rows(),
            displacement: tally.boundaries.displacement_of_all(),
            calibration: tally.calibration.report(),
            images: images
                .map(|(name, image)| image_scores(name, image))
                .collect(),
        }
    }

    /// Share of the scored pixels whose truth is that class, 0–1.
    pub fn truth_share(&self, class: usize) -> f64 {
        let truth_px = self.classes.get(class).map_or(0, |class| class.truth_px);
        truth_px as f64 / self.pixels.max(1) as f64
    }
}

fn sum<'a>(classes: usize, parts: impl Iterator<Item = &'a Confusion>) -> Confusion {
    let mut whole = Confusion::new(classes);
    parts.for_each(|part| whole.merge(part));
    whole
}

/// As many images as there are, drawn with replacement, again and again; none of one image.
fn draws(classes: usize, images: &[&Confusion], seed: u64) -> Vec<Confusion> {
    if images.len() < 2 {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || {
        let picks = (0..images.len()).map(|_| images[rng.random_range(0..images.len())]);
        sum(classes, picks)
    };
    (0..DRAWS).map(|_| draw()).collect()
}

/// The middle of what the draws give; draws without a figure are left out.
fn interval(draws: &[Confusion], figure: impl Fn(&Confusion) -> Option<f64>) -> Option<(f64, f64)> {
    let values: Vec<f64> = draws.iter().filter_map(figure).collect();
    (!values.is_empty()).then(|| middle_share(values, CONFIDENCE))
}

fn class_scores(tally: &Tally, whole: &Confusion, class: usize) -> ClassScores {
    let right = whole.count(class, class);
    let share = |of: u64| (of > 0).then(|| right as f64 / of as f64);
    ClassScores {
        class: tally.classes[class].clone(),
        truth_px: whole.support(class),
        predicted_px: whole.claimed(class),
        dice: whole.f1(class),
        dice_interval: None,
        iou: whole.iou(class),
        precision: share(whole.claimed(class)),
        recall: share(whole.support(class)),
        boundary_f1: tally.boundaries.f1(class),
        displacement: tally.boundaries.displacement(class),
    }
}

fn macros(confusion: &Confusion, boundary_f1: Option<f64>) -> MacroScores {
    let ious: Vec<f64> = (0..confusion.classes())
        .filter_map(|class| confusion.iou(class))
        .collect();
    let counted = confusion.total() > 0;
    MacroScores {
        dice: counted.then(|| confusion.macro_f1()),
        iou: counted.then(|| ious.iter().sum::<f64>() / ious.len() as f64),
        boundary_f1,
    }
}

fn accuracy(confusion: &Confusion) -> Option<f64> {
    (confusion.total() > 0).then(|| confusion.top1())
}

fn image_scores(name: &str, image: &ImageTally) -> ImageScores {
    let displacement = image.boundaries.displacement_of_all();
    ImageScores {
        image: name.to_owned(),
        mpp: image.mpp,
        pixels: image.confusion.total(),
        ignored_pixels: image.ignored_px,
        dice: image.confusion.f1s(),
        macros: macros(&image.confusion, image.boundaries.macro_f1()),
        pixel_accuracy: accuracy(&image.confusion),
        mean_displacement_um: displacement.map(|d| d.mean_um),
    }
}
