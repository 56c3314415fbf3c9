//! Phantom slides as a set.

use super::fixture_tests::go_on;
use super::{
    CropConfig, Crops, IGNORE, MaskSet, Part, PhantomSet, PhantomSetConfig, SplitConfig, census,
    split,
};
use crate::geometry::{LevelRegion, UmPoint};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

fn config(text: &str) -> PhantomSetConfig {
    toml::from_str(&format!(
        "training = {{ from = 1, count = 2 }}\nextent_mm = 3\nregion_um = 400\nmpp = 2\n{text}"
    ))
    .unwrap()
}

fn refused(text: &str) -> String {
    let opened = PhantomSet::open(&config(text)).map(|set| set.items().len());
    opened.unwrap_err().to_string()
}

#[test]
fn labels_by_microns_are_those_of_the_levels() {
    let spec = PhantomSpec::preset(Tissue::Breast, 5).with_extent_um(1500.0, 1500.0);
    let slide = PhantomSource::new(spec).unwrap();
    for level in [1, 3] {
        let mpp = 0.25 * f64::from(1 << level);
        let region = LevelRegion {
            x: -5,
            y: 20,
            width: 90,
            height: 70,
        };
        let corner = UmPoint::new(-5.0 * mpp, 20.0 * mpp);
        let labels = slide.labels_um(corner, mpp, 90, 70);
        assert_eq!(labels, slide.label_region(level, region).unwrap());
    }
    // Between levels and px: the class at the middle of each px.
    let corner = UmPoint::new(301.3, 204.9);
    let labels = slide.labels_um(corner, 7.3, 40, 30);
    for (i, label) in labels.iter().enumerate() {
        let (x, y) = ((i % 40) as f64 + 0.5, (i / 40) as f64 + 0.5);
        let right = slide.class_at(UmPoint::new(corner.x + x * 7.3, corner.y + y * 7.3));
        // Places are rounded to 1/1024 px, which may cross a border.
        let near =
            |d: f64| slide.class_at(UmPoint::new(corner.x + x * 7.3 + d, corner.y + y * 7.3 + d));
        assert!([right, near(0.01), near(-0.01)].contains(label), "{i}");
    }
    assert!(slide.labels_um(corner, 0.0, 4, 4).is_empty());
}

#[test]
fn regions_have_tissue_and_keep_to_their_part() {
    for tissue in Tissue::ALL {
        let set = PhantomSet::open(&config(&format!(
            "tissue = '{}'\nvalidation = {{ from = 11, count = 1 }}\n\
             test = {{ from = 900001, count = 1 }}",
            tissue.name()
        )))
        .unwrap();
        let split = split(&set, &SplitConfig::default()).unwrap();
        split.check_leaks(set.items()).unwrap();
        assert_eq!(set.items()[split.test[0]].group, "seed 900001");
        assert_eq!(
            set.items()[split.validation[0]].official,
            Some(Part::Validation)
        );
        assert!(split.training.len() > 4, "{tissue:?}");
        for index in 0..set.items().len() {
            let read = set.read(index).unwrap();
            assert_eq!((read.width, read.height, read.mpp), (200, 200, 2.0));
            assert_eq!(read.mask, set.read_mask(index).unwrap().labels);
            let scored = read.mask.iter().filter(|label| **label != IGNORE).count();
            assert!(scored > 15_000, "{tissue:?} {index}: {scored}");
            let max = read.mask.iter().filter(|label| **label != IGNORE).max();
            assert!(usize::from(*max.unwrap()) < set.classes().count());
        }
        println!("{}", set.provenance());
    }
}

#[test]
fn regions_are_the_same_at_every_scale_and_do_not_overlap() {
    let open = |mpp: f64| {
        let config = PhantomSetConfig {
            mpp,
            ..config("tissue = 'brain'\nregions = 6")
        };
        PhantomSet::open(&config).unwrap()
    };
    let (coarse, fine) = (open(8.0), open(4.0));
    let share = |set: &PhantomSet| {
        census(set, &mut go_on)
            .unwrap()
            .of_items(&[0, 1, 2])
            .shares()
    };
    for (a, b) in share(&coarse).iter().zip(share(&fine)) {
        assert!((a - b).abs() < 0.02, "{a} {b}");
    }
    let ids =
        |set: &PhantomSet| -> Vec<String> { set.items().iter().map(|i| i.id.clone()).collect() };
    assert_eq!(ids(&coarse), ids(&fine));
}

