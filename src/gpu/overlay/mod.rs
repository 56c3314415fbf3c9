//! Class maps and heat maps over a slide, drawn by a shader from pages of label rasters.

mod input;
pub mod pass;
mod pipelines;
mod scene;
mod style;
mod wanted;

pub use input::{LayerKey, OverlayInput, OverlayLayer, PageStore, SeenTexel, texel_at};
pub use pass::{OverlayCoverage, OverlayRenderer};
pub use style::{OverlayContent, OverlayShape, OverlayStyle, default_palette, heat_rgb};
pub(in crate::gpu) use wanted::pages_seen;
