//! Counting the px of every class, item by item; every code is checked on the way.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::{IGNORE, Item, MaskSet, Part, SetError, Split};

/// Masks that are decoded at once have at most this many px together, about 0.6 GiB; one that is
/// larger is decoded alone.
const MOST_PX_AT_ONCE: usize = 1 << 27;

/// Px of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies {
    /// Px of each scored class, in index order. Items of several scales are weighed by the area of
    /// their px where they are added up, so these may be no whole numbers.
    pub pixels: Vec<f64>,
    /// Px that are ignored.
    pub ignored: f64,
}

impl Frequencies {
    fn none(classes: usize) -> Self {
        Self {
            pixels: vec![0.0; classes],
            ignored: 0.0,
        }
    }

    fn of(labels: &[u8], classes: usize) -> Self {
        let mut counts = [0_u64; 256];
        labels
            .iter()
            .for_each(|label| counts[usize::from(*label)] += 1);
        Self {
            pixels: counts
                .iter()
                .take(classes)
                .map(|count| *count as f64)
                .collect(),
            ignored: counts[usize::from(IGNORE)] as f64,
        }
    }

    fn add(&mut self, other: &Self, weight: f64) {
        for (sum, value) in self.pixels.iter_mut().zip(&other.pixels) {
            *sum += weight * value;
        }
        self.ignored += weight * other.ignored;
    }

    /// f_c, the share of each class among the px that are scored; all 0 where there is none.
    pub fn shares(&self) -> Vec<f64> {
        let scored: f64 = self.pixels.iter().sum();
        let share = |px: &f64| if scored > 0.0 { px / scored } else { 0.0 };
        self.pixels.iter().map(share).collect()
    }
}

/// The px of every item of a set. One pass serves every split of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Census {
    items: Vec<Frequencies>,
    mpp: Vec<f64>,
    classes: usize,
}

/// Reads every mask once, as many at a time as there are processors and room for, holding none. `progress` is told the items
/// done and all of them.
///
/// # Errors
/// The first mask that can't be read or holds unknown codes, or when `progress` breaks.
pub fn census(
    set: &dyn MaskSet,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Census, SetError> {
    let (count, classes) = (set.items().len(), set.classes().count());
    let threads = rayon::current_num_threads().max(1);
    let mut items = Vec::with_capacity(count);
    while items.len() < count {
        let some = at_once(set.items(), items.len(), threads, MOST_PX_AT_ONCE);
        let counted: Result<Vec<Frequencies>, SetError> = some
            .into_par_iter()
            .map(|index| Ok(Frequencies::of(&set.read_mask(index)?.labels, classes)))
            .collect();
        items.extend(counted?);
        if progress(items.len() as u64, count as u64).is_break() {
            return Err(SetError::Cancelled);
        }
    }
    Ok(Census {
        items,
        mpp: set.items().iter().map(|item| item.mpp).collect(),
        classes,
    })
}

/// Items from `first` on that are read at once: at most `threads`, of at most `most_px` together;
/// at least one.
fn at_once(items: &[Item], first: usize, threads: usize, most_px: usize) -> Range<usize> {
    let mut px = 0_usize;
    let fits = |item: &&Item| {
        px = px.saturating_add(item.width.saturating_mul(item.height));
        px <= most_px
    };
    let some = items.iter().skip(first).take(threads).take_while(fits);
    first..first + some.count().max(1)
}

impl Census {
    /// Px of item number `index`; `None` where there is no such item.
    pub fn item(&self, index: usize) -> Option<&Frequencies> {
        self.items.get(index)
    }

    /// Px of the items of a split's part together. Where their scales differ, px count by their
    /// area, as of the finest.
    pub fn of_items(&self, items: &[usize]) -> Frequencies {
        let found = || {
            items
                .iter()
                .filter_map(|i| self.items.get(*i).zip(self.mpp.get(*i)))
        };
        let finest = found().map(|(_, mpp)| *mpp).fold(f64::INFINITY, f64::min);
        let mut sum = Frequencies::none(self.classes);
        found().for_each(|(item, mpp)| sum.add(item, (mpp / finest).powi(2)));
        sum
    }

    /// Checks that training sees every class. Returns what a report should mention: classes that
    /// validation or test have no px of.
    ///
    /// # Errors
    /// When a class has no px in the training part.
    pub fn check(&self, set: &dyn MaskSet, split: &Split) -> Result<Vec<String>, SetError> {
        let names = set.classes().names();
        let missing = |part: Part| {
            let pixels = self.of_items(split.part(part)).pixels;
            let without = names.iter().zip(pixels).filter(|(_, px)| *px == 0.0);
            without.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        if let Some(class) = missing(Part::Training).into_iter().next() {
            return Err(SetError::NoPixels {
                set: set.name().to_owned(),
                class,
                items: split.training.len(),
            });
        }
        let later = [Part::Validation, Part::Test].into_iter();
        let later = later.filter(|part| !split.part(*part).is_empty());
        Ok(later
            .flat_map(|part| missing(part).into_iter().map(move |class| (part, class)))
            .map(|(part, class)| format!("no px of class '{class}' in the {} part", part.name()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture_tests::Memory;
    use super::*;

    #[test]
    fn masks_read_at_once_have_room() {
        let mut set = Memory::new(2);
        for side in [10, 10, 10, 30, 10] {
            set.add("a", side, 1.0, |_, _| 0);
        }
        let (mut first, mut read) = (0, Vec::new());
        while first < 5 {
            let some = at_once(&set.items, first, 2, 250);
            first = some.end;
            read.push(some.len());
        }
        assert_eq!(read, [2, 1, 1, 1]);
        assert_eq!(at_once(&set.items, 0, 9, 299), 0..2);
        assert_eq!(at_once(&set.items, 0, 9, usize::MAX), 0..5);
    }
}
