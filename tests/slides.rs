//! What slides say of themselves, what their pixels are, and what happens when they go away.

mod shared_data;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use parfocal::geometry::{LevelRegion, Mpp, SlidePoint};
use parfocal::slide::image_file::ImageFileSource;
use parfocal::slide::openslide::{BareReader, OpenSlideSource};
use parfocal::slide::{
    MAX_REGION_PX, OPEN_TIMEOUT, ScaleOrigin, SlideSource, open, open_with_timeout,
};

fn region(x: i64, y: i64, width: u32, height: u32) -> LevelRegion {
    LevelRegion {
        x,
        y,
        width,
        height,
    }
}

fn opened(path: &Path) -> Arc<dyn SlideSource> {
    open(path).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(path: &Path) -> String {
    let error = open(path)
        .err()
        .unwrap_or_else(|| panic!("{} opened", path.display()));
    error.to_string()
}

/// A tiled TIFF of 600 x 500 px with three levels, which OpenSlide reads.
fn write_tiled_tiff(folder: &Path) -> PathBuf {
    let path = folder.join("tiled.tiff");
    let levels_px = [(600, 500), (300, 250), (150, 125)];
    std::fs::write(&path, shared_data::tiled_tiff(&levels_px, 64)).unwrap();
    path
}

// ---- OpenSlide, with files made here ----

#[test]
fn a_tiled_tiff_has_exact_levels_and_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let slide = opened(&write_tiled_tiff(folder.path()));
    let info = slide.info();
    assert_eq!(info.vendor, "generic-tiff");
    let scales: Vec<_> = info.levels.iter().map(|level| level.scale).collect();
    assert_eq!(scales, [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]);
    assert!(
        info.levels
            .iter()
            .all(|level| level.native_tile_px == Some((64, 64)))
    );
    assert_eq!((info.mpp, info.scale_origin), (None, ScaleOrigin::Missing));
    for level in 0..3 {
        let pixels = slide.read_region(level, region(70, 30, 40, 50)).unwrap();
        for (x, y) in [(0, 0), (39, 0), (0, 49), (20, 25)] {
            let [r, g, b] = shared_data::colour(70 + x, 30 + y, level);
            assert_eq!(
                pixels.pixel(x, y),
                Some([r, g, b, 255]),
                "level {level} at {x}, {y}"
            );
        }
    }
}

#[test]
fn a_tiffs_resolution_is_a_scale_where_a_microscope_may_have_written_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scaled.tiff");
    let cases = [
        (40_000, 3, Mpp::square(0.25)),
        // 300 dots an inch, stated per centimetre.
        (118, 3, None),
        (72, 2, None),
    ];
    for (per_unit, unit, mpp) in cases {
        std::fs::write(
            &path,
            shared_data::scaled_tiff(&[(64, 64)], 64, per_unit, unit),
        )
        .unwrap();
        let (slide, picture) = (opened(&path), ImageFileSource::open(&path).unwrap());
        assert_eq!(slide.info().vendor, "generic-tiff");
        for info in [slide.info(), picture.info()] {
            assert_eq!(info.mpp, mpp, "{}: {per_unit} per unit {unit}", info.vendor);
            assert_eq!(info.scale_origin == ScaleOrigin::Missing, mpp.is_none());
        }
    }
}

#[test]
fn regions_may_stick_out() {
    let folder = tempfile::tempdir().unwrap();
    let slide = opened(&write_tiled_tiff(folder.path()));
    let corner = slide.read_region(0, region(-10, -20, 32, 32)).unwrap();
    assert_eq!(corner.pixel(9, 31), Some([0; 4]));
    assert_eq!(corner.pixel(31, 19), Some([0; 4]));
    let [r, g, b] = shared_data::colour(0, 0, 0);
    assert_eq!(corner.pixel(10, 20), Some([r, g, b, 255]));
    let far = slide.read_region(1, region(290, 240, 32, 32)).unwrap();
    let [r, g, b] = shared_data::colour(299, 249, 1);
    assert_eq!(far.pixel(9, 9), Some([r, g, b, 255]));
    assert_eq!(
        (far.pixel(10, 9), far.pixel(9, 10)),
        (Some([0; 4]), Some([0; 4]))
    );
    for beyond in [
        region(5000, 0, 8, 8),
        region(i64::MAX, i64::MIN, 8, 8),
        region(0, 0, 0, 8),
    ] {
        let nothing = slide.read_region(0, beyond).unwrap();
        assert!(nothing.data.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn too_much_is_refused_before_it_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let slide = opened(&write_tiled_tiff(folder.path()));
    let error = slide
        .read_region(0, region(0, 0, u32::MAX, u32::MAX))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&MAX_REGION_PX.to_string()) && error.contains("tiled.tiff"),
        "{error}"
    );
    let error = slide
        .read_region(9, region(0, 0, 1, 1))
        .unwrap_err()
        .to_string();
    assert!(error.contains("only 3 levels"), "{error}");
    let error = slide.read_associated("label").unwrap_err().to_string();
    assert!(error.contains("'label'"), "{error}");
}

