//! Brush strokes: which px they cover, and what an eraser touches.

use std::ops::Range;

use crate::geometry::{SlidePoint, SlideRect};
use crate::labels::Raster;

/// A line drawn with a round brush.
#[derive(Debug, Clone, PartialEq)]
pub struct Stroke {
    /// Name of the class that it is for.
    pub class: String,
    /// Radius of the brush, level-0 px; > 0.
    pub radius_px: f64,
    /// The line, level-0 px; one point is a dot.
    pub points: Vec<SlidePoint>,
}

impl Stroke {
    /// What it covers, level-0 px; empty without points.
    pub fn bounds(&self) -> SlideRect {
        match self.points.is_empty() {
            true => SlideRect::zero(),
            false => SlideRect::from_points(&self.points).inflate(self.radius_px, self.radius_px),
        }
    }

    /// Whether all numbers are such, and the radius is greater than 0.
    fn is_sound(&self) -> bool {
        let radius = self.radius_px.is_finite() && self.radius_px > 0.0;
        radius && self.points.iter().all(|point| point.is_finite())
    }

    /// Lines from point to point; a single point is a line to itself.
    fn lines(&self) -> impl Iterator<Item = (SlidePoint, SlidePoint)> {
        let ends = self.points.iter().skip(1).chain(self.points.last());
        let count = self.points.len().saturating_sub(1).max(1);
        self.points.iter().copied().zip(ends.copied()).take(count)
    }
}

/// The px of `raster` whose centre lies within the brush's radius of the line, row by row, each
/// once, as column and row. None for a stroke whose numbers are none.
pub fn covered(stroke: &Stroke, raster: &Raster) -> impl Iterator<Item = (u32, u32)> + use<> {
    let mut runs: Vec<(u32, Range<u32>)> = Vec::new();
    if stroke.is_sound() {
        for line in stroke.lines() {
            runs.extend(runs_of(line, stroke.radius_px, raster));
        }
    }
    runs.sort_unstable_by_key(|(row, columns)| (*row, columns.start));
    let mut before = (0, 0);
    runs.into_iter().flat_map(move |(row, columns)| {
        // What lies beyond the end of all runs of this row so far.
        let end = if before.0 == row { before.1 } else { 0 };
        before = (row, columns.end.max(end));
        (columns.start.max(end)..columns.end).map(move |column| (column, row))
    })
}

/// In each row, the columns near a line: they are side by side, as what is near a line is convex.
fn runs_of(
    line: (SlidePoint, SlidePoint),
    radius_px: f64,
    raster: &Raster,
) -> Vec<(u32, Range<u32>)> {
    let reach = SlideRect::from_points([line.0, line.1]).inflate(radius_px, radius_px);
    // A px more on all sides: rounding decides nothing, the distance does.
    let (width, height) = raster.slide_px_per_px;
    let Some((columns, rows)) = raster.px_in(&reach.inflate(width, height)) else {
        return Vec::new();
    };
    let centre = |column: u32, row: u32| {
        SlidePoint::new(
            (f64::from(column) + 0.5) * width,
            (f64::from(row) + 0.5) * height,
        )
    };
    let run = |row: u32| {
        let near = |column: u32| distance(centre(column, row), line) <= radius_px;
        let (from, to) = chord(line, radius_px, (f64::from(row) + 0.5) * height)?;
        let column = |x: f64| (x / width).clamp(columns.start.into(), columns.end.into()) as u32;
        let mut around = column(from - 2.0 * width)..column(to + 2.0 * width);
        let start = around.clone().find(|column| near(*column))?;
        let end = around.rfind(|column| near(*column))? + 1;
        Some((row, start..end))
    };
    rows.filter_map(run).collect()
}

/// From where to where the row at `y` may be near a line: of its ends' circles and of the band
/// between them what is leftmost and rightmost.
fn chord(line: (SlidePoint, SlidePoint), radius_px: f64, y: f64) -> Option<(f64, f64)> {
    let (a, b) = line;
    let way = b - a;
    let mut xs = Vec::with_capacity(8);
    for end in [a, b] {
        let across = radius_px * radius_px - (y - end.y) * (y - end.y);
        if across >= 0.0 {
            xs.extend([end.x - across.sqrt(), end.x + across.sqrt()]);
        }
    }
    // The two sides of the band, parallel to the line at the radius.
    let side = way.try_normalize().unwrap_or_default() * radius_px;
    for (dx, dy) in [(-side.y, side.x), (side.y, -side.x)] {
        let part = (y - a.y - dy) / way.y;
        if (0.0..=1.0).contains(&part) {
            xs.push(a.x + dx + part * way.x);
        }
    }
    // Where rounding hides all of them, the row meets the line at most at a single point.
    let from = xs.iter().copied().reduce(f64::min);
    let to = xs.iter().copied().reduce(f64::max);
    match (from, to) {
        (Some(from), Some(to)) => Some((from, to)),
        _ => Some((a.x.min(b.x), a.x.max(b.x))),
    }
}

