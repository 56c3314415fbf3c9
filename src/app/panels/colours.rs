//! What the overlay's colours mean, where they are not those of classes alone.

use egui::{Color32, Rect, Sense, Ui, pos2, vec2};

use crate::app::export::{HeatScale, UNNAMED};
use crate::app::overlay::{DIFFERENCE_NAMES, DIFFERENCE_PALETTE, NOT_COMPARED};
use crate::app::state::AppState;
use crate::gpu::overlay::{VEILED_GLASS_RGB, heat_rgb};
use crate::segment::embedding::EmbeddingView;

/// Width and height of a heat map's colours, points.
const HEAT_PT: (f32, f32) = (220.0, 10.0);

/// Steps of a heat map's colours: no eye tells more of them apart in so little room.
const STEPS: u8 = 64;

/// Draws what there is to say. Tells whether that is all: classes have no part in what is drawn.
pub fn show(ui: &mut Ui, state: &AppState) -> bool {
    let shown = state.similar.shown;
    if shown == Some(EmbeddingView::Colours) {
        ui.label(format!("Colours: {UNNAMED}"));
        return true;
    }
    let is_difference = state.draws_difference();
    match state.heat_scale(state.overlay.style.content) {
        Some(scale) => heat(ui, &scale),
        None if is_difference => difference(ui),
        None => {}
    }
    is_difference || shown.is_some()
}

/// Colours from the least to the greatest value, with both ends and what it is.
fn heat(ui: &mut Ui, scale: &HeatScale) {
    ui.label(&scale.what);
    ui.horizontal(|ui| {
        ui.label(scale.low);
        let (rect, _) = ui.allocate_exact_size(vec2(HEAT_PT.0, HEAT_PT.1), Sense::hover());
        let width = rect.width() / f32::from(STEPS);
        for step in 0..STEPS {
            let [r, g, b] = heat_rgb((u16::from(step) * 255 / u16::from(STEPS - 1)) as u8);
            let left = rect.left() + f32::from(step) * width;
            // A little wider, lest gaps show between px.
            let strip = Rect::from_min_max(
                pos2(left, rect.top()),
                pos2((left + width + 0.5).min(rect.right()), rect.bottom()),
            );
            let colour = Color32::from_rgb(r, g, b);
            ui.painter().rect_filled(strip, 0.0, colour);
        }
        ui.label(scale.high);
    });
}

/// Where two maps are held against each other.
fn difference(ui: &mut Ui) {
    let rows = DIFFERENCE_NAMES.iter().zip(DIFFERENCE_PALETTE);
    let rows = rows.map(|(name, [r, g, b, alpha])| (*name, (alpha > 0).then_some([r, g, b])));
    for (name, colour) in rows.chain([(NOT_COMPARED, Some(VEILED_GLASS_RGB))]) {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
            match colour {
                Some([r, g, b]) => {
                    let colour = Color32::from_rgb(r, g, b);
                    ui.painter().rect_filled(rect, 2.0, colour);
                    ui.label(name);
                }
                None => {
                    ui.label(format!("{name}: not coloured"));
                }
            }
        });
    }
}
