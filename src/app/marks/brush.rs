//! The brush: what it would paint, and the stroke in hand.

use super::PaneIndex;
use crate::annotate::{RecordId, Stroke, StrokeRecord, now_ms};
use crate::geometry::SlidePoint;

/// A stroke's points are at least this share of its radius apart: what lies between shows nothing.
const LEAST_STEP: f64 = 0.25;

/// Where the brush has been since it was put down.
#[derive(Debug, Clone, PartialEq)]
pub struct BrushHand {
    /// On the slide of this pane.
    pub pane: PaneIndex,
    /// Its radius, level-0 px.
    pub radius_px: f64,
    /// Its way, level-0 px.
    pub points: Vec<SlidePoint>,
    /// What it erased on its way.
    pub erased: Vec<RecordId>,
}

/// The brush.
#[derive(Debug, Clone, PartialEq)]
pub struct Brush {
    /// Whether it is used: else the pointer moves the picture.
    pub on: bool,
    /// The class that it paints for; none: it erases.
    pub class: Option<usize>,
    /// Width of what it paints, points.
    pub width_pt: f32,
    /// The stroke in hand.
    pub hand: Option<BrushHand>,
}

impl Default for Brush {
    fn default() -> Self {
        Self {
            on: false,
            class: Some(0),
            width_pt: 14.0,
            hand: None,
        }
    }
}

impl BrushHand {
    /// The brush is put down.
    pub fn at(pane: PaneIndex, point: SlidePoint, radius_px: f64) -> Self {
        Self {
            pane,
            radius_px,
            points: vec![point],
            erased: Vec::new(),
        }
    }

    /// Goes on to a point. Tells whether that is far enough to count.
    pub fn go_to(&mut self, point: SlidePoint) -> bool {
        let is_new = self
            .points
            .last()
            .is_none_or(|last| (point - *last).length() >= LEAST_STEP * self.radius_px);
        if is_new {
            self.points.push(point);
        }
        is_new
    }

    /// What was painted, for a class of a model.
    pub fn into_record(self, class: String, model_hash: String) -> StrokeRecord {
        StrokeRecord {
            id: RecordId::random(),
            stroke: Stroke {
                class,
                radius_px: self.radius_px,
                points: self.points,
            },
            model_hash,
            created_ms: now_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_that_rests_adds_no_points() {
        let at = |x: f64| SlidePoint::new(x, 5.0);
        let mut hand = BrushHand::at(PaneIndex::First, at(0.0), 8.0);
        assert!(!hand.go_to(at(0.0)) && !hand.go_to(at(1.9)));
        assert!(hand.go_to(at(2.0)) && hand.go_to(at(40.0)));
        let record = hand.into_record("tumor".into(), "m".into());
        assert_eq!(record.stroke.points, [at(0.0), at(2.0), at(40.0)]);
        assert_eq!(
            (record.stroke.class.as_str(), record.stroke.radius_px),
            ("tumor", 8.0)
        );
    }
}
