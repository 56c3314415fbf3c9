//! Which tiles: a grid anchored to the slide, whatever is asked for.
//!
//! The analysed picture is a raster of `mpp` µm whose px (0, 0) begins at the slide's level-0
//! origin. Tile (column, row) is answerable for its core, a square of `step` px; its `halo` on
//! every side gives the network context. Within `blend` px of a core's border, the answers of the
//! tiles on both sides are blended, so `blend` is at most the halo.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::geometry::UmPoint;
use crate::slide::SlideInfo;
use crate::slide::by_um::{ScaleError, analysed_scale, finest_mpp};

/// Part of a px by which the slide may pass it without there being another px: rounding.
const SLIVER: f64 = 1e-6;

/// How a slide is cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GridSpec {
    /// Scale of the analysis, µm/px.
    pub mpp: f64,
    /// Side of the tiles, px; the model's.
    pub tile_px: u32,
    /// Context on every side of a tile's core, px.
    pub halo_px: u32,
    /// Reach of the blending to both sides of a core's border, px; 0 cuts hard.
    pub blend_px: u32,
    /// Whether the grid is moved by half a core, up and to the left: for comparison.
    pub shifted: bool,
}

impl GridSpec {
    /// The grid for tiles of `tile_px` px of `mpp` µm of which neighbours share half, all of it
    /// blended: where networks see little around a px, tiles disagree, and that is spread widest.
    pub fn new(mpp: f64, tile_px: u32) -> Self {
        Self::overlapping(mpp, tile_px, 0.5)
    }

    /// The grid of which neighbouring tiles share `overlap` of their side, 0 to a half, all of it
    /// blended.
    pub fn overlapping(mpp: f64, tile_px: u32, overlap: f64) -> Self {
        let halo_px = (f64::from(tile_px) * overlap.clamp(0.0, 0.5) / 2.0) as u32;
        Self {
            mpp,
            tile_px,
            halo_px,
            blend_px: halo_px,
            shifted: false,
        }
    }

    /// Side of a core and distance from tile to tile, px.
    pub fn step_px(&self) -> u32 {
        self.tile_px.saturating_sub(self.halo_px.saturating_mul(2))
    }

    /// How far left of and above the slide's origin the grid begins, px.
    pub fn offset_px(&self) -> u32 {
        if self.shifted { self.step_px() / 2 } else { 0 }
    }

    fn check(&self) -> Result<(), GridError> {
        let refuse = |reason: String| Err(GridError::Spec { reason });
        let Self {
            tile_px,
            halo_px,
            blend_px,
            ..
        } = *self;
        if !(self.mpp.is_finite() && self.mpp > 0.0) {
            return refuse(format!("{} um/px is no scale", self.mpp));
        }
        if self.step_px() == 0 {
            return refuse(format!(
                "a halo of {halo_px} px leaves nothing of {tile_px} px"
            ));
        }
        if blend_px > halo_px || blend_px.saturating_mul(2) > self.step_px() {
            return refuse(format!(
                "blending over {blend_px} px needs a halo of as many and a core of at least twice \
                 as many; there are {halo_px} and {} px",
                self.step_px()
            ));
        }
        Ok(())
    }
}

/// A slide that can't be cut as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridError {
    /// The slide has no scale, or no pixels as fine as that.
    #[error(transparent)]
    Scale(#[from] ScaleError),
    /// Tile, halo and blending do not go together.
    #[error("no grid of tiles: {reason}")]
    Spec {
        /// What does not fit.
        reason: String,
    },
    /// More px than any format has room for.
    #[error("{slide}: {width_px:.0} x {height_px:.0} px at {mpp} um/px are too many")]
    TooLarge {
        /// The slide.
        slide: String,
        /// Width of the analysed picture.
        width_px: f64,
        /// Height of the analysed picture.
        height_px: f64,
        /// Scale of the analysis.
        mpp: f64,
    },
}

