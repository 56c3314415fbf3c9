//! How fast the hand moves when it lets go of the slide.
//!
//! egui's own velocity wants three positions within a tenth of a second; where the processor draws, that
//! many frames take three times as long, and no throw would ever be one.

use std::collections::VecDeque;

use egui::{Pos2, Vec2};

/// How far back the hand's way counts, seconds.
const WAY_S: f64 = 0.1;

/// How many steps from frame to frame count at least, however long they took: two, because a hand that
/// rests for one slow frame has come to rest within it or before.
const FEWEST_STEPS: usize = 2;

/// Two steps that took longer say nothing of how the hand moved at their end, seconds.
const LONGEST_WAY_S: f64 = 1.0;

/// Slower than this the hand does not throw, points per second.
const SLOWEST_THROW: f32 = 80.0;

/// Where the hand was while it held the slide, frame by frame.
#[derive(Clone, Debug, Default)]
pub struct HandTrail {
    /// Time in seconds, place in points; the oldest first.
    places: VecDeque<(f64, Pos2)>,
}

impl HandTrail {
    /// The hand is `at` a place of the window, points, in the frame that began at `time_s`.
    pub fn follow(&mut self, time_s: f64, at: Pos2) {
        self.places.push_back((time_s, at));
        while self.places.len() > FEWEST_STEPS + 1
            && self
                .places
                .get(1)
                .is_some_and(|(then, _)| time_s - then >= WAY_S)
        {
            self.places.pop_front();
        }
    }

    /// The velocity that the slide goes on with if the hand lets go now, points per second; none where it
    /// has come to rest.
    pub fn throw(&self) -> Option<Vec2> {
        let ((start_s, start), (end_s, end)) = (self.places.front()?, self.places.back()?);
        let took_s = end_s - start_s;
        if took_s <= 0.0 || took_s > LONGEST_WAY_S {
            return None;
        }
        let velocity = (*end - *start) / took_s as f32;
        (velocity.length() >= SLOWEST_THROW).then_some(velocity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hand that moves to the right at 600 points a second and, from `rests_s` on, stays where it is.
    fn trail(frame_s: f64, rests_s: f64, ends_s: f64) -> HandTrail {
        let mut trail = HandTrail::default();
        let frames = (ends_s / frame_s).round() as usize;
        for frame in 0..=frames {
            let now_s = frame as f64 * frame_s;
            let x = 600.0 * now_s.min(rests_s);
            trail.follow(now_s, egui::pos2(x as f32, 40.0));
        }
        trail
    }

    #[test]
    fn the_hand_throws_as_fast_as_it_moves_however_long_frames_take() {
        for frame_s in [1.0 / 144.0, 1.0 / 60.0, 0.1, 0.25, 0.4] {
            let velocity = trail(frame_s, 9.0, 1.2).throw().unwrap();
            let off = (velocity - egui::vec2(600.0, 0.0)).length();
            assert!(off < 1.0, "{frame_s} s a frame: {velocity:?}");
        }
    }

    #[test]
    fn a_hand_that_rested_throws_nothing() {
        for frame_s in [1.0_f64 / 144.0, 1.0 / 60.0, 0.05, 0.1] {
            let rest_s = (2.0 * frame_s).max(WAY_S) + frame_s;
            let velocity = trail(frame_s, 0.6, 0.6 + rest_s).throw();
            assert_eq!(velocity, None, "{frame_s} s a frame");
        }
    }

    #[test]
    fn only_the_last_moments_count() {
        // Fast at first, then slowly back for 0.2 s.
        let mut trail = trail(1.0 / 60.0, 9.0, 0.5);
        for frame in 1..=12 {
            let s = f64::from(frame) / 60.0;
            let x = 300.0 - 120.0 * s;
            trail.follow(0.5 + s, egui::pos2(x as f32, 40.0));
        }
        let velocity = trail.throw().unwrap();
        assert!((velocity.x + 120.0).abs() < 1.0, "{velocity:?}");
    }

    #[test]
    fn a_hand_of_one_frame_and_frames_that_hang_throw_nothing() {
        assert_eq!(HandTrail::default().throw(), None);
        assert_eq!(trail(0.1, 9.0, 0.0).throw(), None);
        assert_eq!(trail(0.8, 9.0, 2.4).throw(), None);
        let mut at_once = HandTrail::default();
        at_once.follow(3.0, egui::pos2(0.0, 0.0));
        at_once.follow(3.0, egui::pos2(90.0, 0.0));
        assert_eq!(at_once.throw(), None);
    }

    #[test]
    fn a_long_drag_keeps_only_what_counts() {
        let trail = trail(0.01, 9.0, 20.0);
        assert!(trail.places.len() <= 12, "{} places", trail.places.len());
    }
}
