//! Which tiles are next: those of the newest wish whose cells are not what is asked for.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Engine, MOST_LOOKED_AT};
use crate::labels::{LabelPyramid, NO_STAMP};
use crate::segment::agreement::difference_ranks;
use crate::segment::grid::TileId;
use crate::segment::live::canvas::CellPainter;
use crate::segment::live::cell::asked;
use crate::segment::live::field::{Sheet, px_of};
use crate::segment::live::layer::{Analysis, LayerKey};
use crate::segment::live::local_tissue::LocalTissue;
use crate::segment::live::model::LiveModel;
use crate::segment::live::published::Published;
use crate::segment::live::said::{Scores, TileKey};
use crate::segment::live::wish::FieldWish;

impl<M: LiveModel, P: CellPainter<Scores = M::Scores>> Engine<M, P> {
    /// Lists the tiles of all fields whose cells are not what is asked for, context first: it is
    /// few tiles and gives the first picture.
    pub(super) fn line_up(&mut self) {
        self.queue.clear();
        let mut listed = HashSet::new();
        for field in self.wish.fields.clone() {
            let context = field.analysis.context();
            for scale in context.into_iter().chain([field.analysis.scale()]) {
                if let Err(reason) = self.open_sheet(&field, scale) {
                    self.failure = Some(reason);
                }
            }
            for scale in field.analysis.tile_scales() {
                for key in self.waiting_tiles(&field, scale) {
                    if listed.insert(key) {
                        self.queue.push_back(key);
                    }
                }
            }
        }
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

    /// The tiles of a field at one scale with a say on a cell that is not what is asked for.
    pub(super) fn waiting_tiles(&self, field: &FieldWish, scale: u8) -> Vec<TileKey> {
        let of = |scale: u8| self.sheets.get(&(field.slide_id, scale));
        let Some(sheet) = of(scale) else {
            return Vec::new();
        };
        let Some((mut x, mut y)) = sheet.wanted_px(&field.seen, field.center) else {
            return Vec::new();
        };
        let maps = field.analysis.maps().into_iter();
        let made_of = maps.filter(|map| map.tile_scales().any(|of| of == scale));
        let layers: Vec<(&Sheet, Analysis)> = made_of
            .filter_map(|map| Some((of(map.scale())?, map)))
            .collect();
        // Finer px may be made of px one beyond those that are wanted of this scale itself.
        for (finer, _) in &layers {
            let wanted = finer.wanted_px(&field.seen, field.center);
            if let Some((under_x, under_y)) = wanted.map(|px| px_of(sheet, finer, px)) {
                x = x.start.min(under_x.start)..x.end.max(under_x.end);
                y = y.start.min(under_y.start)..y.end.max(under_y.end);
            }
        }
        let stale = self.stale_tiles(field, sheet, &layers);
        let tiles = sheet.tiles(&x, &y, field.center).into_iter();
        tiles
            .filter(|tile| stale.contains(tile))
            .map(|tile| TileKey {
                slide: field.slide_id,
                scale,
                tile,
            })
            .collect()
    }

    /// Tiles of `sheet` with a say on a seen cell of one of the layers that is not up to date.
    pub(super) fn stale_tiles(
        &self,
        field: &FieldWish,
        sheet: &Sheet,
        layers: &[(&Sheet, Analysis)],
    ) -> HashSet<TileId> {
        let shared = self.shared.lock();
        let mut stale = HashSet::new();
        for (of_layer, analysis) in layers {
            let key = LayerKey {
                slide: field.slide_id,
                analysis: *analysis,
            };
            let wanted = of_layer.wanted_px(&field.seen, field.center);
            let (Some((x, y)), Some(layer)) = (wanted, shared.get(&key)) else {
                continue;
            };
            for cell in of_layer.cells(&x, &y) {
                let place = of_layer.place(cell);
                let page = layer.pyramid.peek(place.page);
                let stamp = page.map_or(NO_STAMP, |page| page.stamp(place.block));
                if stamp != NO_STAMP && stamp >= self.stamp {
                    continue;
                }
                let (x, y) = px_of(sheet, of_layer, of_layer.cell(cell));
                for row in asked(&sheet.grid, &y, sheet.grid.rows()) {
                    for column in asked(&sheet.grid, &x, sheet.grid.columns()) {
                        stale.insert(TileId { column, row });
                    }
                }
            }
        }
        stale
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
