//! A scripted journey of 60 steps in a window in memory: time to a sharp picture, and what each
//! frame costs the window's thread.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::app::command::{CameraMove, Command, Layout};
use crate::app::off_screen::OffScreenWindow;
use crate::app::state::{Pane, PaneIndex};
use crate::app::{AppOptions, LogBuffer};
use crate::geometry::{ScreenPoint, ScreenVector, SlidePoint};

/// Steps of the journey.
pub const STEPS: usize = 60;

/// Frames over which one step moves.
pub(super) const FRAMES_A_STEP: u32 = 8;

/// Pace of the frames.
pub(super) const FRAME: Duration = Duration::from_micros(16_667);

/// A picture that is not sharp by then counts as this.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What one slide's journeys showed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct JourneyResult {
    /// The slide's name.
    pub slide: String,
    /// What draws.
    #[serde(skip)]
    pub adapter: String,
    /// From the command to open to the first sharp picture, ms.
    pub open_to_sharp_ms: f64,
    /// From the end of a step's motion to a sharp picture, median over steps, ms.
    pub sharp_p50_ms: f64,
    /// The same, 95th percentile, ms.
    pub sharp_p95_ms: f64,
    /// Processor time of the window's thread per frame, median, ms.
    pub frame_cpu_p50_ms: f64,
    /// The same, 99th percentile, ms.
    pub frame_cpu_p99_ms: f64,
    /// A whole frame until the adapter is done, median, ms: what a step waits for at least.
    pub frame_p50_ms: f64,
    /// Share of frames after the first picture in which a visible part of the slide had no tile.
    pub frames_with_hole: f64,
    /// Frames drawn.
    pub frames: usize,
    /// Tiles read for each step, mean.
    pub tiles_per_step: f64,
}

/// What is measured on the way, ms.
#[derive(Default)]
pub(super) struct Samples {
    open: Vec<f64>,
    sharp: Vec<f64>,
    /// Of every frame: processor time of the window's thread.
    pub cpu: Vec<f64>,
    /// Of every frame: all of it, until the adapter is done.
    pub whole: Vec<f64>,
    holes: usize,
    tiles: u64,
}

/// Makes the journey `repeats` times, each in a new window with empty caches.
///
/// # Errors
/// When the slide can't be opened or the graphics device fails.
pub fn measure(slide: &Path, size_px: [u32; 2], repeats: u32) -> anyhow::Result<JourneyResult> {
    let mut samples = Samples::default();
    let (mut name, mut adapter) = (String::new(), String::new());
    for _ in 0..repeats {
        let mut window = open(slide, size_px, &mut samples)?;
        let pane = window.app.state().pane(PaneIndex::First);
        name = pane
            .slide
            .as_ref()
            .map(|slide| slide.source.info().name.clone())
            .unwrap_or_default();
        adapter = window.adapter();
        for step in 0..STEPS {
            travel(&mut window, step, &mut samples)?;
        }
        samples.tiles += window.app.state().loader.tiles_read;
    }
    let frames = samples.cpu.len();
    Ok(JourneyResult {
        slide: name,
        adapter,
        open_to_sharp_ms: quantile(&mut samples.open, 0.5),
        sharp_p50_ms: quantile(&mut samples.sharp, 0.5),
        sharp_p95_ms: quantile(&mut samples.sharp, 0.95),
        frame_cpu_p50_ms: quantile(&mut samples.cpu, 0.5),
        frame_cpu_p99_ms: quantile(&mut samples.cpu, 0.99),
        frame_p50_ms: quantile(&mut samples.whole, 0.5),
        frames_with_hole: samples.holes as f64 / frames.max(1) as f64,
        frames,
        tiles_per_step: samples.tiles as f64 / (STEPS as f64 * f64::from(repeats)),
    })
}

/// A new window with empty caches that shows the slide, sharp.
pub(super) fn open(
    slide: &Path,
    size_px: [u32; 2],
    samples: &mut Samples,
) -> anyhow::Result<OffScreenWindow> {
    let options = AppOptions {
        slides: vec![slide.to_path_buf()],
        log: LogBuffer::default(),
        ..Default::default()
    };
    let started = Instant::now();
    let mut window = OffScreenWindow::open(size_px, options)?;
    while window.app.state().pane(PaneIndex::First).opening.is_some() {
        window.frame(FRAME)?;
        std::thread::sleep(Duration::from_millis(2));
    }
    let state = window.app.state();
    let failure = state
        .notice
        .as_ref()
        .map(|notice| notice.text.clone())
        .unwrap_or_default();
    ensure!(state.pane(PaneIndex::First).slide.is_some(), "{failure}");
    let mut unmeasured = Samples::default();
    draw(&mut window, &mut unmeasured)?;
    until_sharp(&mut window, &mut unmeasured)?;
    samples.open.push(started.elapsed().as_secs_f64() * 1e3);
    Ok(window)
}

