//! Where on a slide tissue is.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::geometry::{SlideRect, UmPoint, UmSize};
pub use crate::slide::tissue::{is_tissue, over_glass};
use crate::slide::{SlideError, SlideSource};

/// Overview px along the slide's longer side: a place is found to within a small part of a parent
/// on usual slides, at the price of one small read.
const OVERVIEW_PX: f64 = 512.0;

/// Where a slide has tissue, from one overview.
#[derive(Debug, Clone)]
pub struct TissueMap {
    origin: UmPoint,
    mpp: f64,
    columns: u32,
    /// Index of every overview px with tissue.
    places: Vec<u32>,
    /// Share of the overview that is tissue, 0–1.
    pub share: f64,
}

impl TissueMap {
    /// Reads an overview of `area`, never finer than the source.
    ///
    /// # Errors
    /// When the source has no scale or can't be read.
    pub fn of(source: &dyn SlideSource, area: Area) -> Result<Self, SlideError> {
        let finest = source.finest_mpp().unwrap_or(0.0);
        let mpp = (area.size.width.max(area.size.height) / OVERVIEW_PX).max(finest);
        let side = |um: f64| (um / mpp).round().max(1.0) as u32;
        let (columns, rows) = (side(area.size.width), side(area.size.height));
        let overview = source.read_um(area.origin, mpp, columns, rows)?;
        // Glass here is white, whatever the slide says of itself.
        let rgb = over_glass(&overview, [255; 3]);
        let pixels = rgb.as_chunks::<3>().0.iter().enumerate();
        let places: Vec<u32> = pixels
            .filter(|(_, pixel)| is_tissue(**pixel))
            .map(|(index, _)| index as u32)
            .collect();
        Ok(Self {
            origin: area.origin,
            mpp,
            columns,
            share: places.len() as f64 / (f64::from(columns) * f64::from(rows)),
            places,
        })
    }

    /// A place in the tissue, every part of it equally likely; `None` where there is no tissue.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Option<UmPoint> {
        if self.places.is_empty() {
            return None;
        }
        let index = *self.places.get(rng.random_range(0..self.places.len()))?;
        let within =
            |px: u32, rng: &mut ChaCha8Rng| (f64::from(px) + rng.random::<f64>()) * self.mpp;
        let x = within(index % self.columns, rng);
        let y = within(index / self.columns, rng);
        Some(UmPoint::new(self.origin.x + x, self.origin.y + y))
    }
}

/// An upright part of a slide, µm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Its top-left corner.
    pub origin: UmPoint,
    /// Its width and height.
    pub size: UmSize,
}

impl Area {
    /// The scanned part of a slide; `None` where it has no scale.
    pub fn of_slide(source: &dyn SlideSource) -> Option<Self> {
        let mpp = source.info().mpp?;
        let content: SlideRect = source.info().content();
        Some(Self {
            origin: mpp.um_from_slide(content.min),
            size: UmSize::new(content.width() * mpp.x, content.height() * mpp.y),
        })
    }

    /// The origin of a square of `side_um` around `centre`, moved to lie within the area where it
    /// fits.
    pub fn square_around(&self, centre: UmPoint, side_um: f64) -> UmPoint {
        let along = |centre: f64, origin: f64, size: f64| {
            origin
                + (centre - side_um / 2.0 - origin)
                    .min(size - side_um)
                    .max(0.0)
        };
        UmPoint::new(
            along(centre.x, self.origin.x, self.size.width),
            along(centre.y, self.origin.y, self.size.height),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_stay_within_their_area() {
        let area = Area {
            origin: UmPoint::new(10.0, 20.0),
            size: UmSize::new(100.0, 50.0),
        };
        let at = |x, y| area.square_around(UmPoint::new(x, y), 40.0);
        assert_eq!(at(60.0, 45.0), UmPoint::new(40.0, 25.0));
        assert_eq!(at(11.0, 69.0), UmPoint::new(10.0, 30.0));
        assert_eq!(
            area.square_around(UmPoint::new(90.0, 45.0), 50.0),
            UmPoint::new(60.0, 20.0)
        );
    }
}