/// The most px along a side: what lengths of 31 bits hold.
const MOST_PX: f64 = 2_147_483_647.0;

/// A tile of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileId {
    /// From the left.
    pub column: u32,
    /// From the top.
    pub row: u32,
}

/// The tiles that cover a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileGrid {
    /// How the slide is cut.
    pub spec: GridSpec,
    /// Width and height of the analysed picture, px: every px that the slide touches.
    pub size_px: (u32, u32),
}

impl TileGrid {
    /// The grid over all of a slide.
    ///
    /// # Errors
    /// When the slide has no scale or no px as fine as asked for, or the numbers do not fit.
    pub fn over(info: &SlideInfo, spec: GridSpec) -> Result<Self, GridError> {
        spec.check()?;
        let base = analysed_scale(info, finest_mpp(info), spec.mpp)?;
        let px = |level0_px: f64, base_mpp: f64| (level0_px * base_mpp / spec.mpp - SLIVER).ceil();
        let (width_px, height_px) = (
            px(info.size().width, base.x),
            px(info.size().height, base.y),
        );
        if width_px.max(height_px) > MOST_PX {
            return Err(GridError::TooLarge {
                slide: info.name.clone(),
                width_px,
                height_px,
                mpp: spec.mpp,
            });
        }
        let size_px = (width_px.max(1.0) as u32, height_px.max(1.0) as u32);
        Ok(Self { spec, size_px })
    }

    /// Number of tiles from left to right.
    pub fn columns(&self) -> u32 {
        (self.size_px.0 + self.spec.offset_px()).div_ceil(self.spec.step_px())
    }

    /// Number of tiles from top to bottom.
    pub fn rows(&self) -> u32 {
        (self.size_px.1 + self.spec.offset_px()).div_ceil(self.spec.step_px())
    }

    /// First px of the core of the tile with this index along an axis; may be negative.
    pub fn core_start(&self, index: u32) -> i64 {
        i64::from(index) * i64::from(self.spec.step_px()) - i64::from(self.spec.offset_px())
    }

    /// Top-left corner of a tile with its halo; may lie beyond the slide.
    pub fn origin_um(&self, tile: TileId) -> UmPoint {
        let um = |index: u32| {
            (self.core_start(index) - i64::from(self.spec.halo_px)) as f64 * self.spec.mpp
        };
        UmPoint::new(um(tile.column), um(tile.row))
    }

    /// The px on which a tile has a say: its core and what it blends into, within the slide.
    pub fn kept(&self, tile: TileId) -> (Range<u32>, Range<u32>) {
        let along = |index: u32, side: u32| {
            let blend = i64::from(self.spec.blend_px);
            let start = self.core_start(index) - blend;
            let end = self.core_start(index) + i64::from(self.spec.step_px()) + blend;
            clip(start..end, side)
        };
        (
            along(tile.column, self.size_px.0),
            along(tile.row, self.size_px.1),
        )
    }

    /// The columns of px of the core of tiles of `column`, within the slide.
    pub fn core_columns(&self, column: u32) -> Range<u32> {
        let start = self.core_start(column);
        clip(
            start..start + i64::from(self.spec.step_px()),
            self.size_px.0,
        )
    }

    /// The rows of px that no tile below `row` has a say on, and none above finished.
    pub fn band(&self, row: u32) -> Range<u32> {
        let blend = i64::from(self.spec.blend_px);
        let start = if row == 0 {
            0
        } else {
            self.core_start(row) - blend
        };
        let end = if row + 1 >= self.rows() {
            self.size_px.1.into()
        } else {
            self.core_start(row + 1) - blend
        };
        clip(start..end, self.size_px.1)
    }

    /// Square millimetres of one px.
    pub fn px_mm2(&self) -> f64 {
        self.spec.mpp * self.spec.mpp / 1e6
    }
}

