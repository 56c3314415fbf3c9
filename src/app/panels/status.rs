//! The line at the bottom. Every number has its place, so that nothing moves while the pointer
//! does.

use egui::{Align, Label, Layout, Rect, Response, RichText, Sense, Stroke, StrokeKind, Ui, vec2};

use super::widgets::cut;
use crate::app::command::Command;
use crate::app::overlay::OverlayState;
use crate::app::state::{AppState, Fields};
use crate::geometry::{Magnification, Mpp, SlidePoint};
use crate::gpu::Coverage;
use crate::segment::live::{Analysis, Limits};

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

/// Below these widths a part is left out, points.
const ROOM_FOR_ADAPTER: f32 = 940.0;
const ROOM_FOR_PX: f32 = 830.0;
const ROOM_FOR_CACHE: f32 = 700.0;

/// What an open model takes of the width, points.
const ROOM_OF_MODEL: f32 = 340.0;

/// Below these widths a part is left out where a model is open, points.
const ROOM_FOR_SPEED: f32 = 940.0;
const ROOM_FOR_CLASS: f32 = 850.0;
const ROOM_FOR_COLOUR: f32 = 750.0;

/// Draws the status bar.
pub fn show(ui: &mut Ui, state: &AppState, _: &mut Fields, _: &mut Vec<Command>) {
    let (width, has_model) = (ui.available_width(), state.overlay.facts().is_some());
    let room = width - if has_model { ROOM_OF_MODEL } else { 0.0 };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 10.0;
        magnification(ui, state);
        ui.separator();
        cursor(ui, state, room > ROOM_FOR_PX);
        ui.separator();
        if !has_model || width > ROOM_FOR_COLOUR {
            colour(ui, state.cursor_rgb);
            ui.separator();
        }
        if has_model {
            live(ui, state, width);
            ui.separator();
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if room > ROOM_FOR_CACHE {
                cache(ui, state);
            }
            progress(ui, state);
            if room > ROOM_FOR_ADAPTER {
                adapter(ui, state);
            }
        });
    });
}

fn fixed(ui: &mut Ui, text: String, hover: &str) -> Response {
    let label = Label::new(RichText::new(text).monospace())
        .selectable(false)
        .extend();
    ui.add(label).on_hover_text(hover)
}

fn magnification(ui: &mut Ui, state: &AppState) {
    // That of the view whose position and colour stand beside it.
    let pane = state.pointed_at().map_or(state.active, |(pane, _)| pane);
    let (power, scale) = match (state.view(pane), state.mpp(pane)) {
        (Some(view), Some(mpp)) => scaled(view.slide_px_per_screen_px * mpp.x),
        (Some(view), None) => (ratio(view.slide_px_per_screen_px), "px only".into()),
        (None, _) => ("–".into(), "–".into()),
    };
    let hover = "Magnification on this screen: 10x is 1 µm per screen pixel, 40x is 0.25";
    fixed(ui, format!("{power:>7} {scale:>11}"), hover);
}

fn scaled(um_per_screen_px: f64) -> (String, String) {
    let decimals = match um_per_screen_px {
        um if um < 1.0 => 3,
        um if um < 100.0 => 2,
        _ => 1,
    };
    let power = Magnification::from_mpp(um_per_screen_px).to_string();
    (power, format!("{um_per_screen_px:.decimals$} µm/px"))
}

/// Screen px to slide px: `1:4`, or `2:1` where the picture is enlarged.
fn ratio(slide_px_per_screen_px: f64) -> String {
    if slide_px_per_screen_px >= 1.0 {
        format!("1:{:.1}", slide_px_per_screen_px)
    } else {
        format!("{:.1}:1", 1.0 / slide_px_per_screen_px)
    }
}

