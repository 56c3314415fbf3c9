//! One pane: what the pointer does to it, and what is drawn in it.

use std::sync::{Arc, Mutex, PoisonError};

use egui::{Color32, PointerButton, Rect, Response, Sense, Shape, Stroke, Ui};

use crate::geometry::{ScreenPoint, ScreenSize, ScreenVector, View};
use crate::gpu::SlideRenderer;
use crate::gpu::overlay::OverlayRenderer;
use crate::tiles::queue::ViewSlot;

use super::command::{CameraMove, Command, Layout};
use super::marks::{MarkCommand, is_in_hand};
use super::similar::SimilarCommand;
use super::state::{AppState, PaneIndex};
use super::theme;
use super::throw::HandTrail;

/// Wheel travel that doubles the magnification, points.
const SCROLL_PER_DOUBLING: f64 = 160.0;

/// Colour of the frame that shows the other view's field.
const FIELD_FRAME: Color32 = Color32::from_rgb(20, 110, 230);

/// A pane's place in the window.
pub struct PaneArea {
    /// Which pane.
    pub index: PaneIndex,
    /// In points, aligned to physical px.
    pub rect: Rect,
    /// Physical px per point.
    pub px_per_point: f64,
}

impl PaneArea {
    /// The viewport's size, physical px.
    pub fn size(&self) -> ScreenSize {
        let size = self.rect.size();
        let px = |points: f32| (f64::from(points) * self.px_per_point).round().max(1.0);
        ScreenSize::new(px(size.x), px(size.y))
    }

    /// A window position as a screen px of this pane.
    pub fn screen_from_window(&self, at: egui::Pos2) -> ScreenPoint {
        let by = at - self.rect.min;
        ScreenPoint::new(
            f64::from(by.x) * self.px_per_point,
            f64::from(by.y) * self.px_per_point,
        )
    }

    /// A screen px of this pane as a window position.
    pub fn window_from_screen(&self, at: ScreenPoint) -> egui::Pos2 {
        self.rect.min
            + egui::vec2(
                (at.x / self.px_per_point) as f32,
                (at.y / self.px_per_point) as f32,
            )
    }

    fn vector(&self, by: egui::Vec2) -> ScreenVector {
        ScreenVector::new(f64::from(by.x), f64::from(by.y)) * self.px_per_point
    }
}

/// Divides `rect` among the panes of the layout, with a gap of a few px between them.
pub fn divide(ui: &Ui, rect: Rect, layout: Layout, shown: &[PaneIndex]) -> Vec<PaneArea> {
    let px_per_point = ui.pixels_per_point();
    let (left, right) = rect.split_left_right_at_fraction(0.5);
    let gap = 1.5;
    let rects = match layout {
        Layout::Single => [rect, Rect::NOTHING],
        Layout::Linked | Layout::Split => [
            left.with_max_x(left.max.x - gap),
            right.with_min_x(right.min.x + gap),
        ],
    };
    let align = |v: f32| (v * px_per_point).round() / px_per_point;
    shown
        .iter()
        .zip(rects)
        .map(|(&index, rect)| {
            let min = egui::pos2(align(rect.min.x), align(rect.min.y));
            let max = egui::pos2(align(rect.max.x), align(rect.max.y));
            PaneArea {
                index,
                rect: Rect::from_min_max(min, max),
                px_per_point: f64::from(px_per_point),
            }
        })
        .collect()
}

/// Where the pointer is over the pane, and what it asks for.
pub struct Interaction {
    /// The pointer, screen px of the pane.
    pub pointer: Option<ScreenPoint>,
    /// What it asks for.
    pub commands: Vec<Command>,
}

/// Turns pointer, wheel and touch into commands; draws nothing.
pub fn interact(ui: &mut Ui, area: &PaneArea, state: &AppState) -> Interaction {
    let index = area.index;
    let id = ui.scope_id().with(("pane", index));
    let response = ui.interact(area.rect, id, Sense::click_and_drag());
    let label = pane_label(state, index);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &label));
    let pointer = response.hover_pos().map(|at| area.screen_from_window(at));
    let mut commands = Vec::new();
    // Pressed and let go within one slow frame, a click is all there is.
    if (response.is_pointer_button_down_on() || response.clicked()) && state.active != index {
        commands.push(Command::Activate(index));
    }
    if state.view(index).is_some() {
        let painting = state.marks.brush.on;
        if painting {
            commands.extend(brush(ui, area, &response, state));
        }
        let moves = drags(ui, area, &response, painting)
            .into_iter()
            .chain(scrolls(ui, area, &response));
        commands.extend(moves.map(|step| Command::Camera(index, step)));
        if let (true, true, Some(at), Some(view)) = (
            state.similar.picking,
            response.clicked(),
            pointer,
            state.view(index),
        ) {
            let spot = SimilarCommand::Ask(index, view.slide_at(at));
            commands.push(Command::Similar(spot));
        }
        let doubly = response.double_clicked() && !painting;
        if let (true, Some(at), Some(view)) = (doubly, pointer, state.view(index)) {
            commands.push(Command::Camera(
                index,
                CameraMove::CenterOn(view.slide_at(at)),
            ));
        }
    }
    Interaction { pointer, commands }
}

