//! Strokes and the brush, drawn over a pane.

use egui::{Color32, Painter, Pos2, Shape, Stroke as Line, Ui};

use super::super::viewport::PaneArea;
use super::{Brush, PaneIndex};
use crate::annotate::StrokeRecord;
use crate::geometry::{SlidePoint, View};

/// Of a stroke's area: what lies under it stays visible.
const OPACITY: f32 = 0.55;

/// What strokes of classes that the model does not have look like.
const UNKNOWN_CLASS: Color32 = Color32::from_gray(0x90);

/// Around what is light on light tissue.
const EDGE: Color32 = Color32::from_black_alpha(150);

/// The ring of an eraser, and what it is about to erase.
const ERASER: Color32 = Color32::from_rgb(0xD5, 0x20, 0x20);

/// Classes and their colours.
pub struct ClassColours<'a> {
    /// Names, in the model's order.
    pub names: &'a [String],
    /// RGBA by class.
    pub palette: &'a [[u8; 4]],
}

impl ClassColours<'_> {
    /// A class's colour, by its place in the list.
    pub fn of(&self, class: usize) -> Color32 {
        let colour = self.palette.get(class).filter(|_| class < self.names.len());
        colour.map_or(UNKNOWN_CLASS, |[r, g, b, _]| Color32::from_rgb(*r, *g, *b))
    }

    fn named(&self, name: &str) -> Color32 {
        let class = self.names.iter().position(|class| class == name);
        class.map_or(UNKNOWN_CLASS, |class| self.of(class))
    }
}

/// Draws the strokes of a pane's slide, the one in hand, and the brush under the pointer.
pub fn paint(
    ui: &Ui,
    area: &PaneArea,
    view: &View,
    strokes: &[StrokeRecord],
    brush: &Brush,
    colours: &ClassColours<'_>,
) {
    let painter = ui.painter().with_clip_rect(area.rect);
    let canvas = Canvas::new(&painter, area, view);
    let hand = brush.hand.as_ref().filter(|hand| hand.pane == area.index);
    let erased = hand.map_or(&[][..], |hand| &hand.erased);
    for stroke in strokes.iter().filter(|stroke| !erased.contains(&stroke.id)) {
        let stroke = &stroke.stroke;
        canvas.line(
            &stroke.points,
            stroke.radius_px,
            colours.named(&stroke.class),
        );
    }
    if let (Some(hand), Some(class)) = (hand, brush.class) {
        canvas.line(&hand.points, hand.radius_px, colours.of(class));
    }
    if brush.on
        && let Some(at) = ui.input(|input| input.pointer.hover_pos())
    {
        let colour = brush.class.map_or(ERASER, |class| colours.of(class));
        let ring = |width: f32, colour| {
            painter.circle_stroke(at, brush.width_pt / 2.0, Line::new(width, colour));
        };
        if area.rect.contains(at) {
            ring(3.0, Color32::from_white_alpha(200));
            ring(1.5, colour);
        }
    }
}

/// Where slide points are drawn.
struct Canvas<'a> {
    painter: &'a Painter,
    area: &'a PaneArea,
    view: &'a View,
    slide_px_per_point: f64,
}

impl<'a> Canvas<'a> {
    fn new(painter: &'a Painter, area: &'a PaneArea, view: &'a View) -> Self {
        Self {
            painter,
            area,
            view,
            slide_px_per_point: view.slide_px_per_screen_px * area.px_per_point,
        }
    }

    fn at(&self, point: SlidePoint) -> Pos2 {
        let screen = self.view.screen_from_slide().transform_point(point);
        self.area.window_from_screen(screen)
    }

    /// A line as wide as the brush, at least as wide as can be seen, with round ends.
    fn line(&self, points: &[SlidePoint], radius_px: f64, colour: Color32) {
        let points: Vec<Pos2> = points.iter().map(|point| self.at(*point)).collect();
        let radius = ((radius_px / self.slide_px_per_point) as f32).max(1.5);
        let bounds = egui::Rect::from_points(&points).expand(radius);
        if !bounds.intersects(self.area.rect) {
            return;
        }
        let fill = colour.gamma_multiply(OPACITY);
        match points.as_slice() {
            [] => {}
            [point] => {
                self.painter.circle_filled(*point, radius, fill);
                self.painter
                    .circle_stroke(*point, radius, Line::new(1.0, EDGE));
            }
            points => {
                let line = Shape::line(points.to_vec(), Line::new(radius * 2.0, fill));
                self.painter.add(line);
            }
        }
        // A thin line in full colour tells strokes apart at any zoom, its dark edge on any tissue.
        let edge = Shape::line(points.clone(), Line::new(3.5, EDGE));
        self.painter.add(edge);
        self.painter
            .add(Shape::line(points, Line::new(1.5, colour)));
    }
}

/// Whether a pane shows the stroke in hand.
pub fn is_in_hand(brush: &Brush, pane: PaneIndex) -> bool {
    brush.hand.as_ref().is_some_and(|hand| hand.pane == pane)
}
