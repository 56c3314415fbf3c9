//! Training crops.

use std::sync::Arc;

use super::fixture_tests::{Memory, go_on};
use super::{CropBatch, CropConfig, CropLoader, Crops, IGNORE, census};
use crate::learn::sampling::AugmentConfig;

/// Bands of classes 0, 1 and 2, 7 px wide along x, and 3 in the lower half.
fn banded(side: usize) -> impl Fn(usize, usize) -> u8 {
    move |x, y| if y > side / 2 { 3 } else { (x / 7 % 3) as u8 }
}

fn plain() -> CropConfig {
    CropConfig {
        tile_px: 32,
        samples: 12,
        mpp: [0.5, 1.5],
        augment: AugmentConfig::none(),
        ..CropConfig::default()
    }
}

fn crops(set: Memory, config: CropConfig) -> Crops {
    let counted = census(&set, &mut go_on).unwrap();
    let items: Vec<usize> = (0..set.items.len()).collect();
    Crops::new(Arc::new(set), &items, &counted, config).unwrap()
}

fn batch(crops: &Crops, step: u64) -> CropBatch {
    crops.batch(9, step, &|| true).unwrap().unwrap()
}

/// Red of each px of a batch, 0–255.
fn reds(batch: &CropBatch) -> Vec<f32> {
    let area = batch.tile_px * batch.tile_px;
    let samples = batch.tiles.chunks_exact(3 * area);
    samples
        .flat_map(|tile| tile[..area].iter().map(|red| red * 255.0))
        .collect()
}

#[test]
fn labels_lie_where_their_colours_are() {
    let mut set = Memory::new(4);
    set.add("a", 300, 0.5, banded(300));
    let crops = crops(set, plain());
    let (mut right, mut all) = (0, 0);
    for step in 0..4 {
        let batch = batch(&crops, step);
        assert_eq!(batch.tiles.len(), 12 * 3 * 32 * 32);
        assert_eq!(batch.labels.len(), 12 * 32 * 32);
        assert!(batch.mpp.iter().all(|mpp| (0.5..=1.5 * 1.15).contains(mpp)));
        for (red, label) in reds(&batch).iter().zip(&batch.labels) {
            assert!(*label < 4);
            all += 1;
            right += usize::from((red - f32::from(label * 10 + 5)).abs() < 5.5);
        }
    }
    // Borders are mixed; turned or shifted labels would agree for less than half.
    let share = f64::from(right as u32) / f64::from(all);
    assert!(share > 0.93, "{share}");
}

#[test]
fn a_step_is_the_same_on_any_threads_and_after_any_start() {
    let mut set = Memory::new(4);
    for group in ["a", "b", "c"] {
        set.add(group, 120, 0.5, banded(120));
    }
    let config = CropConfig {
        augment: AugmentConfig::default(),
        balanced: 0.5,
        pool_items: 2,
        pool_steps: 2,
        ..plain()
    };
    // One image is held where it had room for all: what is held must not matter.
    let forgetful = CropConfig {
        cache_mib: 0,
        ..config.clone()
    };
    let forgetful = crops(set.clone(), forgetful);
    let crops = Arc::new(crops(set, config));
    let right: Vec<CropBatch> = (0..6).map(|step| batch(&crops, step)).collect();
    assert!((0..6).all(|step| batch(&forgetful, step) == right[step as usize]));
    for (first, threads) in [(0, 1), (0, 3), (3, 2)] {
        let mut loader = CropLoader::start(Arc::clone(&crops), 9, first, threads, 2).unwrap();
        for expected in &right[first as usize..] {
            assert_eq!(&loader.next_batch().unwrap(), expected);
        }
    }
    assert_ne!(crops.batch(8, 0, &|| true).unwrap().unwrap(), right[0]);
    assert_eq!(crops.batch(9, 0, &|| false).unwrap(), None);
}

#[test]
fn nothing_is_shown_finer_than_it_is_unless_asked_for() {
    let coarse = |upsample| {
        let mut set = Memory::new(4);
        set.add("a", 64, 16.0, banded(64));
        crops(
            set,
            CropConfig {
                upsample,
                aspect: 1.0,
                mpp: [1.0, 1.0],
                ..plain()
            },
        )
    };
    assert!(batch(&coarse(1.0), 0).mpp.iter().all(|mpp| *mpp == 16.0));
    let enlarged = batch(&coarse(4.0), 0);
    assert!(enlarged.mpp.iter().all(|mpp| *mpp == 4.0));
    assert!(enlarged.labels.iter().all(|label| *label < 4));
}

