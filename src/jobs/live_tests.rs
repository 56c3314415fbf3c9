//! The model's thread, with a shipped model at work.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::live::{ComputeDevice, LiveThread, ModelChoice, ModelState};
use crate::geometry::{SlidePoint, SlideRect, SlideVector};
use crate::gpu::device::Headless;
use crate::model::shipped;
use crate::segment::live::{Analysis, FieldWish, Limits, Wish};
use crate::segment::test_slide::{Painted, pattern};

/// 10x.
const SCALE: u8 = 2;

fn not_late(began: Instant) {
    let in_time = began.elapsed() < Duration::from_secs(60);
    assert!(in_time, "it takes too long");
}

/// Number of classes of a model, once it is open.
fn classes_once_ready(live: &LiveThread) -> usize {
    let began = Instant::now();
    loop {
        not_late(began);
        match live.state() {
            ModelState::Ready(facts) => return facts.card.classes.len(),
            ModelState::Failed(reason) => panic!("{reason}"),
            ModelState::Opening => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// All of a slide at 10x.
fn wish(classes: usize) -> Wish {
    let everywhere = SlideRect::new(SlidePoint::zero(), SlidePoint::new(3201.0, 3203.0));
    Wish {
        fields: vec![FieldWish {
            slide: Arc::new(Painted::new(3201, 3203, Some(0.25), pattern)),
            slide_id: 7,
            analysis: Analysis::Plain(SCALE),
            seen: everywhere,
            center: everywhere.center(),
        }],
        bias: vec![0.0; classes],
        offsets: vec![0.0; classes],
        shown_class: None,
    }
}

#[test]
fn the_first_tile_of_a_field_is_told_at_once_however_seldom_the_rest_is() {
    let choice = ModelChoice::Shipped(shipped::BRAIN.name);
    let (device, seldom) = (ComputeDevice::Processor, Duration::from_secs(3600));
    let live = LiveThread::start(choice, device, Limits::default(), seldom, Box::new(|_| {}));
    let live = live.unwrap();
    let began = Instant::now();
    let classes = classes_once_ready(&live);
    live.ask(wish(classes));
    let first = loop {
        not_late(began);
        let status = live.status();
        if status.encoded > 0 {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(first.encoded, 1);
    assert!(first.waiting > 20, "{} tiles are left", first.waiting);
}

#[test]
fn a_turn_that_is_as_good_as_done_is_told_once() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    let wake = Box::new(move |_| _ = counted.fetch_add(1, Ordering::Relaxed));
    let (choice, device) = (
        ModelChoice::Shipped(shipped::BRAIN.name),
        ComputeDevice::Processor,
    );
    // A turn of a few tiles takes far less, however busy the machine is.
    let seldom = Duration::from_secs(600);
    let live = LiveThread::start(choice, device, Limits::default(), seldom, wake).unwrap();
    let classes = classes_once_ready(&live);
    let mut wish = wish(classes);
    let middle = wish.fields[0].center;
    let by = SlideVector::new(900.0, 900.0);
    wish.fields[0].seen = SlideRect::new(middle - by, middle + by);
    let settle = |wish: &Wish| {
        let (before, began) = (told.load(Ordering::Relaxed), Instant::now());
        live.ask(wish.clone());
        while !live.is_settled() {
            not_late(began);
            std::thread::sleep(Duration::from_millis(1));
        }
        // The last wake comes after what it tells of.
        std::thread::sleep(Duration::from_millis(50));
        told.load(Ordering::Relaxed) - before
    };
    assert_eq!(settle(&wish), 2, "the first px of a field, then all of it");
    let decoded = live.status().decoded;
    wish.bias[1] = 0.5;
    assert_eq!(settle(&wish), 1);
    assert!(live.status().decoded > decoded);
}

#[test]
fn a_device_that_is_lost_while_tiles_wait_ends_its_model_with_a_reason_and_no_other() {
    let gpu = match Headless::open() {
        Ok(gpu) => gpu,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "skipped: {error:#}");
            return;
        }
    };
    let start = |device: ComputeDevice| {
        let choice = ModelChoice::Shipped(shipped::BRAIN.name);
        let limits = Limits::default();
        LiveThread::start(choice, device, limits, Duration::ZERO, Box::new(|_| {})).unwrap()
    };
    let live = start(ComputeDevice::Window(gpu.shared()));
    let classes = classes_once_ready(&live);
    live.ask(wish(classes));
    // The first tile is under way: on a software adapter it takes long.
    std::thread::sleep(Duration::from_millis(300));
    assert!(!live.is_settled());
    gpu.device.destroy();
    let began = Instant::now();
    let reason = loop {
        not_late(began);
        if let ModelState::Failed(reason) = live.state() {
            break reason;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(reason.starts_with("the graphics card"), "{reason}");
    // It takes wishes as before, and another one does what it did not.
    live.ask(wish(classes));
    drop(live);
    let next = start(ComputeDevice::Processor);
    next.ask(wish(classes_once_ready(&next)));
    let began = Instant::now();
    while next.status().encoded == 0 {
        not_late(began);
        std::thread::sleep(Duration::from_millis(2));
    }
}
