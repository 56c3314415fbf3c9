//! A pyramid from its finest level, without ever holding a level: one row of tiles of each.

use std::ops::Range;

use rayon::prelude::*;

use super::{FinishedTiff, PixelKind, TiffError, TiledTiff, encode_tile};

/// Tiles encoded between two calls of a caller's `tick`, for every thread: often enough for a
/// progress bar and for stopping.
const TILES_A_THREAD: usize = 4;

/// Takes the finest level row of tiles by row of tiles and writes all levels.
///
/// A px of a coarser level covers 2 x 2 of the next finer one, at an odd edge those that exist:
/// their rounded mean, as pyramids are made, or of codes the most frequent, the smallest of those
/// equally frequent. Memory: twice the finest level's row of tiles.
#[derive(Debug)]
pub struct StripPyramid {
    tiff: TiledTiff,
    strips: Vec<Strip>,
}

/// Makes a px from the bytes of those that it covers, four at most.
type Merge = fn(&mut [u8], &[&[u8]]);

/// One row of tiles of a level, as far as it is there.
#[derive(Debug)]
struct Strip {
    width_px: usize,
    /// Rows of the level that are not in this or an earlier strip.
    rows_left: usize,
    /// Which row of tiles this is.
    tile_row: u32,
    /// Rows that are there.
    rows: usize,
    /// Whole rows; as many as there are.
    pixels: Vec<u8>,
}

impl StripPyramid {
    /// Fills `tiff`, of which no tile is written yet.
    ///
    /// # Errors
    /// When a level is not half the one before, rounded up.
    pub fn new(tiff: TiledTiff) -> Result<Self, TiffError> {
        let levels = &tiff.layout().levels;
        let half = |size: (u32, u32)| (size.0.div_ceil(2), size.1.div_ceil(2));
        if levels
            .windows(2)
            .any(|pair| half(pair[0].size_px) != pair[1].size_px)
        {
            return Err(
                tiff.refusal("each level must be half the one before, rounded up".to_owned())
            );
        }
        let strips = levels
            .iter()
            .map(|level| Strip::new(level.size_px))
            .collect();
        let mut pyramid = Self { tiff, strips };
        pyramid.start_row();
        Ok(pyramid)
    }

    /// Columns and rows of tiles of the finest level.
    pub fn tiles(&self) -> (u32, u32) {
        self.tiff.layout().tiles(0)
    }

    /// Number of tiles of all levels.
    pub fn tile_count(&self) -> u64 {
        self.tiff.layout().tile_count()
    }

    /// How many columns are best placed at once.
    pub fn batch_columns() -> usize {
        rayon::current_num_threads() * TILES_A_THREAD
    }

    /// Writes tiles of the current row of the finest level, from column `first` on: each of the
    /// level's pixels that the tile covers, which at the right and bottom edge are fewer.
    ///
    /// # Errors
    /// When there is no such column, a tile has another size, or the file can't be written.
    pub fn place(&mut self, first: u32, tiles: &[Vec<u8>]) -> Result<(), TiffError> {
        let px_bytes = self.tiff.layout().pixels.px_bytes();
        let side = self.tiff.layout().tile_px as usize;
        for (column, tile) in (first as usize..).zip(tiles) {
            if !self.strips[0].put(column, tile, side, px_bytes) {
                return Err(self
                    .tiff
                    .refusal(format!("tile {column} of a row has another size")));
            }
        }
        self.write_columns(0, first..first + tiles.len() as u32)
    }

    /// Ends the current row of the finest level, all of whose tiles are placed, and writes what
    /// that completes of coarser levels. `tick` gets the number of tiles written, repeatedly.
    ///
    /// # Errors
    /// When the file can't be written, or what `tick` returns.
    pub fn end_row<E: From<TiffError>>(
        &mut self,
        tick: &mut dyn FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        for level in 0..self.strips.len() {
            if level > 0 {
                self.shrink_into(level);
                if !self.strips[level].is_full(self.tiff.layout().tile_px) {
                    break;
                }
                self.write_row(level, tick)?;
            }
            self.strips[level].tile_row += 1;
        }
        self.start_row();
        Ok(())
    }

    /// Ends the file, all rows of which are ended.
    ///
    /// # Errors
    /// When a tile is missing or the disk is full.
    pub fn finish(self) -> Result<FinishedTiff, TiffError> {
        self.tiff.finish()
    }

    fn start_row(&mut self) {
        let side = self.tiff.layout().tile_px as usize;
        let px_bytes = self.tiff.layout().pixels.px_bytes();
        let strip = &mut self.strips[0];
        strip.rows = strip.rows_left.min(side);
        strip.rows_left -= strip.rows;
        strip
            .pixels
            .resize(strip.rows * strip.width_px * px_bytes, 0);
    }

    fn write_row<E: From<TiffError>>(
        &mut self,
        level: usize,
        tick: &mut dyn FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = self.tiff.layout().tiles(level).0;
        let batch = Self::batch_columns() as u32;
        for first in (0..columns).step_by(batch as usize) {
            let end = (first + batch).min(columns);
            self.write_columns(level, first..end)?;
            tick(u64::from(end - first))?;
        }
        Ok(())
    }

