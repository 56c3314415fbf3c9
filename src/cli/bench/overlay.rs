//! `parfocal bench overlay`: a window in memory with a model at work, on a journey that goes round
//! and round: what each frame costs the window's thread, and whether memory keeps still.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Args;

use super::journey::{self, FRAME, FRAMES_A_STEP, Samples, quantile};
use super::parse_size;
use crate::app::command::{CameraMove, Command};
use crate::app::off_screen::OffScreenWindow;
use crate::app::overlay::{DialSet, OverlayCommand, ResetTo};
use crate::app::state::PaneIndex;
use crate::cli::{output, parse};
use crate::geometry::{ScreenPoint, ScreenVector, SlidePoint};
use crate::jobs::live::{ModelChoice, ModelState};
use crate::segment::live::LiveStatus;
use crate::slide::argument::open_argument;

/// Steps of a round.
const STEPS: usize = 16;

/// Rounds until the journey begins anew, each at another place.
const PLACES: usize = 4;

/// The window stands still for so long after each step: the model catches up, or not.
const PAUSE: Duration = Duration::from_millis(700);

/// The model is ready by then, or something is wrong.
const LONGEST_OPENING: Duration = Duration::from_secs(60);

/// Fresh fields that are jumped to before the journey, the model still at work on the one before.
const JUMPS: usize = 12;

/// A field of glass shows nothing, however long one waits.
const LONGEST_FIRST_PX: Duration = Duration::from_secs(3);

/// Turns of a dial over a field that stands still.
const TURNS: usize = 6;

/// A field at 10x is analysed by then, or something is wrong.
const LONGEST_FIELD: Duration = Duration::from_secs(180);

/// Part of the run after which memory is expected to keep still.
const WARM_UP: f64 = 0.4;

/// Measure the window with a model at work: cost of frames, latency of dials, memory.
#[derive(Debug, Args)]
pub struct OverlayArgs {
    /// The slide.
    #[arg(value_name = "SLIDE", default_value = "phantom:breast?seed=1", value_parser = parse::slide())]
    slide: PathBuf,
    /// Which model: breast, brain, or a decoder's weights file.
    #[arg(long, value_name = "NAME|FILE", default_value = "breast")]
    model: String,
    /// How long the journey goes on.
    #[arg(long, default_value_t = 1.0, value_parser = parse::within(0.05, 600.0), allow_negative_numbers = true)]
    minutes: f32,
    /// Size of the window in px.
    #[arg(long, value_name = "WxH", default_value = "1280x800", value_parser = parse_size)]
    size: [u32; 2],
    /// Print JSON on stdout instead of words.
    #[arg(long)]
    json: bool,
}

/// What a journey with the overlay on showed.
#[derive(Debug, Clone, serde::Serialize)]
struct OverlayResult {
    /// What draws.
    adapter: String,
    /// Processors.
    cores: usize,
    /// Window, px.
    window_px: [u32; 2],
    /// Frames drawn.
    frames: usize,
    /// Of these, while the model was at work.
    busy_frames: usize,
    /// Processor time of the window's thread a frame, ms: median.
    frame_cpu_p50_ms: f64,
    /// The same, 99th percentile.
    frame_cpu_p99_ms: f64,
    /// The same, of the frames while the model was at work.
    busy_frame_cpu_p99_ms: f64,
    /// A whole frame until the adapter is done, median, ms.
    frame_p50_ms: f64,
    /// From a turn of a dial over a field at 10x that stands still to all of it, median and
    /// longest, ms.
    turn_p50_ms: f64,
    turn_max_ms: f64,
    /// From the jump to that field, the model still at work on the one before, to all of it, ms.
    field_ms: f64,
    /// Of that, encoding and decoding by the model's mean for a tile, ms.
    full_ms: f64,
    /// Dials that were turned and let go on the journey.
    turns: usize,
    /// From a jump to a fresh field to the frame that shows its first tile, median and longest, ms.
    first_px_p50_ms: f64,
    first_px_max_ms: f64,
    /// A tile encoded and decoded, median of those jumps, ms.
    tile_ms: f64,
    /// Tiles encoded and decoded.
    encoded: u64,
    decoded: u64,
    /// Resident memory in the first and the last quarter of the time after the warm-up, medians,
    /// MiB; none where the system does not tell.
    memory_first_mib: Option<f64>,
    memory_last_mib: Option<f64>,
    /// The last over the first, less one.
    memory_growth: Option<f64>,
}