#[test]
fn paths_may_be_long_and_in_any_script() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder
        .path()
        .join("Präparat 染色 no 1")
        .join("λ".repeat(60))
        .join("x".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    assert!(deep.as_os_str().len() > 200);
    let tiff = deep.join("Größe Ω.tiff");
    std::fs::copy(write_tiled_tiff(folder.path()), &tiff).unwrap();
    let slide = opened(&tiff);
    assert_eq!(slide.info().name, "Größe Ω.tiff");
    slide.read_region(0, region(0, 0, 64, 64)).unwrap();
    let png = deep.join("Größe Ω.png");
    RgbImage::new(4, 4).save(&png).unwrap();
    assert_eq!(opened(&png).info().vendor, "image");
}

#[test]
fn a_slide_that_changes_or_vanishes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_tiled_tiff(folder.path());
    let slide = opened(&path);
    let tile = region(0, 0, 64, 64);
    slide.read_region(0, tile).unwrap();
    let content = std::fs::read(&path).unwrap();
    std::fs::write(&path, [content.as_slice(), b"more"].concat()).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    let error = slide.read_region(0, tile).unwrap_err().to_string();
    assert!(
        error.contains("changed on disk") && error.contains("open it again"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    let error = slide.read_region(0, tile).unwrap_err().to_string();
    assert!(
        error.contains("the file is gone") && error.contains("tiled.tiff"),
        "{error}"
    );
    assert!(refusal(&path).contains("there is no such file"));
}

#[test]
fn a_picture_that_vanishes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.png");
    RgbImage::new(64, 64).save(&path).unwrap();
    let picture = opened(&path);
    let whole = region(0, 0, 64, 64);
    picture.read_region(0, whole).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    let error = picture.read_region(0, whole).unwrap_err().to_string();
    let said = error.contains("the file is gone") && error.contains("made.png");
    assert!(said, "{error}");
}

