//! Tiles in GPU memory: one texture array, a layer a tile, the least recently drawn go first.

use lru::LruCache;

use crate::slide::Rgba;
use crate::tiles::{SlideId, TILE_PX, TileKey};

/// Layers to begin with: 64 MiB.
const FIRST_LAYERS: u32 = 64;

/// Most layers: 512 MiB, enough for two views on two 4K screens.
const MOST_LAYERS: u32 = 512;

struct Slot {
    layer: u32,
    drawn_in_frame: u64,
}

/// The texture array and which tile lies in which layer.
pub struct TileAtlas {
    texture: wgpu::Texture,
    view: wgpu::TextureView,
    slots: LruCache<TileKey, Slot>,
    free: Vec<u32>,
    layers: u32,
    most_layers: u32,
    frame: u64,
}

impl TileAtlas {
    /// An empty atlas.
    pub fn new(device: &wgpu::Device) -> Self {
        let most_layers = device.limits().max_texture_array_layers.min(MOST_LAYERS);
        let layers = FIRST_LAYERS.min(most_layers);
        let texture = create_texture(device, layers);
        let view = array_view(&texture);
        let free = (0..layers).rev().collect();
        Self {
            texture,
            view,
            slots: LruCache::unbounded(),
            free,
            layers,
            most_layers,
            frame: 0,
        }
    }

    /// Begins a frame: tiles touched from here on keep their layers until the next call.
    pub fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// The layer that holds `key`, marked as drawn in this frame.
    pub fn touch(&mut self, key: &TileKey) -> Option<u32> {
        let slot = self.slots.get_mut(key)?;
        slot.drawn_in_frame = self.frame;
        Some(slot.layer)
    }

    /// Whether `key` is held; does not count as drawn.
    pub fn contains(&self, key: &TileKey) -> bool {
        self.slots.contains(key)
    }

    /// Copies a tile into a layer. `None` when every layer is needed for this very frame.
    pub fn upload(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        key: TileKey,
        tile: &Rgba,
    ) -> Option<u32> {
        if tile.width > TILE_PX || tile.height > TILE_PX {
            return None;
        }
        let layer = self.free_layer(device, queue)?;
        write_layer(queue, &self.texture, layer, tile);
        self.slots.put(
            key,
            Slot {
                layer,
                drawn_in_frame: self.frame,
            },
        );
        Some(layer)
    }

    /// Drops every tile of a slide.
    pub fn remove_slide(&mut self, slide: SlideId) {
        let gone: Vec<TileKey> = self
            .slots
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| key.slide == slide)
            .collect();
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
        // One frame of grace, so that a second view drawn later in the frame finds its tiles.
        let stale = self
            .slots
            .peek_lru()
            .is_some_and(|(_, slot)| slot.drawn_in_frame + 1 < self.frame);
        let stale_enough =
            self.layers >= self.most_layers || self.slots.len() > (FIRST_LAYERS as usize) * 2;
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
        let texture = create_texture(device, layers);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("grow the tile atlas"),
        });
        let held = wgpu::Extent3d {
            width: TILE_PX,
            height: TILE_PX,
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

fn create_texture(device: &wgpu::Device, layers: u32) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("tile atlas"),
        size: wgpu::Extent3d {
            width: TILE_PX,
            height: TILE_PX,
            depth_or_array_layers: layers,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        // Not the sRGB format: slides are averaged and interpolated in their stored encoding, as
        // every scanner's own pyramid and every peer does.
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_DST
            | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// A single layer would otherwise be seen as a plain 2D texture, which the shader refuses.
fn array_view(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        ..Default::default()
    })
}

fn write_layer(queue: &wgpu::Queue, texture: &wgpu::Texture, layer: u32, tile: &Rgba) {
    let target = wgpu::TexelCopyTextureInfo {
        texture,
        mip_level: 0,
        origin: wgpu::Origin3d {
            x: 0,
            y: 0,
            z: layer,
        },
        aspect: wgpu::TextureAspect::All,
    };
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(tile.width * 4),
        rows_per_image: None,
    };
    let size = wgpu::Extent3d {
        width: tile.width,
        height: tile.height,
        depth_or_array_layers: 1,
    };
    queue.write_texture(target, &tile.data, layout, size);
}
