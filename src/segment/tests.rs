//! Whole runs: files, resuming, refusals.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::test_slide::{
    COLOURS, ColourModel, Painted, TILE_PX, codes, go_on, pattern, settings, slide,
};
use super::*;
use crate::slide::SlideSource;

fn run(
    output: &Path,
    settings: &Settings,
    options: RunOptions,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Report, SegmentError> {
    let mut model = ColourModel::new(settings.grid.tile_px, 1.5);
    segment_slide(&slide(), &mut model, settings, options, output, progress)
}

fn pace(batch: usize, readers: usize) -> RunOptions {
    RunOptions {
        pace: Pace { batch, readers },
        ..RunOptions::default()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What an uninterrupted run writes.
fn expected(folder: &Path, settings: &Settings) -> (PathBuf, Report) {
    let output = folder.join("whole.tif");
    let report = run(&output, settings, RunOptions::default(), &mut go_on).unwrap();
    (output, report)
}

#[test]
fn files_have_what_memory_has_and_batches_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings();
    let (output, report) = expected(folder.path(), &settings);
    let mut model = ColourModel::new(TILE_PX, 1.5);
    let field =
        segment_in_memory(&slide(), &mut model, &settings, Pace::default(), &mut go_on).unwrap();
    assert_eq!(codes(&output, 0), (801, field.codes.clone()));
    let (by_file, by_memory) = (report.seams, field.stats.seams.summary(6, 1));
    assert!((by_file.at_border / by_memory.at_border - 1.0).abs() < 1e-12);
    assert_eq!(by_file.border_pairs, by_memory.border_pairs);
    for (at, code) in field.codes.iter().enumerate() {
        let logs = (0..3).map(|class| field.log_probabilities[class * field.codes.len() + at]);
        let sum: f32 = logs.clone().map(f32::exp).sum();
        let analysed = *code != NOT_ANALYSED;
        assert!((sum - if analysed { 1.0 } else { 3.0 }).abs() < 1e-5);
        let greatest = logs.fold(f32::NEG_INFINITY, f32::max);
        let chosen = field
            .log_probabilities
            .get(usize::from(*code) * field.codes.len() + at);
        assert!(!analysed || chosen == Some(&greatest));
    }
    for (batch, readers) in [(1, 1), (3, 4), (64, 2)] {
        let again = folder.path().join(format!("{batch}.tif"));
        run(&again, &settings, pace(batch, readers), &mut go_on).unwrap();
        assert_eq!(
            std::fs::read(&again).unwrap(),
            std::fs::read(&output).unwrap()
        );
    }
}

#[test]
fn a_run_stopped_anywhere_goes_on_to_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        probabilities: true,
        ..settings()
    };
    let (whole, report) = expected(folder.path(), &settings);
    let output = folder.path().join("out.tif");
    for stop_every in [1, 7, 29, report.tiles.run * 2 / 3] {
        let (mut runs, mut last_total) = (0, 0);
        loop {
            let mut first = None;
            let ended = run(&output, &settings, pace(2, 2), &mut |done, total| {
                last_total = total;
                // The last call is that of the files.
                let begun = *first.get_or_insert(done);
                if done < total && done >= begun + stop_every {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            runs += 1;
            match ended {
                Ok(resumed) => {
                    let plain =
                        |report: &Report| (report.classes.clone(), report.tiles, report.seams);
                    assert_eq!(plain(&resumed), plain(&report));
                    break;
                }
                Err(SegmentError::Stopped { folder }) => {
                    assert!(folder.ends_with("out.tif.unfinished"))
                }
                Err(other) => panic!("{other}"),
            }
            // Fewer tiles at a time than a row has would never end.
            if stop_every < 29 && runs > 2 {
                run(&output, &settings, pace(2, 2), &mut go_on).unwrap();
                break;
            }
        }
        assert!(
            runs > 1 && last_total == report.tiles.run,
            "{stop_every}: {runs}"
        );
        for end in ["tif", "p0-red.tif", "p1-green.tif", "p2-blue.tif"] {
            let read = |path: &Path| std::fs::read(path.with_extension(end)).unwrap();
            assert!(read(&output) == read(&whole), "{end} after {stop_every}");
        }
        for end in ["tif", "json", "p0-red.tif", "p1-green.tif", "p2-blue.tif"] {
            std::fs::remove_file(output.with_extension(end)).unwrap();
        }
        assert!(!WorkFolder::path_for(&output).exists());
    }
}

/// Leaves an unfinished run behind, of which some rows are finished.
fn unfinished(output: &Path, settings: &Settings) -> PathBuf {
    let stopped = run(output, settings, pace(4, 1), &mut |done, total| {
        if done * 2 > total {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(
        stopped
            .unwrap_err()
            .to_string()
            .contains("the same command with --resume goes on")
    );
    assert!(!output.exists());
    WorkFolder::path_for(output)
}

#[test]
fn a_damaged_row_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = expected(folder.path(), &settings());
    for (row, cut) in [(0, false), (2, true), (4, false)] {
        let output = folder.path().join(format!("{row}.tif"));
        let work = unfinished(&output, &settings());
        let path = work.join(format!("row-{row:05}.bin"));
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() - 5;
        bytes[middle] ^= 1;
        bytes.truncate(if cut { middle } else { bytes.len() });
        std::fs::write(&path, bytes).unwrap();
        run(&output, &settings(), RunOptions::default(), &mut go_on).unwrap();
        assert_eq!(
            std::fs::read(&output).unwrap(),
            std::fs::read(&whole).unwrap()
        );
    }
}

#[test]
fn an_unfinished_run_is_not_mixed_with_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let work = unfinished(&output, &settings());
    let mut other = settings();
    other.bias.insert("red".into(), 0.5);
    let refused = run(&output, &other, RunOptions::default(), &mut go_on)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("settings.bias.red: nothing, now 0.5"),
        "{refused}"
    );
    assert!(refused.contains("out.tif.unfinished"), "{refused}");
    assert!(
        work.join("row-00000.bin").exists(),
        "nothing is lost by asking"
    );
    let anew = RunOptions {
        restart: true,
        ..RunOptions::default()
    };
    let report = run(&output, &other, anew, &mut go_on).unwrap();
    assert_eq!(report.bias["red"], 0.5);
    assert_eq!(names(folder.path()), ["out.json", "out.tif"]);
}

#[test]
fn nothing_is_overwritten_unless_told_and_the_slide_never_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    for there in ["out.tif", "out.json"] {
        std::fs::write(folder.path().join(there), "mine").unwrap();
        let refused = run(&output, &settings(), RunOptions::default(), &mut go_on).unwrap_err();
        assert!(refused.to_string().contains(there), "{refused}");
        assert_eq!(names(folder.path()), [there]);
        std::fs::remove_file(folder.path().join(there)).unwrap();
    }
    std::fs::write(&output, "old").unwrap();
    let told = RunOptions {
        overwrite: true,
        ..RunOptions::default()
    };
    run(&output, &settings(), told, &mut go_on).unwrap();
    assert!(std::fs::metadata(&output).unwrap().len() > 1000);

    let map = crate::slide::open(&output).unwrap();
    let mut model = ColourModel::new(TILE_PX, 0.0);
    let refused = segment_slide(
        map.as_ref(),
        &mut model,
        &settings(),
        told,
        &output,
        &mut go_on,
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("is the slide itself")
    );
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let grid = TileGrid::over(slide().info(), settings().grid).unwrap();
    let held = WorkFolder::open(&output, grid, &serde_json::json!({}), false).unwrap();
    let refused = run(&output, &settings(), RunOptions::default(), &mut go_on).unwrap_err();
    assert!(refused.to_string().contains("is in use"), "{refused}");
    drop(held);
    run(&output, &settings(), RunOptions::default(), &mut go_on).unwrap();
}

#[test]
fn openslide_reads_colours_levels_and_scale() {
    let folder = tempfile::tempdir().unwrap();
    for mpp in [0.5, 0.2525, 1.0 / 3.0] {
        let mut settings = settings();
        settings.grid.mpp = mpp;
        let output = folder.path().join("out.tif");
        let told = RunOptions {
            overwrite: true,
            ..RunOptions::default()
        };
        let report = run(&output, &settings, told, &mut go_on).unwrap();
        let map = crate::slide::open(&output).unwrap();
        let info = map.info();
        assert_eq!(info.vendor, "generic-tiff");
        let stated = info.mpp.unwrap();
        assert!(
            (stated.x / mpp - 1.0).abs() < 1e-6 && stated.x == stated.y,
            "{stated:?}"
        );
        let size = info.levels[0].size_px;
        assert_eq!(size, (report.size_px.0.into(), report.size_px.1.into()));
        assert!(
            info.levels
                .iter()
                .enumerate()
                .all(|(n, l)| l.scale == (f64::from(1 << n), f64::from(1 << n)))
        );
        assert!(info.levels.len() > 1, "{:?}", info.levels);
        for level in 0..info.levels.len() {
            let (width, codes) = codes(&output, level);
            let height = codes.len() as u32 / width;
            let region = crate::geometry::LevelRegion {
                x: 0,
                y: 0,
                width,
                height,
            };
            let seen = map.read_region(level, region).unwrap();
            for (px, code) in seen.data.as_chunks::<4>().0.iter().zip(&codes) {
                let expected = COLOURS.get(usize::from(*code)).copied().unwrap_or([255; 3]);
                assert_eq!((&px[..3], px[3]), (&expected[..], 255), "level {level}");
            }
        }
    }
}

#[test]
fn probabilities_are_written_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        probabilities: true,
        ..settings()
    };
    let (output, report) = expected(folder.path(), &settings);
    let planes: Vec<Vec<u8>> = report
        .files
        .probabilities
        .iter()
        .map(|path| codes(path, 0).1)
        .collect();
    let (_, labels) = codes(&output, 0);
    for (at, code) in labels.iter().enumerate() {
        let sum: u32 = planes.iter().map(|plane| u32::from(plane[at])).sum();
        if *code == NOT_ANALYSED {
            assert_eq!(sum, 0);
        } else {
            assert!(sum.abs_diff(255) <= 2, "{sum}");
            assert!(
                planes
                    .iter()
                    .all(|plane| plane[at] <= planes[usize::from(*code)][at])
            );
        }
    }
    let map = crate::slide::open(&report.files.probabilities[1]).unwrap();
    assert!((map.info().mpp.unwrap().x - 0.5).abs() < 1e-7);
}

