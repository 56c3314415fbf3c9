//! What the passes have in common: quads of four vertices without vertex buffers, one bind group.

/// A pipeline of a shader whose entry points are `vertex_main` and `fragment_main`.
pub(super) struct QuadPipeline<'a> {
    pub label: &'a str,
    pub module: &'a wgpu::ShaderModule,
    pub layout: &'a wgpu::PipelineLayout,
    pub target: wgpu::ColorTargetState,
    /// Values of the shader's overrides.
    pub constants: &'a [(&'a str, f64)],
}

impl QuadPipeline<'_> {
    pub fn create(&self, device: &wgpu::Device) -> wgpu::RenderPipeline {
        let options = || wgpu::PipelineCompilationOptions {
            constants: self.constants,
            ..Default::default()
        };
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(self.label),
            layout: Some(self.layout),
            vertex: wgpu::VertexState {
                module: self.module,
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
                module: self.module,
                entry_point: Some("fragment_main"),
                compilation_options: options(),
                targets: &[Some(self.target.clone())],
            }),
            multiview_mask: None,
            cache: None,
        })
    }
}

/// The one bind group of a pass: bindings from 0 on, as its shader declares them.
pub(super) struct Bindings {
    label: &'static str,
    group: wgpu::BindGroupLayout,
    /// What pipelines of the pass are made with.
    pub pipeline_layout: wgpu::PipelineLayout,
}

impl Bindings {
    pub fn new<const N: usize>(
        device: &wgpu::Device,
        label: &'static str,
        types: [wgpu::BindingType; N],
    ) -> Self {
        let entries = types
            .into_iter()
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty,
                count: None,
            });
        let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries: &entries.collect::<Vec<_>>(),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&group)],
            immediate_size: 0,
        });
        Self {
            label,
            group,
            pipeline_layout,
        }
    }

    /// Binds resources, in the order of the bindings.
    pub fn bind<const N: usize>(
        &self,
        device: &wgpu::Device,
        resources: [wgpu::BindingResource<'_>; N],
    ) -> wgpu::BindGroup {
        let entries = resources
            .into_iter()
            .zip(0..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource });
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.label),
            layout: &self.group,
            entries: &entries.collect::<Vec<_>>(),
        })
    }
}

/// The type of a uniform buffer.
pub(super) const UNIFORMS: wgpu::BindingType = buffer(wgpu::BufferBindingType::Uniform);

/// The type of a storage buffer that is only read.
pub(super) const STORAGE: wgpu::BindingType =
    buffer(wgpu::BufferBindingType::Storage { read_only: true });

const fn buffer(ty: wgpu::BufferBindingType) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty,
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}

/// The type of a texture.
pub(super) const fn texture(
    sample_type: wgpu::TextureSampleType,
    view_dimension: wgpu::TextureViewDimension,
) -> wgpu::BindingType {
    wgpu::BindingType::Texture {
        sample_type,
        view_dimension,
        multisampled: false,
    }
}
