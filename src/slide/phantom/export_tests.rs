use std::ops::ControlFlow;
use std::path::Path;

use super::export::{ExportOptions, instances_path, labels_path, write_pyramid};
use super::*;
use crate::slide::tiled_tiff::read_back::Reader;

fn small() -> PhantomSource {
    // 1,300 x 1,050 px: two levels, neither a multiple of a tile.
    let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(325.0, 262.5);
    PhantomSource::new(spec).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_file_shows_what_the_phantom_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (source, path) = (small(), folder.path().join("demo.tif"));
    std::fs::write(&path, b"old").unwrap();
    let mut last = (0, 0);
    let exported = write_pyramid(
        &source,
        &path,
        &ExportOptions::default(),
        &mut |done, total| {
            assert!(done >= last.0 && std::fs::read(&path).unwrap() == b"old");
            last = (done, total);
            ControlFlow::Continue(())
        },
    );
    let exported = exported.unwrap();
    assert_eq!((last, exported.tiles), ((117, 117), 117));
    assert_eq!(
        files(folder.path()),
        ["demo.instances.tif", "demo.labels.tif", "demo.tif"]
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().len(),
        exported.picture_bytes
    );
    let reader = Reader::open(&path);
    let picture = reader.picture(&reader.directories()[0], 256);
    assert_eq!(picture.dimensions(), (1300, 1050));
    let drawn = source
        .read_region(
            0,
            LevelRegion {
                x: 0,
                y: 0,
                width: 1300,
                height: 1050,
            },
        )
        .unwrap();
    let off: Vec<u8> = picture
        .pixels()
        .zip(drawn.data.as_chunks::<4>().0)
        .flat_map(|(a, b)| [0, 1, 2].map(|c| a.0[c].abs_diff(b[c])))
        .collect();
    let mean = off.iter().map(|v| f64::from(*v)).sum::<f64>() / off.len() as f64;
    assert!(mean < 3.0, "{mean}");
    let labels = Reader::open(&labels_path(&path));
    let tile = labels.inflated(&labels.directories()[0], 0);
    let first = LevelRegion {
        x: 0,
        y: 0,
        width: 256,
        height: 256,
    };
    assert_eq!(tile, source.label_region(0, first).unwrap());
}

#[test]
fn a_stopped_export_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (source, path) = (small(), folder.path().join("demo.tif"));
    for stop_at in [0, 20, 65, 117] {
        let stopped = write_pyramid(&source, &path, &ExportOptions::default(), &mut |done, _| {
            if done >= stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(stopped.is_err_and(|error| error.to_string().contains("demo.tif: stopped")));
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn without_labels_there_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = ExportOptions {
        labels: false,
        jpeg_quality: 60,
        tile_px: 512,
    };
    let exported = write_pyramid(
        &small(),
        &folder.path().join("demo.tif"),
        &options,
        &mut |_, _| ControlFlow::Continue(()),
    )
    .unwrap();
    assert!(exported.truth.is_empty());
    assert_eq!(files(folder.path()), ["demo.tif"]);
}

#[test]
fn glands_are_numbered_as_the_phantom_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(3000.0, 2400.0);
    spec.base_mpp = 4.0;
    let source = PhantomSource::new(spec).unwrap();
    let path = folder.path().join("demo.tif");
    let options = ExportOptions::default();
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let exported = write_pyramid(&source, &path, &options, go_on).unwrap();
    assert_eq!(exported.truth, [labels_path(&path), instances_path(&path)]);
    let numbers = image::open(instances_path(&path)).unwrap();
    let image::DynamicImage::ImageLuma16(numbers) = numbers else {
        panic!("{:?}", numbers.color());
    };
    let region = LevelRegion {
        x: 0,
        y: 0,
        width: 750,
        height: 600,
    };
    let ids = source.instance_region(0, region).unwrap();
    let mut pairs: Vec<(u32, u16)> = ids.into_iter().zip(numbers.into_raw()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    // One number an id, one id a number, 0 for 0.
    assert_eq!(pairs[0], (0, 0));
    assert!(pairs.len() > 5, "{pairs:?}");
    let mut used: Vec<u16> = pairs.iter().map(|pair| pair.1).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), pairs.len(), "{pairs:?}");
    assert!(pairs.windows(2).all(|pair| pair[0].0 != pair[1].0));
}

#[test]
fn tissue_without_glands_has_no_file_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let spec = PhantomSpec::preset(Tissue::Brain, 3).with_extent_um(64.0, 64.0);
    let source = PhantomSource::new(spec).unwrap();
    let (path, options) = (folder.path().join("demo.tif"), ExportOptions::default());
    let go_on = &mut |_, _| ControlFlow::Continue(());
    write_pyramid(&source, &path, &options, go_on).unwrap();
    assert_eq!(files(folder.path()), ["demo.labels.tif", "demo.tif"]);
}
