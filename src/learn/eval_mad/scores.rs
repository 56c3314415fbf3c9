//! The figures, and their mean and spread over seeds.

use serde::Serialize;

use crate::learn::statistics::{deviation, mean};

/// A set of figures that can be averaged figure by figure.
pub trait Scores: Copy {
    /// Each figure of the result is what `how` makes of that figure of all of `all`.
    fn combine(all: &[Self], how: &dyn Fn(&[f64]) -> f64) -> Self;
}

/// Declares a set of figures and how to combine them.
macro_rules! scores {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize)]
        pub struct $name { $($(#[$what])* pub $field: f64,)* }

        impl Scores for $name {
            fn combine(all: &[Self], how: &dyn Fn(&[f64]) -> f64) -> Self {
                Self { $($field: how(&all.iter().map(|s| s.$field).collect::<Vec<f64>>()),)* }
            }
        }
    };
}

scores!(
    /// Macro-F1 of probes on held-out footprints, 0–1.
    ProbeScores {
        /// Probe trained at 10x, tested at 10x.
        f1_10x,
        /// Probe trained at 10x, tested at 20x.
        f1_20x,
        /// Probe trained at 10x, tested at 40x.
        f1_40x,
        /// `f1_20x` / `f1_10x`.
        retention_20x,
        /// `f1_40x` / `f1_10x`.
        retention_40x,
        /// Probe trained and tested at 40x: the ceiling of `f1_40x`.
        ceiling_40x,
        /// Probe trained at 40x, tested at 10x.
        reverse_10x,
    }
);

scores!(
    /// Children found again from their parent, and how alike both embeddings are.
    PlaceScores {
        /// Share of children whose own embedding is the nearest to the parent's tokens there.
        top1,
        /// The same where every tile has other stain densities: colour no longer names it.
        top1_jittered,
        /// The share that chance would give: the mean of 1 / children that compete.
        chance,
        /// Mean cosine of a parent's tokens and the child there.
        own,
        /// The same with the other children of that parent.
        same_parent,
        /// The same with the children of another parent.
        other_parent,
    }
);

scores!(
    /// Effective rank (RankMe) of embeddings of held-out footprints; see `rows` beside them.
    RankScores {
        /// Class embeddings of parents at 10x.
        cls_10x,
        /// Class embeddings of tiles at 40x.
        cls_40x,
        /// One token a parent, inside the footprint.
        tokens_10x,
        /// One token a tile at 40x.
        tokens_40x,
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
            other_parent: 0.0,
        };
        let spread = Spread::of(vec![of(0.2), of(0.4)]).unwrap();
        assert!((spread.mean.top1 - 0.3).abs() < 1e-12);
        let deviation = spread.deviation.unwrap();
        assert!((deviation.top1 - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(deviation.chance, 0.0);
        assert!(Spread::of(vec![of(0.2)]).unwrap().deviation.is_none());
    }
}
