//! The child's side: opens one file after the other and reports on standard output.

use std::io::Write;
use std::path::Path;

use parfocal::geometry::LevelRegion;
use parfocal::slide::{SlideSource, open};

use super::{FIRST, JOBS, Job};

const STEP_PX: u32 = 512;

/// Works through the list that the parent names; returns at once where there is none.
pub fn run() {
    let Ok(list) = std::env::var(JOBS) else {
        return;
    };
    let first: usize = std::env::var(FIRST).unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = std::fs::read_to_string(list).unwrap();
    for (index, line) in list.lines().enumerate().skip(first) {
        println!("@begin {index}");
        reset_peak();
        let job = Job::from_line(line);
        let outcome = examine(
            &job.materialise(folder.path()),
            job.max_tiles,
            job.damaged_tile(),
        );
        println!("@end {} {outcome}", peak_kib());
        std::io::stdout().flush().unwrap();
    }
    println!("@done");
}

/// Opens and reads everything, the damaged tile too; an error that is not clear is a panic, which the parent sees.
fn examine(path: &Path, max_tiles: usize, damaged: Option<(usize, LevelRegion)>) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = match open(path) {
        Ok(source) => source,
        Err(error) => {
            assert!(
                error.to_string().contains(name),
                "the file is not named: {error}"
            );
            assert!(error.reason().len() > 10, "no reason: {error}");
            return format!("refused {error}");
        }
    };
    let (mut readable, mut unreadable) = (Vec::new(), 0);
    for (level, tile) in tiles(&*source, max_tiles).into_iter().chain(damaged) {
        match source.read_region(level, tile) {
            Ok(pixels) => {
                assert_eq!(pixels.data.len() as u64, tile.area_px() * 4);
                readable.push((level, tile));
            }
            Err(error) => {
                assert!(
                    error.to_string().contains(name),
                    "the file is not named: {error}"
                );
                unreadable += 1;
            }
        }
    }
    for image in source.info().associated.clone() {
        unreadable += usize::from(source.read_associated(&image.name).is_err());
    }
    if unreadable > 0 {
        // Whatever failed in between, what could be read before can still be read.
        for (level, tile) in [readable.first(), readable.last()].into_iter().flatten() {
            let again = source.read_region(*level, *tile);
            assert!(again.is_ok(), "no longer readable: {tile:?}");
        }
    }
    format!("opened {unreadable}")
}

fn tiles(source: &dyn SlideSource, max_tiles: usize) -> Vec<(usize, LevelRegion)> {
    let mut tiles = Vec::new();
    for (level, info) in source.info().levels.iter().enumerate().take(64) {
        let columns = info.size_px.0.div_ceil(STEP_PX.into());
        let rows = info.size_px.1.div_ceil(STEP_PX.into());
        let count = columns.saturating_mul(rows);
        let taken = count.min(max_tiles as u64);
        for i in 0..taken {
            let index = if taken == count {
                i
            } else {
                (count - 1) / (taken - 1) * i
            };
            let x = (index % columns * u64::from(STEP_PX)) as i64;
            let y = (index / columns * u64::from(STEP_PX)) as i64;
            tiles.push((
                level,
                LevelRegion {
                    x,
                    y,
                    width: STEP_PX,
                    height: STEP_PX,
                },
            ));
        }
    }
    tiles
}

#[cfg(target_os = "linux")]
fn reset_peak() {
    // Not permitted everywhere; then the peak is that of all files so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(target_os = "linux")]
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn reset_peak() {}

#[cfg(not(target_os = "linux"))]
fn peak_kib() -> u64 {
    0
}
