//! The spot that was asked for and its matches, drawn over a pane.

use egui::{Align2, Color32, FontId, Stroke, Ui};

use super::Similar;
use crate::app::viewport::PaneArea;
use crate::geometry::{SlidePoint, View};

/// Radius of the ring around a spot, points.
const RING_PT: f32 = 13.0;

const SHADE: Color32 = Color32::from_black_alpha(150);
const SPOT: Color32 = Color32::from_rgb(0xFF, 0xD5, 0x4A);

/// Rings the spot and numbers its matches.
pub fn paint(ui: &Ui, area: &PaneArea, view: &View, similar: &Similar) {
    let painter = ui.painter().with_clip_rect(area.rect);
    let screen = view.screen_from_slide();
    let place = |at: SlidePoint| area.window_from_screen(screen.transform_point(at));
    let ring = |at: egui::Pos2, width: f32, colour: Color32| {
        painter.circle_stroke(at, RING_PT, Stroke::new(width + 2.0, SHADE));
        painter.circle_stroke(at, RING_PT, Stroke::new(width, colour));
    };
    if let Some((_, query)) = &similar.query {
        ring(place(query.at), 3.0, SPOT);
    }
    let matches = similar
        .status
        .search
        .iter()
        .flat_map(|search| &search.matches);
    for (index, found) in matches.enumerate() {
        let at = place(found.at);
        let is_visited = similar.at == Some(index);
        ring(at, if is_visited { 3.0 } else { 1.5 }, Color32::WHITE);
        let (text, font) = (format!("{}", index + 1), FontId::proportional(12.0));
        let near = at + egui::vec2(RING_PT * 0.9, -RING_PT * 0.9);
        for (shift, colour) in [(1.0, Color32::BLACK), (0.0, Color32::WHITE)] {
            let at = near + egui::vec2(shift, shift);
            painter.text(at, Align2::LEFT_BOTTOM, &text, font.clone(), colour);
        }
    }
}
