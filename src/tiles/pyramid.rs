//! The levels a view draws from: the slide's own, and reductions where its steps are too wide.
//!
//! Scanners store levels 4 or even 16 apart, and some files have one level only. Drawing from a
//! level much finer than the screen costs many times the tiles and flickers, so steps wider than
//! two are filled by box-averaging the next finer level, a tile at a time.

use crate::geometry::{LevelRegion, SlidePoint, SlideRect};
use crate::slide::{LevelInfo, SlideInfo};

use super::TILE_PX;

/// One level a view can draw from.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewLevel {
    /// The slide's level that is read.
    pub source_level: usize,
    /// Source px averaged per px along each axis; a power of two, 1 for the level itself.
    pub reduce: u32,
    /// Width and height, level px.
    pub size_px: (u64, u64),
    /// Size of the source level, px.
    pub source_px: (u64, u64),
    /// Size of the slide's level 0, px.
    pub slide_px: (u64, u64),
    /// Slide px per level px, x and y.
    pub scale: (f64, f64),
    /// Width and height of a full tile, level px; at most [`TILE_PX`].
    pub tile_px: (u32, u32),
}

impl ViewLevel {
    fn new(source_level: usize, info: &LevelInfo, reduce: u32, slide_px: (u64, u64)) -> Self {
        let r = u64::from(reduce);
        Self {
            source_level,
            reduce,
            size_px: (info.size_px.0.div_ceil(r), info.size_px.1.div_ceil(r)),
            source_px: info.size_px,
            slide_px,
            scale: (
                info.scale.0 * f64::from(reduce),
                info.scale.1 * f64::from(reduce),
            ),
            tile_px: tile_size(info.native_tile_px),
        }
    }

    /// Number of tile columns and rows.
    pub fn grid(&self) -> (u32, u32) {
        let count = |size: u64, tile: u32| {
            u32::try_from(size.div_ceil(u64::from(tile))).unwrap_or(u32::MAX)
        };
        (
            count(self.size_px.0, self.tile_px.0),
            count(self.size_px.1, self.tile_px.1),
        )
    }

    /// The level px that tile (`col`, `row`) holds; smaller than a full tile at the far edges.
    pub fn region(&self, col: u32, row: u32) -> LevelRegion {
        let span = |index: u32, tile: u32, size: u64| {
            let start = u64::from(index) * u64::from(tile);
            let length = size.saturating_sub(start).min(u64::from(tile));
            (start as i64, length as u32)
        };
        let (x, width) = span(col, self.tile_px.0, self.size_px.0);
        let (y, height) = span(row, self.tile_px.1, self.size_px.1);
        LevelRegion {
            x,
            y,
            width,
            height,
        }
    }

    /// The part of the slide that tile (`col`, `row`) shows. The last tiles end where the slide
    /// ends: a level's own last px may reach a little beyond it or, where the scanner rounded
    /// down, not quite to it.
    pub fn slide_rect(&self, col: u32, row: u32) -> SlideRect {
        let region = self.region(col, row);
        let extent = self.slide_extent();
        let side = |start: i64, length: u32, level_px: u64, scale: f64, slide_end: f64| {
            let end = start + i64::from(length);
            let is_last = end.unsigned_abs() >= level_px;
            let end = if is_last {
                slide_end
            } else {
                end as f64 * scale
            };
            (start as f64 * scale, end)
        };
        let x = side(
            region.x,
            region.width,
            self.size_px.0,
            self.scale.0,
            extent.max.x,
        );
        let y = side(
            region.y,
            region.height,
            self.size_px.1,
            self.scale.1,
            extent.max.y,
        );
        SlideRect::new(SlidePoint::new(x.0, y.0), SlidePoint::new(x.1, y.1))
    }

    /// What every level shows: the whole slide, so that its edge stays where it is from level to
    /// level.
    pub fn slide_extent(&self) -> SlideRect {
        let max = SlidePoint::new(self.slide_px.0 as f64, self.slide_px.1 as f64);
        SlideRect::new(SlidePoint::origin(), max)
    }
}

/// Every level a view can draw from, finest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TilePyramid {
    levels: Vec<ViewLevel>,
}

/// No reduction is built from more source px than this per output px and axis: beyond it, opening
/// a single-level slide would read all of it before anything is shown.
const MAX_REDUCE: u32 = 1 << 10;

impl TilePyramid {
    /// Levels for a slide; never empty, because a slide always has a level 0.
    pub fn new(info: &SlideInfo) -> Self {
        let mut levels = Vec::new();
        let slide_px = info.levels.first().map_or((1, 1), |level| level.size_px);
        for (index, level) in usable_levels(info) {
            let next_scale = usable_levels(info)
                .map(|(_, l)| l.scale.0)
                .find(|s| *s > level.scale.0 * 1.01);
            let mut reduce = 1;
            loop {
                levels.push(ViewLevel::new(index, level, reduce, slide_px));
                reduce *= 2;
                let scale = level.scale.0 * f64::from(reduce);
                let enough = match next_scale {
                    // Close to the next stored level, that one serves.
                    Some(next) => scale * 1.5 > next,
                    None => fits_one_tile(level, reduce / 2) || reduce > MAX_REDUCE,
                };
                if enough || levels.len() >= usize::from(u8::MAX) {
                    break;
                }
            }
        }
        Self { levels }
    }

