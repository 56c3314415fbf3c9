//! The slide pass's pipelines: one for each way of sampling and set of colour steps, made when
//! first needed. A step that is not taken is compiled away, which software drivers repay most.

use std::collections::HashMap;

use super::DisplayAdjust;
use super::quads::{Bindings, QuadPipeline, STORAGE, UNIFORMS, texture};
use super::scene::Sampling;
use super::slide_pass::SHADER;

/// The colour steps that a pipeline takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ColourSteps {
    pub profile: bool,
    pub one_stain: bool,
    pub adjustment: bool,
}

impl ColourSteps {
    /// The steps that `display` asks for, on a slide with or without a profile.
    pub fn new(display: &DisplayAdjust, has_profile: bool) -> Self {
        let plain = DisplayAdjust::default();
        let same = |a: f32, b: f32| (a - b).abs() < 1e-6;
        Self {
            profile: has_profile && display.use_profile,
            one_stain: display.stain != plain.stain,
            adjustment: !(same(display.brightness, plain.brightness)
                && same(display.contrast, plain.contrast)
                && same(display.gamma, plain.gamma)),
        }
    }
}

/// All pipelines of one device and target format.
pub(super) struct Pipelines {
    module: wgpu::ShaderModule,
    bindings: Bindings,
    format: wgpu::TextureFormat,
    made: HashMap<(Sampling, ColourSteps), wgpu::RenderPipeline>,
}

impl Pipelines {
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("slide.wgsl"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        Self {
            module,
            bindings: create_bindings(device),
            format,
            made: HashMap::new(),
        }
    }

    /// What the pass binds.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Makes the pipelines for `steps` that are not there yet.
    pub fn make(&mut self, device: &wgpu::Device, steps: ColourSteps) {
        for sampling in [Sampling::Nothing, Sampling::Inside, Sampling::Border] {
            if !self.made.contains_key(&(sampling, steps)) {
                let pipeline = self.create(device, sampling, steps);
                self.made.insert((sampling, steps), pipeline);
            }
        }
    }

    /// A pipeline, where [`Self::make`] has made it.
    pub fn get(&self, sampling: Sampling, steps: ColourSteps) -> Option<&wgpu::RenderPipeline> {
        self.made.get(&(sampling, steps))
    }

    fn create(
        &self,
        device: &wgpu::Device,
        sampling: Sampling,
        steps: ColourSteps,
    ) -> wgpu::RenderPipeline {
        let on = |step: bool| f64::from(u8::from(step));
        let constants = [
            ("sampling", f64::from(sampling as u8)),
            ("with_profile", on(steps.profile)),
            ("with_one_stain", on(steps.one_stain)),
            ("with_adjustment", on(steps.adjustment)),
            ("linear_target", on(self.format.is_srgb())),
        ];
        let pipeline = QuadPipeline {
            label: "slide",
            module: &self.module,
            layout: &self.bindings.pipeline_layout,
            target: self.format.into(),
            constants: &constants,
        };
        pipeline.create(device)
    }
}

/// Bindings 0 to 6, as `shaders/slide.wgsl` declares them.
fn create_bindings(device: &wgpu::Device) -> Bindings {
    let smooth = wgpu::TextureSampleType::Float { filterable: true };
    let types = [
        UNIFORMS,
        STORAGE,
        STORAGE,
        STORAGE,
        texture(smooth, wgpu::TextureViewDimension::D2Array),
        wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
        texture(smooth, wgpu::TextureViewDimension::D3),
    ];
    Bindings::new(device, "slide", types)
}
