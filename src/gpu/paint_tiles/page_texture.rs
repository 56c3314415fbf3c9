//! A label page in the graphics card's memory.

use std::sync::Arc;

use crate::gpu::overlay::label_map::FORMAT;
use crate::labels::{PAGE_PX, Page, Texel};

/// The px of a page, to be painted and to be copied from when the overlay is drawn.
#[derive(Debug)]
pub struct PageTexture(wgpu::Texture);

impl PageTexture {
    /// A texture with the px that a page has in memory.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue, texels: &[Texel]) -> Self {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("label page"),
            size: SIZE,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::STORAGE_BINDING
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC
                | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let bytes = bytemuck::cast_slice(texels);
        queue.write_texture(texture.as_image_copy(), bytes, LAYOUT, SIZE);
        Self(texture)
    }

    /// Where a page is drawn from, where that is on the graphics card.
    pub fn of(page: &Page) -> Option<&wgpu::Texture> {
        Some(&page.resident()?.downcast_ref::<Self>()?.0)
    }

    /// The same, to be kept.
    pub fn held_by(page: &Page) -> Option<Arc<Self>> {
        Arc::clone(page.resident()?).downcast().ok()
    }

    pub(super) fn texture(&self) -> &wgpu::Texture {
        &self.0
    }

    pub(super) fn view(&self) -> wgpu::TextureView {
        self.0.create_view(&wgpu::TextureViewDescriptor::default())
    }
}

/// Of a page.
pub(super) const SIZE: wgpu::Extent3d = wgpu::Extent3d {
    width: PAGE_PX,
    height: PAGE_PX,
    depth_or_array_layers: 1,
};

/// Of a page's px in a buffer: rows of 1024 bytes, as copies need them.
pub(super) const LAYOUT: wgpu::TexelCopyBufferLayout = wgpu::TexelCopyBufferLayout {
    offset: 0,
    bytes_per_row: Some(PAGE_PX * 4),
    rows_per_image: None,
};
