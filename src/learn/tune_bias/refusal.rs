//! Why there are no new dials.

use std::collections::BTreeSet;

/// A tuning that changes nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Classes that no painted px has.
    #[error(
        "no stroke shows {}: dials are relative to each other, so paint at least one stroke of \
         every class", classes.join(", ")
    )]
    ClassWithoutStroke {
        /// Their names.
        classes: Vec<String>,
    },
    /// It would be worse where it did not look.
    #[error(
        "of the strokes that were held out, {:.2} % would be right, {:.2} % are right now",
        after * 100.0, before * 100.0
    )]
    HeldOutFell {
        /// Share of held-out px that are right now, 0–1.
        before: f64,
        /// The share after tuning.
        after: f64,
    },
    /// No other bias says more of what was painted.
    #[error(
        "no turn of the dials suits these strokes better: the loss is {before:.4}, at best \
         {after:.4}"
    )]
    NothingGained {
        /// Loss at the start, nat.
        before: f64,
        /// Loss at the end, nat.
        after: f64,
    },
    /// It was stopped.
    #[error("it was stopped")]
    Cancelled,
    /// The decoder or its device.
    #[error("the model failed: {0}")]
    Model(String),
    /// Numbers that do not belong together.
    #[error("the strokes do not suit the model: {0}")]
    Input(String),
}

impl Refusal {
    /// Whether every class is among those that painted px `shown` have.
    ///
    /// # Errors
    /// [`Refusal::ClassWithoutStroke`] with those that are not.
    pub fn without_strokes(classes: &[String], shown: &BTreeSet<usize>) -> Result<(), Self> {
        let missing = (0..classes.len()).filter(|class| !shown.contains(class));
        let classes: Vec<String> = missing.map(|class| classes[class].clone()).collect();
        match classes.is_empty() {
            true => Ok(()),
            false => Err(Self::ClassWithoutStroke { classes }),
        }
    }
}
