//! Px of pages on their way back from the graphics card.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use super::PaintError;
use super::page_texture::{LAYOUT, PageTexture, SIZE};
use crate::labels::{PAGE_PX, Texel};

/// A device that is busy for longer than this is taken for lost.
const LONGEST: Duration = Duration::from_secs(60);

/// Px of a page that have arrived.
pub struct Arrived<K> {
    /// Which page.
    pub page: K,
    /// Its px, rows from the top.
    pub texels: Vec<Texel>,
}

type Mapped = Result<(), wgpu::BufferAsyncError>;

/// What was handed in together.
struct Batch<K> {
    handed_in: wgpu::SubmissionIndex,
    reads: Vec<(K, wgpu::Buffer, Receiver<Mapped>)>,
}

/// What is under way, the oldest first.
pub(super) struct Arrivals<K> {
    device: wgpu::Device,
    batches: VecDeque<Batch<K>>,
}

/// A page's px on their way, not handed in yet.
pub(super) struct Read<K>(K, wgpu::Buffer);

impl<K> Arrivals<K> {
    pub fn new(device: wgpu::Device) -> Self {
        Self {
            device,
            batches: VecDeque::new(),
        }
    }

    /// Adds the copy of a page to what is to be handed in.
    pub fn read(&self, encoder: &mut wgpu::CommandEncoder, key: K, page: &PageTexture) -> Read<K> {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("label page on its way back"),
            size: u64::from(PAGE_PX * PAGE_PX * 4),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let target = wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: LAYOUT,
        };
        encoder.copy_texture_to_buffer(page.texture().as_image_copy(), target, SIZE);
        Read(key, buffer)
    }

    /// Waits from here on for what was handed in.
    pub fn await_reads(&mut self, handed_in: wgpu::SubmissionIndex, reads: Vec<Read<K>>) {
        let expected = |Read(key, buffer): Read<K>| {
            let (sender, receiver) = channel();
            buffer.map_async(wgpu::MapMode::Read, .., move |result| {
                // Nobody waits any more where the receiver is gone.
                let _ = sender.send(result);
            });
            (key, buffer, receiver)
        };
        let reads = reads.into_iter().map(expected).collect();
        self.batches.push_back(Batch { handed_in, reads });
    }

    /// What has arrived, the oldest first; waits until at most `under_way` batches are on their way.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn take(&mut self, under_way: usize) -> Result<Vec<Arrived<K>>, PaintError> {
        let mut arrived = Vec::new();
        while self.batches.len() > under_way {
            let Some(batch) = self.batches.pop_front() else {
                break;
            };
            let wait = wgpu::PollType::Wait {
                submission_index: Some(batch.handed_in),
                timeout: Some(LONGEST),
            };
            let waited = self.device.poll(wait);
            waited.map_err(|error| PaintError::Lost(error.to_string()))?;
            for (page, buffer, receiver) in batch.reads {
                let texels = self.texels(&buffer, &receiver)?;
                arrived.push(Arrived { page, texels });
            }
        }
        Ok(arrived)
    }

    fn texels(
        &self,
        buffer: &wgpu::Buffer,
        receiver: &Receiver<Mapped>,
    ) -> Result<Vec<Texel>, PaintError> {
        let lost = |error: &dyn std::fmt::Display| PaintError::Lost(error.to_string());
        // Another thread that polls may be about to send it.
        let mapped = match receiver.try_recv() {
            Err(TryRecvError::Empty) => receiver.recv_timeout(LONGEST).map_err(|e| lost(&e)),
            other => other.map_err(|e| lost(&e)),
        };
        mapped?.map_err(|error| lost(&error))?;
        let bytes = buffer.get_mapped_range(..).map_err(|error| lost(&error))?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}
