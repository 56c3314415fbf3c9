//! On what the model computes, and how it goes on when that fails.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::jobs::live::{ComputeDevice, DeviceWish, LiveThread, ModelChoice, ModelState};
use crate::segment::live::Limits;

/// The picture is drawn anew at most this often because tiles come.
const TELL_EVERY: Duration = Duration::from_millis(40);

/// Where the processor draws, every picture takes it from the model.
const TELL_EVERY_SOFTWARE: Duration = Duration::from_millis(250);

impl App {
    /// Opens a model as it was trained: dials of another one do not stay.
    pub(super) fn open_model(&mut self, choice: ModelChoice) {
        self.state.overlay.dials_of = None;
        self.state.overlay.shown = true;
        self.start_model(choice);
    }

    /// Has a model computed by what the user wants, anew where it was at work already.
    fn start_model(&mut self, choice: ModelChoice) {
        let waker = self.waker.clone();
        let device = self.compute_device();
        let wake = Box::new(move |more_comes| waker.wake(more_comes));
        let tell_every = match self.state.adapter_is_real {
            true => TELL_EVERY,
            false => TELL_EVERY_SOFTWARE,
        };
        let limits = Limits::default();
        let started = LiveThread::start(choice.clone(), device.clone(), limits, tell_every, wake);
        match started {
            Ok(live) => {
                let overlay = &mut self.state.overlay;
                overlay.live = Some(Arc::new(live));
                overlay.model = Some(ModelState::Opening);
                overlay.device = Some(device);
                overlay.choice = Some(choice);
                self.asked_wish = None;
                self.asked_embeddings = None;
            }
            Err(error) => self.tell_model_failure(&format!("no thread can be started: {error}")),
        }
    }

    /// By the user's wish; else the window's graphics card where it is a real one that did not fail
    /// yet, else the processor.
    fn compute_device(&self) -> ComputeDevice {
        let window = self.window_device.clone().map(ComputeDevice::Window);
        let works = self.state.adapter_is_real && !self.state.overlay.card_failed;
        let window = match self.state.overlay.device_wish {
            DeviceWish::Processor => None,
            DeviceWish::Window => window,
            DeviceWish::Auto => window.filter(|_| works),
        };
        window.unwrap_or(ComputeDevice::Processor)
    }

    /// The window draws on another device: a model that computed on the one that is gone goes on
    /// with its dials.
    pub(in crate::app) fn move_model(&mut self) {
        let overlay = &mut self.state.overlay;
        overlay.card_failed = false;
        let chosen = overlay.choice.clone().filter(|_| overlay.live.is_some());
        let stays = !self.state.overlay.computes_on_card()
            && self.compute_device() == ComputeDevice::Processor;
        if let (Some(choice), false) = (chosen, stays) {
            self.start_model(choice);
        }
    }

    /// A model stopped: the processor goes on with it where a graphics card was chosen by itself.
    pub(in crate::app) fn model_stopped(&mut self, reason: &str) {
        let overlay = &mut self.state.overlay;
        let by_itself = overlay.device_wish == DeviceWish::Auto;
        let retried = overlay.choice.clone();
        match retried.filter(|_| by_itself && overlay.computes_on_card()) {
            Some(choice) => {
                overlay.card_failed = true;
                self.start_model(choice);
                self.tell_as_well(format!(
                    "The graphics card stopped computing: {reason}. The processor goes on with the \
                     model, which is slower; the dials are as they were."
                ));
            }
            None => {
                // Where the processor failed as well, it was not for the card.
                overlay.card_failed = false;
                overlay.live = None;
                self.tell_model_failure(reason);
            }
        }
    }

    fn tell_model_failure(&mut self, reason: &str) {
        let hint = match self.state.overlay.device_wish {
            DeviceWish::Window => " Without --device wgpu the processor computes.",
            DeviceWish::Auto | DeviceWish::Processor => "",
        };
        self.tell(format!("The model can't be used: {reason}{hint}"), true);
    }
}
