//! Embeddings of tiles: in memory, and of a slide's tissue as a file that numpy opens.

mod features;
mod grid;
mod npz;
mod slide;
#[cfg(test)]
mod tests;
mod tile;

pub use features::{Block, FeatureError, Features, batch};
pub use grid::{Grid, Region};
pub use npz::{Column, NpzWriter};
pub use slide::{EmbedError, EmbedOptions, EmbedReport, embed_slide};
pub use tile::{Tile, TileAt};