fn clip(range: Range<i64>, side: u32) -> Range<u32> {
    let within = |at: i64| at.clamp(0, side.into()) as u32;
    within(range.start)..within(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::test_slide::Painted;
    use crate::slide::SlideSource as _;

    fn info(width: u32, height: u32, mpp: Option<f64>) -> SlideInfo {
        Painted::new(width, height, mpp, |_, _| [200; 3])
            .info()
            .clone()
    }

    #[test]
    fn the_analysed_picture_has_every_px_that_the_slide_touches() {
        for (side, base, mpp, expected) in [
            (1001, 0.25, 1.0, 251),
            (1000, 0.25, 1.0, 250),
            (4000, 0.2325, 0.25, 3720),
            (2220, 0.499, 0.5, 2216),
            (2220, 0.499, 1.0, 1108),
            (1, 0.25, 1.0, 1),
        ] {
            let grid = TileGrid::over(&info(side, side, Some(base)), GridSpec::new(mpp, 256));
            assert_eq!(
                grid.unwrap().size_px,
                (expected, expected),
                "{side} at {base}"
            );
        }
    }

    #[test]
    fn cores_and_bands_cover_each_px_once() {
        for shifted in [false, true] {
            for side in [1, 23, 24, 25, 96, 97, 107, 108, 109] {
                let spec = GridSpec {
                    mpp: 0.25,
                    tile_px: 32,
                    halo_px: 4,
                    blend_px: 3,
                    shifted,
                };
                let grid = TileGrid::over(&info(side, side, Some(0.25)), spec).unwrap();
                let cores: Vec<u32> = (0..grid.columns())
                    .flat_map(|c| grid.core_columns(c))
                    .collect();
                let bands: Vec<u32> = (0..grid.rows()).flat_map(|r| grid.band(r)).collect();
                let every: Vec<u32> = (0..side).collect();
                assert_eq!((cores, bands), (every.clone(), every), "{side} {shifted}");
            }
        }
    }

    #[test]
    fn a_shifted_grid_is_half_a_core_off_and_both_are_anchored_to_the_slide() {
        let spec = GridSpec::new(0.5, 256);
        let at = |shifted, column| {
            let spec = GridSpec { shifted, ..spec };
            let grid = TileGrid::over(&info(999, 777, Some(0.25)), spec).unwrap();
            grid.origin_um(TileId { column, row: 0 })
        };
        assert_eq!(at(false, 0), UmPoint::new(-32.0, -32.0));
        assert_eq!(at(false, 1), UmPoint::new(32.0, -32.0));
        assert_eq!(at(true, 1), UmPoint::new(0.0, -64.0));
    }

    #[test]
    fn what_can_not_be_cut_is_refused_in_words() {
        let said = |mpp: Option<f64>, spec: GridSpec| {
            TileGrid::over(&info(500, 500, mpp), spec)
                .unwrap_err()
                .to_string()
        };
        assert!(said(None, GridSpec::new(1.0, 256)).contains("does not state its scale"));
        let finer = said(Some(0.499), GridSpec::new(0.25, 256));
        assert!(
            finer.contains("nothing is up-sampled: ask for --mag 20.04 or less"),
            "{finer}"
        );
        let all_halo = GridSpec {
            halo_px: 128,
            ..GridSpec::new(1.0, 256)
        };
        assert!(said(Some(0.25), all_halo).contains("leaves nothing of 256 px"));
        let wide = GridSpec {
            blend_px: 65,
            ..GridSpec::new(1.0, 256)
        };
        assert!(said(Some(0.25), wide).contains("blending over 65 px"));
        assert!(said(Some(0.25), GridSpec::new(f64::NAN, 256)).contains("no scale"));
        // Scanners state mpp to three digits: 1 % is no up-sampling.
        assert!(TileGrid::over(&info(500, 500, Some(0.252)), GridSpec::new(0.25, 256)).is_ok());
    }
}
