//! The scale bar in a view's bottom-left corner.

use egui::{Align2, Color32, CornerRadius, FontId, Rect, Stroke, pos2, vec2};

use crate::geometry::{Mpp, ScaleBar, View};

/// The bar is never longer than this, points.
const LONGEST_PT: f64 = 160.0;

/// Nor than this share of the view.
const LONGEST_SHARE: f64 = 0.4;

/// Distance from the view's edges, points.
const MARGIN_PT: f32 = 12.0;

/// Ends of the bar stand up by this much, points.
const TICK_PT: f32 = 4.0;

const PLATE: Color32 = Color32::from_rgba_premultiplied(219, 219, 219, 219);
const INK: Color32 = Color32::from_gray(0x10);

/// Draws the bar into `rect`, the view's rectangle in points: in units of length, or in level-0 px
/// where the scale is not known. A plate keeps it readable on any picture.
pub fn show(ui: &egui::Ui, rect: Rect, view: &View, mpp: Option<Mpp>, pixels_per_point: f32) {
    let longest_pt = LONGEST_PT.min(f64::from(rect.width()) * LONGEST_SHARE);
    let slide_px_per_pt = view.slide_px_per_screen_px * f64::from(pixels_per_point);
    let Some(bar) = ScaleBar::new(slide_px_per_pt, mpp, longest_pt) else {
        return;
    };
    let painter = ui.painter_at(rect);
    let galley = painter.layout_no_wrap(bar.text.clone(), FontId::proportional(13.0), INK);
    let length = bar.length as f32;
    let inner = vec2(length.max(galley.size().x), galley.size().y + TICK_PT + 4.0);
    let size = inner + vec2(20.0, 10.0);
    let corner = rect.left_bottom() + vec2(MARGIN_PT, -MARGIN_PT);
    let plate = Rect::from_min_size(pos2(corner.x, corner.y - size.y), size);
    painter.rect_filled(plate, CornerRadius::same(3), PLATE);
    let stroke = Stroke::new(2.0, INK);
    let (left, right) = (
        plate.center().x - length / 2.0,
        plate.center().x + length / 2.0,
    );
    let y = plate.bottom() - 7.0;
    painter.hline(left..=right, y, stroke);
    for x in [left, right] {
        painter.vline(x, y - TICK_PT..=y + 1.0, stroke);
    }
    let top = pos2(plate.center().x, plate.top() + 4.0);
    let at = Align2::CENTER_TOP.anchor_size(top, galley.size());
    painter.galley(at.min, galley, INK);
    let response = ui.interact(plate, ui.scope_id().with("scale bar"), egui::Sense::hover());
    let label = format!("Scale bar: {}", bar.text);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
}
