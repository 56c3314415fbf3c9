//! The live engine: one small step at a time, newest wish first.

mod features;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::byte_cache::ByteCache;
use super::canvas::{CellPainter, CellWork, OnProcessor, PaintOrder, TileScores};
use super::cell::asked;
use super::field::{Sheet, around, px_of, seen_cells};
use super::layer::{Analysis, LayerKey, MAGNIFICATIONS};
use super::local_tissue::LocalTissue;
use super::model::LiveModel;
use super::pace::TilePace;
use super::published::{FieldAreas, LiveStatus, Published, SharedLayers};
use super::said::{CellPx, NearPx, Said, Scores, TileKey};
use super::wish::{FieldWish, Wish};
use crate::labels::{LabelPyramid, NO_STAMP, Ranks};
use crate::segment::agreement::difference_ranks;
use crate::segment::fusion::Fusion;
use crate::segment::grid::TileId;
use crate::segment::model::{ModelError, RgbTile};
use crate::slide::{SlideError, SlideSource};

/// How much the engine keeps, and does in one step.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of features.
    pub feature_bytes: u64,
    /// Bytes of scores.
    pub score_bytes: u64,
    /// Bytes of the pages of one map.
    pub page_bytes: u64,
    /// Tiles that are read and encoded in one step.
    pub encode_batch: usize,
    /// Tiles that are decoded in one step.
    pub decode_batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            feature_bytes: 768 << 20,
            score_bytes: 512 << 20,
            page_bytes: 256 << 20,
            encode_batch: 2,
            decode_batch: 8,
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Some work, and maybe there is more.
    Worked,
}

/// How often the fields are looked through again for what was lost from a cache before it was used.
const PASSES: u32 = 4;

/// Tiles that one step looks at for tissue at most.
const MOST_LOOKED_AT: usize = 64;

/// Px of a field whose areas are counted while tiles come: some milliseconds.
const MOST_PX_COUNTED_OFTEN: u64 = 4 << 20;

/// Works on tiles for the newest wish, and publishes maps. `P` paints them.
pub struct Engine<M: LiveModel, P = OnProcessor> {
    model: M,
    painter: P,
    fusion: Fusion,
    ranks: Ranks,
    fill_um: f64,
    limits: Limits,
    shared: SharedLayers,
    wish: Wish,
    /// Grows with every change of what scores depend on.
    stamp: u64,
    sheets: HashMap<(u64, u8), Sheet>,
    tissue: HashMap<u64, LocalTissue>,
    features: ByteCache<TileKey, M::Features>,
    scores: ByteCache<TileKey, Scores<M::Scores>>,
    queue: VecDeque<TileKey>,
    passes_left: u32,
    /// Whether no new tile was encoded since the last wish.
    is_asked_anew: bool,
    pace: TilePace,
    failure: Option<String>,
    /// Why nothing can be painted any more.
    broken: Option<String>,
}

impl<M: LiveModel<Scores = Vec<f32>>> Engine<M> {
    /// Nothing asked for yet; maps go to `shared`. `fill_um` as in [`crate::segment::Settings`];
    /// `ranks`: which class stays visible at low power.
    pub fn new(
        model: M,
        fusion: Fusion,
        ranks: Ranks,
        fill_um: f64,
        limits: Limits,
        shared: SharedLayers,
    ) -> Self {
        Self::painted_by((model, OnProcessor), fusion, ranks, fill_um, limits, shared)
    }
}

impl<M: LiveModel, P: CellPainter<Scores = M::Scores>> Engine<M, P> {
    /// As [`Engine::new`], with another painter.
    pub fn painted_by(
        (model, painter): (M, P),
        fusion: Fusion,
        ranks: Ranks,
        fill_um: f64,
        limits: Limits,
        shared: SharedLayers,
    ) -> Self {
        Self {
            model,
            painter,
            fusion,
            ranks,
            fill_um,
            limits,
            shared,
            wish: Wish::default(),
            stamp: 1,
            sheets: HashMap::new(),
            tissue: HashMap::new(),
            features: ByteCache::new(limits.feature_bytes),
            scores: ByteCache::new(limits.score_bytes),
            queue: VecDeque::new(),
            passes_left: 0,
            is_asked_anew: true,
            pace: TilePace::default(),
            failure: None,
            broken: None,
        }
    }

    /// Why nothing can be worked on any more, such as a graphics card that was lost.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The network at work.
    #[cfg(test)]
    pub(crate) fn model(&self) -> &M {
        &self.model
    }

    /// The maps, for those who show them.
    pub fn layers(&self) -> SharedLayers {
        self.shared.clone()
    }

