//! From a style to what the shader makes of a view's label map. Pure.
//!
//! Structures here mirror `shaders/overlay.wgsl`: keep them in sync.

use std::f64::consts::SQRT_2;

use bytemuck::{Pod, Zeroable};

use crate::geometry::{SlideRect, SlideVector, View};
use crate::gpu::scene::{ViewUniform, local_corners};
use crate::labels::PAGE_PX;

use super::input::OverlayInput;
use super::parts::MARGIN_PX;
use super::scene::{per_screen_px, swipe_px};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Uniforms {
    view: ViewUniform,
    local: [f32; 4],
    hatch: [f32; 4],
    odd_lines: f32,
    opacity: f32,
    swipe_px: f32,
    margin_px: i32,
    colours: [u32; 512],
}

/// Screen px between the lines of a hatch, at least; at most twice as many.
const LEAST_HATCH_PX: f64 = 8.0;

impl Uniforms {
    /// `None` where nothing is drawn.
    pub fn new(input: &OverlayInput<'_>) -> Option<Self> {
        let (hatch, odd_lines) = hatch(input.view);
        let rect = drawn_rect(input)?;
        Some(Self {
            view: ViewUniform::new(input.view, PAGE_PX),
            local: local_corners(rect, input.view.center),
            hatch,
            odd_lines,
            opacity: input.style.fill_opacity(),
            swipe_px: swipe_px(input).unwrap_or_default(),
            margin_px: MARGIN_PX as i32,
            colours: input.style.colours(),
        })
    }
}

/// The part of the slide that is drawn on; with a swipe all that is in view, for its line.
fn drawn_rect(input: &OverlayInput<'_>) -> Option<SlideRect> {
    let seen = input.view.bounding_rect();
    if input.style.swipe.is_some() {
        return Some(seen);
    }
    let rects = input.layers.iter().map(|layer| {
        let (width, height) = layer.raster.size_px;
        layer.raster.slide_rect(0..width, 0..height)
    });
    rects.reduce(|a, b| a.union(&b))?.intersection(&seen)
}

/// Diagonal lines that lie on the slide as if drawn there, so that they move, turn and grow with
/// it. When they have grown to twice their distance, others begin between them, and these fade in:
/// nothing jumps at any zoom.
///
/// Lines are where the first three numbers give whole ones: by how much it grows with one screen px
/// to the right and down, and what it is at the view's centre. The fourth is the screen px from line
/// to line. Also how much of the odd lines shows, 0 to 1.
fn hatch(view: &View) -> ([f32; 4], f32) {
    let least = LEAST_HATCH_PX * view.slide_px_per_screen_px;
    let pitch = least.log2().ceil().exp2();
    let across = |by: SlideVector| (by.x + by.y * view.pixel_aspect) / (SQRT_2 * pitch);
    let (right, down) = per_screen_px(view);
    let center = across(view.center.to_vector()).rem_euclid(2.0);
    let line_px = pitch / view.slide_px_per_screen_px;
    let hatch = [across(right), across(down), center, line_px];
    let odd_lines = (pitch / least - 1.0).clamp(0.0, 1.0);
    (hatch.map(|v| v as f32), odd_lines as f32)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::super::pass::SHADER;
    use super::*;
    use crate::geometry::{ScreenPoint, ScreenSize, SlidePoint};
    use crate::gpu::layout_tests::layout;

    #[test]
    fn structures_lie_in_memory_as_the_shader_reads_them() {
        let (span, offsets) = layout(SHADER, "Uniforms");
        assert_eq!(span, size_of::<Uniforms>());
        let ours = [
            offset_of!(Uniforms, view),
            offset_of!(Uniforms, local),
            offset_of!(Uniforms, hatch),
            offset_of!(Uniforms, odd_lines),
            offset_of!(Uniforms, opacity),
            offset_of!(Uniforms, swipe_px),
            offset_of!(Uniforms, margin_px),
            offset_of!(Uniforms, colours),
        ];
        assert_eq!(offsets, ours);
    }

    fn view(slide_px_per_screen_px: f64) -> View {
        View {
            center: SlidePoint::new(123_456.7, 98_765.4),
            slide_px_per_screen_px,
            rotation_rad: 0.7,
            mirrored: true,
            pixel_aspect: 1.1,
            size: ScreenSize::new(801.0, 600.0),
        }
    }

    /// How far a screen point is along the lines' count, from what the shader is given.
    fn line_at(view: &View, point: ScreenPoint) -> f64 {
        let ([x, y, center, _], _) = hatch(view);
        let by = point - (view.size / 2.0).to_vector().to_point();
        f64::from(x) * by.x + f64::from(y) * by.y + f64::from(center)
    }

    #[test]
    fn hatching_stays_where_it_is_on_the_slide() {
        let mut view = view(0.8);
        let (before, at) = (line_at(&view, (100.0, 200.0).into()), (163.0, 171.0).into());
        view.pan((63.0, -29.0).into());
        let moved = (line_at(&view, at) - before).rem_euclid(2.0);
        assert!(moved.min(2.0 - moved) < 1e-3, "{moved}");
        view.rotate_about(at, 1.0);
        let turned = (line_at(&view, at) - before).rem_euclid(2.0);
        assert!(turned.min(2.0 - turned) < 1e-3, "{turned}");
    }

    #[test]
    fn hatching_does_not_jump_when_lines_are_added() {
        let threshold = 4.0 / LEAST_HATCH_PX;
        let (wide, fine) = (hatch(&view(threshold * 1.0001)), hatch(&view(threshold)));
        assert!((wide.0[3] / fine.0[3] - 2.0).abs() < 1e-2 && wide.1 > 0.99);
        assert!(fine.1 < 0.01, "the new lines can't be seen yet");
    }
}
