//! The figures, and their mean and spread over seeds.

use serde::Serialize;

use crate::learn::statistics::{deviation, mean};

/// A set of figures that can be averaged figure by figure.
pub trait Scores: Copy {
    /// Each figure of the result is what `how` makes of that figure of all of `all`.
    fn combine(all: &[Self], how: &dyn Fn(&[f64]) -> f64) -> Self;
}

/// One figure of a set.
trait Score: Copy {
    /// The figure that `how` makes of this figure of all of a list.
    fn combined(all: Vec<Self>, how: &dyn Fn(&[f64]) -> f64) -> Self;
}

impl Score for f64 {
    fn combined(all: Vec<Self>, how: &dyn Fn(&[f64]) -> f64) -> Self {
        how(&all)
    }
}

/// A figure that may not have been measured; where one of the list was not, the result is not.
impl Score for Option<f64> {
    fn combined(all: Vec<Self>, how: &dyn Fn(&[f64]) -> f64) -> Self {
        let all: Option<Vec<f64>> = all.into_iter().collect();
        all.map(|all| how(&all))
    }
}

/// Declares a set of figures and how to combine them.
macro_rules! scores {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize)]
        pub struct $name { $($(#[$what])* pub $field: $kind,)* }

        impl Scores for $name {
            fn combine(all: &[Self], how: &dyn Fn(&[f64]) -> f64) -> Self {
                Self { $($field: Score::combined(all.iter().map(|s| s.$field).collect(), how),)* }
            }
        }
    };
}

scores!(
    /// Macro-F1 of probes on held-out footprints, 0–1.
    ProbeScores {
        /// Probe trained at 10x, tested at 10x.
        f1_10x: f64,
        /// Probe trained at 10x, tested at 20x.
        f1_20x: f64,
        /// Probe trained at 10x, tested at 40x.
        f1_40x: f64,
        /// `f1_20x` / `f1_10x`.
        retention_20x: f64,
        /// `f1_40x` / `f1_10x`.
        retention_40x: f64,
        /// Probe trained and tested at 40x: the ceiling of `f1_40x`.
        ceiling_40x: f64,
        /// Probe trained at 40x, tested at 10x.
        reverse_10x: f64,
    }
);

scores!(
    /// Children found again from their parent, and how alike both embeddings are.
    PlaceScores {
        /// Share of children whose own embedding is the nearest to the parent's tokens there.
        top1: f64,
        /// The same where every tile has other stain densities: colour no longer names it.
        top1_jittered: f64,
        /// The share that chance would give: the mean of 1 / children that compete.
        chance: f64,
        /// Mean cosine of a parent's tokens and the child there.
        own: f64,
        /// The same with the other children of that parent.
        same_parent: f64,
        /// The same with the children of another parent; `None` where there was one parent only.
        other_parent: Option<f64>,
    }
);

scores!(
    /// Effective rank (RankMe) of embeddings of held-out footprints; see `rows` beside them.
    RankScores {
        /// Class embeddings of parents at 10x.
        cls_10x: f64,
        /// Class embeddings of tiles at 40x.
        cls_40x: f64,
        /// One token a parent, inside the footprint.
        tokens_10x: f64,
        /// One token a tile at 40x.
        tokens_40x: f64,
    }
);

/// Figures of several seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread<T> {
    /// Mean over the seeds.
    pub mean: T,
    /// Sample standard deviation; `None` of one seed.
    pub deviation: Option<T>,
    /// Each seed's.
    pub seeds: Vec<T>,
}

impl<T: Scores> Spread<T> {
    /// Mean and deviation of at least one seed; `None` of none.
    pub fn of(seeds: Vec<T>) -> Option<Self> {
        (!seeds.is_empty()).then(|| Self {
            mean: T::combine(&seeds, &mean),
            deviation: (seeds.len() > 1).then(|| T::combine(&seeds, &deviation)),
            seeds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_averaged_figure_by_figure() {
        let of = |top1: f64| PlaceScores {
            top1,
            top1_jittered: 0.0,
            chance: 0.0625,
            own: 0.0,
            same_parent: 0.0,
            other_parent: None,
        };
        let spread = Spread::of(vec![of(0.2), of(0.4)]).unwrap();
        assert!((spread.mean.top1 - 0.3).abs() < 1e-12);
        let deviation = spread.deviation.unwrap();
        assert!((deviation.top1 - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(deviation.chance, 0.0);
        assert_eq!(spread.mean.other_parent, None, "not measured is not 0");
        assert!(Spread::of(vec![of(0.2)]).unwrap().deviation.is_none());
    }
}
