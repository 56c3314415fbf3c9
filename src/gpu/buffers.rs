//! Buffers that passes keep for a view.

/// A storage buffer that is replaced by a larger one when its content outgrows it.
pub(super) struct GrowingBuffer {
    label: &'static str,
    buffer: wgpu::Buffer,
}

impl GrowingBuffer {
    pub fn new(device: &wgpu::Device, label: &'static str) -> Self {
        Self {
            label,
            buffer: Self::create(device, label, 4096),
        }
    }

    fn create(device: &wgpu::Device, label: &'static str, size: u64) -> wgpu::Buffer {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// All of it, to be bound.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        self.buffer.as_entire_binding()
    }

    /// Tells whether the buffer was replaced.
    pub fn write(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, bytes: &[u8]) -> bool {
        let needed = bytes.len() as u64;
        let grown = needed > self.buffer.size();
        if grown {
            self.buffer = Self::create(device, self.label, needed.next_power_of_two());
        }
        if needed > 0 {
            queue.write_buffer(&self.buffer, 0, bytes);
        }
        grown
    }
}

/// A buffer for the uniforms `T`.
pub(super) fn uniform_buffer<T>(device: &wgpu::Device, label: &str) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: size_of::<T>() as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}