    /// Takes a new wish in place of the former one. What was computed is kept.
    pub fn ask(&mut self, wish: Wish) {
        if !wish.decodes_as(&self.wish) {
            self.stamp += 1;
            self.pace.bias_turned();
            for layer in self.shared.lock().values_mut() {
                layer.pyramid.ask_for(self.stamp);
            }
        }
        self.wish = wish;
        self.failure = None;
        self.passes_left = PASSES;
        self.is_asked_anew = true;
        self.line_up();
    }

    /// Drops all that is held for a slide.
    pub fn forget(&mut self, slide: u64) {
        self.wish.fields.retain(|field| field.slide_id != slide);
        self.sheets.retain(|(of, _), _| *of != slide);
        self.tissue.remove(&slide);
        self.features.retain(|key| key.slide != slide);
        self.scores.retain(|key| key.slide != slide);
        self.shared.lock().retain(|key, _| key.slide != slide);
        self.queue.retain(|key| key.slide != slide);
    }

    /// How far the engine is. Areas are of the first field; of a large one only when all is done.
    pub fn status(&self) -> LiveStatus {
        LiveStatus {
            waiting: self.queue.len(),
            encoded: self.pace.encoded,
            decoded: self.pace.decoded,
            tiles_per_s: self.pace.tiles_per_s(),
            feature_bytes: self.features.bytes(),
            score_bytes: self.scores.bytes(),
            turn_s: self.pace.turn_s,
            full_s: self.pace.full_s(),
            failure: self.failure.clone(),
            areas: self.areas(),
        }
    }

    /// Areas of the first field of the wish, where they are counted quickly or nothing else is to
    /// be done.
    fn areas(&self) -> Option<FieldAreas> {
        let field = self.wish.fields.first()?;
        let sheet = self.sheets.get(&(field.slide_id, field.analysis.scale()))?;
        let (x, y) = sheet.wanted_px(&field.seen, field.center)?;
        let px = x.len() as u64 * y.len() as u64;
        let counts = px <= MOST_PX_COUNTED_OFTEN || self.queue.is_empty();
        counts.then(|| {
            let key = LayerKey {
                slide: field.slide_id,
                analysis: field.analysis.class_map(),
            };
            self.shared.areas(key, &field.seen, &x, &y)
        })?
    }

    /// Does one small piece of work: tiles whose features are at hand before tiles that are new.
    pub fn step(&mut self) -> Step {
        if self.queue.is_empty() && self.passes_left > 0 {
            self.passes_left -= 1;
            self.line_up();
        }
        let kept = self.next_kept();
        if !kept.is_empty() {
            self.decode(&kept);
            return self.end_step();
        }
        let new = self.next_new();
        if !new.is_empty() {
            self.encode(&new);
        }
        let idle = new.is_empty() && self.queue.is_empty() && self.passes_left == 0;
        match self.end_step() {
            _ if idle => Step::Idle,
            step => step,
        }
    }

    /// At most one step's work is under way on another device, so that a view that moves is drawn in
    /// time; none is when a field is done.
    fn end_step(&mut self) -> Step {
        let is_done = self.queue.is_empty();
        let settled = self.painter.settle(&self.shared, usize::from(!is_done));
        self.note(settled);
        if is_done {
            self.pace.field_done();
        }
        Step::Worked
    }

    fn note(&mut self, painted: Result<(), ModelError>) {
        if let Err(error) = painted {
            self.broken = Some(error.reason);
        }
    }

