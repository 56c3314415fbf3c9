//! The overview in a view's bottom-right corner: where on the slide the view is.

use egui::{Color32, Pos2, Rect, Sense, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};

use crate::geometry::{SlidePoint, SlideSize};

use super::command::{CameraMove, Command};
use super::state::{AppState, PaneIndex};

/// Longer side, points.
const LONGEST_PT: f32 = 200.0;

/// Nor more than this share of the view.
const LONGEST_SHARE: f32 = 0.35;

/// The shorter side of a very long slide is widened to this, points.
const SHORTEST_PT: f32 = 16.0;

/// Distance from the view's edges, points.
const MARGIN_PT: f32 = 12.0;

/// A view smaller than this on the overview is marked by a cross-hair too, points.
const SMALL_BOX_PT: f32 = 8.0;

const PLATE: Color32 = Color32::from_rgba_premultiplied(208, 208, 208, 224);
const DARK: Color32 = Color32::from_gray(0x18);
const BRIGHT: Color32 = Color32::from_rgb(0xE8, 0xF4, 0xFB);

/// Width and height of the overview, points: the slide's shape in millimetres within `room`.
fn map_size(slide_px: SlideSize, pixel_aspect: f64, room: Vec2) -> Vec2 {
    let (wide, high) = (
        slide_px.width as f32,
        (slide_px.height * pixel_aspect) as f32,
    );
    let longest = (room * LONGEST_SHARE).min(Vec2::splat(LONGEST_PT));
    let scale = (longest.x / wide).min(longest.y / high);
    vec2(wide, high).max(Vec2::splat(1e-3)) * scale
}

/// Draws the overview of a pane's slide into `rect`, the pane's rectangle in points, and lets a
/// click or drag on it move the pane. `texture` is the slide's thumbnail; without it the outline
/// of the slide is shown.
pub fn show(
    ui: &egui::Ui,
    rect: Rect,
    pane: PaneIndex,
    state: &AppState,
    texture: Option<egui::TextureId>,
    out: &mut Vec<Command>,
) {
    let (Some(slide), Some(view)) = (&state.pane(pane).slide, state.view(pane)) else {
        return;
    };
    let slide_px = slide.source.info().size();
    let size = map_size(slide_px, view.pixel_aspect, rect.size()).max(Vec2::splat(SHORTEST_PT));
    if rect.width() < size.x + 2.0 * MARGIN_PT || rect.height() < size.y + 2.0 * MARGIN_PT {
        return;
    }
    let map = Rect::from_min_size(rect.max - Vec2::splat(MARGIN_PT) - size, size);
    paint_slide(ui, map, texture);
    let to_map = |point: SlidePoint| {
        let (x, y) = (point.x / slide_px.width, point.y / slide_px.height);
        map.min + vec2(x as f32, y as f32) * map.size()
    };
    paint_view(ui, map, view.corners().map(to_map));
    let response = ui.interact(
        map,
        ui.scope_id().with(("overview", pane)),
        Sense::click_and_drag(),
    );
    let label = "Overview: click or drag to move the view";
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, label));
    let held = response.dragged() || response.clicked();
    if let (true, Some(at)) = (held, response.interact_pointer_pos()) {
        out.push(Command::Camera(
            pane,
            CameraMove::CenterOn(slide_at(map, slide_px, at)),
        ));
    }
    response.on_hover_cursor(egui::CursorIcon::Crosshair);
}

/// The slide point at a point of the overview; points beside it count as its edge.
fn slide_at(map: Rect, slide_px: SlideSize, at: Pos2) -> SlidePoint {
    let share = (at.clamp(map.min, map.max) - map.min) / map.size();
    let (x, y) = (f64::from(share.x), f64::from(share.y));
    SlidePoint::new(x * slide_px.width, y * slide_px.height)
}

fn paint_slide(ui: &egui::Ui, map: Rect, texture: Option<egui::TextureId>) {
    let painter = ui.painter();
    painter.rect_filled(map.expand(3.0), 3.0, PLATE);
    if let Some(texture) = texture {
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture, map, whole, Color32::WHITE);
    }
    painter.rect_stroke(
        map,
        0.0,
        Stroke::new(1.0, Color32::from_gray(0x60)),
        StrokeKind::Outside,
    );
}

/// The view's outline, dark under bright so that it shows on any picture.
fn paint_view(ui: &egui::Ui, map: Rect, corners: [Pos2; 4]) {
    let painter = ui.painter().with_clip_rect(map.expand(1.5));
    let bounds = Rect::from_points(&corners);
    let is_small = bounds.size().max_elem() < SMALL_BOX_PT;
    for stroke in [Stroke::new(3.5, DARK), Stroke::new(1.5, BRIGHT)] {
        if is_small {
            paint_cross_hair(&painter, map, bounds.center(), stroke);
        } else {
            painter.add(Shape::closed_line(corners.to_vec(), stroke));
        }
    }
}

fn paint_cross_hair(painter: &egui::Painter, map: Rect, at: Pos2, stroke: Stroke) {
    let at = at.clamp(map.min, map.max);
    let (near, far) = (SMALL_BOX_PT * 0.5, SMALL_BOX_PT * 1.25);
    let square = Rect::from_center_size(at, Vec2::splat(near * 2.0));
    painter.rect_stroke(square, 0.0, stroke, StrokeKind::Middle);
    for side in [-1.0, 1.0] {
        painter.hline(at.x + side * near..=at.x + side * far, at.y, stroke);
        painter.vline(at.x, at.y + side * near..=at.y + side * far, stroke);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_has_the_slides_shape_in_millimetres() {
        let size = map_size(
            SlideSize::new(40_000.0, 10_000.0),
            2.0,
            vec2(2000.0, 2000.0),
        );
        assert!((size.x - 200.0).abs() < 1e-3 && (size.y - 100.0).abs() < 1e-3);
    }

    #[test]
    fn a_click_means_the_point_under_it_and_stays_on_the_slide() {
        let map = Rect::from_min_size(pos2(100.0, 50.0), vec2(200.0, 100.0));
        let slide_px = SlideSize::new(4000.0, 2000.0);
        let at = |x, y| slide_at(map, slide_px, pos2(x, y));
        assert_eq!(at(150.0, 75.0), SlidePoint::new(1000.0, 500.0));
        assert_eq!(at(0.0, 999.0), SlidePoint::new(0.0, 2000.0));
    }
}
