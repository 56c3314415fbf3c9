//! From tiles' scores to px of label pages without leaving the graphics card: scores are kept in one
//! buffer, blended, fused and painted into the textures of pages, and the overlay copies from
//! these. What the rest of the program needs of the px, 4 bytes each, comes back later.
//!
//! One thread owns all of this; another may draw meanwhile, for there is one queue, which does what
//! is handed in first before what is handed in later.

mod arrivals;
mod page_texture;
mod pass;
mod scene;
mod scores;

pub use arrivals::Arrived;
pub use page_texture::PageTexture;
pub use pass::{PAINT_SHADER, REDUCE_SHADER, TilePainter};
pub use scene::{CellPaint, MapKind, PagePaint, PaintRules, PlacedTile, Reduction, ScoredPart};
pub use scores::{KeptScores, ScoreStore};

use super::tensor_buffer::{TensorBufferError, root_cause};

/// What goes wrong on the graphics card.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PaintError {
    /// The device refused: most often it has no memory left.
    #[error("the graphics card is lost or refuses to work on the overlay: {0}")]
    Refused(String),
    /// The device gives no answer.
    #[error("the graphics card stopped answering: {0}")]
    Lost(String),
    /// More tiles at a time than there is room for.
    #[error("the graphics card has no room for the scores of {0} tiles more")]
    NoRoom(usize),
    /// A tensor that can't be used.
    #[error(transparent)]
    Tensor(#[from] TensorBufferError),
}

/// Does something on the device and tells of errors that would otherwise end the thread: burn's
/// handler of errors that nobody catches panics.
pub(super) fn checked<T>(device: &wgpu::Device, act: impl FnOnce() -> T) -> Result<T, PaintError> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let scopes = [Validation, Internal, OutOfMemory].map(|filter| device.push_error_scope(filter));
    let done = act();
    let found = scopes.into_iter().rev();
    let errors: Vec<wgpu::Error> = found
        .filter_map(|scope| pollster::block_on(scope.pop()))
        .collect();
    match errors.first() {
        Some(error) => Err(PaintError::Refused(
            root_cause(&error.to_string()).to_owned(),
        )),
        None => Ok(done),
    }
}
