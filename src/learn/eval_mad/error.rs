//! What can go wrong in an evaluation.

use std::path::PathBuf;

use crate::learn::embed::FeatureError;
use crate::learn::probe::ProbeError;
use crate::model::config::ConfigError;
use crate::slide::SlideError;
use crate::slide::phantom::PhantomError;

/// An evaluation that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A settings or index file.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting.
    #[error("{0}")]
    Config(String),
    /// A slide or picture can't be read.
    #[error(transparent)]
    Slide(#[from] SlideError),
    /// A phantom can't be made.
    #[error(transparent)]
    Phantom(#[from] PhantomError),
    /// An encoder can't be built or does not take the tiles.
    #[error(transparent)]
    Encoder(#[from] ConfigError),
    /// A batch can't be embedded.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A probe can't be fitted: its figures would mean nothing.
    #[error("{arm}, {set}: {error}")]
    Probe {
        /// Whose embeddings.
        arm: String,
        /// What it was trained on.
        set: String,
        /// Why.
        error: ProbeError,
    },
    /// The user stopped it.
    #[error("stopped: no report was written")]
    Cancelled,
}
