//! The passes that paint pages from scores and make the coarser pages from them.

use std::sync::Arc;

use super::arrivals::{Arrivals, Read};
use super::page_texture::PageTexture;
use super::scene::{Entries, PagePaint, PaintRules, ReduceUniform, Reduction, RulesUniform};
use super::{Arrived, PaintError, ScoreStore, checked};
use crate::gpu::device::WindowDevice;
use crate::labels::{PAGE_PX, Page, Ranks};

/// The shader that paints, as for models of eight classes.
pub const PAINT_SHADER: &str = concat!(
    "const CLASSES: u32 = 8u;\n",
    include_str!("../../../shaders/paint_tiles.wgsl")
);

/// The shader that makes coarser pages.
pub const REDUCE_SHADER: &str = include_str!("../../../shaders/reduce_page.wgsl");

/// Side of a workgroup of both shaders, px.
const GROUP_PX: u32 = 8;

/// Paints pages of label maps from the scores of tiles, on one device. Pages are told apart by `K`.
pub struct TilePainter<K> {
    home: WindowDevice,
    paint: wgpu::ComputePipeline,
    reduce: wgpu::ComputePipeline,
    arrivals: Arrivals<K>,
}

impl<K> TilePainter<K> {
    /// Compiles the passes for scores of `classes` classes.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn new(window: &WindowDevice, classes: usize) -> Result<Self, PaintError> {
        let device = &window.device;
        let text = include_str!("../../../shaders/paint_tiles.wgsl");
        let text = format!("const CLASSES: u32 = {classes}u;\n{text}");
        let (paint, reduce) = checked(device, || {
            let paint = pipeline(device, "paint_tiles.wgsl", &text);
            (paint, pipeline(device, "reduce_page.wgsl", REDUCE_SHADER))
        })?;
        Ok(Self {
            arrivals: Arrivals::new(device.clone()),
            home: window.clone(),
            paint,
            reduce,
        })
    }

    /// Where a page is drawn from: on the graphics card from here on.
    ///
    /// # Errors
    /// When the device has no memory left.
    pub fn texture_of(&self, page: &mut Page) -> Result<Arc<PageTexture>, PaintError> {
        if let Some(held) = PageTexture::held_by(page, &self.home) {
            return Ok(held);
        }
        let create = || PageTexture::new(&self.home, page.texels());
        let texture = Arc::new(checked(&self.home.device, create)?);
        page.set_resident(Arc::clone(&texture) as _);
        Ok(texture)
    }

    /// Paints cells of pages by the same rules, then makes quarters of coarser pages in the order
    /// given, where classes of the greatest rank stay visible, and has the px of `wanted` sent
    /// back. When this returns, all of it has been handed to
    /// the queue: what draws these pages and is handed in later sees them.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn paint(
        &mut self,
        (rules, pages): (&PaintRules, &[PagePaint]),
        (reductions, ranks): (&[Reduction], &Ranks),
        wanted: Vec<(K, Arc<PageTexture>)>,
        scores: &ScoreStore,
    ) -> Result<(), PaintError> {
        let (handed_in, reads) = checked(&self.home.device, || {
            let label = Some("paint tiles");
            let descriptor = wgpu::CommandEncoderDescriptor { label };
            let mut encoder = self.home.device.create_command_encoder(&descriptor);
            self.encode_cells(&mut encoder, rules, pages, scores);
            self.encode_reductions(&mut encoder, reductions, ranks);
            let read =
                |(key, page): (K, Arc<PageTexture>)| self.arrivals.read(&mut encoder, key, &page);
            let reads: Vec<Read<K>> = wanted.into_iter().map(read).collect();
            (self.home.queue.submit([encoder.finish()]), reads)
        })?;
        self.arrivals.await_reads(handed_in, reads);
        Ok(())
    }

    /// The px that have come back, the oldest first; waits until those of at most `under_way` calls
    /// of [`Self::paint`] are on their way.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn take(&mut self, under_way: usize) -> Result<Vec<Arrived<K>>, PaintError> {
        self.arrivals.take(under_way)
    }

    fn encode_cells(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        rules: &PaintRules,
        pages: &[PagePaint],
        scores: &ScoreStore,
    ) {
        let of_all = RulesUniform::new(rules);
        let of_all = self.filled(wgpu::BufferUsages::UNIFORM, bytemuck::bytes_of(&of_all));
        let storage = |bytes: &[u8]| self.filled(wgpu::BufferUsages::STORAGE, bytes);
        let window = storage(bytemuck::cast_slice(&rules.window));
        for page in pages.iter().filter(|page| !page.cells.is_empty()) {
            let entries = Entries::of(&page.cells);
            let cells = storage(bytemuck::cast_slice(&entries.cells));
            let tiles = storage(bytemuck::cast_slice(&entries.tiles));
            let near = storage(bytemuck::cast_slice(&entries.near));
            let view = page.page.view();
            let buffers = [&of_all, &cells, &tiles, &near, &window, scores.buffer()];
            let mut resources = buffers.map(|buffer| buffer.as_entire_binding()).to_vec();
            resources.push(wgpu::BindingResource::TextureView(&view));
            let (width, height) = entries.largest_px;
            let groups = (
                width.div_ceil(GROUP_PX),
                height.div_ceil(GROUP_PX),
                entries.cells.len() as u32,
            );
            self.dispatch(encoder, &self.paint, resources, groups);
        }
    }

    fn encode_reductions(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        reductions: &[Reduction],
        ranks: &Ranks,
    ) {
        let groups = PAGE_PX / 2 / GROUP_PX;
        for reduction in reductions {
            let quarter = ReduceUniform::new(reduction.id, ranks);
            let quarter = self.filled(wgpu::BufferUsages::UNIFORM, bytemuck::bytes_of(&quarter));
            let (child, parent) = (reduction.child.view(), reduction.parent.view());
            let resources = vec![
                quarter.as_entire_binding(),
                wgpu::BindingResource::TextureView(&child),
                wgpu::BindingResource::TextureView(&parent),
            ];
            self.dispatch(encoder, &self.reduce, resources, (groups, groups, 1));
        }
    }

    fn dispatch(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        pipeline: &wgpu::ComputePipeline,
        resources: Vec<wgpu::BindingResource<'_>>,
        (x, y, z): (u32, u32, u32),
    ) {
        let entries: Vec<wgpu::BindGroupEntry> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let group = self
            .home
            .device
            .create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("paint tiles"),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }

    /// A buffer with some bytes in it, at least 4.
    fn filled(&self, usage: wgpu::BufferUsages, bytes: &[u8]) -> wgpu::Buffer {
        let buffer = self.home.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("paint tiles"),
            size: (bytes.len() as u64).max(4),
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.home.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }
}

fn pipeline(device: &wgpu::Device, label: &str, text: &str) -> wgpu::ComputePipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(label),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}
