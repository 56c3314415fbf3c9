//! The real sets, where the folder of shared data is there.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::fixture_tests::go_on;
use super::place::Place;
use super::{
    CropConfig, Crops, FoldConfig, IGNORE, MaskSet, PhantomSet, census, cortex, eval_tiles, folds,
    kidney,
};

/// The place of a labelled set, or a word on why the test is skipped.
fn shared(name: &str) -> Option<Place> {
    let folder = Path::new("../shared/data/labelled").join(name);
    if folder.is_dir() {
        return Some(Place::at(folder));
    }
    _ = writeln!(
        std::io::stderr(),
        "skipped: there is no {}",
        folder.display()
    );
    None
}

#[test]
fn kidney_fields_can_be_left_out_one_by_one() {
    let Some(place) = shared("kidney_glomeruli") else {
        return;
    };
    let set = kidney::open(&place).unwrap();
    let ids: Vec<&str> = set.items().iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["C1", "C2", "C3", "C4"]);
    let counted = census(&set, &mut go_on).unwrap();
    // Counted by an independent decoder: 16314 + 15591 + 17455 + 21102 + 19402 + 16207 + 20641.
    assert_eq!(counted.item(0).unwrap().pixels, [1_827_848.0, 126_712.0]);
    let made = folds(&set, &FoldConfig::default()).unwrap();
    assert_eq!(made.len(), 4);
    for fold in &made {
        assert_eq!(
            (fold.training.len(), fold.validation.len(), fold.test.len()),
            (2, 1, 1)
        );
        assert!(counted.check(&set, fold).unwrap().is_empty());
    }
    let ten = set.read(3).unwrap().at_mpp(1.0, 1.0);
    assert_eq!((ten.width, ten.height), (1286, 682));
    let scored = eval_tiles(&ten, 128, 16)
        .unwrap()
        .map(|tile| tile.labels.iter().filter(|label| **label != IGNORE).count());
    assert_eq!(scored.sum::<usize>(), 1286 * 682);
}

#[test]
fn cortex_sections_are_split_by_donor() {
    let Some(place) = shared("cortex_layers") else {
        return;
    };
    let set = cortex::open(&place).unwrap();
    assert_eq!((set.items().len(), set.classes().count()), (8, 7));
    let counted = census(&set, &mut go_on).unwrap();
    let first = counted.item(0).unwrap();
    let layers = [
        27916.0, 10374.0, 41155.0, 12428.0, 22806.0, 16645.0, 12457.0,
    ];
    assert_eq!(
        (first.pixels.as_slice(), first.ignored),
        (layers.as_slice(), 216_219.0)
    );
    let config = FoldConfig {
        validation: 0.25,
        validation_by_item: true,
        ..FoldConfig::default()
    };
    let made = folds(&set, &config).unwrap();
    assert_eq!(made.len(), 2);
    for fold in &made {
        assert_eq!(
            (fold.training.len(), fold.validation.len(), fold.test.len()),
            (3, 1, 4)
        );
        assert!(counted.check(&set, fold).unwrap().is_empty());
        println!("{:?}", counted.of_items(&fold.training).shares());
    }
    let config = CropConfig {
        mpp: [14.0, 20.0],
        upsample: 1.2,
        samples: 4,
        ..CropConfig::default()
    };
    let crops = Crops::new(Arc::new(set), &made[0].training, &counted, config).unwrap();
    let batch = crops.batch(1, 0, &|| true).unwrap().unwrap();
    assert!(batch.mpp.iter().all(|mpp| (14.0..=23.0).contains(mpp)));
}

/// What reading costs: `cargo test -- --ignored cost_of_sets --nocapture`.
#[test]
#[ignore = "prints times for a person to judge"]
fn cost_of_sets() {
    let config = "tissue = 'brain'\ntraining = { from = 1, count = 4 }\nmpp = 0.5";
    let start = Instant::now();
    let set = PhantomSet::open(&toml::from_str(config).unwrap()).unwrap();
    let regions = set.items().len();
    println!("{regions} phantom regions found in {:?}", start.elapsed());
    let start = Instant::now();
    set.read(0).unwrap();
    println!("one read (2000 px a side): {:?}", start.elapsed());
    let start = Instant::now();
    let counted = census(&set, &mut go_on).unwrap();
    println!("census: {:?}", start.elapsed());
    let shares = counted.of_items(&(0..regions).collect::<Vec<_>>()).shares();
    println!("shares {shares:.4?}");
    let config = CropConfig::default();
    let crops = Crops::new(Arc::new(set), &[0, 1], &counted, config).unwrap();
    crops.batch(1, 0, &|| true).unwrap();
    let start = Instant::now();
    for step in 1..11 {
        crops.batch(1, step, &|| true).unwrap();
    }
    println!(
        "one crop of 128 px, items in memory: {:?}",
        start.elapsed() / 160
    );
}
