//! What runs find: areas, cost, seams, agreement.

use std::sync::atomic::Ordering;

use super::test_slide::{
    COLOURS, ColourModel, GLASS, Painted, TILE_PX, codes, go_on, settings, slide,
};
use super::*;
use crate::labels::LabelClass;

#[test]
fn areas_are_those_of_the_picture() {
    // 1,600 x 800 px of 0.25 um; blocks of whole overview px (32 px) of 0.5 um px.
    let red = 320..640;
    let slide = Painted::new(1600, 800, Some(0.25), move |x, y| match (x, y) {
        (x, 192..448) if red.contains(&x) => COLOURS[0],
        (640..1024, 192..448) => COLOURS[1],
        _ => GLASS,
    });
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let mut settings = settings();
    settings.fill_um = 0.0;
    let mut model = ColourModel::new(TILE_PX, 0.0);
    let options = RunOptions::default();
    let report =
        segment_slide(&slide, &mut model, &settings, options, &output, &mut go_on).unwrap();
    let mm2 = |px: f64| px * 0.0625e-6;
    let areas: Vec<f64> = report.classes.iter().map(|class| class.area_mm2).collect();
    let expected = [mm2(320.0 * 256.0), mm2(384.0 * 256.0), 0.0];
    for (area, expected) in areas.iter().zip(expected) {
        assert!((area - expected).abs() < 1e-12, "{areas:?}");
    }
    assert!((report.tissue_mm2 - mm2(704.0 * 256.0)).abs() < 1e-12);
    assert!((report.analysed_mm2 - report.tissue_mm2).abs() < 1e-12);
    assert!((report.slide_mm2 - 0.08).abs() < 1e-12);
    assert_eq!(report.classes[1].px, 192 * 128);
    // The numbers are those of the file, and the file of JSON has them.
    let (_, codes) = codes(&output, 0);
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), 192 * 128);
    let text = std::fs::read(output.with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(json["classes"][0]["name"], "red");
    let told = json["classes"][0]["area_mm2"].as_f64().unwrap();
    assert!((told - areas[0]).abs() < 1e-15);
    assert_eq!(
        (&json["model_hash"], &json["slide_hash"]),
        (&"model-hash".into(), &"painted:1600x800".into())
    );
    assert_eq!(
        (
            json["magnification"].as_f64(),
            json["grid"]["step_px"].as_u64()
        ),
        (Some(20.0), Some(32))
    );
}

#[test]
fn cost_grows_with_tissue_and_not_with_the_slide() {
    let patch = |side: u32| {
        Painted::new(side, side, Some(0.25), |x, y| {
            if (256..512).contains(&x) && (256..512).contains(&y) {
                COLOURS[0]
            } else {
                GLASS
            }
        })
    };
    let mut counts = Vec::new();
    for side in [600, 1200, 2400] {
        let slide = patch(side);
        let mut model = ColourModel::new(TILE_PX, 0.0);
        let field = segment_in_memory(&slide, &mut model, &settings(), Pace::default(), &mut go_on)
            .unwrap();
        let stats = &field.stats;
        assert_eq!(model.seen, stats.tiles_run);
        let grid = field.grid;
        let total = u64::from(grid.columns()) * u64::from(grid.rows());
        assert_eq!(stats.tiles_run + stats.tiles_skipped, total);
        // The overview, and the tiles: 48 px of 0.5 um.
        let overview_px = u64::from(side + 32) * u64::from(side + 32);
        assert!(slide.px_read.load(Ordering::Relaxed) <= overview_px + stats.tiles_run * 97 * 97);
        counts.push(stats.tiles_run);
    }
    // 64 um of tissue: cores of 16 um with 3 um of blending.
    assert_eq!(counts, [36, 36, 36]);
}

#[test]
fn a_slide_of_glass_costs_nothing() {
    let slide = Painted::new(900, 700, Some(0.25), |_, _| GLASS);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let mut model = ColourModel {
        fails_at: Some(0),
        ..ColourModel::new(TILE_PX, 0.0)
    };
    let options = RunOptions::default();
    let report = segment_slide(
        &slide,
        &mut model,
        &settings(),
        options,
        &output,
        &mut go_on,
    )
    .unwrap();
    assert_eq!(
        (report.tiles.run, report.analysed_mm2, model.seen),
        (0, 0.0, 0)
    );
    assert!(codes(&output, 0).1.iter().all(|code| *code == NOT_ANALYSED));
}

#[test]
fn blending_takes_the_seams_away() {
    // One colour everywhere, between two classes: all edges are the model's.
    let slide = Painted::new(1000, 1000, Some(0.5), |_, _| [130, 130, 60]);
    let seams = |blend_px: u32, drift: f32| {
        let mut settings = Settings::new(0.5, 64, "hash");
        settings.grid = GridSpec {
            halo_px: 16,
            blend_px,
            ..settings.grid
        };
        let mut model = ColourModel::new(64, drift);
        let field =
            segment_in_memory(&slide, &mut model, &settings, Pace::default(), &mut go_on).unwrap();
        field.stats.seams.summary(blend_px, 1)
    };
    let (hard, soft) = (seams(0, 2.0), seams(14, 2.0));
    assert!(hard.border_pairs > 400, "{hard:?}");
    assert!(hard.border_ratio > 50.0, "{hard:?}");
    assert!(soft.at_border < hard.at_border / 50.0, "{hard:?} {soft:?}");
    let none = seams(14, 0.0);
    assert!(none.at_border < 1e-9 && none.elsewhere < 1e-9, "{none:?}");
}

