//! The pass that draws overlays, and what it keeps for each view.

use std::collections::HashMap;

use crate::geometry::SlideRect;
use crate::gpu::UploadBudget;
use crate::gpu::atlas::{AtlasKind, LayerAtlas, LayerPixels};
use crate::gpu::buffers::uniform_buffer;
use crate::gpu::device::WindowDevice;
use crate::gpu::paint_tiles::PageTexture;
use crate::labels::{PAGE_PX, PageId};
use crate::tiles::queue::ViewSlot;

use super::input::{LayerKey, OverlayInput, OverlayLayer};
use super::label_map::{FORMAT, LabelMap, LabelMapPass};
use super::look::Uniforms;
use super::parts::{
    DrawnPart, HeldPage, WantedPart, drawn_parts, is_covered, page_rect, wanted_parts,
};
use super::pipelines::{Pipelines, Steps};
use super::scene::{DrawnLayers, LabelScene};
use super::style::OverlayContent;

/// The shader, with the shared part that WGSL itself can't include.
pub const SHADER: &str = concat!(
    include_str!("../../../shaders/shared/view.wgsl"),
    include_str!("../../../shaders/overlay.wgsl"),
);

/// Pages in GPU memory: 8 MiB to begin with, at most 256 MiB, enough for two rasters in two views
/// on 4K screens.
const ATLAS: AtlasKind = AtlasKind {
    label: "overlay atlas",
    side_px: PAGE_PX,
    format: FORMAT,
    first_layers: 32,
    most_layers: 1024,
};

/// Names a page among those of all rasters.
type PageKey = (LayerKey, PageId);

/// What is remembered of a page in the atlas.
#[derive(Debug, Clone, Copy)]
struct PageTag {
    version: u64,
    /// Whether all of its px are known as classes, and as colours.
    is_full: [bool; 2],
}

/// How complete an overlay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OverlayCoverage {
    /// Parts whose page is at hand but not drawn yet, or not in its newest version.
    pub missing: usize,
    /// Whether they wait for the next frame's copy: repaint soon.
    pub more_to_upload: bool,
}

/// Draws overlays on one device: pipelines, the atlas of pages, and a label map for each view.
pub struct OverlayRenderer {
    home: WindowDevice,
    label_maps: LabelMapPass,
    pipelines: Pipelines,
    atlas: LayerAtlas<PageKey, PageTag>,
    views: HashMap<ViewSlot, ViewState>,
}

struct ViewState {
    map: LabelMap,
    uniforms: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
    /// What is drawn; `None` for nothing.
    steps: Option<Steps>,
}

impl OverlayRenderer {
    /// Compiles the passes for targets of `format`; pipelines for all but the usual styles are made
    /// when first needed.
    pub fn new(home: WindowDevice, format: wgpu::TextureFormat) -> Self {
        let WindowDevice { device, queue, .. } = &home;
        Self {
            label_maps: LabelMapPass::new(device.clone(), queue.clone()),
            pipelines: Pipelines::new(device, format),
            atlas: LayerAtlas::new(device, ATLAS),
            views: HashMap::new(),
            home,
        }
    }

    /// Drops the pages of a raster.
    pub fn remove_layer(&mut self, layer: LayerKey) {
        self.atlas.remove_where(|(key, _)| *key == layer);
    }

    /// Begins a frame; call once before the views of the frame are prepared.
    pub fn begin_frame(&mut self) {
        self.atlas.begin_frame();
    }

    /// Copies pages that are new, draws the view's label map if it changed, and makes ready what
    /// `paint` will draw for `slot`. Copies take from `budget`, and end with it.
    pub fn prepare(
        &mut self,
        slot: ViewSlot,
        input: &OverlayInput<'_>,
        budget: &mut UploadBudget,
    ) -> OverlayCoverage {
        let mut coverage = OverlayCoverage::default();
        let look = (!input.is_empty()).then(|| Uniforms::new(input)).flatten();
        let Some(look) = look else {
            self.clear(slot);
            return coverage;
        };
        let now = self.bring(input, input.layers, budget, &mut coverage);
        let before = self.bring(input, input.swiped_layers(), budget, &mut coverage);
        let scene = LabelScene::build(input, &now, &before);
        self.update(slot, input, &look, scene);
        coverage
    }

    /// Draws nothing for `slot` until it is prepared again.
    pub fn clear(&mut self, slot: ViewSlot) {
        if let Some(view) = self.views.get_mut(&slot) {
            view.steps = None;
        }
    }

