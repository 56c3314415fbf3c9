//! Starting the window.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::annotate::Store;
use crate::gpu::device::{self, WindowDevice};
use crate::jobs::live::DeviceWish;
use crate::slide::argument::DEMO;
use crate::tiles::loader::default_readers;
use crate::tiles::{LoaderStatus, TileLoader, cache};

use super::command::{Layout, Panel};
use super::device::{Losses, Reopen};
use super::log::LogBuffer;
use super::marks::Marks;
use super::masks::Masks;
use super::opening::Background;
use super::overlay::OverlayState;
use super::review::Review;
use super::session::Session;
use super::settings::Settings;
use super::similar::Similar;
use super::state::{AppState, Fields, Notice, PaneIndex};
use super::storage::{Loaded, Saver};
use super::undo_order::UndoOrder;
use super::wake::Waker;
use super::{App, Gpu, theme};

/// egui may lay a frame out twice, as eframe has it.
const PASSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

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
    /// Where strokes, verdicts, presets and typed scales are kept; without it they last as long as
    /// the program.
    pub store: Option<Store>,
    /// What models compute on.
    pub device_wish: DeviceWish,
    /// Messages so far.
    pub log: LogBuffer,
}

/// What the command line asks of the window.
#[derive(Debug, Clone, Default)]
pub struct WindowArgs {
    /// Slides to open; none opens the built-in demo.
    pub slides: Vec<PathBuf>,
    /// What models compute on.
    pub device_wish: DeviceWish,
    /// For tests: whether F12 has the graphics device fail.
    pub loses_device_by_key: bool,
}

impl App {
    /// Draws on the device of a window, and watches it.
    fn take_device(&mut self, creation: &eframe::CreationContext<'_>) {
        let gpu = creation.wgpu_render_state.as_ref().map(|state| Gpu {
            adapter: device::describe(&state.adapter.get_info()),
            is_real: !device::is_software(&state.adapter.get_info()),
            shared: WindowDevice {
                instance: state.instance.clone(),
                adapter: state.adapter.clone(),
                device: state.device.clone(),
                queue: state.queue.clone(),
            },
            format: state.target_format,
        });
        if let Some(gpu) = &gpu {
            self.watch(gpu);
        }
        self.draw_on(gpu);
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
            store,
            device_wish,
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
        let waker = Waker::new(ctx);
        let of_tiles = waker.clone();
        let wake = Box::new(move || of_tiles.tile_came());
        let loader =
            TileLoader::start(readers, limit, wake).context("can't start the slide readers")?;
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
            dropped: None,
            writing: Vec::new(),
            loader: LoaderStatus::default(),
            adapter: None,
            adapter_is_real: false,
            cursor_rgb: None,
            overlay: OverlayState {
                device_wish,
                ..OverlayState::default()
            },
            marks: Marks::default(),
            masks: Masks::default(),
            review: Review::default(),
            similar: Similar::default(),
            undo_order: UndoOrder::default(),
        };
        let presets = store.as_ref().map(Store::presets);
        let mut app = Self {
            ctx: ctx.clone(),
            state,
            fields: Fields::default(),
            log,
            loader,
            waker,
            window_device: None,
            renderer: None,
            overlay_renderer: None,
            device_watch: None,
            asked_wish: None,
            asked_at: Instant::now(),
            asked_embeddings: None,
            layers_named: 0,
            map_to_write: None,
            background: Background::new(ctx.clone()),
            saver,
            store: store.map(Arc::new),
            presets,
            thumbnails: Default::default(),
            leader: PaneIndex::First,
            asked: Default::default(),
            passing: None,
            next_save: Instant::now(),
            saved: None,
        };
        app.draw_on(gpu);
        for (pane, path) in PaneIndex::BOTH.into_iter().zip(slides) {
            app.apply(super::command::Command::Open(pane, path));
        }
        Ok(app)
    }
}

/// The program in a window of eframe's, which dies with its device; the program does not.
struct Window<'a> {
    app: &'a mut App,
    /// Why the window closes by itself.
    lost: &'a mut Option<String>,
    loses_device_by_key: bool,
}

impl Window<'_> {
    /// Closes the window once its device is lost.
    fn look_after_device(&mut self, ctx: &egui::Context) {
        if self.lost.is_none() {
            *self.lost = self.app.lost_device();
        }
        if self.lost.is_some() {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }
}

impl eframe::App for Window<'_> {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        self.look_after_device(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let asked = ui.input(|input| input.key_pressed(egui::Key::F12));
        if let (true, Some(gpu)) = (asked && self.loses_device_by_key, frame.wgpu_render_state()) {
            gpu.device.destroy();
            self.look_after_device(ui.ctx());
        }
        // On a lost device egui can draw nothing, and must not be given anything to draw.
        if self.lost.is_none() {
            self.app.show(ui);
        }
    }

    fn on_exit(&mut self) {
        self.app.keep_note();
        self.app.save_now();
    }
}

