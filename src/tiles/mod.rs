//! Which tiles a view needs, where they are kept, and the threads that read them.

pub mod cache;
pub mod loader;
pub mod plan;
pub mod pyramid;
pub mod queue;
pub mod reduce;
#[cfg(test)]
pub(crate) mod test_slide;

pub use cache::TileCache;
pub use loader::{LoaderStatus, TileLoader};
pub use plan::{TilePlan, plan};
pub use pyramid::{TilePyramid, ViewLevel};

/// The largest tile side: the side of one layer of the GPU's tile atlas, px.
pub const TILE_PX: u32 = 512;

/// A slide that is open in this run of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlideId(pub u32);

/// One tile of one level of an open slide's [`TilePyramid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileKey {
    /// Which slide.
    pub slide: SlideId,
    /// Index into [`TilePyramid::levels`]; 0 is the finest.
    pub level: u8,
    /// Column, from the left.
    pub col: u32,
    /// Row, from the top.
    pub row: u32,
}
