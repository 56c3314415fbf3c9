//! Which tiles are next: those of the newest wish whose cells are not what is asked for.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Engine, MOST_LOOKED_AT};
use crate::labels::LabelPyramid;
use crate::segment::agreement::difference_ranks;
use crate::segment::live::canvas::CellPainter;
use crate::segment::live::layer::{Analysis, LayerKey};
use crate::segment::live::local_tissue::LocalTissue;
use crate::segment::live::model::LiveModel;
use crate::segment::live::published::Published;
use crate::segment::live::said::{Scores, TileKey};
use crate::segment::live::wish::FieldWish;

impl<M: LiveModel, P: CellPainter<Scores = M::Scores>> Engine<M, P> {
    /// Lists the tiles of all fields whose cells are not what is asked for, part by part, as many as
    /// scores can be kept of at a time: a cell needs those of all its tiles at once.
    pub(super) fn line_up(&mut self) {
        self.queue.clear();
        self.stale = 0;
        let most = self.tiles_at_once();
        let (mut listed, mut later) = (HashSet::new(), HashSet::new());
        for field in self.wish.fields.clone() {
            let context = field.analysis.context();
            for scale in context.into_iter().chain([field.analysis.scale()]) {
                if let Err(reason) = self.open_sheet(&field, scale) {
                    self.failure = Some(reason);
                }
            }
            let stale = self.stale_cells(&field);
            self.stale += stale.len();
            for part in self.parts(&field, stale, most) {
                let more = part.iter().filter(|key| !listed.contains(*key)).count();
                // One that is too large by itself is tried alone.
                let has_room = listed.is_empty() || listed.len() + more <= most;
                if later.is_empty() && has_room {
                    let new = part.into_iter().filter(|key| listed.insert(*key));
                    self.queue.extend(new);
                } else {
                    later.extend(part);
                }
            }
        }
        self.later = later.difference(&listed).count();
    }

    /// Once the queue is through: the next parts of what is asked for, or again what was lost before
    /// it was used.
    pub(super) fn go_on(&mut self) {
        let before = self.stale;
        self.line_up();
        if self.stale >= before {
            self.passes_left -= 1;
        }
        if self.stale == 0 || self.passes_left == 0 {
            self.passes_left = 0;
            self.later = 0;
        }
    }

    /// How many tiles' scores are kept for certain while others come.
    fn tiles_at_once(&self) -> usize {
        let tile_px = u64::from(self.model.tile_px());
        let tile_bytes = self.model.classes().len() as u64 * tile_px * tile_px * 4;
        let kept = self.limits.score_bytes / tile_bytes.max(1);
        (kept * 3 / 4).max(1) as usize
    }

    /// Cuts the slide for a scale and makes its maps known, where that was not done before.
    pub(super) fn open_sheet(&mut self, field: &FieldWish, scale: u8) -> Result<(), String> {
        self.sheet(field.slide.as_ref(), field.slide_id, scale)
            .map_err(|error| error.to_string())?;
        let (fill_um, slide) = (self.fill_um, &field.slide);
        let tissue = || LocalTissue::new(Arc::clone(slide), fill_um);
        self.tissue.entry(field.slide_id).or_insert_with(tissue);
        let maps = field.analysis.maps().into_iter();
        for analysis in maps.filter(|map| map.scale() == scale) {
            let slide = field.slide_id;
            self.publish_layer(LayerKey { slide, analysis });
        }
        Ok(())
    }

    pub(super) fn publish_layer(&mut self, key: LayerKey) {
        let Some(sheet) = self.sheets.get(&(key.slide, key.analysis.scale())) else {
            return;
        };
        let (raster, px_mm2) = (sheet.raster, sheet.grid.px_mm2());
        let (ranks, codes) = match key.analysis {
            Analysis::Agreement(_) => (difference_ranks(), 2),
            _ => (self.ranks.clone(), self.model.classes().len()),
        };
        let mut layers = self.shared.lock();
        layers.entry(key).or_insert_with(|| {
            let mut pyramid = LabelPyramid::new(raster, ranks, self.limits.page_bytes);
            pyramid.ask_for(self.stamp);
            Published::new(pyramid, codes, px_mm2)
        });
    }

    /// Takes tiles off the queue whose features are kept; those whose scores are right already need
    /// no more than to be shown.
    pub(super) fn next_kept(&mut self) -> Vec<TileKey> {
        let (mut taken, mut shown, mut left) = (Vec::new(), Vec::new(), VecDeque::new());
        while let Some(key) = self.queue.pop_front() {
            let is_right = |scores: &Scores<M::Scores>| scores.stamp == self.stamp;
            if taken.len() == self.limits.decode_batch {
                left.push_back(key);
            } else if self.scores.get(&key).is_some_and(is_right) {
                shown.push(key);
            } else if self.features.get(&key).is_some() {
                taken.push(key);
            } else {
                left.push_back(key);
            }
        }
        self.queue = left;
        self.show(&shown);
        taken
    }

    /// Takes the next tiles off the queue that have to be read; those without tissue are shown as
    /// such on the way.
    pub(super) fn next_new(&mut self) -> Vec<TileKey> {
        let (mut taken, mut shown) = (Vec::new(), Vec::new());
        // A step is small even where there is nothing but glass.
        for _ in 0..MOST_LOOKED_AT {
            // The first tile of a wish does not wait for another one.
            if taken.len() == self.limits.encode_batch || self.is_asked_anew && taken.len() == 1 {
                break;
            }
            let Some(key) = self.queue.pop_front() else {
                break;
            };
            let failed = self.failure_of(&key).map(str::to_owned);
            match (failed, self.has_tissue(&key)) {
                (Some(reason), _) => {
                    self.failure = Some(reason);
                    shown.push(key);
                }
                (None, Ok(true)) => taken.push(key),
                (None, Ok(false)) => shown.push(key),
                (None, Err(error)) => self.fail(&[key], &error.to_string(), None),
            }
        }
        self.is_asked_anew &= taken.is_empty();
        self.show(&shown);
        taken
    }
}
