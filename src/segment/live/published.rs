//! What the engine shows to others: maps of labels, and how far it is.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::layer::LayerKey;
use crate::geometry::SlideRect;
use crate::labels::{LabelPyramid, NOT_ANALYSED, PAGE_PX, Page, PageId, Raster, is_class};

/// How far the engine is, for the status bar and the panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveStatus {
    /// Tiles of the fields that are still to be worked on.
    pub waiting: usize,
    /// Tiles encoded since the start.
    pub encoded: u64,
    /// Tiles decoded since the start.
    pub decoded: u64,
    /// Tiles encoded and decoded a second, over the last of them; 0 before the first.
    pub tiles_per_s: f64,
    /// Bytes of kept features.
    pub feature_bytes: u64,
    /// Bytes of kept scores.
    pub score_bytes: u64,
    /// Seconds from the last change of the bias until all of the field showed it.
    pub turn_s: Option<f64>,
    /// Seconds of encoding and decoding that the tiles of that field took when they were new.
    pub full_s: Option<f64>,
    /// What failed last.
    pub failure: Option<String>,
}

/// A map of labels and the areas of its classes.
pub struct Published {
    /// The pages.
    pub pyramid: LabelPyramid,
    /// Px of every class in each page of level 0 that was ever made.
    counts: HashMap<PageId, Vec<u32>>,
    /// Square millimetres of one px.
    px_mm2: f64,
    classes: usize,
}

impl Published {
    /// Nothing known yet.
    pub fn new(pyramid: LabelPyramid, classes: usize, px_mm2: f64) -> Self {
        Self {
            pyramid,
            counts: HashMap::new(),
            px_mm2,
            classes,
        }
    }

    /// Changes px of columns `x` and rows `y` of a page of level 0; see [`LabelPyramid::edit`].
    pub fn edit(
        &mut self,
        id: PageId,
        x: Range<u32>,
        y: Range<u32>,
        per_side: u32,
        change: impl FnOnce(&mut Page),
    ) {
        let classes = self.classes;
        // A page that was dropped is counted as it was until it is made again.
        let mut counts = match self.pyramid.peek(id) {
            Some(_) => self.counts.remove(&id).unwrap_or_else(|| vec![0; classes]),
            None => vec![0; classes],
        };
        self.pyramid
            .edit(id, x.clone(), y.clone(), per_side, |page| {
                tally(page, &x, &y, &mut counts, |count| {
                    *count = count.saturating_sub(1)
                });
                change(page);
                tally(page, &x, &y, &mut counts, |count| *count += 1);
            });
        self.counts.insert(id, counts);
    }

    /// mm² of each class in all that was analysed of the slide.
    pub fn areas_mm2(&self) -> Vec<f64> {
        let mut areas = vec![0.0; self.classes];
        for counts in self.counts.values() {
            for (area, count) in areas.iter_mut().zip(counts) {
                *area += f64::from(*count) * self.px_mm2;
            }
        }
        areas
    }

    /// mm² of each class within a rectangle of the slide, and how much of it was looked at, 0–1.
    pub fn areas_in_mm2(&self, seen: &SlideRect) -> (Vec<f64>, f64) {
        let mut px = vec![0_u64; self.classes];
        let (mut known, mut all) = (0_u64, 0_u64);
        let raster = *self.pyramid.raster();
        let Some((x, y)) = raster.px_in(seen) else {
            return (vec![0.0; self.classes], 1.0);
        };
        for id in raster.pages_in(0, seen) {
            let within = |range: &Range<u32>, page: u32| {
                let start = page * PAGE_PX;
                let end = start + PAGE_PX;
                range.start.clamp(start, end) - start..range.end.clamp(start, end) - start
            };
            let (x, y) = (within(&x, id.col), within(&y, id.row));
            all += x.len() as u64 * y.len() as u64;
            let Some(page) = self.pyramid.peek(id) else {
                continue;
            };
            for row in y {
                for column in x.clone() {
                    let code = page.texel(column, row).code;
                    known += u64::from(is_class(code) || code == NOT_ANALYSED);
                    if let Some(count) = px.get_mut(usize::from(code)) {
                        *count += 1;
                    }
                }
            }
        }
        let areas = px.iter().map(|px| *px as f64 * self.px_mm2).collect();
        (areas, known as f64 / all.max(1) as f64)
    }
}

/// Does something to the count of the class of each px of a part of a page.
fn tally(
    page: &Page,
    x: &Range<u32>,
    y: &Range<u32>,
    counts: &mut [u32],
    count: impl Fn(&mut u32),
) {
    for row in y.clone() {
        for column in x.clone() {
            let code = usize::from(page.texel(column, row).code);
            if let Some(of_class) = counts.get_mut(code) {
                count(of_class);
            }
        }
    }
}

/// The maps, shared between the engine and those who show them. Held for look-ups and for putting
/// finished pages in, never while computing.
#[derive(Clone, Default)]
pub struct SharedLayers(Arc<Mutex<HashMap<LayerKey, Published>>>);

impl SharedLayers {
    /// All maps. A thread that panicked leaves whole pages behind.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<LayerKey, Published>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page, and which of its parts are what is asked for now; see [`Page::current_blocks`].
    pub fn page(&self, key: LayerKey, id: PageId) -> Option<(Arc<Page>, u64)> {
        let mut layers = self.lock();
        let pyramid = &mut layers.get_mut(&key)?.pyramid;
        let page = pyramid.page(id)?;
        let current = page.current_blocks(pyramid.stamp());
        Some((page, current))
    }

    /// Where the px of a map lie.
    pub fn raster(&self, key: LayerKey) -> Option<Raster> {
        Some(*self.lock().get(&key)?.pyramid.raster())
    }
}
