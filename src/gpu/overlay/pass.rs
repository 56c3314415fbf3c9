//! The pass that draws overlays, and the buffers it keeps for each view.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::gpu::atlas::{AtlasKind, LayerAtlas, LayerPixels};
use crate::gpu::buffers::{GrowingBuffer, uniform_buffer};
use crate::labels::{PAGE_PX, Page, PageId};
use crate::tiles::queue::ViewSlot;

use super::input::{LayerKey, OverlayInput, OverlayLayer};
use super::pipelines::{Pipelines, Steps};
use super::scene::{DrawnLayers, OverlayScene, Uniforms};
use super::wanted::{WantedPage, drawn_pages, wanted_pages};

/// The shader, with the shared part that WGSL itself can't include.
pub const SHADER: &str = concat!(
    include_str!("../../../shaders/shared/view.wgsl"),
    include_str!("../../../shaders/overlay.wgsl"),
);

/// Longest that one frame may spend on copying pages towards the GPU: the window never waits.
const UPLOAD_BUDGET: Duration = Duration::from_micros(1000);

/// Pages in GPU memory: 8 MiB to begin with, at most 256 MiB, enough for two rasters in two views
/// on 4K screens.
const ATLAS: AtlasKind = AtlasKind {
    label: "overlay atlas",
    side_px: PAGE_PX,
    format: wgpu::TextureFormat::Rgba8Uint,
    first_layers: 32,
    most_layers: 1024,
};

/// Names a page among those of all rasters.
type PageKey = (LayerKey, PageId);

/// How complete an overlay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OverlayCoverage {
    /// Pages at hand that are not drawn yet, or not in their newest version.
    pub missing: usize,
    /// Whether they wait for the next frame's copy: repaint soon.
    pub more_to_upload: bool,
}

/// Draws overlays on one device: pipelines, the atlas of pages, and buffers for each view.
pub struct OverlayRenderer {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    atlas: LayerAtlas<PageKey>,
    views: HashMap<ViewSlot, ViewBuffers>,
}

struct ViewBuffers {
    uniforms: wgpu::Buffer,
    levels: GrowingBuffer,
    pages: GrowingBuffer,
    colours: GrowingBuffer,
    bind_group: wgpu::BindGroup,
    /// Layers of the atlas that is bound: another atlas has others.
    bound_layers: u32,
    /// What is drawn; `None` for nothing.
    steps: Option<Steps>,
}

impl OverlayRenderer {
    /// Compiles the pass for targets of `format`; pipelines are made when first needed.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let pipelines = Pipelines::new(&device, format);
        let atlas = LayerAtlas::new(&device, ATLAS);
        Self {
            device,
            queue,
            pipelines,
            atlas,
            views: HashMap::new(),
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

    /// The budget for a frame of a window.
    pub fn frame_budget() -> Option<Duration> {
        Some(UPLOAD_BUDGET)
    }

    /// Copies pages that are new, and builds what `paint` will draw for `slot`. `budget` limits the
    /// time spent on copying; `None` copies all.
    pub fn prepare(
        &mut self,
        slot: ViewSlot,
        input: &OverlayInput<'_>,
        budget: Option<Duration>,
    ) -> OverlayCoverage {
        let mut coverage = OverlayCoverage::default();
        let mut scene = None;
        if !input.is_empty() {
            let until = budget.map(|budget| Instant::now() + budget);
            let now = self.bring(input, input.layers, until, &mut coverage);
            let before = self.bring(input, input.swiped_layers(), until, &mut coverage);
            scene = OverlayScene::build(input, &now, &before);
        }
        match scene {
            Some(scene) => self.write_buffers(slot, input, &scene),
            None => self.clear(slot),
        }
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

    /// Copies the pages that layers need, and tells what they are drawn from.
    fn bring(
        &mut self,
        input: &OverlayInput<'_>,
        layers: &[OverlayLayer<'_>],
        until: Option<Instant>,
        coverage: &mut OverlayCoverage,
    ) -> DrawnLayers {
        let bring = |layer: &OverlayLayer<'_>| {
            let wanted = wanted_pages(layer, input);
            self.upload(layer.key, &wanted, until, coverage);
            let mut touch = |id: PageId| self.atlas.touch(&(layer.key, id));
            drawn_pages(layer, &wanted, &mut touch)
        };
        layers.iter().map(bring).collect()
    }

    fn upload(
        &mut self,
        layer: LayerKey,
        wanted: &[WantedPage],
        until: Option<Instant>,
        coverage: &mut OverlayCoverage,
    ) {
        for WantedPage { id, page, .. } in wanted {
            let key = (layer, *id);
            if self.atlas.version(&key) == Some(page.version()) {
                // Kept, whatever is copied after it.
                self.atlas.touch(&key);
                continue;
            }
            let late = until.is_some_and(|until| Instant::now() >= until);
            coverage.more_to_upload |= late;
            if late || !self.upload_page(key, page) {
                coverage.missing += 1;
            }
        }
    }

    /// Tells whether there was room.
    fn upload_page(&mut self, key: PageKey, page: &Page) -> bool {
        let pixels = LayerPixels {
            size_px: (PAGE_PX, PAGE_PX),
            bytes: bytemuck::cast_slice(page.texels()),
            version: page.version(),
        };
        let layer = self.atlas.upload(&self.device, &self.queue, key, &pixels);
        layer.is_some()
    }

    fn write_buffers(&mut self, slot: ViewSlot, input: &OverlayInput<'_>, scene: &OverlayScene) {
        let steps = Steps::new(input.style, scene.has_provisional);
        self.pipelines.make(&self.device, steps);
        let mut view = match self.views.remove(&slot) {
            Some(view) => view,
            None => self.create_buffers(),
        };
        let (device, queue) = (&self.device, &self.queue);
        queue.write_buffer(&view.uniforms, 0, bytemuck::bytes_of(&scene.uniforms));
        let levels = bytemuck::cast_slice(&scene.levels);
        let pages = bytemuck::cast_slice(&scene.pages);
        let colours = bytemuck::cast_slice(&scene.colours);
        let grown = [
            view.levels.write(device, queue, levels),
            view.pages.write(device, queue, pages),
            view.colours.write(device, queue, colours),
        ];
        if grown.contains(&true) || view.bound_layers != self.atlas.layers() {
            let storage = [&view.levels, &view.pages, &view.colours];
            view.bind_group = self.bind(&view.uniforms, storage);
            view.bound_layers = self.atlas.layers();
        }
        view.steps = Some(steps);
        self.views.insert(slot, view);
    }

    fn create_buffers(&self) -> ViewBuffers {
        let uniforms = uniform_buffer::<Uniforms>(&self.device, "overlay uniforms");
        let [levels, pages, colours] = ["overlay levels", "overlay pages", "overlay colours"]
            .map(|label| GrowingBuffer::new(&self.device, label));
        let bind_group = self.bind(&uniforms, [&levels, &pages, &colours]);
        ViewBuffers {
            uniforms,
            levels,
            pages,
            colours,
            bind_group,
            bound_layers: self.atlas.layers(),
            steps: None,
        }
    }

    fn bind(&self, uniforms: &wgpu::Buffer, storage: [&GrowingBuffer; 3]) -> wgpu::BindGroup {
        let [levels, pages, colours] = storage.map(GrowingBuffer::binding);
        let resources = [
            uniforms.as_entire_binding(),
            levels,
            pages,
            colours,
            wgpu::BindingResource::TextureView(self.atlas.view()),
        ];
        self.pipelines.bindings().bind(&self.device, resources)
    }
}
