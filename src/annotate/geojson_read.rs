//! Polygons out of GeoJSON, with QuPath's habits of all versions.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::ImportError;
use super::geojson::{Imported, ImportedPolygon};
use crate::geometry::SlidePoint;
use crate::labels::Ring;

/// The longest file that is read, bytes: it takes several times as much in memory.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// Geometries in collections of collections: nobody draws that.
const MAX_DEPTH: usize = 8;

/// See [`super::geojson::read`].
pub(super) fn read(path: &Path) -> Result<Imported, ImportError> {
    let failed = |reason: String| ImportError::File {
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if length.len() > MAX_FILE_BYTES {
        let reason = format!(
            "longer than {} MiB; export fewer objects",
            MAX_FILE_BYTES >> 20
        );
        return Err(failed(reason));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let root: Value = serde_json::from_slice(&bytes)
        .map_err(|error| failed(format!("no GeoJSON that can be read: {error}")))?;
    let features = features(&root).ok_or_else(|| {
        failed("no GeoJSON: neither a collection of features, a list of them, nor one".to_owned())
    })?;
    let mut imported = Imported::default();
    for (n, value) in features.iter().enumerate() {
        feature(value, &mut imported).map_err(|reason| ImportError::Feature {
            path: path.to_owned(),
            number: n + 1,
            reason,
        })?;
    }
    Ok(imported)
}

fn features(root: &Value) -> Option<&[Value]> {
    match root {
        // QuPath's older scripts write bare lists.
        Value::Array(features) => Some(features),
        Value::Object(fields) if fields.get("type")? == "FeatureCollection" => {
            fields.get("features")?.as_array().map(Vec::as_slice)
        }
        Value::Object(fields) if fields.get("type")? == "Feature" => {
            Some(std::slice::from_ref(root))
        }
        _ => None,
    }
}

fn feature(value: &Value, imported: &mut Imported) -> Result<(), String> {
    let fields = value.as_object().ok_or("not an object")?;
    let nothing = Map::new();
    let properties = match fields.get("properties") {
        Some(Value::Object(properties)) => properties,
        None | Some(Value::Null) => &nothing,
        Some(_) => return Err("its properties are no object".to_owned()),
    };
    let mut parts = Vec::new();
    match fields.get("geometry") {
        None | Some(Value::Null) => leave_out(imported, "no geometry"),
        Some(value) => geometry(value, &mut parts, imported, 0)?,
    }
    if !parts.is_empty() {
        let classification = properties.get("classification");
        let own = properties.get("name").and_then(Value::as_str);
        imported.polygons.push(ImportedPolygon {
            name: own.map(str::to_owned),
            class: classification.and_then(class_name),
            rgb: classification
                .and_then(rgb)
                .or_else(|| properties.get("color").and_then(colour)),
            parts,
        });
    }
    // Exports with their hierarchy keep what lies within an annotation inside it.
    let children = properties.get("childObjects").and_then(Value::as_array);
    children
        .into_iter()
        .flatten()
        .try_for_each(|child| feature(child, imported))
}

fn leave_out(imported: &mut Imported, kind: &str) {
    *imported.left_out.entry(kind.to_owned()).or_default() += 1;
}

fn geometry(
    value: &Value,
    parts: &mut Vec<Vec<Ring>>,
    imported: &mut Imported,
    depth: usize,
) -> Result<(), String> {
    let kind = value.get("type").and_then(Value::as_str);
    let kind = kind.ok_or("its geometry has no type")?;
    let list = |name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.ok_or_else(|| format!("its {kind} has no {name}"))
    };
    match kind {
        "Polygon" => parts.extend(polygon(list("coordinates")?)?),
        "MultiPolygon" => {
            for part in list("coordinates")? {
                let rings = part.as_array().ok_or("a part of it is no list of rings")?;
                parts.extend(polygon(rings)?);
            }
        }
        "GeometryCollection" if depth < MAX_DEPTH => {
            for member in list("geometries")? {
                geometry(member, parts, imported, depth + 1)?;
            }
        }
        other => leave_out(imported, other),
    }
    Ok(())
}

/// Outline and holes; `None` for an empty one.
fn polygon(rings: &[Value]) -> Result<Option<Vec<Ring>>, String> {
    let rings = rings
        .iter()
        .map(ring)
        .collect::<Result<Vec<Ring>, String>>()?;
    Ok((!rings.is_empty()).then_some(rings))
}

fn ring(value: &Value) -> Result<Ring, String> {
    let points = value.as_array().ok_or("a ring is no list of points")?;
    let mut ring = points.iter().map(point).collect::<Result<Ring, String>>()?;
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    Ok(ring)
}

fn point(value: &Value) -> Result<SlidePoint, String> {
    let number = |n: usize| {
        value
            .get(n)
            .and_then(Value::as_f64)
            .filter(|x| x.is_finite())
    };
    match (number(0), number(1)) {
        (Some(x), Some(y)) => Ok(SlidePoint::new(x, y)),
        _ => Err(format!("{value} is no point")),
    }
}

/// `name`, or the `names` that newer versions join.
fn class_name(classification: &Value) -> Option<String> {
    let name = classification.get("name").or(Some(classification));
    if let Some(name) = name.and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let names = classification.get("names")?.as_array()?;
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(": "))
}

fn rgb(classification: &Value) -> Option<[u8; 3]> {
    let stated = ["color", "colorRGB"].iter();
    stated
        .filter_map(|name| classification.get(name))
        .find_map(colour)
}

/// A list of red, green and blue, or Java's packed number, in which opaque red is -65536.
fn colour(value: &Value) -> Option<[u8; 3]> {
    if let Some(packed) = value.as_i64() {
        return Some([16, 8, 0].map(|shift| (packed >> shift) as u8));
    }
    let [r, g, b] = value.as_array()?.as_slice() else {
        return None;
    };
    let byte = |v: &Value| u8::try_from(v.as_i64()?).ok();
    Some([byte(r)?, byte(g)?, byte(b)?])
}
