//! GeoJSON there and back, QuPath's own files, and broken ones.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;

use super::geojson::{Imported, read, write};
use super::*;
use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::{LabelClass, LabelSource, PageId};
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::{SlideInfo, SlideSource};

fn slide(size_px: (u64, u64)) -> SlideInfo {
    let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(100.0, 100.0);
    let mut info = PhantomSource::new(spec).unwrap().info().clone();
    info.levels[0].size_px = size_px;
    info
}

fn read_text(text: &str) -> Result<Imported, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.geojson");
    std::fs::write(&path, text).unwrap();
    read(&path).map_err(|error| error.to_string())
}

fn said(map: &str, class: &str) -> Said {
    Said {
        map: map.to_owned(),
        class: class.to_owned(),
    }
}

fn verdict(region: SlideRect, decision: Decision, note: &str) -> Verdict {
    Verdict {
        id: RecordId::random(),
        region,
        area_px: 12.5,
        kind: "agreement".to_owned(),
        score: 0.25,
        said: Box::new([said("40x", "tumor"), said("10x", "inflammatory")]),
        decision: Some(decision),
        note: note.to_owned(),
        model_hash: "sha256:m".to_owned(),
        magnifications: (40.0, 10.0),
        created_ms: 7,
    }
}

proptest! {
    #[test]
    fn verdicts_come_back_as_they_went(
        corners in prop::collection::vec((0.0..1e6, 0.0..1e6, 1.0..1e4, 1.0..1e4), 0..5),
        note in ".{0,20}",
    ) {
        let region = |(x, y, w, h): (f64, f64, f64, f64)| {
            SlideRect::new(SlidePoint::new(x, y), SlidePoint::new(x + w, y + h))
        };
        let verdicts = corners.into_iter().enumerate().map(|(n, corners)| {
            let decision = if n % 2 == 0 { Decision::Accept } else { Decision::Flag };
            verdict(region(corners), decision, &note)
        });
        let records = SlideRecords { verdicts: verdicts.collect(), ..SlideRecords::default() };
        let text = write(&records, &[], &BTreeMap::new());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let imported = read_text(&text).unwrap();
        prop_assert_eq!(imported.polygons.len(), records.verdicts.len());
        for (n, (polygon, verdict)) in imported.polygons.iter().zip(&records.verdicts).enumerate() {
            // A number read is the one written, but for the last bit.
            let (read, region) = (SlideRect::from_points(&polygon.parts[0][0]), verdict.region);
            let off = (read.min - region.min).length().max((read.max - region.max).length());
            prop_assert!(off < 1e-9, "{:?}", polygon);
            prop_assert_eq!(polygon.class.as_deref(), Some(verdict.word()));
            let properties = &value["features"][n]["properties"];
            prop_assert_eq!(properties["metadata"]["note"].as_str(), Some(note.as_str()));
            prop_assert_eq!(properties["measurements"]["difference score µm^3"].as_f64(), Some(0.25));
        }
    }
}

#[test]
fn an_export_has_the_shape_that_qupath_reads() {
    let region = SlideRect::new(SlidePoint::new(1.0, 2.5), SlidePoint::new(11.0, 12.0));
    let stroke = |points: &[(f64, f64)]| StrokeRecord {
        id: RecordId::random(),
        stroke: Stroke {
            class: "tumor".to_owned(),
            radius_px: 8.0,
            points: points
                .iter()
                .map(|(x, y)| SlidePoint::new(*x, *y))
                .collect(),
        },
        model_hash: "sha256:m".to_owned(),
        created_ms: 9,
    };
    let records = SlideRecords {
        scale: None,
        strokes: vec![stroke(&[(1.0, 2.0), (3.0, 4.0)]), stroke(&[(5.0, 6.0)])],
        verdicts: vec![verdict(region, Decision::Flag, "rim")],
    };
    let classes = [LabelClass {
        name: "tumor".to_owned(),
        rgb: [1, 2, 3],
    }];
    let provenance = BTreeMap::from([("slide_hash".to_owned(), "sha256:s".to_owned())]);
    let text = write(&records, &classes, &provenance);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "type": "Feature",
        "id": records.verdicts[0].id.to_string(),
        "geometry": { "type": "Polygon", "coordinates":
            [[[1.0, 2.5], [11.0, 2.5], [11.0, 12.0], [1.0, 12.0], [1.0, 2.5]]] },
        "properties": {
            "objectType": "annotation",
            "name": "flagged: 40x tumor, 10x inflammatory",
            "classification": { "name": "flag", "color": [213, 94, 0] },
            "measurements": { "difference score µm^3": 0.25, "area px^2": 12.5 },
            "metadata": { "note": "rim", "model_hash": "sha256:m", "created_ms": "7",
                "magnifications": "40x / 10x", "slide_hash": "sha256:s",
                "compared": "agreement", "difference": "40x: tumor, 10x: inflammatory",
                "map_1": "40x", "class_1": "tumor",
                "map_2": "10x", "class_2": "inflammatory" },
        },
    });
    assert_eq!(value["type"], "FeatureCollection");
    assert_eq!(value["features"][0], expected);
    let line = &value["features"][1];
    assert_eq!(line["geometry"]["type"], "LineString");
    assert_eq!(
        line["properties"]["classification"]["color"],
        serde_json::json!([1, 2, 3])
    );
    assert_eq!(value["features"][2]["geometry"]["type"], "Point");
    let imported = read_text(&text).unwrap();
    assert_eq!(imported.polygons.len(), 1);
    let words = imported.left_out_words().unwrap();
    assert!(words.ends_with("1 × LineString, 1 × Point"), "{words}");
}

