//! The overlay pass's pipelines: one for each set of things to draw, made when first needed. What
//! is not drawn is compiled away, which software drivers repay most.

use std::collections::HashMap;

use crate::gpu::quads::{Bindings, QuadPipeline, UNIFORMS, texture};

use super::pass::SHADER;
use super::style::{OverlayContent, OverlayStyle, VEIL_GREY, VEIL_SHARE};

/// What a pipeline draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Steps {
    content: u8,
    fill: bool,
    outline_px: u8,
    hatch: bool,
    swipe: bool,
    veil: bool,
}

impl Steps {
    /// What `style` asks for, where something is provisional or nothing is.
    pub fn new(style: &OverlayStyle, has_provisional: bool) -> Self {
        Self {
            content: match style.content {
                OverlayContent::Classes => 0,
                OverlayContent::Value | OverlayContent::Extra => 1,
                OverlayContent::Colours => 2,
            },
            fill: style.has_fill(),
            outline_px: style.whole_outline_px(),
            hatch: style.mark_provisional && has_provisional,
            swipe: style.swipe.is_some(),
            veil: style.has_veil(),
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
        // Bindings 0 and 1, as `shaders/overlay.wgsl` declares them.
        let map = texture(
            wgpu::TextureSampleType::Uint,
            wgpu::TextureViewDimension::D2,
        );
        Self {
            module,
            bindings: Bindings::new(device, "overlay", [UNIFORMS, map]),
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
            ("content", f64::from(steps.content)),
            ("with_fill", on(steps.fill)),
            ("outline_px", f64::from(steps.outline_px)),
            ("with_hatch", on(steps.hatch)),
            ("with_swipe", on(steps.swipe)),
            ("with_veil", on(steps.veil)),
            ("veil_grey", f64::from(VEIL_GREY) / 255.0),
            ("veil_share", VEIL_SHARE),
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
