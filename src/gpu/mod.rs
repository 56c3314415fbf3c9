//! The GPU: the device, textures that hold tiles, and one file a pass.

pub mod atlas;
pub mod colour;
pub mod device;
pub mod offscreen;
mod pipelines;
pub mod scene;
pub mod slide_pass;

pub use colour::{ColourTable, DisplayAdjust, StainView};
pub use scene::{SceneInput, TileStore};
pub use slide_pass::{Coverage, SlideRenderer};
