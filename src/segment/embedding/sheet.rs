//! A slide cut for one magnification: which tiles have which tokens.

use std::collections::HashMap;
use std::ops::Range;

use super::patch::reach;
use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::Raster;
use crate::segment::grid::{GridError, GridSpec, TileGrid, TileId};
use crate::slide::SlideSource;

/// Tiles along each side of a field that are worked on at most: of larger ones the middle.
const MOST_TILES: u32 = 64;

/// One part of this of a tile's side, on every side, is context: tokens at the very border differ by
/// half as much again from those that other tiles give for the same place, further in hardly.
const HALO_PART: u32 = 8;

/// Tiles of which each is answerable for the tokens of its core.
pub struct TokenSheet {
    /// How the slide is cut; tiles do not blend.
    pub grid: TileGrid,
    /// Where tokens lie on the slide: a px is a token.
    pub raster: Raster,
    patch_px: u32,
    /// Tiles that have no tokens: of glass, or why they failed.
    pub without: HashMap<TileId, Option<String>>,
}

impl TokenSheet {
    /// Cuts a slide into tiles of `tile_px` px of `mpp` µm with patches of `patch_px`.
    ///
    /// # Errors
    /// When the slide has no scale or no px as fine as that, or patches do not fill tiles.
    pub fn new(
        slide: &dyn SlideSource,
        (tile_px, patch_px): (u32, u32),
        mpp: f64,
    ) -> Result<Self, GridError> {
        if patch_px == 0 || !tile_px.is_multiple_of(patch_px) || tile_px / patch_px < 4 {
            let reason = format!(
                "tiles of {tile_px} px are not of 4 or more patches of {patch_px} px a side"
            );
            return Err(GridError::Spec { reason });
        }
        let halo_px = (tile_px / patch_px / HALO_PART).max(1) * patch_px;
        let spec = GridSpec {
            mpp,
            tile_px,
            halo_px,
            blend_px: 0,
            shifted: false,
        };
        let grid = TileGrid::over(slide.info(), spec)?;
        let base = slide.info().mpp.map_or((mpp, mpp), |base| (base.x, base.y));
        let token_um = mpp * f64::from(patch_px);
        let tokens = |px: u32| px.div_ceil(patch_px);
        Ok(Self {
            grid,
            raster: Raster {
                slide_px_per_px: (token_um / base.0, token_um / base.1),
                size_px: (tokens(grid.size_px.0), tokens(grid.size_px.1)),
            },
            patch_px,
            without: HashMap::new(),
        })
    }

    /// Side of a token on the slide, µm.
    pub fn token_um(&self) -> f64 {
        self.grid.spec.mpp * f64::from(self.patch_px)
    }

    /// Tokens between a tile's border and its core.
    pub fn halo(&self) -> u32 {
        self.grid.spec.halo_px / self.patch_px
    }

    /// Tokens along a core's side.
    pub fn core_side(&self) -> u32 {
        self.grid.spec.step_px() / self.patch_px
    }

    /// Number of tiles.
    pub fn tiles(&self) -> u64 {
        u64::from(self.grid.columns()) * u64::from(self.grid.rows())
    }

    /// The tiles row by row, by number.
    pub fn tile(&self, number: u64) -> TileId {
        let columns = u64::from(self.grid.columns());
        TileId {
            column: (number % columns) as u32,
            row: (number / columns) as u32,
        }
    }

    /// A tile's number.
    pub fn number(&self, tile: TileId) -> u64 {
        u64::from(tile.row) * u64::from(self.grid.columns()) + u64::from(tile.column)
    }

    /// The tokens of a tile's core, on the slide.
    pub fn core(&self, tile: TileId) -> (Range<u32>, Range<u32>) {
        let along = |index: u32, side: u32| {
            let start = index * self.core_side();
            start.min(side)..(start + self.core_side()).min(side)
        };
        let (columns, rows) = self.raster.size_px;
        (along(tile.column, columns), along(tile.row, rows))
    }

    /// The tiles whose cores hold some of columns `x` and rows `y` of tokens, row by row.
    pub fn tiles_of(&self, x: &Range<u32>, y: &Range<u32>) -> Vec<TileId> {
        let along =
            |px: &Range<u32>| px.start / self.core_side()..px.end.div_ceil(self.core_side());
        let columns = along(x);
        let of_row = |row| columns.clone().map(move |column| TileId { column, row });
        along(y).flat_map(of_row).collect()
    }

    /// As [`Self::tiles_of`], those nearest to a place of the slide first.
    pub fn nearest_first(&self, x: &Range<u32>, y: &Range<u32>, place: SlidePoint) -> Vec<TileId> {
        let (at_x, at_y) = self.in_tokens(place);
        let away = |tile: &TileId| {
            let middle = |index: u32| (f64::from(index) + 0.5) * f64::from(self.core_side());
            let (x, y) = (middle(tile.column) - at_x, middle(tile.row) - at_y);
            (x * x + y * y) as u64
        };
        let mut tiles = self.tiles_of(x, y);
        tiles.sort_by_cached_key(|tile| (away(tile), tile.row, tile.column));
        tiles
    }

