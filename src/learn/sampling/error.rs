//! What can go wrong with sampling, in words a user can act on.

use crate::slide::SlideError;

/// Tiles that can't be sampled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SamplingError {
    /// A setting out of its range.
    #[error("{setting} = {value}: {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A source that can't be used, by the name that the settings give it.
    #[error("source '{source_name}': {reason}")]
    Source {
        /// Its path or phantom.
        source_name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A region that can't be read.
    #[error(transparent)]
    Slide(#[from] SlideError),
    /// No family was found in many tries.
    #[error("no family of tiles with enough tissue in {tries} tries; the last slide was {slide}")]
    NoFamily {
        /// How many places were looked at.
        tries: usize,
        /// The slide tried last.
        slide: String,
    },
    /// A loader thread could not be started, or ended before its time.
    #[error("the loader of tiles stopped: {0}")]
    Loader(String),
}

impl SamplingError {
    /// A setting that must be `expected`.
    pub(super) fn setting(
        setting: &'static str,
        value: impl std::fmt::Debug,
        expected: impl Into<String>,
    ) -> Self {
        Self::Setting {
            setting,
            value: format!("{value:?}"),
            expected: expected.into(),
        }
    }

    /// A source that can't be used.
    pub(super) fn source(source_name: impl Into<String>, reason: impl ToString) -> Self {
        Self::Source {
            source_name: source_name.into(),
            reason: reason.to_string(),
        }
    }
}
