//! Kidney fields with hand-drawn glomeruli (`C1.jpg`, `C1.mask.png`, …; Fred-Oru,
//! Segmenting-Histology-Images). Masks hold the numbers of glomeruli; a few pale ones are
//! unlabelled. Each field is a group: leave one out.

use super::ItemFiles;
use super::SetError;
use super::file_set::{Codes, FileSet, Listed, pictures_in};
use super::place::Place;

/// As the set's description has it.
const USUAL_MPP: f64 = 0.67;

/// Opens the set.
///
/// # Errors
/// When an image has no mask, or a file does not fit; see [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let mut pictures = pictures_in(&place.folder)?;
    let mut listed = Vec::new();
    for (id, image) in pictures.clone() {
        if id.ends_with(".mask") {
            continue;
        }
        let Some(mask) = pictures.remove(&format!("{id}.mask")) else {
            let expected = place.folder.join(format!("{id}.mask.png"));
            return Err(SetError::Unpaired {
                path: image,
                expected,
            });
        };
        pictures.remove(&id);
        listed.push(Listed {
            group: id.clone(),
            official: None,
            files: ItemFiles { image, mask },
            mpp: place.mpp.unwrap_or(USUAL_MPP),
            id,
        });
    }
    if let Some((id, path)) = pictures.into_iter().next() {
        let expected = place
            .folder
            .join(format!("{}.jpg", id.trim_end_matches(".mask")));
        return Err(SetError::Unpaired { path, expected });
    }
    let classes = place.table("kidney")?;
    FileSet::new("kidney", &place.folder, classes, Codes::Instances, listed)
}
