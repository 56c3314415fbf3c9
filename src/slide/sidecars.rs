//! The other files of a slide that is more than one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Files of a folder that are looked at.
const MAX_FILES: usize = 256;

/// How far into a DICOM file its series is looked for, bytes: it stands before the px.
const DICOM_HEADER_BYTES: u64 = 64 << 10;

/// The property that holds a DICOM slide's series.
const DICOM_SERIES: &str = "dicom.SeriesInstanceUID";

/// The files that the slide at `path` consists of beside that one, by name: the others of a DICOM
/// series, and what lies in the folder of a MIRAX slide. At most 256 files are looked at; none are
/// found where the folder can't be read.
pub fn of(path: &Path, properties: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let is_mirax = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("mrxs"));
    if is_mirax {
        return files_in(&path.with_extension(""));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Some(series) = properties.get(DICOM_SERIES).filter(|uid| !uid.is_empty()) else {
        return Vec::new();
    };
    let mut files = files_in(folder.unwrap_or(Path::new(".")));
    files.retain(|file| file.file_name() != path.file_name() && names(file, series));
    files
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.take(MAX_FILES).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Whether `text` stands in the header of `file`.
fn names(file: &Path, text: &str) -> bool {
    let mut header = Vec::new();
    let read =
        File::open(file).and_then(|file| file.take(DICOM_HEADER_BYTES).read_to_end(&mut header));
    let mut windows = header.windows(text.len());
    read.is_ok() && windows.any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, names: &[(&str, &str)]) {
        for (name, text) in names {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    fn found(path: &Path, properties: &BTreeMap<String, String>) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        of(path, properties).into_iter().map(name).collect()
    }

    #[test]
    fn a_series_and_a_mirax_folder_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path();
        let series = BTreeMap::from([(DICOM_SERIES.to_owned(), "1.2.3".to_owned())]);
        let files = [
            ("b.dcm", ".. 1.2.3 .."),
            ("a.dcm", "1.2.3"),
            ("c.dcm", "1.2.4"),
        ];
        written(within, &files);
        assert_eq!(found(&within.join("b.dcm"), &series), ["a.dcm"]);
        assert!(found(&within.join("b.svs"), &BTreeMap::new()).is_empty());

        std::fs::create_dir(within.join("slide")).unwrap();
        written(
            &within.join("slide"),
            &[("Slidedat.ini", ""), ("Data0000.dat", "")],
        );
        let mirax = found(&within.join("slide.mrxs"), &BTreeMap::new());
        assert_eq!(mirax, ["Data0000.dat", "Slidedat.ini"]);
        assert!(found(&within.join("other.mrxs"), &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_folder_of_too_many_files_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("slide");
        std::fs::create_dir(&within).unwrap();
        for n in 0..MAX_FILES + 20 {
            std::fs::write(within.join(n.to_string()), "").unwrap();
        }
        let files = of(&folder.path().join("slide.mrxs"), &BTreeMap::new());
        assert_eq!(files.len(), MAX_FILES);
    }
}
