//! Which tiles and cells a field needs, and in which order.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::cell::asked;
use super::wish::FieldWish;
use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::{PAGE_PX, PageId, Raster};
use crate::segment::grid::{GridError, GridSpec, TileGrid, TileId};
use crate::segment::window::window;
use crate::slide::SlideSource;

/// Px of a field that are worked on at most, of larger ones in the middle: as many as pages are kept
/// of.
const MOST_PX: f64 = 7680.0 * 7680.0;

/// The same along one side.
const MOST_SIDE_PX: f64 = 2.0 * 7680.0;

/// A slide cut for one magnification, and tiles that will never have scores.
pub struct Sheet {
    /// How it is cut.
    pub grid: TileGrid,
    /// The tiles' say along one axis.
    pub window: Vec<f32>,
    /// Where its px lie on the slide.
    pub raster: Raster,
    /// Tiles without tissue.
    pub glass: HashSet<TileId>,
    /// Tiles that can't be read or that the network failed on, and why; with the stamp of a bias
    /// where it failed under that one.
    pub failed: HashMap<TileId, (Option<u64>, String)>,
}

/// Where a cell is kept: a block of a page.
pub struct CellPlace {
    /// The page.
    pub page: PageId,
    /// Cells along the page's side.
    pub per_side: u32,
    /// Column and row of the block.
    pub block: (u32, u32),
    /// Columns of px of the page.
    pub x: Range<u32>,
    /// Rows of px of the page.
    pub y: Range<u32>,
}

impl Sheet {
    /// Cuts a slide into tiles of `tile_px` px of `mpp` µm.
    ///
    /// # Errors
    /// When the slide has no scale or no px as fine as that, or cells would not fill pages.
    pub fn new(slide: &dyn SlideSource, tile_px: u32, mpp: f64) -> Result<Self, GridError> {
        let spec = GridSpec::new(mpp, tile_px);
        let grid = TileGrid::over(slide.info(), spec)?;
        if !tile_px.is_power_of_two() || !(8..=2 * PAGE_PX).contains(&tile_px) {
            let reason = format!("live analysis needs tiles of 8, 16 … 512 px, not {tile_px}");
            return Err(GridError::Spec { reason });
        }
        let base = slide.info().mpp.map_or((mpp, mpp), |base| (base.x, base.y));
        Ok(Self {
            grid,
            window: window(&spec),
            raster: Raster {
                slide_px_per_px: (mpp / base.0, mpp / base.1),
                size_px: grid.size_px,
            },
            glass: HashSet::new(),
            failed: HashMap::new(),
        })
    }

    /// Why a tile failed, where it did for good or under the bias of `stamp`.
    pub fn failure(&self, tile: TileId, stamp: u64) -> Option<&str> {
        let (under, reason) = self.failed.get(&tile)?;
        under.is_none_or(|under| under == stamp).then_some(reason)
    }

    /// Side of a cell, px: within one, the same tiles have a say on every px.
    pub fn cell_px(&self) -> u32 {
        self.grid.spec.step_px() / 2
    }

    /// The px that a cell covers.
    pub fn cell(&self, (column, row): (u32, u32)) -> (Range<u32>, Range<u32>) {
        let along = |index: u32, side: u32| {
            let start = index * self.cell_px();
            start.min(side)..(start + self.cell_px()).min(side)
        };
        (
            along(column, self.grid.size_px.0),
            along(row, self.grid.size_px.1),
        )
    }

    /// The cells that px touch, row by row.
    pub fn cells(&self, x: &Range<u32>, y: &Range<u32>) -> Vec<(u32, u32)> {
        let along = |px: &Range<u32>| px.start / self.cell_px()..px.end.div_ceil(self.cell_px());
        let columns = along(x);
        along(y)
            .flat_map(|row| columns.clone().map(move |column| (column, row)))
            .collect()
    }

    /// Where a cell is kept.
    pub fn place(&self, cell: (u32, u32)) -> CellPlace {
        let (x, y) = self.cell(cell);
        let page = PageId {
            level: 0,
            col: x.start / PAGE_PX,
            row: y.start / PAGE_PX,
        };
        let per_side = PAGE_PX / self.cell_px();
        let within = |px: Range<u32>, page: u32| px.start - page * PAGE_PX..px.end - page * PAGE_PX;
        CellPlace {
            page,
            per_side,
            block: (cell.0 % per_side, cell.1 % per_side),
            x: within(x, page.col),
            y: within(y, page.row),
        }
    }

