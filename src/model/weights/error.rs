//! What can be wrong with a weights file, in words that name the file, the tensor and what was
//! expected.

use std::io;
use std::path::PathBuf;

/// Weights that can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file can't be opened, or reading it failed.
    #[error("{}: can't be read: {source}", path.display())]
    Read {
        /// The weights file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("{}: can't be written: {source}", path.display())]
    Write {
        /// The weights file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No safetensors file, or a damaged one.
    #[error("{}: not a whole safetensors file: {reason}", path.display())]
    Damaged {
        /// The weights file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Written by another version of this program, or for another purpose.
    #[error("{}: holds '{found}'; this program reads '{expected}'", path.display())]
    Version {
        /// The weights file.
        path: PathBuf,
        /// Format and version that the file states.
        found: String,
        /// Format and version that can be read.
        expected: String,
    },
    /// The file states a shape that can't be built.
    #[error("{}: its configuration: {reason}", path.display())]
    Config {
        /// The weights file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The shape of a foreign file can't be told from its tensors.
    #[error("{}: {reason}", path.display())]
    Unclear {
        /// The weights file.
        path: PathBuf,
        /// What can't be told, and from what it would have been.
        reason: String,
    },
    /// A tensor that is needed is not there.
    #[error("{}: has no tensor '{tensor}', expected with shape {expected}", path.display())]
    Missing {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its shape, as in `[192, 3, 16, 16]`.
        expected: String,
    },
    /// A tensor for which there is no place.
    #[error("{}: tensor '{tensor}' has no place in {holder}", path.display())]
    Unexpected {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What the file should hold, as in `encoder 'tiny'`.
        holder: String,
    },
    /// A tensor of another shape.
    #[error("{}: tensor '{tensor}' has shape {found}, expected {expected}", path.display())]
    Shape {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its shape.
        found: String,
        /// The shape that the configuration asks for.
        expected: String,
    },
    /// A tensor of numbers that are no weights.
    #[error("{}: tensor '{tensor}' holds {found}, expected F32, F16 or BF16", path.display())]
    NumberKind {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The kind of number that the file states.
        found: String,
    },
    /// A weight that is no finite number, or none that the file can hold.
    #[error("{}: tensor '{tensor}' holds {value} at {index}, expected a finite number within ±{most}",
        path.display())]
    NotFinite {
        /// The weights file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Which of its values, in the order of the file.
        index: usize,
        /// The value.
        value: f32,
        /// Largest magnitude.
        most: f32,
    },
    /// Tensors that are not those that the file's checksum was made of.
    #[error(
        "{}: its tensors do not match their checksum; the file was damaged or edited (their SHA-256 \
         is {found}, expected {stated})",
        path.display()
    )]
    Checksum {
        /// The weights file.
        path: PathBuf,
        /// Checksum of the tensors in it, hexadecimal.
        found: String,
        /// The one that its metadata state.
        stated: String,
    },
    /// burn refused what passed every check above.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The weights file.
        path: PathBuf,
        /// What burn says.
        reason: String,
    },
}

impl WeightsError {
    pub(in crate::model) fn config(path: impl Into<PathBuf>, error: &impl ToString) -> Self {
        let (path, reason) = (path.into(), error.to_string());
        Self::Config { path, reason }
    }
}
