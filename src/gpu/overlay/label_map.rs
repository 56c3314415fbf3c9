//! The pass that writes what labels say at each px of a view to a texture of the view's size. It is
//! drawn again only when view, pages or what is read of them change; opacity, colours and outlines
//! are made from the same map.

use crate::gpu::buffers::{GrowingBuffer, uniform_buffer};
use crate::gpu::quads::{Bindings, QuadPipeline, STORAGE, UNIFORMS, texture};

use super::scene::{LabelScene, Uniforms};

/// The shader, with the shared part that WGSL itself can't include.
pub const SHADER: &str = concat!(
    include_str!("../../../shaders/shared/view.wgsl"),
    include_str!("../../../shaders/labels.wgsl"),
);

/// Of texels, in the atlas and in the map.
pub(in crate::gpu) const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Uint;

/// The pipeline, for all views.
pub(super) struct LabelMapPass {
    device: wgpu::Device,
    queue: wgpu::Queue,
    bindings: Bindings,
    pipeline: wgpu::RenderPipeline,
}

/// The map of one view.
pub(super) struct LabelMap {
    /// The map, to be read.
    pub texture: wgpu::TextureView,
    uniforms: wgpu::Buffer,
    quads: GrowingBuffer,
    /// What was drawn last.
    scene: LabelScene,
}

impl LabelMapPass {
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("labels.wgsl"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        // Bindings 0 to 2, as `shaders/labels.wgsl` declares them.
        let atlas = texture(
            wgpu::TextureSampleType::Uint,
            wgpu::TextureViewDimension::D2Array,
        );
        let bindings = Bindings::new(&device, "labels", [UNIFORMS, STORAGE, atlas]);
        let pipeline = QuadPipeline {
            label: "labels",
            module: &module,
            layout: &bindings.pipeline_layout,
            target: FORMAT.into(),
            constants: &[],
        };
        Self {
            pipeline: pipeline.create(&device),
            bindings,
            device,
            queue,
        }
    }

    /// Draws the map of `scene`, into `old` where that still fits. Also tells whether it is another
    /// texture now.
    pub fn draw(
        &self,
        old: Option<LabelMap>,
        scene: LabelScene,
        atlas: &wgpu::TextureView,
    ) -> (LabelMap, bool) {
        let old = old.filter(|map| map.scene.size_px == scene.size_px);
        if let Some(map) = old {
            if map.scene == scene {
                return (map, false);
            }
            let map = LabelMap { scene, ..map };
            return (self.write(map, atlas), false);
        }
        let map = LabelMap {
            texture: self.create_texture(scene.size_px),
            uniforms: uniform_buffer::<Uniforms>(&self.device, "labels uniforms"),
            quads: GrowingBuffer::new(&self.device, "labels quads"),
            scene,
        };
        (self.write(map, atlas), true)
    }

    fn create_texture(&self, (width, height): (u32, u32)) -> wgpu::TextureView {
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("label map"),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        });
        texture.create_view(&wgpu::TextureViewDescriptor::default())
    }

    fn write(&self, mut map: LabelMap, atlas: &wgpu::TextureView) -> LabelMap {
        let (device, queue) = (&self.device, &self.queue);
        queue.write_buffer(&map.uniforms, 0, bytemuck::bytes_of(&map.scene.uniforms));
        map.quads
            .write(device, queue, bytemuck::cast_slice(&map.scene.quads));
        let resources = [
            map.uniforms.as_entire_binding(),
            map.quads.binding(),
            wgpu::BindingResource::TextureView(atlas),
        ];
        let bind_group = self.bindings.bind(device, resources);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("label map"),
        });
        self.encode(&mut encoder, &map, &bind_group);
        queue.submit([encoder.finish()]);
        map
    }

    fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        map: &LabelMap,
        bind_group: &wgpu::BindGroup,
    ) {
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("label map"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &map.texture,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        for draw in &map.scene.draws {
            if !draw.columns.is_empty() && !draw.quads.is_empty() {
                let (left, width) = (draw.columns.start, draw.columns.len() as u32);
                pass.set_scissor_rect(left, 0, width, map.scene.size_px.1);
                pass.draw(0..4, draw.quads.clone());
            }
        }
    }
}
