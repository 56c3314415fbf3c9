//! Layers of human cortex, H&E sections of a spatial transcriptomics study (Maynard et al. 2021).
//! `images/` and `masks/` of equal names, the sections' numbers. Labels are nearest-spot fills of
//! spots 100 µm apart, so their borders are that coarse. Sections of one donor are a group.

use super::SetError;
use super::file_set::{Codes, FileSet, Listed, pairs};
use super::place::Place;

/// As the set's description has it.
const USUAL_MPP: f64 = 16.0;

/// First and last section of each donor, and the donor's name.
const DONORS: [(u32, u32, &str); 3] = [
    (151_507, 151_510, "donor 1"),
    (151_669, 151_672, "donor 2"),
    (151_673, 151_676, "donor 3"),
];

/// Opens the set.
///
/// # Errors
/// When the layout is not as above, a section is of no known donor, or a file does not fit; see
/// [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let mut listed = Vec::new();
    for (id, files) in pairs(&place.folder.join("images"), &place.folder.join("masks"))? {
        let Some(donor) = donor(&id) else {
            let reason = "its name is not a section of a known donor, such as 151507";
            return Err(SetError::file(&files.image, reason));
        };
        listed.push(Listed {
            group: donor.to_owned(),
            official: None,
            mpp: place.mpp.unwrap_or(USUAL_MPP),
            id,
            files,
        });
    }
    let classes = place.table("cortex")?;
    FileSet::new("cortex", &place.folder, classes, Codes::Classes, listed)
}

fn donor(section: &str) -> Option<&'static str> {
    let number: u32 = section.parse().ok()?;
    let found = DONORS
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&number));
    found.map(|(_, _, donor)| *donor)
}