/// From a point to the nearest of a line.
fn distance(point: SlidePoint, (a, b): (SlidePoint, SlidePoint)) -> f64 {
    let (way, to) = (b - a, point - a);
    let length2 = way.square_length();
    let part = if length2 > 0.0 {
        (to.dot(way) / length2).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (to - way * part).length()
}

/// Which of `strokes` a round eraser at `at` touches, by their place in the list.
pub fn touched<'a>(
    strokes: impl IntoIterator<Item = &'a Stroke>,
    at: SlidePoint,
    radius_px: f64,
) -> Vec<usize> {
    let touches = |stroke: &Stroke| {
        let reach = stroke.radius_px + radius_px;
        stroke.is_sound() && stroke.lines().any(|line| distance(at, line) <= reach)
    };
    let numbered = strokes.into_iter().enumerate();
    numbered
        .filter(|(_, stroke)| touches(stroke))
        .map(|(n, _)| n)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stroke(radius_px: f64, points: &[(f64, f64)]) -> Stroke {
        Stroke {
            class: "a".to_owned(),
            radius_px,
            points: points
                .iter()
                .map(|(x, y)| SlidePoint::new(*x, *y))
                .collect(),
        }
    }

    fn raster() -> Raster {
        Raster {
            slide_px_per_px: (4.0, 3.0),
            size_px: (60, 50),
        }
    }

    /// Every px of the raster on its own.
    fn by_force(stroke: &Stroke, raster: &Raster) -> Vec<(u32, u32)> {
        let (width, height) = raster.slide_px_per_px;
        let near = |x: u32, y: u32| {
            let (x, y) = ((f64::from(x) + 0.5) * width, (f64::from(y) + 0.5) * height);
            let lines = stroke.lines();
            lines
                .into_iter()
                .any(|line| distance(SlidePoint::new(x, y), line) <= stroke.radius_px)
        };
        let all = (0..raster.size_px.1).flat_map(|y| (0..raster.size_px.0).map(move |x| (x, y)));
        all.filter(|(x, y)| near(*x, *y)).collect()
    }

    proptest! {
        #[test]
        fn a_stroke_covers_the_px_whose_centres_are_near(
            radius_px in prop_oneof![0.1..40.0, Just(0.5), Just(6.0)],
            points in prop::collection::vec((-40.0..280.0, -30.0..190.0), 1..7),
            straight in any::<bool>(),
        ) {
            let mut points: Vec<(f64, f64)> = points;
            if straight {
                // Along rows and through centres, where all is on the edge.
                points.iter_mut().for_each(|point| {
                    point.0 = (point.0 / 4.0_f64).round() * 4.0 + 2.0;
                    point.1 = (point.1 / 6.0_f64).round() * 3.0 + 1.5;
                });
            }
            let stroke = stroke(radius_px, &points);
            let covered: Vec<_> = covered(&stroke, &raster()).collect();
            prop_assert_eq!(covered, by_force(&stroke, &raster()));
        }
    }

    #[test]
    fn a_dot_is_a_disc_and_what_is_no_number_covers_nothing() {
        let dot = stroke(6.0, &[(10.0, 10.5)]);
        assert_eq!(covered(&dot, &raster()).count(), 11);
        assert_eq!(dot.bounds().min, SlidePoint::new(4.0, 4.5));
        for broken in [
            stroke(6.0, &[]),
            stroke(6.0, &[(f64::NAN, 1.0)]),
            stroke(f64::INFINITY, &[(1.0, 1.0)]),
            stroke(-1.0, &[(1.0, 1.0)]),
            stroke(0.0, &[(1.0, 1.0)]),
        ] {
            assert_eq!(covered(&broken, &raster()).count(), 0);
            assert!(touched([&broken], SlidePoint::new(1.0, 1.0), 9.0).is_empty());
        }
    }

    #[test]
    fn the_eraser_takes_what_it_touches_and_nothing_else() {
        let strokes = [
            stroke(5.0, &[(0.0, 0.0), (100.0, 0.0)]),
            stroke(5.0, &[(50.0, 30.0)]),
            stroke(5.0, &[(300.0, 300.0), (400.0, 300.0)]),
        ];
        let at = |x, y, radius_px| touched(&strokes, SlidePoint::new(x, y), radius_px);
        assert_eq!(at(50.0, 15.0, 10.0), [0, 1]);
        assert_eq!(at(50.0, 15.0, 9.9), Vec::<usize>::new());
        assert_eq!(at(350.0, 306.0, 1.0), [2]);
        assert_eq!(at(110.0, 0.0, 5.0), [0]);
    }
}