    /// The px that have to be known so that all of `seen` is: whole cells, around the middle where
    /// there are too many. `None` where the slide is not seen.
    pub fn wanted_px(
        &self,
        seen: &SlideRect,
        center: SlidePoint,
    ) -> Option<(Range<u32>, Range<u32>)> {
        let (x, y) = self.raster.px_in(seen)?;
        let (width, height) = most_px(x.len(), y.len());
        let scale = self.raster.slide_px_per_px;
        let cell = self.cell_px();
        let along = |px: Range<u32>, most: u32, center: f64, side: u32| {
            let middle = center.clamp(f64::from(px.start), f64::from(px.end)) as u32;
            let start = px.start.max(middle.saturating_sub(most / 2));
            let end = px.end.min(middle.saturating_add(most / 2)).max(start + 1);
            start / cell * cell..(end.div_ceil(cell) * cell).min(side)
        };
        Some((
            along(x, width, center.x / scale.0, self.grid.size_px.0),
            along(y, height, center.y / scale.1, self.grid.size_px.1),
        ))
    }

    /// Whether only the middle of a field is worked on, because it has too many px.
    pub fn is_cut(&self, seen: &SlideRect) -> bool {
        let px = self.raster.px_in(seen);
        px.is_some_and(|(x, y)| most_px(x.len(), y.len()) < (u32::MAX, u32::MAX))
    }

    /// The tiles with a say on px, those nearest to a place of the slide first.
    pub fn tiles(&self, x: &Range<u32>, y: &Range<u32>, center: SlidePoint) -> Vec<TileId> {
        let columns = asked(&self.grid, x, self.grid.columns());
        let tiles = asked(&self.grid, y, self.grid.rows())
            .flat_map(|row| columns.clone().map(move |column| TileId { column, row }));
        self.nearest_first(tiles, center)
    }

    /// Tiles sorted by how far they are from a place of the slide.
    pub fn nearest_first(
        &self,
        tiles: impl IntoIterator<Item = TileId>,
        center: SlidePoint,
    ) -> Vec<TileId> {
        let scale = self.raster.slide_px_per_px;
        let half = f64::from(self.grid.spec.step_px()) / 2.0;
        let away = |tile: &TileId| {
            let middle = |index: u32| self.grid.core_start(index) as f64 + half;
            let x = middle(tile.column) - center.x / scale.0;
            let y = middle(tile.row) - center.y / scale.1;
            (x * x + y * y) as u64
        };
        let mut tiles: Vec<TileId> = tiles.into_iter().collect();
        tiles.sort_by_cached_key(|tile| (away(tile), tile.row, tile.column));
        tiles
    }
}

/// Width and height of what is worked on of a field of so many px: its shape, as long as no side is
/// too long. Greater than any field where that is all of it.
fn most_px(width: usize, height: usize) -> (u32, u32) {
    let (width, height) = (width as f64, height as f64);
    let share = (MOST_PX / (width * height)).min(1.0).sqrt();
    let along = |px: f64| match (px * share).min(MOST_SIDE_PX) {
        most if most < px => most as u32,
        _ => u32::MAX,
    };
    (along(width), along(height))
}

/// The px of `sheet` under px of another sheet of the same slide, of as fine px or finer, with one px
/// around them.
pub fn px_of(
    sheet: &Sheet,
    finer: &Sheet,
    (x, y): (Range<u32>, Range<u32>),
) -> (Range<u32>, Range<u32>) {
    match sheet.grid == finer.grid {
        true => (x, y),
        false => around(sheet, finer, (&x, &y)),
    }
}

/// The px of a coarser sheet that bilinear interpolation at the px of a finer one reaches.
pub fn around(
    coarse: &Sheet,
    fine: &Sheet,
    (x, y): (&Range<u32>, &Range<u32>),
) -> (Range<u32>, Range<u32>) {
    let ratio = fine.grid.spec.mpp / coarse.grid.spec.mpp;
    let along = |px: &Range<u32>, side: u32| {
        let start = ((f64::from(px.start) + 0.5) * ratio - 0.5).floor().max(0.0) as u32;
        let end = ((f64::from(px.end) - 0.5) * ratio + 0.5).floor() as u32 + 1;
        start.min(side - 1)..end.clamp(start.min(side - 1) + 1, side)
    };
    (
        along(x, coarse.grid.size_px.0),
        along(y, coarse.grid.size_px.1),
    )
}

/// The seen cells of a finer sheet over px of a coarser one.
pub fn seen_cells(
    field: &FieldWish,
    fine: &Sheet,
    coarse: &Sheet,
    kept: &(Range<u32>, Range<u32>),
) -> Vec<(u32, u32)> {
    let Some((x, y)) = fine.wanted_px(&field.seen, field.center) else {
        return Vec::new();
    };
    let ratio = coarse.grid.spec.mpp / fine.grid.spec.mpp;
    // One coarse px further on every side: interpolation reaches into the neighbours.
    let within = |kept: &Range<u32>, wanted: &Range<u32>| {
        let start = (f64::from(kept.start.saturating_sub(1)) * ratio) as u32;
        let end = (f64::from(kept.end + 1) * ratio).ceil() as u32;
        start.clamp(wanted.start, wanted.end)..end.clamp(wanted.start, wanted.end)
    };
    let (x, y) = (within(&kept.0, &x), within(&kept.1, &y));
    match x.is_empty() || y.is_empty() {
        true => Vec::new(),
        false => fine.cells(&x, &y),
    }
}
