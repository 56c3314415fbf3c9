//! Sums of what tiles say of a rectangle of px: the same numbers, in the same order of additions,
//! as the stitcher of whole slides makes of them.

use std::ops::Range;

use crate::segment::grid::{TileGrid, TileId};
use crate::segment::stitch::Piece;

/// What is known of a tile.
pub enum TileSays<'a, S> {
    /// K × S × S scores, and the stamp of the bias that they were made with.
    Scores(&'a S, u64),
    /// It has no tissue, so it is not asked.
    Nothing,
    /// It can't be read, or the network failed on it.
    Failed,
    /// It was not worked on yet.
    Missing,
}

impl<S> Clone for TileSays<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for TileSays<'_, S> {}

/// What the tiles with a say on a rectangle make of it.
pub struct Blend {
    x: Range<u32>,
    y: Range<u32>,
    classes: usize,
    sums: Vec<f32>,
    /// The oldest bias that went into it; `u64::MAX` where no tile was asked.
    pub stamp: u64,
    /// Whether tiles that have a say are missing.
    pub is_partial: bool,
    /// Whether tiles that have a say failed.
    pub has_failed: bool,
}

impl Blend {
    /// Adds up what the tiles of `grid` say of columns `x` and rows `y` of its picture. `window` is
    /// [`crate::segment::window()`] of the grid.
    pub fn of<'a>(
        grid: &TileGrid,
        window: &[f32],
        classes: usize,
        (x, y): (Range<u32>, Range<u32>),
        says: impl Fn(TileId) -> TileSays<'a, Vec<f32>>,
    ) -> Self {
        let px = x.len() * y.len();
        let mut blend = Self {
            classes,
            sums: vec![0.0; (classes + 1) * px],
            stamp: u64::MAX,
            is_partial: false,
            has_failed: false,
            x,
            y,
        };
        // The stitcher sums each row of tiles on its own, then adds the rows.
        let mut of_row = vec![0.0; blend.sums.len()];
        for row in asked(grid, &blend.y, grid.rows()) {
            of_row.fill(0.0);
            for column in asked(grid, &blend.x, grid.columns()) {
                let tile = TileId { column, row };
                match says(tile) {
                    TileSays::Scores(scores, stamp) => {
                        blend.stamp = blend.stamp.min(stamp);
                        blend.add(&mut of_row, grid, window, tile, scores);
                    }
                    TileSays::Nothing => {}
                    TileSays::Failed => blend.has_failed = true,
                    TileSays::Missing => blend.is_partial = true,
                }
            }
            let sums = blend.sums.iter_mut().zip(&of_row);
            sums.for_each(|(sum, more)| *sum += more);
        }
        blend
    }

    fn add(&self, sums: &mut [f32], grid: &TileGrid, window: &[f32], tile: TileId, scores: &[f32]) {
        let side = window.len();
        let halo = i64::from(grid.spec.halo_px);
        // Places in the tile of the rectangle's first column and row.
        let left = i64::from(self.x.start) - (grid.core_start(tile.column) - halo);
        let top = i64::from(self.y.start) - (grid.core_start(tile.row) - halo);
        let shared = |first: i64, length: usize| {
            let start = (-first).max(0) as usize;
            let end = (side as i64 - first).clamp(0, length as i64) as usize;
            start.min(end)..end
        };
        let (columns, rows) = (shared(left, self.x.len()), shared(top, self.y.len()));
        let (width, px) = (self.x.len(), self.x.len() * self.y.len());
        for row in rows {
            let tile_row = (top + row as i64) as usize;
            let tile_column = (left + columns.start as i64) as usize;
            let weights = &window[tile_column..tile_column + columns.len()];
            let of_row = window[tile_row];
            for class in 0..=self.classes {
                let at = class * px + row * width;
                let sums = &mut sums[at + columns.start..at + columns.end];
                if class == self.classes {
                    let sums = sums.iter_mut().zip(weights);
                    sums.for_each(|(sum, weight)| *sum += of_row * weight);
                    continue;
                }
                let at = (class * side + tile_row) * side + tile_column;
                let scores = &scores[at..at + columns.len()];
                for ((sum, weight), score) in sums.iter_mut().zip(weights).zip(scores) {
                    *sum += of_row * weight * score;
                }
            }
        }
    }

    /// Columns and rows of the grid's picture.
    pub fn px(&self) -> (Range<u32>, Range<u32>) {
        (self.x.clone(), self.y.clone())
    }

    /// The sums as the stitcher's finished px.
    pub fn piece(&self) -> Piece<'_> {
        Piece::of_block(self.x.clone(), self.y.clone(), self.classes, &self.sums)
    }
}

