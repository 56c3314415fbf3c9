//! Label maps out of files: this program's own, others', and hostile ones.

use std::ops::ControlFlow;
use std::path::Path;

use tiff::encoder::{TiffEncoder, colortype};

use super::*;
use crate::geometry::{LevelRegion, Mpp};
use crate::slide::phantom::export::{ExportOptions, labels_path, write_pyramid};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::tiled_tiff::{PixelKind, StripPyramid, TiffLayout, TiffLevel, TiledTiff};
use crate::slide::{SlideInfo, SlideSource};

fn phantom() -> PhantomSource {
    // 1,300 x 1,050 px of 0.25 µm.
    let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(325.0, 262.5);
    PhantomSource::new(spec).unwrap()
}

pub(super) fn slide(size_px: (u64, u64), mpp: Option<f64>) -> SlideInfo {
    let mut info = phantom().info().clone();
    info.levels[0].size_px = size_px;
    info.mpp = mpp.and_then(Mpp::square);
    info
}

fn id(level: u8, col: u32, row: u32) -> PageId {
    PageId { level, col, row }
}

fn refusal(opened: Result<LabelFile, LabelError>) -> String {
    opened.err().unwrap().to_string()
}

fn code_at(x: u32, y: u32) -> u8 {
    match (x / 97 + y / 61) % 4 {
        3 => 255,
        n => n as u8,
    }
}

/// A label map of 700 x 500 px as `parfocal segment` writes it.
fn write_own(path: &Path, mpp: f64) {
    let mut levels = vec![(700, 500)];
    while levels.last().is_some_and(|size: &(u32, u32)| size.0 > 512) {
        let (width, height) = levels[levels.len() - 1];
        levels.push((width.div_ceil(2), height.div_ceil(2)));
    }
    let level = |(n, size_px): (i32, (u32, u32))| TiffLevel {
        size_px,
        mpp: Mpp::square(mpp * 2.0_f64.powi(n)),
    };
    let levels = (0..).zip(levels).map(level).collect();
    let mut palette = vec![[0; 3]; 256];
    palette[..3].copy_from_slice(&[[9, 8, 7], [200, 0, 100], [0, 255, 1]]);
    let description = serde_json::json!({
        "format": "parfocal.label-map", "mpp": mpp, "slide_hash": "sha256:s",
        "model_hash": "sha256:m", "not_analysed": 255,
        "classes": [{"code": 0, "name": "fat"}, {"code": 1, "name": "gland"},
                    {"code": 2, "name": "rare"}],
    });
    let layout = TiffLayout {
        description: description.to_string(),
        ..TiffLayout::new(PixelKind::Palette(palette), 256, levels)
    };
    let mut pyramid = StripPyramid::new(TiledTiff::create(path, layout).unwrap()).unwrap();
    for row in 0..2_u32 {
        let tiles: Vec<Vec<u8>> = (0..3_u32).map(|col| tile(col, row)).collect();
        pyramid.place(0, &tiles).unwrap();
        pyramid
            .end_row(&mut |_| Ok::<_, crate::slide::tiled_tiff::TiffError>(()))
            .unwrap();
    }
    pyramid.finish().unwrap().keep().unwrap();
}

fn tile(col: u32, row: u32) -> Vec<u8> {
    let (x, y) = (col * 256, row * 256);
    let rows = y..(y + 256).min(500);
    rows.flat_map(|y| (x..(x + 256).min(700)).map(move |x| code_at(x, y)))
        .collect()
}

/// Every px of level 0 is `expected`, and those beyond the raster are unknown.
fn assert_level_0(source: &LabelFile, expected: impl Fn(u32, u32) -> u8) {
    let (width, height) = source.raster().size_px;
    let (columns, rows) = source.raster().pages();
    for (col, row) in (0..rows).flat_map(|row| (0..columns).map(move |col| (col, row))) {
        let page = source.read_page(id(0, col, row)).unwrap();
        for (n, texel) in (0..).zip(page.texels()) {
            let (x, y) = (col * PAGE_PX + n % PAGE_PX, row * PAGE_PX + n / PAGE_PX);
            let inside = x < width && y < height;
            let code = if inside { expected(x, y) } else { UNKNOWN };
            assert_eq!(*texel, Texel::of(code), "({x}, {y})");
        }
    }
}

#[test]
fn our_own_label_map_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.tif");
    write_own(&path, 1.0);
    let source = LabelFile::open(&path, &slide((2798, 2001), Some(0.25)), None).unwrap();
    let raster = source.raster();
    assert_eq!(raster.size_px, (700, 500));
    assert_eq!(raster.slide_px_per_px, (4.0, 4.0));
    let names: Vec<_> = source
        .classes()
        .iter()
        .map(|c| (c.name.as_str(), c.rgb))
        .collect();
    assert_eq!(
        names,
        [
            ("fat", [9, 8, 7]),
            ("gland", [200, 0, 100]),
            ("rare", [0, 255, 1])
        ]
    );
    assert_eq!(source.slide_hash(), Some("sha256:s"));
    assert_eq!(source.model_hash(), Some("sha256:m"));
    assert_level_0(&source, code_at);
}

