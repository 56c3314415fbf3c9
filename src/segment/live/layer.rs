//! Which map of which slide.

use crate::geometry::Magnification;
use crate::slide::SlideInfo;
use crate::slide::by_um::{FINER_TOLERANCE, finest_mpp};

/// The magnifications at which slides are analysed, finest first.
pub const MAGNIFICATIONS: [Magnification; 4] = [
    Magnification(40.0),
    Magnification(20.0),
    Magnification(10.0),
    Magnification(5.0),
];

/// The magnifications that a slide has px for and a model was trained for (`domain`, finest and
/// coarsest µm/px), finest first: nothing is up-sampled. None without a scale.
pub fn magnifications_of(info: &SlideInfo, domain: [f64; 2]) -> Vec<Magnification> {
    let Some(finest) = finest_mpp(info) else {
        return Vec::new();
    };
    let within = |magnification: &Magnification| {
        let mpp = magnification.mpp();
        let in_domain = mpp >= domain[0] * (1.0 - 1e-6) && mpp <= domain[1] * (1.0 + 1e-6);
        in_domain && mpp * (1.0 + FINER_TOLERANCE) >= finest
    };
    MAGNIFICATIONS.into_iter().filter(within).collect()
}

/// A map of a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Analysis {
    /// Of tiles of one magnification; the place in [`MAGNIFICATIONS`].
    Plain(u8),
    /// The same, fused with the map one factor-4 step coarser.
    Fused(u8),
}

impl Analysis {
    /// Place of its px in [`MAGNIFICATIONS`].
    pub fn scale(self) -> u8 {
        match self {
            Self::Plain(scale) | Self::Fused(scale) => scale,
        }
    }

    /// Magnification of its px.
    pub fn magnification(self) -> Magnification {
        MAGNIFICATIONS[usize::from(self.scale()).min(MAGNIFICATIONS.len() - 1)]
    }

    /// The scale that it is fused with, where there is one: factor 4 is two steps.
    pub fn context(self) -> Option<u8> {
        match self {
            Self::Fused(scale) => {
                Some(scale + 2).filter(|at| usize::from(*at) < MAGNIFICATIONS.len())
            }
            Self::Plain(_) => None,
        }
    }
}

impl std::fmt::Display for Analysis {
    /// `10x`, or `40x with the context of 10x`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.magnification())?;
        match self.context() {
            Some(scale) => write!(
                f,
                " with the context of {}",
                Self::Plain(scale).magnification()
            ),
            None => Ok(()),
        }
    }
}

/// A map of an open slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerKey {
    /// The slide, by any number that no other open slide has.
    pub slide: u64,
    /// Which of its maps.
    pub analysis: Analysis,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::test_slide::Painted;
    use crate::slide::SlideSource as _;

    #[test]
    fn nothing_finer_than_the_slide_and_nothing_beyond_the_model() {
        let of = |mpp: Option<f64>, domain| {
            let slide = Painted::new(9, 9, mpp, |_, _| [0; 3]);
            let found = magnifications_of(slide.info(), domain);
            found.iter().map(|m| m.0).collect::<Vec<f64>>()
        };
        assert_eq!(of(Some(0.25), [0.25, 2.0]), [40.0, 20.0, 10.0, 5.0]);
        assert_eq!(of(Some(0.252), [0.25, 1.0]), [40.0, 20.0, 10.0]);
        assert_eq!(of(Some(0.499), [0.25, 2.0]), [20.0, 10.0, 5.0]);
        assert_eq!(of(None, [0.25, 2.0]), [0.0; 0]);
    }

    #[test]
    fn context_is_a_factor_of_four() {
        let contexts = [0, 1, 2, 3].map(|scale| Analysis::Fused(scale).context());
        assert_eq!(contexts, [Some(2), Some(3), None, None]);
        assert_eq!(Analysis::Plain(0).context(), None);
        assert_eq!(Analysis::Fused(1).magnification(), Magnification(20.0));
        assert_eq!(
            Analysis::Fused(0).to_string(),
            "40x with the context of 10x"
        );
        assert_eq!(Analysis::Plain(3).to_string(), "5x");
    }
}