#[test]
fn what_fails_is_named_and_what_is_finished_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    let mut model = ColourModel {
        fails_at: Some(70),
        ..ColourModel::new(TILE_PX, 1.5)
    };
    let options = RunOptions::default();
    let failed = segment_slide(
        &slide(),
        &mut model,
        &settings(),
        options,
        &output,
        &mut go_on,
    );
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .contains("the model failed: as told")
    );
    let kept = names(&WorkFolder::path_for(&output));
    assert!(kept.contains(&"row-00000.bin".to_owned()), "{kept:?}");

    let mut broken = Painted::new(1601, 803, Some(0.25), pattern);
    broken.failing_left_of = 900;
    let other = folder.path().join("other.tif");
    let mut model = ColourModel::new(TILE_PX, 1.5);
    let failed = segment_slide(
        &broken,
        &mut model,
        &settings(),
        options,
        &other,
        &mut go_on,
    );
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .contains("painted: level 0 at (")
    );

    let nowhere = folder.path().join("no/such/out.tif");
    let mut model = ColourModel::new(64, 1.5);
    let failed = segment_slide(
        &slide(),
        &mut model,
        &settings(),
        options,
        &nowhere,
        &mut go_on,
    );
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .contains("tiles of 48 px for a model that takes 64")
    );
}