fn cursor(ui: &mut Ui, state: &AppState, with_px: bool) {
    let pointed_at = state.pointed_at();
    let mpp = pointed_at.and_then(|(pane, _)| state.mpp(pane));
    let point = pointed_at.map(|(_, point)| point);
    let has_scale = state
        .shown_panes()
        .iter()
        .any(|&index| state.mpp(index).is_some());
    if has_scale {
        fixed(
            ui,
            position_um(point, mpp),
            "Pointer from the slide's top left corner, µm",
        );
    }
    if with_px || !has_scale {
        fixed(
            ui,
            position_px(point),
            "Pointer from the slide's top left corner, pixels of the finest level",
        );
    }
}

fn position_um(point: Option<SlidePoint>, mpp: Option<Mpp>) -> String {
    match (point, mpp) {
        (Some(point), Some(mpp)) => {
            let um = mpp.um_from_slide(point);
            format!("x {:>8.1}  y {:>8.1} µm", um.x, um.y)
        }
        _ => format!("x {:>8}  y {:>8} µm", "–", "–"),
    }
}

fn position_px(point: Option<SlidePoint>) -> String {
    match point {
        Some(point) => format!("{:>6.0} {:>6.0} px", point.x.floor(), point.y.floor()),
        None => format!("{:>6} {:>6} px", "–", "–"),
    }
}

fn colour(ui: &mut Ui, rgb: Option<[u8; 3]>) {
    let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    let edge = Stroke::new(1.0, ui.visuals().widgets.hovered.bg_stroke.color);
    if let Some([r, g, b]) = rgb {
        ui.painter()
            .rect_filled(rect, 1.0, egui::Color32::from_rgb(r, g, b));
    }
    ui.painter()
        .rect_stroke(rect, 1.0, edge, StrokeKind::Outside);
    ui.spacing_mut().item_spacing.x = 6.0;
    let text = rgb.map_or_else(
        || format!("{:>3} {:>3} {:>3}", "–", "–", "–"),
        |[r, g, b]| format!("{r:>3} {g:>3} {b:>3}"),
    );
    fixed(
        ui,
        text,
        "Stored colour under the pointer: red, green, blue",
    );
    ui.spacing_mut().item_spacing.x = 10.0;
}

/// The model's work: class under the pointer, what is waiting, and what computes how fast.
fn live(ui: &mut Ui, state: &AppState, width: f32) {
    let overlay = &state.overlay;
    if width > ROOM_FOR_CLASS {
        let under_pointer = overlay.under_pointer.as_ref();
        let (text, hover) = match (state.draws_agreement(), state.draws_difference()) {
            (true, _) => (divergence_text(under_pointer), HOVER_DIVERGENCE),
            (_, true) => (difference_text(under_pointer), HOVER_DIFFERENCE),
            _ => (class_text(under_pointer), HOVER_CLASS),
        };
        fixed(ui, text, hover);
    }
    let status = &overlay.status;
    let hover = waiting_hover(overlay.analysis);
    ui.separator();
    fixed(ui, waiting_text(Progress::of(overlay)), &hover);
    if width > ROOM_FOR_SPEED {
        let (device, rate) = (
            overlay.device_words(state.adapter_is_real),
            rate_text(status.tiles_per_s),
        );
        let hover = format!(
            "The {device} analyses {rate} tiles a second; {} encoded, {} decoded so far",
            status.encoded, status.decoded,
        );
        let name = match overlay.computes_on_card() && state.adapter_is_real {
            true => "GPU",
            false => "CPU",
        };
        fixed(ui, format!("{name} {rate:>5}/s"), &hover);
    }
}

/// What is waited for, and which map it is for.
fn waiting_hover(analysis: Option<Analysis>) -> String {
    let tiles = "Tiles that are still to be analysed of what is seen";
    analysis.map_or_else(
        || tiles.to_owned(),
        |map| format!("{tiles}; the map is {map}"),
    )
}

const HOVER_CLASS: &str = "Class under the pointer, and its probability";
const HOVER_DIFFERENCE: &str = "Whether both maps name the same class under the pointer";
const HOVER_DIVERGENCE: &str = "Whether both magnifications name the same class under the pointer, \
                                and how far apart they are: Jensen-Shannon divergence, bits";

