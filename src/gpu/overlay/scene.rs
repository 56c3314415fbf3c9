//! From layers and the pages at hand to what the shader draws. Pure.
//!
//! Structures here mirror `shaders/overlay.wgsl`: keep them in sync.

use std::f64::consts::SQRT_2;

use bytemuck::{Pod, Zeroable};

use crate::geometry::{ScreenPx, ScreenVector, SlidePx, SlideRect, SlideVector, View};
use crate::gpu::scene::{ViewUniform, local_corners};
use crate::labels::{PAGE_PX, PageId};

use super::input::{OverlayInput, OverlayLayer};

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Uniforms {
    view: ViewUniform,
    local: [f32; 4],
    hatch: [f32; 4],
    odd_lines: f32,
    opacity: f32,
    reach_px: f32,
    swipe_px: f32,
    now_end: u32,
    before_end: u32,
    show_any: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct LevelEntry {
    texel_from_screen: [f32; 4],
    center_part: [f32; 2],
    far_edge: [f32; 2],
    center_texel: [i32; 2],
    table_px: [i32; 2],
    columns: u32,
    first_page: u32,
    next_layer: u32,
    is_provisional: u32,
}

/// A page table's entry where there is no page.
const NO_PAGE: u32 = u32::MAX;

/// Set in a page table's entry where the page is not what is asked for now.
const PROVISIONAL: u32 = 1 << 31;

/// Screen px between the lines of a hatch, at least; at most twice as many.
const LEAST_HATCH_PX: f64 = 7.0;

/// A page that lies in the atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DrawnPage {
    pub id: PageId,
    pub atlas_layer: u32,
    pub is_current: bool,
}

/// The pages of each layer of a list.
pub(super) type DrawnLayers = Vec<Vec<DrawnPage>>;

/// What the shader draws for one view.
pub(super) struct OverlayScene {
    pub uniforms: Uniforms,
    pub levels: Vec<LevelEntry>,
    pub pages: Vec<u32>,
    pub colours: Vec<u32>,
    /// Whether any of it may be provisional.
    pub has_provisional: bool,
}

impl OverlayScene {
    /// Builds the scene; `None` where it would draw nothing.
    pub fn build(
        input: &OverlayInput<'_>,
        now: &[Vec<DrawnPage>],
        before: &[Vec<DrawnPage>],
    ) -> Option<Self> {
        let mut scene = Self {
            uniforms: uniforms(input, drawn_rect(input)?),
            levels: Vec::new(),
            pages: Vec::new(),
            colours: input.style.colours(),
            has_provisional: false,
        };
        scene.uniforms.now_end = scene.push_layers(input.view, input.layers, now);
        scene.uniforms.before_end = scene.push_layers(input.view, input.swiped_layers(), before);
        let some = !scene.levels.is_empty() || input.style.swipe.is_some();
        some.then_some(scene)
    }

