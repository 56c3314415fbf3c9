//! Class maps and heat maps over a slide, from pages of label rasters, in two passes: what the
//! labels say at each px of the view, and what that looks like.

mod input;
pub mod label_map;
mod look;
mod parts;
pub mod pass;
mod pipelines;
mod scene;
mod style;

pub use input::{LayerKey, OverlayInput, OverlayLayer, PageStore, SeenTexel, texel_at};
pub(in crate::gpu) use parts::pages_seen;
pub use pass::{OverlayCoverage, OverlayRenderer};
pub use style::{
    OverlayContent, OverlayShape, OverlayStyle, VEILED_GLASS_RGB, class_palette, heat_rgb,
    outline_rgb,
};
