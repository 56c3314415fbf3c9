//! The pass that draws a slide's tiles, and the buffers it keeps for each view.

use std::collections::HashMap;

use crate::tiles::queue::ViewSlot;
use crate::tiles::{SlideId, TILE_PX, TileKey};

use super::atlas::{AtlasKind, LayerAtlas, LayerPixels};
use super::buffers::{GrowingBuffer, uniform_buffer};
use super::colour::{ColourTable, TABLE_SIDE};
use super::pipelines::{ColourSteps, Pipelines};
use super::scene::{Draw, Scene, SceneInput, Uniforms};
use super::{DisplayAdjust, UploadBudget};

/// The shader, with the shared parts that WGSL itself can't include.
pub const SHADER: &str = concat!(
    include_str!("../../shaders/shared/view.wgsl"),
    include_str!("../../shaders/shared/colour.wgsl"),
    include_str!("../../shaders/slide.wgsl"),
);

/// Tiles in GPU memory: 64 MiB to begin with, at most 512 MiB, enough for two views on two 4K screens.
const ATLAS: AtlasKind = AtlasKind {
    label: "tile atlas",
    side_px: TILE_PX,
    // Not the sRGB format: slides are averaged and interpolated in their stored encoding, as
    // every scanner's own pyramid and every peer does.
    format: wgpu::TextureFormat::Rgba8Unorm,
    first_layers: 64,
    most_layers: 512,
};

/// How complete the picture is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Sharp tiles that are not drawn yet.
    pub missing: usize,
    /// Sharp tiles that can't be read, and are drawn striped.
    pub unreadable: usize,
    /// Of those that are missing, the ones under which nothing coarser is drawn either.
    pub holes: usize,
    /// Whether decoded tiles wait for the next frame's copy: repaint soon.
    pub more_to_upload: bool,
}

/// Draws slides on one device: the pipeline, the tile atlas, and buffers for each view.
pub struct SlideRenderer {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Pipelines,
    sampler: wgpu::Sampler,
    atlas: LayerAtlas<TileKey>,
    no_profile: wgpu::TextureView,
    profiles: HashMap<SlideId, wgpu::TextureView>,
    views: HashMap<ViewSlot, ViewBuffers>,
}

struct ViewBuffers {
    uniforms: wgpu::Buffer,
    levels: GrowingBuffer,
    pages: GrowingBuffer,
    tiles: GrowingBuffer,
    bind_group: wgpu::BindGroup,
    bound_to: (u32, SlideId, bool),
    draws: Vec<Draw>,
    steps: ColourSteps,
}

impl SlideRenderer {
    /// Compiles the pass for targets of `format`.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let mut pipelines = Pipelines::new(&device, format);
        // The usual ones now, so that the first slide does not wait for them.
        for has_profile in [false, true] {
            pipelines.make(
                &device,
                ColourSteps::new(&DisplayAdjust::default(), has_profile),
            );
        }
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("slide"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let no_profile = create_table(&device, &queue, 2, &ColourTable::smallest());
        let atlas = LayerAtlas::new(&device, ATLAS);
        Self {
            device,
            queue,
            pipelines,
            sampler,
            atlas,
            no_profile,
            profiles: HashMap::new(),
            views: HashMap::new(),
        }
    }

    /// Gives a slide its colour-profile table.
    pub fn set_profile(&mut self, slide: SlideId, table: &ColourTable) {
        let view = create_table(&self.device, &self.queue, TABLE_SIDE, &table.rgba);
        self.profiles.insert(slide, view);
        // Bind groups that hold the former table are rebuilt.
        self.views.retain(|_, buffers| buffers.bound_to.1 != slide);
    }

    /// Drops all that is held for a slide.
    pub fn remove_slide(&mut self, slide: SlideId) {
        self.atlas.remove_where(|key| key.slide == slide);
        self.profiles.remove(&slide);
    }

    /// Begins a frame; call once before the views of the frame are prepared.
    pub fn begin_frame(&mut self) {
        self.atlas.begin_frame();
    }

    /// Copies tiles that have come, and builds what `paint` will draw for `slot`.
    /// Copies take from `budget`, and end with it.
    pub fn prepare(
        &mut self,
        slot: ViewSlot,
        input: &SceneInput<'_>,
        budget: &mut UploadBudget,
    ) -> Coverage {
        let more_to_upload = self.upload(input, budget);
        let profile_side = self
            .profiles
            .contains_key(&input.slide)
            .then_some(TABLE_SIDE);
        let atlas = &mut self.atlas;
        let scene = Scene::build(input, profile_side, &mut |key| atlas.touch(key));
        let steps = ColourSteps::new(input.display, profile_side.is_some());
        self.pipelines.make(&self.device, steps);
        self.write_buffers(slot, input.slide, steps, &scene);
        Coverage {
            missing: scene.missing,
            unreadable: scene.unreadable,
            holes: scene.holes,
            more_to_upload,
        }
    }

