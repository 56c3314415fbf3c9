//! Files read back: tag by tag and pixel by pixel.

use super::read_back::{Reader, shorts_of, u32_of};
use super::*;
use std::collections::BTreeMap;

fn layout(pixels: PixelKind, size_px: (u32, u32), levels: u32) -> TiffLayout {
    let level = |n: u32| TiffLevel {
        size_px: (size_px.0.div_ceil(1 << n), size_px.1.div_ceil(1 << n)),
        mpp: Mpp::new(0.25 * f64::from(1 << n), 0.5 * f64::from(1 << n)),
    };
    let layout = TiffLayout::new(pixels, 16, (0..levels).map(level).collect());
    TiffLayout {
        description: "ein Präparat".to_owned(),
        ..layout
    }
}

/// Feeds a picture of one value a pixel through the strips.
fn write_strips(path: &Path, layout: TiffLayout, value: impl Fn(u32, u32) -> Vec<u8>) {
    let (size, side) = (layout.levels[0].size_px, layout.tile_px);
    let mut pyramid = StripPyramid::new(TiledTiff::create(path, layout).unwrap()).unwrap();
    let (columns, rows) = pyramid.tiles();
    for row in 0..rows {
        for column in 0..columns {
            let (left, top) = (column * side, row * side);
            let (right, bottom) = ((left + side).min(size.0), (top + side).min(size.1));
            let tile = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
            pyramid
                .place(column, &[tile.flat_map(|(x, y)| value(x, y)).collect()])
                .unwrap();
        }
        pyramid.end_row(&mut |_| Ok::<_, TiffError>(())).unwrap();
    }
    pyramid.finish().unwrap().keep().unwrap();
}

#[test]
fn tags_say_what_each_level_is_in_both_containers() {
    let folder = tempfile::tempdir().unwrap();
    for container in [Container::Classic, Container::Big] {
        let path = folder.path().join("a.tif");
        let kind = PixelKind::Palette(vec![[1, 2, 3], [255, 128, 0]]);
        let layout = TiffLayout {
            container,
            ..layout(kind, (45, 33), 3)
        };
        write_strips(&path, layout, |x, _| vec![u8::from(x > 20)]);
        let reader = Reader::open(&path);
        assert_eq!(reader.big, container == Container::Big);
        let levels = reader.directories();
        let sizes: Vec<_> = levels
            .iter()
            .map(|d| (u32_of(d, 256), u32_of(d, 257)))
            .collect();
        assert_eq!(sizes, [(45, 33), (23, 17), (12, 9)]);
        assert_eq!(
            levels.iter().map(|d| u32_of(d, 254)).collect::<Vec<_>>(),
            [0, 1, 1]
        );
        assert_eq!(levels[0][&270], "ein Präparat\0".as_bytes());
        assert!(!levels[1].contains_key(&270));
        for (n, directory) in levels.iter().enumerate() {
            let per_cm = |tag| {
                f64::from(u32_of(directory, tag))
                    / f64::from(u32::from_le_bytes(directory[&tag][4..].try_into().unwrap()))
            };
            assert_eq!(
                (per_cm(282), per_cm(283)),
                (40_000.0 / f64::from(1 << n), 20_000.0 / f64::from(1 << n))
            );
            assert_eq!(
                (shorts_of(directory, 296), shorts_of(directory, 262)),
                (vec![3], vec![3])
            );
            let map = shorts_of(directory, 320);
            assert_eq!(
                (map.len(), map[1], map[256 + 1], map[512], map[7]),
                (768, 0xffff, 0x8080, 0x0303, 0)
            );
        }
    }
}

#[test]
fn codes_are_kept_and_coarser_ones_are_the_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let code = |x: u32, y: u32| ((x / 3 + y / 5) % 7) as u8;
    write_strips(
        &path,
        layout(PixelKind::Palette(Vec::new()), (37, 21), 3),
        |x, y| vec![code(x, y)],
    );
    let reader = Reader::open(&path);
    let levels = reader.directories();
    let mut expected: Vec<Vec<u8>> = (0..21)
        .map(|y| (0..37).map(|x| code(x, y)).collect())
        .collect();
    for directory in &levels {
        let columns = u32_of(directory, 256).div_ceil(16) as usize;
        for (y, row) in expected.iter().enumerate() {
            for (x, code) in row.iter().enumerate() {
                let tile = reader.inflated(directory, y / 16 * columns + x / 16);
                assert_eq!(tile[y % 16 * 16 + x % 16], *code, "({x}, {y})");
            }
        }
        expected = halved_by_mode(&expected);
    }
}

fn halved_by_mode(codes: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let most = |x: usize, rows: &[Vec<u8>]| {
        let mut votes = BTreeMap::<u8, i32>::new();
        for row in rows {
            row.iter()
                .skip(2 * x)
                .take(2)
                .for_each(|code| *votes.entry(*code).or_default() += 1);
        }
        votes
            .into_iter()
            .rev()
            .max_by_key(|(_, votes)| *votes)
            .unwrap()
            .0
    };
    let half = |rows: &[Vec<u8>]| {
        (0..rows[0].len().div_ceil(2))
            .map(|x| most(x, rows))
            .collect()
    };
    codes.chunks(2).map(half).collect()
}

#[test]
fn an_independent_decoder_reads_grey_in_both_containers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    for container in [Container::Classic, Container::Big] {
        let layout = TiffLayout {
            container,
            ..layout(PixelKind::Grey, (45, 33), 2)
        };
        write_strips(&path, layout, |x, y| vec![(x * 4 + y) as u8]);
        let picture = image::open(&path).unwrap().to_luma8();
        assert_eq!(picture.dimensions(), (45, 33));
        assert!(
            picture
                .enumerate_pixels()
                .all(|(x, y, pixel)| pixel.0 == [(x * 4 + y) as u8])
        );
    }
}

