//! Progress, counted in tiles, and the wish to stop.

use std::ops::ControlFlow;

use super::EvalError;

/// Told of every batch of tiles.
pub struct Watch<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl<'a> Watch<'a> {
    /// Nothing done of `total` tiles.
    pub fn new(total: u64, progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Self {
        Self {
            done: 0,
            total,
            progress,
        }
    }

    /// Counts `tiles` more.
    ///
    /// # Errors
    /// When the work is to stop.
    pub fn add(&mut self, tiles: usize) -> Result<(), EvalError> {
        // The total is a forecast: slides may have fewer places than wanted.
        self.done += tiles as u64;
        match (self.progress)(self.done.min(self.total), self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(EvalError::Cancelled),
        }
    }
}
