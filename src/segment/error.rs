//! What can go wrong with the segmentation of a slide, in words a user can act on.

use std::io;
use std::path::PathBuf;

use super::grid::GridError;
use super::model::ModelError;
use crate::slide::SlideError;
use crate::slide::tiled_tiff::TiffError;

/// A slide that can't be segmented.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The slide can't be cut into tiles as asked.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A tile can't be read.
    #[error(transparent)]
    Slide(#[from] SlideError),
    /// The network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An output can't be written.
    #[error(transparent)]
    Tiff(#[from] TiffError),
    /// Settings that contradict the model or each other.
    #[error("{reason}")]
    Settings {
        /// What does not fit, and what was expected.
        reason: String,
    },
    /// An output is there already.
    #[error("{} is there already and was not touched: --overwrite replaces it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The output would replace the slide itself.
    #[error("{} is the slide itself: name another output", path.display())]
    IsTheSlide {
        /// The file.
        path: PathBuf,
    },
    /// What was begun was begun with other settings.
    #[error(
        "{} holds rows of an unfinished run with other settings ({differences}): repeat those to \
         go on with it, or give it up with --restart", folder.display()
    )]
    OtherSettings {
        /// The work folder.
        folder: PathBuf,
        /// What differs, theirs and ours.
        differences: String,
    },
    /// Another process is at it.
    #[error("{} is in use: another run writes the same output", folder.display())]
    Busy {
        /// The work folder.
        folder: PathBuf,
    },
    /// The work folder or an output can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A finished row can't be read back.
    #[error("{}: {reason}: --restart begins again", path.display())]
    Row {
        /// The row's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A reader thread can't be started or ended early.
    #[error("no threads that read tiles: {reason}")]
    Thread {
        /// Why.
        reason: String,
    },
    /// More than fits in memory.
    #[error(
        "{bytes} bytes of log-probabilities are more than the {most_bytes} that one field may take"
    )]
    TooLarge {
        /// Bytes asked for.
        bytes: u64,
        /// The most there may be.
        most_bytes: u64,
    },
    /// The caller stopped it.
    #[error("stopped: what is finished is kept in {}; the same command with --resume goes on with it", folder.display())]
    Stopped {
        /// The work folder.
        folder: PathBuf,
    },
    /// The caller stopped it, and nothing is kept.
    #[error("stopped: nothing was kept")]
    StoppedField,
}

impl SegmentError {
    /// An error of the file system at `path`.
    pub(super) fn file(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::File {
            path: path.into(),
            error,
        }
    }
}
