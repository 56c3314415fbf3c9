//! Which of several histories the next undo belongs to.

use crate::slide::SlideHash;

/// Steps whose order is known.
const MOST_STEPS: usize = 500;

/// A history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Turns of dials.
    Dials,
    /// Strokes and verdicts of a slide.
    Marks(SlideHash),
}

/// The order in which steps were made in all histories.
#[derive(Debug, Default)]
pub struct UndoOrder {
    done: Vec<Kind>,
    undone: Vec<Kind>,
}

impl UndoOrder {
    /// A step was made: what was undone before can't be done again.
    pub fn made(&mut self, kind: Kind) {
        self.undone.clear();
        self.done.push(kind);
        if self.done.len() > MOST_STEPS {
            self.done.remove(0);
        }
    }

    /// Where to undo: the history of the last step.
    pub fn undo(&mut self) -> Option<Kind> {
        let kind = self.done.pop()?;
        self.undone.push(kind.clone());
        Some(kind)
    }

    /// Where to do again: the history of what was undone last.
    pub fn redo(&mut self) -> Option<Kind> {
        let kind = self.undone.pop()?;
        self.done.push(kind.clone());
        Some(kind)
    }

    /// All steps of a kind are gone, as when another model is opened.
    pub fn forget(&mut self, kind: &Kind) {
        self.done.retain(|of| of != kind);
        self.undone.retain(|of| of != kind);
    }

    /// Whether there is something to undo, and to do again.
    pub fn history(&self) -> (bool, bool) {
        (!self.done.is_empty(), !self.undone.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_both_kinds_go_back_in_the_order_in_which_they_came() {
        let mark = Kind::Marks(SlideHash("a".into()));
        let mut order = UndoOrder::default();
        for kind in [Kind::Dials, mark.clone(), Kind::Dials] {
            order.made(kind);
        }
        assert_eq!(order.undo(), Some(Kind::Dials));
        assert_eq!(order.undo(), Some(mark.clone()));
        assert_eq!(order.redo(), Some(mark.clone()));
        order.made(mark.clone());
        assert_eq!(order.history(), (true, false));
        order.forget(&Kind::Dials);
        assert_eq!(
            (order.undo(), order.undo()),
            (Some(mark.clone()), Some(mark))
        );
        assert_eq!(order.undo(), None);
    }
}
