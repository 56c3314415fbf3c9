//! Predictions that can't be judged.

/// Truth, prediction and classes that do not fit together.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum MetricsError {
    /// Too few or too many classes.
    #[error("{0} classes can't be scored: 2 to 254 are needed")]
    Classes(usize),
    /// A length that does not fit.
    #[error("{image}: {what} holds {found} values where {expected} are expected")]
    Length {
        /// Which image.
        image: String,
        /// Which array.
        what: &'static str,
        /// Values expected.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A code that is no class.
    #[error("{image}: {count} px of the {what} have code {code}, but there are {classes} classes")]
    Code {
        /// Which image.
        image: String,
        /// Truth or prediction.
        what: &'static str,
        /// The code.
        code: u8,
        /// Pixels that have it.
        count: usize,
        /// Classes there are.
        classes: usize,
    },
    /// Probabilities that are none.
    #[error("{image}: the probabilities of px {pixel} sum to {sum}, not to 1")]
    Probability {
        /// Which image.
        image: String,
        /// Index of the pixel.
        pixel: usize,
        /// Their sum.
        sum: f64,
    },
    /// A scale or tolerance that is no length.
    #[error("{what} must be a finite number above 0, not {value}")]
    Scale {
        /// Which.
        what: String,
        /// Its value.
        value: f64,
    },
    /// Tallies of other classes or another tolerance.
    #[error("tallies of other classes or another tolerance can't be merged")]
    Merge,
    /// A training set that holds too little.
    #[error("the colour classifier saw no pixel that is not ignored")]
    NoColours,
}

/// Refuses what is no length.
pub(super) fn check_length(what: &str, value: f64) -> Result<(), MetricsError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(MetricsError::Scale {
        what: what.to_owned(),
        value,
    })
}