    fn write_columns(&mut self, level: usize, columns: Range<u32>) -> Result<(), TiffError> {
        let (strip, layout) = (&self.strips[level], self.tiff.layout());
        let encode = |column: u32| {
            let pixels = strip.cut(
                column as usize,
                layout.tile_px as usize,
                layout.pixels.px_bytes(),
            );
            encode_tile(&layout.pixels, layout.tile_px, &pixels)
        };
        let tiles: Result<Vec<_>, String> = columns.clone().into_par_iter().map(encode).collect();
        let tiles = tiles.map_err(|reason| self.tiff.refusal(reason))?;
        let tile_row = strip.tile_row;
        columns
            .zip(tiles)
            .try_for_each(|(column, bytes)| self.tiff.write_tile(level, (column, tile_row), &bytes))
    }

    /// Adds the finished strip of the next finer level, at half its size, to that of `level`.
    fn shrink_into(&mut self, level: usize) {
        let layout = self.tiff.layout();
        let px_bytes = layout.pixels.px_bytes();
        let full = layout.tile_px as usize;
        let merge: Merge = match layout.pixels {
            PixelKind::Palette(_) | PixelKind::Numbers => mode,
            PixelKind::RgbJpeg { .. } | PixelKind::Grey => mean,
        };
        let (finer, coarser) = self.strips.split_at_mut(level);
        let (Some(finer), Some(strip)) = (finer.last_mut(), coarser.first_mut()) else {
            return;
        };
        if strip.rows == full {
            strip.rows = 0;
        }
        let (row_bytes, rows) = (strip.width_px * px_bytes, finer.rows.div_ceil(2));
        strip.pixels.resize((strip.rows + rows) * row_bytes, 0);
        let target = &mut strip.pixels[strip.rows * row_bytes..];
        let pairs = finer.pixels.par_chunks(finer.width_px * px_bytes * 2);
        target
            .par_chunks_mut(row_bytes)
            .zip(pairs)
            .for_each(|(row, pair)| halve(row, pair, finer.width_px, px_bytes, merge));
        strip.rows += rows;
        strip.rows_left -= rows;
    }
}

impl Strip {
    fn new((width, height): (u32, u32)) -> Self {
        Self {
            width_px: width as usize,
            rows_left: height as usize,
            tile_row: 0,
            rows: 0,
            pixels: Vec::new(),
        }
    }

    fn is_full(&self, tile_px: u32) -> bool {
        self.rows == tile_px as usize || self.rows_left == 0
    }

    /// Overwrites the pixels under tile `column`; false where `tile` has another size.
    fn put(&mut self, column: usize, tile: &[u8], side_px: usize, px_bytes: usize) -> bool {
        let left = column * side_px;
        let columns = side_px.min(self.width_px.saturating_sub(left)) * px_bytes;
        if columns == 0 || self.rows == 0 || tile.len() != columns * self.rows {
            return false;
        }
        let rows = self.pixels.chunks_exact_mut(self.width_px * px_bytes);
        for (row, from) in rows.zip(tile.chunks_exact(columns)) {
            row[left * px_bytes..][..columns].copy_from_slice(from);
        }
        true
    }

    /// A whole tile. Beyond the level, the last column and row go on: black would blur into JPEG.
    fn cut(&self, column: usize, side_px: usize, px_bytes: usize) -> Vec<u8> {
        let (row_bytes, left) = (self.width_px * px_bytes, column * side_px);
        let right = (left + side_px).min(self.width_px);
        let mut tile = Vec::with_capacity(side_px * side_px * px_bytes);
        for y in 0..side_px {
            let row = &self.pixels[y.min(self.rows - 1) * row_bytes..][..row_bytes];
            tile.extend_from_slice(&row[left * px_bytes..right * px_bytes]);
            for _ in right..left + side_px {
                tile.extend_from_slice(&row[row_bytes - px_bytes..]);
            }
        }
        tile
    }
}

/// One row from the two above each other in `pair`; the last of an odd height is alone.
fn halve(row: &mut [u8], pair: &[u8], width_px: usize, px_bytes: usize, merge: Merge) {
    // Most of a label map is glass.
    if let [first, others @ ..] = pair
        && others.iter().all(|value| value == first)
    {
        row.fill(*first);
        return;
    }
    let (upper, lower) = pair.split_at(width_px * px_bytes);
    for (x, pixel) in row.chunks_exact_mut(px_bytes).enumerate() {
        let (mut covered, mut count) = ([&pair[..0]; 4], 0);
        for line in [upper, lower] {
            let rest = line.get(2 * x * px_bytes..).unwrap_or_default();
            for from in rest.chunks_exact(px_bytes).take(2) {
                covered[count] = from;
                count += 1;
            }
        }
        merge(pixel, &covered[..count]);
    }
}

fn mean(pixel: &mut [u8], covered: &[&[u8]]) {
    let count = covered.len() as u16;
    for (channel, value) in pixel.iter_mut().enumerate() {
        let sum: u16 = covered.iter().map(|px| u16::from(px[channel])).sum();
        *value = ((sum + count / 2) / count.max(1)) as u8;
    }
}

/// The most frequent value, the smallest of those equally frequent.
fn mode(pixel: &mut [u8], covered: &[&[u8]]) {
    let [first, others @ ..] = covered else {
        return;
    };
    // Almost all px of a class map lie inside an area of one class.
    if others.iter().all(|px| px == first) {
        pixel.copy_from_slice(first);
        return;
    }
    let votes = |px: &[u8]| covered.iter().filter(|other| **other == px).count();
    let number = |px: &[u8]| px.iter().rfold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    let best = covered
        .iter()
        .max_by_key(|px| (votes(px), std::cmp::Reverse(number(px))));
    pixel.copy_from_slice(best.unwrap_or(first));
}
