//! What sampling promises: alignment, geometry in microns, determinism, plain refusals.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::family_batch;
use super::family::{Turn, cut_turned};
use super::key::{Use, keyed};
use super::sheet::contact_sheet;
use super::source::phantom_spec;
use super::test_slide::MarkedSlide;
use super::*;
use crate::geometry::UmPoint;
use crate::slide::SlideSource;
use crate::slide::phantom::{PhantomSource, Tissue};

fn small(families: usize) -> SamplingConfig {
    SamplingConfig {
        tile_px: 32,
        families,
        augment: AugmentConfig::none(),
        ..SamplingConfig::default()
    }
}

fn sources(slide: impl SlideSource + 'static, config: &SamplingConfig) -> Arc<Sources> {
    Arc::new(Sources::of_slides(vec![(Arc::new(slide), 1.0)], config).unwrap())
}

fn refusal(result: Result<Sources, SamplingError>) -> String {
    result.err().map(|error| error.to_string()).unwrap()
}

fn batches(sources: &Arc<Sources>, config: &SamplingConfig, steps: Range<u64>) -> Vec<FamilyBatch> {
    let make = |step| family_batch(sources, config, 9, step, &|| true);
    steps.map(|step| make(step).unwrap().unwrap()).collect()
}

fn phantom(tissue: Tissue, seed: u64) -> PhantomSource {
    PhantomSource::new(phantom_spec(tissue, seed, true, 4000.0)).unwrap()
}

fn pixels(rgb: &[u8]) -> &[[u8; 3]] {
    rgb.as_chunks::<3>().0
}

#[test]
fn every_child_is_its_block_of_the_parent() {
    for mpp in [0.2325, 0.499] {
        for fold in [1_i64, 2] {
            // Squares as large as children, so that each child is of one colour.
            let slide = MarkedSlide::new(4096, Some(mpp), 64 * fold);
            let parent_mpp = 4.0 * mpp * fold as f64;
            let (column, row) = (7_i64, 3_i64);
            let side_um = mpp * (64 * fold) as f64;
            let origin = UmPoint::new(column as f64 * side_um, row as f64 * side_um);
            let family = cut_family(&slide, origin, parent_mpp, 64).unwrap();
            for (index, child) in family.children.iter().enumerate() {
                let (v, u) = (index / GRID, index % GRID);
                let colour = MarkedSlide::colour(column + u as i64, row + v as i64);
                assert!(
                    pixels(child).iter().all(|p| *p == colour),
                    "{mpp} {fold} {index}"
                );
                for (y, line) in pixels(&family.parent).chunks_exact(64).enumerate() {
                    let block = line.iter().skip(u * 16).take(16);
                    assert!(
                        y / 16 != v || block.copied().all(|p| p == colour),
                        "{index}"
                    );
                }
            }
            assert_eq!(family.tissue, [1.0; CHILDREN]);
        }
    }
}

#[test]
fn a_turned_family_stays_aligned() {
    let slide = phantom(Tissue::Breast, 4);
    let cut = |turn| cut_turned(&slide, UmPoint::new(1500.0, 1500.0), 1.3, 32, turn).unwrap();
    let plain = cut(Turn::NONE);
    for number in 0..Turn::COUNT {
        let family = cut(Turn::numbered(number));
        for (index, pixel) in pixels(&family.parent).iter().enumerate() {
            let (x, y) = (index % 32, index / 32);
            let child = &family.children[y / 8 * GRID + x / 8];
            for (lane, mean) in pixel.iter().enumerate() {
                let fine = (0..16).map(|i| (x % 8 * 4 + i % 4, y % 8 * 4 + i / 4));
                let sum: u32 = fine
                    .map(|(x, y)| u32::from(pixels(child)[y * 32 + x][lane]))
                    .sum();
                assert_eq!(u32::from(*mean), (sum + 8) / 16, "turn {number} at {x},{y}");
            }
        }
        assert_eq!(family == plain, number == 0);
    }
    // Mirrored along x, the first child is the last of its row, mirrored.
    let mirrored = cut(Turn::numbered(1));
    let (first, last) = (pixels(&mirrored.children[0]), pixels(&plain.children[3]));
    assert!((0..32).all(|x| first[x] == last[31 - x]));
}

#[test]
fn a_family_is_where_its_microns_say() {
    // 1.26 µm/px: children at 0.315, between the phantom's levels.
    let slide = phantom(Tissue::Colon, 2);
    let origin = UmPoint::new(1733.3, 1811.9);
    let family = cut_family(&slide, origin, 1.26, 64).unwrap();
    let difference = |x: f64| {
        let from = UmPoint::new(origin.x + x * 1.26, origin.y);
        let drawn = slide.render_um(from, 1.26, 64, 64);
        let drawn = drawn.data.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
        let off = family.parent.iter().zip(drawn);
        let off = off.map(|(a, b)| f64::from(a.abs_diff(*b)));
        off.sum::<f64>() / family.parent.len() as f64
    };
    let (here, left, right) = (difference(0.0), difference(-0.5), difference(0.5));
    assert!(
        here < 0.6 * left && here < 0.6 * right,
        "{left} {here} {right}"
    );
}

