//! The slide pass's pipelines: one for each way of sampling and set of colour steps, made when
//! first needed. A step that is not taken is compiled away, which software drivers repay most.

use std::collections::HashMap;

use super::DisplayAdjust;
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
    bind_group_layout: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    format: wgpu::TextureFormat,
    made: HashMap<(Sampling, ColourSteps), wgpu::RenderPipeline>,
}

impl Pipelines {
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("slide.wgsl"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let bind_group_layout = create_bind_group_layout(device);
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("slide"),
            bind_group_layouts: &[Some(&bind_group_layout)],
            immediate_size: 0,
        });
        Self {
            module,
            bind_group_layout,
            layout,
            format,
            made: HashMap::new(),
        }
    }

    /// What every bind group of the pass looks like.
    pub fn bind_group_layout(&self) -> &wgpu::BindGroupLayout {
        &self.bind_group_layout
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
        let options = || wgpu::PipelineCompilationOptions {
            constants: &constants,
            ..Default::default()
        };
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("slide"),
            layout: Some(&self.layout),
            vertex: wgpu::VertexState {
                module: &self.module,
                entry_point: Some("vertex_main"),
                compilation_options: options(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..Default::default()
            },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &self.module,
                entry_point: Some("fragment_main"),
                compilation_options: options(),
                targets: &[Some(self.format.into())],
            }),
            multiview_mask: None,
            cache: None,
        })
    }
}

/// Bindings 0 to 6, as `shaders/slide.wgsl` declares them.
fn create_bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let buffer = |ty| wgpu::BindingType::Buffer {
        ty,
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let storage = buffer(wgpu::BufferBindingType::Storage { read_only: true });
    let texture = |view_dimension| wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension,
        multisampled: false,
    };
    let types = [
        buffer(wgpu::BufferBindingType::Uniform),
        storage,
        storage,
        storage,
        texture(wgpu::TextureViewDimension::D2Array),
        wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
        texture(wgpu::TextureViewDimension::D3),
    ];
    let entries = types
        .into_iter()
        .zip(0..)
        .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty,
            count: None,
        });
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("slide"),
        entries: &entries.collect::<Vec<_>>(),
    })
}
