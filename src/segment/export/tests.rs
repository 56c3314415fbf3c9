//! Masks written and read back.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::labels::{
    ClassTable, FAILED, LabelClass, LabelFile, LabelPyramid, LabelSource as _, NOT_ANALYSED,
    PAGE_PX, Page, PageId, Ranks, Raster, Texel, UNKNOWN,
};
use crate::model::dfa::ClassBias;
use crate::model::shipped::{BRAIN, BREAST};
use crate::model::weights::{Shipped, WeightsSource, hash_of};
use crate::segment::SegmentError;
use crate::segment::live::{Analysis, LayerKey, Published, SharedLayers};
use crate::segment::test_slide::{Painted, codes};
use crate::slide::{SlideInfo, SlideSource as _};

/// 10x of a slide of 2,800 x 1,201 px of 0.25 µm.
const RASTER: Raster = Raster {
    slide_px_per_px: (4.0, 4.0),
    size_px: (700, 301),
};

/// What is asked for.
const STAMP: u64 = 7;

/// Side of the blocks of the pages here, px.
const BLOCK_PX: u32 = 64;

fn slide() -> SlideInfo {
    Painted::new(2800, 1201, Some(0.25), |_, _| [0; 3])
        .info()
        .clone()
}

fn classes() -> Vec<LabelClass> {
    let class = |(name, rgb): (&str, [u8; 3])| LabelClass {
        name: name.into(),
        rgb,
    };
    let named = [
        ("fat", [9, 8, 7]),
        ("Drüse", [200, 0, 100]),
        ("rare", [0, 255, 1]),
    ];
    named.into_iter().map(class).collect()
}

fn origin(analysis: Analysis) -> MapOrigin {
    let names: Vec<String> = classes().into_iter().map(|class| class.name).collect();
    let mut bias = ClassBias::new(&names, &[0.5, 0.0, -0.5]).unwrap();
    bias.set_offset("rare", 1.5).unwrap();
    MapOrigin {
        model: "breast".into(),
        decoder_sha256: "dd".into(),
        encoder_sha256: "ee".into(),
        bias,
        output_offsets: vec![0.0, 0.25, 0.0],
        analysis,
    }
}

fn code_at(x: u32, y: u32) -> u8 {
    match (x / 29 + y / 17) % 6 {
        3 => NOT_ANALYSED,
        4 => UNKNOWN,
        5 => FAILED,
        class => class as u8,
    }
}

/// Stamps of blocks, by the map's blocks: some of an older bias, some incomplete.
fn stamp_at(column: u32, row: u32) -> u64 {
    [STAMP, STAMP + 1, 3, 0][((column + 2 * row) % 4) as usize]
}

fn page(col: u32, row: u32) -> Page {
    let mut page = Page::in_blocks(PAGE_PX / BLOCK_PX);
    let per_side = page.per_side();
    for y in 0..per_side {
        for x in 0..per_side {
            page.set_stamp((x, y), stamp_at(col * per_side + x, row * per_side + y));
        }
    }
    for (n, texel) in (0..).zip(page.texels_mut()) {
        let (x, y) = (col * PAGE_PX + n % PAGE_PX, row * PAGE_PX + n / PAGE_PX);
        *texel = Texel::of(code_at(x, y));
    }
    page
}

/// The page in the middle of the upper row is not there.
fn snapshot() -> MapSnapshot {
    let id = |col, row| PageId { level: 0, col, row };
    let held = [(0, 0), (2, 0), (0, 1), (1, 1), (2, 1)];
    let coarse = PageId {
        level: 1,
        ..id(0, 0)
    };
    let pages = held.map(|(col, row)| (id(col, row), Arc::new(page(col, row))));
    let pages = pages.into_iter().chain([(coarse, Arc::new(page(9, 9)))]);
    MapSnapshot::new(RASTER, STAMP, pages)
}

/// What the file has to hold.
fn expected(x: u32, y: u32) -> u8 {
    let missing = (256..512).contains(&x) && y < 256;
    let current = stamp_at(x / BLOCK_PX, y / BLOCK_PX) >= STAMP;
    match code_at(x, y) {
        class @ 0..3 if current && !missing => class,
        _ => NOT_ANALYSED,
    }
}

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn write(analysis: Analysis, output: &Path) -> Result<MaskReport, SegmentError> {
    let (slide, snapshot) = (slide(), snapshot());
    let subject = MaskSubject {
        slide: &slide,
        snapshot: &snapshot,
        classes: &classes(),
        origin: &origin(analysis),
    };
    write_mask(&subject, output, false, &mut go_on)
}