fn pane_label(state: &AppState, index: PaneIndex) -> String {
    let side = match (state.layout, index) {
        (Layout::Single, _) => "View",
        (_, PaneIndex::First) => "Left view",
        (_, PaneIndex::Second) => "Right view",
    };
    match &state.pane(index).slide {
        Some(slide) => format!("{side}: {}", slide.source.info().name),
        None => format!("{side}: no slide"),
    }
}

/// The way of a brush that is held down: all of it, however slow the frame.
fn brush(ui: &Ui, area: &PaneArea, response: &Response, state: &AppState) -> Vec<Command> {
    let Some(view) = state.view(area.index) else {
        return Vec::new();
    };
    let to = |at: egui::Pos2| {
        let at = view.slide_at(area.screen_from_window(at));
        Command::Marks(MarkCommand::BrushTo(area.index, at))
    };
    let in_hand = is_in_hand(&state.marks.brush, area.index);
    let (is_down, at, way) = ui.input(|input| {
        let moves = input.events.iter().filter_map(|event| match event {
            egui::Event::PointerMoved(at) => Some(*at),
            _ => None,
        });
        let way: Vec<egui::Pos2> = moves.collect();
        (
            input.pointer.primary_down(),
            input.pointer.interact_pos(),
            way,
        )
    });
    let starts = is_down && !in_hand && response.is_pointer_button_down_on();
    let mut commands = Vec::new();
    if starts {
        let pressed = ui.input(|input| input.pointer.press_origin());
        commands.extend(pressed.map(to));
    }
    if starts || in_hand {
        commands.extend(way.into_iter().map(to));
        commands.extend(at.map(to));
    }
    if (starts || in_hand) && !is_down {
        commands.push(Command::Marks(MarkCommand::BrushUp));
    }
    commands
}

/// `painting`: the first button belongs to the brush.
fn drags(ui: &Ui, area: &PaneArea, response: &Response, painting: bool) -> Vec<CameraMove> {
    let turning = ui.input(|input| input.modifiers.alt || input.modifiers.shift);
    let held = (response.dragged_by(PointerButton::Primary) && !painting)
        || response.dragged_by(PointerButton::Middle)
        || response.dragged_by(PointerButton::Secondary);
    if held && turning {
        return turn_by_drag(area, response).into_iter().collect();
    }
    let ends = response.drag_stopped() && !turning && !painting;
    let mut moves = Vec::new();
    let swept = ui.input(|input| swept(input, response));
    if (held || ends) && swept != egui::Vec2::ZERO {
        moves.push(CameraMove::Drag(area.vector(swept)));
    }
    let thrown = thrown(ui, response);
    if ends {
        moves.extend(thrown.map(|velocity| CameraMove::Throw(area.vector(velocity))));
    }
    moves
}

/// Follows the hand from frame to frame while it holds the pane; the velocity at which it lets go, points
/// per second.
fn thrown(ui: &Ui, response: &Response) -> Option<egui::Vec2> {
    if response.is_pointer_button_down_on() {
        // A hand that rests makes no events: without frames, nobody would see that it does.
        ui.ctx().request_repaint();
    } else if !response.drag_stopped() {
        ui.data_mut(|data| data.remove::<HandTrail>(response.id));
        return None;
    }
    let (time_s, at) = ui.input(|input| {
        let ended = let_go(input).filter(|_| response.drag_stopped());
        (input.time, ended.or(input.pointer.latest_pos()))
    });
    ui.data_mut(|data| {
        let mut trail: HandTrail = data.remove_temp(response.id).unwrap_or_default();
        if let Some(at) = at {
            trail.follow(time_s, at);
        }
        let throw = trail.throw();
        if !response.drag_stopped() {
            data.insert_temp(response.id, trail);
        }
        throw
    })
}

/// What the pointer swept in this frame with the button down: from where it was pressed, up to where it
/// was let go. egui's own delta leaves out the way until it is sure of a drag, and that of the frame in
/// which the button is let go; where frames are slow, that is much of a throw.
fn swept(input: &egui::InputState, response: &Response) -> egui::Vec2 {
    let pointer = &input.pointer;
    let Some(now) = pointer.latest_pos() else {
        return egui::Vec2::ZERO;
    };
    let began = response
        .drag_started()
        .then(|| pointer.press_origin())
        .flatten();
    let to = let_go(input)
        .filter(|_| response.drag_stopped())
        .unwrap_or(now);
    to - began.unwrap_or(now - pointer.delta())
}

/// Where a button was let go in this frame, points.
fn let_go(input: &egui::InputState) -> Option<egui::Pos2> {
    input.events.iter().rev().find_map(|event| match event {
        egui::Event::PointerButton {
            pos,
            pressed: false,
            ..
        } => Some(*pos),
        _ => None,
    })
}

/// The angle that the pointer swept about the middle of the pane.
fn turn_by_drag(area: &PaneArea, response: &Response) -> Option<CameraMove> {
    let now = response.interact_pointer_pos()? - area.rect.center();
    let before = now - response.drag_delta();
    let by = f64::from(now.angle() - before.angle());
    let by = euclid::Angle::radians(by).signed().get();
    (by != 0.0).then_some(CameraMove::Rotate(by))
}

