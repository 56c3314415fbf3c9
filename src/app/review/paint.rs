//! The regions of a review, drawn over a pane.

use egui::{Color32, Rect, Shape, Stroke, Ui};

use super::{Review, verdict_on};
use crate::annotate::{Decision, Verdict};
use crate::app::viewport::PaneArea;
use crate::geometry::{SlidePoint, SlideRect, View};
use crate::segment::compare::Region;

/// Regions without a verdict.
const OPEN: Color32 = Color32::from_rgb(0xFF, 0xFF, 0xFF);
/// As in exports: bluish green and vermilion, which the colour-blind tell apart.
const ACCEPTED: Color32 = Color32::from_rgb(0, 158, 115);
const FLAGGED: Color32 = Color32::from_rgb(213, 94, 0);

/// A region smaller than this is framed at this size, points.
const LEAST_PT: f32 = 14.0;

/// Colour of a decision.
pub fn colour_of(decision: Option<Decision>) -> Color32 {
    match decision {
        None => OPEN,
        Some(Decision::Accept) => ACCEPTED,
        Some(Decision::Flag) => FLAGGED,
    }
}

/// Frames the regions that the pane shows, the visited one more boldly.
pub fn paint(ui: &Ui, area: &PaneArea, view: &View, review: &Review, verdicts: &[Verdict]) {
    let Some(found) = review.found() else {
        return;
    };
    let seen = view.bounding_rect();
    let painter = ui.painter().with_clip_rect(area.rect);
    for (index, region) in found.comparison.regions.iter().enumerate() {
        if !region.rect.intersects(&seen) {
            continue;
        }
        let verdict = verdict_on(verdicts, found, &region.rect);
        let colour = colour_of(verdict.map(|verdict| verdict.decision));
        let is_visited = review.at == Some(index);
        let (dark, light) = if is_visited { (5.0, 2.5) } else { (2.5, 1.0) };
        let frame = frame(area, view, region);
        let shade = Color32::from_black_alpha(if is_visited { 170 } else { 110 });
        for (width, colour) in [(dark, shade), (light, colour)] {
            painter.add(Shape::closed_line(
                frame.clone(),
                Stroke::new(width, colour),
            ));
        }
    }
}

/// The corners of a region's frame on the window: at any turn of the picture.
fn frame(area: &PaneArea, view: &View, region: &Region) -> Vec<egui::Pos2> {
    let SlideRect { min, max, .. } = region.rect;
    let corners = [
        min,
        SlidePoint::new(max.x, min.y),
        max,
        SlidePoint::new(min.x, max.y),
    ];
    let screen = view.screen_from_slide();
    let points = corners.map(|corner| area.window_from_screen(screen.transform_point(corner)));
    let bounds = Rect::from_points(&points);
    match bounds.size().max_elem() < LEAST_PT {
        false => points.to_vec(),
        true => {
            let small = Rect::from_center_size(bounds.center(), egui::Vec2::splat(LEAST_PT));
            let Rect { min, max } = small;
            vec![min, egui::pos2(max.x, min.y), max, egui::pos2(min.x, max.y)]
        }
    }
}
