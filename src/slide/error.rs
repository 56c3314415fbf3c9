//! What can go wrong with a slide, in words a user can act on.

use std::path::PathBuf;

/// A slide that can't be opened or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SlideError {
    /// The path can't be opened at all: missing, a folder, no permission, empty.
    #[error("{}: {reason}", path.display())]
    Path {
        /// The file or folder asked for.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// No source understands the file.
    #[error("{}: not a slide or picture that can be opened ({reason})", path.display())]
    Unsupported {
        /// The file asked for.
        path: PathBuf,
        /// What the readers said.
        reason: String,
    },
    /// The file was recognised, but it is damaged or breaks a limit.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file asked for.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// One region can't be read; the rest of the slide may be fine.
    #[error("{slide}: level {level} at ({x}, {y}): {reason}")]
    Region {
        /// The slide's name.
        slide: String,
        /// Level asked for.
        level: usize,
        /// Left edge, level px.
        x: i64,
        /// Top edge, level px.
        y: i64,
        /// What the reader said.
        reason: String,
    },
    /// The slide has no scale, or no pixels of the scale asked for.
    #[error("{slide}: {reason}")]
    Scale {
        /// The slide's name.
        slide: String,
        /// What is missing, and what to do.
        reason: String,
    },
    /// A label, macro or thumbnail can't be read.
    #[error("{slide}: image '{name}': {reason}")]
    Associated {
        /// The slide's name.
        slide: String,
        /// Name of the picture asked for.
        name: String,
        /// What the reader said.
        reason: String,
    },
}

impl SlideError {
    /// What went wrong, without the name of the file: for a sentence that names it already.
    pub fn reason(&self) -> &str {
        match self {
            Self::Path { reason, .. }
            | Self::Unsupported { reason, .. }
            | Self::Damaged { reason, .. }
            | Self::Region { reason, .. }
            | Self::Scale { reason, .. }
            | Self::Associated { reason, .. } => reason,
        }
    }
}
