//! Masks from elsewhere, whatever the file.

use std::path::Path;
use std::sync::Arc;

use super::error::ImportError;
use super::geojson;
use crate::labels::{ClassTable, LabelError, LabelFile, LabelSource};
use crate::slide::SlideInfo;

/// A mask that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// Of polygons.
    #[error(transparent)]
    Polygons(#[from] ImportError),
    /// Of labels or their classes.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

/// A mask of a slide, read-only.
pub struct MaskFile {
    /// The file's name.
    pub name: String,
    /// Its labels.
    pub labels: Arc<dyn LabelSource>,
    /// The label map, where nobody names its classes.
    pub unnamed: Option<Arc<LabelFile>>,
    /// What a person should know of it.
    pub warnings: Vec<String>,
}

/// Opens a label map (TIFF or PNG) or QuPath's polygons (`.geojson`) of `slide`. `classes` names the
/// codes of a label map; see [`ClassTable::load`].
///
/// # Errors
/// When a file can't be read or does not fit the slide.
pub fn open_mask(
    path: &Path,
    classes: Option<&Path>,
    slide: &SlideInfo,
) -> Result<MaskFile, MaskError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    let is_geojson = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("geojson"));
    if is_geojson {
        let imported = geojson::read(path)?;
        let warnings = imported.left_out_words().into_iter();
        let warnings = warnings.map(|words| format!("{name}: {words}")).collect();
        return Ok(MaskFile {
            labels: Arc::new(imported.into_labels(path, slide)?),
            unnamed: None,
            name,
            warnings,
        });
    }
    let table = classes.map(ClassTable::load).transpose()?;
    let file = Arc::new(LabelFile::open(path, slide, table.as_ref())?);
    let is_of_another = file.slide_hash().is_some_and(|hash| hash != slide.hash.0);
    let warning = is_of_another.then(|| format!("{name} was made of another slide"));
    Ok(MaskFile {
        unnamed: (!file.is_named()).then(|| Arc::clone(&file)),
        labels: file,
        name,
        warnings: warning.into_iter().collect(),
    })
}