    /// All levels, finest first.
    pub fn levels(&self) -> &[ViewLevel] {
        &self.levels
    }

    /// The level at `index`, where there is one.
    pub fn level(&self, index: u8) -> Option<&ViewLevel> {
        self.levels.get(usize::from(index))
    }

    /// Index of the coarsest level.
    pub fn coarsest(&self) -> u8 {
        (self.levels.len().saturating_sub(1)) as u8
    }

    /// The coarsest level that still gives every screen px a level px of its own at
    /// `slide_px_per_screen_px`; the finest where none does.
    pub fn level_for(&self, slide_px_per_screen_px: f64) -> u8 {
        // 1 % slack: a 39.9x view of a 40x level is drawn from that level, not from a finer one.
        let fine_enough = |level: &ViewLevel| level.scale.0 <= slide_px_per_screen_px * 1.01;
        self.levels.iter().rposition(fine_enough).unwrap_or(0) as u8
    }
}

/// The slide's levels that grow strictly coarser. Hostile files list levels twice or out of order.
fn usable_levels(info: &SlideInfo) -> impl Iterator<Item = (usize, &LevelInfo)> {
    let mut coarsest = 0.0;
    info.levels.iter().enumerate().filter(move |(_, level)| {
        let coarser = level.scale.0 > coarsest * 1.01;
        if coarser {
            coarsest = level.scale.0;
        }
        coarser
    })
}

fn fits_one_tile(level: &LevelInfo, reduce: u32) -> bool {
    level
        .size_px
        .0
        .max(level.size_px.1)
        .div_ceil(u64::from(reduce))
        <= u64::from(TILE_PX)
}

/// The largest multiple of the file's own tiles that fits an atlas layer, so that no stored tile
/// is decoded twice.
fn tile_size(native: Option<(u32, u32)>) -> (u32, u32) {
    let side = |native: u32| match native {
        1..=TILE_PX => TILE_PX / native * native,
        _ => TILE_PX,
    };
    native.map_or((TILE_PX, TILE_PX), |(w, h)| (side(w), side(h)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::test_slide::info_with_levels;

    #[test]
    fn wide_steps_are_filled_and_the_top_fits_one_tile() {
        let pyramid = TilePyramid::new(&info_with_levels(&[
            (46000, 32914),
            (11500, 8228),
            (2875, 2057),
        ]));
        let scales: Vec<f64> = pyramid.levels().iter().map(|l| l.scale.0).collect();
        assert_eq!(scales, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        let top = pyramid.levels().last().unwrap();
        assert!(top.size_px.0 <= 512 && top.size_px.1 <= 512, "{top:?}");
    }

    #[test]
    fn the_level_is_never_coarser_than_the_screen() {
        let pyramid = TilePyramid::new(&info_with_levels(&[(8192, 8192)]));
        assert_eq!(pyramid.level_for(0.1), 0);
        assert_eq!(pyramid.level_for(1.0), 0);
        assert_eq!(pyramid.level_for(1.99), 1); // within the 1 % slack of level 1
        assert_eq!(pyramid.level_for(1.9), 0);
        assert_eq!(pyramid.level_for(1e9), pyramid.coarsest());
    }

    #[test]
    fn tiles_cover_the_level_once_and_stop_at_its_edge() {
        let pyramid = TilePyramid::new(&info_with_levels(&[(1301, 777)]));
        for level in pyramid.levels() {
            let (cols, rows) = level.grid();
            let area: f64 = (0..rows)
                .flat_map(|row| (0..cols).map(move |col| (col, row)))
                .map(|(col, row)| level.slide_rect(col, row).area())
                .sum();
            assert!(
                (area - 1301.0 * 777.0).abs() < 1e-6,
                "{area} at {}",
                level.reduce
            );
        }
    }

    #[test]
    fn every_level_ends_where_the_slide_ends() {
        // The coarse level was rounded down: 8 times 64 is 4 px short of the slide.
        let pyramid = TilePyramid::new(&info_with_levels(&[(516, 516), (64, 64)]));
        for level in pyramid.levels() {
            let (cols, rows) = level.grid();
            let last = level.slide_rect(cols - 1, rows - 1);
            assert_eq!(last.max, SlidePoint::new(516.0, 516.0), "{level:?}");
        }
    }

    #[test]
    fn tiles_are_whole_multiples_of_the_stored_ones() {
        assert_eq!(tile_size(Some((240, 240))), (480, 480));
        assert_eq!(tile_size(Some((256, 128))), (512, 512));
        assert_eq!(tile_size(Some((1152, 700))), (512, 512));
        assert_eq!(tile_size(Some((0, 0))), (512, 512));
        assert_eq!(tile_size(None), (512, 512));
    }
}
