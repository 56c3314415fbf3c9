//! A source whose scale a person states.

use std::sync::Arc;

use super::{Rgba, ScaleOrigin, SlideError, SlideInfo, SlideSource};
use crate::geometry::{LevelRegion, Mpp};

/// A slide or picture with a stated scale in place of its own or of none.
pub struct Scaled {
    source: Arc<dyn SlideSource>,
    info: SlideInfo,
}

impl Scaled {
    /// `source` as if its file said that level-0 px are `mpp`.
    pub fn new(source: Arc<dyn SlideSource>, mpp: Mpp) -> Self {
        let info = SlideInfo {
            mpp: Some(mpp),
            scale_origin: ScaleOrigin::Typed,
            ..source.info().clone()
        };
        Self { source, info }
    }
}

impl SlideSource for Scaled {
    fn info(&self) -> &SlideInfo {
        &self.info
    }

    fn read_region(&self, level: usize, region: LevelRegion) -> Result<Rgba, SlideError> {
        self.source.read_region(level, region)
    }

    fn read_associated(&self, name: &str) -> Result<Rgba, SlideError> {
        self.source.read_associated(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::UmPoint;
    use crate::slide::image_file::ImageFileSource;

    #[test]
    fn a_picture_without_scale_gets_the_stated_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 0]))
            .save(&path)
            .unwrap();
        let plain: Arc<dyn SlideSource> = Arc::new(ImageFileSource::open(&path).unwrap());
        assert!(plain.read_um(UmPoint::origin(), 0.499, 4, 4).is_err());
        let mpp = Mpp::square(0.499).unwrap();
        let scaled = Scaled::new(plain, mpp);
        assert_eq!(scaled.info().scale_origin, ScaleOrigin::Typed);
        let at = UmPoint::new(10.0 * 0.499, 20.0 * 0.499);
        let read = scaled.read_um(at, 0.499, 4, 4).unwrap();
        assert_eq!(read.pixel(1, 2), Some([11, 22, 0, 255]));
    }
}
