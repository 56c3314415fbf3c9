//! The live engine: one small step at a time, newest wish first.

mod features;
mod lined_up;
mod parts;
mod shown;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::byte_cache::ByteCache;
use super::canvas::{CellPainter, OnProcessor, TileScores};
use super::field::Sheet;
use super::layer::{LayerKey, MAGNIFICATIONS};
use super::local_tissue::LocalTissue;
use super::model::LiveModel;
use super::pace::TilePace;
use super::published::{FieldAreas, LiveStatus, SharedLayers};
use super::said::{Scores, TileKey};
use super::wish::Wish;
use crate::labels::Ranks;
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
            page_bytes: 352 << 20,
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

/// How often the fields are looked through again although no less is left of them than before: what
/// was lost from a cache before it was used.
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
    /// Tiles that have their turn when the queue is through.
    later: usize,
    /// Cells that were not what is asked for when the queue was made.
    stale: usize,
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
            later: 0,
            stale: 0,
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
            waiting: self.queue.len() + self.later,
            encoded: self.pace.encoded,
            decoded: self.pace.decoded,
            tiles_per_s: self.pace.tiles_per_s(),
            feature_bytes: self.features.bytes(),
            score_bytes: self.scores.bytes(),
            turn_s: self.pace.turn_s,
            full_s: self.pace.full_s(),
            failure: self.failure.clone(),
            is_cut: self.wish.fields.first().is_some_and(|field| {
                let sheet = self.sheets.get(&(field.slide_id, field.analysis.scale()));
                sheet.is_some_and(|sheet| sheet.is_cut(&field.seen))
            }),
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
        let counts = px <= MOST_PX_COUNTED_OFTEN || self.is_through();
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
            self.go_on();
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
        let is_done = self.is_through();
        let settled = self.painter.settle(&self.shared, usize::from(!is_done));
        self.note(settled);
        if is_done {
            self.pace.field_done();
        }
        Step::Worked
    }

    /// About how long all that is lined up takes, where every tile of it is kept: what is left of a
    /// turn of a dial.
    pub fn turn_left(&self) -> Option<Duration> {
        let is_glass = |key: &TileKey| {
            let sheet = self.sheets.get(&(key.slide, key.scale));
            sheet.is_some_and(|sheet| sheet.glass.contains(&key.tile))
        };
        let is_kept = |key: &TileKey| self.features.has(key) || is_glass(key);
        let all_kept = self.later == 0 && self.queue.iter().all(is_kept);
        let each = self.pace.decode_s().filter(|_| all_kept)?;
        Some(Duration::from_secs_f64(each * self.queue.len() as f64))
    }

    /// Whether no tile is left of all that was lined up.
    fn is_through(&self) -> bool {
        self.queue.is_empty() && self.later == 0
    }

    fn note(&mut self, painted: Result<(), ModelError>) {
        if let Err(error) = painted {
            self.broken = Some(error.reason);
        }
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
}
