//! What the window asks for.

use std::sync::Arc;

use crate::geometry::{SlidePoint, SlideRect};
use crate::slide::SlideSource;

/// A spot whose likes are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query {
    /// The spot, level-0 px.
    pub at: SlidePoint,
    /// The magnification at which it is looked at: its place in [`crate::segment::live::MAGNIFICATIONS`].
    pub scale: u8,
}

/// All that is asked for at a time; a newer wish replaces an older one altogether. A search goes on
/// where only the view changes.
#[derive(Clone)]
pub struct EmbeddingWish {
    /// The slide, with the scale that is used for it.
    pub slide: Arc<dyn SlideSource>,
    /// A number that no other open slide has.
    pub slide_id: u64,
    /// The magnification of the field: its place in [`crate::segment::live::MAGNIFICATIONS`].
    pub scale: u8,
    /// What is seen of the slide, level-0 px.
    pub seen: SlideRect,
    /// Where the view's middle is, level-0 px: there first.
    pub center: SlidePoint,
    /// The spot whose likes are looked for, if any.
    pub query: Option<Query>,
    /// Whether all of the slide is looked through at 10x after the field, for the best matches or,
    /// without a query, for its colours.
    pub whole_slide_at_10x: bool,
}
