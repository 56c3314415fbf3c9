//! Squares of px in GPU memory: one texture array, a layer a square, the least recently drawn go
//! first. Tiles of slides and pages of label rasters are kept so.

use std::hash::Hash;

use lru::LruCache;

/// What an atlas holds.
#[derive(Debug, Clone, Copy)]
pub struct AtlasKind {
    /// Its name in the graphics driver's messages.
    pub label: &'static str,
    /// Side of a layer, px.
    pub side_px: u32,
    /// Of 4 bytes a px.
    pub format: wgpu::TextureFormat,
    /// Layers to begin with.
    pub first_layers: u32,
    /// Most layers; fewer where the device has fewer.
    pub most_layers: u32,
}

/// The content of a layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerPixels<'a, T> {
    /// Width and height, px; at most the layer's side.
    pub size_px: (u32, u32),
    /// 4 bytes a px, rows from the top.
    pub bytes: &'a [u8],
    /// What is to be remembered of it, such as its version.
    pub tag: T,
}

struct Slot<T> {
    layer: u32,
    tag: T,
    drawn_in_frame: u64,
}

/// The texture array and what lies in which layer.
pub struct LayerAtlas<K, T = ()> {
    kind: AtlasKind,
    texture: wgpu::Texture,
    view: wgpu::TextureView,
    slots: LruCache<K, Slot<T>>,
    free: Vec<u32>,
    layers: u32,
    most_layers: u32,
    frame: u64,
}

impl<K: Copy + Eq + Hash, T: Copy> LayerAtlas<K, T> {
    /// An empty atlas.
    pub fn new(device: &wgpu::Device, kind: AtlasKind) -> Self {
        let most_layers = device
            .limits()
            .max_texture_array_layers
            .min(kind.most_layers);
        let layers = kind.first_layers.min(most_layers);
        let texture = create_texture(device, &kind, layers);
        let view = array_view(&texture);
        let free = (0..layers).rev().collect();
        Self {
            kind,
            texture,
            view,
            slots: LruCache::unbounded(),
            free,
            layers,
            most_layers,
            frame: 0,
        }
    }

    /// Begins a frame: what is touched from here on keeps its layer until the next call.
    pub fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// The layer that holds `key`, marked as drawn in this frame.
    pub fn touch(&mut self, key: &K) -> Option<u32> {
        let slot = self.slots.get_mut(key)?;
        slot.drawn_in_frame = self.frame;
        Some(slot.layer)
    }

    /// What is remembered of the px held under `key`; does not count as drawn.
    pub fn tag(&self, key: &K) -> Option<T> {
        self.slots.peek(key).map(|slot| slot.tag)
    }

    /// Copies px into the layer of `key`, or into another one where it has none yet. `None` when
    /// every layer is needed for this very frame, or the px are larger than a layer.
    pub fn upload(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: K,
        pixels: &LayerPixels<'_, T>,
    ) -> Option<u32> {
        if pixels.size_px.0.max(pixels.size_px.1) > self.kind.side_px {
            return None;
        }
        let layer = self.layer_for(device, queue, key, pixels.tag)?;
        write_layer(queue, &self.texture, layer, pixels.size_px, pixels.bytes);
        Some(layer)
    }

    /// As [`Self::upload`], from a texture of a layer's size and format, so that the px do not leave
    /// the graphics card.
    pub fn copy(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: K,
        texture: &wgpu::Texture,
        tag: T,
    ) -> Option<u32> {
        let layer = self.layer_for(device, queue, key, tag)?;
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("copy to an atlas"),
        });
        let target = layer_of(&self.texture, layer);
        encoder.copy_texture_to_texture(texture.as_image_copy(), target, texture.size());
        queue.submit([encoder.finish()]);
        Some(layer)
    }

    /// The layer of `key`, or another one where it has none yet.
    fn layer_for(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: K,
        tag: T,
    ) -> Option<u32> {
        let layer = match self.slots.peek(&key) {
            Some(slot) => slot.layer,
            None => self.free_layer(device, queue)?,
        };
        let slot = Slot {
            layer,
            tag,
            drawn_in_frame: self.frame,
        };
        self.slots.put(key, slot);
        Some(layer)
    }

    /// Drops all whose key `is_gone`.
    pub fn remove_where(&mut self, is_gone: impl Fn(&K) -> bool) {
        let keys = self.slots.iter().map(|(key, _)| *key);
        let gone: Vec<K> = keys.filter(is_gone).collect();
        for key in gone {
            self.free
                .extend(self.slots.pop(&key).map(|slot| slot.layer));
        }
    }

    /// All layers as one texture array view. Changes when the atlas grows.
    pub fn view(&self) -> &wgpu::TextureView {
        &self.view
    }

    /// Number of layers, which changes when the atlas grows.
    pub fn layers(&self) -> u32 {
        self.layers
    }

    fn free_layer(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) -> Option<u32> {
        if let Some(layer) = self.free.pop() {
            return Some(layer);
        }
        // One frame of grace, so that a second view drawn later in the frame finds its own.
        let stale = self
            .slots
            .peek_lru()
            .is_some_and(|(_, slot)| slot.drawn_in_frame + 1 < self.frame);
        let many = self.slots.len() > (self.kind.first_layers as usize) * 2;
        let stale_enough = self.layers >= self.most_layers || many;
        if stale && stale_enough {
            return self.slots.pop_lru().map(|(_, slot)| slot.layer);
        }
        if self.layers < self.most_layers {
            self.grow(device, queue);
            return self.free.pop();
        }
        None
    }

    /// Doubles the layers, keeping what they hold.
    fn grow(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) {
        let layers = (self.layers * 2).min(self.most_layers);
        let texture = create_texture(device, &self.kind, layers);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("grow an atlas"),
        });
        let held = wgpu::Extent3d {
            width: self.kind.side_px,
            height: self.kind.side_px,
            depth_or_array_layers: self.layers,
        };
        encoder.copy_texture_to_texture(
            self.texture.as_image_copy(),
            texture.as_image_copy(),
            held,
        );
        queue.submit([encoder.finish()]);
        self.free.extend((self.layers..layers).rev());
        self.view = array_view(&texture);
        self.texture = texture;
        self.layers = layers;
    }
}

fn create_texture(device: &wgpu::Device, kind: &AtlasKind, layers: u32) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some(kind.label),
        size: wgpu::Extent3d {
            width: kind.side_px,
            height: kind.side_px,
            depth_or_array_layers: layers,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: kind.format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_DST
            | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// A single layer would otherwise be seen as a plain 2D texture, which shaders refuse.
fn array_view(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        ..Default::default()
    })
}

fn write_layer(
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
    layer: u32,
    (width, height): (u32, u32),
    bytes: &[u8],
) {
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(width * 4),
        rows_per_image: None,
    };
    let size = wgpu::Extent3d {
        width,
        height,
        depth_or_array_layers: 1,
    };
    queue.write_texture(layer_of(texture, layer), bytes, layout, size);
}

fn layer_of(texture: &wgpu::Texture, layer: u32) -> wgpu::TexelCopyTextureInfo<'_> {
    wgpu::TexelCopyTextureInfo {
        origin: wgpu::Origin3d {
            z: layer,
            ..Default::default()
        },
        ..texture.as_image_copy()
    }
}
