//! The graphics device under the window: taken, watched, and given up when it is lost. What a person
//! opened, looked at, turned and painted does not depend on it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::marks::MarkCommand;
use super::state::PaneIndex;
use super::{App, Gpu, panels};
use crate::gpu::device::WindowDevice;
use crate::gpu::overlay::OverlayRenderer;
use crate::gpu::{ColourTable, DeviceWatch, SlideRenderer};

impl App {
    /// Draws on a device from now on, or on none. What lies on a device is made anew from what is
    /// in memory, when it is next drawn.
    pub fn draw_on(&mut self, gpu: Option<Gpu>) {
        self.state.adapter = gpu.as_ref().map(|gpu| gpu.adapter.clone());
        self.state.adapter_is_real = gpu.as_ref().is_some_and(|gpu| gpu.is_real);
        let is_software = gpu.as_ref().is_some_and(|gpu| !gpu.is_real);
        self.waker.set_software(is_software);
        self.window_device = gpu.as_ref().map(|gpu| gpu.shared.clone());
        self.asked = Default::default();
        if let Some(gpu) = gpu {
            let WindowDevice { device, queue, .. } = gpu.shared.clone();
            let slides = SlideRenderer::new(device, queue, gpu.format);
            self.renderer = Some(Arc::new(Mutex::new(slides)));
            let overlay = OverlayRenderer::new(gpu.shared, gpu.format);
            self.overlay_renderer = Some(Arc::new(Mutex::new(overlay)));
        }
        self.hand_over_profiles();
        self.move_model();
    }

    /// Looks out for the loss of the device that is drawn on.
    pub fn watch(&mut self, gpu: &Gpu) {
        let ctx = self.ctx.clone();
        let wake = move || ctx.request_repaint();
        self.device_watch = Some(DeviceWatch::start(
            &gpu.shared.device,
            &gpu.shared.queue,
            wake,
        ));
    }

    /// Why the device that is watched can't be drawn on any more; `None` while it can.
    pub fn lost_device(&self) -> Option<String> {
        self.device_watch.as_ref()?.lost()
    }

    /// Gives up a device with all that lies on it. Nothing is drawn until [`Self::draw_on`].
    pub fn leave_device(&mut self) {
        self.let_go();
        self.device_watch = None;
        self.window_device = None;
        self.renderer = None;
        self.overlay_renderer = None;
        self.thumbnails.clear();
        panels::forget_textures(&self.ctx);
        // egui's letters lie there too: it sends them anew when who provides fonts changes. Each
        // window adds the system's fonts again.
        self.ctx.set_font_providers(Vec::new());
    }

    /// Whatever a hand holds: the next window is not told when it lets go.
    fn let_go(&mut self) {
        self.apply_marks(MarkCommand::BrushUp);
        self.state.overlay.dials.let_go();
        self.ctx.input_mut(|input| {
            input.keys_down.clear();
            input.pointer = egui::PointerState::default();
        });
    }

    /// Says that the window is another one, and why.
    pub(super) fn tell_reopened(&mut self, reason: &str, reopen: Reopen) {
        let adapter = self.state.adapter.as_deref().unwrap_or("no adapter");
        let text = match reopen {
            Reopen::OnProcessor => format!(
                "The graphics device was lost again ({reason}). The window was opened anew on \
                 {adapter}: now the processor draws, which is slower. Slides, views, dials and \
                 strokes are as they were."
            ),
            _ => format!(
                "The graphics device was lost ({reason}). The window was opened anew on {adapter}. \
                 Slides, views, dials and strokes are as they were."
            ),
        };
        self.tell_as_well(text);
    }

    /// Shows something on top of what was shown and not dismissed yet.
    pub(super) fn tell_as_well(&mut self, text: String) {
        let earlier = self.state.notice.take();
        self.tell(text, false);
        if let (Some(notice), Some(earlier)) = (&mut self.state.notice, earlier) {
            notice.text = format!("{}\n{}", notice.text, earlier.text);
            notice.is_error = earlier.is_error;
        }
    }

    /// Colour profiles lie on the device as tables; the slides hold what they are made of.
    fn hand_over_profiles(&self) {
        for pane in PaneIndex::BOTH {
            let slide = self.state.pane(pane).slide.as_ref();
            let Some(slide) = slide.filter(|slide| slide.has_profile) else {
                continue;
            };
            let profile = slide.source.info().icc_profile.as_deref();
            if let Some(Ok(table)) = profile.map(ColourTable::from_icc) {
                self.with_renderer(|renderer| renderer.set_profile(slide.id, &table));
            }
        }
    }
}

/// What to do about a lost device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopen {
    /// Open the window on the best adapter there is.
    OnAny,
    /// Open it on an adapter that is the processor.
    OnProcessor,
    /// Stop: it would be lost again.
    GiveUp,
}

/// A device that was lost longer ago than this has nothing to do with the present loss.
const FORGIVEN_AFTER: Duration = Duration::from_secs(300);

/// When devices were lost.
#[derive(Debug, Default)]
pub struct Losses(Vec<Instant>);

impl Losses {
    /// What to do about a loss now: a driver is trusted once, then the processor draws, and at the
    /// third loss in five minutes it is enough.
    pub fn next(&mut self, now: Instant) -> Reopen {
        self.0
            .retain(|lost| now.duration_since(*lost) < FORGIVEN_AFTER);
        self.0.push(now);
        match self.0.len() {
            1 => Reopen::OnAny,
            2 => Reopen::OnProcessor,
            _ => Reopen::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done about losses at these seconds.
    fn after(seconds: &[u64]) -> Vec<Reopen> {
        let (start, mut losses) = (Instant::now(), Losses::default());
        let at = |second: &u64| start + Duration::from_secs(*second);
        seconds
            .iter()
            .map(|second| losses.next(at(second)))
            .collect()
    }

    #[test]
    fn a_device_that_is_lost_over_and_over_is_given_up() {
        use Reopen::{GiveUp, OnAny, OnProcessor};
        assert_eq!(after(&[0, 1, 2]), [OnAny, OnProcessor, GiveUp]);
        assert_eq!(after(&[0, 299, 299]), [OnAny, OnProcessor, GiveUp]);
    }

    #[test]
    fn old_losses_are_forgiven() {
        use Reopen::{OnAny, OnProcessor};
        assert_eq!(after(&[0, 300, 600]), [OnAny; 3]);
        // However long it goes on, never three windows in five minutes.
        let often: Vec<u64> = (0..40).map(|n| n * 151).collect();
        let done = after(&often);
        assert_eq!(done[..2], [OnAny, OnProcessor]);
        assert!(done[1..].iter().all(|reopen| *reopen == OnProcessor));
    }
}
