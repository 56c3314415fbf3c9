//! Footprints: child-sized squares of nearly one class, and how each is seen at three scales.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::EvalError;
use crate::geometry::{LevelRegion, UmPoint};
use crate::learn::embed::{Block, TileAt};
use crate::slide::phantom::{PhantomSource, Tissue};

/// Children along a side of a parent.
pub const GRID: usize = 4;

/// Microns per px at 10x.
pub const PARENT_MPP: f64 = 1.0;

/// Scale on which labels are counted, µm/px: a level of the phantom.
const LABEL_MPP: f64 = 2.0;

/// Places tried on a slide, as a multiple of the footprints wanted: rare classes need many.
const TRIES_EACH: usize = 400;

/// Magnifications at which a footprint is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// 1 µm/px: the parent.
    X10,
    /// 0.5 µm/px: the quarter of the parent around the footprint.
    X20,
    /// 0.25 µm/px: the footprint alone.
    X40,
}

impl Scale {
    /// Every scale, coarsest first.
    pub const ALL: [Self; 3] = [Self::X10, Self::X20, Self::X40];

    /// Footprints along a side of a tile at this scale.
    fn across(self) -> usize {
        match self {
            Self::X10 => GRID,
            Self::X20 => GRID / 2,
            Self::X40 => 1,
        }
    }
}

/// A square of nearly one class, and the parent that it is a child of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Top-left corner of the parent.
    pub parent: UmPoint,
    /// Column and row of the footprint among the parent's 4 × 4 children.
    pub child: (usize, usize),
    /// Index of its class among the tissue's scored ones.
    pub label: usize,
}

impl Footprint {
    /// The tile that shows the footprint at `scale`, aligned to the parent's children.
    pub fn tile(&self, scale: Scale, tile_px: usize) -> TileAt {
        let across = scale.across();
        let child_um = PARENT_MPP * (tile_px / GRID) as f64;
        let corner = |child: usize| (child / across * across) as f64 * child_um;
        let (column, row) = self.child;
        let (x, y) = (corner(column), corner(row));
        TileAt {
            origin: UmPoint::new(self.parent.x + x, self.parent.y + y),
            mpp: PARENT_MPP * across as f64 / GRID as f64,
        }
    }

    /// The tokens of that tile which cover the footprint; `grid` tokens along its side.
    pub fn block(&self, scale: Scale, grid: usize) -> Block {
        let across = scale.across();
        let (column, row) = self.child;
        Block::part(grid, across, (column % across, row % across))
    }
}

/// Classes that are scored: those that are not ignored, less glass. Glass has index 0 in every
/// tissue; the colour of nothing would give every classifier a class for free, as the phantom's
/// colour criterion has it too.
pub fn scored_classes(tissue: Tissue) -> Vec<usize> {
    let classes = tissue.classes().iter().enumerate();
    let scored = classes.filter(|(index, class)| *index > 0 && !class.ignore);
    scored.map(|(index, _)| index).collect()
}

/// What footprints are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Of each class.
    pub per_class: usize,
    /// Least share of one class, 0–1.
    pub least_share: f64,
    /// Side of a tile, px.
    pub tile_px: usize,
}

/// Footprints of every scored class of a slide, in the order in which they were found; fewer
/// where the slide has not as many within the tries. Parents lie within the slide.
///
/// # Errors
/// When labels can't be read.
pub fn draw(slide: &PhantomSource, wanted: Wanted) -> Result<Vec<Footprint>, EvalError> {
    let scored = scored_classes(slide.spec().tissue);
    let mut found = vec![0; scored.len()];
    let mut footprints = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(slide.spec().seed);
    for _ in 0..TRIES_EACH * wanted.per_class * scored.len() {
        if found.iter().all(|count| *count >= wanted.per_class) {
            break;
        }
        let (parent, child, corner) = place(slide, wanted.tile_px, &mut rng);
        let half_um = PARENT_MPP * (wanted.tile_px / GRID) as f64 / 2.0;
        let middle = UmPoint::new(corner.x + half_um, corner.y + half_um);
        let class = usize::from(slide.class_at(middle));
        let Some(label) = scored.iter().position(|scored| *scored == class) else {
            continue;
        };
        let lacks = found[label] < wanted.per_class;
        if lacks && share_of(slide, corner, wanted.tile_px, class)? >= wanted.least_share {
            found[label] += 1;
            footprints.push(Footprint {
                parent,
                child,
                label,
            });
        }
    }
    Ok(footprints)
}

