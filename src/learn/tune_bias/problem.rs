//! Painted tiles under a bias: what their px say, and which way the bias should go.

use burn::tensor::{Device, Tensor, TensorData};

use super::judge::{Judge, StrokeSum};
use super::{PaintedPx, PaintedTile};
use crate::learn::values;
use crate::model::dfa::{Decoder, Features};
use crate::model::parallel::{parts_for, runs, side_by_side};

/// Tiles that are decoded together.
#[derive(Debug)]
struct Part {
    features: Features,
    px: Vec<Vec<PaintedPx>>,
}

/// What came of a bias.
#[derive(Debug, Clone)]
pub struct Found {
    /// What each stroke's px say.
    pub strokes: Vec<StrokeSum>,
    /// Slope of the weighted surprise at the bias, K values.
    pub slope: Vec<f64>,
}

/// All that a bias is judged by.
#[derive(Debug)]
pub struct Problem {
    decoder: Decoder,
    device: Device,
    parts: Vec<Part>,
    judge: Judge,
}

impl Problem {
    /// Lays tiles together, as many parts as work side by side.
    pub fn new(decoder: Decoder, device: Device, tiles: Vec<PaintedTile>, judge: Judge) -> Self {
        let part = |run: std::ops::Range<usize>| {
            let some = tiles[run].iter().map(|tile| tile.features.clone());
            Features::together(some.collect())
        };
        let runs = runs(tiles.len(), parts_for(&device));
        let parts = runs.into_iter().filter_map(|run| {
            let px = tiles[run.clone()].iter().map(|tile| tile.px.clone());
            Some(Part {
                px: px.collect(),
                features: part(run)?,
            })
        });
        let parts = parts.collect();
        Self {
            decoder,
            device,
            parts,
            judge,
        }
    }

    /// Decodes all tiles under a bias, there and back.
    ///
    /// # Errors
    /// In words, when features or bias are not this decoder's, the device fails, or the decoder gives
    /// what is no number.
    pub fn at(&self, bias: &[f64]) -> Result<Found, String> {
        let bias: Vec<f32> = bias.iter().map(|value| *value as f32).collect();
        let parts: Vec<&Part> = self.parts.iter().collect();
        let found = side_by_side(parts, |part| self.of_part(part, &bias));
        let mut sum = Found {
            strokes: vec![StrokeSum::default(); self.judge.strokes.len()],
            slope: vec![0.0; bias.len()],
        };
        for found in found {
            let found = found?;
            let strokes = sum.strokes.iter_mut().zip(found.strokes);
            strokes.for_each(|(sum, more)| *sum = sum.and(more));
            let slopes = sum.slope.iter_mut().zip(found.slope);
            slopes.for_each(|(sum, more)| *sum += more);
        }
        let surprise: f64 = sum.strokes.iter().map(|stroke| stroke.surprise).sum();
        match surprise.is_finite() && sum.slope.iter().all(|slope| slope.is_finite()) {
            true => Ok(sum),
            false => Err(format!("it gave scores that are not finite under {bias:?}")),
        }
    }

    /// Autodiff sees the decoder alone: the loss's slope at the logits is worked out px by px, so
    /// that nothing is up-sampled where nobody painted.
    fn of_part(&self, part: &Part, bias: &[f32]) -> Result<Found, String> {
        let bias = Tensor::<1>::from_floats(bias, &self.device);
        let bias = bias.autodiff().require_grad();
        let decoded = self.decoder.decode(&part.features, bias.clone());
        let logits = decoded.map_err(|error| error.to_string())?.logits;
        let dims = logits.dims();
        let (strokes, pull) = self.judged(&values::read(logits.clone().inner())?, dims, &part.px);
        let pull = Tensor::<4>::from_data(TensorData::new(pull, dims), &self.device);
        let gradients = (logits * pull).sum().backward();
        let slope = bias.grad(&gradients).ok_or("the bias has no gradient")?;
        let slope = values::read(slope)?.into_iter().map(f64::from);
        Ok(Found {
            strokes,
            slope: slope.collect(),
        })
    }

    fn judged(
        &self,
        logits: &[f32],
        [_, classes, side, _]: [usize; 4],
        px: &[Vec<PaintedPx>],
    ) -> (Vec<StrokeSum>, Vec<f32>) {
        let mut sums = vec![StrokeSum::default(); self.judge.strokes.len()];
        let mut pull = vec![0.0; logits.len()];
        let each = (classes * side * side).max(1);
        let tiles = logits.chunks_exact(each).zip(pull.chunks_exact_mut(each));
        for ((logits, pull), px) in tiles.zip(px) {
            self.judge.look((logits, side), px, &mut sums, pull);
        }
        (sums, pull)
    }
}
