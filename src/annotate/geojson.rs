//! GeoJSON as QuPath reads and writes it: all places in level-0 px.

use std::collections::BTreeMap;
use std::path::Path;

use ::geojson::feature::Id;
use ::geojson::{Feature, FeatureCollection, Geometry, JsonObject, JsonValue};
use serde_json::json;

use super::error::ImportError;
use super::geojson_read;
use super::records::{Decision, SlideRecords, StrokeRecord, Verdict};
use crate::geometry::{Magnification, SlidePoint};
use crate::labels::{LabelClass, LabelError, LabelPolygon, PolygonLabels, Ring, default_rgb};
use crate::slide::SlideInfo;

/// What polygons without a class are called.
const UNCLASSIFIED: &str = "unclassified";

/// Bluish green, vermilion and blue, which the colour-blind tell apart.
const ACCEPT_RGB: [u8; 3] = [0, 158, 115];
const FLAG_RGB: [u8; 3] = [213, 94, 0];
const NOTE_RGB: [u8; 3] = [0, 114, 178];

/// What brought a region into the list: its area times its mean depth.
const SCORE: &str = "difference score µm^3";

/// An annotation of a file: one or several polygons with holes.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPolygon {
    /// The annotation's own name.
    pub name: Option<String>,
    /// Name of its class; parts of a derived class are joined by `: `, as QuPath shows them.
    pub class: Option<String>,
    /// Colour of the class, or else of the annotation, sRGB.
    pub rgb: Option<[u8; 3]>,
    /// Parts; of each the outline first, then its holes.
    pub parts: Vec<Vec<Ring>>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// Polygons, in the file's order.
    pub polygons: Vec<ImportedPolygon>,
    /// What is no polygon and was left out: kinds, such as `Point`, and how many of each.
    pub left_out: BTreeMap<String, usize>,
}

/// Reads the polygons of a GeoJSON file: a collection, a list or a single feature.
///
/// # Errors
/// When the file can't be read or is no GeoJSON; names the feature that breaks the format.
pub fn read(path: &Path) -> Result<Imported, ImportError> {
    geojson_read::read(path)
}

impl Imported {
    /// What was left out, in words; `None` if nothing.
    pub fn left_out_words(&self) -> Option<String> {
        let kinds = self.left_out.iter();
        let kinds: Vec<String> = kinds.map(|(kind, n)| format!("{n} × {kind}")).collect();
        (!kinds.is_empty()).then(|| format!("left out, as they are no areas: {}", kinds.join(", ")))
    }

    /// The polygons as labels over `slide`; classes in the order of their first polygon. `path`
    /// names the file in errors.
    ///
    /// # Errors
    /// When there is none, or there are more classes than labels can have.
    pub fn into_labels(self, path: &Path, slide: &SlideInfo) -> Result<PolygonLabels, LabelError> {
        if self.polygons.is_empty() {
            let left_out = self.left_out_words().unwrap_or_default();
            return Err(LabelError::new(
                path,
                format!("holds no polygon ({left_out})"),
            ));
        }
        let mut classes: Vec<LabelClass> = Vec::new();
        let mut polygons = Vec::with_capacity(self.polygons.len());
        for polygon in self.polygons {
            let name = polygon.class.unwrap_or_else(|| UNCLASSIFIED.to_owned());
            let known = classes.iter().position(|class| class.name == name);
            let index = known.unwrap_or_else(|| {
                let rgb = polygon.rgb.unwrap_or_else(|| default_rgb(classes.len()));
                classes.push(LabelClass { name, rgb });
                classes.len() - 1
            });
            polygons.push(LabelPolygon {
                // What is too large is refused by what takes them.
                class: u8::try_from(index).unwrap_or(u8::MAX),
                parts: polygon.parts,
            });
        }
        PolygonLabels::new(path, polygons, classes, slide)
    }
}

