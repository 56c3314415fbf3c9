//! One square tile in memory.

use rayon::prelude::*;

use crate::geometry::UmPoint;
use crate::learn::sampling::tissue::{is_tissue, over_glass};
use crate::slide::{SlideError, SlideSource};

/// Where a square tile lies and how fine it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileAt {
    /// Top-left corner.
    pub origin: UmPoint,
    /// Microns per px.
    pub mpp: f64,
}

/// A square of opaque sRGB pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Side, px.
    pub side_px: u32,
    /// Red, green and blue bytes, rows from the top.
    pub rgb: Vec<u8>,
}

impl Tile {
    /// Reads the tile at `at`; what lies beyond the slide or was not scanned is glass.
    ///
    /// # Errors
    /// When the slide has no px as fine as that, or can't be read there.
    pub fn read(slide: &dyn SlideSource, at: TileAt, side_px: u32) -> Result<Self, SlideError> {
        let picture = slide.read_um(at.origin, at.mpp, side_px, side_px)?;
        let rgb = over_glass(&picture, slide.info().background_rgb);
        Ok(Self { side_px, rgb })
    }

    /// Reads tiles on all cores, in order.
    ///
    /// # Errors
    /// The first that can't be read.
    pub fn read_all(
        slide: &dyn SlideSource,
        places: &[TileAt],
        side_px: u32,
    ) -> Result<Vec<Self>, SlideError> {
        let Some((first, others)) = places.split_first() else {
            return Ok(Vec::new());
        };
        // The first is read outside of the pool: what a source prepares at its first read, it may
        // prepare in the pool itself, and a pool that waits for that would wait for ever.
        let mut tiles = vec![Self::read(slide, *first, side_px)?];
        let rest: Result<Vec<Self>, SlideError> = others
            .par_iter()
            .map(|at| Self::read(slide, *at, side_px))
            .collect();
        tiles.extend(rest?);
        Ok(tiles)
    }

    /// The colours of the square of `side` px at (`left`, `top`), rows from the top; what sticks
    /// out is left out.
    pub fn pixels(&self, left: u32, top: u32, side: u32) -> impl Iterator<Item = [u8; 3]> {
        let columns = left..(left + side).min(self.side_px);
        let rows = top..(top + side).min(self.side_px);
        rows.flat_map(move |row| {
            columns.clone().filter_map(move |column| {
                let at = (row as usize * self.side_px as usize + column as usize) * 3;
                self.rgb.get(at..at + 3)?.try_into().ok()
            })
        })
    }

    /// Share of such a square that is tissue, 0–1.
    pub fn tissue_share(&self, left: u32, top: u32, side: u32) -> f64 {
        let (mut tissue, mut all) = (0_u32, 0_u32);
        for pixel in self.pixels(left, top, side) {
            tissue += u32::from(is_tissue(pixel));
            all += 1;
        }
        f64::from(tissue) / f64::from(all.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_tile_are_found_where_they_are() {
        let glass = [243, 242, 244];
        let stain = [150, 90, 160];
        let tile = Tile {
            side_px: 2,
            rgb: [glass, stain, stain, glass].concat(),
        };
        assert_eq!(tile.tissue_share(0, 0, 2), 0.5);
        assert_eq!(tile.tissue_share(1, 0, 1), 1.0);
        assert_eq!(tile.pixels(1, 1, 9).collect::<Vec<_>>(), [glass]);
        assert_eq!(tile.tissue_share(5, 5, 1), 0.0);
    }
}
