//! Which tiles of a slide: a grid anchored to the slide, whatever part is asked for.

use std::ops::Range;

use super::TileAt;
use crate::geometry::UmPoint;
use crate::slide::SlideInfo;

/// An upright part of a slide, µm from its origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x_um: f64,
    /// Top edge.
    pub y_um: f64,
    /// Width.
    pub width_um: f64,
    /// Height.
    pub height_um: f64,
}

impl Region {
    /// The scanned part of a slide; `None` where it has no scale.
    pub fn of_slide(info: &SlideInfo) -> Option<Self> {
        let mpp = info.mpp?;
        let content = info.content();
        let (min, max) = (
            mpp.um_from_slide(content.min),
            mpp.um_from_slide(content.max),
        );
        Some(Self {
            x_um: min.x,
            y_um: min.y,
            width_um: max.x - min.x,
            height_um: max.y - min.y,
        })
    }

    /// The part that lies in both; `None` where there is none.
    pub fn within(&self, other: &Self) -> Option<Self> {
        let (x, width) = overlap((self.x_um, self.width_um), (other.x_um, other.width_um))?;
        let (y, height) = overlap((self.y_um, self.height_um), (other.y_um, other.height_um))?;
        Some(Self {
            x_um: x,
            y_um: y,
            width_um: width,
            height_um: height,
        })
    }
}

fn overlap(a: (f64, f64), b: (f64, f64)) -> Option<(f64, f64)> {
    let start = a.0.max(b.0);
    let length = (a.0 + a.1).min(b.0 + b.1) - start;
    (length > 0.0).then_some((start, length))
}

/// Tiles side by side from the slide's origin on, of which those are meant that a region touches.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    mpp: f64,
    side_um: f64,
    columns: Range<i64>,
    rows: Range<i64>,
}

/// Touching by less than this part of a tile is rounding, not touching.
const SLIVER: f64 = 1e-6;

impl Grid {
    /// Tiles of `side_px` px of `mpp` µm that `region` touches.
    pub fn over(region: &Region, mpp: f64, side_px: u32) -> Self {
        let side_um = mpp * f64::from(side_px);
        let span = |start: f64, length: f64| {
            let first = (start / side_um + SLIVER).floor() as i64;
            let end = ((start + length) / side_um - SLIVER).ceil() as i64;
            first..end.max(first)
        };
        Self {
            mpp,
            side_um,
            columns: span(region.x_um, region.width_um),
            rows: span(region.y_um, region.height_um),
        }
    }

    /// Number of tiles.
    pub fn count(&self) -> u64 {
        let length = |range: &Range<i64>| (range.end - range.start).max(0) as u64;
        length(&self.columns).saturating_mul(length(&self.rows))
    }

    /// Tile `n`, row by row from the top.
    pub fn tile(&self, n: u64) -> TileAt {
        let columns = (self.columns.end - self.columns.start).max(1) as u64;
        let column = self.columns.start + (n % columns) as i64;
        let row = self.rows.start + (n / columns) as i64;
        TileAt {
            origin: UmPoint::new(column as f64 * self.side_um, row as f64 * self.side_um),
            mpp: self.mpp,
        }
    }

    /// The middle of a tile of this grid.
    pub fn centre(&self, tile: TileAt) -> UmPoint {
        let half = self.side_um / 2.0;
        UmPoint::new(tile.origin.x + half, tile.origin.y + half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(x_um: f64, y_um: f64, width_um: f64, height_um: f64) -> Region {
        Region {
            x_um,
            y_um,
            width_um,
            height_um,
        }
    }

    #[test]
    fn a_part_has_the_tiles_that_the_whole_has_there() {
        let whole = Grid::over(&region(0.0, 0.0, 1000.0, 600.0), 1.0, 128);
        assert_eq!(whole.count(), 8 * 5);
        let all: Vec<UmPoint> = (0..whole.count())
            .map(|n| whole.centre(whole.tile(n)))
            .collect();
        let part = Grid::over(&region(130.0, 256.0, 300.0, 10.0), 1.0, 128);
        assert_eq!(part.count(), 3);
        for n in 0..part.count() {
            assert!(all.contains(&part.centre(part.tile(n))));
        }
        assert_eq!(part.tile(0).origin, UmPoint::new(128.0, 256.0));
    }

    #[test]
    fn edges_on_the_grid_touch_no_further_tile() {
        // 0.499 · 128 is no round number.
        let side_um = 0.499 * 128.0;
        let exact = region(3.0 * side_um, 0.0, 2.0 * side_um, side_um);
        let grid = Grid::over(&exact, 0.499, 128);
        assert_eq!((grid.columns.clone(), grid.rows.clone()), (3..5, 0..1));
        assert_eq!(Grid::over(&region(0.0, 0.0, 0.0, 9.0), 1.0, 128).count(), 0);
    }

    #[test]
    fn regions_are_cut_to_the_slide() {
        let slide = region(0.0, 0.0, 100.0, 50.0);
        let cut = region(-10.0, 40.0, 30.0, 30.0).within(&slide);
        assert_eq!(cut, Some(region(0.0, 40.0, 20.0, 10.0)));
        assert_eq!(region(100.0, 0.0, 5.0, 5.0).within(&slide), None);
    }
}
