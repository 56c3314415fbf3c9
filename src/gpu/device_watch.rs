//! Learning that the graphics device is gone.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The smallest write that there is, bytes.
const PROBE_BYTES: u64 = wgpu::COPY_BUFFER_ALIGNMENT;

/// Looks out for the loss of a device: by a driver that was reset or hung, a card that went away.
///
/// wgpu tells of it once, to whoever registered last; a model that computes on the same device does
/// so too. Whether the device still takes work is therefore asked for as well.
pub struct DeviceWatch {
    reason: Arc<OnceLock<String>>,
    queue: wgpu::Queue,
    probe: wgpu::Buffer,
}

impl DeviceWatch {
    /// Watches a device. `wake` is called when it is lost, from whatever thread finds out; it must
    /// not use the device.
    ///
    /// Errors that nobody caught end up in the log: wgpu's own handler would end the program.
    pub fn start(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        wake: impl Fn() + Send + 'static,
    ) -> Self {
        let reason = Arc::new(OnceLock::new());
        let noted = Arc::clone(&reason);
        device.set_device_lost_callback(move |kind, message| {
            // The first reason is the one that counts.
            let _ = noted.set(words(kind, &message));
            wake();
        });
        let (noted, told) = (Arc::clone(&reason), AtomicBool::new(false));
        device.on_uncaptured_error(Arc::new(move |error| {
            // A lost device fails at everything, and a fault in a picture comes with each picture.
            match noted.get().is_some() || told.swap(true, Ordering::Relaxed) {
                true => tracing::debug!("the graphics device refuses: {error}"),
                false => tracing::error!("the graphics device refuses: {error}"),
            }
        }));
        let probe = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("probe"),
            size: PROBE_BYTES,
            usage: wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            reason,
            queue: queue.clone(),
            probe,
        }
    }

    /// Why the device is lost; `None` while it works. Asks it, which takes some microseconds.
    pub fn lost(&self) -> Option<String> {
        if self.reason.get().is_none() && self.takes_work() {
            return None;
        }
        let reason = self.reason.get().cloned();
        Some(reason.unwrap_or_else(|| NO_REASON.to_owned()))
    }

    /// A device that is lost has no memory to write to.
    fn takes_work(&self) -> bool {
        let size = NonZeroU64::new(PROBE_BYTES);
        size.is_none_or(|size| self.queue.write_buffer_with(&self.probe, 0, size).is_some())
    }
}

const NO_REASON: &str = "the driver gave no reason";

fn words(kind: wgpu::DeviceLostReason, message: &str) -> String {
    match (kind, message.trim()) {
        (wgpu::DeviceLostReason::Destroyed, "") => "it was given up".to_owned(),
        (_, "") => NO_REASON.to_owned(),
        (_, message) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::gpu::device::Headless;

    #[test]
    fn a_destroyed_device_is_noticed_with_and_without_its_callback() {
        let Ok(gpu) = Headless::open() else {
            _ = writeln!(std::io::stderr(), "skipped: no graphics adapter");
            return;
        };
        let woken = Arc::new(AtomicBool::new(false));
        let wake = Arc::clone(&woken);
        let watch = DeviceWatch::start(&gpu.device, &gpu.queue, move || {
            wake.store(true, Ordering::SeqCst);
        });
        assert_eq!(watch.lost(), None);
        gpu.device.destroy();
        assert_eq!(watch.lost().as_deref(), Some(NO_REASON));
        // Its end is told when somebody looks after its work. What is asked of it then does not
        // end the program.
        let _ = gpu.device.poll(wgpu::PollType::wait_indefinitely());
        assert!(woken.load(Ordering::SeqCst));
        assert_eq!(watch.lost().as_deref(), Some("it was given up"));
        let size = NonZeroU64::MIN.saturating_add(3);
        assert!(gpu.queue.write_buffer_with(&watch.probe, 0, size).is_none());
        gpu.queue.write_buffer(&watch.probe, 2, &[0; 4]);
    }
}
