use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::learn::metrics::Confusion;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

/// Blobs of classes: noise that is coarse, so that there are boundaries.
fn blobs(seed: u64, width: usize, height: usize, classes: u8) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let cells: Vec<u8> = (0..width * height)
        .map(|_| rng.random_range(0..classes))
        .collect();
    let cell = |n: usize| cells[(n / width / 7) * width + (n % width) / 7];
    (0..width * height).map(cell).collect()
}

fn piece<'a>(image: &'a str, width_px: usize, truth: &'a [u8], predicted: &'a [u8]) -> Piece<'a> {
    Piece {
        image,
        width_px,
        mpp: 1.0,
        truth,
        predicted,
        probabilities: &[],
    }
}

fn report(width_px: usize, classes: usize, truth: &[u8], predicted: &[u8]) -> SegReport {
    let mut tally = Tally::new(&names(classes), 2.0).unwrap();
    tally.add(&piece("a", width_px, truth, predicted)).unwrap();
    tally.report(1)
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    // Class 0: 2 right, 1 taken for 1; class 1: 2 right; class 2 nowhere; one ignored.
    let found = report(3, 3, &[0, 0, 0, 1, 1, IGNORE], &[0, 0, 1, 1, 1, 2]);
    let [first, second, third] = [0, 1, 2].map(|class| &found.classes[class]);
    assert_eq!((first.dice, first.iou), (Some(4.0 / 5.0), Some(2.0 / 3.0)));
    assert_eq!(
        (second.dice, second.iou),
        (Some(4.0 / 5.0), Some(2.0 / 3.0))
    );
    assert_eq!(
        (first.precision, first.recall),
        (Some(1.0), Some(2.0 / 3.0))
    );
    assert_eq!((third.dice, third.iou, third.recall), (None, None, None));
    assert!((found.macros.dice.unwrap() - 0.8).abs() < 1e-12);
    assert!((found.macros.iou.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(found.pixel_accuracy, Some(0.8));
    assert_eq!((found.pixels, found.ignored_pixels), (5, 1));
    assert_eq!(found.confusion[0], [2, 1, 0]);
    assert!((found.truth_share(0) - 0.6).abs() < 1e-12);
}

#[test]
fn pixels_not_images_are_summed() {
    // Dice of class 1 is 1 in the small image and 0 in the large one; together 2 / (2 + 3).
    let mut tally = Tally::new(&names(2), 2.0).unwrap();
    tally.add(&piece("small", 1, &[1], &[1])).unwrap();
    tally
        .add(&piece("large", 4, &[1, 1, 1, 0], &[0; 4]))
        .unwrap();
    let found = tally.report(1);
    assert_eq!(found.classes[1].dice, Some(2.0 / 5.0));
    let dice = |n: usize| found.images[n].dice[1];
    assert_eq!(
        (found.images[0].image.as_str(), dice(0), dice(1)),
        ("large", Some(0.0), Some(1.0))
    );
    assert_eq!(
        found.images[1].macros.dice,
        Some(1.0),
        "class 0 is not there"
    );
    let (low, high) = found.macro_dice_interval.unwrap();
    assert!(low < high && low >= 0.0 && high <= 1.0);
}

#[test]
fn dice_and_boundaries_do_not_care_which_map_is_called_true() {
    let (a, b) = (blobs(1, 40, 30, 3), blobs(2, 40, 30, 3));
    let (one, other) = (report(40, 3, &a, &b), report(40, 3, &b, &a));
    for (one, other) in one.classes.iter().zip(&other.classes) {
        assert_eq!((one.dice, one.iou), (other.dice, other.iou));
        assert!((one.boundary_f1.unwrap() - other.boundary_f1.unwrap()).abs() < 1e-12);
        let (one, other) = (one.displacement.unwrap(), other.displacement.unwrap());
        assert!((one.mean_um - other.mean_um).abs() < 1e-9);
        assert_eq!((one.median_um, one.px), (other.median_um, other.px));
    }
}

#[test]
fn equal_maps_are_perfect_and_a_map_of_one_class_has_no_boundary() {
    let map = blobs(3, 50, 40, 4);
    let found = report(50, 4, &map, &map);
    assert_eq!(found.macros.dice, Some(1.0));
    assert_eq!(found.macros.boundary_f1, Some(1.0));
    let displacement = found.displacement.unwrap();
    assert_eq!((displacement.mean_um, displacement.alone_px), (0.0, 0));
    let flat = report(5, 2, &[1; 25], &[1; 25]);
    assert_eq!(
        (flat.macros.dice, flat.macros.boundary_f1),
        (Some(1.0), None)
    );
    assert_eq!(flat.displacement, None);
}

/// A straight border at column `at`: class 0 left of it, 1 from it on.
fn halves(at: usize, width: usize, height: usize) -> Vec<u8> {
    (0..width * height)
        .map(|n| u8::from(n % width >= at))
        .collect()
}

#[test]
fn a_border_moved_by_known_microns_is_displaced_by_that_many() {
    let (truth, moved) = (halves(10, 40, 12), halves(14, 40, 12));
    for (tolerance_um, f1) in [(0.99, 0.0), (1.0, 1.0), (7.0, 1.0)] {
        let mut tally = Tally::new(&names(2), tolerance_um).unwrap();
        let quarter = Piece {
            mpp: 0.25,
            ..piece("a", 40, &truth, &moved)
        };
        tally.add(&quarter).unwrap();
        let found = tally.report(1);
        assert_eq!(found.macros.boundary_f1, Some(f1), "{tolerance_um} µm");
        let displacement = found.displacement.unwrap();
        assert!((displacement.mean_um - 1.0).abs() < 1e-12);
        assert_eq!((displacement.median_um, displacement.p95_um), (1.0, 1.0));
        assert_eq!(displacement.px, 4 * 12, "two classes of two maps");
    }
}

#[test]
fn a_boundary_that_one_map_alone_has_is_wrong_and_has_no_distance() {
    let found = report(20, 2, &halves(10, 20, 5), &[0; 100]);
    assert_eq!(found.macros.boundary_f1, Some(0.0));
    assert_eq!(found.displacement, None);
}

#[test]
fn what_is_ignored_counts_nowhere() {
    let (width, height) = (40, 30);
    let mut truth = blobs(4, width, height, 3);
    for (n, code) in truth.iter_mut().enumerate() {
        if n % width > 25 || (10..13).contains(&(n / width)) {
            *code = IGNORE;
        }
    }
    let predicted = blobs(5, width, height, 3);
    let mut other = predicted.clone();
    let mut planes = vec![0.2_f32; 3 * width * height];
    planes[..width * height].fill(0.6);
    let mut nonsense = planes.clone();
    for n in (0..truth.len()).filter(|n| truth[*n] == IGNORE) {
        other[n] = 77;
        nonsense[n] = f32::NAN;
    }
    let found = [(&predicted, &planes), (&other, &nonsense)].map(|(map, probabilities)| {
        let mut tally = Tally::new(&names(3), 1.5).unwrap();
        let piece = Piece {
            probabilities,
            ..piece("a", width, &truth, map)
        };
        tally.add(&piece).unwrap();
        tally.report(1)
    });
    assert_eq!(found[0], found[1]);
    let known = truth.iter().filter(|code| **code != IGNORE).count();
    assert_eq!(found[0].pixels, known as u64);
    let pixels = found[0].calibration.as_ref().unwrap().bins.iter();
    assert_eq!(pixels.map(|bin| bin.px).sum::<u64>(), known as u64);
}

#[test]
fn the_rim_of_the_ignored_is_no_boundary_and_hides_none() {
    // Class 0, then ignored, then 1: nothing touches.
    let mut truth = halves(10, 30, 4);
    for row in truth.chunks_exact_mut(30) {
        row[9..12].fill(IGNORE);
    }
    let found = report(30, 2, &truth, &halves(9, 30, 4));
    assert_eq!(found.macros.boundary_f1, None);
    // A predicted border 2 px from the ignored may belong to what is hidden there: not counted at
    // a tolerance of 2 px; one 3 px away is.
    let predicted = |at| report(30, 2, &truth, &halves(at, 30, 4)).macros.boundary_f1;
    assert_eq!(
        predicted(7),
        Some(0.0),
        "class 0 ends 3 px from the ignored"
    );
    assert_eq!(predicted(8), None);
}

#[test]
fn all_is_ignored_scores_nothing() {
    let found = report(3, 2, &[IGNORE; 9], &[0; 9]);
    assert_eq!((found.macros.dice, found.pixel_accuracy), (None, None));
    assert_eq!((found.pixels, found.ignored_pixels), (0, 9));
}

#[test]
fn parts_merged_are_the_whole_and_counts_are_those_of_the_naive_way() {
    let maps: Vec<[Vec<u8>; 2]> = (0..4)
        .map(|n| [blobs(10 + n, 30, 20, 3), blobs(20 + n, 30, 20, 3)])
        .collect();
    let images = ["a", "b", "a", "c"];
    let tally = |from: std::ops::Range<usize>| {
        let mut tally = Tally::new(&names(3), 3.0).unwrap();
        for n in from {
            let [truth, predicted] = &maps[n];
            tally.add(&piece(images[n], 30, truth, predicted)).unwrap();
        }
        tally
    };
    let whole = tally(0..4).report(7);
    let mut merged = tally(0..2);
    merged.merge(tally(2..4)).unwrap();
    let merged = merged.report(7);
    assert_eq!(whole.classes.len(), merged.classes.len());
    for (one, other) in whole.classes.iter().zip(&merged.classes) {
        assert_eq!((one.dice, one.boundary_f1), (other.dice, other.boundary_f1));
        assert_eq!(one.dice_interval, other.dice_interval);
        let (one, other) = (one.displacement.unwrap(), other.displacement.unwrap());
        assert!((one.mean_um - other.mean_um).abs() < 1e-12);
        assert_eq!((one.median_um, one.p95_um), (other.median_um, other.p95_um));
    }
    assert_eq!(whole.images.len(), 3);
    let all = |side: usize| -> Vec<usize> {
        let codes = maps.iter().flat_map(|pair| &pair[side]);
        codes.map(|code| usize::from(*code)).collect()
    };
    assert_eq!(whole.confusion, Confusion::of(3, &all(0), &all(1)).rows());
    assert!(
        tally(0..1)
            .merge(Tally::new(&names(3), 4.0).unwrap())
            .is_err()
    );
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    let refused = |piece: Piece| {
        let mut tally = Tally::new(&names(2), 1.0).unwrap();
        let error = tally.add(&piece).unwrap_err().to_string();
        assert!(tally.report(1).images.is_empty(), "nothing is added");
        error
    };
    let error = refused(piece("slide", 2, &[0, 5, 5, 1], &[0; 4]));
    assert!(
        error.contains("slide: 2 px of the truth have code 5"),
        "{error}"
    );
    let error = refused(piece("slide", 2, &[0; 4], &[0, 0, 0, IGNORE]));
    assert!(
        error.contains("1 px of the prediction have code 255"),
        "{error}"
    );
    assert!(refused(piece("slide", 3, &[0; 4], &[0; 4])).contains("6 are expected"));
    assert!(refused(piece("slide", 2, &[0; 4], &[0; 2])).contains("prediction holds 2"));
    assert!(refused(piece("slide", 0, &[], &[])).contains("truth holds 0"));
    let probabilities = Piece {
        probabilities: &[0.5; 4],
        ..piece("slide", 2, &[0; 4], &[0; 4])
    };
    assert!(refused(probabilities).contains("probabilities holds 4 values where 8"));
    let scale = Piece {
        mpp: f64::NAN,
        ..piece("slide", 2, &[0; 4], &[0; 4])
    };
    assert!(refused(scale).contains("µm/px"));
    assert_eq!(Tally::new(&names(1), 1.0), Err(MetricsError::Classes(1)));
    assert!(Tally::new(&names(2), 0.0).is_err());
}

#[test]
fn maps_of_other_sizes_have_no_boundaries_in_common() {
    let map = |codes, width_px| Map { codes, width_px };
    let refused = |one, other| BoundaryTally::new(2, 1.0).add(one, other, 1.0).is_err();
    assert!(refused(map(&[0; 4], 2), map(&[0; 6], 2)));
    assert!(refused(map(&[0; 4], 2), map(&[0; 4], 4)));
    assert!(refused(map(&[0; 5], 2), map(&[0; 5], 2)));
    let mut tally = BoundaryTally::new(2, 1.0);
    assert!(tally.add(map(&[0; 4], 2), map(&[0; 4], 2), 0.0).is_err());
    tally.add(map(&[], 0), map(&[], 0), 1.0).unwrap();
    assert_eq!(tally.f1(0), None);
}
