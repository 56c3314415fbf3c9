//! What can go wrong with annotations, in words a user can act on.

use std::path::PathBuf;

/// Annotations that can't be kept or read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened or used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The database.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A newer version of the program wrote the file, which is left as it is.
    #[error(
        "{}: written by a newer version of this program (format {found}, this one knows \
         {known}); it is left as it is and nothing is kept until the program is updated",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Version of the file's format.
        found: i64,
        /// The greatest version that is understood.
        known: i64,
    },
    /// One change can't be stored.
    #[error("{}: {what} is not stored: {reason}", path.display())]
    Change {
        /// The database.
        path: PathBuf,
        /// What was to be stored.
        what: String,
        /// What the database said.
        reason: String,
    },
    /// The thread that keeps the file is gone.
    #[error("{}: the thread that writes it has ended; restart the program", path.display())]
    Ended {
        /// The database.
        path: PathBuf,
    },
}

/// A file of polygons that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file can't be read at all.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// One feature breaks the format.
    #[error("{}: feature {number}: {reason}", path.display())]
    Feature {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}
