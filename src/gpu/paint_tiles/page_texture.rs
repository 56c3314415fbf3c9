//! A label page in the graphics card's memory.

use std::sync::Arc;

use crate::gpu::device::WindowDevice;
use crate::gpu::overlay::label_map::FORMAT;
use crate::labels::{PAGE_PX, Page, Texel};

/// The px of a page, to be painted and to be copied from when the overlay is drawn: on one device,
/// since no other can use them.
#[derive(Debug)]
pub struct PageTexture {
    /// With the instance: devices of two instances can be equal, since each counts from 1.
    home: WindowDevice,
    texture: wgpu::Texture,
}

impl PageTexture {
    /// A texture with the px that a page has in memory.
    pub(super) fn new(home: &WindowDevice, texels: &[Texel]) -> Self {
        let texture = home.device.create_texture(&wgpu::TextureDescriptor {
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
        home.queue
            .write_texture(texture.as_image_copy(), bytes, LAYOUT, SIZE);
        Self {
            home: home.clone(),
            texture,
        }
    }

    /// Where a page is drawn from, where that is in the memory of `home`. Pages that another device
    /// painted, such as a window's for a picture off screen or one that was lost, are drawn from
    /// their px in the processor's memory.
    pub fn of<'a>(page: &'a Page, home: &WindowDevice) -> Option<&'a wgpu::Texture> {
        let held: &Self = page.resident()?.downcast_ref()?;
        (held.home == *home).then_some(&held.texture)
    }

    /// The same, to be kept.
    pub(super) fn held_by(page: &Page, home: &WindowDevice) -> Option<Arc<Self>> {
        let held: Arc<Self> = Arc::clone(page.resident()?).downcast().ok()?;
        (held.home == *home).then_some(held)
    }

    pub(super) fn texture(&self) -> &wgpu::Texture {
        &self.texture
    }

    pub(super) fn view(&self) -> wgpu::TextureView {
        self.texture
            .create_view(&wgpu::TextureViewDescriptor::default())
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