#[test]
fn a_mask_read_back_is_what_was_current() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    let report = write(Analysis::Plain(2), &path).unwrap();
    let (width, found) = codes(&path, 0);
    assert_eq!((width, found.len()), (700, 700 * 301));
    for (n, code) in (0..).zip(&found) {
        let (x, y) = (n % 700, n / 700);
        assert_eq!(*code, expected(x, y), "({x}, {y})");
    }
    let file = LabelFile::open(&path, &slide(), None).unwrap();
    assert_eq!(file.classes(), classes());
    assert_eq!(file.raster(), RASTER);
    assert_eq!(file.model_hash(), Some("sha256:dd"));
    assert_eq!(file.slide_hash(), Some(slide().hash.0.as_str()));
    let page = file
        .read_page(PageId {
            level: 0,
            col: 2,
            row: 1,
        })
        .unwrap();
    assert_eq!(page.texel(100, 30).code, expected(612, 286));
    let table = ClassTable::load(&path.with_extension("json")).unwrap();
    assert_eq!(table.classes(), classes());
    let px: Vec<u64> = report.classes.iter().map(|class| class.px).collect();
    let count = |code: u8| found.iter().filter(|found| **found == code).count() as u64;
    assert_eq!(px, [0, 1, 2].map(count));
}

#[test]
fn what_is_left_out_is_told_and_nothing_is_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    let report = write(Analysis::Fused(2), &path).unwrap();
    let held = |x: u32, y: u32| !((256..512).contains(&x) && y < 256);
    let count = |which: &dyn Fn(u8, u64) -> bool| {
        let all = (0..301).flat_map(|y| (0..700).map(move |x| (x, y)));
        let held = all.filter(|(x, y)| held(*x, *y));
        let stamp = |x, y| stamp_at(x / BLOCK_PX, y / BLOCK_PX);
        held.filter(|(x, y)| which(code_at(*x, *y), stamp(*x, *y)))
            .count() as f64
            * 1e-6
    };
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(near(
        report.left_out.failed_mm2,
        count(&|code, _| code == FAILED)
    ));
    let older = count(&|code, stamp| code < 3 && stamp == 3);
    assert!(near(report.left_out.other_bias_mm2, older));
    let partial = count(&|code, stamp| code < 3 && stamp == 0);
    assert!(near(report.left_out.incomplete_mm2, partial));
    assert!(near(
        report.no_tissue_mm2,
        count(&|code, _| code == NOT_ANALYSED)
    ));
    let analysed = count(&|code, stamp| code < 3 && stamp >= STAMP);
    assert!(near(report.analysed_mm2, analysed));
    assert!(near(report.slide_mm2, 700.0 * 301.0 * 1e-6));
    assert!(
        report.summary().contains("older bias"),
        "{}",
        report.summary()
    );
}

#[test]
fn the_report_says_what_the_map_was_made_by() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    write(Analysis::Fused(2), &path).unwrap();
    let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["model_hash"], "sha256:dd");
    assert_eq!(json["encoder_hash"], "sha256:ee");
    assert_eq!(
        (&json["mpp"], &json["analysis"]),
        (&1.0.into(), &"10x".into())
    );
    assert_eq!(json["bias"]["rare"], 0.5, "0.5, 0 and 1, less their mean");
    assert_eq!(json["bias_parts"][2]["offset"], 1.5);
    assert_eq!(json["output_offsets"]["Drüse"], 0.25);
    assert_eq!(json["labels"], "mask.tif", "no folder of a user's");
    assert!(!text.contains(&*folder.path().to_string_lossy()));
}

/// An origin of a map of a shipped model.
fn shipped_origin(shipped: Shipped, analysis: Analysis) -> MapOrigin {
    MapOrigin {
        decoder_sha256: hash_of(WeightsSource::Shipped(shipped)).unwrap(),
        ..origin(analysis)
    }
}

