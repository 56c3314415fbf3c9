//! A parent tile and its 4 × 4 children.

use super::SamplingError;
use super::tissue::{is_tissue, over_glass};
use crate::geometry::UmPoint;
use crate::slide::SlideSource;

/// Children along each side of a parent.
pub const GRID: usize = 4;

/// Children of a parent.
pub const CHILDREN: usize = GRID * GRID;

/// One family as the slide has it, without augmentation.
///
/// Child (row, column) shows, four times as fine, what the parent shows in the px
/// `row·S/4 .. (row+1)·S/4`, `column·S/4 .. (column+1)·S/4`.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// S × S px of `parent_mpp`, RGB, rows from the top: every px the mean of 4 × 4 px of the
    /// children in 8-bit sRGB, as pyramids are made.
    pub parent: Vec<u8>,
    /// S × S px each of `parent_mpp / 4`, RGB; rows of children from the top.
    pub children: [Vec<u8>; CHILDREN],
    /// Share of each child that is tissue, 0–1, seen at the parent's scale.
    pub tissue: [f32; CHILDREN],
    /// Top-left corner on the slide.
    pub origin: UmPoint,
    /// Scale of the parent, µm/px.
    pub parent_mpp: f64,
}

impl Family {
    /// Share of the parent that is tissue, 0–1.
    pub fn parent_tissue(&self) -> f32 {
        self.tissue.iter().sum::<f32>() / CHILDREN as f32
    }
}

/// One of the eight ways to lay a square on itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(u8);

impl Turn {
    /// How many there are.
    pub const COUNT: u8 = 8;

    /// As it lies.
    pub const NONE: Self = Self(0);

    /// The turn number `index` modulo eight.
    pub fn numbered(index: u8) -> Self {
        Self(index % Self::COUNT)
    }

    /// Where the px that comes to lie at (`x`, `y`) of a square of `side` was.
    fn source(self, (x, y): (usize, usize), side: usize) -> (usize, usize) {
        let x = if self.0 & 1 == 0 { x } else { side - 1 - x };
        let y = if self.0 & 2 == 0 { y } else { side - 1 - y };
        if self.0 & 4 == 0 { (x, y) } else { (y, x) }
    }

    /// A square of `side` × `side` px, mirrored or turned.
    pub(in crate::learn) fn of_square<P: Copy>(self, pixels: &[P], side: usize) -> Vec<P> {
        let places = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let from = places.map(|place| self.source(place, side));
        from.map(|(x, y)| pixels[y * side + x]).collect()
    }
}

/// Reads the family whose parent is `tile_px` px of `parent_mpp` µm from `origin` on. What lies
/// beyond the slide is glass.
///
/// # Errors
/// When `tile_px` is no multiple of four, the source has no scale or no px of a quarter of
/// `parent_mpp`, or can't be read there.
pub fn cut_family(
    source: &dyn SlideSource,
    origin: UmPoint,
    parent_mpp: f64,
    tile_px: usize,
) -> Result<Family, SamplingError> {
    cut_turned(source, origin, parent_mpp, tile_px, Turn::NONE)
}

/// As [`cut_family`], the whole family mirrored or turned before it is cut.
///
/// # Errors
/// Those of [`cut_family`].
pub fn cut_turned(
    source: &dyn SlideSource,
    origin: UmPoint,
    parent_mpp: f64,
    tile_px: usize,
    turn: Turn,
) -> Result<Family, SamplingError> {
    if tile_px == 0 || !tile_px.is_multiple_of(GRID) {
        return Err(SamplingError::setting(
            "tile_px",
            tile_px,
            "must be a multiple of four",
        ));
    }
    let field_px = (tile_px * GRID) as u32;
    let field = source.read_um(origin, parent_mpp / GRID as f64, field_px, field_px)?;
    let field = over_glass(&field, source.info().background_rgb);
    let field = turned(field, tile_px * GRID, turn);
    let parent = box_mean(&field, tile_px);
    Ok(Family {
        tissue: std::array::from_fn(|child| tissue_share(&parent, tile_px, child)),
        children: std::array::from_fn(|child| block(&field, tile_px, child)),
        parent,
        origin,
        parent_mpp,
    })
}

fn turned(field: Vec<u8>, side: usize, turn: Turn) -> Vec<u8> {
    if turn == Turn::NONE {
        return field;
    }
    let (pixels, _) = field.as_chunks::<3>();
    turn.of_square(pixels, side).into_flattened()
}

/// Rounded means of 4 × 4 px of a field of `4 · tile_px` px a side.
fn box_mean(field: &[u8], tile_px: usize) -> Vec<u8> {
    let row_bytes = tile_px * GRID * 3;
    let mut parent = Vec::with_capacity(tile_px * tile_px * 3);
    for rows in field.chunks_exact(row_bytes * GRID) {
        for x in 0..tile_px {
            let mut sum = [0_u16; 3];
            for row in rows.chunks_exact(row_bytes) {
                let (pixels, _) = row[x * GRID * 3..(x + 1) * GRID * 3].as_chunks::<3>();
                for pixel in pixels {
                    for (total, &value) in sum.iter_mut().zip(pixel) {
                        *total += u16::from(value);
                    }
                }
            }
            let half = CHILDREN as u16 / 2;
            parent.extend(sum.map(|total| ((total + half) / CHILDREN as u16) as u8));
        }
    }
    parent
}

/// Child number `child` of the field.
fn block(field: &[u8], tile_px: usize, child: usize) -> Vec<u8> {
    let (row, column) = (child / GRID, child % GRID);
    let tile_bytes = tile_px * 3;
    let rows = field.chunks_exact(tile_bytes * GRID).skip(row * tile_px);
    rows.take(tile_px)
        .flat_map(|line| &line[column * tile_bytes..(column + 1) * tile_bytes])
        .copied()
        .collect()
}

/// Share of tissue in the parent's px under child number `child`.
fn tissue_share(parent: &[u8], tile_px: usize, child: usize) -> f32 {
    let quarter = tile_px / GRID;
    let (row, column) = (child / GRID, child % GRID);
    let (pixels, _) = parent.as_chunks::<3>();
    let lines = pixels
        .chunks_exact(tile_px)
        .skip(row * quarter)
        .take(quarter);
    let under = lines.flat_map(|line| &line[column * quarter..(column + 1) * quarter]);
    let tissue = under.filter(|pixel| is_tissue(**pixel)).count();
    tissue as f32 / (quarter * quarter) as f32
}
