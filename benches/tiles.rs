//! What the pieces of a frame and of a tile cost. `make bench` runs them all.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use parfocal::app::AppOptions;
use parfocal::app::command::{CameraMove, Command};
use parfocal::app::off_screen::OffScreenWindow;
use parfocal::app::state::PaneIndex;
use parfocal::geometry::{LevelRegion, Mpp, ScreenSize, ScreenVector, SlidePoint, View};
use parfocal::slide::openslide::{BareReader, OpenSlideSource};
use parfocal::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use parfocal::slide::{Rgba, SlideSource};
use parfocal::tiles::reduce::box_average;
use parfocal::tiles::{SlideId, TilePyramid, plan};

/// A 512 px tile of each phantom at 40x, 10x and as an overview.
fn phantom(c: &mut Criterion) {
    let mut group = c.benchmark_group("phantom tile");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for tissue in [Tissue::Brain, Tissue::Breast, Tissue::Colon] {
        let Ok(source) = PhantomSource::new(PhantomSpec::preset(tissue, 7)) else {
            continue;
        };
        for level in [0_usize, 2, 6] {
            let Some(info) = source.info().levels.get(level) else {
                continue;
            };
            let middle = |px: u64| (px / 2) as i64;
            let region = LevelRegion {
                x: middle(info.size_px.0),
                y: middle(info.size_px.1),
                width: 512,
                height: 512,
            };
            group.bench_function(format!("{} level {level}", tissue.name()), |b| {
                b.iter(|| black_box(source.read_region(level, region)));
            });
        }
    }
    group.finish();
}

/// The same 480 px tiles through OpenSlide alone and through `SlideSource`, decoded before: what is
/// added where the decoder does least. `parfocal bench` measures tiles that are decoded afresh.
fn openslide(c: &mut Criterion) {
    let folder =
        std::env::var_os("PARFOCAL_SHARED_DATA").unwrap_or_else(|| "../shared/data".into());
    let path = std::path::Path::new(&folder).join("slides/CMU-1-Small-Region.svs");
    let (Ok(bare), Ok(source)) = (BareReader::open(&path), OpenSlideSource::open(&path)) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let region = |n: usize| LevelRegion {
        x: (n % 4) as i64 * 480,
        y: (n / 4 % 6) as i64 * 480,
        width: 480,
        height: 480,
    };
    let mut group = c.benchmark_group("SVS tile, decoded before");
    let mut turn = 0;
    group.bench_function("OpenSlide", |b| {
        b.iter(|| {
            turn += 1;
            black_box(bare.read(0, region(turn)))
        });
    });
    group.bench_function("SlideSource", |b| {
        b.iter(|| {
            turn += 1;
            black_box(source.read_region(0, region(turn)))
        });
    });
    group.finish();
}

/// Planning for a 4K screen on the demo's pyramid, and averaging one block.
fn frame_parts(c: &mut Criterion) {
    let Ok(source) = PhantomSource::new(PhantomSpec::preset(Tissue::Brain, 7)) else {
        return;
    };
    let pyramid = TilePyramid::new(source.info());
    let view = View {
        center: SlidePoint::new(50_000.0, 40_000.0),
        slide_px_per_screen_px: 1.9,
        rotation_rad: 0.4,
        mirrored: false,
        pixel_aspect: Mpp::square(0.25).map_or(1.0, |mpp| mpp.y / mpp.x),
        size: ScreenSize::new(3840.0, 2160.0),
    };
    c.bench_function("plan a 4K view", |b| {
        b.iter(|| {
            black_box(plan(
                SlideId(0),
                &pyramid,
                &view,
                ScreenVector::new(900.0, 300.0),
            ))
        });
    });
    let block = Rgba::transparent(1024, 1024);
    c.bench_function("average 1024 px by 2", |b| {
        b.iter(|| black_box(box_average(&block, 2)))
    });
}

/// A whole frame of a 1280x800 window at rest, drawn by whatever adapter there is.
fn whole_frame(c: &mut Criterion) {
    let frame = Duration::from_millis(16);
    for (name, magnification) in [("40x", 40.0), ("15x", 15.0)] {
        let options = AppOptions {
            slides: vec!["phantom:brain".into()],
            ..Default::default()
        };
        let Ok(mut window) = OffScreenWindow::open([1280, 800], options) else {
            return;
        };
        let step = CameraMove::Magnification(magnification);
        for _ in 0..200 {
            if window.frame(frame).is_err() {
                return;
            }
            window.app.command(Command::Camera(PaneIndex::First, step));
            let pane = window.app.state().pane(PaneIndex::First);
            if pane.slide.is_some()
                && pane.coverage.missing == 0
                && window.app.state().loader.waiting == 0
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut group = c.benchmark_group("frame of 1280x800 px");
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(4));
        group.bench_function(name, |b| b.iter(|| window.frame(frame).is_ok()));
        group.finish();
    }
}

criterion_group!(benches, frame_parts, whole_frame, openslide, phantom);
criterion_main!(benches);