fn divergence_text(under_pointer: Option<&(String, f32)>) -> String {
    match under_pointer {
        Some((name, bits)) => format!("{name:<12} {bits:>4.2}b"),
        None => class_text(None),
    }
}

fn difference_text(under_pointer: Option<&(String, f32)>) -> String {
    let name = under_pointer.map_or("–", |(name, _)| name);
    format!("{name:<12}      ")
}

fn class_text(under_pointer: Option<&(String, f32)>) -> String {
    match under_pointer {
        Some((class, probability)) => {
            format!("{:<12} {:>3.0} %", cut(class, 11), probability * 100.0)
        }
        None => format!("{:<12} {:>3} %", "–", "–"),
    }
}

/// How far the analysis of what is seen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The overlay is switched off.
    Hidden,
    /// It can't be, such as without a scale; the panel says why.
    Impossible,
    /// Nothing is told yet of what was asked for.
    Starting,
    /// Tiles are left.
    Waiting(usize),
    /// All is analysed.
    Done,
}

impl Progress {
    fn of(overlay: &OverlayState) -> Self {
        let is_asked = overlay.live.as_ref().is_some_and(|live| !live.is_settled());
        match overlay.status.waiting {
            _ if !overlay.shown => Self::Hidden,
            _ if overlay.reason.is_some() => Self::Impossible,
            0 if is_asked => Self::Starting,
            0 => Self::Done,
            waiting => Self::Waiting(waiting),
        }
    }
}

fn waiting_text(progress: Progress) -> String {
    let text = match progress {
        Progress::Hidden => "hidden".to_owned(),
        Progress::Impossible => "not analysed".to_owned(),
        Progress::Starting => "starting…".to_owned(),
        Progress::Waiting(waiting) => format!("{} to do", waiting.min(99_999)),
        Progress::Done => "analysed".to_owned(),
    };
    format!("{text:<12}")
}

fn rate_text(per_s: f64) -> String {
    match per_s < 100.0 {
        true => format!("{per_s:.1}"),
        false => format!("{:.0}", per_s.min(9999.0)),
    }
}

fn cache(ui: &mut Ui, state: &AppState) {
    let loader = &state.loader;
    let (held, limit) = (loader.cached_bytes / MIB, loader.limit_bytes / MIB);
    if state.overlay.facts().is_none() {
        let hover = "Decoded tiles in memory, and the most that are kept";
        fixed(ui, format!("{held:>4}/{limit:<4} MiB"), hover);
        return;
    }
    let (status, most) = (&state.overlay.status, Limits::default());
    let (features, scores) = (status.feature_bytes / MIB, status.score_bytes / MIB);
    let hover = format!(
        "In memory: {held} of {limit} MiB of decoded tiles, and of the model's {features} of {} MiB \
         of features and {scores} of {} MiB of scores",
        most.feature_bytes / MIB,
        most.score_bytes / MIB,
    );
    let text = format!("{held:>4}+{:<4} MiB", features + scores);
    fixed(ui, text, &hover);
}

fn progress(ui: &mut Ui, state: &AppState) {
    let panes = state.shown_panes().iter().map(|&index| state.pane(index));
    let open: Vec<Coverage> = panes
        .filter(|pane| pane.slide.is_some())
        .map(|pane| pane.coverage)
        .collect();
    let missing = open.iter().map(|of| of.missing).sum();
    let unreadable = open.iter().map(|of| of.unreadable).sum();
    let text = match open.is_empty() {
        true => format!("{:<11}", "–"),
        false => tiles_text(missing, unreadable),
    };
    let hover = "Tiles still to come until the picture is sharp; failed ones can't be read";
    fixed(ui, text, hover);
    bar(ui, missing);
}

