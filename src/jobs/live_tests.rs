//! The model's thread, with a shipped model at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::{ComputeDevice, LiveThread, ModelChoice, ModelState};
use crate::geometry::{SlidePoint, SlideRect};
use crate::model::shipped;
use crate::segment::live::{Analysis, FieldWish, Limits, Wish};
use crate::segment::test_slide::{Painted, pattern};

/// 10x.
const SCALE: u8 = 2;

#[test]
fn the_first_tile_of_a_field_is_told_at_once_however_seldom_the_rest_is() {
    let choice = ModelChoice::Shipped(shipped::BRAIN.name);
    let (device, seldom) = (ComputeDevice::Processor, Duration::from_secs(3600));
    let live = LiveThread::start(choice, device, Limits::default(), seldom, Box::new(|| {}));
    let live = live.unwrap();
    let began = Instant::now();
    let not_late = || {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it takes too long"
        )
    };
    let classes = loop {
        not_late();
        match live.state() {
            ModelState::Ready(facts) => break facts.card.classes.len(),
            ModelState::Failed(reason) => panic!("{reason}"),
            ModelState::Opening => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let everywhere = SlideRect::new(SlidePoint::zero(), SlidePoint::new(3201.0, 3203.0));
    live.ask(Wish {
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
    });
    let first = loop {
        not_late();
        let status = live.status();
        if status.encoded > 0 {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(first.encoded, 1);
    assert!(first.waiting > 20, "{} tiles are left", first.waiting);
}