#[test]
fn batches_hold_what_they_say() {
    let config = SamplingConfig {
        augment: AugmentConfig::default(),
        ..small(3)
    };
    let sources = sources(MarkedSlide::new(3000, Some(0.25), 50), &config);
    let [batch] = &batches(&sources, &config, 4..5)[..] else {
        panic!()
    };
    assert_eq!((batch.step, batch.families, batch.tile_px), (4, 3, 32));
    assert_eq!(batch.child_places, (0..48).collect::<Vec<_>>());
    for view in &batch.views {
        assert_eq!(view.parents.len(), 3 * 3 * 32 * 32);
        assert_eq!(view.children.len(), 48 * 3 * 32 * 32);
        assert!(view.children.iter().all(|v| (0.0..=1.0).contains(v)));
    }
    assert_ne!(batch.views[0], batch.views[1]);
    // Siblings are augmented independently: in one view, their mean colours move apart.
    let config = small(3);
    let plain = &batches(&sources, &config, 4..5)[0];
    assert_eq!(plain.views[0], plain.views[1]);
    let moved = |i: usize| {
        let range = i * 3072..(i + 1) * 3072;
        let of = |view: &View| view.children[range.clone()].iter().sum::<f32>();
        of(&batch.views[0]) - of(&plain.views[0])
    };
    assert!((moved(0) - moved(1)).abs() > 1.0);
    assert!(batch.parent_mpp.iter().all(|mpp| (1.0..=2.4).contains(mpp)));
}

#[test]
fn threads_do_not_change_what_a_step_holds() {
    let config = SamplingConfig {
        augment: AugmentConfig::default(),
        children_per_family: 3,
        ..small(2)
    };
    let sources = sources(MarkedSlide::new(2000, Some(0.25), 50), &config);
    let load = |first, threads, count| -> Vec<FamilyBatch> {
        let shared = Arc::clone(&sources);
        let mut loader = Loader::start(shared, config.clone(), 9, first, threads, 2).unwrap();
        (0..count).map(|_| loader.next_batch().unwrap()).collect()
    };
    let one = load(0, 1, 7);
    assert_eq!(one, load(0, 3, 7));
    assert_eq!(one[5..], load(5, 2, 2));
    assert_eq!(one, batches(&sources, &config, 0..7));
    assert_ne!(one[0].views, one[1].views);
    assert!(one.iter().all(|batch| batch.child_places.len() == 6));
}

#[test]
fn a_loader_stops_promptly() {
    let config = small(4096);
    let sources = sources(MarkedSlide::new(2000, Some(0.25), 50), &config);
    let loader = Loader::start(Arc::clone(&sources), config, 1, 0, 2, 2).unwrap();
    let start = Instant::now();
    drop(loader);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(Arc::strong_count(&sources), 1);
}

#[test]
fn children_on_glass_are_left_out() {
    let config = small(24);
    let half = MarkedSlide::new(4000, Some(0.25), 50).with_tissue(|x, _| x < 1000);
    let sources = sources(half, &config);
    let batch = &batches(&sources, &config, 0..1)[0];
    let kept = batch.child_places.len();
    assert!((24 * 8..24 * 16).contains(&kept), "{kept}");
    assert!(batch.child_places.is_sorted());
    // Glass is 0.93 in every channel; a child kept has at most half of it.
    for tile in batch.views[0].children.chunks_exact(3072) {
        let glass = tile[..1024].iter().filter(|v| **v > 0.9).count();
        assert!(glass <= 600, "{glass} px of glass");
    }
}

#[test]
fn a_coarse_source_shifts_the_scale_and_a_coarser_one_is_refused() {
    let config = small(6);
    let range =
        |mpp| sources(MarkedSlide::new(2000, Some(mpp), 50), &config).slides()[0].parent_mpp();
    assert_eq!(range(0.1), [0.8, 2.4]);
    assert_eq!(range(0.499), [4.0 * 0.499, 2.4]);
    assert_eq!(range(0.9), [3.6, 3.6]);
    let open = |side, mpp| {
        let slide: Arc<dyn SlideSource> = Arc::new(MarkedSlide::new(side, mpp, 50));
        Sources::of_slides(vec![(slide, 1.0)], &config)
    };
    let coarse = refusal(open(2000, Some(1.2)));
    assert!(coarse.contains("finest px are 1.200"), "{coarse}");
    let none = refusal(open(2000, None));
    assert!(none.contains("has no scale"), "{none}");
    let narrow = refusal(open(127, Some(0.5)));
    assert!(narrow.contains("only 64 µm"), "{narrow}");
    // 4 S px exactly hold one parent; a little more allows a little more scale.
    assert!(open(128, Some(0.499)).is_ok());
    let wider = open(140, Some(0.5)).unwrap().slides()[0].parent_mpp();
    assert_eq!(wider, [2.0, 140.0 * 0.5 / 32.0]);
}

