//! Where pixels come from: one trait, one file a source.

pub mod argument;
pub mod error;
mod file_watch;
pub mod hash;
pub mod image_file;
pub mod info;
pub mod open;
pub mod openslide;
pub mod phantom;
pub mod pixels;
mod properties;
pub mod pyramid;
mod region;
mod renewable;
mod tiff_resolution;
pub mod tiled_tiff;

pub use error::SlideError;
pub use info::{AssociatedImage, LevelInfo, ScaleOrigin, SlideHash, SlideInfo};
pub use open::{OPEN_TIMEOUT, open, open_with_timeout};
pub use pixels::Rgba;

use std::path::Path;

use crate::geometry::LevelRegion;

/// A slide that is open. Readers on several threads share one source.
///
/// Sources never panic on hostile files and never change `info` after opening.
pub trait SlideSource: Send + Sync {
    /// What is known of the slide without reading a pixel.
    fn info(&self) -> &SlideInfo;

    /// Pixels of `region` of level `level` as premultiplied sRGB-encoded RGBA, in the slide's own
    /// colour space. Pixels outside the level, or never scanned, are transparent (0, 0, 0, 0).
    ///
    /// # Errors
    /// When the level does not exist, the region is larger than [`MAX_REGION_PX`], or the file
    /// can't be decoded there. A failed read leaves the source usable.
    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError>;

    /// A label, macro or thumbnail image, by the name that `info().associated` lists.
    ///
    /// # Errors
    /// When there is none of that name or it can't be decoded.
    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError>;
}

/// The largest region one read may ask for, in pixels: 64 MiB of RGBA. Larger wishes are cut into
/// tiles by the caller, so that no file can make the program allocate without bound.
pub const MAX_REGION_PX: u64 = 4096 * 4096;

/// What a slide is called on screen: the last part of its path.
fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
