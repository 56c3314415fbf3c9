//! Undo and redo of what was drawn and said.

use std::collections::VecDeque;

use super::records::{Change, RecordId, StrokeRecord, Verdict};
use crate::slide::SlideHash;

/// What can be turned around: doing it and then its reverse changes nothing.
pub trait Reversible {
    /// The way back.
    #[must_use]
    fn reversed(&self) -> Self;
}

/// Something that is known by an identity.
pub trait Item: Clone {
    /// Its identity, which never changes.
    fn id(&self) -> RecordId;
}

impl Item for StrokeRecord {
    fn id(&self) -> RecordId {
        self.id
    }
}

impl Item for Verdict {
    fn id(&self) -> RecordId {
        self.id
    }
}

/// One thing before and after: without a before it is added, without an after removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit<T> {
    /// As it was.
    pub before: Option<T>,
    /// As it is from then on.
    pub after: Option<T>,
}

impl<T: Item> Edit<T> {
    /// Makes the change in a list; a thing that is changed keeps its place in it.
    pub fn apply(&self, items: &mut Vec<T>) {
        let old = self.before.as_ref().or(self.after.as_ref()).map(Item::id);
        let at = items.iter().position(|item| Some(item.id()) == old);
        match (at, &self.after) {
            (Some(at), Some(after)) => items[at] = after.clone(),
            (Some(at), None) => drop(items.remove(at)),
            (None, Some(after)) => items.push(after.clone()),
            (None, None) => {}
        }
    }
}

impl<T: Clone> Reversible for Edit<T> {
    fn reversed(&self) -> Self {
        Self {
            before: self.after.clone(),
            after: self.before.clone(),
        }
    }
}

impl<E: Reversible> Reversible for Vec<E> {
    /// The last of several is turned around first.
    fn reversed(&self) -> Self {
        self.iter().rev().map(E::reversed).collect()
    }
}

/// An edit of what is kept of a slide.
#[derive(Debug, Clone, PartialEq)]
pub enum AnnotationEdit {
    /// Of a stroke.
    Stroke(Edit<StrokeRecord>),
    /// Of a verdict.
    Verdict(Edit<Verdict>),
}

impl AnnotationEdit {
    /// What the store has to be told.
    pub fn change(&self, slide: &SlideHash) -> Option<Change> {
        match self {
            Self::Stroke(Edit {
                after: Some(after), ..
            }) => Some(Change::Stroke(slide.clone(), after.clone())),
            Self::Stroke(Edit { before, .. }) => {
                before.as_ref().map(|gone| Change::EraseStroke(gone.id))
            }
            Self::Verdict(Edit {
                after: Some(after), ..
            }) => Some(Change::Verdict(slide.clone(), after.clone())),
            Self::Verdict(Edit { before, .. }) => {
                before.as_ref().map(|gone| Change::RemoveVerdict(gone.id))
            }
        }
    }
}

impl Reversible for AnnotationEdit {
    fn reversed(&self) -> Self {
        match self {
            Self::Stroke(edit) => Self::Stroke(edit.reversed()),
            Self::Verdict(edit) => Self::Verdict(edit.reversed()),
        }
    }
}

/// What was done and can be undone, and what was undone and can be done again. Not stored: it ends
/// with the program.
#[derive(Debug, Clone)]
pub struct History<E> {
    done: VecDeque<E>,
    undone: Vec<E>,
    limit: usize,
}

impl<E: Reversible + Clone> History<E> {
    /// Nothing done; remembers up to `limit` edits and forgets the oldest.
    pub fn new(limit: usize) -> Self {
        Self {
            done: VecDeque::new(),
            undone: Vec::new(),
            limit,
        }
    }

    /// Notes an edit that was made. What was undone before can't be done again.
    pub fn push(&mut self, edit: E) {
        self.undone.clear();
        self.done.push_back(edit);
        if self.done.len() > self.limit {
            self.done.pop_front();
        }
    }

    /// The edit to make in order to undo the last one.
    pub fn undo(&mut self) -> Option<E> {
        let edit = self.done.pop_back()?;
        let back = edit.reversed();
        self.undone.push(edit);
        Some(back)
    }

    /// The edit to make in order to do again what was undone last.
    pub fn redo(&mut self) -> Option<E> {
        let edit = self.undone.pop()?;
        self.done.push_back(edit.clone());
        Some(edit)
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        !self.done.is_empty()
    }

    /// Whether there is something to do again.
    pub fn can_redo(&self) -> bool {
        !self.undone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(u8, u32);

    impl Item for Thing {
        fn id(&self) -> RecordId {
            RecordId([self.0; 16])
        }
    }

    /// What is asked for: (0..3, thing, value).
    fn edit_of(things: &[Thing], (kind, id, value): (u8, u8, u32)) -> Option<Edit<Thing>> {
        let before = things.iter().find(|thing| thing.0 == id).cloned();
        let after = (kind != 2).then_some(Thing(id, value));
        (before.is_some() || after.is_some()).then_some(Edit { before, after })
    }

    fn sorted(things: &[Thing]) -> Vec<(u8, u32)> {
        let mut all: Vec<_> = things.iter().map(|thing| (thing.0, thing.1)).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn undo_and_redo_go_through_the_same_states(
            wishes in prop::collection::vec((0_u8..3, 0_u8..4, any::<u32>()), 1..30),
        ) {
            let (mut things, mut history) = (Vec::new(), History::new(100));
            let mut states = vec![Vec::new()];
            for wish in wishes {
                let Some(edit) = edit_of(&things, wish) else { continue };
                edit.apply(&mut things);
                history.push(edit);
                states.push(sorted(&things));
            }
            for state in states.iter().rev().skip(1) {
                history.undo().unwrap().apply(&mut things);
                prop_assert_eq!(&sorted(&things), state);
            }
            prop_assert!(!history.can_undo());
            for state in states.iter().skip(1) {
                history.redo().unwrap().apply(&mut things);
                prop_assert_eq!(&sorted(&things), state);
            }
            prop_assert!(!history.can_redo());
        }
    }

    #[test]
    fn a_new_edit_ends_what_could_be_done_again_and_the_oldest_is_forgotten() {
        let add = |n| Edit {
            before: None,
            after: Some(Thing(n, 0)),
        };
        let mut history = History::new(2);
        (0..3).for_each(|n| history.push(add(n)));
        assert_eq!(history.undo().unwrap().before, Some(Thing(2, 0)));
        history.push(add(9));
        assert!(!history.can_redo());
        assert_eq!(history.undo().unwrap(), add(9).reversed());
        assert_eq!(history.undo().unwrap(), add(1).reversed());
        assert_eq!(history.undo(), None, "the first is forgotten");
    }

    #[test]
    fn a_group_is_undone_from_its_end() {
        let edit = |before, after| Edit { before, after };
        let group = vec![
            edit(None, Some(Thing(1, 1))),
            edit(Some(Thing(1, 1)), Some(Thing(1, 2))),
        ];
        let mut things = Vec::new();
        group.iter().for_each(|edit| edit.apply(&mut things));
        assert_eq!(things, [Thing(1, 2)]);
        group
            .reversed()
            .iter()
            .for_each(|edit| edit.apply(&mut things));
        assert!(things.is_empty());
    }
}
