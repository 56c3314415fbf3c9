//! What computes: a graphics card through wgpu, or the processor.

use burn::tensor::{Device, DeviceKind};
use clap::ValueEnum;

use crate::gpu::device;
use crate::jobs::live::DeviceWish;

/// The user's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A real graphics card where there is one, else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// Whatever adapter wgpu finds, a software one if need be.
    Wgpu,
}

impl DeviceChoice {
    /// The same for a model in the window, which shares the window's device.
    pub fn wish(self) -> DeviceWish {
        match self {
            Self::Auto => DeviceWish::Auto,
            Self::Cpu => DeviceWish::Processor,
            Self::Wgpu => DeviceWish::Window,
        }
    }

    /// The device.
    ///
    /// # Errors
    /// When wgpu is asked for and has no adapter.
    pub fn open(self) -> anyhow::Result<Device> {
        let adapter = || anyhow::Ok(device::Headless::open()?.adapter.get_info());
        let use_wgpu = match self {
            Self::Cpu => false,
            Self::Wgpu => adapter().map(|_| true)?,
            Self::Auto => adapter().is_ok_and(|info| !device::is_software(&info)),
        };
        Ok(match use_wgpu {
            true => Device::wgpu(DeviceKind::DefaultDevice),
            false => Device::flex(),
        })
    }
}
