//! The scale bar in a view's bottom-left corner.

use egui::{Align2, Color32, CornerRadius, FontId, Rect, Stroke, pos2, vec2};

use crate::geometry::{Mpp, View};

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

/// The largest length of the form 1, 2 or 5 times a power of ten that is not above `longest`.
/// Zero where `longest` is not a positive number.
pub fn nice_length(longest: f64) -> f64 {
    if !(longest.is_finite() && longest > 0.0) {
        return 0.0;
    }
    let exponent = longest.log10().floor();
    let decade = 10f64.powf(exponent);
    // Rounding of the logarithm may have put the decade one off.
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0];
    let fitting = steps
        .iter()
        .rev()
        .find(|step| **step * decade <= longest * (1.0 + 1e-9));
    fitting.map_or(0.0, |step| step * decade)
}

/// A length in the unit that a reader would use: `500 nm`, `20 µm`, `1 mm`, `2 cm`.
pub fn length_text(length_um: f64) -> String {
    let (value, unit) = match length_um {
        um if um < 0.9995 => (um * 1e3, "nm"),
        um if um < 999.5 => (um, "µm"),
        um if um < 9_999.5 => (um / 1e3, "mm"),
        um => (um / 1e4, "cm"),
    };
    // The lengths are 1, 2 or 5 times a power of ten, so three digits show them in full.
    let text = format!("{value:.3}");
    format!(
        "{} {unit}",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

/// What the bar says and how long it is, points; `None` where nothing sensible can be shown.
fn bar(
    view: &View,
    mpp: Option<Mpp>,
    pixels_per_point: f32,
    longest_pt: f64,
) -> Option<(String, f64)> {
    let slide_px_per_pt = view.slide_px_per_screen_px * f64::from(pixels_per_point);
    let (length_pt, text) = match mpp {
        Some(mpp) => {
            let um_per_pt = slide_px_per_pt * mpp.x;
            let length_um = nice_length(longest_pt * um_per_pt);
            (length_um / um_per_pt, length_text(length_um))
        }
        None => {
            let length_px = nice_length(longest_pt * slide_px_per_pt).max(1.0);
            (length_px / slide_px_per_pt, format!("{length_px:.0} px"))
        }
    };
    (length_pt.is_finite() && length_pt >= 1.0).then_some((text, length_pt))
}

/// Draws the bar into `rect`, the view's rectangle in points: in units of length, or in level-0 px
/// where the scale is not known. A plate keeps it readable on any picture.
pub fn show(ui: &egui::Ui, rect: Rect, view: &View, mpp: Option<Mpp>, pixels_per_point: f32) {
    let longest_pt = LONGEST_PT.min(f64::from(rect.width()) * LONGEST_SHARE);
    let Some((text, length_pt)) = bar(view, mpp, pixels_per_point, longest_pt) else {
        return;
    };
    let painter = ui.painter_at(rect);
    let galley = painter.layout_no_wrap(text.clone(), FontId::proportional(13.0), INK);
    let length = length_pt as f32;
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
    let label = format!("Scale bar: {text}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{ScreenSize, SlideRect};
    use proptest::prelude::*;

    #[test]
    fn lengths_are_one_two_or_five() {
        let lengths = [0.7, 1.0, 1.99, 2.0, 4.9, 5.0, 9.99, 10.0, 999.9, 1000.0];
        let nice = [0.5, 1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 10.0, 500.0, 1000.0];
        for (longest, want) in lengths.into_iter().zip(nice) {
            assert!(
                (nice_length(longest) - want).abs() < 1e-9 * want,
                "{longest}"
            );
        }
        assert_eq!(nice_length(f64::NAN), 0.0);
        assert_eq!(nice_length(-1.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_nice_length_fits_and_fills_two_fifths(longest in 1e-6..1e9f64) {
            let nice = nice_length(longest);
            prop_assert!(nice <= longest * (1.0 + 1e-6) && nice >= longest * 0.39);
        }
    }

    #[test]
    fn units_are_those_of_the_microscope() {
        let texts = [0.5, 1.0, 200.0, 1000.0, 5000.0, 10_000.0].map(length_text);
        assert_eq!(texts, ["500 nm", "1 µm", "200 µm", "1 mm", "5 mm", "1 cm"]);
    }

    #[test]
    fn the_bar_is_as_long_as_it_says() {
        let content = SlideRect::new((0.0, 0.0).into(), (40_000.0, 30_000.0).into());
        let mut view = View::fit(content, 1.0, ScreenSize::new(1000.0, 800.0));
        view.slide_px_per_screen_px = 2.0;
        // 2 px a screen px, 0.25 µm a px, 2 screen px a point: 1 µm a point.
        let scaled = bar(&view, Mpp::square(0.25), 2.0, 160.0);
        assert_eq!(scaled, Some(("100 µm".into(), 100.0)));
        assert_eq!(bar(&view, None, 2.0, 160.0), Some(("500 px".into(), 125.0)));
    }
}
