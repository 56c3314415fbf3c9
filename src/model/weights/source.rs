//! Where weights are read from: a file, or the program itself.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// A weights file that is part of the program.
#[derive(Clone, Copy)]
pub struct Shipped {
    /// What it is asked for by, as in `breast`.
    pub name: &'static str,
    /// The file.
    pub bytes: &'static [u8],
    /// What it was found to be worth, in a line; empty where there is nothing to say. Its card beside
    /// the file in `assets` has the whole of it.
    pub worth: &'static str,
}

/// Where a weights file is.
#[derive(Debug, Clone)]
pub enum WeightsSource {
    /// On disk.
    File(PathBuf),
    /// In the program.
    Shipped(Shipped),
}

/// What weights are read from.
pub trait Bytes: Read + Seek + fmt::Debug {}

impl<T: Read + Seek + fmt::Debug> Bytes for T {}

impl WeightsSource {
    /// The shipped weights called `name`, else the file of that name; one that is called like
    /// shipped weights is `./breast`.
    pub fn named(name: &str, shipped: &[Shipped]) -> Self {
        let found = shipped.iter().find(|shipped| shipped.name == name);
        found.map_or_else(|| Self::File(name.into()), |found| Self::Shipped(*found))
    }

    /// The file's path; of shipped weights, words in its place for messages.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Shipped(shipped) => format!("shipped weights '{}'", shipped.name).into(),
        }
    }

    /// The name of shipped weights, or of the file without its folder.
    pub fn short_name(&self) -> String {
        match self {
            Self::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                name.to_string_lossy().into_owned()
            }
            Self::Shipped(shipped) => shipped.name.to_owned(),
        }
    }

    /// The file on disk, where there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Shipped(_) => None,
        }
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// When the file can't be opened, or is none.
    pub(super) fn open(&self) -> io::Result<Box<dyn Bytes>> {
        let path = match self {
            Self::File(path) => path,
            Self::Shipped(shipped) => return Ok(Box::new(Cursor::new(shipped.bytes))),
        };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        match fs::metadata(path)?.is_file() {
            true => Ok(Box::new(File::open(path)?)),
            false => Err(io::Error::other("it is no file")),
        }
    }
}

impl fmt::Debug for Shipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

impl fmt::Display for WeightsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path().display())
    }
}

impl From<&Path> for WeightsSource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for WeightsSource {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<&Self> for WeightsSource {
    fn from(source: &Self) -> Self {
        source.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shipped_weights_and_all_else_is_a_file() {
        let shipped = Shipped {
            name: "breast",
            worth: "",
            bytes: &[1, 2],
        };
        let named = |name| WeightsSource::named(name, &[shipped]);
        assert!(matches!(named("breast"), WeightsSource::Shipped(_)));
        assert_eq!(named("breast").to_string(), "shipped weights 'breast'");
        assert_eq!(named("breast").short_name(), "breast");
        assert_eq!(named("a/b.safetensors").short_name(), "b.safetensors");
        for file in ["./breast", "breast.safetensors", "brain"] {
            assert_eq!(named(file).file(), Some(Path::new(file)));
        }
        let mut read = Vec::new();
        named("breast")
            .open()
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, [1, 2]);
    }
}