/// One step: a motion over some frames at the pace of a screen, then still until sharp.
fn travel(window: &mut OffScreenWindow, step: usize, samples: &mut Samples) -> anyhow::Result<()> {
    for frame in 0..FRAMES_A_STEP {
        let started = Instant::now();
        for command in commands(window, step, frame) {
            window.app.command(command);
        }
        draw(window, samples)?;
        std::thread::sleep(FRAME.saturating_sub(started.elapsed()));
    }
    let waited = until_sharp(window, samples)?;
    samples.sharp.push(waited.as_secs_f64() * 1e3);
    Ok(())
}

fn draw(window: &mut OffScreenWindow, samples: &mut Samples) -> anyhow::Result<()> {
    let started = Instant::now();
    let cost = window.frame(FRAME)?;
    samples.whole.push(started.elapsed().as_secs_f64() * 1e3);
    samples.cpu.push(cost.ui_cpu.as_secs_f64() * 1e3);
    let hole = window
        .app
        .state()
        .panes
        .iter()
        .any(|pane| pane.coverage.holes > 0);
    samples.holes += usize::from(hole);
    Ok(())
}

/// Draws frames until every view is sharp; tells how long that took. Nothing, where the last
/// frame of the motion was sharp already.
fn until_sharp(window: &mut OffScreenWindow, samples: &mut Samples) -> anyhow::Result<Duration> {
    let started = Instant::now();
    while !is_sharp(window) && started.elapsed() < LONGEST_WAIT {
        // What a window does between repaints: leave the processor to the readers.
        std::thread::sleep(Duration::from_millis(1));
        draw(window, samples)?;
    }
    Ok(started.elapsed())
}

fn is_sharp(window: &OffScreenWindow) -> bool {
    let shown = |pane: &Pane| pane.coverage.missing == 0 && !pane.coverage.more_to_upload;
    window.app.state().panes.iter().all(shown)
}

/// The script: closing in, strolling at 40x, jumping about, turning, linked views, backing out.
fn commands(window: &OffScreenWindow, step: usize, frame: u32) -> Vec<Command> {
    let first = frame == 0;
    let per_frame = 1.0 / f64::from(FRAMES_A_STEP);
    let camera = |step: CameraMove| vec![Command::Camera(PaneIndex::First, step)];
    let [width, height] = match window.app.state().view(PaneIndex::First) {
        Some(view) => [view.size.width, view.size.height],
        None => return Vec::new(),
    };
    let off_centre = ScreenPoint::new(width * 0.42, height * 0.55);
    match step {
        // Twelve steps of 1.7 times each.
        0..12 => camera(CameraMove::ZoomAbout(off_centre, 1.7_f64.powf(per_frame))),
        12 if first => camera(CameraMove::Magnification(40.0)),
        12..32 => {
            let direction = f64::from(step as u32) * 0.7;
            let by = ScreenVector::new(direction.cos() * width, direction.sin() * height)
                * (0.45 * per_frame);
            camera(CameraMove::Drag(by))
        }
        32..40 if first => camera(CameraMove::CenterOn(place(window, step))),
        40..44 => camera(CameraMove::Rotate(0.35 * per_frame)),
        44 if first => vec![Command::SetLayout(Layout::Linked)],
        45..50 => camera(CameraMove::Drag(ScreenVector::new(
            0.3 * width * per_frame,
            0.1 * height * per_frame,
        ))),
        50 if first => vec![Command::SetLayout(Layout::Single)],
        51..59 => camera(CameraMove::ZoomAbout(off_centre, 0.55_f64.powf(per_frame))),
        59 if first => camera(CameraMove::Fit),
        _ => Vec::new(),
    }
}

/// Eight places spread over the middle of the slide.
fn place(window: &OffScreenWindow, step: usize) -> SlidePoint {
    let pane = window.app.state().pane(PaneIndex::First);
    let Some(slide) = &pane.slide else {
        return SlidePoint::origin();
    };
    let content = slide.source.info().content();
    let share = |k: usize| 0.25 + 0.5 * ((step * k) % 8) as f64 / 8.0;
    content.min + euclid::vec2(content.width() * share(3), content.height() * share(5))
}

/// The `q` quantile of `values` by nearest rank; NaN of nothing.
pub(super) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * q).ceil() as usize;
    values
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}
