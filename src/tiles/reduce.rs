//! Reading one tile, box-averaged from a finer level where the pyramid asks for it.

use crate::geometry::LevelRegion;
use crate::slide::{Rgba, SlideError, SlideSource};

use super::ViewLevel;

/// Source px along each side that one read fetches while a reduced tile is built: small enough
/// that building any tile needs only a few MiB, large enough to keep the per-call cost hidden.
const BLOCK_PX: u32 = 1024;

/// Why a tile was not read.
#[derive(Debug, Clone)]
pub enum TileFailure {
    /// Nobody wants the tile any more.
    Cancelled,
    /// The source can't read it.
    Slide(SlideError),
}

/// Reads tile (`col`, `row`) of `level` as premultiplied RGBA.
///
/// `still_wanted` is asked between blocks of a reduced tile, which may take seconds on a slide
/// that has one large level only.
///
/// # Errors
/// [`TileFailure`].
pub fn read_tile(
    source: &dyn SlideSource,
    level: &ViewLevel,
    (col, row): (u32, u32),
    still_wanted: &dyn Fn() -> bool,
) -> Result<Rgba, TileFailure> {
    let region = level.region(col, row);
    if level.reduce == 1 {
        return source
            .read_region(level.source_level, region)
            .map_err(TileFailure::Slide);
    }
    let mut tile = Rgba::transparent(region.width, region.height);
    let block = (BLOCK_PX / level.reduce).max(1);
    for y in (0..region.height).step_by(block as usize) {
        for x in (0..region.width).step_by(block as usize) {
            if !still_wanted() {
                return Err(TileFailure::Cancelled);
            }
            let part = LevelRegion {
                x: region.x + i64::from(x),
                y: region.y + i64::from(y),
                width: block.min(region.width - x),
                height: block.min(region.height - y),
            };
            let averaged = read_averaged(source, level, part).map_err(TileFailure::Slide)?;
            paste(&mut tile, &averaged, x, y);
        }
    }
    Ok(tile)
}

/// Reads the source px under `part` of a reduced level and box-averages them.
fn read_averaged(
    source: &dyn SlideSource,
    level: &ViewLevel,
    part: LevelRegion,
) -> Result<Rgba, SlideError> {
    let reduce = level.reduce;
    let length = |start: i64, count: u32, size: u64| {
        let rest = (size as i64 - start * i64::from(reduce)).max(0);
        rest.min(i64::from(count) * i64::from(reduce)) as u32
    };
    let fine = LevelRegion {
        x: part.x * i64::from(reduce),
        y: part.y * i64::from(reduce),
        width: length(part.x, part.width, level.source_px.0),
        height: length(part.y, part.height, level.source_px.1),
    };
    Ok(box_average(
        &source.read_region(level.source_level, fine)?,
        reduce,
    ))
}

/// Averages `factor × factor` blocks of premultiplied pixels, rounding to nearest; blocks cut off
/// by the right or bottom edge average what is there.
pub fn box_average(fine: &Rgba, factor: u32) -> Rgba {
    let (width, height) = (fine.width.div_ceil(factor), fine.height.div_ceil(factor));
    let mut out = Rgba::transparent(width, height);
    let row_bytes = fine.width as usize * 4;
    let mut sums = vec![[0u32; 4]; width as usize];
    for (y, out_row) in out
        .data
        .chunks_exact_mut((width as usize * 4).max(4))
        .enumerate()
    {
        sums.fill([0; 4]);
        let first = y * factor as usize;
        let rows = (fine.height as usize - first).min(factor as usize);
        for row in fine
            .data
            .chunks_exact(row_bytes.max(4))
            .skip(first)
            .take(rows)
        {
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor as usize * 4)) {
                for pixel in block.chunks_exact(4) {
                    for (total, &value) in sum.iter_mut().zip(pixel) {
                        *total += u32::from(value);
                    }
                }
            }
        }
        for (x, (sum, pixel)) in sums.iter().zip(out_row.chunks_exact_mut(4)).enumerate() {
            let columns = (fine.width - x as u32 * factor).min(factor);
            let count = columns * rows as u32;
            for (value, total) in pixel.iter_mut().zip(sum) {
                *value = ((total + count / 2) / count) as u8;
            }
        }
    }
    out
}

fn paste(into: &mut Rgba, part: &Rgba, x: u32, y: u32) {
    let part_row = part.width as usize * 4;
    let into_row = into.width as usize * 4;
    let start = y as usize * into_row + x as usize * 4;
    let rows = into
        .data
        .get_mut(start..)
        .unwrap_or_default()
        .chunks_mut(into_row.max(1));
    for (to, from) in rows.zip(part.data.chunks_exact(part_row.max(1))) {
        if let Some(to) = to.get_mut(..part_row) {
            to.copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::TilePyramid;
    use crate::tiles::test_slide::GradientSlide;

    #[test]
    fn a_reduced_tile_is_the_box_average_of_the_whole_level() {
        let slide = GradientSlide::new(2601, 1501);
        let whole = slide
            .read_region(
                0,
                LevelRegion {
                    x: 0,
                    y: 0,
                    width: 2601,
                    height: 1501,
                },
            )
            .unwrap();
        let pyramid = TilePyramid::new(slide.info());
        for level in pyramid.levels().iter().filter(|l| l.reduce > 1) {
            let expected = box_average(&whole, level.reduce);
            let (cols, rows) = level.grid();
            for (col, row) in (0..rows).flat_map(|row| (0..cols).map(move |col| (col, row))) {
                let region = level.region(col, row);
                let tile = read_tile(&slide, level, (col, row), &|| true).unwrap();
                assert_eq!((tile.width, tile.height), (region.width, region.height));
                for (x, y) in [
                    (0, 0),
                    (tile.width - 1, tile.height - 1),
                    (tile.width / 2, tile.height / 3),
                ] {
                    let (ex, ey) = (region.x as u32 + x, region.y as u32 + y);
                    assert_eq!(
                        tile.pixel(x, y),
                        expected.pixel(ex, ey),
                        "reduce {} at {ex},{ey}",
                        level.reduce
                    );
                }
            }
        }
    }

    #[test]
    fn an_unwanted_tile_is_dropped_half_way() {
        let slide = GradientSlide::new(5000, 5000);
        let pyramid = TilePyramid::new(slide.info());
        let level = pyramid.levels().last().unwrap();
        assert!(matches!(
            read_tile(&slide, level, (0, 0), &|| false),
            Err(TileFailure::Cancelled)
        ));
    }
}