#[test]
fn notes_and_verdicts_of_earlier_versions_have_names_too() {
    let region = SlideRect::new(SlidePoint::new(0.0, 0.0), SlidePoint::new(8.0, 8.0));
    let of_mask = Verdict {
        kind: "mask".to_owned(),
        said: Box::new([said("model", "tumor"), said("mask.tif", "stroma")]),
        decision: None,
        ..verdict(region, Decision::Flag, "rim")
    };
    let earlier = Verdict {
        said: Default::default(),
        ..verdict(region, Decision::Accept, "")
    };
    let earlier_of_mask = Verdict {
        kind: "mask".to_owned(),
        ..earlier.clone()
    };
    let verdicts = vec![of_mask, earlier, earlier_of_mask];
    let records = SlideRecords {
        verdicts,
        ..SlideRecords::default()
    };
    let text = write(&records, &[], &BTreeMap::new());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names = [0, 1, 2].map(|n| value["features"][n]["properties"]["name"].clone());
    let wanted = [
        "note: model tumor, mask.tif stroma",
        "accepted: 40x and 10x differ",
        "accepted: model and mask differ",
    ];
    assert_eq!(names, wanted);
    let class = &value["features"][0]["properties"]["classification"];
    assert_eq!(
        *class,
        serde_json::json!({ "name": "note", "color": [0, 114, 178] })
    );
}

#[test]
fn classes_and_colours_of_all_versions_are_understood() {
    let with = |properties: &str| {
        let square = r#"{"type": "Polygon", "coordinates": [[[0,0],[9,0],[9,9],[0,0]]]}"#;
        let text =
            format!(r#"[{{"type": "Feature", "geometry": {square}, "properties": {properties}}}]"#);
        let polygon = read_text(&text).unwrap().polygons.remove(0);
        (polygon.class, polygon.rgb)
    };
    let class = |name: &str, rgb| (Some(name.to_owned()), rgb);
    let red = Some([255, 0, 0]);
    let cases = [
        (
            r#"{"classification": {"name": "T", "color": [255, 0, 0]}}"#,
            class("T", red),
        ),
        (
            r#"{"classification": {"name": "T", "colorRGB": -65536}}"#,
            class("T", red),
        ),
        (
            r#"{"classification": {"names": ["T", "pos"]}, "color": [255, 0, 0]}"#,
            class("T: pos", red),
        ),
        (
            r#"{"classification": "T", "color": -65536}"#,
            class("T", red),
        ),
        (r#"{"color": [300, 0, 0]}"#, (None, None)),
        ("null", (None, None)),
    ];
    for (properties, expected) in cases {
        assert_eq!(with(properties), expected, "{properties}");
    }
}

#[test]
fn holes_parts_collections_and_children_are_kept() {
    let text = r#"{"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [
            [[[0,0],[100,0],[100,100],[0,100],[0,0]], [[40,40],[60,40],[60,60],[40,60],[40,40]]],
            [[[200,0],[250,0],[250,50],[200,50],[200,0]]]]},
         "properties": {"classification": {"name": "a"}, "childObjects": [
            {"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": [
                {"type": "Point", "coordinates": [1, 2]},
                {"type": "Polygon", "coordinates": [[[10,10],[20,10],[20,20],[10,20],[10,10]]]}]},
             "properties": {"classification": {"name": "b"}}}]}},
        {"type": "Feature", "geometry": null, "properties": {}},
        {"type": "Feature", "geometry": {"type": "Circle", "radius": 3}, "properties": {}}
    ]}"#;
    let imported = read_text(text).unwrap();
    let left_out: Vec<_> = imported
        .left_out
        .iter()
        .map(|(k, n)| (k.as_str(), *n))
        .collect();
    assert_eq!(left_out, [("Circle", 1), ("Point", 1), ("no geometry", 1)]);
    let labels = imported
        .into_labels(Path::new("a"), &slide((300, 200)))
        .unwrap();
    let at = |x: u32, y: u32| {
        let id = PageId {
            level: 0,
            col: 0,
            row: 0,
        };
        labels.read_page(id).unwrap().texel(x, y).code
    };
    assert_eq!(
        [at(5, 5), at(15, 15), at(50, 50), at(225, 25), at(150, 25)],
        [0, 1, 254, 0, 254]
    );
}

