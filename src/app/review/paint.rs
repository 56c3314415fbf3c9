//! The regions of a review and the verdicts on a slide, drawn over a pane.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Ui, Vec2, pos2, vec2};

use super::{Review, verdict_on};
use crate::annotate::{Decision, Verdict};
use crate::app::viewport::PaneArea;
use crate::geometry::{SlidePoint, SlideRect, View};
use crate::slide::SlideHash;

/// Regions without a verdict.
const OPEN: Color32 = Color32::from_rgb(0xFF, 0xFF, 0xFF);
/// As in exports: bluish green, vermilion and blue, which the colour-blind tell apart.
const ACCEPTED: Color32 = Color32::from_rgb(0, 158, 115);
const FLAGGED: Color32 = Color32::from_rgb(213, 94, 0);
const NOTED: Color32 = Color32::from_rgb(0, 114, 178);

/// What is smaller than this is framed at this size, points.
const LEAST_PT: f32 = 14.0;

/// Length of the corners of a region without a verdict, points.
const CORNER_PT: f32 = 6.0;

/// Radius of the sign of a verdict, points.
const BADGE_PT: f32 = 6.5;

/// A place that is framed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark<'a> {
    /// Where it is, level-0 px.
    pub rect: SlideRect,
    /// What was said of it.
    pub verdict: Option<&'a Verdict>,
    /// Whether it is visited.
    pub is_visited: bool,
}

/// What is framed on a slide: its verdicts, and with `lists_regions` the regions that were found
/// on it. What is visited comes last, on top.
pub fn marks<'a>(
    review: &Review,
    slide: &SlideHash,
    verdicts: &'a [Verdict],
    lists_regions: bool,
) -> Vec<Mark<'a>> {
    let found = review.found();
    let mut marks = Vec::new();
    if let Some(found) = found.filter(|found| lists_regions && found.slide == *slide) {
        let regions = found.comparison.regions.iter().enumerate();
        marks.extend(regions.map(|(index, region)| Mark {
            rect: region.rect,
            verdict: verdict_on(verdicts, found, &region.rect),
            is_visited: review.at == Some(index),
        }));
    }
    let of_regions: Vec<_> = marks.iter().filter_map(|mark| mark.verdict).collect();
    let others = verdicts
        .iter()
        .filter(|verdict| of_regions.iter().all(|of| of.id != verdict.id));
    let is_visited = |verdict: &Verdict| {
        let kept = review.kept.as_ref();
        kept.is_some_and(|(of, id)| of == slide && *id == verdict.id)
    };
    let others = others.map(|verdict| Mark {
        rect: verdict.region,
        verdict: Some(verdict),
        is_visited: is_visited(verdict),
    });
    marks.extend(others.collect::<Vec<_>>());
    marks.sort_by_key(|mark| mark.is_visited);
    marks
}