#[test]
fn a_series_of_which_a_file_vanishes_says_so() {
    let Some(series) = shared_data::file("slides/openslide_fixtures/dicom_boxes") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let names = ["boxes_0.dcm", "boxes_1.dcm"];
    for name in names {
        let content = std::fs::read(series.join(name)).unwrap();
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let slide = opened(&folder.path().join(names[0]));
    std::fs::remove_file(folder.path().join(names[1])).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    let read = slide.read_region(0, region(0, 0, 16, 16));
    let error = read.unwrap_err().to_string();
    assert!(
        error.contains("boxes_1.dcm, a part of the slide"),
        "{error}"
    );
}

/// A tiled TIFF whose tile at (128, 0) lies beyond the end of the file. (The coarser level is
/// sound: OpenSlide reads it on opening, for its hash.)
fn with_a_bad_tile(folder: &Path) -> PathBuf {
    let mut content = shared_data::tiled_tiff(&[(256, 64), (128, 32)], 64);
    let third = (8 + 2 * 64 * 64 * 3_u32).to_le_bytes();
    let found = content
        .windows(4)
        .rposition(|window| window == third)
        .unwrap();
    content[found..found + 4].copy_from_slice(&0x7000_0000_u32.to_le_bytes());
    let path = folder.join("bad tile.tiff");
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn one_bad_tile_does_not_take_the_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let slide = OpenSlideSource::open(&with_a_bad_tile(folder.path())).unwrap();
    for round in 0..3 {
        for column in 0..4 {
            let read = slide.read_region(0, region(column * 64, 0, 64, 64));
            assert_eq!(
                read.is_err(),
                column == 2,
                "round {round}, column {column}: {read:?}"
            );
        }
        assert_eq!(
            slide.generation(),
            round + 1,
            "one replacement for one failure"
        );
    }
}

#[test]
fn readers_do_not_fail_of_each_others_errors() {
    let folder = tempfile::tempdir().unwrap();
    let slide = OpenSlideSource::open(&with_a_bad_tile(folder.path())).unwrap();
    std::thread::scope(|scope| {
        for column in 0..4 {
            let slide = &slide;
            scope.spawn(move || {
                for _ in 0..50 {
                    let read = slide.read_region(0, region(column * 64, 0, 64, 64));
                    assert_eq!(read.is_err(), column == 2, "column {column}: {read:?}");
                }
            });
        }
    });
}

// ---- pictures ----

#[test]
fn a_picture_is_a_pyramid_of_box_averages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    let value = |x: u32, y: u32| (x * 7 + y * 13) as u8;
    RgbImage::from_fn(1030, 700, |x, y| image::Rgb([value(x, y), 0, 255]))
        .save(&path)
        .unwrap();
    let slide = opened(&path);
    let sizes: Vec<_> = slide
        .info()
        .levels
        .iter()
        .map(|level| level.size_px)
        .collect();
    assert_eq!(sizes, [(1030, 700), (515, 350), (258, 175)]);
    let scales: Vec<_> = slide
        .info()
        .levels
        .iter()
        .map(|level| level.scale)
        .collect();
    assert_eq!(scales, [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]);
    let half = slide.read_region(1, region(100, 50, 8, 8)).unwrap();
    let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
    let sum: u16 = four
        .iter()
        .map(|(x, y)| u16::from(value(206 + x, 110 + y)))
        .sum();
    assert_eq!(half.pixel(3, 5), Some([((sum + 2) / 4) as u8, 0, 255, 255]));
    let edge = slide.read_region(2, region(257, 0, 2, 1)).unwrap();
    assert_eq!(edge.pixel(1, 0), Some([0; 4]), "beyond the level");
}

#[test]
fn transparency_is_premultiplied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alpha.png");
    RgbaImage::from_pixel(3, 2, image::Rgba([200, 100, 0, 128]))
        .save(&path)
        .unwrap();
    let pixels = opened(&path).read_region(0, region(0, 0, 3, 2)).unwrap();
    assert_eq!(pixels.pixel(2, 1), Some([100, 50, 0, 128]));
}

/// A JPEG of 16 x 8 px, its left half red, with a camera's orientation in an Exif segment.
fn oriented_jpeg(orientation: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(16, 8, |x, _| {
        if x < 8 {
            image::Rgb([255, 0, 0])
        } else {
            image::Rgb([0, 0, 255])
        }
    });
    let mut jpeg = Vec::new();
    let mut cursor = std::io::Cursor::new(&mut jpeg);
    DynamicImage::from(picture)
        .write_to(&mut cursor, ImageFormat::Jpeg)
        .unwrap();
    let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn a_cameras_orientation_is_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera.jpg");
    let is_red = |pixel: Option<[u8; 4]>| pixel.is_some_and(|[r, _, b, _]| r > 200 && b < 60);
    std::fs::write(&path, oriented_jpeg(1)).unwrap();
    let upright = opened(&path);
    assert_eq!(upright.info().levels[0].size_px, (16, 8));
    std::fs::write(&path, oriented_jpeg(6)).unwrap();
    let turned = opened(&path);
    assert_eq!(turned.info().levels[0].size_px, (8, 16));
    let pixels = turned.read_region(0, region(0, 0, 8, 16)).unwrap();
    assert!(
        is_red(pixels.pixel(4, 2)) && !is_red(pixels.pixel(4, 13)),
        "left became top"
    );
}

