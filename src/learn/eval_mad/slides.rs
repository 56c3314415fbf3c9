//! The phantom slides of an evaluation.

use super::EvalError;
use crate::slide::phantom::{PhantomSource, PhantomSpec, SlideKnobs, Tissue};

/// Phantom seeds of slides that probes are trained on: from here, up to [`HELD_OUT_FROM`].
pub const TRAINING_FROM: u64 = 700_000;

/// Phantom seeds of slides that are only tested on: 100,000 from here. No encoder may have been
/// trained on these, nor on those of the probes.
pub const HELD_OUT_FROM: u64 = 800_000;

/// Which slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Those that probes are trained on.
    Training,
    /// Those that everything is tested on.
    HeldOut,
}

/// The phantom seed of slide `n` of a split, for the evaluation's seed.
pub fn slide_seed(split: Split, seed: u64, n: usize) -> u64 {
    let from = match split {
        Split::Training => TRAINING_FROM,
        Split::HeldOut => HELD_OUT_FROM,
    };
    from + 100 * seed + n as u64
}

/// A phantom slide in wide stain variation.
///
/// # Errors
/// When the phantom can't be made.
pub fn phantom(tissue: Tissue, seed: u64) -> Result<PhantomSource, EvalError> {
    let mut spec = PhantomSpec::preset(tissue, seed);
    spec.slide = SlideKnobs::of_any_laboratory(seed);
    Ok(PhantomSource::new(spec)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides_of_both_splits_differ_and_keep_clear_of_reserved_seeds() {
        let last = slide_seed(Split::HeldOut, 999, 99);
        assert!(slide_seed(Split::Training, 999, 99) < HELD_OUT_FROM && last < 900_000);
        let knobs = SlideKnobs::of_any_laboratory;
        assert_eq!(knobs(5), knobs(5));
        assert_ne!(knobs(5), knobs(6));
        for seed in 0..50 {
            phantom(Tissue::Brain, seed).unwrap();
        }
    }
}
