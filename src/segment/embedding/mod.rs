//! Embeddings one can see: the colours of tokens, and what else of a slide looks like a spot.
//!
//! A token is what the encoder says of one patch of a tile. Magnification-Aware Distillation ties
//! *means* of raw tokens over the same square of tissue, 32 µm for tiles of 128 px at 10x and 40x:
//! the mean of 2 × 2 tokens at 10x is to be that of 8 × 8 tokens at 40x. So vectors here are means
//! of raw tokens over squares of fixed µm ([`COLOUR_UM`], [`LIKENESS_UM`]) around each token,
//! whatever the magnification, less the mean of the slide's tissue, which says only that it is
//! tissue. Single tokens know borders and their directions rather than regions.
//!
//! Everything here is plain and runs on the caller's thread; [`EmbeddingEngine::step`] does one
//! small piece of work.

mod basis;
mod engine;
mod model;
mod overlap;
mod paint;
mod patch;
mod published;
mod sample;
mod search;
mod sheet;
mod slide_work;
#[cfg(test)]
mod tests;
mod tile_tokens;
mod wish;

pub use basis::ColourBasis;
pub use engine::{EmbeddingEngine, EmbeddingLimits};
pub use model::{TokenGrid, TokenModel};
pub use overlap::{OverlapError, OverlapPlan, SpotOverlap, measure_overlap};
pub use paint::{COLOUR_UM, LIKENESS_UM, likeness_of};
pub use published::{EmbeddingKey, EmbeddingStatus, EmbeddingView, SharedEmbeddings};
pub use search::{MATCHES_APART_UM, MOST_MATCHES, Match, SearchStatus};
pub use wish::{EmbeddingWish, Query};