#[test]
fn sixteen_bits_and_bitmaps_open() {
    let folder = tempfile::tempdir().unwrap();
    let deep = image::ImageBuffer::from_pixel(5, 5, image::Rgb([65535_u16, 32768, 0]));
    for name in ["deep.png", "deep.tiff"] {
        let path = folder.path().join(name);
        DynamicImage::ImageRgb16(deep.clone()).save(&path).unwrap();
        let pixels = opened(&path).read_region(0, region(0, 0, 5, 5)).unwrap();
        assert_eq!(pixels.pixel(4, 4), Some([255, 128, 0, 255]), "{name}");
    }
    let path = folder.path().join("misnamed.jpg");
    RgbImage::new(5, 4)
        .save_with_format(&path, ImageFormat::Bmp)
        .unwrap();
    assert_eq!(opened(&path).info().levels[0].size_px, (5, 4));
}

#[test]
fn what_is_not_a_number_does_not_break_a_float_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("float.tiff");
    let float = image::ImageBuffer::from_fn(2, 1, |x, _| {
        image::Rgb(if x == 0 {
            [f32::NAN; 3]
        } else {
            [1.0, 0.0, 9.0]
        })
    });
    DynamicImage::ImageRgb32F(float).save(&path).unwrap();
    let pixels = opened(&path).read_region(0, region(0, 0, 2, 1)).unwrap();
    assert_eq!(pixels.data, [0, 0, 0, 255, 255, 0, 255, 255]);
}

#[test]
fn a_hash_follows_content_not_name() {
    let folder = tempfile::tempdir().unwrap();
    let tiff = write_tiled_tiff(folder.path());
    let png = folder.path().join("a.png");
    RgbImage::new(9, 9).save(&png).unwrap();
    let hash = |path: &Path| opened(path).info().hash.clone();
    for (path, prefix) in [(&tiff, "quickhash1:"), (&png, "sha256:")] {
        let renamed = path.with_file_name(format!("another name.{prefix}"));
        std::fs::copy(path, &renamed).unwrap();
        assert!(hash(path).0.starts_with(prefix), "{}", hash(path).0);
        assert_eq!(hash(path), hash(&renamed));
    }
    let before = hash(&png);
    RgbImage::new(9, 8).save(&png).unwrap();
    assert_ne!(hash(&png), before);
}

#[test]
fn a_scanners_file_is_not_opened_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.png");
    RgbImage::new(9, 9).save(&picture).unwrap();
    let disguised = folder.path().join("slide.SVS");
    std::fs::copy(&picture, &disguised).unwrap();
    let error = refusal(&disguised);
    assert!(
        error.contains("OpenSlide does not recognise the content"),
        "{error}"
    );
}

#[test]
fn both_readers_are_quoted_where_neither_opens_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, b"neither slide nor picture").unwrap();
    let error = refusal(&path);
    for part in ["notes.txt", "as a picture:", "OpenSlide:"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn opening_has_a_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_tiled_tiff(folder.path());
    assert!(open_with_timeout(&path, OPEN_TIMEOUT).is_ok());
    let error = open_with_timeout(&path, Duration::ZERO)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("did not answer within 0 s") && error.contains("tiled.tiff"),
        "{error}"
    );
}

// ---- real slides ----

#[test]
fn an_aperio_slide_tells_its_story() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let slide = opened(&path);
    let info = slide.info();
    assert_eq!(info.vendor, "aperio");
    assert_eq!(info.levels[0].size_px, (2220, 2967));
    assert_eq!(info.levels[0].native_tile_px, Some((240, 240)));
    assert_eq!(
        (info.mpp, info.scale_origin),
        (Mpp::square(0.499), ScaleOrigin::Mpp)
    );
    assert_eq!(info.objective_power, Some(20.0));
    assert_eq!(info.background_rgb, [255; 3]);
    assert_eq!(
        (info.bounds, info.content().max),
        (None, SlidePoint::new(2220.0, 2967.0))
    );
    assert_eq!(info.properties["aperio.AppMag"], "20");
    let names: Vec<_> = info
        .associated
        .iter()
        .map(|image| image.name.as_str())
        .collect();
    assert_eq!(names, ["label", "macro", "thumbnail"]);
    for image in &info.associated {
        let pixels = slide.read_associated(&image.name).unwrap();
        assert_eq!(
            (u64::from(pixels.width), u64::from(pixels.height)),
            image.size_px
        );
    }
    // A pixel of stained tissue: red and blue are told apart.
    let tissue = slide.read_region(0, region(1110, 1483, 1, 1)).unwrap();
    assert_eq!(tissue.pixel(0, 0), Some([105, 44, 99, 255]));
}

