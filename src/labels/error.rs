//! What can go wrong with labels from a file, in words a user can act on.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A label file that can't be used, or a part of it that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct LabelError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl LabelError {
    /// An error of the file at `path`.
    pub fn new(path: &Path, reason: impl Display) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