fn tiles_text(missing: usize, unreadable: usize) -> String {
    let text = match (missing, unreadable) {
        (0, 0) => "sharp".to_owned(),
        (0, n) => format!("{} failed", n.min(9999)),
        (n, _) => format!("{} tiles…", n.min(9999)),
    };
    format!("{text:<11}")
}

/// Fills up from the most tiles that were missing since the picture was last sharp; empty and
/// in its place while it is sharp.
fn bar(ui: &mut Ui, missing: usize) {
    let id = ui.scope_id().with("most missing");
    let most = ui.data(|data| data.get_temp::<usize>(id)).unwrap_or(0);
    let most = if missing == 0 { 0 } else { most.max(missing) };
    ui.data_mut(|data| data.insert_temp(id, most));
    let (rect, _) = ui.allocate_exact_size(vec2(36.0, 4.0), Sense::hover());
    let (ground, ink) = (
        ui.visuals().widgets.inactive.bg_fill,
        ui.visuals().weak_text_color(),
    );
    if most > 0 {
        let done = 1.0 - missing as f32 / most as f32;
        let filled = Rect::from_min_size(rect.min, vec2(rect.width() * done, rect.height()));
        ui.painter().rect_filled(rect, 2.0, ground);
        ui.painter().rect_filled(filled, 2.0, ink);
    }
}

fn adapter(ui: &mut Ui, state: &AppState) {
    let text = state.adapter.as_deref().unwrap_or("no graphics adapter");
    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
        let label = Label::new(RichText::new(text).weak())
            .truncate()
            .selectable(false);
        ui.add(label).on_hover_text(text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_to_be_analysed_that_is_not() {
        let of = |change: fn(&mut OverlayState)| {
            let mut overlay = OverlayState {
                shown: true,
                ..OverlayState::default()
            };
            change(&mut overlay);
            Progress::of(&overlay)
        };
        assert_eq!(of(|_| {}), Progress::Done);
        assert_eq!(
            of(|overlay| overlay.status.waiting = 3),
            Progress::Waiting(3)
        );
        assert_eq!(of(|overlay| overlay.shown = false), Progress::Hidden);
        let no_scale = |overlay: &mut OverlayState| overlay.reason = Some("no scale".into());
        assert_eq!(of(no_scale), Progress::Impossible);
    }

    #[test]
    fn every_text_keeps_its_width() {
        let width = |text: String| text.chars().count();
        let mpp = Mpp::square(0.25);
        let far = Some(SlidePoint::new(299_999.9, 180_000.0));
        assert_eq!(width(position_um(far, mpp)), width(position_um(None, None)));
        assert_eq!(width(position_px(far)), width(position_px(None)));
        assert_eq!(width(tiles_text(0, 0)), width(tiles_text(123_456, 0)));
        assert_eq!(width(tiles_text(0, 0)), width(tiles_text(0, 123_456)));
        assert_eq!(tiles_text(0, 3).trim(), "3 failed");
        assert_eq!(tiles_text(2, 3).trim(), "2 tiles…");
        let waiting = |n| width(waiting_text(Progress::Waiting(n)));
        assert_eq!(waiting(1), waiting(1 << 20));
        for progress in [
            Progress::Done,
            Progress::Hidden,
            Progress::Impossible,
            Progress::Starting,
        ] {
            assert_eq!(width(waiting_text(progress)), waiting(1), "{progress:?}");
        }
        for per_s in [0.0, 9.96, 99.94, 99.96, 1234.5, 1e9] {
            assert!(width(rate_text(per_s)) <= 5, "{per_s}");
        }
    }

    #[test]
    fn magnification_is_said_in_both_ways() {
        assert_eq!(scaled(0.25), ("40x".into(), "0.250 µm/px".into()));
        assert_eq!(scaled(32.0), ("0.31x".into(), "32.00 µm/px".into()));
        assert_eq!(ratio(4.0), "1:4.0");
        assert_eq!(ratio(0.5), "2.0:1");
    }
}
