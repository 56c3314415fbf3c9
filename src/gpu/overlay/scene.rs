//! From the parts at hand to what the shader writes to a view's label map. Pure.
//!
//! Structures here mirror `shaders/labels.wgsl`: keep them in sync.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::geometry::{ScreenPx, ScreenVector, SlidePx, SlideVector, View};
use crate::gpu::scene::{ViewUniform, local_corners};
use crate::labels::PAGE_PX;

use super::input::{OverlayInput, OverlayLayer};
use super::parts::{DrawnPart, MARGIN_PX, page_rect};
use super::style::{OverlayContent, OverlayStyle};

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(super) struct Uniforms {
    view: ViewUniform,
    shown: [u32; 8],
    is_colour: u32,
    use_any: u32,
    use_extra: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(super) struct QuadEntry {
    local: [f32; 4],
    texel_from_screen: [f32; 4],
    center_part: [f32; 2],
    low: [f32; 2],
    high: [f32; 2],
    first_texel: [u32; 2],
    atlas_layer: u32,
    coarser: u32,
    current: [u32; 2],
    version: u32,
    padding: [u32; 3],
}

/// Quads that are drawn together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draw {
    pub quads: Range<u32>,
    /// Columns of the map that they may change, px.
    pub columns: Range<u32>,
}

/// What a view's label map is drawn from. Equal ones draw equal maps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LabelScene {
    /// Width and height of the map: the view's and its margins, px.
    pub size_px: (u32, u32),
    pub uniforms: Uniforms,
    pub quads: Vec<QuadEntry>,
    pub draws: Vec<Draw>,
    /// Whether any of it may be provisional.
    pub has_provisional: bool,
}

/// The parts of each layer of a list.
pub(super) type DrawnLayers = Vec<Vec<DrawnPart>>;

impl LabelScene {
    /// Builds the scene from the parts of the layers of now and of before.
    pub fn build(input: &OverlayInput<'_>, now: &DrawnLayers, before: &DrawnLayers) -> Self {
        let (uniforms, size_px) = uniforms(input);
        let mut scene = Self {
            size_px,
            uniforms,
            quads: Vec::new(),
            draws: Vec::new(),
            has_provisional: false,
        };
        let split = swipe_px(input).map_or(0.0, |px| px + MARGIN_PX as f32);
        let split = split.clamp(0.0, size_px.0 as f32) as u32;
        scene.push_layers(input.view, input.swiped_layers(), before, 0..split);
        scene.push_layers(input.view, input.layers, now, split..size_px.0);
        scene
    }

