//! Segmentation of what is being looked at: tiles of the visible field first, features kept, and
//! every new bias decoded from them.
//!
//! Everything here is plain and runs on the caller's thread; [`Engine::step`] does one small piece
//! of work. Tiles, windows and sums are those of a whole slide's label map, so that the overlay is
//! what `parfocal segment` would write, px by px.

mod agree;
#[cfg(test)]
mod agreement_tests;
pub(super) mod byte_cache;
mod canvas;
mod cell;
mod engine;
mod field;
mod layer;
pub(super) mod local_tissue;
mod model;
#[cfg(test)]
mod one_sided_tests;
mod pace;
mod paint;
#[cfg(test)]
mod part_tests;
mod published;
mod said;
mod still;
#[cfg(test)]
mod tests;
mod wish;

pub use canvas::{CellPainter, CellWork, OnProcessor, PaintOrder, Part, TileScores};
pub use cell::{LogMap, TileSays};
pub use engine::{Engine, Limits, Step};
pub use field::{CellPlace, Sheet};
pub use layer::{Analysis, LayerKey, MAGNIFICATIONS, magnifications_of};
pub use model::LiveModel;
pub use published::{FieldAreas, LiveStatus, Published, SharedLayers};
pub use still::StillField;
pub use wish::{FieldWish, Wish};