#[test]
fn what_a_small_image_lacks_is_white_and_ignored() {
    let mut set = Memory::new(4);
    set.add("a", 20, 1.0, banded(20));
    let batch = batch(
        &crops(
            set,
            CropConfig {
                mpp: [1.0, 1.0],
                aspect: 1.0,
                ..plain()
            },
        ),
        0,
    );
    for (red, label) in reds(&batch).iter().zip(&batch.labels) {
        assert_eq!(*label == IGNORE, (red - 255.0).abs() < 0.5, "{red} {label}");
    }
    let scored = batch
        .labels
        .iter()
        .filter(|label| **label != IGNORE)
        .count();
    assert_eq!(scored, 12 * 20 * 20);
}

#[test]
fn images_are_drawn_by_area_and_unscored_places_passed_over() {
    let mut set = Memory::new(4);
    set.add("a", 100, 0.5, banded(100));
    set.add("b", 100, 1.0, banded(100));
    let crops = crops(
        set,
        CropConfig {
            samples: 400,
            mpp: [1.0, 1.0],
            tile_px: 16,
            ..plain()
        },
    );
    let drawn = batch(&crops, 0).items;
    let of_b = drawn.iter().filter(|item| **item == 1).count();
    assert!(
        (290..350).contains(&of_b),
        "{of_b} of 400, expected about 320"
    );

    let mut set = Memory::new(4);
    set.add("a", 200, 0.5, |x, y| {
        if x > 60 { IGNORE } else { banded(200)(x, y) }
    });
    let crops = self::crops(
        set,
        CropConfig {
            mpp: [0.5, 0.5],
            min_scored: 0.5,
            ..plain()
        },
    );
    let batch = batch(&crops, 0);
    let scored = |labels: &[u8]| labels.iter().filter(|label| **label != IGNORE).count() >= 512;
    assert!(batch.labels.chunks_exact(1024).all(scored));
}

#[test]
fn balanced_crops_find_a_rare_class() {
    let rare = |x: usize, y: usize| {
        if (90..93).contains(&x) && (50..53).contains(&y) {
            3
        } else {
            (x / 7 % 3) as u8
        }
    };
    let holding = |balanced| {
        let mut set = Memory::new(4);
        set.add("a", 400, 0.5, rare);
        set.add("b", 400, 0.5, |x, _| (x / 7 % 3) as u8);
        let config = CropConfig {
            samples: 200,
            mpp: [0.5, 1.0],
            balanced,
            ..plain()
        };
        let batch = batch(&crops(set, config), 0);
        batch
            .labels
            .chunks_exact(1024)
            .filter(|labels| labels.contains(&3))
            .count()
    };
    let (without, with) = (holding(0.0), holding(1.0));
    assert!(without < 12, "{without}");
    assert!((32..75).contains(&with), "{with} of 200, expected about 50");
}

#[test]
fn a_pool_holds_for_its_steps() {
    let mut set = Memory::new(4);
    (0..20).for_each(|_| set.add("a", 64, 0.5, banded(64)));
    let crops = crops(
        set,
        CropConfig {
            samples: 30,
            pool_items: 3,
            pool_steps: 4,
            ..plain()
        },
    );
    let items = |step| batch(&crops, step).items;
    let distinct = |steps: std::ops::Range<u64>| {
        let mut all: Vec<usize> = steps.flat_map(items).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert!(distinct(0..4) <= 3 && distinct(4..8) <= 3);
    assert!(distinct(0..40) > 8);
}

#[test]
fn finer_images_are_reduced_and_keep_their_place() {
    let mut fine = Memory::new(4);
    fine.add("a", 512, 0.125, |x, y| banded(128)(x / 4, y / 4));
    let mut same = Memory::new(4);
    same.add("a", 128, 0.5, banded(128));
    let config = CropConfig {
        mpp: [0.5, 0.9],
        ..plain()
    };
    let (fine, same) = (crops(fine, config.clone()), crops(same, config));
    assert_eq!(batch(&fine, 2), batch(&same, 2));
}

#[test]
fn crops_need_items_and_sound_settings() {
    let mut set = Memory::new(4);
    set.add("a", 64, 0.5, banded(64));
    let counted = census(&set, &mut go_on).unwrap();
    let refused = |items: &[usize], config| {
        let made = Crops::new(Arc::new(set.clone()), items, &counted, config);
        made.err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refused(&[], plain()).contains("at least one item"));
    assert!(refused(&[1], plain()).contains("below 1"));
    assert!(
        refused(
            &[0],
            CropConfig {
                samples: 0,
                ..plain()
            }
        )
        .contains("samples")
    );
}