/// Opens the window and returns when it is closed. Without a slide the built-in demo is shown. A
/// window whose device is lost is opened anew, with everything in it, unless that happens too often.
///
/// # Errors
/// When no window can be opened: no display, or no graphics driver; or when its device is lost over
/// and over.
pub fn run(args: WindowArgs) -> anyhow::Result<()> {
    let loses_device_by_key = args.loses_device_by_key;
    let mut app = App::new(&window_context(), None, options(args))?;
    let mut losses = Losses::default();
    let mut reopen = None;
    loop {
        let reason = match open_window(&mut app, reopen.as_ref(), loses_device_by_key) {
            Ok(None) => return Ok(()),
            Ok(Some(reason)) => reason,
            Err(error) if reopen.is_none() => {
                bail!("can't open a window: {}", why_no_window(&error))
            }
            Err(error) => why_no_window(&error),
        };
        tracing::error!("the graphics device was lost: {reason}");
        app.leave_device();
        let next = losses.next(Instant::now());
        if next == Reopen::GiveUp {
            bail!(
                "the graphics device was lost over and over, at last because {reason}: start again, \
                 and update the graphics driver if that does not help. Settings, positions, strokes, \
                 verdicts and presets are kept"
            );
        }
        reopen = Some((reason, next));
    }
}

fn options(args: WindowArgs) -> AppOptions {
    let log = super::log::install();
    let mut slides = args.slides;
    if slides.is_empty() {
        slides.push(DEMO.into());
    }
    let Loaded {
        settings,
        session,
        notice,
        saver,
        store,
    } = super::storage::load();
    AppOptions {
        slides,
        settings,
        session,
        notice,
        saver,
        store,
        device_wish: args.device_wish,
        log,
    }
}

/// A context as eframe makes it; it outlives each window.
fn window_context() -> egui::Context {
    let ctx = egui::Context::default();
    ctx.set_embed_viewports(false);
    ctx.options_mut(|options| options.max_passes = PASSES);
    ctx
}

/// Opens a window and returns when it is closed; with a reason where that was for its device.
fn open_window(
    app: &mut App,
    reopen: Option<&(String, Reopen)>,
    loses_device_by_key: bool,
) -> eframe::Result<Option<String>> {
    let ctx = app.ctx.clone();
    let on_processor = reopen.is_some_and(|(_, reopen)| *reopen == Reopen::OnProcessor);
    let native = eframe::NativeOptions {
        viewport: place_of(&ctx),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: wgpu_options(on_processor),
        ..Default::default()
    };
    let mut lost = None;
    let in_window = &mut lost;
    eframe::run_native_ext(
        "parfocal",
        native,
        Some(ctx),
        Box::new(move |creation| {
            app.take_device(creation);
            if let Some((reason, reopen)) = reopen {
                app.tell_reopened(reason, *reopen);
            }
            Ok(Box::new(Window {
                app,
                lost: in_window,
                loses_device_by_key,
            }))
        }),
    )?;
    Ok(lost)
}

/// Where the window before was and how large, or a first one.
fn place_of(ctx: &egui::Context) -> egui::ViewportBuilder {
    let mut builder = egui::ViewportBuilder::default()
        .with_title("Parfocal")
        .with_app_id("parfocal")
        .with_inner_size([1280.0, 860.0])
        .with_min_inner_size([640.0, 420.0]);
    let before = ctx.input(|input| input.viewport().clone());
    if let Some(inner) = before.inner_rect {
        builder = builder.with_inner_size(inner.size());
    }
    if let Some(outer) = before.outer_rect {
        builder = builder.with_position(outer.min);
    }
    builder.maximized = before.maximized;
    builder.fullscreen = before.fullscreen;
    builder
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

fn wgpu_options(on_processor: bool) -> egui_wgpu::WgpuConfiguration {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    setup.device_descriptor = Arc::new(device::descriptor);
    if on_processor {
        setup.native_adapter_selector = Some(Arc::new(processor_adapter));
    }
    egui_wgpu::WgpuConfiguration {
        surface: egui_wgpu::SurfaceConfig::LOW_LATENCY,
        wgpu_setup: egui_wgpu::WgpuSetup::CreateNew(setup),
        ..Default::default()
    }
}

/// An adapter that draws on the processor, into `surface`.
fn processor_adapter(
    adapters: &[wgpu::Adapter],
    surface: Option<&wgpu::Surface<'_>>,
) -> Result<wgpu::Adapter, String> {
    let draws = |adapter: &&wgpu::Adapter| {
        let fits = surface.is_none_or(|surface| adapter.is_surface_supported(surface));
        fits && device::is_software(&adapter.get_info())
    };
    let found = adapters.iter().find(draws).cloned();
    found.ok_or_else(|| "no driver draws on the processor".to_owned())
}
