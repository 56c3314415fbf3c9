//! One wgpu device, shared by egui, the viewport and the model.

use anyhow::Context as _;

/// What the device is asked for: all that the adapter has, because a model's kernels need limits
/// and features (subgroups, timestamps, large buffers) that egui's defaults leave out. Mappable
/// primary buffers are left out: on discrete GPUs they are a trap for performance.
pub fn descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    // Experimental features may only be asked for by those who accept undefined behaviour.
    let unwanted =
        wgpu::Features::MAPPABLE_PRIMARY_BUFFERS | wgpu::Features::all_experimental_mask();
    wgpu::DeviceDescriptor {
        label: Some("parfocal"),
        required_features: adapter.features().difference(unwanted),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::Performance,
        ..Default::default()
    }
}

/// Whether pictures are drawn by the processor rather than by a graphics card.
pub fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

/// The adapter in words, for the status bar and `parfocal bench`.
pub fn describe(info: &wgpu::AdapterInfo) -> String {
    let kind = if is_software(info) { ", software" } else { "" };
    format!("{} ({}{kind})", info.name, info.backend)
}

/// The handles of a device that several parts of the program use at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowDevice {
    /// Where the adapter came from.
    pub instance: wgpu::Instance,
    /// Where the device came from.
    pub adapter: wgpu::Adapter,
    /// The device.
    pub device: wgpu::Device,
    /// Its only queue: what is handed in first is done first, whoever hands it in.
    pub queue: wgpu::Queue,
}

/// A device without a window.
pub struct Headless {
    /// Where the adapter came from.
    pub instance: wgpu::Instance,
    /// Where the device came from.
    pub adapter: wgpu::Adapter,
    /// The device.
    pub device: wgpu::Device,
    /// Its only queue.
    pub queue: wgpu::Queue,
}

impl Headless {
    /// The same handles, as a window would hand them on.
    pub fn shared(&self) -> WindowDevice {
        WindowDevice {
            instance: self.instance.clone(),
            adapter: self.adapter.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
        }
    }

    /// Opens the best adapter there is, a software one if need be.
    ///
    /// # Errors
    /// When there is no adapter at all or it refuses the device.
    pub fn open() -> anyhow::Result<Self> {
        let mut instance = wgpu::InstanceDescriptor::new_without_display_handle();
        instance.backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
        let instance = wgpu::Instance::new(instance);
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options))
            .context("no graphics adapter answers: install a driver (on Debian and Ubuntu, mesa-vulkan-drivers draws on the processor)")?;
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor(&adapter)))
            .context("the graphics adapter refuses a device")?;
        Ok(Self {
            instance,
            adapter,
            device,
            queue,
        })
    }
}
