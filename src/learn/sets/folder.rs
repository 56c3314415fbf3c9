//! Any labelled images: `images/` and `masks/` of equal names, `classes.json` (or `classes.toml`),
//! and, where wanted, `splits.csv`.
//!
//! ```json
//! {"mpp": 0.5, "classes": [
//!   {"name": "gland", "code": 1, "colour": [0, 114, 178]},
//!   {"name": "stroma", "codes": [2, 3], "colour": [204, 121, 167]},
//!   {"name": "unlabelled", "code": 0, "ignore": true}]}
//! ```
//!
//! `splits.csv` has the columns `image`, and any of `split` (training, validation, test), `group`
//! and `mpp`; an image without a row or value is a group of its own and free to be split.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::classes::{ClassFile, in_file};
use super::file_set::{Codes, FileSet, Listed, pairs, without_ending};
use super::place::Place;
use super::{IGNORE, Labelled, MaskSet, Part, SetError};
use crate::files::write_whole;

/// Opens the set. The scale of an image is that of `splits.csv`, else of the settings, else of the
/// classes' file.
///
/// # Errors
/// When the layout is not as above, no scale is stated, or a file does not fit; see
/// [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let path = match &place.classes {
        Some(path) => path.clone(),
        None => classes_file(&place.folder)?,
    };
    let file = ClassFile::read(&path)?;
    let usual_mpp = place.mpp.or(file.mpp);
    let name = place
        .folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let mut splits = Splits::read(&place.folder)?;
    let mut listed = Vec::new();
    for (id, files) in pairs(&place.folder.join("images"), &place.folder.join("masks"))? {
        let row = splits.take(&id);
        let Some(mpp) = row.mpp.or(usual_mpp) else {
            let reason = "has no `mpp`: state µm per px here, in splits.csv or in the settings";
            return Err(SetError::file(path, reason));
        };
        listed.push(Listed {
            group: row.group.unwrap_or_else(|| id.clone()),
            official: row.split,
            mpp,
            id,
            files,
        });
    }
    splits.finish()?;
    let classes = file.table(&name).map_err(|error| in_file(error, &path))?;
    FileSet::new(&name, &place.folder, classes, Codes::Classes, listed)
}

fn classes_file(folder: &Path) -> Result<PathBuf, SetError> {
    let mut names = ["classes.json", "classes.toml"]
        .iter()
        .map(|name| folder.join(name));
    let found = names.find(|path| path.is_file());
    found.ok_or_else(|| SetError::file(folder, "there is no classes.json in it"))
}

/// A row of `splits.csv`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    image: String,
    #[serde(default)]
    pub split: Option<Part>,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub mpp: Option<f64>,
}

/// `splits.csv`, by image without its ending.
#[derive(Debug)]
pub(super) struct Splits {
    path: PathBuf,
    rows: BTreeMap<String, Row>,
}

impl Splits {
    /// The rows in `folder`; none where it has no such file.
    pub fn read(folder: &Path) -> Result<Self, SetError> {
        let path = folder.join("splits.csv");
        let mut rows = BTreeMap::new();
        if path.exists() {
            let words = |error: csv::Error| SetError::file(&path, error);
            for row in csv::Reader::from_path(&path).map_err(words)?.deserialize() {
                let row: Row = row.map_err(words)?;
                let stem = without_ending(&row.image).to_owned();
                if rows.insert(stem, row.clone()).is_some() {
                    let (place, name) = (path, row.image);
                    return Err(SetError::Duplicate { place, name });
                }
            }
        }
        Ok(Self { path, rows })
    }

    /// What is said of an image.
    pub fn take(&mut self, id: &str) -> Row {
        self.rows.remove(id).unwrap_or_default()
    }

    /// Refuses rows that no image took.
    pub fn finish(self) -> Result<(), SetError> {
        let Some(row) = self.rows.into_values().next() else {
            return Ok(());
        };
        let reason = format!("there is no image '{}'", row.image);
        Err(SetError::file(self.path, reason))
    }
}

/// Writes any set as a folder set: pictures and class indices as PNG (ignored px as 255), with
/// groups and official parts. The folder is made; files of equal names are replaced.
///
/// # Errors
/// When an item can't be read, a file not be written, or `progress` (done and all items) breaks.
pub fn write(
    set: &dyn MaskSet,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), SetError> {
    for name in ["images", "masks"] {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).map_err(|error| SetError::file(path, error))?;
    }
    let count = set.items().len();
    for (index, item) in set.items().iter().enumerate() {
        write_item(&set.read(index)?, folder, &item.id)?;
        if progress(index as u64 + 1, count as u64).is_break() {
            return Err(SetError::Cancelled);
        }
    }
    write_text(&folder.join("splits.csv"), &splits_of(set)?)?;
    write_text(
        &folder.join("classes.json"),
        classes_of(set).to_string().as_bytes(),
    )
}

fn write_item(item: &Labelled, folder: &Path, id: &str) -> Result<(), SetError> {
    let (image, mask) = (folder.join("images"), folder.join("masks"));
    let size = (item.width as u32, item.height as u32);
    for (folder, data, kind) in [
        (image, &item.rgb, image::ExtendedColorType::Rgb8),
        (mask, &item.mask, image::ExtendedColorType::L8),
    ] {
        let path = folder.join(format!("{id}.png"));
        let mut bytes = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        image::ImageEncoder::write_image(encoder, data, size.0, size.1, kind)
            .map_err(|error| SetError::file(&path, error))?;
        write_text(&path, &bytes)?;
    }
    Ok(())
}

fn splits_of(set: &dyn MaskSet) -> Result<Vec<u8>, SetError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for item in set.items() {
        let row = Row {
            image: item.id.clone(),
            split: item.official,
            group: Some(item.group.clone()),
            mpp: Some(item.mpp),
        };
        writer
            .serialize(row)
            .map_err(|error| SetError::file("splits.csv", error))?;
    }
    writer
        .into_inner()
        .map_err(|error| SetError::file("splits.csv", error))
}

fn classes_of(set: &dyn MaskSet) -> serde_json::Value {
    let table = set.classes();
    let scored = table
        .classes()
        .iter()
        .enumerate()
        .map(|(code, class)| json!({"name": class.name, "code": code, "colour": class.colour}));
    let ignored = json!({"name": "ignored", "code": IGNORE, "ignore": true});
    let rows: Vec<_> = scored.chain([ignored]).collect();
    json!({"name": table.name(), "classes": rows})
}

fn write_text(path: &Path, bytes: &[u8]) -> Result<(), SetError> {
    write_whole(path, bytes).map_err(|error| SetError::file(path, error))
}
