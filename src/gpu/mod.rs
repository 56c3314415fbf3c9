//! The GPU: the device, textures that hold tiles and pages, and one file a pass.

pub mod atlas;
mod buffers;
pub mod colour;
pub mod device;
pub mod device_watch;
#[cfg(test)]
mod layout_tests;
pub mod offscreen;
pub mod overlay;
pub mod paint_tiles;
mod pipelines;
mod quads;
#[cfg(test)]
mod read_back;
mod read_picture;
pub mod scene;
pub mod slide_pass;
pub mod tensor_buffer;
mod upload_budget;

pub use colour::{ColourTable, DisplayAdjust, StainView};
pub use device_watch::DeviceWatch;
pub use overlay::{OverlayInput, OverlayRenderer, OverlayStyle};
pub use read_picture::read_picture;
pub use scene::{SceneInput, TileStore};
pub use slide_pass::{Coverage, SlideRenderer};
pub use upload_budget::UploadBudget;