    /// Adds the levels of a list's layers in the order in which they are asked; tells where they end.
    fn push_layers(
        &mut self,
        view: &View,
        layers: &[OverlayLayer<'_>],
        drawn: &[Vec<DrawnPage>],
    ) -> u32 {
        for (index, (layer, pages)) in layers.iter().zip(drawn).enumerate() {
            let target = layer.raster.level_for(view.slide_px_per_screen_px);
            let levels = levels_of(pages, target);
            let next_layer = (self.levels.len() + levels.len()) as u32;
            for level in levels {
                let of_level = |page: &&DrawnPage| page.id.level == level;
                let pages: Vec<&DrawnPage> = pages.iter().filter(of_level).collect();
                let mut entry = self.level_entry(view, layer, level, &pages);
                entry.next_layer = next_layer;
                let stands_in = index > 0 || level > target || layer.is_provisional;
                entry.is_provisional = u32::from(stands_in);
                let is_old = pages.iter().any(|page| !page.is_current);
                self.has_provisional |= stands_in || is_old;
                self.levels.push(entry);
            }
        }
        self.levels.len() as u32
    }

    /// A level of a layer, with the smallest page table that holds `pages`, which are some.
    fn level_entry(
        &mut self,
        view: &View,
        layer: &OverlayLayer<'_>,
        level: u8,
        pages: &[&DrawnPage],
    ) -> LevelEntry {
        let (cols, rows) = (span(pages, |id| id.col), span(pages, |id| id.row));
        let columns = cols.1 - cols.0 + 1;
        let first_page = self.pages.len();
        let entries = columns * (rows.1 - rows.0 + 1);
        self.pages.resize(first_page + entries as usize, NO_PAGE);
        for page in pages {
            let cell = (page.id.row - rows.0) * columns + page.id.col - cols.0;
            let state = if page.is_current { 0 } else { PROVISIONAL };
            self.pages[first_page + cell as usize] = page.atlas_layer | state;
        }
        let scale = layer.raster.level(level).slide_px_per_px;
        let (right, down) = per_screen_px(view);
        let along = |size_px: u32, fine: f64, scale: f64, center: f64, first: u32| {
            let center = center / scale;
            let texel = center.floor();
            let far_edge = f64::from(size_px) * fine / scale - texel;
            let from_table = texel - f64::from(first * PAGE_PX);
            (center - texel, far_edge, from_table)
        };
        let (fine, size) = (layer.raster.slide_px_per_px, layer.raster.size_px);
        let x = along(size.0, fine.0, scale.0, view.center.x, cols.0);
        let y = along(size.1, fine.1, scale.1, view.center.y, rows.0);
        let texels = [
            right.x / scale.0,
            right.y / scale.1,
            down.x / scale.0,
            down.y / scale.1,
        ];
        LevelEntry {
            texel_from_screen: texels.map(|v| v as f32),
            center_part: [x.0 as f32, y.0 as f32],
            far_edge: [x.1 as f32, y.1 as f32],
            center_texel: [x.2 as i32, y.2 as i32],
            table_px: [columns, rows.1 - rows.0 + 1].map(|pages| (pages * PAGE_PX) as i32),
            columns,
            first_page: first_page as u32,
            next_layer: 0,
            is_provisional: 0,
        }
    }
}

/// The levels of `pages`: those from `target` on, finest first, then finer ones.
fn levels_of(pages: &[DrawnPage], target: u8) -> Vec<u8> {
    let mut levels: Vec<u8> = pages.iter().map(|page| page.id.level).collect();
    levels.sort_unstable_by_key(|level| (*level < target, *level));
    levels.dedup();
    levels
}

/// The least and the greatest of a coordinate.
fn span(pages: &[&DrawnPage], of: impl Fn(&PageId) -> u32) -> (u32, u32) {
    let all = || pages.iter().map(|page| of(&page.id));
    (all().min().unwrap_or(0), all().max().unwrap_or(0))
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

/// Slide px crossed by one screen px to the right and by one down.
fn per_screen_px(view: &View) -> (SlideVector, SlideVector) {
    let linear: euclid::Transform2D<f64, ScreenPx, SlidePx> = view
        .screen_from_slide_linear()
        .inverse()
        .unwrap_or_default();
    let slide = |x, y| linear.transform_vector(ScreenVector::new(x, y));
    (slide(1.0, 0.0), slide(0.0, 1.0))
}

fn uniforms(input: &OverlayInput<'_>, rect: SlideRect) -> Uniforms {
    let (view, style) = (input.view, input.style);
    let (hatch, odd_lines) = hatch(view);
    let swipe = style.swipe.unwrap_or(-1.0);
    Uniforms {
        view: ViewUniform::new(view, PAGE_PX),
        local: local_corners(rect, view.center),
        hatch,
        odd_lines,
        opacity: style.fill_opacity(),
        reach_px: style.outline_reach_px().unwrap_or(0.0),
        swipe_px: (swipe * view.size.width as f32).round(),
        now_end: 0,
        before_end: 0,
        show_any: style.show_any.into(),
        padding: 0,
    }
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
        let (span, offsets) = layout(SHADER, "Level");
        assert_eq!(span, size_of::<LevelEntry>());
        let ours = [
            offset_of!(LevelEntry, texel_from_screen),
            offset_of!(LevelEntry, center_part),
            offset_of!(LevelEntry, far_edge),
            offset_of!(LevelEntry, center_texel),
            offset_of!(LevelEntry, table_px),
            offset_of!(LevelEntry, columns),
            offset_of!(LevelEntry, first_page),
            offset_of!(LevelEntry, next_layer),
            offset_of!(LevelEntry, is_provisional),
        ];
        assert_eq!(offsets, ours);
        let (span, offsets) = layout(SHADER, "Uniforms");
        assert_eq!(span, size_of::<Uniforms>());
        let ours = [
            offset_of!(Uniforms, view),
            offset_of!(Uniforms, local),
            offset_of!(Uniforms, hatch),
            offset_of!(Uniforms, odd_lines),
            offset_of!(Uniforms, opacity),
            offset_of!(Uniforms, reach_px),
            offset_of!(Uniforms, swipe_px),
            offset_of!(Uniforms, now_end),
            offset_of!(Uniforms, before_end),
            offset_of!(Uniforms, show_any),
            offset_of!(Uniforms, padding),
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

    #[test]
    fn finer_levels_are_asked_last() {
        let page = |level| DrawnPage {
            id: PageId {
                level,
                col: 0,
                row: 0,
            },
            atlas_layer: 0,
            is_current: true,
        };
        let pages = [1, 4, 2, 2, 5, 3].map(page);
        assert_eq!(levels_of(&pages, 2), [2, 3, 4, 5, 1]);
    }
}