fn scrolls(ui: &Ui, area: &PaneArea, response: &Response) -> Vec<CameraMove> {
    let Some(at) = response.hover_pos() else {
        return Vec::new();
    };
    let (scroll, pinch, turn) = ui.input(|input| {
        (
            input.smooth_scroll_delta(),
            input.zoom_delta(),
            input.rotation_delta(),
        )
    });
    let mut factor = f64::from(pinch);
    if pinch == 1.0 {
        factor = (f64::from(scroll.y) / SCROLL_PER_DOUBLING).exp2();
    }
    let mut moves = Vec::new();
    if factor != 1.0 {
        moves.push(CameraMove::ZoomAbout(area.screen_from_window(at), factor));
    }
    if turn != 0.0 {
        moves.push(CameraMove::Rotate(f64::from(turn)));
    }
    moves
}

/// A pass that draws what was prepared for a view.
pub trait PanePass: Send + 'static {
    /// Draws into the pass's present viewport.
    fn paint(&self, slot: ViewSlot, pass: &mut wgpu::RenderPass<'_>);
}

impl PanePass for SlideRenderer {
    fn paint(&self, slot: ViewSlot, pass: &mut wgpu::RenderPass<'_>) {
        self.paint(slot, pass);
    }
}

impl PanePass for OverlayRenderer {
    fn paint(&self, slot: ViewSlot, pass: &mut wgpu::RenderPass<'_>) {
        self.paint(slot, pass);
    }
}

/// Such a pass inside egui's render pass.
struct PanePaint<P> {
    renderer: Arc<Mutex<P>>,
    slot: ViewSlot,
}

impl<P: PanePass> egui_wgpu::CallbackTrait for PanePaint<P> {
    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _resources: &egui_wgpu::CallbackResources,
    ) {
        let renderer = self.renderer.lock();
        let renderer = renderer.unwrap_or_else(PoisonError::into_inner);
        renderer.paint(self.slot, pass);
    }
}

/// Draws what was prepared for this pane.
pub fn paint_pass<P: PanePass>(ui: &Ui, area: &PaneArea, renderer: &Arc<Mutex<P>>) {
    let callback = PanePaint {
        renderer: Arc::clone(renderer),
        slot: area.index.slot(),
    };
    ui.painter()
        .with_clip_rect(area.rect)
        .add(egui_wgpu::Callback::new_paint_callback(area.rect, callback));
}

/// In linked views, the field that the other view shows.
pub fn paint_other_field(ui: &Ui, area: &PaneArea, own: &View, other: &View) {
    let screen_from_slide = own.screen_from_slide();
    let corners = other
        .corners()
        .map(|corner| area.window_from_screen(screen_from_slide.transform_point(corner)));
    let points = corners.to_vec();
    let painter = ui.painter().with_clip_rect(area.rect);
    // Dark under light, so that it is seen on any tissue.
    painter.add(Shape::closed_line(
        points.clone(),
        Stroke::new(3.5, Color32::from_white_alpha(200)),
    ));
    painter.add(Shape::closed_line(points, Stroke::new(1.5, FIELD_FRAME)));
}

/// A frame around the active one of two panes.
pub fn paint_active_frame(ui: &Ui, area: &PaneArea) {
    let stroke = Stroke::new(2.0, theme::accent(ui.visuals().dark_mode));
    ui.painter()
        .rect_stroke(area.rect, 0.0, stroke, egui::StrokeKind::Inside);
}

/// What an empty pane, or one whose slide is being opened, says.
pub fn paint_message(ui: &Ui, area: &PaneArea, text: &str) {
    let (font, colour) = (
        egui::FontId::proportional(15.0),
        ui.visuals().weak_text_color(),
    );
    ui.painter().text(
        area.rect.center(),
        egui::Align2::CENTER_CENTER,
        text,
        font,
        colour,
    );
}

/// What stands in the picture for as long as it is true, on a plate over the scale bar.
pub fn paint_note(ui: &Ui, area: &PaneArea, text: &str) {
    let painter = ui.painter_at(area.rect);
    let (ink, plate) = (egui::Color32::from_gray(0x10), NOTE_PLATE);
    let galley = painter.layout_no_wrap(text.to_owned(), egui::FontId::proportional(11.0), ink);
    let corner = area.rect.left_bottom() + NOTE_AT;
    let rect = egui::Rect::from_min_size(corner, galley.size() + egui::vec2(12.0, 6.0));
    painter.rect_filled(rect, egui::CornerRadius::same(3), plate);
    painter.galley(corner + egui::vec2(6.0, 3.0), galley, ink);
    let id = ui.scope_id().with(("note", area.index.slot()));
    let response = ui.interact(rect, id, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
}

/// Where a note begins, from the view's lower left corner, points.
const NOTE_AT: egui::Vec2 = egui::vec2(12.0, -76.0);
const NOTE_PLATE: egui::Color32 = egui::Color32::from_rgba_premultiplied(219, 219, 219, 219);
