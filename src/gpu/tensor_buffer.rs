//! burn on the window's own device, and its tensors as buffers of that device, without a copy.
//!
//! burn keeps a stream of commands for each thread of the system: everything here belongs on the
//! one thread that makes the tensors.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{DType, Device, Tensor};
use burn_cubecl::cubecl::server::ServerError;
use burn_cubecl::cubecl::wgpu::{AutoCompiler, WgpuResource, WgpuServer};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{Cube, CubeBackend};

use super::device::WindowDevice;

/// Devices that burn knows, and what it calls them. burn never lets go of one. They are told apart
/// together with their instance: a device alone is a number that each instance gives again.
static KNOWN: Mutex<Vec<(WindowDevice, Device)>> = Mutex::new(Vec::new());

/// What burn can't do on a graphics device.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TensorBufferError {
    /// The device has not all that burn needs.
    #[error("the model can't compute on the window's graphics device: {0}")]
    Device(String),
    /// A tensor that is elsewhere, or of other numbers than `f32`.
    #[error("scores are not where they are looked for: {0}")]
    Tensor(String),
    /// The device is lost or has no memory left.
    #[error("the graphics card is lost or has no memory left: {0}")]
    Lost(String),
}

impl From<ServerError> for TensorBufferError {
    fn from(error: ServerError) -> Self {
        Self::Lost(root_cause(&error.to_string()).to_owned())
    }
}

/// burn and wgpu list causes in lines, the root last; burn also says where it has no backtraces.
pub(super) fn root_cause(text: &str) -> &str {
    let says_something = |line: &&str| {
        let without = ["", "Caused by:", "Asked at:", "No backtrace available"];
        !without.contains(line)
    };
    let mut lines = text.lines().map(str::trim).filter(says_something);
    lines.next_back().unwrap_or(text)
}

/// burn's device on the window's own. The first call for a device makes burn known to it; from then
/// on errors that no error scope catches are told as `tell_of_errors` says.
///
/// # Errors
/// When the device lacks what burn needs.
pub fn burn_device(window: &WindowDevice) -> Result<Device, TensorBufferError> {
    // A pair is put in whole, so a poisoned list is still right.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device)) = known.iter().find(|(of, _)| of == window) {
        return Ok(device.clone());
    }
    let setup = WgpuSetup {
        instance: window.instance.clone(),
        adapter: window.adapter.clone(),
        device: window.device.clone(),
        queue: window.queue.clone(),
        backend: window.adapter.get_info().backend,
    };
    let started = Device::wgpu_options().setup(setup).init();
    let device = started.map_err(|error| TensorBufferError::Device(error.to_string()))?;
    tell_of_errors(&window.device);
    known.push((window.clone(), device.clone()));
    Ok(device)
}

/// The thread that draws, as the standard library calls it.
const WINDOW_THREAD: &str = "main";

/// burn has errors of the device that nobody catches end the thread whose call failed: its own
/// thread takes that for the end of a piece of work. The window's would be the end of the program,
/// so there an error is only written down; a device that is lost tells by all that it does later.
fn tell_of_errors(device: &wgpu::Device) {
    device.on_uncaptured_error(std::sync::Arc::new(|error| {
        if std::thread::current().name() == Some(WINDOW_THREAD) {
            tracing::error!("the graphics device: {error}");
        } else {
            std::panic::resume_unwind(Box::new(error.to_string()));
        }
    }));
}

/// A tensor's values on the device, as a part of a buffer: rows without gaps, the last axis first.
///
/// All that the values follow from has been handed to the queue, so work that is handed in later
/// sees them. As long as this lives burn writes nothing else there; after it was dropped burn's own
/// later work may, which the queue does later as well.
pub struct TensorBuffer {
    resource: WgpuResource,
    values: usize,
    /// Keep the memory from being moved or given to another tensor.
    _held: (CubeTensor, Box<dyn Any + Send>),
}