#[derive(Default)]
struct Measured {
    samples: Samples,
    busy_cpu: Vec<f64>,
    turn_ms: Vec<f64>,
    field_ms: f64,
    full_ms: f64,
    turns: usize,
    first_px_ms: Vec<f64>,
    tile_ms: Vec<f64>,
    /// Seconds since the start and resident MiB.
    memory: Vec<(f64, f64)>,
}

/// Runs the journey and prints what it showed.
///
/// # Errors
/// When the slide or the model can't be opened or there is no graphics adapter.
pub fn run(args: &OverlayArgs) -> anyhow::Result<()> {
    // Told once and here, not by the window.
    open_argument(&args.slide)?;
    let mut window = journey::open(&args.slide, args.size, &mut Samples::default())?;
    open_model(&mut window, &args.model)?;
    let mut measured = Measured::default();
    let mut jumped = Instant::now();
    for jump in 0..JUMPS {
        jumped = Instant::now();
        jump_to(&mut window, jump, &mut measured)?;
    }
    until(&mut window, |status| status.waiting == 0)?;
    measured.field_ms = jumped.elapsed().as_secs_f64() * 1e3;
    turn_dials(&mut window, &mut measured)?;
    let started = Instant::now();
    let length = Duration::from_secs_f64(f64::from(args.minutes) * 60.0);
    let mut step = 0;
    while started.elapsed() < length {
        travel(&mut window, step, &started, &mut measured)?;
        step += 1;
    }
    let result = measured.result(&window, args.size, length.as_secs_f64());
    match args.json {
        true => output::print(&format!("{}\n", serde_json::to_string_pretty(&result)?)),
        false => output::print(&words(&result)),
    }
}