#[test]
fn an_independent_decoder_reads_numbers_and_coarser_ones_are_the_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let number = |x: u32, y: u32| [700_u16, 255][y as usize % 2] + 2000 * (x / 2) as u16;
    write_strips(&path, layout(PixelKind::Numbers, (45, 33), 2), |x, y| {
        number(x, y).to_le_bytes().to_vec()
    });
    let picture = image::open(&path).unwrap();
    let image::DynamicImage::ImageLuma16(picture) = picture else {
        panic!("{:?}", picture.color());
    };
    assert_eq!(picture.dimensions(), (45, 33));
    let mut pixels = picture.enumerate_pixels();
    assert!(pixels.all(|(x, y, pixel)| pixel.0 == [number(x, y)]));
    let reader = Reader::open(&path);
    let tile = reader.inflated(&reader.directories()[1], 0);
    // Two of either: the smaller number, not the smaller first byte.
    assert_eq!(tile[..2], 255_u16.to_le_bytes());
}

#[test]
fn every_tile_of_a_picture_is_a_jpeg_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    for (chroma, step) in [(Chroma::Full, 1), (Chroma::Halved, 2)] {
        let layout = layout(
            PixelKind::RgbJpeg {
                quality: 95,
                chroma,
            },
            (45, 33),
            2,
        );
        write_strips(&path, layout, |x, y| vec![(x * 4 + y) as u8, 200, 90]);
        let reader = Reader::open(&path);
        for (n, directory) in reader.directories().iter().enumerate() {
            assert_eq!(
                (shorts_of(directory, 262), shorts_of(directory, 530)),
                (vec![6], vec![step; 2])
            );
            for (x, y, pixel) in reader.picture(directory, 16).enumerate_pixels() {
                let red = if n == 0 {
                    x * 4 + y
                } else {
                    (x * 8 + y * 2 + 2).min(208)
                };
                let expected = [red, 200, 90];
                let off = (0..3).map(|c| expected[c].abs_diff(u32::from(pixel.0[c])));
                assert!(off.max().unwrap() <= 16, "({x}, {y}): {pixel:?}");
            }
        }
    }
}

#[test]
fn a_coarser_px_is_the_rounded_mean() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let values = [[10_u8, 20, 40], [50, 60, 80], [90, 100, 121]];
    write_strips(&path, layout(PixelKind::Grey, (3, 3), 2), |x, y| {
        vec![values[y as usize][x as usize]]
    });
    let reader = Reader::open(&path);
    let tile = reader.inflated(&reader.directories()[1], 0);
    assert_eq!([tile[0], tile[1], tile[16], tile[17]], [35, 60, 95, 121]);
}

#[test]
fn tiles_may_come_in_any_order_and_none_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let layout = layout(PixelKind::Grey, (30, 30), 2);
    let tiles = [
        (1, (0, 0)),
        (0, (1, 1)),
        (0, (0, 1)),
        (0, (1, 0)),
        (0, (0, 0)),
    ];
    for count in [4, 5] {
        let mut tiff = TiledTiff::create(&path, layout.clone()).unwrap();
        for (n, (level, tile)) in tiles[..count].iter().enumerate() {
            let bytes = encode_tile(&layout.pixels, 16, &[n as u8; 256]).unwrap();
            tiff.write_tile(*level, *tile, &bytes).unwrap();
        }
        assert!(tiff.write_tile(0, (2, 0), &[]).is_err());
        match tiff.finish() {
            Ok(finished) => drop(finished.keep().unwrap()),
            Err(error) => assert!(count == 4 && error.to_string().contains("a.tif"), "{error}"),
        }
    }
    let reader = Reader::open(&path);
    let levels = reader.directories();
    let firsts = |level: usize, n: usize| reader.inflated(&levels[level], n)[0];
    assert_eq!(
        (firsts(1, 0), [0, 1, 2, 3].map(|n| firsts(0, n))),
        (0, [4, 3, 2, 1])
    );
}

#[test]
fn what_does_not_fit_is_refused_and_a_dropped_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    std::fs::write(&path, b"old").unwrap();
    let good = layout(PixelKind::Grey, (40, 40), 1);
    let jpeg = PixelKind::RgbJpeg {
        quality: 0,
        chroma: Chroma::Full,
    };
    for bad in [
        TiffLayout {
            tile_px: 100,
            ..good.clone()
        },
        TiffLayout {
            tile_px: 0,
            ..good.clone()
        },
        TiffLayout {
            levels: Vec::new(),
            ..good.clone()
        },
        TiffLayout {
            pixels: jpeg,
            ..good.clone()
        },
    ] {
        assert!(TiledTiff::create(&path, bad).is_err());
    }
    assert!(
        TiledTiff::create(folder.path(), good.clone()).is_err(),
        "a folder"
    );
    assert!(TiledTiff::create(&folder.path().join("no/a.tif"), good.clone()).is_err());
    let mut pyramid = StripPyramid::new(TiledTiff::create(&path, good).unwrap()).unwrap();
    assert!(pyramid.place(0, &[vec![0; 255]]).is_err());
    pyramid.place(0, &[vec![0; 256]]).unwrap();
    drop(pyramid);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_large_file_is_big() {
    let of = |side| {
        layout(
            PixelKind::RgbJpeg {
                quality: 90,
                chroma: Chroma::Full,
            },
            (side, side),
            1,
        )
        .container
    };
    assert_eq!(
        (of(36_000), of(37_000)),
        (Container::Classic, Container::Big)
    );
}
