//! Dials from strokes: the K attention biases alone, fitted to px whose classes a person painted.
//!
//! ```text
//! features of painted tiles, kept ─→ decode under b ─→ logits at the painted px ─→ loss
//!                                         ↑ b moves, all else stays
//! ```
//!
//! The loss is the surprise −ln p of the painted class: its mean over the px of a stroke, over the
//! strokes of a class, over the classes, so that neither long strokes nor classes with many win;
//! and λ‖b − b_learned‖², both centred, which pulls towards what was learned. It is lowered by BFGS
//! (Nocedal and Wright 2006, algorithm 6.1), which needs few decodes.
//!
//! Whole strokes are held out, a third of each class's. They are asked only about the start and the
//! end, not when to stop, so what they say of the end was not chosen for. Px are judged by their own
//! tile, before it is blended with its neighbours as in the overlay.

mod descent;
mod judge;
mod problem;
mod refusal;
mod split;
#[cfg(test)]
mod tests;
mod tuning;

use burn::tensor::Device;

pub use refusal::Refusal;
pub use tuning::{BiasTuning, TuneStep, TunedBias, tune};

use crate::model::dfa::{Decoder, Features};

/// A px of a tile with a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaintedPx {
    /// Its place in the tile: row · side + column.
    pub px: u32,
    /// Its stroke, by the place in [`TuneTask::strokes`].
    pub stroke: u32,
}

/// A tile that strokes touch.
#[derive(Debug, Clone)]
pub struct PaintedTile {
    /// What does not depend on the bias; of one tile.
    pub features: Features,
    /// Its painted px, each once.
    pub px: Vec<PaintedPx>,
}

/// What is tuned, and by what.
#[derive(Debug, Clone)]
pub struct TuneTask {
    /// The decoder; it stays as it is.
    pub decoder: Decoder,
    /// Where decoder and features are, without autodiff.
    pub device: Device,
    /// Side of the tiles, px.
    pub tile_px: usize,
    /// Names of the K classes.
    pub classes: Vec<String>,
    /// The class of each stroke, by its place in `classes`.
    pub strokes: Vec<usize>,
    /// The tiles; strokes may go over several.
    pub tiles: Vec<PaintedTile>,
    /// b to begin with, K values, centred or not.
    pub start: Vec<f32>,
    /// The b that training found, to which it is pulled; K values, centred or not.
    pub learned: Vec<f32>,
    /// Added to the logits of each class after all else, and left as they are; K values.
    pub offsets: Vec<f32>,
}

/// How it is tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TuneRules {
    /// λ: what a move by 1 of one bias has to lower the loss by to be worth it, nat.
    pub pull: f64,
    /// Decodes at most, the one of the start among them; at least 2.
    pub most_steps: usize,
    /// It ends when the next step would lower the loss by less than this share of it.
    pub least_gain: f64,
    /// Share of each class's strokes that is held out; at least one is, and one is not.
    pub held_out: f64,
}

impl Default for TuneRules {
    fn default() -> Self {
        Self {
            pull: 5e-4,
            most_steps: 20,
            least_gain: 2e-4,
            held_out: 1.0 / 3.0,
        }
    }
}