#[test]
fn picture_and_labels_are_of_one_place_and_no_two_regions_of_the_same() {
    let set = PhantomSet::open(&config("tissue = 'brain'\nmin_tissue = 0.0")).unwrap();
    let slide = &set.slides()[0];
    // Cells of 400 µm, seven along a side; `exclude`, the last class, is ignored.
    let cell_of = |index: usize| {
        let read = set.read(index).unwrap();
        let fits = |cell: &u32| {
            let corner = UmPoint::new(f64::from(cell % 7) * 400.0, f64::from(cell / 7) * 400.0);
            let classes = slide.labels_um(corner, 2.0, 200, 200);
            let label = |class: &u8| if *class == 5 { IGNORE } else { *class };
            classes.iter().map(label).eq(read.mask.iter().copied())
        };
        let cell = (0..49).find(fits).unwrap();
        let corner = UmPoint::new(f64::from(cell % 7) * 400.0, f64::from(cell / 7) * 400.0);
        let picture = slide.render_um(corner, 2.0, 200, 200);
        let pixels = picture.data.chunks_exact(4).zip(read.rgb.chunks_exact(3));
        assert!(pixels.into_iter().all(|(a, b)| a[..3] == *b), "{index}");
        cell
    };
    let cells: std::collections::BTreeSet<u32> = (0..4).map(cell_of).collect();
    assert_eq!(cells.len(), 4);
}

#[test]
fn knobs_of_the_settings_reach_the_tissue() {
    let share = |knobs: &str| {
        let text = format!("tissue = 'brain'\nregion_um = 3000\nmin_tissue = 0.2\n{knobs}");
        let text = text.replace("region_um = 3000\n", "");
        let config = PhantomSetConfig {
            region_um: 3000.0,
            mpp: 12.0,
            ..config(&text)
        };
        let set = PhantomSet::open(&config).unwrap();
        assert_eq!(set.items().len(), 2, "a slide is one region");
        let white = set
            .classes()
            .names()
            .iter()
            .position(|name| name == "white_matter");
        census(&set, &mut go_on).unwrap().of_items(&[0, 1]).shares()[white.unwrap()]
    };
    let usual = share("");
    let rare = share("[[knobs]]\nname = 'white_matter'\nfrequency = 0.05");
    println!("white matter: {usual:.3}, rare {rare:.3}");
    assert!(rare < 0.5 * usual, "{rare} of {usual}");
    let spec = config("tissue = 'colon'\n[[knobs]]\nname = 'gland'\nsimilarity = 0.25").spec(3);
    assert_eq!(spec.knobs("gland").similarity, 0.25);
    let preset = PhantomSpec::preset(Tissue::Colon, 3);
    assert_eq!(
        spec.knobs("gland").frequency,
        preset.knobs("gland").frequency
    );
    assert_eq!(spec.knobs("stroma"), preset.knobs("stroma"));
}

#[test]
fn phantoms_are_cropped_like_any_set() {
    let set = PhantomSet::open(&config("tissue = 'colon'")).unwrap();
    let counted = census(&set, &mut go_on).unwrap();
    let config = CropConfig {
        tile_px: 64,
        samples: 4,
        mpp: [2.0, 3.0],
        ..CropConfig::default()
    };
    let crops = Crops::new(std::sync::Arc::new(set), &[0, 1], &counted, config).unwrap();
    let batch = crops.batch(1, 0, &|| true).unwrap().unwrap();
    assert!(batch.mpp.iter().all(|mpp| (2.0..3.3).contains(mpp)));
    assert!(batch.labels.iter().any(|label| *label != IGNORE));
}

#[test]
fn settings_that_can_not_be_are_named() {
    for (text, expected) in [
        (
            "tissue = 'brain'\nvalidation = { from = 2, count = 1 }",
            "'seed 2' lies in the training",
        ),
        (
            "tissue = 'brain'\nvalidation = { from = 900001, count = 1 }",
            "900001: is reserved",
        ),
        ("tissue = 'brain'\nregions = 0", "regions = 0"),
        ("tissue = 'brain'\nmin_tissue = 1.5", "min_tissue = 1.5"),
        (
            "tissue = 'brain'\n[[knobs]]\nname = 'liver'",
            "no class 'liver'",
        ),
        (
            "tissue = 'brain'\n[[knobs]]\nname = 'white_matter'\nfrequency = 3.0",
            "frequency",
        ),
    ] {
        let said = refused(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
    // The whole slide as one region has glass around its tissue.
    let whole = PhantomSetConfig {
        region_um: 3000.0,
        mpp: 8.0,
        min_tissue: 1.0,
        ..config("tissue = 'breast'")
    };
    let none = PhantomSet::open(&whole).map(|set| set.items().len());
    let none = none.unwrap_err().to_string();
    assert!(none.contains("the slide of seed 1 a region"), "{none}");
    let fine = PhantomSetConfig {
        mpp: 0.05,
        ..config("tissue = 'brain'")
    };
    assert!(
        PhantomSet::open(&fine)
            .unwrap_err()
            .to_string()
            .contains("4096 px")
    );
    assert!(toml::from_str::<PhantomSetConfig>("tissue = 'brain'\nseeds = [1]").is_err());
}