#[test]
fn real_edges_are_as_frequent_at_borders_as_elsewhere() {
    // Stripes of 11 and 13 px, and as many tile borders as meet them at every phase equally often:
    // 6 x 11 and 5 x 13.
    let slide = Painted::new(2144, 2112, Some(0.5), |x, y| {
        COLOURS[((x / 11 + y / 13) % 2) as usize]
    });
    let mut model = ColourModel::new(TILE_PX, 0.0);
    let field =
        segment_in_memory(&slide, &mut model, &settings(), Pace::default(), &mut go_on).unwrap();
    let seams = field.stats.seams.summary(6, 1);
    assert!(
        (seams.border_ratio - 1.0).abs() < 0.05 && seams.elsewhere > 0.1,
        "{seams:?}"
    );
    assert!((seams.blend_ratio - 1.0).abs() < 0.05, "{seams:?}");
}

#[test]
fn a_grid_shifted_by_half_a_tile_agrees() {
    let codes = |shifted: bool, drift: f32, blend_px: u32| {
        let mut settings = settings();
        settings.grid.shifted = shifted;
        settings.grid.blend_px = blend_px;
        let mut model = ColourModel::new(TILE_PX, drift);
        let pace = Pace::default();
        segment_in_memory(&slide(), &mut model, &settings, pace, &mut go_on)
            .unwrap()
            .codes
    };
    let agreement = |drift: f32, blend_px: u32| {
        let mut pairs = CodePairs::new(3);
        pairs.add(
            &codes(false, drift, blend_px),
            &codes(true, drift, blend_px),
        );
        pairs.agreement()
    };
    let exact = agreement(0.0, 6);
    assert_eq!((exact.share, exact.only_one_px), (1.0, 0));
    assert!(
        exact.px > 100_000 && exact.dice.iter().all(|dice| *dice == Some(1.0)),
        "{exact:?}"
    );
    // A model that errs by place disagrees with itself.
    let drifting = agreement(9.0, 0);
    assert!(
        drifting.share < 0.999 && drifting.share > 0.5,
        "{drifting:?}"
    );
}

#[test]
fn without_the_mask_the_model_tells_what_glass_is() {
    let settings = Settings {
        only_near_tissue: false,
        ..settings()
    };
    let mut model = ColourModel::new(TILE_PX, 0.0);
    let field =
        segment_in_memory(&slide(), &mut model, &settings, Pace::default(), &mut go_on).unwrap();
    let masked = Settings {
        only_near_tissue: true,
        ..settings
    };
    let near =
        segment_in_memory(&slide(), &mut model, &masked, Pace::default(), &mut go_on).unwrap();
    let counted = |field: &Field| {
        field
            .codes
            .iter()
            .filter(|code| **code != NOT_ANALYSED)
            .count()
    };
    assert!(counted(&field) > counted(&near));
    for (all, near) in field.codes.iter().zip(&near.codes) {
        assert!(*near == NOT_ANALYSED || near == all);
    }
}

/// Prints what stitching costs beside a network of 15 ms a tile.
#[test]
#[ignore = "a measurement, not a check: run by name"]
fn measure_stitching() {
    struct Free(ColourModel, Vec<f32>);
    impl TileModel for Free {
        fn tile_px(&self) -> u32 {
            self.0.tile_px
        }
        fn classes(&self) -> &[LabelClass] {
            &self.0.classes
        }
        fn predict(&mut self, tiles: &[RgbTile]) -> Result<Vec<Vec<f32>>, ModelError> {
            Ok(vec![self.1.clone(); tiles.len()])
        }
    }
    for (tile_px, classes) in [(256, 6), (128, 6), (256, 22)] {
        let names = (0..classes).map(|k| LabelClass {
            name: format!("c{k}"),
            rgb: [k as u8 * 9; 3],
        });
        let colour = ColourModel {
            classes: names.collect(),
            ..ColourModel::new(tile_px, 0.0)
        };
        let wave = |at: u32| {
            let (class, x, y) = (at / tile_px / tile_px, at % tile_px, at / tile_px % tile_px);
            let [class, x, y] = [class, x, y].map(|v| v as f32);
            4.0 * (x / 40.0 + class * 1.3).sin() * (y / 35.0 + class).cos()
        };
        let scores = (0..classes * tile_px * tile_px).map(wave);
        let mut model = Free(colour, scores.collect());
        let slide = Painted::new(6000, 3000, Some(0.5), |_, _| COLOURS[0]);
        for probabilities in [false, true] {
            let mut settings = Settings::new(0.5, tile_px, "hash");
            settings.probabilities = probabilities;
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path().join("out.tif");
            // One reader: it competes with stitching, as a network between them would not let it.
            let pace = Pace {
                batch: 8,
                readers: 1,
            };
            let options = RunOptions {
                pace,
                ..RunOptions::default()
            };
            let report =
                segment_slide(&slide, &mut model, &settings, options, &output, &mut go_on).unwrap();
            let ms = |s: f64| s * 1000.0 / report.tiles.run as f64;
            println!(
                "{tile_px} px, {classes} classes, probabilities {probabilities}: {} tiles; a tile: \
                 stitching {:.2} ms, writing {:.2} ms, reading {:.2} ms, copying scores {:.2} ms",
                report.tiles.run,
                ms(report.times.stitching_s),
                ms(report.times.writing_s),
                ms(report.times.reading_s),
                ms(report.times.network_s),
            );
        }
    }
}
