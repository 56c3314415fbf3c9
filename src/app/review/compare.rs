//! Comparing without holding up the window.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ReviewOf;
use crate::geometry::{Mpp, SlideRect};
use crate::labels::LabelClass;
use crate::segment::compare::{Comparison, LabelMap, Side, compare};
use crate::slide::SlideHash;

/// What was found where two maps differ.
pub struct Reviewed {
    /// What was compared.
    pub of: ReviewOf,
    /// Names of both maps, such as `40x` and `10x`.
    pub names: [String; 2],
    /// Of which slide.
    pub slide: SlideHash,
    /// The slide's number as maps know it.
    pub slide_number: u64,
    /// Its scale.
    pub mpp: Mpp,
    /// Hash of the model.
    pub model_hash: String,
    /// Magnifications of both maps; equal where it is one.
    pub magnifications: (f64, f64),
    /// How they differ.
    pub comparison: Comparison,
}

/// One of the maps to compare.
pub struct MapToCompare {
    /// Its codes.
    pub map: Box<dyn LabelMap + Send>,
    /// What they mean.
    pub classes: Vec<LabelClass>,
}

/// What is known before the maps are compared.
pub struct Question {
    /// What is compared.
    pub of: ReviewOf,
    /// Names of both maps.
    pub names: [String; 2],
    /// Of which slide.
    pub slide: SlideHash,
    /// Its number as maps know it.
    pub slide_number: u64,
    /// Its scale.
    pub mpp: Mpp,
    /// Hash of the model.
    pub model_hash: String,
    /// Magnifications of both maps.
    pub magnifications: (f64, f64),
    /// The part of the slide, level-0 px.
    pub field: SlideRect,
    /// Both maps.
    pub maps: [MapToCompare; 2],
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
    answer: Mutex<Option<Result<Reviewed, String>>>,
}

/// A comparison at work, on a thread of its own. Dropping it stops it.
pub struct CompareWork(Arc<Shared>);

impl CompareWork {
    /// Starts; `wake` is called when it is done.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(
        question: Question,
        wake: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let body = move || {
            let answer = question.answer(&for_thread);
            *for_thread
                .answer
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(answer);
            wake();
        };
        std::thread::Builder::new()
            .name("comparer".to_owned())
            .spawn(body)?;
        Ok(Self(shared))
    }

    /// Part that is done, 0–1.
    pub fn progress(&self) -> f32 {
        let total = self.0.total.load(Ordering::Relaxed).max(1);
        self.0.done.load(Ordering::Relaxed) as f32 / total as f32
    }

    /// The answer, once it is there.
    pub fn take(&self) -> Option<Result<Reviewed, String>> {
        self.0
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for CompareWork {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

impl Question {
    fn answer(self, shared: &Shared) -> Result<Reviewed, String> {
        let mut progress = |done: u64, total: u64| {
            shared.done.store(done, Ordering::Relaxed);
            shared.total.store(total, Ordering::Relaxed);
            match shared.stopped.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let [first, second] = self.maps.each_ref().map(|map| Side {
            map: map.map.as_ref(),
            classes: &map.classes,
        });
        let comparison = compare(first, second, &self.field, self.mpp, &mut progress)
            .map_err(|error| error.to_string())?;
        Ok(Reviewed {
            of: self.of,
            names: self.names,
            slide: self.slide,
            slide_number: self.slide_number,
            mpp: self.mpp,
            model_hash: self.model_hash,
            magnifications: self.magnifications,
            comparison,
        })
    }
}