#[test]
fn a_broken_feature_is_named_by_its_number() {
    let second = |geometry: &str| {
        let first = r#"{"type": "Feature", "geometry": null}"#;
        let second = format!(r#"{{"type": "Feature", "geometry": {geometry}}}"#);
        read_text(&format!("[{first}, {second}]")).unwrap_err()
    };
    for (geometry, expected) in [
        (
            r#"{"type": "Polygon"}"#,
            "a.geojson: feature 2: its Polygon has no coordinates",
        ),
        (
            r#"{"type": "Polygon", "coordinates": [[["x", 1]]]}"#,
            r#"["x",1] is no point"#,
        ),
        (
            r#"{"type": "Polygon", "coordinates": [7]}"#,
            "a ring is no list of points",
        ),
        (r#"{"coordinates": []}"#, "its geometry has no type"),
    ] {
        let words = second(geometry);
        assert!(words.contains(expected), "{words}");
    }
    assert!(
        read_text("{")
            .unwrap_err()
            .contains("no GeoJSON that can be read")
    );
    assert!(
        read_text("{}")
            .unwrap_err()
            .contains("neither a collection")
    );
    assert!(read_text(&"[".repeat(100_000)).is_err());
    let empty = read_text("[]").unwrap();
    let refused = empty
        .into_labels(Path::new("a.geojson"), &slide((9, 9)))
        .err()
        .unwrap();
    assert!(refused.to_string().contains("holds no polygon"));
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/annotations")
        .join(name);
    if !path.is_file() {
        _ = writeln!(
            std::io::stderr(),
            "skipped: {} is not there",
            path.display()
        );
        return None;
    }
    Some(path)
}

#[test]
fn a_file_of_qupath_is_read() {
    let Some(path) = shared("qupath05.geojson") else {
        return;
    };
    let imported = read(&path).unwrap();
    assert_eq!(imported.polygons.len(), 3);
    assert_eq!(imported.polygons[0].name.as_deref(), Some("UT"));
    assert_eq!(imported.polygons[0].rgb, Some([255, 0, 0]));
    assert_eq!(
        imported.polygons[0].parts[0][0][0],
        SlidePoint::new(8909.0, 6277.0)
    );
}

/// Pages of a level that are timed at least.
const LEAST_READS: usize = 15;

#[test]
fn thousands_of_real_polygons_stay_fluid() {
    let Some(path) = shared("hgsc_tissue_wsi.geojson") else {
        return;
    };
    let started = Instant::now();
    let imported = read(&path).unwrap();
    let reading = started.elapsed();
    assert_eq!(
        (imported.polygons.len(), imported.left_out.len()),
        (3712, 0)
    );
    let labels = imported
        .into_labels(&path, &slide((47_229, 66_751)))
        .unwrap();
    assert_eq!(labels.classes().len(), 6);
    eprintln!("read in {reading:?}, all in {:?}", started.elapsed());
    let raster = labels.raster();
    for level in 0..=raster.coarsest() {
        let (columns, rows) = raster.level(level).pages();
        let step = (columns * rows / 200).max(1);
        let pages: Vec<u32> = (0..columns * rows).step_by(step as usize).collect();
        // Of a coarse level's few pages each is read more than once: one that had to wait for other
        // programs says nothing.
        let reads = pages.iter().cycle().take(pages.len().max(LEAST_READS));
        let mut times = Vec::new();
        for &n in reads {
            let started = Instant::now();
            let id = PageId {
                level,
                col: n % columns,
                row: n / columns,
            };
            labels.read_page(id).unwrap();
            times.push(started.elapsed());
        }
        times.sort();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        eprintln!(
            "level {level}: {} pages, median {median:?}, worst {worst:?}",
            times.len()
        );
        assert!(median.as_millis() < 50, "far from fluid: {median:?}");
    }
}
