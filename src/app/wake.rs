//! Frames that other threads ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A delay after which egui draws one frame. Without any it draws two, which is right where something
/// comes to rest: what a first one finds out too late for its panels is in the second.
const AT_ONCE: Duration = Duration::from_nanos(1);

/// Where the processor draws, tiles of slides wait so long for others to be shown with: every
/// picture takes it from those who read and compute them.
const TOGETHER_SOFTWARE: Duration = Duration::from_millis(100);

/// Asks for frames on behalf of threads that have something new to show.
#[derive(Clone)]
pub struct Waker {
    ctx: egui::Context,
    is_software: Arc<AtomicBool>,
}

impl Waker {
    /// For the window of `ctx`, drawn by a graphics card until something else is told.
    pub fn new(ctx: &egui::Context) -> Self {
        Self {
            ctx: ctx.clone(),
            is_software: Arc::default(),
        }
    }

    /// Whether it is the processor that draws.
    pub fn set_software(&self, is_software: bool) {
        self.is_software.store(is_software, Ordering::Relaxed);
    }

    /// A tile of a slide was read.
    pub fn tile_came(&self) {
        let delay = match self.is_software.load(Ordering::Relaxed) {
            true => TOGETHER_SOFTWARE,
            false => AT_ONCE,
        };
        self.ctx.request_repaint_after(delay);
    }

    /// There is something new at once, and maybe more on its way.
    pub fn wake(&self, more_comes: bool) {
        match more_comes {
            true => self.ctx.request_repaint_after(AT_ONCE),
            false => self.ctx.request_repaint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delays after which frames were asked for, in order, up to rest: what a window would draw.
    fn frames(ask: impl Fn(&Waker), is_software: bool) -> Vec<Duration> {
        let ctx = egui::Context::default();
        // The first frames are egui's own.
        for _ in 0..4 {
            let _ = ctx.run_ui(egui::RawInput::default(), |_| {});
        }
        let waker = Waker::new(&ctx);
        waker.set_software(is_software);
        ask(&waker);
        let mut delays = Vec::new();
        while ctx.has_requested_repaint() && delays.len() < 9 {
            let output = ctx.run_ui(egui::RawInput::default(), |_| {});
            let root = &output.viewport_output[&egui::ViewportId::ROOT];
            delays.push(root.repaint_delay);
        }
        delays
    }

    #[test]
    fn one_frame_while_more_comes_and_two_at_rest() {
        assert_eq!(frames(|_| {}, false).len(), 0);
        assert_eq!(frames(|waker| waker.wake(true), false).len(), 1);
        assert_eq!(frames(|waker| waker.wake(false), false).len(), 2);
        let tiles = |waker: &Waker| (0..5).for_each(|_| waker.tile_came());
        for is_software in [false, true] {
            assert_eq!(frames(tiles, is_software).len(), 1, "{is_software}");
        }
    }
}
