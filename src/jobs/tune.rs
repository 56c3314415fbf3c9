//! Dials from strokes, in small pieces beside the overlay's work: the same tiles, the same features.

mod painted;
#[cfg(test)]
mod tests;
mod tuner;

use std::sync::Arc;

pub use self::tuner::Tuner;
use crate::annotate::Stroke;
use crate::slide::SlideSource;

/// Tiles that are tuned on at most.
pub const MOST_TILES: usize = 48;

/// Strokes, and what they are to be compared with.
#[derive(Clone)]
pub struct TuneRequest {
    /// The slide, with the scale that is used for it.
    pub slide: Arc<dyn SlideSource>,
    /// Its number, as in [`crate::segment::live::LayerKey`].
    pub slide_id: u64,
    /// The magnification, by its place in [`crate::segment::live::MAGNIFICATIONS`].
    pub scale: u8,
    /// The strokes, the first painted first. Those of classes that the model has not are left out.
    pub strokes: Vec<Stroke>,
    /// b by class as it is now, centred or not.
    pub bias: Vec<f32>,
    /// Added to the scores by class after all else, and left as they are.
    pub offsets: Vec<f32>,
}

/// New dials, to be accepted or not.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneOutcome {
    /// b by class, centred.
    pub bias: Vec<f32>,
    /// What the dials show then, by class: b less its prior and learned part.
    pub dials: Vec<f32>,
    /// Loss of the strokes that were fitted to, before, nat.
    pub loss_before: f64,
    /// The same, after.
    pub loss_after: f64,
    /// Share of the px of held-out strokes that are right before, 0–1; none where no stroke could be
    /// held out of some class.
    pub accuracy_before: Option<f64>,
    /// The same, after.
    pub accuracy_after: Option<f64>,
    /// Strokes that were fitted to.
    pub strokes_fitted: usize,
    /// Strokes that were held out.
    pub strokes_held_out: usize,
    /// Strokes that were not used: of classes that the model has not, beyond the slide or its px, or
    /// on none of the tiles.
    pub strokes_left_out: usize,
    /// Tiles that were used.
    pub tiles: usize,
    /// Tiles that the strokes touch: at most [`MOST_TILES`] of them are used.
    pub tiles_painted: usize,
    /// Decodes of all tiles.
    pub steps: usize,
    /// Time from the first piece of work to the last, s.
    pub seconds: f64,
}

/// How far a tuning is.
#[derive(Debug, Clone, PartialEq)]
pub enum TuneState {
    /// Tiles are encoded.
    Preparing {
        /// Tiles that are ready.
        done: usize,
        /// Tiles of all.
        total: usize,
    },
    /// The bias is tuned.
    Running {
        /// Decodes so far.
        step: usize,
        /// Decodes at most.
        most: usize,
        /// The loss now, nat.
        loss: f64,
    },
    /// New dials.
    Done(TuneOutcome),
    /// The dials stay as they are, and why.
    Refused(String),
    /// Slide or model failed, and why.
    Failed(String),
}
