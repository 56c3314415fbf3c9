//! The GPU: the device, textures that hold tiles and pages, and one file a pass.

pub mod atlas;
mod buffers;
pub mod colour;
pub mod device;
#[cfg(test)]
mod layout_tests;
pub mod offscreen;
pub mod overlay;
mod pipelines;
mod quads;
pub mod scene;
pub mod slide_pass;

pub use colour::{ColourTable, DisplayAdjust, StainView};
pub use overlay::{OverlayInput, OverlayRenderer, OverlayStyle};
pub use scene::{SceneInput, TileStore};
pub use slide_pass::{Coverage, SlideRenderer};
