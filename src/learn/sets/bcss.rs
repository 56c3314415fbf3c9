//! BCSS: breast cancer, 151 regions of as many slides (Amgad et al. 2019).
//!
//! `images/` and `masks/` hold PNG files of equal names,
//! `TCGA-A1-A0SK-DX1_xmin45749_ymin25055_MPP-0.2500.png`. The test part is that of the authors: six
//! tissue-source institutes. The rest is split by patient.

use super::file_set::{Codes, FileSet, Listed, pairs};
use super::place::Place;
use super::{Part, SetError};
use crate::geometry::Magnification;

/// Institutes (the two characters after `TCGA-`) whose slides are the test part.
pub const TEST_INSTITUTES: [&str; 6] = ["OL", "LL", "E2", "EW", "GM", "S3"];

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq)]
struct Name {
    patient: String,
    institute: String,
    mpp: Option<f64>,
}

/// Opens the set. The scale is in the names (`MPP-` or `MAG-`), else in the settings.
///
/// # Errors
/// When the layout or a name is not as above, or a file does not fit; see [`FileSet::new`].
pub fn open(place: &Place) -> Result<FileSet, SetError> {
    let mut listed = Vec::new();
    for (id, files) in pairs(&place.folder.join("images"), &place.folder.join("masks"))? {
        let name = Name::parse(&id).map_err(|reason| SetError::file(&files.image, reason))?;
        let Some(mpp) = name.mpp.or(place.mpp) else {
            let reason = "its name has neither MPP- nor MAG-: state the scale as `mpp`";
            return Err(SetError::file(&files.image, reason));
        };
        let test = TEST_INSTITUTES.contains(&name.institute.as_str());
        listed.push(Listed {
            group: name.patient,
            official: test.then_some(Part::Test),
            id,
            files,
            mpp,
        });
    }
    let classes = place.table("bcss")?;
    FileSet::new("bcss", &place.folder, classes, Codes::Classes, listed)
}

impl Name {
    fn parse(stem: &str) -> Result<Self, String> {
        let expected = || {
            let example = "TCGA-A1-A0SK-DX1_xmin45749_ymin25055_MPP-0.2500";
            format!("its name is not like {example}")
        };
        let mut parts = stem.split('_');
        let slide: Vec<&str> = parts.next().unwrap_or_default().split('-').collect();
        let &["TCGA", institute, patient, _] = slide.as_slice() else {
            return Err(expected());
        };
        for corner in ["xmin", "ymin"] {
            let part = parts.next().and_then(|part| part.strip_prefix(corner));
            part.and_then(|px| px.parse::<u64>().ok())
                .ok_or_else(expected)?;
        }
        let mut mpp = None;
        for part in parts {
            let (of, value) = part.split_once('-').ok_or_else(expected)?;
            let value = value.parse::<f64>().ok().filter(|value| *value > 0.0);
            let value = value.ok_or_else(expected)?;
            mpp = match of {
                "MPP" => Some(value),
                // mpp decides where both are given.
                "MAG" => mpp.or(Some(Magnification(value).mpp())),
                _ => return Err(expected()),
            };
        }
        Ok(Self {
            patient: format!("TCGA-{institute}-{patient}"),
            institute: institute.to_owned(),
            mpp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_patient_institute_and_scale() {
        let parsed = |suffix: &str| {
            let stem = format!("TCGA-A1-A0SK-DX1_xmin45749_ymin25055{suffix}");
            Name::parse(&stem).unwrap()
        };
        let name = parsed("_MPP-0.2500");
        assert_eq!(
            (name.patient.as_str(), name.institute.as_str()),
            ("TCGA-A1-A0SK", "A1")
        );
        assert_eq!(name.mpp, Some(0.25));
        assert_eq!(parsed("_MAG-20.00").mpp, Some(0.5));
        assert_eq!(parsed("_MPP-0.2400_MAG-40.00").mpp, Some(0.24));
        assert_eq!(parsed("_MAG-40.00_MPP-0.2400").mpp, Some(0.24));
        assert_eq!(parsed("").mpp, None);
        for wrong in [
            "mine",
            "TCGA-A1-A0SK_xmin1_ymin2",
            "TCGA-A1-A0SK-DX1_xmin1",
            "TCGA-A1-A0SK-DX1_xmin1_yminx",
            "TCGA-A1-A0SK-DX1_xmin1_ymin2_MPP-0",
            "TCGA-A1-A0SK-DX1_xmin1_ymin2_tile-4",
        ] {
            assert!(
                Name::parse(wrong).unwrap_err().contains("MPP-0.2500"),
                "{wrong}"
            );
        }
    }
}
