//! Small pictures for buttons, drawn as strokes: no font holds all of them in one style.

use egui::{
    Color32, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, vec2,
};
use std::f32::consts::TAU;

/// Side of an icon button, points.
const BUTTON_PT: Vec2 = vec2(28.0, 24.0);

/// Side of the picture in it, points.
const PICTURE_PT: f32 = 14.0;

/// What is pictured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// An arrow round to the left.
    RotateLeft,
    /// An arrow round to the right.
    RotateRight,
    /// Two halves about an upright axis.
    Mirror,
    Flip,
    /// An arrow up from a base.
    Upright,
    /// One field.
    Single,
    /// Two fields with a link between them.
    Linked,
    /// Two fields.
    Split,
    /// A disc, half bright.
    Theme,
    /// Two sheets.
    Copy,
    /// A cross.
    Close,
    /// A triangle that points down.
    More,
    /// A part turned round: back to where it was.
    Reset,
}

/// A button with a picture; `name` is what it is called where pictures can't be seen.
pub fn button(ui: &mut Ui, icon: Icon, name: &str, selected: bool) -> Response {
    sized_button(ui, icon, name, selected, BUTTON_PT)
}

/// A smaller one without a frame until it is pointed at.
pub fn small_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    sized_button(ui, icon, name, false, Vec2::splat(20.0))
}

fn sized_button(ui: &mut Ui, icon: Icon, name: &str, selected: bool, size: Vec2) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Button, enabled, selected, name));
    if ui.is_rect_visible(rect) {
        let look = ui.style().interact_selectable(&response, selected);
        let framed = selected || size == BUTTON_PT || response.hovered() || response.has_focus();
        if framed {
            let edge = if selected {
                Stroke::new(1.0, super::super::theme::accent(ui.visuals().dark_mode))
            } else {
                look.bg_stroke
            };
            ui.painter().rect(
                rect,
                look.corner_radius,
                look.weak_bg_fill,
                edge,
                StrokeKind::Inside,
            );
        }
        let side = if size == BUTTON_PT { PICTURE_PT } else { 10.0 };
        paint(
            ui.painter(),
            icon,
            Rect::from_center_size(rect.center(), Vec2::splat(side)),
            look.text_color(),
        );
    }
    response
}

/// Draws a picture into a square.
pub fn paint(painter: &Painter, icon: Icon, square: Rect, colour: Color32) {
    let stroke = Stroke::new(1.4, colour);
    let at = |x: f32, y: f32| square.min + vec2(x, y) * square.size();
    let line = |points: &[(f32, f32)]| {
        painter.add(Shape::line(
            points.iter().map(|&(x, y)| at(x, y)).collect(),
            stroke,
        ));
    };
    let field = |x0: f32, x1: f32| {
        let rect = Rect::from_min_max(at(x0, 0.1), at(x1, 0.9));
        painter.rect_stroke(rect, 1.0, stroke, StrokeKind::Inside);
    };
    match icon {
        Icon::RotateLeft => turn(painter, square, stroke, true),
        Icon::RotateRight | Icon::Reset => turn(painter, square, stroke, false),
        Icon::Mirror => mirror(painter, at, stroke),
        Icon::Flip => mirror(painter, |x, y| at(y, x), stroke),
        Icon::Upright => {
            line(&[(0.5, 0.72), (0.5, 0.05)]);
            line(&[(0.22, 0.34), (0.5, 0.05), (0.78, 0.34)]);
            line(&[(0.12, 0.95), (0.88, 0.95)]);
        }
        Icon::Single => field(0.02, 0.98),
        Icon::Linked => {
            field(0.0, 0.38);
            field(0.62, 1.0);
            line(&[(0.24, 0.5), (0.76, 0.5)]);
        }
        Icon::Split => {
            field(0.0, 0.44);
            field(0.56, 1.0);
        }
        Icon::Theme => half_disc(painter, square, stroke),
        Icon::Copy => {
            line(&[
                (0.32, 0.28),
                (0.98, 0.28),
                (0.98, 0.98),
                (0.32, 0.98),
                (0.32, 0.26),
            ]);
            line(&[
                (0.32, 0.72),
                (0.02, 0.72),
                (0.02, 0.02),
                (0.68, 0.02),
                (0.68, 0.28),
            ]);
        }
        Icon::Close => {
            line(&[(0.08, 0.08), (0.92, 0.92)]);
            line(&[(0.92, 0.08), (0.08, 0.92)]);
        }
        Icon::More => {
            let corners = [(0.2, 0.36), (0.8, 0.36), (0.5, 0.72)].map(|(x, y)| at(x, y));
            painter.add(Shape::convex_polygon(
                corners.to_vec(),
                colour,
                Stroke::NONE,
            ));
        }
    }
}

/// Three quarters of a circle with an arrow head at its end.
fn turn(painter: &Painter, square: Rect, stroke: Stroke, left: bool) {
    let radius = square.width() * 0.40;
    let center = square.center() + vec2(0.0, square.height() * 0.04);
    let side = if left { -1.0 } else { 1.0 };
    let on_circle = |turn: f32| {
        // From straight left (for a right turn) over the top to below.
        let angle = -TAU * 0.25 + side * turn * TAU;
        center + radius * vec2(angle.cos(), angle.sin())
    };
    let steps = 24;
    let arc = (0..=steps).map(|i| on_circle(-0.56 + 0.72 * i as f32 / steps as f32));
    painter.add(Shape::line(arc.collect(), stroke));
    let tip = on_circle(0.20);
    let back = (on_circle(0.10) - tip).normalized() * square.width() * 0.36;
    let head = [0.62_f32, -0.62].map(|angle| tip + egui::emath::Rot2::from_angle(angle) * back);
    painter.add(Shape::convex_polygon(
        vec![tip, head[0], head[1]],
        stroke.color,
        Stroke::NONE,
    ));
}

fn mirror(painter: &Painter, at: impl Fn(f32, f32) -> Pos2, stroke: Stroke) {
    let full = [(0.36, 0.2), (0.36, 0.8), (0.0, 0.8)].map(|(x, y)| at(x, y));
    let open = [(0.64, 0.2), (0.64, 0.8), (1.0, 0.8)].map(|(x, y)| at(x, y));
    painter.add(Shape::convex_polygon(
        full.to_vec(),
        stroke.color,
        Stroke::new(1.0, stroke.color),
    ));
    painter.add(Shape::closed_line(
        open.to_vec(),
        Stroke::new(1.2, stroke.color),
    ));
    for (y0, y1) in [(0.0, 0.2), (0.4, 0.6), (0.8, 1.0)] {
        painter.line_segment([at(0.5, y0), at(0.5, y1)], stroke);
    }
}

fn half_disc(painter: &Painter, square: Rect, stroke: Stroke) {
    let (center, radius) = (square.center(), square.width() * 0.44);
    painter.circle_stroke(center, radius, stroke);
    let on_circle = |i: i32| {
        let angle = TAU * 0.25 + TAU * 0.5 * i as f32 / 16.0;
        center + radius * vec2(angle.cos(), angle.sin())
    };
    painter.add(Shape::convex_polygon(
        (0..=16).map(on_circle).collect(),
        stroke.color,
        Stroke::NONE,
    ));
}
