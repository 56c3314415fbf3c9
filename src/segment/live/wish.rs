//! What the window asks for.

use std::sync::Arc;

use super::layer::Analysis;
use crate::geometry::{SlidePoint, SlideRect};
use crate::slide::SlideSource;

/// One view's field.
#[derive(Clone)]
pub struct FieldWish {
    /// The slide, with the scale that is used for it.
    pub slide: Arc<dyn SlideSource>,
    /// Its number in [`super::LayerKey`].
    pub slide_id: u64,
    /// The map that is wanted of it.
    pub analysis: Analysis,
    /// What is seen of the slide, level-0 px.
    pub seen: SlideRect,
    /// Where the view's middle is, level-0 px: there first.
    pub center: SlidePoint,
}

/// All that is asked for at a time; a newer wish replaces an older one altogether.
#[derive(Clone, Default)]
pub struct Wish {
    /// The fields of all views, the one that a person acts on first.
    pub fields: Vec<FieldWish>,
    /// b by class, centred or not.
    pub bias: Vec<f32>,
    /// Added to the scores by class after all else; not part of Dynamic Focal Attention.
    pub offsets: Vec<f32>,
    /// The class whose probability is kept beside the classes; none: that of the px's own class.
    pub shown_class: Option<usize>,
}

impl Wish {
    /// Whether scores made for one wish are right for the other.
    pub fn decodes_as(&self, other: &Self) -> bool {
        self.bias == other.bias
            && self.offsets == other.offsets
            && self.shown_class == other.shown_class
    }
}
