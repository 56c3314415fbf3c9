//! The benchmark's figures as a table or as JSON.

use std::io::Write as _;

use super::delivery::DeliveryResult;
use super::journey::JourneyResult;

/// All figures of one run.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// Program version.
    pub version: &'static str,
    /// What draws.
    pub adapter: String,
    /// Processors.
    pub cores: usize,
    /// Window, px.
    pub window_px: [u32; 2],
    /// Tile delivery, one entry a file that OpenSlide reads.
    pub deliveries: Vec<DeliveryResult>,
    /// Journeys, one entry a slide.
    pub journeys: Vec<JourneyResult>,
    /// The most memory that the process has held, MiB; `None` where the system does not tell.
    pub peak_memory_mib: Option<u64>,
}

impl Report {
    /// An empty report.
    pub fn new(window_px: [u32; 2]) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            adapter: String::new(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            window_px,
            deliveries: Vec::new(),
            journeys: Vec::new(),
            peak_memory_mib: None,
        }
    }

    /// Prints to stdout.
    ///
    /// # Errors
    /// When stdout can't be written.
    pub fn print(mut self, json: bool) -> anyhow::Result<()> {
        self.peak_memory_mib = peak_memory_mib();
        let mut out = std::io::stdout().lock();
        if json {
            serde_json::to_writer_pretty(&mut out, &self)?;
            writeln!(out)?;
            return Ok(());
        }
        let [width, height] = self.window_px;
        writeln!(
            out,
            "{} on {} cores, window {width}x{height} px",
            self.adapter, self.cores
        )?;
        for delivery in &self.deliveries {
            let DeliveryResult {
                slide,
                tile_px: (w, h),
                openslide_ms,
                parfocal_ms,
                overhead,
                ..
            } = delivery;
            writeln!(
                out,
                "\n{slide}: tiles of {w}x{h} px\n  OpenSlide {openslide_ms:.2} ms, Parfocal {parfocal_ms:.2} ms: {:+.1} %",
                overhead * 100.0
            )?;
        }
        for journey in &self.journeys {
            writeln!(out, "\n{}", table(journey))?;
        }
        if let Some(mib) = self.peak_memory_mib {
            writeln!(out, "\npeak memory {mib} MiB")?;
        }
        Ok(())
    }
}

fn table(journey: &JourneyResult) -> String {
    format!(
        "{}: {} frames\n  open to sharp    {:8.1} ms\n  step to sharp    {:8.1} ms p50 {:8.1} ms p95\n  \
         window thread    {:8.2} ms p50 {:8.2} ms p99 per frame\n  whole frame      {:8.1} ms p50\n  frames with hole {:8.2} %\n  tiles per step   {:8.1}",
        journey.slide,
        journey.frames,
        journey.open_to_sharp_ms,
        journey.sharp_p50_ms,
        journey.sharp_p95_ms,
        journey.frame_cpu_p50_ms,
        journey.frame_cpu_p99_ms,
        journey.frame_p50_ms,
        journey.frames_with_hole * 100.0,
        journey.tiles_per_step,
    )
}

/// The process's high-water mark of resident memory, where the system keeps one in `/proc`.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}