#[test]
fn coarser_levels_follow_the_rule_of_label_pyramids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.tif");
    write_own(&path, 1.0);
    let source = LabelFile::open(&path, &slide((2800, 2000), None), None).unwrap();
    let mut counts = [0.0; 3];
    for (x, y) in (0..350).flat_map(|x| (0..250).map(move |y| (x * 2, y * 2))) {
        if let Some(count) = counts.get_mut(usize::from(code_at(x, y))) {
            *count += 1.0;
        }
    }
    let mut pyramid = LabelPyramid::new(source.raster(), Ranks::by_rarity(&counts), 1 << 30);
    for (col, row) in (0..2).flat_map(|row| (0..3).map(move |col| (col, row))) {
        let page = source.read_page(id(0, col, row)).unwrap();
        pyramid.put([(id(0, col, row), page.as_ref().clone())]);
    }
    for page in [id(1, 0, 0), id(1, 1, 0), id(2, 0, 0)] {
        let read = source.read_page(page).unwrap();
        assert_eq!(
            read.texels(),
            pyramid.peek(page).unwrap().texels(),
            "{page:?}"
        );
        let again = source.read_page(page).unwrap();
        assert_eq!(read.version(), again.version(), "kept");
    }
    for none in [id(0, 3, 0), id(0, 0, 2), id(3, 0, 0)] {
        assert!(source.read_page(none).is_err());
    }
}

#[test]
fn the_phantoms_truth_is_read_with_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let (phantom, path) = (phantom(), folder.path().join("demo.tif"));
    let options = ExportOptions::default();
    write_pyramid(&phantom, &path, &options, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let source = LabelFile::open(&labels_path(&path), phantom.info(), None).unwrap();
    assert_eq!(source.raster().size_px, (1300, 1050));
    assert_eq!(source.raster().slide_px_per_px, (1.0, 1.0));
    let region = LevelRegion {
        x: 0,
        y: 0,
        width: 1300,
        height: 1050,
    };
    let truth = phantom.label_region(0, region).unwrap();
    // Codes to class names: what is ignored is not analysed.
    assert_level_0(&source, |x, y| {
        let code = truth[(y * 1300 + x) as usize];
        let class = &phantom.classes()[usize::from(code)];
        let named = |c: &LabelClass| c.name == class.name && c.rgb == class.rgb;
        let index = source.classes().iter().position(named);
        assert_eq!(index.is_none(), class.ignore);
        index.map_or(NOT_ANALYSED, |index| index as u8)
    });
    let coarsest = source.raster().coarsest();
    source.read_page(id(coarsest, 0, 0)).unwrap();
}

fn write_png(path: &Path, width: u32, kind: u8, depth: u8, rows: &[u8]) {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zlib, rows).unwrap();
    let row_bytes = 1 + (width as usize * usize::from(depth)).div_ceil(8);
    let height = (rows.len() / row_bytes) as u32;
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([depth, kind, 0, 0, 0]);
    let palette = vec![1, 2, 3, 1, 2, 3, 7, 8, 9, 4, 4, 4];
    let mut bytes = png_codes::SIGNATURE.to_vec();
    for (name, chunk) in [
        (b"IHDR", head),
        (b"PLTE", palette),
        (b"IDAT", zlib.finish().unwrap()),
        (b"IEND", Vec::new()),
    ] {
        if name == b"PLTE" && kind != 3 {
            continue;
        }
        bytes.extend((chunk.len() as u32).to_be_bytes());
        let from = bytes.len();
        bytes.extend(name);
        bytes.extend(chunk);
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[from..]);
        bytes.extend(sum.sum().to_be_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn pngs_of_any_depth_give_codes_not_colours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    let slide = slide((400, 200), None);
    // Two rows of 0 1 2 3, each after its filter; codes 0 and 1 have one colour.
    let cases: [(u8, u8, Vec<u8>); 4] = [
        (3, 2, vec![0, 0b00_01_10_11, 0, 0b11_10_01_00]),
        (3, 8, vec![0, 0, 1, 2, 3, 0, 3, 2, 1, 0]),
        (0, 8, vec![0, 0, 1, 2, 3, 0, 3, 2, 1, 0]),
        (
            0,
            16,
            vec![0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 3, 0, 2, 0, 1, 0, 0],
        ),
    ];
    for (kind, depth, rows) in cases {
        write_png(&path, 4, kind, depth, &rows);
        let source = LabelFile::open(&path, &slide, None).unwrap();
        assert_eq!(source.raster().slide_px_per_px, (100.0, 100.0));
        assert_level_0(&source, |x, y| (if y == 0 { x } else { 3 - x }) as u8);
        assert_eq!(source.classes().len(), 4);
        assert_eq!(source.classes()[2].name, "class 2");
        if kind == 3 {
            assert_eq!(source.classes()[2].rgb, [7, 8, 9]);
        }
    }
    write_png(&path, 2, 2, 8, &[0, 9, 8, 7, 6, 5, 4]);
    assert!(refusal(LabelFile::open(&path, &slide, None)).contains("mask.png: "));
}

