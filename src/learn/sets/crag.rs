//! CRAG: glands of the colon, 173 training and 40 test images (Graham et al. 2019).
//!
//! `train/` and `valid/` (or `test/`) hold `Images/` and `Annotation/` (or `Annotations/`); what
//! else lies there is passed over. Masks hold the numbers of glands, 8- or 16-bit.

use std::path::{Path, PathBuf};

use super::file_set::{Codes, FileSet, Listed, pairs};
use super::place::Place;
use super::{Part, SetError};

/// About 20x, as the authors say.
const USUAL_MPP: f64 = 0.5;

/// Opens the set in `CRAG/` or the folder that holds it. `valid/` and `test/` are the test part.
///
/// # Errors
/// When the layout is not as above, an image lies in the other's part, or a file does not fit; see
/// [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let within = place.folder.join("CRAG");
    let root = if within.is_dir() {
        within
    } else {
        place.folder.clone()
    };
    let mut listed = Vec::new();
    for (names, part) in [
        (["train", "train"], Part::Training),
        (["valid", "test"], Part::Test),
    ] {
        let folder = first_of(&root, names)?;
        let masks = first_of(&folder, ["Annotation", "Annotations"])?;
        for (id, files) in pairs(&folder.join("Images"), &masks)? {
            if matches!(
                (part, id.split('_').next()),
                (Part::Training, Some("test")) | (Part::Test, Some("train"))
            ) {
                let reason = format!("by its name it is not of the {} part", part.name());
                return Err(SetError::file(&files.image, reason));
            }
            listed.push(Listed {
                group: id.clone(),
                official: Some(part),
                mpp: place.mpp.unwrap_or(USUAL_MPP),
                id,
                files,
            });
        }
    }
    let classes = place.table("crag")?;
    FileSet::new("crag", &place.folder, classes, Codes::Instances, listed)
}

/// The folder in `root` of one of two names.
fn first_of(root: &Path, names: [&str; 2]) -> Result<PathBuf, SetError> {
    let found = names
        .iter()
        .map(|name| root.join(name))
        .find(|folder| folder.is_dir());
    found.ok_or_else(|| {
        let reason = format!(
            "there is no folder '{}' (or '{}') in it",
            names[0], names[1]
        );
        SetError::file(root, reason)
    })
}
