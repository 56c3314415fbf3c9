//! From a plan and the tiles at hand to what the shader draws. Pure but for the tile look-ups.
//!
//! Structures here mirror `shaders/slide.wgsl`: keep them in sync.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use crate::geometry::{ScreenPx, ScreenVector, SlidePoint, SlidePx, SlideRect, View};
use crate::slide::Rgba;
use crate::tiles::plan::{TileRange, keys, range_in_view, visible_keys};
use crate::tiles::{SlideId, TILE_PX, TileKey, TileLoader, TilePlan, TilePyramid, ViewLevel};

use super::colour::ColourUniform;

/// Where decoded tiles are looked up.
pub trait TileStore {
    /// A tile, if it is in memory now.
    fn tile(&self, key: &TileKey) -> Option<Arc<Rgba>>;
    /// Which of `keys` can't be read.
    fn unreadable(&self, keys: &[TileKey]) -> Vec<TileKey>;
}

impl TileStore for TileLoader {
    fn tile(&self, key: &TileKey) -> Option<Arc<Rgba>> {
        self.get(key)
    }

    fn unreadable(&self, keys: &[TileKey]) -> Vec<TileKey> {
        self.failed_among(keys)
    }
}

/// Everything one picture of one slide follows from.
pub struct SceneInput<'a> {
    /// Which slide.
    pub slide: SlideId,
    /// Its levels.
    pub pyramid: &'a TilePyramid,
    /// What is looked at.
    pub view: &'a View,
    /// The tiles that the view needs.
    pub plan: &'a TilePlan,
    /// Colour of glass that was not scanned.
    pub background_rgb: [u8; 3],
    /// Where decoded tiles are.
    pub store: &'a dyn TileStore,
    /// Display adjustments.
    pub display: &'a super::DisplayAdjust,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(super) struct ViewUniform {
    screen_from_local: [f32; 4],
    viewport_px: [f32; 2],
    layer_px: f32,
    padding: f32,
}

