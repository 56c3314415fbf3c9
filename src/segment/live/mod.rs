//! Segmentation of what is being looked at: tiles of the visible field first, features kept, and
//! every new bias decoded from them.
//!
//! Everything here is plain and runs on the caller's thread; [`Engine::step`] does one small piece
//! of work. Tiles, windows and sums are those of a whole slide's label map, so that the overlay is
//! what `parfocal segment` would write, px by px.

mod byte_cache;
mod cell;
mod engine;
mod field;
mod layer;
mod local_tissue;
mod model;
mod pace;
mod paint;
mod published;
#[cfg(test)]
mod tests;
mod wish;

pub use engine::{Engine, Limits, Step};
pub use layer::{Analysis, LayerKey, MAGNIFICATIONS, magnifications_of};
pub use model::LiveModel;
pub use published::{FieldAreas, LiveStatus, Published, SharedLayers};
pub use wish::{FieldWish, Wish};