#[test]
fn a_slide_without_tissue_is_refused_and_a_little_is_found() {
    let config = small(4);
    let empty = MarkedSlide::new(4000, Some(0.25), 50).with_tissue(|_, _| false);
    let refused = refusal(Sources::of_slides(vec![(Arc::new(empty), 1.0)], &config));
    assert!(refused.contains("enough tissue"), "{refused}");
    let island = |x: i64, y: i64| (3000..3600).contains(&x) && (500..1100).contains(&y);
    let island = MarkedSlide::new(8000, Some(0.25), 50).with_tissue(island);
    let sources = sources(island, &config);
    assert!((sources.slides()[0].tissue_share() - 0.0056).abs() < 0.001);
    assert_eq!(batches(&sources, &config, 0..2).len(), 2);
}

#[test]
fn what_can_not_be_read_is_left_out_and_counted() {
    let config = small(8);
    let bad = MarkedSlide::new(4000, Some(0.25), 50).failing_left_of(1500);
    let open = sources(bad, &config);
    let batch = batches(&open, &config, 0..2);
    assert_eq!(batch[1].families, 8);
    assert!(open.failures() > 0);
    let dead = MarkedSlide::new(4000, Some(0.25), 50).failing_left_of(5000);
    let refused = refusal(Sources::of_slides(vec![(Arc::new(dead), 1.0)], &config));
    assert!(refused.contains("as told"), "{refused}");
}

#[test]
fn sources_that_can_not_be_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let open = |text: &str| {
        let source: SourceConfig = toml::from_str(text).unwrap();
        Sources::open(&[source], folder.path(), &small(1))
    };
    for (text, expected) in [
        (
            "phantom = 'brain'\nseeds = [1, 900003]",
            "seed 900003 is reserved",
        ),
        (
            "phantom = 'colon'\nseeds = [910004]",
            "seed 910004 is reserved",
        ),
        ("phantom = 'brain'", "needs `seeds`"),
        (
            "phantom = 'brain'\nseeds = [1]\nextent_mm = 0.1",
            "extent_mm",
        ),
        (
            "slide = 'not-there.svs'",
            "not-there.svs: there is no such file",
        ),
        ("folder = 'empty'\nmpp = 0.5", "'empty': has no pictures"),
        ("folder = 'nowhere'\nmpp = 0.5", "'nowhere': can't be read"),
        ("folder = 'empty'", "state their µm per px"),
        ("folder = 'empty'\nmpp = -1", "its mpp must be"),
        ("folder = 'empty'\nslide = 'a'\nmpp = 1", "exactly one of"),
        ("weight = 1.0", "exactly one of"),
        ("slide = 'a'\nweight = 0", "weight must be"),
    ] {
        let refused = refusal(open(text));
        assert!(refused.contains(expected), "{text}: {refused}");
    }
    assert!(toml::from_str::<SourceConfig>("fantom = 'brain'").is_err());
    assert!(refusal(Sources::open(&[], folder.path(), &small(1))).contains("at least one"));
}

#[test]
fn a_folder_of_pictures_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let fields = folder.path().join("fields");
    std::fs::create_dir(&fields).unwrap();
    let tissue = phantom(Tissue::Brain, 5).render_um(UmPoint::new(1500.0, 1500.0), 0.5, 400, 300);
    for name in ["a.png", "b.tif", "c.JPG"] {
        let picture = image::RgbaImage::from_raw(400, 300, tissue.data.clone()).unwrap();
        let picture = image::DynamicImage::ImageRgba8(picture).into_rgb8();
        picture.save(fields.join(name)).unwrap();
    }
    std::fs::write(fields.join("notes.txt"), "no picture").unwrap();
    let open = |text: &str| {
        let source: SourceConfig = toml::from_str(text).unwrap();
        Sources::open(&[source], folder.path(), &small(2)).unwrap()
    };
    let all = open("folder = 'fields'\nmpp = 0.5");
    assert_eq!(all.slides().len(), 3);
    assert!(all.provenance()[0].starts_with("pictures at 0.5000 µm/px (stated): a.png ("));
    assert_eq!(
        open("folder = 'fields'\nmpp = 0.5\nfiles = ['b.tif']")
            .slides()
            .len(),
        1
    );
    let stated = open("slide = 'fields/a.png'\nmpp = 0.3");
    assert_eq!(stated.slides()[0].parent_mpp(), [1.2, 2.4]);
}