impl ViewUniform {
    /// `layer_px`: side of a layer of the atlas that the pass draws from.
    pub fn new(view: &View, layer_px: u32) -> Self {
        let m = view.screen_from_slide_linear();
        Self {
            screen_from_local: [m.m11 as f32, m.m12 as f32, m.m21 as f32, m.m22 as f32],
            viewport_px: [view.size.width as f32, view.size.height as f32],
            layer_px: layer_px as f32,
            padding: 0.0,
        }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Uniforms {
    view: ViewUniform,
    background: [f32; 4],
    colour: ColourUniform,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct LevelEntry {
    tile_px: [i32; 2],
    grid: [i32; 2],
    extent_px: [i32; 2],
    first_page: u32,
    taps: u32,
    texels_per_right: [f32; 2],
    texels_per_down: [f32; 2],
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct TileEntry {
    local: [f32; 4],
    texel: [f32; 4],
    stored_px: [i32; 2],
    cell: [i32; 2],
    level: u32,
    layer: u32,
    kind: u32,
    padding: u32,
}

const NO_LAYER: u32 = u32::MAX;
const KIND_PICTURE: u32 = 0;
const KIND_GLASS: u32 = 1;
const KIND_UNREADABLE: u32 = 2;

/// Levels finer than the target that may fill in while it is read, as after zooming out.
const FINER_FALLBACKS: u8 = 2;

/// Samples an axis at most: two per screen px serve every level the planner picks, the rest is
/// for the finer fallbacks.
const MOST_TAPS: f64 = 4.0;

/// What the pixels of a draw are made from. Mirrors `sampling` in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sampling {
    /// Plain rectangles: bare glass, unreadable tiles.
    Nothing = 0,
    /// Parts of tiles that need no neighbour: hardware interpolation.
    Inside = 1,
    /// Rims of tiles: interpolated across tile borders.
    Border = 2,
}

/// Instances drawn with one pipeline.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    pub sampling: Sampling,
    pub tiles: std::ops::Range<u32>,
}

/// What the shader draws for one view.
pub(super) struct Scene {
    pub uniforms: Uniforms,
    pub levels: Vec<LevelEntry>,
    pub pages: Vec<u32>,
    pub tiles: Vec<TileEntry>,
    /// Parts of `tiles` in the order in which they are drawn.
    pub draws: Vec<Draw>,
    /// Sharp tiles that are not drawn yet, and do not fail.
    pub missing: usize,
    /// Sharp tiles that can't be read.
    pub unreadable: usize,
    /// Share of the sharp tiles under which nothing at all is drawn.
    pub holes: usize,
}

impl Scene {
    /// Builds the scene; `layer_of` tells where a tile lies in the atlas and marks it as used.
    pub fn build(
        input: &SceneInput<'_>,
        profile_side: Option<u32>,
        layer_of: &mut dyn FnMut(&TileKey) -> Option<u32>,
    ) -> Self {
        let mut scene = Self {
            uniforms: uniforms(input, profile_side),
            levels: Vec::new(),
            pages: Vec::new(),
            tiles: Vec::new(),
            draws: Vec::new(),
            missing: 0,
            unreadable: 0,
            holes: 0,
        };
        let unreadable = input.store.unreadable(&input.plan.sharp);
        let waiting: Vec<TileKey> = input
            .plan
            .sharp
            .iter()
            .filter(|key| layer_of(key).is_none() && !unreadable.contains(key))
            .copied()
            .collect();
        scene.missing = waiting.len();
        scene.unreadable = unreadable.len();
        if scene.missing > 0 || !unreadable.is_empty() {
            scene.push_glass(input);
            let covered = scene.push_fallbacks(input, layer_of);
            scene.holes = waiting
                .iter()
                .filter(|key| !is_covered(input, &covered, key))
                .count();
        }
        scene.push_unreadable(input, &unreadable);
        scene.push_level(input, input.plan.target, layer_of);
        scene
    }

    /// Bare glass under the whole slide.
    fn push_glass(&mut self, input: &SceneInput<'_>) {
        if let Some(level) = input.pyramid.level(0) {
            self.push_plain(level.slide_extent(), input.view, KIND_GLASS);
        }
    }

    fn push_unreadable(&mut self, input: &SceneInput<'_>, keys: &[TileKey]) {
        for key in keys {
            if let Some(level) = input.pyramid.level(key.level) {
                self.push_plain(
                    level.slide_rect(key.col, key.row),
                    input.view,
                    KIND_UNREADABLE,
                );
            }
        }
    }

    fn push_plain(&mut self, rect: SlideRect, view: &View, kind: u32) {
        self.begin_draw(Sampling::Nothing);
        self.push(TileEntry {
            local: local_corners(rect, view.center),
            texel: [0.0; 4],
            stored_px: [1; 2],
            cell: [0; 2],
            level: 0,
            layer: NO_LAYER,
            kind,
            padding: 0,
        });
    }

    /// Begins a draw unless the present one will do.
    fn begin_draw(&mut self, sampling: Sampling) {
        let at = self.tiles.len() as u32;
        if self
            .draws
            .last()
            .is_none_or(|draw| draw.sampling != sampling)
        {
            self.draws.push(Draw {
                sampling,
                tiles: at..at,
            });
        }
    }

    /// Adds part `index` of a tile to the present draw, if it belongs there and is not empty.
    fn push_part(&mut self, (index, part): (usize, &TileEntry), sampling: Sampling) {
        let is_inside = index % 9 == 4;
        let is_empty = part.texel[0] >= part.texel[2] || part.texel[1] >= part.texel[3];
        if is_inside == (sampling == Sampling::Inside) && !is_empty {
            self.push(*part);
        }
    }

    fn push(&mut self, tile: TileEntry) {
        self.tiles.push(tile);
        if let Some(draw) = self.draws.last_mut() {
            draw.tiles.end += 1;
        }
    }

    /// Coarser levels from coarse to fine, then finer ones, wherever their tiles are at hand.
    /// Returns the tiles that are drawn.
    fn push_fallbacks(
        &mut self,
        input: &SceneInput<'_>,
        layer_of: &mut dyn FnMut(&TileKey) -> Option<u32>,
    ) -> Vec<TileKey> {
        let target = input.plan.target;
        let coarser = (target.saturating_add(1)..=input.pyramid.coarsest()).rev();
        let finer = target.saturating_sub(FINER_FALLBACKS)..target;
        let mut drawn = Vec::new();
        for level in coarser.chain(finer) {
            drawn.extend(self.push_level(input, level, layer_of));
        }
        drawn
    }

    /// Draws the tiles of one level that are at hand, and tells which.
    fn push_level(
        &mut self,
        input: &SceneInput<'_>,
        index: u8,
        layer_of: &mut dyn FnMut(&TileKey) -> Option<u32>,
    ) -> Vec<TileKey> {
        let Some(level) = input.pyramid.level(index) else {
            return Vec::new();
        };
        let Some(range) = range_in_view(level, index, input.view) else {
            return Vec::new();
        };
        let pages: Vec<u32> = keys(input.slide, range)
            .map(|key| layer_of(&key).unwrap_or(NO_LAYER))
            .collect();
        let drawn: Vec<(TileKey, u32)> =
            visible_keys(input.slide, input.pyramid, index, input.view)
                .into_iter()
                .filter_map(|key| layer_of(&key).map(|layer| (key, layer)))
                .collect();
        if drawn.is_empty() {
            return Vec::new();
        }
        let level_index = self.levels.len() as u32;
        self.levels.push(level_entry(
            level,
            range,
            self.pages.len() as u32,
            input.view,
        ));
        self.pages.extend(pages);
        let border_px = self.levels.last().map_or(1.0, LevelEntry::border_px);
        let whole = |(key, layer): &(TileKey, u32)| {
            tile_entry(level, range, key, *layer, level_index, input.view)
        };
        let parts: Vec<[TileEntry; 9]> = drawn
            .iter()
            .map(whole)
            .map(|tile| split(&tile, border_px))
            .collect();
        for sampling in [Sampling::Inside, Sampling::Border] {
            self.begin_draw(sampling);
            for part in parts.iter().flatten().enumerate() {
                self.push_part(part, sampling);
            }
        }
        drawn.into_iter().map(|(key, _)| key).collect()
    }
}

impl LevelEntry {
    /// How far from its edge a tile's picture may depend on its neighbours, texels: half of one
    /// screen px, and the texel that interpolation reaches.
    fn border_px(&self) -> f32 {
        let reach = |axis: usize| {
            (self.texels_per_right[axis].abs() + self.texels_per_down[axis].abs()) / 2.0
        };
        (reach(0).max(reach(1)) + 1.0).ceil()
    }
}

/// A tile cut three by three: the middle part, at index 4, needs no neighbour. All cuts are the
/// same for all tiles of a level, so parts meet at common corners and leave no cracks.
fn split(tile: &TileEntry, border_px: f32) -> [TileEntry; 9] {
    let cuts = |axis: usize| {
        let (local, texel) = (
            [tile.local[axis], tile.local[axis + 2]],
            [tile.texel[axis], tile.texel[axis + 2]],
        );
        let near = border_px.min(texel[1]);
        let far = (texel[1] - border_px).max(near);
        let per_texel = (local[1] - local[0]) / texel[1].max(f32::MIN_POSITIVE);
        let at = |cut: f32| local[0] + cut * per_texel;
        [
            (local[0], texel[0]),
            (at(near), near),
            (at(far), far),
            (local[1], texel[1]),
        ]
    };
    let (x, y) = (cuts(0), cuts(1));
    std::array::from_fn(|part| {
        let (col, row) = (part % 3, part / 3);
        TileEntry {
            local: [x[col].0, y[row].0, x[col + 1].0, y[row + 1].0],
            texel: [x[col].1, y[row].1, x[col + 1].1, y[row + 1].1],
            ..*tile
        }
    })
}

/// Whether the drawn fallback tiles of some one level cover all that `key` shows on screen.
fn is_covered(input: &SceneInput<'_>, drawn: &[TileKey], key: &TileKey) -> bool {
    let Some(level) = input.pyramid.level(key.level) else {
        return true;
    };
    let Some(rect) = level
        .slide_rect(key.col, key.row)
        .intersection(&input.view.bounding_rect())
    else {
        return true;
    };
    (0..=input.pyramid.coarsest()).any(|other| {
        let Some(info) = input.pyramid.level(other) else {
            return false;
        };
        let area: f64 = drawn
            .iter()
            .filter(|tile| tile.level == other)
            .filter_map(|tile| info.slide_rect(tile.col, tile.row).intersection(&rect))
            .map(|part| part.area())
            .sum();
        // What the coarser level does not reach is less than one of its pixels: no hole.
        let reachable = rect
            .intersection(&info.slide_extent())
            .map_or(0.0, |part| part.area());
        area >= reachable * (1.0 - 1e-9)
    })
}

/// Opposite corners of a rectangle, local px.
pub(super) fn local_corners(rect: SlideRect, center: SlidePoint) -> [f32; 4] {
    let (min, max) = (rect.min - center, rect.max - center);
    [min.x as f32, min.y as f32, max.x as f32, max.y as f32]
}

fn uniforms(input: &SceneInput<'_>, profile_side: Option<u32>) -> Uniforms {
    let [r, g, b] = input.background_rgb.map(|v| f32::from(v) / 255.0);
    Uniforms {
        view: ViewUniform::new(input.view, TILE_PX),
        background: [r, g, b, 1.0],
        colour: ColourUniform::new(input.display, profile_side),
    }
}

fn level_entry(level: &ViewLevel, range: TileRange, first_page: u32, view: &View) -> LevelEntry {
    let from_screen: euclid::Transform2D<f64, ScreenPx, SlidePx> = view
        .screen_from_slide_linear()
        .inverse()
        .unwrap_or_default();
    let texels = |by: ScreenVector| {
        let slide = from_screen.transform_vector(by);
        [slide.x / level.scale.0, slide.y / level.scale.1]
    };
    let (right, down) = (
        texels(ScreenVector::new(1.0, 0.0)),
        texels(ScreenVector::new(0.0, 1.0)),
    );
    let length = |v: [f64; 2]| (v[0] * v[0] + v[1] * v[1]).sqrt();
    // One texel a screen px needs one sample; the slack keeps native scale exact.
    let taps = (length(right).max(length(down)) - 0.02)
        .ceil()
        .clamp(1.0, MOST_TAPS);
    let rest = |size: u64, first: u32, tile: u32| {
        (size as i64 - i64::from(first) * i64::from(tile)).clamp(0, i64::from(i32::MAX)) as i32
    };
    LevelEntry {
        tile_px: [level.tile_px.0 as i32, level.tile_px.1 as i32],
        grid: [range.cols as i32, range.rows as i32],
        extent_px: [
            rest(level.size_px.0, range.col, level.tile_px.0),
            rest(level.size_px.1, range.row, level.tile_px.1),
        ],
        first_page,
        taps: taps as u32,
        texels_per_right: right.map(|v| v as f32),
        texels_per_down: down.map(|v| v as f32),
    }
}

fn tile_entry(
    level: &ViewLevel,
    range: TileRange,
    key: &TileKey,
    layer: u32,
    level_index: u32,
    view: &View,
) -> TileEntry {
    let rect = level.slide_rect(key.col, key.row);
    let region = level.region(key.col, key.row);
    TileEntry {
        local: local_corners(rect, view.center),
        texel: [
            0.0,
            0.0,
            (rect.width() / level.scale.0) as f32,
            (rect.height() / level.scale.1) as f32,
        ],
        stored_px: [region.width as i32, region.height as i32],
        cell: [(key.col - range.col) as i32, (key.row - range.row) as i32],
        level: level_index,
        layer,
        kind: KIND_PICTURE,
        padding: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::super::layout_tests::layout;
    use super::super::slide_pass::SHADER;
    use super::*;

    #[test]
    fn structures_lie_in_memory_as_the_shader_reads_them() {
        let (span, offsets) = layout(SHADER, "Tile");
        assert_eq!(span, size_of::<TileEntry>());
        let ours = [
            offset_of!(TileEntry, local),
            offset_of!(TileEntry, texel),
            offset_of!(TileEntry, stored_px),
            offset_of!(TileEntry, cell),
            offset_of!(TileEntry, level),
            offset_of!(TileEntry, layer),
            offset_of!(TileEntry, kind),
        ];
        assert_eq!(offsets[..ours.len()], ours);
        let (span, offsets) = layout(SHADER, "Level");
        assert_eq!(span, size_of::<LevelEntry>());
        let ours = [
            offset_of!(LevelEntry, tile_px),
            offset_of!(LevelEntry, grid),
            offset_of!(LevelEntry, extent_px),
            offset_of!(LevelEntry, first_page),
            offset_of!(LevelEntry, taps),
            offset_of!(LevelEntry, texels_per_right),
            offset_of!(LevelEntry, texels_per_down),
        ];
        assert_eq!(offsets, ours);
        let (span, offsets) = layout(SHADER, "Uniforms");
        assert_eq!(span, size_of::<Uniforms>());
        let ours = [
            offset_of!(Uniforms, view),
            offset_of!(Uniforms, background),
            offset_of!(Uniforms, colour),
        ];
        assert_eq!(offsets, ours);
        assert_eq!(layout(SHADER, "View").0, size_of::<ViewUniform>());
        assert_eq!(layout(SHADER, "Colour").0, size_of::<ColourUniform>());
    }
}
