//! The line between before and after.

use egui::{Color32, CursorIcon, Rect, Sense, Stroke, Ui, pos2, vec2};

use super::{MaskCommand, Masks};
use crate::app::command::Command;
use crate::app::viewport::PaneArea;

/// Half the width of what can be taken hold of, points.
const REACH_PT: f32 = 7.0;

/// Radius of the knob, points.
const KNOB_PT: f32 = 9.0;

/// Draws the line into a pane and lets it be dragged.
pub fn show(ui: &mut Ui, area: &PaneArea, masks: &Masks, out: &mut Vec<Command>) {
    let Some((at, with)) = masks.swipe else {
        return;
    };
    let rect = area.rect;
    // At the view's edge the line can still be taken hold of.
    let x = rect.left() + rect.width() * at;
    let x = x.clamp(rect.left() + REACH_PT, rect.right() - REACH_PT);
    let reach = Rect::from_x_y_ranges(x - REACH_PT..=x + REACH_PT, rect.y_range());
    let id = ui.scope_id().with(("swipe", area.index));
    let response = ui.interact(reach, id, Sense::drag());
    let label = "Swipe: drag to move the line between before and after";
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Slider, true, label));
    if let (true, Some(pointer)) = (response.dragged(), response.interact_pointer_pos()) {
        let share = (pointer.x - rect.left()) / rect.width().max(1.0);
        out.push(Command::Masks(MaskCommand::Swipe(Some(share), with)));
    }
    let painter = ui.painter().with_clip_rect(rect);
    // Light on dark, so that it is seen on any tissue.
    for (width, colour) in [(4.0, Color32::from_black_alpha(150)), (2.0, Color32::WHITE)] {
        painter.vline(x, rect.y_range(), Stroke::new(width, colour));
    }
    let knob = pos2(x, rect.center().y);
    painter.circle(
        knob,
        KNOB_PT,
        Color32::WHITE,
        Stroke::new(1.5, Color32::from_gray(60)),
    );
    for side in [-1.0, 1.0] {
        let tip = knob + vec2(side * 5.5, 0.0);
        let back = vec2(side * -3.0, 3.0);
        let line = Stroke::new(1.5, Color32::from_gray(60));
        painter.line_segment([tip, tip + back], line);
        painter.line_segment([tip, tip + vec2(back.x, -back.y)], line);
    }
    response.on_hover_cursor(CursorIcon::ResizeHorizontal);
}