#[test]
fn a_map_says_which_magnifications_have_a_say_on_it_and_how_much() {
    let says = |shipped: Shipped, analysis: Analysis| {
        let origin = shipped_origin(shipped, analysis);
        let used = origin.fusion().map(|used| used.to_string());
        (origin.analysis.to_string(), used.unwrap_or_default())
    };
    let text = |analysis: &str, used: &str| (analysis.to_owned(), used.to_owned());
    assert_eq!(
        says(BREAST, Analysis::Fused(0)),
        text(
            "40x with the context of 10x",
            "w 0.1; T 10x 1.427, 40x 2.089"
        )
    );
    assert_eq!(
        says(BREAST, Analysis::Alone(1)),
        text("20x alone", "w 1; T 20x 1.569")
    );
    assert_eq!(
        says(BRAIN, Analysis::InPlace(0)),
        text("10x in place of 40x", "w 0; T 10x 1.569")
    );
    assert_eq!(
        says(BRAIN, Analysis::Agreement(0)),
        text("agreement of 40x and 10x", "T 10x 1.569, 40x 4.925")
    );
    assert_eq!(says(BRAIN, Analysis::Plain(2)), text("10x", ""));

    let folder = tempfile::tempdir().unwrap();
    let (slide, snapshot) = (slide(), snapshot());
    let written = |name: &str, analysis: Analysis| {
        let subject = MaskSubject {
            slide: &slide,
            snapshot: &snapshot,
            classes: &classes(),
            origin: &shipped_origin(BRAIN, analysis),
        };
        let path = folder.path().join(name);
        write_mask(&subject, &path, false, &mut go_on).unwrap();
        let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let json = written("in-place.tif", Analysis::InPlace(0));
    assert_eq!(json["analysis"], "10x in place of 40x");
    assert_eq!(json["fusion"]["weight_of_fine"], 0.0);
    assert_eq!(json["fusion"]["temperature"]["10x"], 1.569);
    assert_eq!(
        json["fusion"]["temperature"]["40x"],
        serde_json::Value::Null
    );
    let json = written("plain.tif", Analysis::Plain(2));
    assert_eq!(json["fusion"], serde_json::Value::Null);
}

#[test]
fn a_stopped_export_leaves_nothing_and_no_file_is_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    let (slide, snapshot) = (slide(), snapshot());
    let subject = MaskSubject {
        slide: &slide,
        snapshot: &snapshot,
        classes: &classes(),
        origin: &origin(Analysis::Plain(2)),
    };
    let mut heard = Vec::new();
    let mut stop = |done, total| {
        heard.push((done, total));
        ControlFlow::Break(())
    };
    let stopped = write_mask(&subject, &path, false, &mut stop).unwrap_err();
    assert!(matches!(stopped, SegmentError::StoppedField));
    assert_eq!(heard, [(1, 2)]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    write_mask(&subject, &path, false, &mut go_on).unwrap();
    let again = write_mask(&subject, &path, false, &mut go_on).unwrap_err();
    assert!(matches!(again, SegmentError::Exists { .. }));
    write_mask(&subject, &path, true, &mut go_on).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn maps_without_classes_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.tif");
    let refused = write(Analysis::Agreement(0), &path).unwrap_err();
    assert!(refused.to_string().contains("agreement of 40x and 10x"));
}

#[test]
fn a_snapshot_stays_as_it_was_while_the_engine_goes_on() {
    let layers = SharedLayers::default();
    let key = LayerKey {
        slide: 1,
        analysis: Analysis::Plain(2),
    };
    let id = PageId {
        level: 0,
        col: 0,
        row: 0,
    };
    let ranks = Ranks::by_rarity(&[1.0, 1.0, 1.0]);
    let mut pyramid = LabelPyramid::new(RASTER, ranks, u64::MAX);
    pyramid.put([(id, page(0, 0))]);
    layers.lock().insert(key, Published::new(pyramid, 3, 1e-6));
    let snapshot = MapSnapshot::of(&layers, key).unwrap();
    let before = snapshot.page(0, 0).unwrap().texel(0, 0);
    let stamp = snapshot.stamp();
    let mut locked = layers.lock();
    let pyramid = &mut locked.get_mut(&key).unwrap().pyramid;
    pyramid.ask_for(stamp + 1);
    pyramid.edit(id, 0..1, 0..1, 4, |page| {
        page.texels_mut()[0] = Texel::of(2)
    });
    drop(locked);
    assert_eq!(before.code, 0);
    assert_eq!(snapshot.page(0, 0).unwrap().texel(0, 0), before);
    assert_eq!(snapshot.stamp(), stamp);
    assert!(MapSnapshot::of(&layers, LayerKey { slide: 2, ..key }).is_none());
}