/// Log-probabilities of a rectangle of px.
pub struct LogMap {
    x: Range<u32>,
    y: Range<u32>,
    classes: usize,
    /// K values a px; none where no tile was asked.
    px: Vec<Option<Vec<f32>>>,
}

impl LogMap {
    /// Those of a blend.
    pub fn of(blend: &Blend) -> Self {
        let (x, y) = blend.px();
        let piece = blend.piece();
        let at = |(column, row): (usize, u32)| {
            let mut logs = Vec::new();
            piece
                .log_probabilities(column, row, &mut logs)
                .map(|()| logs)
        };
        let rows = y
            .clone()
            .flat_map(|row| (0..x.len()).map(move |column| (column, row)));
        Self {
            classes: blend.classes,
            px: rows.map(at).collect(),
            x,
            y,
        }
    }

    /// Values a px.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// At the px in which the middle of a px of a raster `ratio` times as fine lies that begins at
    /// the same place. `None` where no tile was asked.
    pub fn under(&self, ratio: f64, (column, row): (u32, u32)) -> Option<&[f32]> {
        let along = |px: u32, range: &Range<u32>| {
            let px = ((f64::from(px) + 0.5) / ratio) as u32;
            (px.clamp(range.start, range.end - 1) - range.start) as usize
        };
        let at = along(row, &self.y) * self.x.len() + along(column, &self.x);
        self.px[at].as_deref()
    }

    /// Bilinear between px, at the middle of a px of a raster `ratio` times as fine that begins at
    /// the same place. `None` where any of the px around it has none.
    pub fn at(&self, ratio: f64, (column, row): (u32, u32)) -> Option<Vec<f32>> {
        let along = |px: u32, range: &Range<u32>| {
            let at = (f64::from(px) + 0.5) / ratio - 0.5;
            let within = |px: f64| {
                let px = (px.max(0.0) as u32).clamp(range.start, range.end - 1);
                (px - range.start) as usize
            };
            let part = (at - at.floor()) as f32;
            [
                (within(at.floor()), 1.0 - part),
                (within(at.floor() + 1.0), part),
            ]
        };
        let mut sum = vec![0.0; self.classes];
        for (y, of_y) in along(row, &self.y) {
            for (x, of_x) in along(column, &self.x) {
                let logs = self.px[y * self.x.len() + x].as_ref()?;
                let both = sum.iter_mut().zip(logs);
                both.for_each(|(sum, log)| *sum += of_x * of_y * log);
            }
        }
        Some(sum)
    }
}