    /// Tokens and as many around them as squares of `side_um` µm around each reach.
    pub fn widened(
        &self,
        x: &Range<u32>,
        y: &Range<u32>,
        side_um: f64,
    ) -> (Range<u32>, Range<u32>) {
        let reach = reach(side_um / self.token_um());
        let along =
            |px: &Range<u32>, side: u32| px.start.saturating_sub(reach)..(px.end + reach).min(side);
        let (columns, rows) = self.raster.size_px;
        (along(x, columns), along(y, rows))
    }

    /// A place of the slide in tokens from its corner.
    pub fn in_tokens(&self, place: SlidePoint) -> (f64, f64) {
        let scale = self.raster.slide_px_per_px;
        (place.x / scale.0, place.y / scale.1)
    }

    /// The token under a place of the slide; `None` beyond it.
    pub fn token_at(&self, place: SlidePoint) -> Option<(u32, u32)> {
        let (x, y) = self.in_tokens(place);
        let (columns, rows) = self.raster.size_px;
        let inside = x >= 0.0 && y >= 0.0 && x < f64::from(columns) && y < f64::from(rows);
        inside.then_some((x as u32, y as u32))
    }

    /// The tokens that are seen, around the middle where there are too many; `None` where the slide
    /// is not seen.
    pub fn seen(&self, seen: &SlideRect, center: SlidePoint) -> Option<(Range<u32>, Range<u32>)> {
        let (x, y) = self.raster.px_in(seen)?;
        let half = MOST_TILES * self.core_side() / 2;
        let along = |px: Range<u32>, middle: f64| {
            let middle = middle.clamp(f64::from(px.start), f64::from(px.end)) as u32;
            let start = px.start.max(middle.saturating_sub(half));
            start..px.end.min(middle.saturating_add(half)).max(start + 1)
        };
        let middle = self.in_tokens(center);
        Some((along(x, middle.0), along(y, middle.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::test_slide::Painted;

    fn sheet(mpp: f64) -> TokenSheet {
        let slide = Painted::new(4010, 2001, Some(0.25), |_, _| [200; 3]);
        TokenSheet::new(&slide, (128, 16), mpp).unwrap()
    }

    #[test]
    fn cores_hold_each_token_once_and_nest_across_a_factor_of_four() {
        let (coarse, fine) = (sheet(1.0), sheet(0.25));
        assert_eq!(
            (coarse.core_side(), coarse.halo(), coarse.token_um()),
            (6, 1, 16.0)
        );
        assert_eq!(coarse.raster.size_px, (63, 32));
        let mut counts = vec![0; 63 * 32];
        for number in 0..coarse.tiles() {
            let tile = coarse.tile(number);
            assert_eq!(coarse.number(tile), number);
            let (x, y) = coarse.core(tile);
            y.for_each(|row| {
                x.clone()
                    .for_each(|column| counts[(row * 63 + column) as usize] += 1)
            });
        }
        assert!(counts.iter().all(|count| *count == 1));
        let place = SlidePoint::new(1000.0, 700.0);
        let of = |sheet: &TokenSheet| sheet.token_at(place).unwrap();
        let (few, many) = (of(&coarse), of(&fine));
        assert_eq!((many.0 / 4, many.1 / 4), few);
        assert_eq!(coarse.token_at(SlidePoint::new(-1.0, 5.0)), None);
    }

    #[test]
    fn what_is_seen_is_found_from_the_middle_out() {
        let sheet = sheet(0.25);
        let seen = SlideRect::new(SlidePoint::new(100.0, 50.0), SlidePoint::new(400.0, 300.0));
        let (x, y) = sheet.seen(&seen, seen.center()).unwrap();
        assert_eq!((x.clone(), y.clone()), (6..25, 3..19));
        let tiles = sheet.nearest_first(&x, &y, seen.center());
        assert_eq!(
            (tiles.len(), tiles[0]),
            (4 * 4, TileId { column: 2, row: 1 })
        );
        assert_eq!(sheet.widened(&x, &y, 64.0), (0..33, 0..27));
        let all = SlideRect::new(SlidePoint::new(-1e6, -1e6), SlidePoint::new(1e6, 1e6));
        let (x, y) = sheet.seen(&all, SlidePoint::new(0.0, 0.0)).unwrap();
        assert_eq!((x, y), (0..192, 0..126));
        assert!(
            sheet
                .seen(&seen.translate((1e6, 0.0).into()), seen.center())
                .is_none()
        );
    }

    #[test]
    fn patches_must_fill_tiles() {
        let slide = Painted::new(400, 400, Some(0.25), |_, _| [200; 3]);
        for (tile_px, patch_px) in [(128, 0), (128, 24), (32, 16)] {
            assert!(TokenSheet::new(&slide, (tile_px, patch_px), 1.0).is_err());
        }
    }
}