impl TensorBuffer {
    /// The buffer of a tensor of `f32`. Values are moved only where they lie in another order, as
    /// those of convolutions do.
    ///
    /// # Errors
    /// When the tensor is not on a graphics device or not of `f32`, or the device is lost.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Result<Self, TensorBufferError> {
        let values = tensor.shape().num_elements();
        let fused = tensor.try_into_primitive::<Cube>();
        let fused = fused.map_err(|error| TensorBufferError::Tensor(format!("{error:?}")))?;
        if fused.dtype != DType::F32 {
            let found = format!("{:?} in place of F32", fused.dtype);
            return Err(TensorBufferError::Tensor(found));
        }
        let fusion = fused.client.clone();
        let tensor = into_contiguous(fusion.resolve_tensor_float::<CubeBackend>(fused));
        let client = tensor.client.clone();
        let held = client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone())?;
        client.flush()?;
        Ok(Self {
            resource: held.resource().clone(),
            values,
            _held: (tensor, Box::new(held)),
        })
    }

    /// The buffer; others' values lie in it as well.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.resource.buffer
    }

    /// Where the values begin, bytes.
    pub fn offset(&self) -> u64 {
        self.resource.offset
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::gpu::device::Headless;
    use crate::gpu::read_back::read_bytes;

    const TENFOLD: &str = "
        @group(0) @binding(0) var<storage, read> values: array<f32>;
        @group(0) @binding(1) var<storage, read_write> tenfold: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            if id.x < arrayLength(&tenfold) { tenfold[id.x] = 10.0 * values[id.x]; }
        }";

    /// Reads a tensor's values in a pass that burn knows nothing of.
    fn tenfold(gpu: &Headless, tensor: Tensor<2>) -> Vec<f32> {
        let values = TensorBuffer::of(tensor).unwrap();
        let size = values.values() as u64 * 4;
        let out = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let module = gpu
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(TENFOLD.into()),
            });
        let pipeline = gpu
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: None,
                compilation_options: Default::default(),
                cache: None,
            });
        let part = wgpu::BufferBinding {
            buffer: values.buffer(),
            offset: values.offset(),
            size: std::num::NonZeroU64::new(size),
        };
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::Buffer(part)),
                entry(1, out.as_entire_binding()),
            ],
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(values.values().div_ceil(64) as u32, 1, 1);
        }
        gpu.queue.submit([encoder.finish()]);
        bytemuck::cast_slice(&read_bytes(&gpu.device, &gpu.queue, &out)).to_vec()
    }

    #[test]
    fn burn_computes_on_the_windows_device_and_other_passes_read_its_memory() {
        let gpu = Headless::open().unwrap();
        let device = burn_device(&gpu.shared()).unwrap();
        assert_eq!(burn_device(&gpu.shared()).unwrap(), device, "known twice");
        let other = Headless::open().unwrap();
        assert_ne!(
            burn_device(&other.shared()).unwrap(),
            device,
            "taken for another"
        );
        let values: Vec<f32> = (0..8 * 64).map(|n| n as f32).collect();
        let tensor = Tensor::<2>::from_data(TensorData::new(values, [8, 64]), &device);
        let tensor = tensor * 2.0 + 1.0;
        let meant = |row: usize, column: usize| 10.0 * (2.0 * (row * 64 + column) as f32 + 1.0);
        let found = tenfold(&gpu, tensor.clone());
        assert!((0..512).all(|n| found[n] == meant(n / 64, n % 64)));
        // The same memory each time: nothing is copied.
        let places = [(); 2].map(|()| TensorBuffer::of(tensor.clone()).unwrap());
        assert_eq!(places[0].buffer(), places[1].buffer());
        assert_eq!(places[0].offset(), places[1].offset());
        // Axes in another order, and a part: what counts is the order of the axes.
        let turned = tenfold(&gpu, tensor.clone().transpose());
        assert!((0..512).all(|n| turned[n] == meant(n % 8, n / 8)));
        let part = tenfold(&gpu, tensor.clone().narrow(0, 3, 2));
        assert_eq!(part.len(), 128);
        assert!((0..128).all(|n| part[n] == meant(3 + n / 64, n % 64)));
        // burn goes on with what it had.
        let sum: f32 = tensor.sum().into_scalar();
        assert_eq!(sum, (512 * 511 + 512) as f32);
    }

    #[test]
    fn more_memory_than_there_is_ends_the_work_and_not_the_program() {
        let gpu = Headless::open().unwrap();
        let device = burn_device(&gpu.shared()).unwrap();
        let huge = || TensorBuffer::of(Tensor::<2>::ones([1 << 21, 1 << 10], &device) + 1.0);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(huge));
        let refused = ended.map(|result| result.err().map(|error| error.to_string()));
        let words = refused.unwrap().unwrap();
        assert!(
            words.ends_with("can't allocate buffer of size: 8589934592"),
            "{words}"
        );
        let found = tenfold(&gpu, Tensor::<2>::ones([2, 2], &device) + 1.0);
        assert_eq!(found, [20.0; 4], "the device is as good as before");
    }

    #[test]
    fn errors_of_the_device_do_not_end_the_windows_thread() {
        let gpu = Headless::open().unwrap();
        burn_device(&gpu.shared()).unwrap();
        let fails = |thread: &str| {
            let device = gpu.device.clone();
            let started = std::thread::Builder::new().name(thread.to_owned());
            let wrong = move || {
                // No buffer may be read by the processor and be bound.
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
                drop(device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: 1 << 60,
                    usage,
                    mapped_at_creation: false,
                }));
            };
            started.spawn(wrong).unwrap().join().is_err()
        };
        assert_eq!([fails("main"), fails("compute")], [false, true]);
    }

    #[test]
    fn what_is_not_on_a_graphics_device_is_refused() {
        let tensor = Tensor::<2>::ones([2, 2], &Device::flex());
        assert!(matches!(
            TensorBuffer::of(tensor),
            Err(TensorBufferError::Tensor(_))
        ));
    }
}
