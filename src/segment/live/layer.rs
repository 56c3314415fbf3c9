//! Which map of which slide.

use crate::geometry::Magnification;
use crate::segment::fusion::{CONTEXT_STEPS, Fusion};
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
    /// The map one factor-4 step coarser alone, bilinear between its px: where fusing takes nothing
    /// of the finer map. No tile of its own magnification has a say.
    InPlace(u8),
    /// The map of one magnification alone, at the temperature that it has where maps are fused:
    /// where fusing takes nothing of the coarser map.
    Alone(u8),
    /// Where that map and the one a factor-4 step coarser name the same class: codes are those of
    /// [`crate::segment::agreement::difference`], values the divergence of both in bits, and the
    /// other ones how unsure the less sure of both is.
    Agreement(u8),
}

impl Analysis {
    /// What fusing the map of a scale with the one a factor-4 step coarser comes to: both, or one of
    /// them where the other has no weight.
    pub fn fused_by(fusion: &Fusion, scale: u8) -> Self {
        match fusion.weight(scale) {
            weight if weight <= 0.0 => Self::InPlace(scale),
            weight if weight >= 1.0 => Self::Alone(scale),
            _ => Self::Fused(scale),
        }
    }

    /// Place of its px in [`MAGNIFICATIONS`].
    pub fn scale(self) -> u8 {
        match self {
            Self::Plain(scale)
            | Self::Fused(scale)
            | Self::InPlace(scale)
            | Self::Alone(scale)
            | Self::Agreement(scale) => scale,
        }
    }

    /// Magnification of its px.
    pub fn magnification(self) -> Magnification {
        MAGNIFICATIONS[usize::from(self.scale()).min(MAGNIFICATIONS.len() - 1)]
    }

    /// The coarser scale that it is fused or compared with or made of, where there is one: factor 4 is two steps.
    pub fn context(self) -> Option<u8> {
        match self {
            Self::Fused(scale) | Self::InPlace(scale) | Self::Agreement(scale) => {
                Some(scale + CONTEXT_STEPS).filter(|at| usize::from(*at) < MAGNIFICATIONS.len())
            }
            Self::Plain(_) | Self::Alone(_) => None,
        }
    }

    /// Whether tiles of its own magnification have a say on it.
    pub fn has_own_tiles(self) -> bool {
        !matches!(self, Self::InPlace(_))
    }

    /// The scales whose tiles have a say on it, the coarser first.
    pub fn tile_scales(self) -> impl Iterator<Item = u8> {
        let own = self.has_own_tiles().then_some(self.scale());
        self.context().into_iter().chain(own)
    }

    /// All maps that are made for it, itself first: the plain ones that it shows or compares are
    /// there to be looked at too.
    pub fn maps(self) -> Vec<Self> {
        let finer = match self {
            Self::Agreement(scale) => Some(Self::Plain(scale)),
            Self::Plain(_) | Self::Fused(_) | Self::InPlace(_) | Self::Alone(_) => None,
        };
        let coarser = self.context().map(Self::Plain);
        [Some(self), finer, coarser].into_iter().flatten().collect()
    }

    /// The map with classes as codes: itself, or the finer of those that are compared.
    pub fn class_map(self) -> Self {
        match self {
            Self::Agreement(scale) => Self::Plain(scale),
            Self::Plain(_) | Self::Fused(_) | Self::InPlace(_) | Self::Alone(_) => self,
        }
    }

    /// The agreement that there is at some magnifications: of the finest one with a partner a
    /// factor of 4 coarser, and that one. A 20x slide has that of 20x and 5x.
    pub fn agreement_of(available: &[Magnification]) -> Option<Self> {
        let has = |scale: u8| available.contains(&MAGNIFICATIONS[usize::from(scale)]);
        let scales = 0..MAGNIFICATIONS.len() as u8;
        let mut agreements = scales.filter(|scale| has(*scale)).map(Self::Agreement);
        agreements.find(|agreement| agreement.context().is_some_and(has))
    }
}

impl std::fmt::Display for Analysis {
    /// `10x`, `40x with the context of 10x`, `10x in place of 40x`, `20x alone`, or `agreement of
    /// 40x and 10x`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let own = self.magnification();
        let other = self
            .context()
            .map(|scale| Self::Plain(scale).magnification());
        match (self, other) {
            (Self::Agreement(_), Some(other)) => write!(f, "agreement of {own} and {other}"),
            (Self::Fused(_), Some(other)) => write!(f, "{own} with the context of {other}"),
            (Self::InPlace(_), Some(other)) => write!(f, "{other} in place of {own}"),
            (Self::Alone(_), _) => write!(f, "{own} alone"),
            _ => write!(f, "{own}"),
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

    #[test]
    fn a_map_without_weight_has_no_tiles_and_the_name_says_so() {
        let of = |weight: f32, scale: u8| {
            let weight_of_fine = [(scale, weight)].into();
            let fusion = Fusion {
                weight_of_fine,
                ..Fusion::default()
            };
            let analysis = Analysis::fused_by(&fusion, scale);
            let tiles: Vec<u8> = analysis.tile_scales().collect();
            (analysis.to_string(), tiles)
        };
        let says = |name: &str, tiles: &[u8]| (name.to_owned(), tiles.to_vec());
        assert_eq!(of(0.0, 0), says("10x in place of 40x", &[2]));
        assert_eq!(of(1.0, 1), says("20x alone", &[1]));
        assert_eq!(of(0.1, 0), says("40x with the context of 10x", &[2, 0]));
        assert_eq!(of(0.6, 1), says("20x with the context of 5x", &[3, 1]));
        let maps = Analysis::InPlace(0).maps();
        assert_eq!(maps, [Analysis::InPlace(0), Analysis::Plain(2)]);
        assert_eq!(Analysis::Alone(1).maps(), [Analysis::Alone(1)]);
        assert_eq!(Analysis::InPlace(0).magnification(), Magnification(40.0));
    }

    #[test]
    fn agreement_is_of_the_finest_that_has_a_partner() {
        let of = |available: &[f64]| {
            let available: Vec<_> = available.iter().map(|m| Magnification(*m)).collect();
            Analysis::agreement_of(&available).map(|agreement| agreement.to_string())
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            of(&[40.0, 20.0, 10.0, 5.0]),
            text("agreement of 40x and 10x")
        );
        assert_eq!(of(&[20.0, 10.0, 5.0]), text("agreement of 20x and 5x"));
        assert_eq!(of(&[40.0, 20.0, 5.0]), text("agreement of 20x and 5x"));
        assert_eq!(of(&[10.0, 5.0]), None);
        assert_eq!(
            Analysis::Agreement(1).maps(),
            [
                Analysis::Agreement(1),
                Analysis::Plain(1),
                Analysis::Plain(3)
            ]
        );
        assert_eq!(
            Analysis::Fused(0).maps(),
            [Analysis::Fused(0), Analysis::Plain(2)]
        );
        assert_eq!(Analysis::Fused(2).maps(), [Analysis::Fused(2)]);
    }
}
