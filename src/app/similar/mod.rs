//! Embeddings one can see: their colours, and what else of a slide looks like a spot.

mod paint;
mod work;

pub use work::{content_of, drawn_key};

pub use paint::paint;

use crate::geometry::SlidePoint;
use crate::segment::embedding::{EmbeddingStatus, EmbeddingView, Query};
use crate::slide::SlideHash;

use super::state::PaneIndex;

/// What is asked of embeddings; part of [`super::command::Command`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SimilarCommand {
    /// Draw embeddings in place of classes, or no more.
    Show(Option<EmbeddingView>),
    /// The next click on a slide picks a spot.
    Pick(bool),
    /// Look for what is like a spot of a pane's slide.
    Ask(PaneIndex, SlidePoint),
    /// Look for what is like the spot under the pointer.
    AskUnderPointer,
    /// Stop looking.
    Clear,
    /// Go to a match, by its place in the list.
    Visit(usize),
}

/// What the window knows of embeddings.
#[derive(Default)]
pub struct Similar {
    /// What is drawn in place of classes.
    pub shown: Option<EmbeddingView>,
    /// Whether the next click picks a spot.
    pub picking: bool,
    /// The spot that was picked, and of which slide.
    pub query: Option<(SlideHash, Query)>,
    /// How far the work is.
    pub status: EmbeddingStatus,
    /// The match that is visited.
    pub at: Option<usize>,
}
