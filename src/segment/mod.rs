//! A slide's label map by a network: tiles, blending, files.
//!
//! A network is known as a [`TileModel`]; [`Network`] makes one of weights. Tiles lie on a grid anchored to the slide, those
//! without tissue are skipped, neighbours are blended, and rows are finished one after the other,
//! so that memory is bounded and a killed run goes on where it was.

pub mod agreement;
mod assemble;
mod band;
pub mod compare;
pub mod embedding;
mod error;
pub mod export;
pub mod field;
pub mod fusion;
pub mod grid;
pub mod live;
mod model;
mod network;
mod readers;
mod report;
#[cfg(test)]
mod result_tests;
mod row_file;
mod run;
pub mod seams;
mod settings;
mod shifted;
mod stitch;
#[cfg(test)]
mod stitch_tests;
#[cfg(test)]
pub(crate) mod test_slide;
#[cfg(test)]
mod tests;
mod tiles;
pub mod tissue;
mod window;
mod work;

pub use crate::labels::NOT_ANALYSED;
pub use agreement::{Agreement, CodePairs};
pub use band::{RowStats, Times};
pub use error::SegmentError;
pub use field::{Field, segment_in_memory};
pub use grid::{GridError, GridSpec, TileGrid, TileId};
pub use model::{MOST_CLASSES, ModelError, RgbTile, TileModel};
pub use network::Network;
pub use report::{ClassArea, GridReport, Report, TileCounts};
pub use run::{RunOptions, segment_slide};
pub use seams::{SeamProfile, Seams};
pub use settings::{Outputs, Settings};
pub use shifted::ShiftedGrid;
pub use tiles::Pace;
pub use tissue::TissueMap;
pub use window::window;
pub use work::WorkFolder;