/// What is kept of a slide as a collection that QuPath opens: verdicts as rectangles classified
/// `accept`, `flag` or `note`, called as in `flagged: 40x tumor, 10x stroma`; strokes as lines of
/// their class, in the colours of `classes`. The note, which map names which class, and where it
/// all comes from are in each annotation's metadata, numbers in its measurements.
/// `provenance`: further metadata of each, such as the slide's hash.
pub fn write(
    records: &SlideRecords,
    classes: &[LabelClass],
    provenance: &BTreeMap<String, String>,
) -> String {
    let verdicts = records
        .verdicts
        .iter()
        .map(|v| verdict_feature(v, provenance));
    let strokes = records.strokes.iter();
    let strokes = strokes.map(|stroke| stroke_feature(stroke, classes, provenance));
    FeatureCollection {
        bbox: None,
        features: verdicts.chain(strokes).collect(),
        foreign_members: None,
    }
    .to_string()
}

fn verdict_feature(verdict: &Verdict, provenance: &BTreeMap<String, String>) -> Feature {
    let (min, max) = (verdict.region.min, verdict.region.max);
    let corners = [
        [min.x, min.y],
        [max.x, min.y],
        [max.x, max.y],
        [min.x, max.y],
        [min.x, min.y],
    ];
    let rgb = match verdict.decision {
        Some(Decision::Accept) => ACCEPT_RGB,
        Some(Decision::Flag) => FLAG_RGB,
        None => NOTE_RGB,
    };
    let (a, b) = verdict.magnifications;
    let mut metadata = provenance.clone();
    metadata.insert("note".to_owned(), verdict.note.clone());
    metadata.insert("model_hash".to_owned(), verdict.model_hash.clone());
    metadata.insert("created_ms".to_owned(), verdict.created_ms.to_string());
    let compared = format!("{} / {}", Magnification(a), Magnification(b));
    metadata.insert("magnifications".to_owned(), compared);
    metadata.insert("compared".to_owned(), verdict.kind.clone());
    metadata.insert("difference".to_owned(), verdict.difference(": "));
    for ((n, map), said) in (1..).zip(verdict.maps()).zip(verdict.said.as_ref()) {
        metadata.insert(format!("map_{n}"), map);
        metadata.insert(format!("class_{n}"), said.class.clone());
    }
    let properties = json!({
        "objectType": "annotation",
        "name": format!("{}: {}", verdict.done_word(), verdict.difference(" ")),
        "classification": { "name": verdict.word(), "color": rgb },
        "measurements": { SCORE: verdict.score, "area px^2": verdict.area_px },
        "metadata": metadata,
    });
    feature(
        &verdict.id.to_string(),
        Geometry::new_polygon([corners]),
        properties,
    )
}

fn stroke_feature(
    record: &StrokeRecord,
    classes: &[LabelClass],
    provenance: &BTreeMap<String, String>,
) -> Feature {
    let stroke = &record.stroke;
    let pair = |point: &SlidePoint| [point.x, point.y];
    let geometry = match stroke.points.as_slice() {
        [point] => Geometry::new_point(pair(point)),
        points => Geometry::new_line_string(points.iter().map(pair)),
    };
    let class = classes.iter().position(|class| class.name == stroke.class);
    let rgb = class.map_or_else(|| default_rgb(classes.len()), |n| classes[n].rgb);
    let mut metadata = provenance.clone();
    metadata.insert("model_hash".to_owned(), record.model_hash.clone());
    metadata.insert("created_ms".to_owned(), record.created_ms.to_string());
    let properties = json!({
        "objectType": "annotation",
        "name": format!("stroke: {}", stroke.class),
        "classification": { "name": stroke.class, "color": rgb },
        "measurements": { "brush radius px": stroke.radius_px },
        "metadata": metadata,
    });
    feature(&record.id.to_string(), geometry, properties)
}

fn feature(id: &str, geometry: Geometry, properties: JsonValue) -> Feature {
    Feature {
        bbox: None,
        geometry: Some(geometry),
        id: Some(Id::String(id.to_owned())),
        properties: match properties {
            JsonValue::Object(properties) => Some(properties),
            _ => Some(JsonObject::new()),
        },
        foreign_members: None,
    }
}