fn open_model(window: &mut OffScreenWindow, name: &str) -> anyhow::Result<()> {
    let choice = ModelChoice::named(name);
    window
        .app
        .command(Command::Overlay(OverlayCommand::OpenModel(choice)));
    let started = Instant::now();
    loop {
        window.frame(FRAME)?;
        match &window.app.state().overlay.model {
            Some(ModelState::Ready(_)) => return Ok(()),
            Some(ModelState::Failed(reason)) => bail!("{name} can't be used: {reason}"),
            _ => {}
        }
        ensure!(started.elapsed() < LONGEST_OPENING, "{name} does not open");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// To a fresh field at 10x, until its first tile is drawn.
fn jump_to(
    window: &mut OffScreenWindow,
    jump: usize,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    // Steps of two irrational shares fall on no place twice.
    let share = |step: f64| (jump as f64 * step).fract();
    let at = within(window, [share(0.618_034), share(0.414_214)]);
    let moves = [CameraMove::CenterOn(at), CameraMove::Magnification(10.0)];
    for step in moves {
        window.command(Command::Camera(PaneIndex::First, step));
    }
    let started = Instant::now();
    while started.elapsed() < LONGEST_FIRST_PX {
        draw_if_due(window)?;
        let overlay = &window.app.state().overlay;
        // Areas are of the field that is seen now, and told before the frame was drawn.
        let areas = overlay.areas.now.as_ref();
        if areas.is_some_and(|areas| areas.field_mm2.iter().any(|mm2| *mm2 > 0.0)) {
            measured
                .first_px_ms
                .push(started.elapsed().as_secs_f64() * 1e3);
            measured.tile_ms.push(1e3 / overlay.status.tiles_per_s);
            break;
        }
    }
    Ok(())
}

/// Dials over a field that is known, one after the other, each until all of the field shows it.
fn turn_dials(window: &mut OffScreenWindow, measured: &mut Measured) -> anyhow::Result<()> {
    for turn in 0..TURNS {
        let turned = OverlayCommand::Turn {
            dials: DialSet::Bias,
            class: turn % 2,
            to: 1.0 + turn as f32 * 0.3,
            held: false,
        };
        let before = window.app.state().overlay.status.turn_s;
        window.command(Command::Overlay(turned));
        let began = Instant::now();
        until(window, |status| {
            status.waiting == 0 && status.turn_s != before
        })?;
        measured.turn_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let status = &window.app.state().overlay.status;
    measured.full_ms = status.full_s.unwrap_or(f64::NAN) * 1e3;
    let reset = OverlayCommand::Reset(ResetTo::Learned, None);
    window.command(Command::Overlay(reset));
    Ok(())
}

/// One frame where the program asks for one, as a window on a desktop draws; else a short rest.
fn draw_if_due(window: &mut OffScreenWindow) -> anyhow::Result<()> {
    match window.is_frame_due() {
        true => _ = window.frame(FRAME)?,
        false => std::thread::sleep(Duration::from_millis(1)),
    }
    Ok(())
}

/// Frames until the model's status is as wanted.
fn until(
    window: &mut OffScreenWindow,
    is_wanted: impl Fn(&LiveStatus) -> bool,
) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        draw_if_due(window)?;
        if is_wanted(&window.app.state().overlay.status) {
            return Ok(());
        }
        ensure!(
            started.elapsed() < LONGEST_FIELD,
            "the field takes too long"
        );
    }
}

/// One step: a motion over some frames, then still for a while.
fn travel(
    window: &mut OffScreenWindow,
    step: usize,
    started: &Instant,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    for frame in 0..FRAMES_A_STEP {
        for command in commands(window, step, frame) {
            measured.turns += usize::from(command == Command::Overlay(OverlayCommand::LetGo));
            window.app.command(command);
        }
        draw(window, measured)?;
    }
    let still = Instant::now();
    while still.elapsed() < PAUSE {
        draw(window, measured)?;
    }
    if let Some(mib) = resident_mib() {
        measured.memory.push((started.elapsed().as_secs_f64(), mib));
    }
    Ok(())
}

/// One frame at the pace of a screen.
fn draw(window: &mut OffScreenWindow, measured: &mut Measured) -> anyhow::Result<()> {
    let started = Instant::now();
    let cost = window.frame(FRAME)?;
    let cpu_ms = cost.ui_cpu.as_secs_f64() * 1e3;
    measured
        .samples
        .whole
        .push(started.elapsed().as_secs_f64() * 1e3);
    measured.samples.cpu.push(cpu_ms);
    let status = &window.app.state().overlay.status;
    if status.waiting > 0 {
        measured.busy_cpu.push(cpu_ms);
    }
    std::thread::sleep(FRAME.saturating_sub(started.elapsed()));
    Ok(())
}

/// A round: to a place, at 10x about it, a dial, in to 40x and about, a dial, and out again.
fn commands(window: &OffScreenWindow, step: usize, frame: u32) -> Vec<Command> {
    let (round, step) = (step / STEPS % PLACES, step % STEPS);
    let first = frame == 0;
    let per_frame = 1.0 / f64::from(FRAMES_A_STEP);
    let camera = |step: CameraMove| vec![Command::Camera(PaneIndex::First, step)];
    let Some(view) = window.app.state().view(PaneIndex::First) else {
        return Vec::new();
    };
    let [width, height] = [view.size.width, view.size.height];
    let middle = ScreenPoint::new(width / 2.0, height / 2.0);
    let drag = |share: f64| {
        let direction = f64::from(step as u32) * 1.9;
        let by = ScreenVector::new(direction.cos() * width, direction.sin() * height);
        camera(CameraMove::Drag(by * (share * per_frame)))
    };
    match step {
        0 if first => camera(CameraMove::CenterOn(place(window, round))),
        1 if first => camera(CameraMove::Magnification(10.0)),
        2..5 => drag(0.3),
        5 | 11 => turn(round, frame),
        6..8 => camera(CameraMove::ZoomAbout(middle, 2.0_f64.powf(per_frame))),
        8..11 => drag(0.25),
        12..14 => camera(CameraMove::ZoomAbout(middle, 0.5_f64.powf(per_frame))),
        14 => camera(CameraMove::Rotate(0.2 * per_frame)),
        15 if first => vec![
            Command::Overlay(OverlayCommand::Reset(ResetTo::Learned, None)),
            Command::Camera(PaneIndex::First, CameraMove::Upright),
        ],
        _ => Vec::new(),
    }
}

/// A hand that turns the dial of the first or second class and lets it go.
fn turn(round: usize, frame: u32) -> Vec<Command> {
    let class = round % 2;
    let to = 0.4 * (frame + 1) as f32;
    let turned = OverlayCommand::Turn {
        dials: DialSet::Bias,
        class,
        to,
        held: true,
    };
    let mut commands = vec![Command::Overlay(turned)];
    if frame + 1 == FRAMES_A_STEP {
        commands.push(Command::Overlay(OverlayCommand::LetGo));
    }
    commands
}

/// Places spread over the middle of the slide.
fn place(window: &OffScreenWindow, round: usize) -> SlidePoint {
    let share = |k: usize| ((round * k) % PLACES) as f64 / PLACES as f64;
    within(window, [share(1), share(3)])
}

/// A place in the middle of the slide, by shares of its width and height.
fn within(window: &OffScreenWindow, shares: [f64; 2]) -> SlidePoint {
    let pane = window.app.state().pane(PaneIndex::First);
    let Some(slide) = &pane.slide else {
        return SlidePoint::origin();
    };
    let content = slide.source.info().content();
    let [x, y] = shares.map(|share| 0.3 + 0.4 * share);
    content.min + euclid::vec2(content.width() * x, content.height() * y)
}

impl Measured {
    fn result(
        mut self,
        window: &OffScreenWindow,
        window_px: [u32; 2],
        length_s: f64,
    ) -> OverlayResult {
        let status = &window.app.state().overlay.status;
        let rest_s = length_s * (1.0 - WARM_UP);
        let quarter = |from: f64| {
            let (from_s, to_s) = (
                length_s * WARM_UP + rest_s * from,
                length_s * WARM_UP + rest_s * (from + 0.25),
            );
            let within = self
                .memory
                .iter()
                .filter(|(at, _)| (from_s..to_s).contains(at));
            let mut mib: Vec<f64> = within.map(|(_, mib)| *mib).collect();
            (!mib.is_empty()).then(|| quantile(&mut mib, 0.5))
        };
        let (first, last) = (quarter(0.0), quarter(0.75));
        OverlayResult {
            adapter: window.adapter(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            window_px,
            frames: self.samples.cpu.len(),
            busy_frames: self.busy_cpu.len(),
            frame_cpu_p50_ms: quantile(&mut self.samples.cpu, 0.5),
            frame_cpu_p99_ms: quantile(&mut self.samples.cpu, 0.99),
            busy_frame_cpu_p99_ms: quantile(&mut self.busy_cpu, 0.99),
            frame_p50_ms: quantile(&mut self.samples.whole, 0.5),
            turns: self.turns,
            turn_p50_ms: quantile(&mut self.turn_ms, 0.5),
            turn_max_ms: quantile(&mut self.turn_ms, 1.0),
            field_ms: self.field_ms,
            full_ms: self.full_ms,
            first_px_p50_ms: quantile(&mut self.first_px_ms, 0.5),
            first_px_max_ms: quantile(&mut self.first_px_ms, 1.0),
            tile_ms: quantile(&mut self.tile_ms, 0.5),
            encoded: status.encoded,
            decoded: status.decoded,
            memory_first_mib: first,
            memory_last_mib: last,
            memory_growth: first.zip(last).map(|(first, last)| last / first - 1.0),
        }
    }
}

fn words(result: &OverlayResult) -> String {
    let OverlayResult {
        adapter,
        cores,
        window_px: [width, height],
        ..
    } = result;
    let memory = match (result.memory_first_mib, result.memory_last_mib) {
        (Some(first), Some(last)) => format!(
            "{first:.0} MiB, then {last:.0} MiB: {:+.1} %",
            (last / first - 1.0) * 100.0
        ),
        _ => "not told by the system, or too short a run".to_owned(),
    };
    format!(
        "{adapter} on {cores} cores, window {width}x{height} px\n\
         frames           {:8}, {} of them while the model was at work\n\
         window thread    {:8.2} ms p50 {:8.2} ms p99 per frame, {:.2} ms p99 at work\n\
         whole frame      {:8.1} ms p50\n\
         a dial           {:8.0} ms p50 {:8.0} ms at most until all of a still field shows it\n\
         all of that field{:8.0} ms from the jump to it, {:.0} ms of encoding and decoding\n\
         first tile       {:8.0} ms p50 {:8.0} ms at most after a jump, a tile takes {:.0} ms\n\
         tiles            {:8} encoded, {} decoded\n\
         memory           {memory}\n",
        result.frames,
        result.busy_frames,
        result.frame_cpu_p50_ms,
        result.frame_cpu_p99_ms,
        result.busy_frame_cpu_p99_ms,
        result.frame_p50_ms,
        result.turn_p50_ms,
        result.turn_max_ms,
        result.field_ms,
        result.full_ms,
        result.first_px_p50_ms,
        result.first_px_max_ms,
        result.tile_ms,
        result.encoded,
        result.decoded,
    )
}

/// Resident memory of the process, where the system keeps it in `/proc`.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
