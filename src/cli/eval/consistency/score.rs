//! Figures of one class map of a slide's fields.

use serde::{Deserialize, Serialize};

use super::maps::Maps;
use crate::learn::seg_metrics::{IGNORE, Piece, Tally};
use crate::segment::agreement::CodePairs;

/// A boundary is right within this, µm.
pub const TOLERANCE_UM: f64 = 4.0;

/// One map against the truth and against the coarser map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Dice of each class against the truth, 0–1; none where neither has it.
    pub dice: Vec<Option<f64>>,
    /// Their mean.
    pub macro_dice: f64,
    /// Mean boundary F1 of the classes within [`TOLERANCE_UM`].
    pub boundary_f1: f64,
    /// Mean Dice of the classes against the coarser map.
    pub consistency: f64,
}

/// Adds up fields.
pub struct Scorer {
    tally: Tally,
    pairs: CodePairs,
}

impl Scorer {
    /// Nothing seen yet.
    pub fn new(classes: &[String]) -> anyhow::Result<Self> {
        Ok(Self {
            tally: Tally::new(classes, TOLERANCE_UM)?,
            pairs: CodePairs::new(classes.len()),
        })
    }

    /// Adds what a map says of a field.
    pub fn add(&mut self, maps: &Maps, predicted: &[u8]) -> anyhow::Result<()> {
        // Where nothing was said there is nothing to be scored.
        let both = maps.truth.iter().zip(predicted);
        let truth: Vec<u8> = both
            .map(|(truth, said)| if *said == IGNORE { IGNORE } else { *truth })
            .collect();
        let said: Vec<u8> = predicted
            .iter()
            .map(|said| if *said == IGNORE { 0 } else { *said })
            .collect();
        self.tally.add(&Piece {
            image: "slide",
            width_px: maps.width_px,
            mpp: maps.mpp,
            truth: &truth,
            predicted: &said,
            probabilities: &[],
        })?;
        self.pairs.add(predicted, &maps.coarse_class);
        Ok(())
    }

    /// The figures.
    pub fn score(&self) -> Score {
        let report = self.tally.report(0);
        let agreement = self.pairs.agreement();
        let said: Vec<f64> = agreement.dice.iter().flatten().copied().collect();
        Score {
            dice: report.classes.iter().map(|class| class.dice).collect(),
            macro_dice: report.macros.dice.unwrap_or_default(),
            boundary_f1: report.macros.boundary_f1.unwrap_or_default(),
            consistency: said.iter().sum::<f64>() / said.len().max(1) as f64,
        }
    }
}
