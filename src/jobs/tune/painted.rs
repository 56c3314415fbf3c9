//! Strokes as px of tiles.

use std::collections::BTreeMap;

use crate::annotate::{Stroke, covered};
use crate::labels::Raster;
use crate::learn::tune_bias::PaintedPx;
use crate::segment::{TileGrid, TileId};

/// Px of all strokes together that are looked at: of longer strokes the uppermost.
const MOST_PX: usize = 4 << 20;

/// Row and column of a tile, so that tiles have an order.
type Place = (u32, u32);

/// The tiles whose cores strokes cover, by row and column, with their painted px in the order of the
/// strokes; a px that two strokes cover is listed twice.
#[derive(Debug, Default)]
pub struct Painted {
    tiles: BTreeMap<Place, Vec<PaintedPx>>,
}

impl Painted {
    /// What strokes cover of a slide that is cut by `grid`, whose px lie as `raster` says.
    pub fn by(strokes: &[&Stroke], raster: &Raster, grid: &TileGrid) -> Self {
        let mut tiles: BTreeMap<Place, Vec<PaintedPx>> = BTreeMap::new();
        let most = MOST_PX / strokes.len().max(1);
        for (n, stroke) in (0..).zip(strokes) {
            for (x, y) in covered(stroke, raster).take(most) {
                let (column, left) = place(grid, x);
                let (row, top) = place(grid, y);
                let px = top * grid.spec.tile_px + left;
                let of_tile = tiles.entry((row, column)).or_default();
                of_tile.push(PaintedPx { px, stroke: n });
            }
        }
        Self { tiles }
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.tiles.len()
    }

    /// At most `most` tiles, each with its px, which belong to the last stroke over them. Strokes take
    /// turns, of each class the first, then of each the second and so on, and again from the front:
    /// who has as many tiles as turns passes, the others take the tile with most of their px.
    pub fn chosen(&self, classes: &[usize], most: usize) -> Vec<(TileId, Vec<PaintedPx>)> {
        let counts = self.counts(classes.len());
        let turns = turns(classes);
        let mut taken: Vec<Place> = Vec::new();
        for round in 1..=most {
            for own in turns.iter().map(|stroke| &counts[*stroke]) {
                let has = taken
                    .iter()
                    .filter(|place| own.contains_key(*place))
                    .count();
                let free = own.iter().filter(|(place, _)| !taken.contains(place));
                // Of equals the uppermost: `max_by_key` gives the last.
                let best = free.rev().max_by_key(|(_, px)| **px);
                if let Some((place, _)) = best.filter(|_| has < round && taken.len() < most) {
                    taken.push(*place);
                }
            }
        }
        taken.sort_unstable();
        taken.into_iter().map(|place| self.tile(place)).collect()
    }

    /// For each stroke the tiles that it touches, and how many px of each.
    fn counts(&self, strokes: usize) -> Vec<BTreeMap<Place, usize>> {
        let mut counts = vec![BTreeMap::new(); strokes];
        for (place, px) in &self.tiles {
            for painted in px {
                *counts[painted.stroke as usize].entry(*place).or_default() += 1;
            }
        }
        counts
    }

    fn tile(&self, (row, column): Place) -> (TileId, Vec<PaintedPx>) {
        let listed = self.tiles.get(&(row, column)).into_iter().flatten();
        let last: BTreeMap<u32, u32> = listed.map(|painted| (painted.px, painted.stroke)).collect();
        let px = last
            .into_iter()
            .map(|(px, stroke)| PaintedPx { px, stroke });
        (TileId { column, row }, px.collect())
    }
}

/// Along an axis the tile whose core has a px, and the px's place in that tile.
fn place(grid: &TileGrid, px: u32) -> (u32, u32) {
    let index = (px + grid.spec.offset_px()) / grid.spec.step_px();
    let start = grid.core_start(index) - i64::from(grid.spec.halo_px);
    (index, (i64::from(px) - start) as u32)
}