/// A parent on the grid of children, a child of it, and the child's corner.
fn place(
    slide: &PhantomSource,
    tile_px: usize,
    rng: &mut ChaCha8Rng,
) -> (UmPoint, (usize, usize), UmPoint) {
    let child_um = PARENT_MPP * (tile_px / GRID) as f64;
    let mut along = |extent_um: f64| {
        let children = (extent_um / child_um) as usize;
        let parent = rng.random_range(0..children.saturating_sub(GRID).max(1));
        let child = rng.random_range(0..GRID);
        let corner_um = (parent + child) as f64 * child_um;
        (parent as f64 * child_um, child, corner_um)
    };
    let [width_um, height_um] = slide.spec().extent_um;
    let (x, column, corner_x) = along(width_um);
    let (y, row, corner_y) = along(height_um);
    let (parent, corner) = (UmPoint::new(x, y), UmPoint::new(corner_x, corner_y));
    (parent, (column, row), corner)
}

/// Share of a footprint that `class` covers, 0–1.
fn share_of(
    slide: &PhantomSource,
    corner: UmPoint,
    tile_px: usize,
    class: usize,
) -> Result<f64, EvalError> {
    let level = (LABEL_MPP / slide.spec().base_mpp).log2().round() as usize;
    let side = (PARENT_MPP * (tile_px / GRID) as f64 / LABEL_MPP) as u32;
    let region = LevelRegion {
        x: (corner.x / LABEL_MPP) as i64,
        y: (corner.y / LABEL_MPP) as i64,
        width: side,
        height: side,
    };
    let labels = slide.label_region(level, region)?;
    let same = labels.iter().filter(|label| usize::from(**label) == class);
    Ok(same.count() as f64 / labels.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::eval_mad::slides::phantom;

    const WANTED: Wanted = Wanted {
        per_class: 4,
        least_share: 0.8,
        tile_px: 128,
    };

    #[test]
    fn footprints_are_of_one_class_and_balanced() {
        for tissue in Tissue::ALL {
            let slide = phantom(tissue, 700_001).unwrap();
            let footprints = draw(&slide, WANTED).unwrap();
            assert_eq!(footprints, draw(&slide, WANTED).unwrap());
            let scored = scored_classes(tissue);
            assert!(
                footprints.len() > 3 * scored.len(),
                "{tissue:?}: {}",
                footprints.len()
            );
            for footprint in &footprints {
                let corner = footprint.tile(Scale::X40, 128).origin;
                // An 8 × 8 lattice of points, independent of the raster that was counted.
                let hits = (0..64).filter(|n| {
                    let at = |n: i32| 2.0 + 4.0 * f64::from(n);
                    let point = UmPoint::new(corner.x + at(n % 8), corner.y + at(n / 8));
                    usize::from(slide.class_at(point)) == scored[footprint.label]
                });
                assert!(hits.count() >= 48, "{tissue:?} {footprint:?}");
            }
        }
    }

    #[test]
    fn the_same_square_is_seen_at_every_scale() {
        let footprint = Footprint {
            parent: UmPoint::new(320.0, 640.0),
            child: (3, 1),
            label: 0,
        };
        let corner = |scale: Scale, grid: usize| {
            let (tile, block) = (footprint.tile(scale, 128), footprint.block(scale, grid));
            let token_um = tile.mpp * 128.0 / grid as f64;
            let x = tile.origin.x + block.column as f64 * token_um;
            let y = tile.origin.y + block.row as f64 * token_um;
            (x, y, block.side as f64 * token_um)
        };
        for grid in [4, 8, 16] {
            for scale in Scale::ALL {
                assert_eq!(corner(scale, grid), (416.0, 672.0, 32.0), "{scale:?}");
            }
        }
    }
}
