//! Scores of tiles in one buffer on the graphics card, so that a pass can read those of any tile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{PaintError, checked};
use crate::gpu::tensor_buffer::TensorBuffer;

/// Tiles that there is room for to begin with.
const FIRST_TILES: u32 = 16;

/// Places for tiles of K × S × S scores.
pub struct ScoreStore {
    device: wgpu::Device,
    queue: wgpu::Queue,
    buffer: wgpu::Buffer,
    tile_bytes: u64,
    room: u32,
    most: u32,
    free: Free,
}

type Free = Arc<Mutex<Vec<u32>>>;

/// A tile's scores in a [`ScoreStore`]; dropping it gives the place to another tile. What was handed
/// to the queue before still sees the scores.
#[derive(Debug)]
pub struct KeptScores {
    place: u32,
    free: Free,
}

impl KeptScores {
    /// Number of its place.
    pub fn place(&self) -> u32 {
        self.place
    }
}

impl Drop for KeptScores {
    fn drop(&mut self) {
        lock(&self.free).push(self.place);
    }
}

/// Numbers are put in whole, so a poisoned list is still right.
fn lock(free: &Mutex<Vec<u32>>) -> MutexGuard<'_, Vec<u32>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScoreStore {
    /// Room for a few tiles of `tile_values` scores, which grows to at most `most_bytes` and to what
    /// the device can read at once.
    ///
    /// # Errors
    /// When there is not even memory for those.
    pub fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        tile_values: u64,
        most_bytes: u64,
    ) -> Result<Self, PaintError> {
        let tile_bytes = tile_values * 4;
        let limits = device.limits();
        let readable = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
            // Places are counted in values with 32 bits.
            .min(u64::from(u32::MAX));
        let most = (readable.min(most_bytes) / tile_bytes.max(1)) as u32;
        let room = FIRST_TILES.min(most);
        let buffer = checked(&device, || create(&device, tile_bytes, room))?;
        Ok(Self {
            device,
            queue,
            buffer,
            tile_bytes,
            room,
            most,
            free: Arc::new(Mutex::new((0..room).rev().collect())),
        })
    }

    /// Bytes of a tile's scores.
    pub fn tile_bytes(&self) -> u64 {
        self.tile_bytes
    }

    /// The most tiles that can be kept at once.
    pub fn most_tiles(&self) -> u32 {
        self.most
    }

    /// Keeps the scores of `tiles` tiles that lie one after the other in a tensor. They are copied
    /// within the card's memory, so that the tensor may go at once.
    ///
    /// # Errors
    /// When there is no room, or the device is lost.
    pub fn keep(
        &mut self,
        scores: &TensorBuffer,
        tiles: usize,
    ) -> Result<Vec<KeptScores>, PaintError> {
        let found = scores.values() as u64 * 4;
        if found != tiles as u64 * self.tile_bytes {
            let reason = format!("{found} bytes of scores for {tiles} tiles");
            return Err(PaintError::Refused(reason));
        }
        let kept = self.places(tiles)?;
        checked(&self.device, || {
            let mut encoder = self.encoder("keep scores");
            for (from, to) in (0..).zip(&kept) {
                let from = scores.offset() + from * self.tile_bytes;
                let to = u64::from(to.place) * self.tile_bytes;
                let bytes = self.tile_bytes;
                encoder.copy_buffer_to_buffer(scores.buffer(), from, &self.buffer, to, bytes);
            }
            self.queue.submit([encoder.finish()]);
        })?;
        Ok(kept)
    }

    /// Keeps a tile's scores that are in the processor's memory.
    ///
    /// # Errors
    /// When there is no room, or the device is lost.
    pub fn keep_values(&mut self, values: &[f32]) -> Result<KeptScores, PaintError> {
        let kept = self.places(1)?.pop().ok_or(PaintError::NoRoom(1))?;
        let at = u64::from(kept.place) * self.tile_bytes;
        checked(&self.device, || {
            self.queue
                .write_buffer(&self.buffer, at, bytemuck::cast_slice(values));
        })?;
        Ok(kept)
    }

    /// All places, to be read by a pass.
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    fn places(&mut self, tiles: usize) -> Result<Vec<KeptScores>, PaintError> {
        while lock(&self.free).len() < tiles {
            self.grow(tiles)?;
        }
        let taken = (0..tiles).filter_map(|_| lock(&self.free).pop());
        let kept = |place| KeptScores {
            place,
            free: Arc::clone(&self.free),
        };
        Ok(taken.map(kept).collect())
    }

    /// Doubles the room, keeping what is there.
    fn grow(&mut self, tiles: usize) -> Result<(), PaintError> {
        let room = self.room.saturating_mul(2).min(self.most);
        if room <= self.room {
            return Err(PaintError::NoRoom(tiles));
        }
        let larger = checked(&self.device, || {
            let larger = create(&self.device, self.tile_bytes, room);
            let mut encoder = self.encoder("more scores");
            encoder.copy_buffer_to_buffer(&self.buffer, 0, &larger, 0, self.buffer.size());
            self.queue.submit([encoder.finish()]);
            larger
        })?;
        self.buffer = larger;
        lock(&self.free).extend((self.room..room).rev());
        self.room = room;
        Ok(())
    }

    fn encoder(&self, label: &str) -> wgpu::CommandEncoder {
        let label = Some(label);
        self.device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label })
    }
}

fn create(device: &wgpu::Device, tile_bytes: u64, tiles: u32) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("scores"),
        size: tile_bytes * u64::from(tiles),
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Headless;
    use crate::gpu::read_back::read_bytes;

    #[test]
    fn places_are_used_again_and_room_grows_to_a_limit() {
        let gpu = Headless::open().unwrap();
        let (device, queue) = (gpu.device.clone(), gpu.queue.clone());
        let mut store = ScoreStore::new(device, queue, 64, 40 * 256).unwrap();
        assert_eq!((store.tile_bytes(), store.most_tiles()), (256, 40));
        let mut kept: Vec<KeptScores> = (0..40)
            .map(|n| store.keep_values(&[n as f32; 64]).unwrap())
            .collect();
        assert!(matches!(
            store.keep_values(&[0.0; 64]),
            Err(PaintError::NoRoom(1))
        ));
        let gone = kept.remove(7);
        let place = gone.place();
        drop(gone);
        let again = store.keep_values(&[99.0; 64]).unwrap();
        assert_eq!(again.place(), place);
        let bytes = read_bytes(&gpu.device, &gpu.queue, store.buffer());
        let values: &[f32] = bytemuck::cast_slice(&bytes);
        let at = |place: u32| values[place as usize * 64 + 63];
        assert_eq!(at(place), 99.0);
        for (n, kept) in (0..40).filter(|n| *n != 7).zip(&kept) {
            assert_eq!(at(kept.place()), n as f32);
        }
    }
}
