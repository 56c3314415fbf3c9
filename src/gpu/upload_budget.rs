//! How much one frame may copy towards the GPU.

use std::time::{Duration, Instant};

/// Longest that a frame of a window spends on copies, in all its views and passes together: the
/// window never waits.
const OF_FRAME: Duration = Duration::from_micros(1500);

/// What is left at least for overlays after the tiles of slides, so that neither waits for the
/// other: a page or two.
const FOR_OVERLAYS: Duration = Duration::from_micros(300);

/// Time for copies, spent bit by bit. One copy begins as long as any is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadBudget {
    /// `None` without a limit.
    left: Option<Duration>,
}

impl UploadBudget {
    /// For one frame of a window.
    pub fn of_frame() -> Self {
        Self::of(OF_FRAME)
    }

    /// For as long as `time`.
    pub fn of(time: Duration) -> Self {
        Self { left: Some(time) }
    }

    /// For all that there is to copy.
    pub fn unlimited() -> Self {
        Self { left: None }
    }

    /// What overlays may use of it: a little, even where tiles took all.
    #[must_use]
    pub fn for_overlays(self) -> Self {
        let left = self.left.map(|left| left.max(FOR_OVERLAYS));
        Self { left }
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left == Some(Duration::ZERO)
    }

    /// Takes off the time that a copy takes.
    pub fn spend<T>(&mut self, copy: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let copied = copy();
        self.left = self.left.map(|left| left.saturating_sub(started.elapsed()));
        copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spent_by_what_copies_take_and_never_refilled() {
        let mut budget = UploadBudget::of(Duration::from_millis(200));
        assert!(!budget.is_spent());
        // A nap may take longer than it was asked to, where the machine is busy.
        let nap = |ms| move || std::thread::sleep(Duration::from_millis(ms));
        budget.spend(nap(1));
        assert!(!budget.is_spent());
        budget.spend(nap(200));
        assert!(budget.is_spent());
        budget.spend(|| ());
        assert!(budget.is_spent());
    }

    #[test]
    fn overlays_have_a_little_left_and_no_limit_stays_none() {
        let none = UploadBudget::of(Duration::ZERO);
        assert!(none.is_spent() && !none.for_overlays().is_spent());
        let much = UploadBudget::of(Duration::from_secs(1));
        assert_eq!(much.for_overlays(), much);
        let mut all = UploadBudget::unlimited().for_overlays();
        all.spend(|| std::thread::sleep(Duration::from_millis(1)));
        assert!(!all.is_spent());
    }
}