/// The columns or rows of tiles with a say on a range of px, of `count` that there are.
pub fn asked(grid: &TileGrid, px: &Range<u32>, count: u32) -> Range<u32> {
    let (step, blend) = (
        i64::from(grid.spec.step_px()),
        i64::from(grid.spec.blend_px),
    );
    let offset = i64::from(grid.spec.offset_px());
    let first = (i64::from(px.start) + offset - blend).div_euclid(step);
    let last = (i64::from(px.end) - 1 + offset + blend).div_euclid(step);
    let within = |at: i64| at.clamp(0, count.into()) as u32;
    within(first)..within(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::grid::GridSpec;
    use crate::segment::stitch::Stitcher;
    use crate::segment::window::window;

    const CLASSES: usize = 3;

    /// Scores that depend on tile, class and px.
    fn scores(tile: TileId) -> Vec<f32> {
        let value = |n: usize| {
            let mixed = n * 2_654_435_761 + tile.column as usize * 97 + tile.row as usize * 31;
            (mixed % 1999) as f32 / 313.0 - 3.0
        };
        (0..CLASSES * 32 * 32).map(value).collect()
    }

    fn is_glass(tile: TileId) -> bool {
        (tile.column * 3 + tile.row * 5).is_multiple_of(7)
    }

    /// Sums of every px as the stitcher has them: K planes and one of weights.
    fn stitched(grid: TileGrid) -> Vec<Vec<f32>> {
        let (width, height) = grid.size_px;
        let mut planes = vec![vec![0.0; (width * height) as usize]; CLASSES + 1];
        let mut take = |piece: &Piece| {
            for (class, plane) in planes.iter_mut().enumerate() {
                for y in piece.y.clone() {
                    let at = (y * width + piece.x.start) as usize;
                    plane[at..at + piece.x.len()].copy_from_slice(piece.scores(class, y));
                }
            }
        };
        let mut stitcher = Stitcher::new(grid, CLASSES, 0);
        for row in 0..grid.rows() {
            for column in 0..grid.columns() {
                let tile = TileId { column, row };
                if !is_glass(tile) {
                    stitcher.push(column, &scores(tile), &mut take);
                }
            }
            stitcher.end_row(&mut take);
        }
        planes
    }

    #[test]
    fn any_rectangle_has_the_stitchers_sums_to_the_last_bit() {
        let spec = GridSpec::new(1.0, 32);
        let grid = TileGrid {
            spec,
            size_px: (83, 61),
        };
        let (planes, window) = (stitched(grid), window(&spec));
        let tiles: Vec<Vec<f32>> = (0..grid.rows() * grid.columns())
            .map(|n| TileId {
                column: n % grid.columns(),
                row: n / grid.columns(),
            })
            .map(scores)
            .collect();
        for (x, y) in [
            (0..83, 0..61),
            (0..8, 0..8),
            (40..48, 16..24),
            (17..60, 5..59),
            (80..83, 56..61),
        ] {
            let says = |tile: TileId| match is_glass(tile) {
                true => TileSays::Nothing,
                false => {
                    let at = (tile.row * grid.columns() + tile.column) as usize;
                    TileSays::Scores(&tiles[at], 5)
                }
            };
            let blend = Blend::of(&grid, &window, CLASSES, (x.clone(), y.clone()), says);
            assert!(!blend.is_partial && !blend.has_failed);
            let piece = blend.piece();
            for (class, plane) in planes.iter().enumerate() {
                for row in y.clone() {
                    let at = (row * 83 + x.start) as usize;
                    let meant = &plane[at..at + x.len()];
                    assert_eq!(piece.scores(class, row), meant, "class {class}, row {row}");
                }
            }
        }
    }

    #[test]
    fn what_is_missing_or_failed_is_told_and_the_oldest_stamp() {
        let spec = GridSpec::new(1.0, 32);
        let grid = TileGrid {
            spec,
            size_px: (64, 64),
        };
        let scores = vec![0.5; CLASSES * 32 * 32];
        let says = |tile: TileId| match (tile.column, tile.row) {
            (0, 0) => TileSays::Scores(&scores, 3),
            (1, 0) => TileSays::Scores(&scores, 2),
            (0, 1) => TileSays::Missing,
            (2, 0) => TileSays::Failed,
            _ => TileSays::Nothing,
        };
        let of = |x, y| {
            let blend = Blend::of(&grid, &window(&spec), CLASSES, (x, y), says);
            (blend.stamp, blend.is_partial, blend.has_failed)
        };
        assert_eq!(of(0..8, 0..8), (3, false, false));
        assert_eq!(of(8..16, 0..8), (2, false, false));
        assert_eq!(of(8..16, 8..16), (2, true, false));
        assert_eq!(of(24..32, 0..8), (2, false, true));
        assert_eq!(of(48..56, 48..56), (u64::MAX, false, false));
    }
}
