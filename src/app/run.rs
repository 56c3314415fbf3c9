//! Starting the window.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;

use crate::gpu::overlay::OverlayRenderer;
use crate::gpu::{SlideRenderer, device};
use crate::slide::argument::DEMO;
use crate::tiles::loader::default_readers;
use crate::tiles::{LoaderStatus, TileLoader, cache};

use super::command::{Layout, Panel};
use super::log::LogBuffer;
use super::opening::Background;
use super::overlay::OverlayState;
use super::session::Session;
use super::settings::Settings;
use super::state::{AppState, Fields, Notice, PaneIndex};
use super::storage::{Loaded, Saver};
use super::{App, Gpu, theme};

/// What a window starts with.
#[derive(Default)]
pub struct AppOptions {
    /// Slides to open: none opens nothing, two open side by side.
    pub slides: Vec<PathBuf>,
    /// What the user chose.
    pub settings: Settings,
    /// What is remembered.
    pub session: Session,
    /// Said on top of the first view.
    pub notice: Option<Notice>,
    /// Where settings and session are kept; `None` keeps nothing, as tests want it.
    pub saver: Option<Saver>,
    /// Messages so far.
    pub log: LogBuffer,
}

impl App {
    /// Starts in a window, on the device that the window draws with.
    ///
    /// # Errors
    /// When the reader threads can't be started.
    pub fn in_window(
        creation: &eframe::CreationContext<'_>,
        options: AppOptions,
    ) -> anyhow::Result<Self> {
        let gpu = creation.wgpu_render_state.as_ref().map(|state| Gpu {
            adapter: device::describe(&state.adapter.get_info()),
            is_real: !device::is_software(&state.adapter.get_info()),
            device: state.device.clone(),
            queue: state.queue.clone(),
            format: state.target_format,
        });
        Self::new(&creation.egui_ctx, gpu, options)
    }

    /// Starts the readers and opens the slides. Without `gpu` everything works but the picture.
    ///
    /// # Errors
    /// When the reader threads can't be started.
    pub fn new(ctx: &egui::Context, gpu: Option<Gpu>, options: AppOptions) -> anyhow::Result<Self> {
        let AppOptions {
            slides,
            settings,
            session,
            notice,
            saver,
            log,
        } = options;
        theme::install(ctx);
        let limit = settings
            .tile_cache_mib
            .map_or_else(cache::default_limit_bytes, |mib| mib << 20);
        let readers = settings
            .readers
            .unwrap_or_else(default_readers)
            .clamp(1, 16);
        let wake_ctx = ctx.clone();
        let loader =
            TileLoader::start(readers, limit, Box::new(move || wake_ctx.request_repaint()))
                .context("can't start the slide readers")?;
        let adapter = gpu.as_ref().map(|gpu| gpu.adapter.clone());
        let adapter_is_real = gpu.as_ref().is_some_and(|gpu| gpu.is_real);
        let overlay_renderer = gpu.as_ref().map(|gpu| {
            let (device, queue) = (gpu.device.clone(), gpu.queue.clone());
            Arc::new(Mutex::new(OverlayRenderer::new(device, queue, gpu.format)))
        });
        let renderer = gpu.map(|gpu| {
            Arc::new(Mutex::new(SlideRenderer::new(
                gpu.device, gpu.queue, gpu.format,
            )))
        });
        let shown = if settings.minimap {
            HashSet::from([Panel::Minimap])
        } else {
            HashSet::new()
        };
        let state = AppState {
            panes: Default::default(),
            active: PaneIndex::First,
            layout: if slides.len() > 1 {
                Layout::Split
            } else {
                Layout::Single
            },
            display: settings.display,
            settings,
            session,
            shown,
            associated_revealed: false,
            notice,
            loader: LoaderStatus::default(),
            adapter,
            adapter_is_real,
            cursor_rgb: None,
            overlay: OverlayState::default(),
        };
        let mut app = Self {
            ctx: ctx.clone(),
            state,
            fields: Fields::default(),
            log,
            loader,
            renderer,
            overlay_renderer,
            asked_wish: None,
            background: Background::new(ctx.clone()),
            saver,
            thumbnails: Default::default(),
            leader: PaneIndex::First,
            asked: Default::default(),
            next_save: Instant::now(),
            saved: None,
        };
        for (pane, path) in PaneIndex::BOTH.into_iter().zip(slides) {
            app.apply(super::command::Command::Open(pane, path));
        }
        Ok(app)
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn on_exit(&mut self) {
        self.save_now();
    }
}

/// Opens the window and returns when it is closed. Without a slide the built-in demo is shown.
///
/// # Errors
/// When no window can be opened: no display, or no graphics driver.
pub fn run(mut slides: Vec<PathBuf>) -> anyhow::Result<()> {
    let log = super::log::install();
    if slides.is_empty() {
        slides.push(DEMO.into());
    }
    let Loaded {
        settings,
        session,
        notice,
        saver,
    } = super::storage::load();
    let options = AppOptions {
        slides,
        settings,
        session,
        notice,
        saver,
        log,
    };
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Parfocal")
            .with_app_id("parfocal")
            .with_inner_size([1280.0, 860.0])
            .with_min_inner_size([640.0, 420.0]),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: wgpu_options(),
        ..Default::default()
    };
    eframe::run_native(
        "parfocal",
        native,
        Box::new(|creation| Ok(Box::new(App::in_window(creation, options)?))),
    )
    .map_err(|error| anyhow::anyhow!("can't open a window: {}", why_no_window(&error)))
}

/// In words that tell what to do; the libraries' own speak of their source files.
fn why_no_window(error: &eframe::Error) -> String {
    tracing::debug!("no window: {error:?}");
    match error {
        eframe::Error::AppCreation(reason) => reason.to_string(),
        eframe::Error::Wgpu(reason) => format!(
            "no graphics driver answers ({reason}); on Debian and Ubuntu, mesa-vulkan-drivers draws on the processor"
        ),
        _ => "no display answers; on Linux, DISPLAY or WAYLAND_DISPLAY has to name one. \
              `parfocal render` draws without a window"
            .into(),
    }
}

fn wgpu_options() -> egui_wgpu::WgpuConfiguration {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    setup.device_descriptor = Arc::new(device::descriptor);
    egui_wgpu::WgpuConfiguration {
        surface: egui_wgpu::SurfaceConfig::LOW_LATENCY,
        wgpu_setup: egui_wgpu::WgpuSetup::CreateNew(setup),
        ..Default::default()
    }
}
