//! The window: state, commands, one viewport a pane, panels around them.
//!
//! A frame goes one way: events and pointer → commands → state → tiles wanted → scene → paint.

pub mod camera;
pub mod command;
pub mod export;
pub mod file_for;
pub mod keys;
pub mod log;
pub mod marks;
pub mod masks;
pub mod minimap;
pub mod overlay;
pub mod panels;
pub mod review;
pub mod scale_bar;
pub mod session;
pub mod settings;
pub mod similar;
pub mod state;
pub mod storage;
pub mod theme;
pub mod throw;
pub mod undo_order;

mod apply;
mod device;
#[cfg(test)]
mod device_tests;
mod frame;
pub mod off_screen;
mod opening;
mod run;
pub mod viewport;
mod wake;

pub use run::{AppOptions, WindowArgs, run};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::annotate::{Preset, Store, StoreError};
use crate::gpu::device::WindowDevice;
use crate::gpu::overlay::OverlayRenderer;
use crate::gpu::{DeviceWatch, SlideRenderer};
use crate::segment::embedding::EmbeddingWish;
use crate::segment::live::Wish;
use crate::tiles::{SlideId, TileKey, TileLoader};

pub use log::LogBuffer;
use opening::Background;
use state::{AppState, Fields, PaneIndex};
use storage::Saver;
use wake::Waker;

/// The graphics device that the window draws with.
#[derive(Clone)]
pub struct Gpu {
    /// The adapter in words.
    pub adapter: String,
    /// Whether it is a graphics card, not the processor.
    pub is_real: bool,
    /// The device, to be computed on too.
    pub shared: WindowDevice,
    /// Format of the window's pixels.
    pub format: wgpu::TextureFormat,
}

/// The program behind the window. Draws on any egui context, so that tests and the benchmark run
/// the very same code without a window.
pub struct App {
    ctx: egui::Context,
    state: AppState,
    fields: Fields,
    log: LogBuffer,
    loader: TileLoader,
    waker: Waker,
    /// The window's device, to be computed on.
    window_device: Option<WindowDevice>,
    renderer: Option<Arc<Mutex<SlideRenderer>>>,
    overlay_renderer: Option<Arc<Mutex<OverlayRenderer>>>,
    /// Looks out for the loss of the device that both draw on.
    device_watch: Option<DeviceWatch>,
    /// What the model was asked for last.
    asked_wish: Option<Wish>,
    /// What of embeddings it was asked for last.
    /// When the model was asked last.
    asked_at: Instant,
    asked_embeddings: Option<EmbeddingWish>,
    background: Background,
    /// Where a map is to be written once the model is done.
    map_to_write: Option<Arc<export::Writing>>,
    /// Layers of the overlay pass that are no maps of the model's, so far.
    layers_named: u64,
    saver: Option<Saver>,
    /// Where strokes, verdicts, presets and typed scales are kept.
    store: Option<Arc<Store>>,
    /// The presets that are kept, until they are read.
    presets: Option<Receiver<Result<Vec<Preset>, StoreError>>>,
    /// Overviews of the slides, for the minimap.
    thumbnails: HashMap<SlideId, egui::TextureHandle>,
    /// In linked views, the pane whose centre the other one follows.
    leader: PaneIndex,
    /// What each pane asked the readers for last, so that an unmoved view asks nothing again.
    asked: [Vec<TileKey>; 2],
    /// A notice that goes by itself, and when.
    passing: Option<(String, Instant)>,
    next_save: Instant,
    /// What was saved last.
    saved: Option<storage::Saved>,
}

impl App {
    /// What is shown, for tests and the benchmark.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Carries out a command as if a person had asked for it.
    pub fn command(&mut self, command: command::Command) {
        self.apply(command);
    }

    fn with_renderer(&self, act: impl FnOnce(&mut SlideRenderer)) {
        if let Some(renderer) = &self.renderer {
            act(&mut renderer.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
