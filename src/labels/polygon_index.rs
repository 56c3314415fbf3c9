//! Which polygons a part of the slide touches, without looking at all of them.

use crate::geometry::{SlidePoint, SlideRect};

/// Squares along each side of what the polygons cover.
const SIDE: usize = 64;

/// Bounding boxes, by the squares of a grid that they touch.
pub(super) struct PolygonIndex {
    covered: SlideRect,
    bounds: Vec<SlideRect>,
    /// Numbers of boxes, ascending, for each square, row by row.
    squares: Vec<Vec<u32>>,
}

impl PolygonIndex {
    /// Of boxes, known by their place in the list.
    pub fn new(bounds: Vec<SlideRect>) -> Self {
        let corners = bounds.iter().flat_map(|b| [b.min, b.max]);
        let mut index = Self {
            covered: SlideRect::from_points(corners),
            squares: vec![Vec::new(); SIDE * SIDE],
            bounds,
        };
        for (n, rect) in (0_u32..).zip(&index.bounds) {
            for square in squares_of(&index.covered, rect) {
                index.squares[square].push(n);
            }
        }
        index
    }

    /// A box, by its place in the list.
    pub fn bounds(&self, n: usize) -> &SlideRect {
        &self.bounds[n]
    }

    /// The boxes that touch `rect`, in the order of the list.
    pub fn touching(&self, rect: &SlideRect) -> Vec<usize> {
        let squares = squares_of(&self.covered, rect);
        let found = squares.flat_map(|square| &self.squares[square]);
        let mut found: Vec<usize> = found.map(|n| *n as usize).collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|n| touch(&self.bounds[*n], rect));
        found
    }
}

fn touch(a: &SlideRect, b: &SlideRect) -> bool {
    a.min.x <= b.max.x && b.min.x <= a.max.x && a.min.y <= b.max.y && b.min.y <= a.max.y
}

/// Squares of the grid over `covered` that `rect` touches; those at the rim for what is beyond.
fn squares_of(covered: &SlideRect, rect: &SlideRect) -> impl Iterator<Item = usize> + use<> {
    let along = |at: f64, from: f64, length: f64| {
        let part = (at - from) / length.max(f64::MIN_POSITIVE);
        (part * SIDE as f64).clamp(0.0, (SIDE - 1) as f64) as usize
    };
    let size = covered.size();
    let square = |point: SlidePoint| {
        (
            along(point.x, covered.min.x, size.width),
            along(point.y, covered.min.y, size.height),
        )
    };
    let (from, to) = (square(rect.min), square(rect.max));
    (from.1..=to.1).flat_map(move |row| (from.0..=to.0).map(move |col| row * SIDE + col))
}