/// The strokes in turn: of each class the first, of each the second and so on.
fn turns(classes: &[usize]) -> Vec<usize> {
    let before = |n: usize| {
        classes[..n]
            .iter()
            .filter(|class| **class == classes[n])
            .count()
    };
    let mut turns: Vec<usize> = (0..classes.len()).collect();
    turns.sort_by_key(|n| (before(*n), classes[*n], *n));
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::SlidePoint;
    use crate::segment::GridSpec;
    use crate::segment::test_slide::Painted as PaintedSlide;
    use crate::slide::SlideSource as _;

    /// Tiles of 64 px with cores of 32 px of 1 µm on a slide of 0.25 µm.
    fn grid() -> (TileGrid, Raster) {
        let slide = PaintedSlide::new(1601, 803, Some(0.25), |_, _| [200; 3]);
        let grid = TileGrid::over(slide.info(), GridSpec::new(1.0, 64)).unwrap();
        let raster = Raster {
            slide_px_per_px: (4.0, 4.0),
            size_px: grid.size_px,
        };
        (grid, raster)
    }

    /// A line along columns of px at 1 µm.
    fn line(columns: std::ops::Range<u32>, row: u32, radius_px: f64) -> Stroke {
        let at = |column: u32| SlidePoint::new(column as f64 * 4.0 + 2.0, row as f64 * 4.0 + 2.0);
        Stroke {
            class: "one".into(),
            radius_px: radius_px * 4.0,
            points: vec![at(columns.start), at(columns.end - 1)],
        }
    }

    fn painted(strokes: &[Stroke]) -> Painted {
        let (grid, raster) = grid();
        Painted::by(&strokes.iter().collect::<Vec<_>>(), &raster, &grid)
    }

    #[test]
    fn each_px_is_in_the_tile_whose_core_it_is_in() {
        let found = painted(&[line(30..70, 33, 0.4)]).chosen(&[0], 9);
        let tiles: Vec<(u32, u32, usize)> = found
            .iter()
            .map(|(tile, px)| (tile.column, tile.row, px.len()))
            .collect();
        assert_eq!(tiles, [(0, 1, 2), (1, 1, 32), (2, 1, 6)]);
        // Row 33 is the second of the core, which begins behind a halo of 16.
        assert_eq!(found[0].1[0].px, 17 * 64 + 16 + 30);
        assert_eq!(found[1].1[0].px, 17 * 64 + 16);
    }

    #[test]
    fn a_px_belongs_to_the_last_stroke_over_it() {
        let strokes = [line(36..60, 40, 2.2), line(40..44, 40, 0.4)];
        let found = painted(&strokes).chosen(&[0, 1], 9);
        let [(_, px)] = found.as_slice() else {
            panic!("{found:?}")
        };
        let of = |stroke: u32| px.iter().filter(|painted| painted.stroke == stroke).count();
        assert_eq!(of(1), 4);
        let alone = painted(&strokes[..1]).chosen(&[0], 9);
        assert_eq!(of(0) + 4, alone[0].1.len());
    }

    #[test]
    fn few_tiles_are_shared_out_among_classes_and_strokes() {
        // A long stroke of class 0, then two short ones each of classes 0 and 1.
        let strokes = [
            line(0..390, 10, 1.0),
            line(40..50, 100, 1.0),
            line(140..150, 100, 1.0),
            line(240..250, 100, 1.0),
            line(340..350, 100, 1.0),
        ];
        let classes = [0, 0, 0, 1, 1];
        let of = |most: usize| {
            let found = painted(&strokes).chosen(&classes, most);
            let strokes = found
                .iter()
                .flat_map(|(_, px)| px.iter().map(|px| px.stroke));
            let mut strokes: Vec<u32> = strokes.collect();
            strokes.sort_unstable();
            strokes.dedup();
            (found.len(), strokes)
        };
        assert_eq!(of(1), (1, vec![0]));
        assert_eq!(of(2), (2, vec![0, 3]));
        assert_eq!(of(4), (4, vec![0, 1, 3, 4]));
        assert_eq!(of(5), (5, vec![0, 1, 2, 3, 4]));
        let all = painted(&strokes).len();
        assert_eq!(of(99).0, all);
        assert_eq!(of(all - 1).0, all - 1);
        assert_eq!(painted(&[]).chosen(&[], 5), []);
    }
}
