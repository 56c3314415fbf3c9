//! The overlay pass's pipelines: one for each set of things to draw, made when first needed. What
//! is not drawn is compiled away, which software drivers repay most.

use std::collections::HashMap;

use crate::gpu::quads::{Bindings, QuadPipeline, STORAGE, UNIFORMS, texture};

use super::pass::SHADER;
use super::style::{OverlayContent, OverlayStyle};

/// Outlines that reach further are looked for in two rings.
const ONE_RING_REACH_PX: f32 = 1.25;

/// What a pipeline draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Steps {
    content: OverlayContent,
    fill: bool,
    outline_rings: u8,
    hatch: bool,
    swipe: bool,
}

impl Steps {
    /// What `style` asks for, where something is provisional or nothing is.
    pub fn new(style: &OverlayStyle, has_provisional: bool) -> Self {
        let rings = |reach: f32| 1 + u8::from(reach > ONE_RING_REACH_PX);
        Self {
            content: style.content,
            fill: style.has_fill(),
            outline_rings: style.outline_reach_px().map_or(0, rings),
            hatch: style.mark_provisional && has_provisional,
            swipe: style.swipe.is_some(),
        }
    }
}

/// All pipelines of one device and target format.
pub(super) struct Pipelines {
    module: wgpu::ShaderModule,
    bindings: Bindings,
    format: wgpu::TextureFormat,
    made: HashMap<Steps, wgpu::RenderPipeline>,
}

impl Pipelines {
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("overlay.wgsl"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        // Bindings 0 to 4, as `shaders/overlay.wgsl` declares them.
        let atlas = texture(
            wgpu::TextureSampleType::Uint,
            wgpu::TextureViewDimension::D2Array,
        );
        let types = [UNIFORMS, STORAGE, STORAGE, STORAGE, atlas];
        Self {
            module,
            bindings: Bindings::new(device, "overlay", types),
            format,
            made: HashMap::new(),
        }
    }

    /// What the pass binds.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Makes the pipeline for `steps` if it is not there yet.
    pub fn make(&mut self, device: &wgpu::Device, steps: Steps) {
        if !self.made.contains_key(&steps) {
            let pipeline = self.create(device, steps);
            self.made.insert(steps, pipeline);
        }
    }

    /// A pipeline, where [`Self::make`] has made it.
    pub fn get(&self, steps: Steps) -> Option<&wgpu::RenderPipeline> {
        self.made.get(&steps)
    }

    fn create(&self, device: &wgpu::Device, steps: Steps) -> wgpu::RenderPipeline {
        let on = |step: bool| f64::from(u8::from(step));
        let constants = [
            ("content", f64::from(steps.content as u8)),
            ("with_fill", on(steps.fill)),
            ("outline_rings", f64::from(steps.outline_rings)),
            ("with_hatch", on(steps.hatch)),
            ("with_swipe", on(steps.swipe)),
            ("linear_target", on(self.format.is_srgb())),
        ];
        let target = wgpu::ColorTargetState {
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            ..self.format.into()
        };
        let pipeline = QuadPipeline {
            label: "overlay",
            module: &self.module,
            layout: &self.bindings.pipeline_layout,
            target,
            constants: &constants,
        };
        pipeline.create(device)
    }
}