fn write_strips(path: &Path, codes: &[u16], width: u32) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let height = codes.len() as u32 / width;
    let mut image = encoder
        .new_image::<colortype::Gray16>(width, height)
        .unwrap();
    image.rows_per_strip(2).unwrap();
    image.write_data(codes).unwrap();
}

#[test]
fn masks_of_others_have_classes_by_table_report_or_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    let codes: Vec<u16> = (0..30).map(|n| [31, 63, 500][n % 3]).collect();
    write_strips(&path, &codes, 6);
    let slide = slide((600, 502), Some(0.5));
    let numbered = LabelFile::open(&path, &slide, None).unwrap();
    assert_eq!(numbered.classes().len(), 64);
    assert_level_0(&numbered, |x, _| [31, 63, FAILED][x as usize % 3]);
    let json = r#"{"classes": [{"code": 63, "name": "b"}, {"code": 31, "name": "a"}]}"#;
    std::fs::write(path.with_extension("json"), json).unwrap();
    let reported = LabelFile::open(&path, &slide, None).unwrap();
    assert_level_0(&reported, |x, _| [1, 0, FAILED][x as usize % 3]);
    let table = folder.path().join("t.csv");
    std::fs::write(&table, "500,c,#010203\n31,a\n").unwrap();
    let table = ClassTable::load(&table).unwrap();
    let named = LabelFile::open(&path, &slide, Some(&table)).unwrap();
    assert_level_0(&named, |x, _| [1, FAILED, 0][x as usize % 3]);
    assert_eq!(named.classes()[0].rgb, [1, 2, 3]);
}

#[test]
fn a_mask_that_does_not_cover_the_slide_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    write_strips(&path, &[0; 7 * 5], 7);
    let open = |size_px, mpp| LabelFile::open(&path, &slide(size_px, mpp), None);
    assert!(open((700, 500), None).is_ok());
    assert!(open((690, 410), None).is_ok(), "within a px of the mask");
    assert!(refusal(open((700, 300), None)).contains("different ratios"));
    write_own(&path, 1.0);
    assert!(open((2800, 2000), Some(0.25)).is_ok());
    assert!(refusal(open((2800, 2000), Some(0.5))).contains("by its own scale the mask covers"));
    assert!(
        open((2800, 2000), None).is_ok(),
        "by size where the slide has no scale"
    );
}

#[test]
fn hostile_files_are_errors_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.tif");
    write_own(&path, 1.0);
    let whole = std::fs::read(&path).unwrap();
    let slide = slide((2800, 2000), None);
    // The directories are at the end; without that of the coarser level the picture is still right.
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        std::fs::write(&path, &whole[..length]).unwrap();
        match LabelFile::open(&path, &slide, None) {
            Ok(source) => assert_level_0(&source, code_at),
            Err(error) => assert!(error.to_string().contains("out.tif: "), "{error}"),
        }
    }
    let mut state = 7_u64;
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..6 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = bytes.len() - 1 - (state >> 33) as usize % 1500;
            bytes[at] = (state >> 20) as u8;
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(source) = LabelFile::open(&path, &slide, None) {
            let _ = source.read_page(id(0, 0, 0));
            let _ = source.read_page(id(source.raster().coarsest(), 0, 0));
        }
    }
    // A file of a few bytes that claims 10⁹ px.
    for (name, bytes) in [("a.tif", claims(31_623)), ("b.tif", claims(u32::MAX))] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let words = refusal(LabelFile::open(&path, &slide, None));
        assert!(
            words.contains("more than") || words.contains("nconsistent"),
            "{words}"
        );
    }
    let path = folder.path().join("c.png");
    write_png(&path, 4, 0, 8, &[0; 10]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0x7b, 0x87, 0, 0, 0x7b, 0x87]);
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    assert!(refusal(LabelFile::open(&path, &slide, None)).contains("more than"));
    std::fs::write(&path, b"GIF89a  ").unwrap();
    assert!(refusal(LabelFile::open(&path, &slide, None)).contains("neither a TIFF nor a PNG"));
}

/// A TIFF of `side` × `side` grey px in one strip of four bytes.
fn claims(side: u32) -> Vec<u8> {
    let mut bytes = b"II\x2a\0\x08\0\0\0\x09\0".to_vec();
    for (tag, value) in [
        (256_u16, side),
        (257, side),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 4),
        (277, 1),
        (278, side),
        (279, 4),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}