    /// Draws what was prepared for `slot` into the pass's present viewport, over what is there.
    pub fn paint(&self, slot: ViewSlot, pass: &mut wgpu::RenderPass<'_>) {
        let Some(view) = self.views.get(&slot) else {
            return;
        };
        if let Some(pipeline) = view.steps.and_then(|steps| self.pipelines.get(steps)) {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &view.bind_group, &[]);
            pass.draw(0..4, 0..1);
        }
    }

    /// Copies the pages that layers need, and tells what they are drawn from. What is hidden under
    /// finer layers is left out.
    fn bring(
        &mut self,
        input: &OverlayInput<'_>,
        layers: &[OverlayLayer<'_>],
        budget: &mut UploadBudget,
        coverage: &mut OverlayCoverage,
    ) -> DrawnLayers {
        let mut opaque: Vec<Vec<SlideRect>> = Vec::new();
        let mut drawn = DrawnLayers::new();
        for layer in layers {
            let rect = |id: PageId| page_rect(&layer.raster, id);
            let hidden = |id: PageId| {
                let covers = |rects: &Vec<SlideRect>| is_covered(rect(id), input.view, rects);
                opaque.iter().any(covers)
            };
            let mut wanted = wanted_parts(layer, input);
            wanted.retain(|part| !hidden(part.area));
            let parts = self.bring_layer(layer, &wanted, input.style.content, budget, coverage);
            let full = parts.iter().filter(|part| part.held.is_full);
            opaque.push(full.map(|part| rect(part.area)).collect());
            drawn.push(parts);
        }
        drawn
    }

    fn bring_layer(
        &mut self,
        layer: &OverlayLayer<'_>,
        wanted: &[WantedPart],
        content: OverlayContent,
        budget: &mut UploadBudget,
        coverage: &mut OverlayCoverage,
    ) -> Vec<DrawnPart> {
        for part in wanted {
            if !self.is_held(layer.key, part) {
                let late = budget.is_spent();
                coverage.more_to_upload |= late;
                if late || !budget.spend(|| self.upload(layer.key, part)) {
                    coverage.missing += 1;
                }
            }
        }
        let mut held = |id: PageId| {
            let key = (layer.key, id);
            let (atlas_layer, tag) = (self.atlas.touch(&key)?, self.atlas.tag(&key)?);
            Some(HeldPage {
                atlas_layer,
                version: tag.version,
                is_full: tag.is_full[usize::from(content == OverlayContent::Colours)],
            })
        };
        let drawn = wanted.iter();
        drawn
            .flat_map(|part| drawn_parts(layer, part, &mut held))
            .collect()
    }

    /// Whether a part's page lies in the atlas in its newest version; if so it is kept, whatever is
    /// copied after it.
    fn is_held(&mut self, layer: LayerKey, part: &WantedPart) -> bool {
        let key = (layer, part.source);
        let held = self.atlas.tag(&key);
        let is_held = held.is_some_and(|tag| tag.version == part.page.version());
        is_held && self.atlas.touch(&key).is_some()
    }

    /// Tells whether there was room.
    fn upload(&mut self, layer: LayerKey, part: &WantedPart) -> bool {
        let texels = part.page.texels();
        let contents = [OverlayContent::Classes, OverlayContent::Colours];
        let tag = PageTag {
            version: part.page.version(),
            is_full: contents.map(|content| texels.iter().all(|t| content.is_known(*t))),
        };
        let (device, queue) = (&self.home.device, &self.home.queue);
        let key = (layer, part.source);
        if let Some(page) = PageTexture::of(&part.page, &self.home) {
            return self.atlas.copy(device, queue, key, page, tag).is_some();
        }
        let pixels = LayerPixels {
            size_px: (PAGE_PX, PAGE_PX),
            bytes: bytemuck::cast_slice(texels),
            tag,
        };
        self.atlas.upload(device, queue, key, &pixels).is_some()
    }

    fn update(
        &mut self,
        slot: ViewSlot,
        input: &OverlayInput<'_>,
        look: &Uniforms,
        scene: LabelScene,
    ) {
        let steps = Steps::new(input.style, scene.has_provisional);
        self.pipelines.make(&self.home.device, steps);
        let (old_map, old) = match self.views.remove(&slot) {
            Some(view) => (Some(view.map), Some((view.uniforms, view.bind_group))),
            None => (None, None),
        };
        let (map, is_new) = self.label_maps.draw(old_map, scene, self.atlas.view());
        let (uniforms, bind_group) = match old {
            Some((uniforms, bind_group)) if !is_new => (uniforms, bind_group),
            _ => self.bind(&map),
        };
        self.home
            .queue
            .write_buffer(&uniforms, 0, bytemuck::bytes_of(look));
        let view = ViewState {
            map,
            uniforms,
            bind_group,
            steps: Some(steps),
        };
        self.views.insert(slot, view);
    }

    /// A buffer for the uniforms, bound together with a label map.
    fn bind(&self, map: &LabelMap) -> (wgpu::Buffer, wgpu::BindGroup) {
        let uniforms = uniform_buffer::<Uniforms>(&self.home.device, "overlay uniforms");
        let resources = [
            uniforms.as_entire_binding(),
            wgpu::BindingResource::TextureView(&map.texture),
        ];
        let bind_group = self.pipelines.bindings().bind(&self.home.device, resources);
        (uniforms, bind_group)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::input::PageStore;
    use super::super::style::OverlayStyle;
    use super::*;
    use crate::geometry::{ScreenSize, SlidePoint, View};
    use crate::gpu::device::Headless;
    use crate::gpu::paint_tiles::TilePainter;
    use crate::gpu::read_back::read_texture;
    use crate::labels::{Page, Raster, Texel};

    /// Pages of one class, all the same one.
    struct Plain(Arc<Page>);

    impl Plain {
        fn new(code: u8) -> Self {
            let mut page = Page::new(1);
            page.texels_mut().fill(Texel::of(code));
            Self(Arc::new(page))
        }
    }

    impl PageStore for Plain {
        fn page(&self, _id: PageId) -> Option<(Arc<Page>, u64)> {
            Some((Arc::clone(&self.0), u64::MAX))
        }
    }

    fn view() -> View {
        View {
            center: SlidePoint::new(1024.0, 1024.0),
            slide_px_per_screen_px: 1.0,
            rotation_rad: 0.0,
            mirrored: false,
            pixel_aspect: 1.0,
            size: ScreenSize::new(400.0, 300.0),
        }
    }

    fn layer(key: u64, pages: &dyn PageStore) -> OverlayLayer<'_> {
        OverlayLayer {
            key: LayerKey(key),
            raster: Raster {
                slide_px_per_px: (1.0, 1.0),
                size_px: (2048, 2048),
            },
            pages,
            is_provisional: false,
        }
    }

    #[test]
    fn copying_ends_with_the_budget_and_goes_on_with_the_next_frame() {
        let gpu = Headless::open().unwrap();
        let mut renderer = OverlayRenderer::new(gpu.shared(), wgpu::TextureFormat::Rgba8Unorm);
        let (known, unknown) = (Plain::new(1), Plain::new(crate::labels::UNKNOWN));
        let (none, all) = (UploadBudget::of(Duration::ZERO), UploadBudget::unlimited());
        let mut prepare = |slot: u8, layers: &[OverlayLayer<'_>], mut budget: UploadBudget| {
            let input = OverlayInput {
                view: &view(),
                layers,
                before_layers: &[],
                style: &OverlayStyle::default(),
            };
            renderer.begin_frame();
            let coverage = renderer.prepare(ViewSlot(slot), &input, &mut budget);
            (coverage.missing, coverage.more_to_upload)
        };
        let layers = [layer(1, &known), layer(2, &known)];
        assert_eq!(prepare(0, &layers, none), (8, true));
        assert_eq!(prepare(0, &layers[..1], all), (0, false));
        assert_eq!(
            prepare(1, &layers[..1], none),
            (0, false),
            "another view has them"
        );
        assert_eq!(
            prepare(0, &layers, none),
            (0, false),
            "the second layer is hidden"
        );
        let layers = [layer(3, &unknown), layer(2, &known)];
        assert_eq!(
            prepare(0, &layers, none),
            (8, true),
            "what is unknown hides nothing"
        );
        let layers = [layer(1, &unknown)];
        assert_eq!(prepare(0, &layers, none), (4, true), "other versions");
    }

    #[test]
    fn pages_on_the_card_are_drawn_before_their_px_are_in_memory() {
        let gpu = Headless::open().unwrap();
        let shared = gpu.shared();
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let mut renderer = OverlayRenderer::new(gpu.shared(), format);
        let painter = TilePainter::<()>::new(&shared, 2).unwrap();
        // What is painted is class 1; in memory nothing is known.
        let mut painted = Plain::new(1);
        let page = Arc::get_mut(&mut painted.0).unwrap();
        painter.texture_of(page).unwrap();
        page.fill(vec![Texel::UNKNOWN; (PAGE_PX * PAGE_PX) as usize]);
        let style = OverlayStyle {
            palette: vec![[9, 9, 9, 255], [200, 100, 0, 255]],
            ..OverlayStyle::default()
        };
        let view = View {
            size: ScreenSize::new(128.0, 64.0),
            ..view()
        };
        let layers = [layer(1, &painted)];
        let input = OverlayInput {
            view: &view,
            layers: &layers,
            before_layers: &[],
            style: &style,
        };
        renderer.begin_frame();
        let coverage = renderer.prepare(ViewSlot(0), &input, &mut UploadBudget::unlimited());
        assert_eq!(coverage, OverlayCoverage::default());
        let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d {
                width: 128,
                height: 64,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target.create_view(&Default::default()),
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations::default(),
                })],
                ..Default::default()
            });
            renderer.paint(ViewSlot(0), &mut pass);
        }
        gpu.queue.submit([encoder.finish()]);
        let px = read_texture(&gpu.device, &gpu.queue, &target);
        let is_class = |px: &[u8]| px[3] > 0 && px[0] > px[1] && px[1] > px[2];
        assert!(px.chunks_exact(4).all(is_class), "{:?}", &px[..8]);
    }
}
