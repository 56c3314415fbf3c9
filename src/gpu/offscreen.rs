//! A picture of a slide without a window, through the same planner, shaders and passes.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use rayon::prelude::*;

use crate::geometry::{ScreenVector, View};
use crate::slide::{Rgba, SlideError, SlideSource};
use crate::tiles::queue::ViewSlot;
use crate::tiles::reduce::{TileFailure, read_tile};
use crate::tiles::{SlideId, TileKey, TilePyramid, plan};

use super::device::Headless;
use super::{ColourTable, DisplayAdjust, SceneInput, SlideRenderer, TileStore};

/// The format of off-screen pictures: the one that egui prefers for windows.
pub const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A finished picture and the tiles that could not be read for it.
pub struct Picture {
    /// Opaque RGBA.
    pub pixels: Rgba,
    /// What failed; those tiles are drawn as marked grey.
    pub failures: Vec<SlideError>,
}

/// Draws slides into memory.
pub struct Offscreen {
    gpu: Headless,
    renderer: SlideRenderer,
}

/// Tiles read before the picture is drawn.
struct ReadTiles {
    tiles: HashMap<TileKey, Arc<Rgba>>,
    failed: Vec<TileKey>,
}

impl TileStore for ReadTiles {
    fn tile(&self, key: &TileKey) -> Option<Arc<Rgba>> {
        self.tiles.get(key).cloned()
    }

    fn unreadable(&self, keys: &[TileKey]) -> Vec<TileKey> {
        keys.iter()
            .filter(|key| self.failed.contains(key))
            .copied()
            .collect()
    }
}

impl Offscreen {
    /// Opens a device of its own.
    ///
    /// # Errors
    /// When there is no graphics adapter, not even a software one.
    pub fn open() -> anyhow::Result<Self> {
        let gpu = Headless::open()?;
        let renderer = SlideRenderer::new(gpu.device.clone(), gpu.queue.clone(), FORMAT);
        Ok(Self { gpu, renderer })
    }

    /// The adapter that draws.
    pub fn adapter_info(&self) -> wgpu::AdapterInfo {
        self.gpu.adapter.get_info()
    }

    /// Draws what `view` shows of a slide; outside the slide the picture is `outside_rgb`.
    ///
    /// # Errors
    /// When the picture is larger than the device allows, the colour profile is damaged, or the
    /// device fails. Tiles that can't be read are drawn as marked grey and listed instead.
    pub fn draw(
        &mut self,
        source: &dyn SlideSource,
        view: &View,
        display: &DisplayAdjust,
        outside_rgb: [u8; 3],
    ) -> anyhow::Result<Picture> {
        let (width, height) = self.checked_size(view)?;
        let slide = SlideId(0);
        self.renderer.remove_slide(slide);
        let pyramid = TilePyramid::new(source.info());
        let mut plan = plan(slide, &pyramid, view, ScreenVector::zero());
        // Nothing moves here: only what the picture shows is read.
        plan.wanted.clone_from(&plan.sharp);
        let (store, failures) = read_all(source, &pyramid, &plan.sharp);
        if let (true, Some(profile)) = (display.use_profile, &source.info().icc_profile) {
            self.renderer
                .set_profile(slide, &ColourTable::from_icc(profile)?);
        }
        let background_rgb = source.info().background_rgb;
        self.renderer.begin_frame();
        let input = SceneInput {
            slide,
            pyramid: &pyramid,
            view,
            plan: &plan,
            background_rgb,
            store: &store,
            display,
        };
        self.renderer.prepare(ViewSlot(0), &input, None);
        let pixels = self.paint_and_read_back(width, height, outside_rgb)?;
        Ok(Picture { pixels, failures })
    }

    fn checked_size(&self, view: &View) -> anyhow::Result<(u32, u32)> {
        let most = self.gpu.device.limits().max_texture_dimension_2d;
        let (width, height) = (view.size.width.round(), view.size.height.round());
        let fits = |side: f64| side >= 1.0 && side <= f64::from(most);
        anyhow::ensure!(
            fits(width) && fits(height),
            "a picture of {width}x{height} px: each side must be 1 to {most} px"
        );
        Ok((width as u32, height as u32))
    }

    fn paint_and_read_back(
        &self,
        width: u32,
        height: u32,
        outside_rgb: [u8; 3],
    ) -> anyhow::Result<Rgba> {
        let device = &self.gpu.device;
        let size = wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        };
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("picture"),
        });
        self.paint(&mut encoder, &target, outside_rgb);
        let row_bytes = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(row_bytes) * u64::from(height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(row_bytes),
            rows_per_image: None,
        };
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout,
            },
            size,
        );
        self.gpu.queue.submit([encoder.finish()]);
        self.read_rows(&buffer, width, height, row_bytes)
    }

    fn paint(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Texture,
        outside_rgb: [u8; 3],
    ) {
        let [r, g, b] = outside_rgb.map(|v| f64::from(v) / 255.0);
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("picture"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        self.renderer.paint(ViewSlot(0), &mut pass);
    }

    fn read_rows(
        &self,
        buffer: &wgpu::Buffer,
        width: u32,
        height: u32,
        row_bytes: u32,
    ) -> anyhow::Result<Rgba> {
        let (sender, receiver) = std::sync::mpsc::channel();
        buffer
            .slice(..)
            .map_async(wgpu::MapMode::Read, move |result| {
                // The receiver waits below; were it gone, nobody would want the answer.
                let _ = sender.send(result);
            });
        self.gpu
            .device
            .poll(wgpu::PollType::wait_indefinitely())
            .context("the graphics device stopped answering")?;
        receiver
            .recv()
            .context("the picture was lost")?
            .context("the picture can't be read back")?;
        let mapped = buffer
            .slice(..)
            .get_mapped_range()
            .context("the picture can't be read back")?;
        let mut data = Vec::with_capacity(width as usize * height as usize * 4);
        for row in mapped.chunks_exact(row_bytes as usize) {
            data.extend_from_slice(&row[..width as usize * 4]);
        }
        Ok(Rgba {
            width,
            height,
            data,
        })
    }
}

fn read_all(
    source: &dyn SlideSource,
    pyramid: &TilePyramid,
    keys: &[TileKey],
) -> (ReadTiles, Vec<SlideError>) {
    let read = |key: &TileKey| {
        let level = pyramid.level(key.level)?;
        Some((*key, read_tile(source, level, (key.col, key.row), &|| true)))
    };
    let results: Vec<_> = keys.par_iter().filter_map(read).collect();
    let mut store = ReadTiles {
        tiles: HashMap::new(),
        failed: Vec::new(),
    };
    let mut failures = Vec::new();
    for (key, result) in results {
        match result {
            Ok(tile) => {
                store.tiles.insert(key, Arc::new(tile));
            }
            Err(TileFailure::Slide(error)) => {
                store.failed.push(key);
                failures.push(error);
            }
            Err(TileFailure::Cancelled) => {}
        }
    }
    (store, failures)
}
