//! A test window with the whole program in it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use parfocal::annotate::Store;
use parfocal::app::command::{Command, Layout};
use parfocal::app::state::PaneIndex;
use parfocal::app::{App, AppOptions, Gpu};
use parfocal::gpu::device::{self, WindowDevice};

use crate::{FIRST, shared_data};

/// A test window; the program starts with its first frame.
pub struct Window {
    pub harness: Harness<'static, Option<App>>,
    _folder: tempfile::TempDir,
}

impl Window {
    pub fn open(slides: Vec<PathBuf>, folder: tempfile::TempDir) -> Self {
        Self::open_at(1.0, slides, folder)
    }

    pub fn open_at(px_per_point: f32, slides: Vec<PathBuf>, folder: tempfile::TempDir) -> Self {
        Self::open_keeping(px_per_point, slides, folder, None)
    }

    pub fn open_keeping(
        px_per_point: f32,
        slides: Vec<PathBuf>,
        folder: tempfile::TempDir,
        store: Option<Store>,
    ) -> Self {
        let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
        setup.device_descriptor = std::sync::Arc::new(device::descriptor);
        let setup = egui_wgpu::WgpuSetup::CreateNew(setup);
        let render_state = egui_kittest::wgpu::create_render_state(setup, Default::default());
        let gpu = Gpu {
            adapter: "test".into(),
            is_real: false,
            shared: WindowDevice {
                instance: render_state.instance.clone(),
                adapter: render_state.adapter.clone(),
                device: render_state.device.clone(),
                queue: render_state.queue.clone(),
            },
            format: render_state.target_format,
        };
        let mut options = Some(AppOptions {
            slides,
            store,
            ..Default::default()
        });
        let harness = Harness::builder()
            .with_size(egui::vec2(1100.0, 600.0))
            .with_pixels_per_point(px_per_point)
            .renderer(egui_kittest::wgpu::WgpuTestRenderer::from_render_state(
                render_state,
            ))
            .build_ui_state(
                move |ui, app: &mut Option<App>| {
                    if let Some(options) = options.take() {
                        *app = Some(App::new(ui.ctx(), Some(gpu.clone()), options).unwrap());
                    }
                    app.as_mut().unwrap().show(ui);
                },
                None,
            );
        Self {
            harness,
            _folder: folder,
        }
    }

    /// A window with a slide that the test makes: 0.25 µm/px, every pixel its own colour.
    pub fn with_made_slide() -> Self {
        Self::with_made_slide_at(1.0)
    }

    pub fn with_made_slide_at(px_per_point: f32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.tif");
        let levels = [(2048, 1536), (512, 384)];
        std::fs::write(&path, shared_data::scaled_tiff(&levels, 64, 40_000, 3)).unwrap();
        let mut window = Self::open_at(px_per_point, vec![path], folder);
        window.until("the slide is sharp", Window::is_sharp);
        window
    }

    pub fn app(&self) -> &App {
        self.harness.state().as_ref().unwrap()
    }

    pub fn is_sharp(&self) -> bool {
        let panes = &self.app().state().panes;
        let sharp = |pane: &parfocal::app::state::Pane| {
            pane.opening.is_none() && pane.coverage.missing == 0 && !pane.coverage.more_to_upload
        };
        panes[0].slide.is_some() && panes.iter().all(sharp)
    }

    /// Sharp, and nothing more is being read ahead.
    pub fn is_at_rest(&self) -> bool {
        self.is_sharp() && self.app().state().loader.waiting == 0
    }

    pub fn ask(&mut self, command: Command) {
        self.harness.state_mut().as_mut().unwrap().command(command);
    }

    pub fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        // Two frames first, so that what was clicked has taken effect.
        self.harness.step();
        self.harness.step();
        while !done(self) {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{what}: not within 30 s"
            );
            self.harness.step();
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.step();
        self.harness.step();
    }

    pub fn um_per_screen_px(&self, pane: PaneIndex) -> f64 {
        let state = self.app().state();
        state.view(pane).unwrap().slide_px_per_screen_px * state.mpp(pane).unwrap().x
    }

    /// The drawn colour at the middle of a pane, and the slide px that is there.
    pub fn middle(&mut self) -> ([u8; 3], (u32, u32)) {
        let picture = self.harness.render().unwrap();
        let label = self.pane_label(FIRST);
        let at = self.harness.get_by_label(&label).rect().center();
        let at = at * self.harness.ctx.pixels_per_point();
        let [r, g, b, _] = picture.get_pixel(at.x as u32, at.y as u32).0;
        let view = *self.app().state().view(FIRST).unwrap();
        ([r, g, b], (view.center.x as u32, view.center.y as u32))
    }

    pub fn pane_label(&self, pane: PaneIndex) -> String {
        let state = self.app().state();
        let side = match (state.layout, pane) {
            (Layout::Single, _) => "View",
            (_, PaneIndex::First) => "Left view",
            (_, PaneIndex::Second) => "Right view",
        };
        format!(
            "{side}: {}",
            state.pane(pane).slide.as_ref().unwrap().source.info().name
        )
    }
}
