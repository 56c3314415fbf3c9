//! Where pixels come from: one trait, one file a source.

pub mod argument;
pub mod by_um;
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
pub mod scaled;
mod sidecars;
mod tiff_resolution;
pub mod tiled_tiff;
pub mod tissue;

pub use error::SlideError;
pub use info::{AssociatedImage, LevelInfo, ScaleOrigin, SlideHash, SlideInfo};
pub use open::{OPEN_TIMEOUT, open, open_with_timeout};
pub use pixels::Rgba;

use std::path::Path;

use crate::geometry::{LevelRegion, UmPoint};

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

    /// The picture by microns: `width` × `height` px of `mpp` µm, whose top-left corner lies at
    /// `origin`, which may be between px. Premultiplied; transparent beyond the slide, or glass
    /// where the source draws that. Never up-sampled: `mpp` may be 1 % finer than the finest px at
    /// most.
    ///
    /// # Errors
    /// When the slide has no scale or no px as fine as `mpp`, more than [`MAX_REGION_PX`] px are
    /// asked for, or the file can't be decoded there.
    fn read_um(
        &self,
        origin: UmPoint,
        mpp: f64,
        width: u32,
        height: u32,
    ) -> Result<Rgba, SlideError> {
        by_um::read(self, origin, mpp, (width, height))
    }

    /// The finest scale that [`Self::read_um`] has px for, µm/px; `None` without a scale.
    fn finest_mpp(&self) -> Option<f64> {
        by_um::finest_mpp(self.info())
    }
}

/// The largest region one read may ask for, in pixels: 64 MiB of RGBA. Larger wishes are cut into
/// tiles by the caller, so that no file can make the program allocate without bound.
pub const MAX_REGION_PX: u64 = 4096 * 4096;

/// What a slide is called on screen: the last part of its path.
fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