#[test]
fn dicom_opens_by_folder_and_by_file() {
    let Some(folder) = shared_data::file("slides") else {
        return;
    };
    for (part, size_px) in [("dicom_jpeg", (1152, 700)), ("dicom_jpeg2000", (1696, 812))] {
        let folder = folder.join(part);
        let by_folder = opened(&folder);
        let file = std::fs::read_dir(&folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let by_file = opened(&file);
        assert_eq!(
            (
                by_folder.info().name.as_str(),
                by_folder.info().path.as_ref()
            ),
            (part, Some(&folder))
        );
        assert_eq!(by_folder.info().vendor, "dicom");
        assert_eq!(by_folder.info().levels[0].size_px, size_px);
        assert!((by_file.info().mpp.unwrap().mean() - 28.97).abs() < 0.01);
        assert_eq!(by_folder.info().hash, by_file.info().hash);
        by_folder.read_region(0, region(0, 0, 256, 256)).unwrap();
    }
    let two_files = opened(&folder.join("openslide_fixtures/dicom_boxes"));
    assert_eq!(two_files.info().associated[0].name, "thumbnail");
    assert_eq!(
        two_files.info().icc_profile.as_ref().map(Vec::len),
        Some(456)
    );
}

#[test]
fn a_generic_pyramid_has_its_profile_and_odd_levels() {
    let Some(path) = shared_data::file("slides/openslide_fixtures/boxes.tiff") else {
        return;
    };
    let slide = opened(&path);
    assert_eq!(slide.info().icc_profile.as_ref().map(Vec::len), Some(588));
    let levels: Vec<_> = slide
        .info()
        .levels
        .iter()
        .map(|level| (level.size_px, level.scale.0))
        .collect();
    let expected = [
        ((300, 250), 1.0),
        ((150, 125), 2.0),
        ((75, 62), 4.0),
        ((37, 31), 8.0),
    ];
    assert_eq!(levels, expected);
    assert_eq!(slide.info().scale_origin, ScaleOrigin::Missing);
}

#[test]
fn odd_tiffs_open_or_say_why_not() {
    let Some(folder) = shared_data::file("slides/odd_tiff") else {
        return;
    };
    let mut opened = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match open(&path) {
            Ok(slide) => {
                let (width, height) = slide.info().levels[0].size_px;
                let pixels = slide
                    .read_region(0, region(0, 0, width as u32, height as u32))
                    .unwrap();
                assert!(
                    pixels.data.iter().any(|byte| *byte != pixels.data[0]),
                    "{}",
                    path.display()
                );
                opened += 1;
            }
            Err(error) => {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(
                    error.to_string().contains(name) && error.reason().len() > 40,
                    "{error}"
                );
            }
        }
    }
    assert!(opened >= 8, "only {opened} of 12");
}

#[test]
fn an_unreadable_region_is_an_error_of_that_region() {
    let Some(path) = shared_data::file("broken/unreadable.svs") else {
        return;
    };
    let slide = OpenSlideSource::open(&path).unwrap();
    let error = slide
        .read_region(0, region(0, 0, 16, 16))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unreadable.svs") && error.contains("level 0 at (0, 0)"),
        "{error}"
    );
    assert_eq!(slide.generation(), 1, "the handle was replaced");
    let error = slide.read_associated("thumbnail").unwrap_err().to_string();
    assert!(
        error.contains("unreadable.svs") && error.contains("'thumbnail'"),
        "{error}"
    );
}

#[test]
fn regions_are_openslides_own_pixels() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let bare = BareReader::open(&path).unwrap();
    let slide = open(&path).unwrap();
    for (x, y) in [(0, 0), (239, 481), (1701, 2500)] {
        let region = region(x, y, 500, 300);
        // OpenSlide gives native words of ARGB.
        let words = bare.read(0, region).unwrap();
        let words = words
            .as_chunks::<4>()
            .0
            .iter()
            .map(|w| u32::from_ne_bytes(*w));
        let wanted = words.map(|word| {
            let [a, r, g, b] = word.to_be_bytes();
            [r, g, b, a]
        });
        let read = slide.read_region(0, region).unwrap();
        assert!(
            read.data.as_chunks::<4>().0.iter().copied().eq(wanted),
            "at {x}, {y}"
        );
    }
}
