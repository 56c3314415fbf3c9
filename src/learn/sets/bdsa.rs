//! BDSA: brain sections of the Brain Digital Slide Archive, masks of grey codes.
//!
//! `images/` and `masks/` of equal names. A name that holds a `bdsaID` (`BDSA`, digits, a dot,
//! digits) belongs to the group of that case; any other is a group of its own, unless `splits.csv`
//! says otherwise (see [`super::folder`]).

use super::SetError;
use super::file_set::{Codes, FileSet, Listed, pairs};
use super::folder::Splits;
use super::place::Place;

/// Ground truth is drawn at 40x.
const USUAL_MPP: f64 = 0.25;

/// Opens the set.
///
/// # Errors
/// When the layout is not as above or a file does not fit; see [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let mut splits = Splits::read(&place.folder)?;
    let mut listed = Vec::new();
    for (id, files) in pairs(&place.folder.join("images"), &place.folder.join("masks"))? {
        let row = splits.take(&id);
        let own = bdsa_id(&id).unwrap_or(&id);
        listed.push(Listed {
            group: row.group.unwrap_or_else(|| own.to_owned()),
            official: row.split,
            mpp: row.mpp.or(place.mpp).unwrap_or(USUAL_MPP),
            id,
            files,
        });
    }
    splits.finish()?;
    let classes = place.table("bdsa")?;
    FileSet::new("bdsa", &place.folder, classes, Codes::Classes, listed)
}

/// The `bdsaID` in a name: `BDSA`, digits, a dot, digits.
fn bdsa_id(name: &str) -> Option<&str> {
    let from = name.find("BDSA")?;
    let rest = &name[from + 4..];
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let part = rest.get(whole..)?.strip_prefix('.').map(digits)?;
    (whole > 0 && part > 0).then(|| &name[from..from + 4 + whole + 1 + part])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_is_found_in_a_name() {
        assert_eq!(bdsa_id("BDSA001.0123_HE_roi4"), Some("BDSA001.0123"));
        assert_eq!(bdsa_id("x_BDSA1.2"), Some("BDSA1.2"));
        for none in ["BDSA", "BDSA1", "BDSA.1", "BDSA1.", "roi_7"] {
            assert_eq!(bdsa_id(none), None, "{none}");
        }
    }
}