#[test]
fn weights_are_shares_of_the_draws() {
    let config = SamplingConfig {
        parent_mpp: [0.8, 0.8],
        ..small(200)
    };
    // Told apart by their scale: the second shifts to 1.2 µm/px.
    let slide = |mpp| Arc::new(MarkedSlide::new(1000, Some(mpp), 50)) as Arc<dyn SlideSource>;
    let sources = Sources::of_slides(vec![(slide(0.2), 3.0), (slide(0.3), 1.0)], &config);
    let batch = &batches(&Arc::new(sources.unwrap()), &config, 0..1)[0];
    let first = batch.parent_mpp.iter().filter(|mpp| **mpp < 1.0).count();
    assert!(
        (125..175).contains(&first),
        "{first} of 200, expected about 150"
    );
}

#[test]
fn the_tissue_test_agrees_with_the_phantoms() {
    for tissue in Tissue::ALL {
        for seed in [11, 12] {
            let slide = phantom(tissue, seed);
            let mpp = 16.0;
            let picture = slide.render_um(UmPoint::origin(), mpp, 250, 250);
            let rgb = tissue::over_glass(&picture, [255; 3]);
            let agrees = |(index, pixel): (usize, &[u8; 3])| {
                let at = |i: usize| (i as f64 + 0.5) * mpp;
                let class = slide.class_at(UmPoint::new(at(index % 250), at(index / 250)));
                tissue::is_tissue(*pixel) == (class != 0)
            };
            // Some of the places are enough. Empty fat, in breast, is glass by its look.
            let places = pixels(&rgb).iter().enumerate().step_by(17);
            let right: Vec<bool> = places.map(agrees).collect();
            let share = right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
            println!("{} {seed}: {share:.3} right", tissue.name());
            let least = if tissue == Tissue::Breast { 0.85 } else { 0.95 };
            assert!(share > least, "{} {seed}: {share}", tissue.name());
        }
    }
}

/// Time that this thread has spent on a core: other work on the machine does not count.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Shows what the encoder is shown: `PARFOCAL_SHEETS=folder cargo test -- --ignored contact`.
#[test]
#[ignore = "writes pictures for a person to judge; says how long sampling takes"]
fn contact_sheets() {
    let folder = std::env::var("PARFOCAL_SHEETS").unwrap_or_else(|_| ".".into());
    let config = SamplingConfig {
        families: 6,
        ..SamplingConfig::default()
    };
    let data = Path::new("../shared/data");
    for (name, text) in [
        (
            "brain",
            "phantom = 'brain'\nseeds = [1, 2, 3, 4, 5, 6]\nvary = true",
        ),
        (
            "breast",
            "phantom = 'breast'\nseeds = [1, 2, 3, 4, 5, 6]\nvary = true",
        ),
        (
            "colon",
            "phantom = 'colon'\nseeds = [1, 2, 3, 4, 5, 6]\nvary = true",
        ),
        ("skin", "slide = 'slides/CMU-1-Small-Region.svs'"),
        (
            "real",
            "folder = 'unlabelled'\nmpp = 0.5\nfiles = ['tcga_high-nuclei-score-level0.png', 'tcga_medium-nuclei-score-level0.png', 'tcga_tissue-level0-4302-10273-4814-10785.png', 'tcga_tissue-level0-7352-11762-7864-12274.png']",
        ),
    ] {
        let source: SourceConfig = toml::from_str(text).unwrap();
        let start = Instant::now();
        let opened = match Sources::open(&[source], data, &config) {
            Ok(sources) => Arc::new(sources),
            Err(error) => {
                println!("{name} left out: {error}");
                continue;
            }
        };
        let opening = start.elapsed() / opened.slides().len() as u32;
        let start = cpu_time();
        for family in 0..30 {
            let mut rng = keyed(9, family / 6, family % 6, Use::Place);
            opened.draw_family(&config, &mut rng).unwrap();
        }
        let reading = (cpu_time() - start) / 30;
        let start = cpu_time();
        let batches = batches(&opened, &config, 0..5);
        let whole = (cpu_time() - start) / 30;
        let kept: usize = batches.iter().map(|b| b.child_places.len()).sum();
        let augmenting = whole.saturating_sub(reading);
        let kept = kept as f64 / 30.0;
        println!(
            "{name}: opening {opening:?} a slide; reading a family {reading:?}, augmenting its \
             {kept:.1} children and parent twice {augmenting:?}"
        );
        contact_sheet(&batches[0], 6)
            .save(format!("{folder}/{name}.png"))
            .unwrap();
    }
}
