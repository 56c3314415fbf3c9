//! Pictures back from the device.

use anyhow::Context as _;

use super::device::Headless;
use crate::slide::Rgba;

/// What a texture of 4 bytes a px holds, once all that was handed in has been drawn.
///
/// # Errors
/// When the device fails.
pub fn read_picture(gpu: &Headless, texture: &wgpu::Texture) -> anyhow::Result<Rgba> {
    let (width, height) = (texture.width(), texture.height());
    let row_bytes = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
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
    let mut encoder = gpu
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor {
            label: Some("picture"),
        });
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout,
        },
        texture.size(),
    );
    gpu.queue.submit([encoder.finish()]);
    read_rows(gpu, &buffer, (width, height), row_bytes)
}

fn read_rows(
    gpu: &Headless,
    buffer: &wgpu::Buffer,
    (width, height): (u32, u32),
    row_bytes: u32,
) -> anyhow::Result<Rgba> {
    let (sender, receiver) = std::sync::mpsc::channel();
    buffer
        .slice(..)
        .map_async(wgpu::MapMode::Read, move |result| {
            // The receiver waits below; were it gone, nobody would want the answer.
            let _ = sender.send(result);
        });
    gpu.device
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