    /// Adds the layers of a list, the finest last.
    fn push_layers(
        &mut self,
        view: &View,
        layers: &[OverlayLayer<'_>],
        drawn: &DrawnLayers,
        columns: Range<u32>,
    ) {
        let first = self.quads.len() as u32;
        for (index, (layer, parts)) in layers.iter().zip(drawn).enumerate().rev() {
            let target = layer.raster.level_for(view.slide_px_per_screen_px);
            for part in parts {
                let stands_in = index > 0 || part.source.level > target || layer.is_provisional;
                let current = if stands_in { 0 } else { part.current };
                self.has_provisional |= current != u64::MAX;
                self.quads.push(quad(view, layer, part, current));
            }
        }
        self.draws.push(Draw {
            quads: first..self.quads.len() as u32,
            columns,
        });
    }
}

/// Where a swipe's line is, screen px from the viewport's left.
pub(super) fn swipe_px(input: &OverlayInput<'_>) -> Option<f32> {
    let swipe = input.style.swipe?;
    Some((swipe * input.view.size.width as f32).round())
}

fn uniforms(input: &OverlayInput<'_>) -> (Uniforms, (u32, u32)) {
    let margins = f64::from(2 * MARGIN_PX);
    let side = |px: f64| px.round().max(1.0) + margins;
    let mut map = *input.view;
    map.size = (side(map.size.width), side(map.size.height)).into();
    let uniforms = Uniforms {
        view: ViewUniform::new(&map, PAGE_PX),
        shown: shown_bits(input.style),
        is_colour: (input.style.content == OverlayContent::Colours).into(),
        use_any: input.style.show_any.into(),
        use_extra: (input.style.content == OverlayContent::Extra).into(),
        padding: 0,
    };
    (uniforms, (map.size.width as u32, map.size.height as u32))
}

fn shown_bits(style: &OverlayStyle) -> [u32; 8] {
    let mut bits = [0_u32; 8];
    for code in (0..=u8::MAX).filter(|code| style.shows(*code)) {
        bits[usize::from(code / 32)] |= 1 << (code % 32);
    }
    bits
}

fn quad(view: &View, layer: &OverlayLayer<'_>, part: &DrawnPart, current: u64) -> QuadEntry {
    let (area, source) = (part.area, part.source);
    let coarser = u32::from(source.level.saturating_sub(area.level));
    let scale = layer.raster.level(area.level).slide_px_per_px;
    let (fine, size) = (layer.raster.slide_px_per_px, layer.raster.size_px);
    let x = along(area.col, size.0, (fine.0, scale.0), view.center.x);
    let y = along(area.row, size.1, (fine.1, scale.1), view.center.y);
    let (right, down) = per_screen_px(view);
    let texels = [right.x, right.y, down.x, down.y];
    let texels = [0, 1, 2, 3].map(|n| texels[n] / if n % 2 == 0 { scale.0 } else { scale.1 });
    let first = |area: u32, source: u32| (area - (source << coarser)) * PAGE_PX;
    // A screen px more on each side, so that rounding leaves none out.
    let around = (right.x.abs() + down.x.abs(), right.y.abs() + down.y.abs());
    let rect = page_rect(&layer.raster, area).inflate(around.0, around.1);
    QuadEntry {
        local: local_corners(rect, view.center),
        texel_from_screen: texels.map(|v| v as f32),
        center_part: [x.0, y.0],
        low: [x.1, y.1],
        high: [x.2, y.2],
        first_texel: [first(area.col, source.col), first(area.row, source.row)],
        atlas_layer: part.held.atlas_layer,
        coarser,
        current: [current as u32, (current >> 32) as u32],
        version: part.held.version as u32,
        padding: [0; 3],
    }
}

/// Along one axis: the place of the view's centre in its texel, and where a page begins and ends,
/// texels from that texel's near edge. `scales`: slide px per px of level 0, of which there are
/// `size_px`, and of the page's level.
fn along(page: u32, size_px: u32, scales: (f64, f64), center: f64) -> (f32, f32, f32) {
    let center = center / scales.1;
    let texel = center.floor();
    let low = f64::from(page) * f64::from(PAGE_PX) - texel;
    let far_edge = f64::from(size_px) * scales.0 / scales.1 - texel;
    let high = (low + f64::from(PAGE_PX)).min(far_edge);
    ((center - texel) as f32, low as f32, high as f32)
}

/// Slide px crossed by one screen px to the right and by one down.
pub(super) fn per_screen_px(view: &View) -> (SlideVector, SlideVector) {
    let linear: euclid::Transform2D<f64, ScreenPx, SlidePx> = view
        .screen_from_slide_linear()
        .inverse()
        .unwrap_or_default();
    let slide = |x, y| linear.transform_vector(ScreenVector::new(x, y));
    (slide(1.0, 0.0), slide(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::super::label_map::SHADER;
    use super::*;
    use crate::gpu::layout_tests::layout;

    #[test]
    fn structures_lie_in_memory_as_the_shader_reads_them() {
        let (span, offsets) = layout(SHADER, "Quad");
        assert_eq!(span, size_of::<QuadEntry>());
        let ours = [
            offset_of!(QuadEntry, local),
            offset_of!(QuadEntry, texel_from_screen),
            offset_of!(QuadEntry, center_part),
            offset_of!(QuadEntry, low),
            offset_of!(QuadEntry, high),
            offset_of!(QuadEntry, first_texel),
            offset_of!(QuadEntry, atlas_layer),
            offset_of!(QuadEntry, coarser),
            offset_of!(QuadEntry, current),
            offset_of!(QuadEntry, version),
            offset_of!(QuadEntry, padding),
            offset_of!(QuadEntry, padding) + 4,
            offset_of!(QuadEntry, padding) + 8,
        ];
        assert_eq!(offsets, ours);
        let (span, offsets) = layout(SHADER, "Uniforms");
        assert_eq!(span, size_of::<Uniforms>());
        let ours = [
            offset_of!(Uniforms, view),
            offset_of!(Uniforms, shown),
            offset_of!(Uniforms, is_colour),
            offset_of!(Uniforms, use_any),
            offset_of!(Uniforms, use_extra),
            offset_of!(Uniforms, padding),
        ];
        assert_eq!(offsets, ours);
    }

    #[test]
    fn shown_classes_are_bits() {
        let mut style = OverlayStyle {
            palette: vec![[9, 9, 9, 255]; 40],
            ..OverlayStyle::default()
        };
        style.palette[33][3] = 0;
        let bits = shown_bits(&style);
        assert_eq!(bits[..3], [u32::MAX, 0b1111_1101, 0]);
    }

    #[test]
    fn a_page_ends_with_its_raster() {
        // The raster's 1001 px of 4 slide px end at 500.5 px of the next level.
        let (part, low, high) = along(1, 1001, (4.0, 8.0), 2402.0);
        assert_eq!((part, low, high), (0.25, -44.0, 200.5));
    }
}