/// Frames what the pane shows of it.
pub fn paint(ui: &Ui, area: &PaneArea, view: &View, marks: &[Mark<'_>]) {
    let seen = view.bounding_rect();
    let painter = ui.painter().with_clip_rect(area.rect);
    for mark in marks.iter().filter(|mark| mark.rect.intersects(&seen)) {
        let frame = frame(area, view, &mark.rect);
        painter.extend(outline(&frame, mark));
        if let Some(verdict) = mark.verdict {
            badge(&painter, frame[0], verdict.decision);
        }
    }
}

/// The lines around a mark: boldly around what is visited, closed around what has a verdict, thin
/// corners of all else, which may be a hundred.
fn outline(frame: &[Pos2; 4], mark: &Mark<'_>) -> Vec<Shape> {
    let colour = mark
        .verdict
        .map_or(OPEN, |verdict| colour_of(verdict.decision));
    let lines = |dark: (f32, u8), light: f32| {
        let strokes = [
            Stroke::new(dark.0, Color32::from_black_alpha(dark.1)),
            Stroke::new(light, colour),
        ];
        strokes.into_iter()
    };
    let closed = |stroke| Shape::closed_line(frame.to_vec(), stroke);
    match (mark.is_visited, mark.verdict) {
        (true, _) => lines((5.0, 170), 2.5).map(closed).collect(),
        (false, Some(_)) => lines((3.0, 110), 1.5).map(closed).collect(),
        (false, None) => lines((2.0, 70), 1.0)
            .flat_map(|stroke| corners(frame).map(|corner| Shape::line(corner, stroke)))
            .collect(),
    }
}

/// The four corners of a frame, each as a short line round it.
fn corners(frame: &[Pos2; 4]) -> [Vec<Pos2>; 4] {
    let towards = |from: Pos2, to: Pos2| {
        let side = to - from;
        from + side.normalized() * CORNER_PT.min(side.length() / 3.0)
    };
    std::array::from_fn(|n| {
        let (before, at, after) = (frame[(n + 3) % 4], frame[n], frame[(n + 1) % 4]);
        vec![towards(at, before), at, towards(at, after)]
    })
}

fn colour_of(decision: Option<Decision>) -> Color32 {
    match decision {
        Some(Decision::Accept) => ACCEPTED,
        Some(Decision::Flag) => FLAGGED,
        None => NOTED,
    }
}

/// The sign of a verdict in its colour: a tick, a flag, or the lines of a note.
pub fn badge(painter: &Painter, centre: Pos2, decision: Option<Decision>) {
    painter.circle(
        centre,
        BADGE_PT,
        colour_of(decision),
        Stroke::new(1.0, Color32::WHITE),
    );
    let line = Stroke::new(1.5, Color32::WHITE);
    let lines: &[&[(f32, f32)]] = match decision {
        Some(Decision::Accept) => &[&[(-3.0, 0.0), (-1.0, 2.5), (3.0, -2.5)]],
        Some(Decision::Flag) => &[&[(-2.0, 4.0), (-2.0, -3.5), (3.0, -1.5), (-2.0, 0.5)]],
        None => &[&[(-3.0, -1.5), (3.0, -1.5)], &[(-3.0, 1.5), (1.0, 1.5)]],
    };
    for points in lines {
        let points = points.iter().map(|(x, y)| centre + vec2(*x, *y));
        painter.line(points.collect(), line);
    }
}

/// The corners of a frame on the window: at any turn of the picture.
fn frame(area: &PaneArea, view: &View, rect: &SlideRect) -> [Pos2; 4] {
    let SlideRect { min, max, .. } = *rect;
    let corners = [
        min,
        SlidePoint::new(max.x, min.y),
        max,
        SlidePoint::new(min.x, max.y),
    ];
    let screen = view.screen_from_slide();
    let points = corners.map(|corner| area.window_from_screen(screen.transform_point(corner)));
    let bounds = Rect::from_points(&points);
    if bounds.size().max_elem() >= LEAST_PT {
        return points;
    }
    let Rect { min, max } = Rect::from_center_size(bounds.center(), Vec2::splat(LEAST_PT));
    [min, pos2(max.x, min.y), max, pos2(min.x, max.y)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotate::RecordId;

    fn verdict(id: u8, x: f64, decision: Option<Decision>) -> Verdict {
        let min = SlidePoint::new(x, 0.0);
        Verdict {
            id: RecordId([id; 16]),
            region: SlideRect::new(min, SlidePoint::new(x + 9.0, 9.0)),
            area_px: 4.0,
            kind: "agreement".to_owned(),
            score: 1.0,
            said: Default::default(),
            decision,
            note: String::new(),
            model_hash: "m".to_owned(),
            magnifications: (40.0, 10.0),
            created_ms: 0,
        }
    }

    #[test]
    fn verdicts_are_marked_without_a_comparison_and_the_visited_one_last() {
        let slide = SlideHash("a".to_owned());
        let verdicts = [
            verdict(1, 0.0, Some(Decision::Flag)),
            verdict(2, 50.0, Some(Decision::Accept)),
        ];
        let review = Review {
            kept: Some((slide.clone(), verdicts[0].id)),
            ..Review::default()
        };
        for lists_regions in [true, false] {
            let marks = marks(&review, &slide, &verdicts, lists_regions);
            let seen = marks.iter().map(|mark| (mark.rect, mark.is_visited));
            let wanted = [(verdicts[1].region, false), (verdicts[0].region, true)];
            assert_eq!(seen.collect::<Vec<_>>(), wanted);
        }
        let other = SlideHash("b".to_owned());
        let of_other = marks(&review, &other, &verdicts, true);
        assert!(of_other.iter().all(|mark| !mark.is_visited));
    }

    #[test]
    fn only_what_is_visited_is_drawn_strongly_and_the_rest_as_thin_corners() {
        let frame = [(0.0, 0.0), (30.0, 0.0), (30.0, 20.0), (0.0, 20.0)].map(|(x, y)| pos2(x, y));
        let noted = verdict(1, 0.0, None);
        let drawn = |verdict, is_visited| {
            let rect = noted.region;
            let shapes = outline(
                &frame,
                &Mark {
                    rect,
                    verdict,
                    is_visited,
                },
            );
            let paths = shapes.into_iter().filter_map(|shape| match shape {
                Shape::Path(path) => Some((path.closed, path.stroke.width, path.stroke.color)),
                _ => None,
            });
            paths.collect::<Vec<_>>()
        };
        let colour = |colour| egui::epaint::ColorMode::Solid(colour);
        let open = drawn(None, false);
        assert_eq!(open.len(), 8, "four corners, dark and light");
        assert!(
            open.iter()
                .all(|(closed, width, _)| !closed && *width <= 2.0)
        );
        let visited = drawn(None, true);
        assert!(
            visited
                .iter()
                .all(|(closed, width, _)| *closed && *width > 2.0)
        );
        let of_note = drawn(Some(&noted), false);
        assert!(of_note.iter().all(|(closed, _, _)| *closed));
        assert_eq!(of_note[1].2, colour(NOTED));
        let corner = &corners(&frame)[0];
        assert_eq!(corner[1], frame[0]);
        assert_eq!((corner[2] - corner[1]).length(), CORNER_PT);
    }
}
