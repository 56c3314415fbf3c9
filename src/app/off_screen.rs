//! The whole window without a desktop: the same program on an egui context of its own, drawn into
//! a texture. The benchmark measures it and pictures can be taken of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

use crate::gpu::device::{Headless, describe, is_software};
use crate::gpu::offscreen::FORMAT;
use crate::gpu::read_picture;
use crate::slide::Rgba;

use super::command::Command;
use super::{App, AppOptions, Gpu};

/// What one frame cost the thread that draws the window.
#[derive(Debug, Clone, Copy)]
pub struct FrameCost {
    /// Processor time of the thread: panels, tessellation and encoding, without submitting and
    /// presenting.
    pub ui_cpu: Duration,
}

/// A window in memory.
pub struct OffScreenWindow {
    /// The program.
    pub app: App,
    ctx: egui::Context,
    gpu: Headless,
    painter: egui_wgpu::Renderer,
    target: wgpu::Texture,
    size_px: [u32; 2],
    seconds: f64,
    asked: AskedFrame,
}

/// When the next frame is due, where one was asked for since the last one began.
#[derive(Clone, Default)]
struct AskedFrame(Arc<Mutex<Option<Instant>>>);

impl AskedFrame {
    /// Takes note of all that asks `ctx` for frames, from whichever thread.
    fn of(ctx: &egui::Context) -> Self {
        let asked = Self::default();
        let noted = asked.clone();
        ctx.set_request_repaint_callback(move |info| {
            if let Some(due) = Instant::now().checked_add(info.delay) {
                noted.note(due);
            }
        });
        asked
    }

    fn note(&self, due: Instant) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = Some(asked.map_or(due, |before| before.min(due)));
    }

    /// What was asked for is being drawn.
    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_due(&self) -> bool {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|due| due <= Instant::now())
    }
}

impl OffScreenWindow {
    /// A window of `size_px` physical px, one px a point.
    ///
    /// # Errors
    /// When there is no graphics adapter.
    pub fn open(size_px: [u32; 2], options: AppOptions) -> anyhow::Result<Self> {
        let gpu = Headless::open()?;
        let ctx = egui::Context::default();
        let asked = AskedFrame::of(&ctx);
        let app = App::new(&ctx, Some(handles(&gpu)), options)?;
        let (painter, target) = canvas(&gpu, size_px);
        Ok(Self {
            app,
            ctx,
            gpu,
            painter,
            target,
            size_px,
            seconds: 0.0,
            asked,
        })
    }

    /// Has the device fail, as a driver may have it. Tells what the program knows of it.
    pub fn lose_device(&mut self) -> Option<String> {
        self.app.watch(&handles(&self.gpu));
        self.gpu.device.destroy();
        self.app.lost_device()
    }

    /// Goes on with another device, as the window does that lost its own.
    ///
    /// # Errors
    /// When there is no graphics adapter any more.
    pub fn reopen(&mut self) -> anyhow::Result<()> {
        self.app.leave_device();
        self.gpu = Headless::open()?;
        (self.painter, self.target) = canvas(&self.gpu, self.size_px);
        self.app.draw_on(Some(handles(&self.gpu)));
        Ok(())
    }

    /// The last frame.
    ///
    /// # Errors
    /// When the graphics device fails.
    pub fn picture(&self) -> anyhow::Result<Rgba> {
        read_picture(&self.gpu, &self.target)
    }

    /// The adapter in words.
    pub fn adapter(&self) -> String {
        describe(&self.gpu.adapter.get_info())
    }

    /// Does something that a person asks for. As after a key or a click, two frames are due.
    pub fn command(&mut self, command: Command) {
        self.app.command(command);
        self.ctx.request_repaint();
    }

    /// Whether the program asks for a frame now. A window on a desktop draws no others.
    pub fn is_frame_due(&self) -> bool {
        self.asked.is_due()
    }

    /// Draws one frame, `elapsed` after the one before, and waits until the GPU is done.
    ///
    /// # Errors
    /// When the graphics device fails.
    pub fn frame(&mut self, elapsed: Duration) -> anyhow::Result<FrameCost> {
        self.asked.begin();
        self.seconds += elapsed.as_secs_f64();
        let started = thread_cpu();
        let (commands, freed) = self.draw();
        let ui_cpu = thread_cpu().saturating_sub(started);
        self.gpu.queue.submit(commands);
        for id in freed {
            self.painter.free_texture(&id);
        }
        self.gpu
            .device
            .poll(wgpu::PollType::wait_indefinitely())
            .context("the graphics device stopped answering")?;
        Ok(FrameCost { ui_cpu })
    }

    fn draw(&mut self) -> (Vec<wgpu::CommandBuffer>, Vec<egui::TextureId>) {
        let [width, height] = self.size_px.map(|px| px as f32);
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(
                egui::Pos2::ZERO,
                egui::vec2(width, height),
            )),
            time: Some(self.seconds),
            focused: true,
            ..Default::default()
        };
        let app = &mut self.app;
        let output = self.ctx.run_ui(input, |ui| app.show(ui));
        let shapes = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let (device, queue) = (&self.gpu.device, &self.gpu.queue);
        for (id, deltas) in &output.textures_delta.set {
            for delta in deltas {
                self.painter.update_texture(device, queue, *id, delta);
            }
        }
        let screen = egui_wgpu::ScreenDescriptor {
            size_in_pixels: self.size_px,
            pixels_per_point: output.pixels_per_point,
        };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("window"),
        });
        let mut commands =
            self.painter
                .update_buffers(device, queue, &mut encoder, &shapes, &screen);
        self.encode(&mut encoder, &shapes, &screen);
        commands.push(encoder.finish());
        (
            commands,
            output.textures_delta.free.iter().copied().collect(),
        )
    }

    fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        shapes: &[egui::ClippedPrimitive],
        screen: &egui_wgpu::ScreenDescriptor,
    ) {
        let view = self
            .target
            .create_view(&wgpu::TextureViewDescriptor::default());
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("window"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        self.painter
            .render(&mut pass.forget_lifetime(), shapes, screen);
    }
}

fn handles(gpu: &Headless) -> Gpu {
    Gpu {
        adapter: describe(&gpu.adapter.get_info()),
        is_real: !is_software(&gpu.adapter.get_info()),
        shared: gpu.shared(),
        format: FORMAT,
    }
}

/// What egui draws with, and onto what.
fn canvas(gpu: &Headless, [width, height]: [u32; 2]) -> (egui_wgpu::Renderer, wgpu::Texture) {
    let painter = egui_wgpu::Renderer::new(&gpu.device, FORMAT, Default::default());
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("window"),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    (painter, target)
}

/// Processor time that this thread has used.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}
