//! A bias as a JSON file, by the names of its classes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bias::{BiasError, ClassBias};
use crate::files;

/// What the file says it is.
const FORMAT: &str = "parfocal.bias";

/// Version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Longest file: some hundred times that of the most classes.
const MOST_BYTES: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
struct BiasFile {
    format: String,
    version: u32,
    classes: ClassBias,
}

impl ClassBias {
    /// Writes the three parts a class to `path`, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), BiasError> {
        let failed = |source| BiasError::Write {
            path: path.to_owned(),
            source,
        };
        let file = BiasFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            classes: self.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file)
            .map_err(io::Error::other)
            .map_err(failed)?;
        bytes.push(b'\n');
        files::write_whole(path, &bytes).map_err(failed)
    }

    /// Reads a bias and puts it into the order of `classes`, whatever the file's is.
    ///
    /// # Errors
    /// When the file can't be read, is no bias file of this version, or is of other classes.
    pub fn load(path: &Path, classes: &[String]) -> Result<Self, BiasError> {
        let damaged = |reason: String| BiasError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let text = read(path).map_err(|source| BiasError::Read {
            path: path.to_owned(),
            source,
        })?;
        let file: BiasFile =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if (file.format.as_str(), file.version) != (FORMAT, VERSION) {
            let found = format!("'{} {}'", file.format, file.version);
            return Err(damaged(format!(
                "it holds {found}; this program reads '{FORMAT} {VERSION}'"
            )));
        }
        let in_order = file.classes.in_order_of(classes);
        in_order.map_err(|error| BiasError::OtherClasses {
            path: path.to_owned(),
            what: error.to_string(),
        })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let status = fs::metadata(path)?;
    if !status.is_file() || status.len() > MOST_BYTES {
        let words = format!("it is no file of at most {MOST_BYTES} bytes");
        return Err(io::Error::other(words));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn bias() -> ClassBias {
        let classes = names(&["tumor", "stroma", "other"]);
        let bias = ClassBias::new(&classes, &[0.3, -0.1, -0.2]).unwrap();
        let mut bias = bias.trained_to(&[0.5, -0.3, -0.2]).unwrap();
        bias.set_offset("other", 1.5).unwrap();
        bias
    }

    #[test]
    fn values_stay_with_their_names_when_classes_are_reordered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        bias().save(&path).unwrap();
        assert_eq!(ClassBias::load(&path, bias().classes()).unwrap(), bias());
        let other = names(&["other", "tumor", "stroma"]);
        let read = ClassBias::load(&path, &other).unwrap();
        assert_eq!(read.classes(), other);
        let [tumor, stroma, rest] = [0, 1, 2].map(|n| bias().total()[n]);
        assert_eq!(read.total(), [rest, tumor, stroma]);
        assert_eq!(read.offset(), [1.5, 0.0, 0.0]);
    }

    #[test]
    fn other_files_and_other_classes_are_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        bias().save(&path).unwrap();
        let says = |classes: &[&str], words: &[&str]| {
            let error = ClassBias::load(&path, &names(classes)).unwrap_err();
            let error = error.to_string();
            for word in words.iter().chain(&["b.json"]) {
                assert!(error.contains(word), "no '{word}' in: {error}");
            }
        };
        says(&["tumor", "stroma"], &["too many 'other'"]);
        says(
            &["tumor", "stroma", "other", "fat"],
            &["missing 'fat'", "expected tumor, stroma, other, fat"],
        );
        let good = fs::read_to_string(&path).unwrap();
        let with = |from: &str, to: &str| fs::write(&path, good.replace(from, to)).unwrap();
        let own = ["tumor", "stroma", "other"];
        with("\"version\": 1", "\"version\": 2");
        says(&own, &["'parfocal.bias 2'", "'parfocal.bias 1'"]);
        with("\"stroma\"", "\"tumor\"");
        says(&own, &["no bias file", "'tumor' is named twice"]);
        with("1.5", "1e30");
        says(&own, &["offset of class 'other'", "within"]);
        with("1.5", "null");
        says(&own, &["no bias file"]);
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        says(&own, &["no bias file"]);
        fs::remove_file(&path).unwrap();
        says(&own, &["can't be read"]);
        fs::create_dir(&path).unwrap();
        says(&own, &["no file"]);
        let nowhere = folder.path().join("no/such/b.json");
        assert!(matches!(
            bias().save(&nowhere),
            Err(BiasError::Write { .. })
        ));
    }
}