    /// Lists the tiles of all fields whose cells are not what is asked for, context first: it is
    /// few tiles and gives the first picture.
    fn line_up(&mut self) {
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
    fn open_sheet(&mut self, field: &FieldWish, scale: u8) -> Result<(), String> {
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

    fn publish_layer(&mut self, key: LayerKey) {
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
    fn waiting_tiles(&self, field: &FieldWish, scale: u8) -> Vec<TileKey> {
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
    fn stale_tiles(
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
    fn next_kept(&mut self) -> Vec<TileKey> {
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
    fn next_new(&mut self) -> Vec<TileKey> {
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

    /// Why a tile failed, where it did and that still counts.
    fn failure_of(&self, key: &TileKey) -> Option<&str> {
        let sheet = self.sheets.get(&(key.slide, key.scale))?;
        sheet.failure(key.tile, self.stamp)
    }

    fn has_tissue(&mut self, key: &TileKey) -> Result<bool, SlideError> {
        let sheet = self.sheets.get_mut(&(key.slide, key.scale));
        let (Some(sheet), Some(tissue)) = (sheet, self.tissue.get_mut(&key.slide)) else {
            return Ok(false);
        };
        if sheet.glass.contains(&key.tile) {
            return Ok(false);
        }
        let (x, y) = sheet.grid.kept(key.tile);
        let touches = tissue.touches(sheet.grid.spec.mpp, &x, &y)?;
        if !touches {
            sheet.glass.insert(key.tile);
        }
        Ok(touches)
    }

    fn encode(&mut self, keys: &[TileKey]) {
        let started = Instant::now();
        let mut read = Vec::new();
        for key in keys {
            match self.read(key) {
                Ok(tile) => read.push((*key, tile)),
                Err(error) => self.fail(&[*key], &error.to_string(), None),
            }
        }
        let (keys, tiles): (Vec<TileKey>, Vec<RgbTile>) = read.into_iter().unzip();
        match self.model.encode(&tiles) {
            Ok(kept) => {
                for (key, kept) in keys.iter().zip(kept) {
                    let bytes = M::bytes(&kept);
                    self.features.put(*key, kept, bytes);
                }
                self.pace.encoded(keys.len(), started.elapsed());
                self.decode(&keys);
            }
            Err(error) => self.fail(&keys, &error.to_string(), None),
        }
    }

    fn read(&self, key: &TileKey) -> Result<RgbTile, SlideError> {
        let field = self
            .wish
            .fields
            .iter()
            .find(|field| field.slide_id == key.slide);
        let sheet = self.sheets.get(&(key.slide, key.scale));
        let (Some(field), Some(sheet)) = (field, sheet) else {
            return Err(SlideError::Scale {
                slide: key.slide.to_string(),
                reason: "it is not looked at any more".to_owned(),
            });
        };
        let slide: &dyn SlideSource = field.slide.as_ref();
        let origin = sheet.grid.origin_um(key.tile);
        RgbTile::read(slide, origin, sheet.grid.spec.mpp, sheet.grid.spec.tile_px)
    }

    fn decode(&mut self, keys: &[TileKey]) {
        let started = Instant::now();
        match self.decoded(keys) {
            Ok(all) => {
                for (key, values) in keys.iter().zip(all) {
                    let bytes = values.bytes();
                    let stamp = self.stamp;
                    self.scores.put(*key, Scores { stamp, values }, bytes);
                }
                self.pace.decoded(keys.len(), started.elapsed());
                self.show(keys);
            }
            Err(error) => self.fail(keys, &error.to_string(), Some(self.stamp)),
        }
    }

    fn decoded(&mut self, keys: &[TileKey]) -> Result<Vec<M::Scores>, ModelError> {
        let kept: Vec<&M::Features> = keys
            .iter()
            .filter_map(|key| self.features.peek(key))
            .collect();
        let lost = kept.len() != keys.len();
        let scores = self
            .model
            .decode(&kept, &self.wish.bias, &self.wish.offsets)?;
        let all_finite = scores.iter().all(TileScores::are_finite);
        let reason = match (lost, all_finite) {
            (true, _) => "features were dropped before they were used",
            (_, false) => "it gave scores that are not finite",
            _ => return Ok(scores),
        };
        Err(ModelError {
            reason: reason.to_owned(),
        })
    }

    /// Marks tiles as failed: for good, or for the bias of a stamp alone.
    fn fail(&mut self, keys: &[TileKey], reason: &str, stamp: Option<u64>) {
        for key in keys {
            if let Some(sheet) = self.sheets.get_mut(&(key.slide, key.scale)) {
                sheet.failed.insert(key.tile, (stamp, reason.to_owned()));
            }
        }
        self.failure = Some(reason.to_owned());
        self.show(keys);
    }

    /// Publishes the cells on which these tiles have a say.
    fn show(&mut self, keys: &[TileKey]) {
        let mut cells: HashMap<LayerKey, HashSet<(u32, u32)>> = HashMap::new();
        for key in keys {
            for (layer, touched) in self.touched(key) {
                cells.entry(layer).or_default().extend(touched);
            }
        }
        let queued: HashSet<TileKey> = self.queue.iter().copied().collect();
        for (layer, mut cells) in cells {
            cells.retain(|cell| !self.is_waiting(layer, *cell, &queued));
            self.show_cells(layer, cells.into_iter().collect());
        }
    }

    /// Whether a cell had better wait: something is shown of it, and tiles with a say on it are on
    /// their way. Otherwise it would be made anew for each of them.
    fn is_waiting(&self, layer: LayerKey, cell: (u32, u32), queued: &HashSet<TileKey>) -> bool {
        let (slide, fine) = (layer.slide, layer.analysis.scale());
        let Some(sheet) = self.sheets.get(&(slide, fine)) else {
            return false;
        };
        let place = sheet.place(cell);
        let shared = self.shared.lock();
        let published = shared.get(&layer);
        let page = published.and_then(|published| published.pyramid.peek(place.page));
        if page.is_none_or(|page| page.stamp(place.block) == NO_STAMP) {
            return false;
        }
        drop(shared);
        layer.analysis.tile_scales().any(|scale| {
            let Some(of_scale) = self.sheets.get(&(slide, scale)) else {
                return false;
            };
            let (x, y) = px_of(of_scale, sheet, sheet.cell(cell));
            let columns = asked(&of_scale.grid, &x, of_scale.grid.columns());
            let rows = asked(&of_scale.grid, &y, of_scale.grid.rows());
            let mut tiles =
                rows.flat_map(|row| columns.clone().map(move |column| TileId { column, row }));
            tiles.any(|tile| queued.contains(&TileKey { slide, scale, tile }))
        })
    }

    /// The cells that a tile touches, of all layers that are wanted of its slide.
    fn touched(&self, key: &TileKey) -> Vec<(LayerKey, Vec<(u32, u32)>)> {
        let Some(sheet) = self.sheets.get(&(key.slide, key.scale)) else {
            return Vec::new();
        };
        let kept = sheet.grid.kept(key.tile);
        let of = |analysis| LayerKey {
            slide: key.slide,
            analysis,
        };
        let own = || sheet.cells(&kept.0, &kept.1);
        let mut all = Vec::new();
        let of_slide = |field: &&FieldWish| field.slide_id == key.slide;
        for field in self.wish.fields.iter().filter(of_slide) {
            for map in field.analysis.maps() {
                let finer = self.sheets.get(&(key.slide, map.scale()));
                match finer {
                    _ if map.scale() == key.scale => {
                        all.extend(map.has_own_tiles().then(|| (of(map), own())));
                    }
                    Some(finer) if map.context() == Some(key.scale) => {
                        all.push((of(map), seen_cells(field, finer, sheet, &kept)));
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// Paints cells of a map.
    fn show_cells(&mut self, layer: LayerKey, mut cells: Vec<(u32, u32)>) {
        // By rows, for an order that is the same in every run.
        cells.sort_unstable_by_key(|(column, row)| (*row, *column));
        let px = cells
            .into_iter()
            .filter_map(|cell| self.cell_px(layer, cell));
        let px: Vec<CellPx> = px.collect();
        let said = Said {
            sheets: &self.sheets,
            scores: &self.scores,
            stamp: self.stamp,
        };
        let work = px.into_iter().filter_map(|px| said.work(layer, px));
        let work: Vec<CellWork<'_, M::Scores>> = work.collect();
        let order = PaintOrder {
            fusion: &self.fusion,
            classes: self.model.classes().len(),
            shown_class: self.wish.shown_class,
            now: self.stamp,
        };
        let painted = self.painter.paint(work, order, &self.shared);
        self.note(painted);
    }

    /// The px of a cell and of what it is fused or compared with; none where there are none or it
    /// can't be told which of them lie near tissue.
    fn cell_px(&mut self, layer: LayerKey, cell: (u32, u32)) -> Option<CellPx> {
        let (slide, scale) = (layer.slide, layer.analysis.scale());
        let sheet = self.sheets.get(&(slide, scale))?;
        let (x, y) = sheet.cell(cell);
        if x.is_empty() || y.is_empty() {
            return None;
        }
        let context = layer.analysis.context().and_then(|scale| {
            let coarse = self.sheets.get(&(slide, scale))?;
            Some((scale, around(coarse, sheet, (&x, &y))))
        });
        let fine = self.near_px(slide, scale, (x, y));
        let context = context.map(|(scale, px)| self.near_px(slide, scale, px));
        match (fine, context.transpose()) {
            (Ok(fine), Ok(context)) => Some(CellPx {
                cell,
                fine,
                context,
            }),
            (Err(error), _) | (_, Err(error)) => {
                self.failure = Some(error.to_string());
                None
            }
        }
    }

    fn near_px(
        &mut self,
        slide: u64,
        scale: u8,
        (x, y): (Range<u32>, Range<u32>),
    ) -> Result<NearPx, SlideError> {
        let mpp = MAGNIFICATIONS[usize::from(scale)].mpp();
        let near = match self.tissue.get_mut(&slide) {
            Some(tissue) => tissue.near_px(mpp, &x, &y)?,
            None => Vec::new(),
        };
        Ok(NearPx { scale, x, y, near })
    }
}