    /// Draws what was prepared for `slot` into the pass's present viewport.
    pub fn paint(&self, slot: ViewSlot, pass: &mut wgpu::RenderPass<'_>) {
        let Some(view) = self.views.get(&slot) else {
            return;
        };
        pass.set_bind_group(0, &view.bind_group, &[]);
        for draw in &view.draws {
            if let Some(pipeline) = self.pipelines.get(draw.sampling, view.steps) {
                pass.set_pipeline(pipeline);
                pass.draw(0..4, draw.tiles.clone());
            }
        }
    }

    fn upload(&mut self, input: &SceneInput<'_>, budget: &mut UploadBudget) -> bool {
        for key in &input.plan.wanted {
            if self.atlas.touch(key).is_some() {
                continue;
            }
            let Some(tile) = input.store.tile(key) else {
                continue;
            };
            if budget.is_spent() {
                return true;
            }
            let pixels = LayerPixels {
                size_px: (tile.width, tile.height),
                bytes: &tile.data,
                tag: (),
            };
            let (device, queue) = (&self.device, &self.queue);
            let copied = budget.spend(|| self.atlas.upload(device, queue, *key, &pixels));
            if copied.is_none() {
                return false;
            }
        }
        false
    }

    fn write_buffers(&mut self, slot: ViewSlot, slide: SlideId, steps: ColourSteps, scene: &Scene) {
        let bound_to = (
            self.atlas.layers(),
            slide,
            self.profiles.contains_key(&slide),
        );
        let mut buffers = match self.views.remove(&slot) {
            Some(buffers) => buffers,
            None => self.create_buffers(bound_to, steps),
        };
        let (device, queue) = (&self.device, &self.queue);
        queue.write_buffer(&buffers.uniforms, 0, bytemuck::bytes_of(&scene.uniforms));
        let grown = [
            buffers
                .levels
                .write(device, queue, bytemuck::cast_slice(&scene.levels)),
            buffers
                .pages
                .write(device, queue, bytemuck::cast_slice(&scene.pages)),
            buffers
                .tiles
                .write(device, queue, bytemuck::cast_slice(&scene.tiles)),
        ];
        if grown.contains(&true) || buffers.bound_to != bound_to {
            buffers.bind_group = self.bind(
                slide,
                &buffers.uniforms,
                [&buffers.levels, &buffers.pages, &buffers.tiles],
            );
            buffers.bound_to = bound_to;
        }
        buffers.draws.clone_from(&scene.draws);
        buffers.steps = steps;
        self.views.insert(slot, buffers);
    }

    fn create_buffers(&self, bound_to: (u32, SlideId, bool), steps: ColourSteps) -> ViewBuffers {
        let uniforms = uniform_buffer::<Uniforms>(&self.device, "slide uniforms");
        let [levels, pages, tiles] =
            ["levels", "pages", "tiles"].map(|label| GrowingBuffer::new(&self.device, label));
        let bind_group = self.bind(bound_to.1, &uniforms, [&levels, &pages, &tiles]);
        ViewBuffers {
            uniforms,
            levels,
            pages,
            tiles,
            bind_group,
            bound_to,
            draws: Vec::new(),
            steps,
        }
    }

    fn bind(
        &self,
        slide: SlideId,
        uniforms: &wgpu::Buffer,
        storage: [&GrowingBuffer; 3],
    ) -> wgpu::BindGroup {
        let [levels, pages, tiles] = storage.map(GrowingBuffer::binding);
        let profile = self.profiles.get(&slide).unwrap_or(&self.no_profile);
        let resources = [
            uniforms.as_entire_binding(),
            levels,
            pages,
            tiles,
            wgpu::BindingResource::TextureView(self.atlas.view()),
            wgpu::BindingResource::Sampler(&self.sampler),
            wgpu::BindingResource::TextureView(profile),
        ];
        self.pipelines.bindings().bind(&self.device, resources)
    }
}

fn create_table(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    side: u32,
    rgba: &[u8],
) -> wgpu::TextureView {
    use wgpu::util::{DeviceExt as _, TextureDataOrder};
    let descriptor = wgpu::TextureDescriptor {
        label: Some("colour profile"),
        size: wgpu::Extent3d {
            width: side,
            height: side,
            depth_or_array_layers: side,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    let texture =
        device.create_texture_with_data(queue, &descriptor, TextureDataOrder::LayerMajor, rgba);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
