//! The engine of embeddings: one small step at a time, newest wish first.

mod aim;
mod draw;

use std::collections::{HashMap, HashSet, VecDeque};

use super::model::{TokenGrid, TokenModel, embed_checked};
use super::published::{EmbeddingStatus, EmbeddingView, SharedEmbeddings};
use super::search::Search;
use super::sheet::TokenSheet;
use super::slide_work::SlideWork;
use super::tile_tokens::TileTokens;
use super::wish::EmbeddingWish;
use crate::segment::grid::{GridError, TileId};
use crate::segment::live::Step;
use crate::segment::live::byte_cache::ByteCache;
use crate::segment::model::RgbTile;

/// How much the engine keeps, and does in one step.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingLimits {
    /// Bytes of tokens: 7 KB for a tile's core of 6 × 6 tokens of 192 values.
    pub token_bytes: u64,
    /// Bytes of the pages of one map.
    pub page_bytes: u64,
    /// Tiles that are read and embedded in one step.
    pub embed_batch: usize,
}

impl Default for EmbeddingLimits {
    fn default() -> Self {
        Self {
            token_bytes: 256 << 20,
            page_bytes: 64 << 20,
            embed_batch: 2,
        }
    }
}

/// Tiles that one step looks at for tissue at most.
const MOST_LOOKED_AT: usize = 64;

/// Tiles that one step draws at most.
const MOST_DRAWN: usize = 32;

/// A tile of a slide at a magnification, by its place in [`crate::segment::live::MAGNIFICATIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TileKey {
    slide: u64,
    scale: u8,
    tile: TileId,
}

/// What is being worked on, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The tissue that the slide's colours are made of.
    Sample,
    /// The tiles around the spot that is asked for.
    Query,
    /// What is seen.
    Field,
    /// All of the slide at 10x.
    Slide,
    Done,
}

/// What is known of a tile before work on it begins.
enum Look {
    /// Its tokens are kept.
    Kept,
    /// It is to be embedded; which tokens of its core lie near tissue.
    New(Vec<bool>),
    /// It has none.
    Nothing,
}

/// Works on tiles for the newest wish, and publishes colours and likeness.
pub struct EmbeddingEngine<M: TokenModel> {
    model: M,
    fill_um: f64,
    limits: EmbeddingLimits,
    shared: SharedEmbeddings,
    wish: Option<EmbeddingWish>,
    slides: HashMap<u64, SlideWork>,
    tokens: ByteCache<TileKey, TileTokens>,
    search: Option<Search>,
    stage: Stage,
    queue: VecDeque<TileKey>,
    queued: HashSet<TileKey>,
    /// Tiles that were not drawn yet, or without what is around them.
    stale: HashSet<TileKey>,
    embedded: u64,
    failure: Option<String>,
}

impl<M: TokenModel> EmbeddingEngine<M> {
    /// Nothing asked for yet; maps go to `shared`. `fill_um` as in [`crate::segment::Settings`].
    pub fn new(model: M, fill_um: f64, limits: EmbeddingLimits, shared: SharedEmbeddings) -> Self {
        Self {
            model,
            fill_um,
            limits,
            shared,
            wish: None,
            slides: HashMap::new(),
            tokens: ByteCache::new(limits.token_bytes),
            search: None,
            stage: Stage::Done,
            queue: VecDeque::new(),
            queued: HashSet::new(),
            stale: HashSet::new(),
            embedded: 0,
            failure: None,
        }
    }

    /// The maps, for those who show them.
    pub fn layers(&self) -> SharedEmbeddings {
        self.shared.clone()
    }

    /// Takes a new wish in place of the former one. What was computed is kept; a search goes on
    /// where slide and spot are the same, and is dropped with its map otherwise.
    pub fn ask(&mut self, wish: EmbeddingWish) {
        self.failure = None;
        let wanted = wish.query.map(|query| (wish.slide_id, query));
        let present = self
            .search
            .as_ref()
            .map(|search| (search.slide_id, search.query));
        if wanted != present {
            self.search = wanted.map(|(slide, query)| Search::new(slide, query));
            self.shared
                .lock()
                .retain(|key, _| key.view != EmbeddingView::Likeness);
            self.slides.values_mut().for_each(|work| work.swept = 0);
        }
        let opened = self.open(&wish);
        self.wish = Some(wish);
        match opened {
            Ok(()) => self.enter(Stage::Sample),
            Err(error) => {
                self.failure = Some(error.to_string());
                self.enter(Stage::Done);
            }
        }
    }

    /// Stops all work; what was computed is kept.
    pub fn rest(&mut self) {
        self.wish = None;
    }

    fn open(&mut self, wish: &EmbeddingWish) -> Result<(), GridError> {
        let sides_px = (self.model.tile_px(), self.model.patch_px());
        if !self.slides.contains_key(&wish.slide_id) {
            let work = SlideWork::open(&wish.slide, self.fill_um, sides_px)?;
            self.slides.insert(wish.slide_id, work);
        }
        let Some(work) = self.slides.get_mut(&wish.slide_id) else {
            return Ok(());
        };
        let scales = wish.query.map(|query| query.scale);
        for scale in scales.into_iter().chain([wish.scale]) {
            work.open_sheet(scale)?;
        }
        Ok(())
    }

    /// Drops all that is held for a slide.
    pub fn forget(&mut self, slide: u64) {
        self.slides.remove(&slide);
        self.tokens.retain(|key| key.slide != slide);
        self.stale.retain(|key| key.slide != slide);
        self.shared.lock().retain(|key, _| key.slide != slide);
        self.search.take_if(|search| search.slide_id == slide);
        if self.wish.take_if(|wish| wish.slide_id == slide).is_some() {
            self.enter(Stage::Done);
        }
    }

    /// How far the engine is.
    pub fn status(&self) -> EmbeddingStatus {
        let work = self
            .wish
            .as_ref()
            .and_then(|wish| self.slides.get(&wish.slide_id));
        let search = || {
            let (search, work) = (self.search.as_ref()?, work?);
            Some(search.status(work.swept, work.sheet(work.anchor)?))
        };
        EmbeddingStatus {
            waiting: self.left_of_field(),
            embedded: self.embedded,
            token_bytes: self.tokens.bytes(),
            has_colours: work.is_some_and(|work| work.basis.is_some()),
            search: search(),
            failure: self.failure.clone(),
        }
    }

    /// Tiles of the field that are left. The spot's own and those of the slide's sample come before,
    /// all of the slide after.
    fn left_of_field(&self) -> usize {
        let Some(wish) = &self.wish else {
            return 0;
        };
        let in_field = |key: &&TileKey| key.slide == wish.slide_id && key.scale == wish.scale;
        match self.stage {
            Stage::Sample | Stage::Query | Stage::Field => {
                let queued = self.queue.iter().filter(in_field).count();
                queued + self.stale.iter().filter(in_field).count()
            }
            Stage::Slide | Stage::Done => 0,
        }
    }

    /// Does one small piece of work.
    pub fn step(&mut self) -> Step {
        let slide = self.wish.as_ref().map(|wish| wish.slide_id);
        let (Some(slide), false) = (slide, self.stage == Stage::Done && self.stale.is_empty())
        else {
            return Step::Idle;
        };
        let new = self.pick(slide);
        let is_over = new.is_empty() && self.is_over(slide);
        self.embed(new);
        self.draw_stale();
        if is_over && self.stale.is_empty() {
            self.end_stage(slide);
        }
        Step::Worked
    }

    /// Goes on through the tiles of the present stage until some are to be embedded, with which of
    /// their tokens lie near tissue.
    fn pick(&mut self, slide: u64) -> Vec<(TileKey, Vec<bool>)> {
        let (mut new, mut kept) = (Vec::new(), 0);
        // A step is small even where there is nothing but glass, or nothing new.
        for _ in 0..MOST_LOOKED_AT {
            if new.len() == self.limits.embed_batch || kept == MOST_DRAWN {
                break;
            }
            let Some(key) = self.next(slide) else {
                break;
            };
            let look = self.look(&key);
            if self.stage == Stage::Sample && !matches!(look, Look::Nothing) {
                self.count_sampled(slide);
            }
            match look {
                Look::Kept => {
                    self.use_tokens(&key);
                    kept += 1;
                }
                Look::New(near) => new.push((key, near)),
                Look::Nothing => {}
            }
        }
        new
    }

    fn count_sampled(&mut self, slide: u64) {
        if let Some(work) = self.slides.get_mut(&slide) {
            work.sample.count();
        }
    }

    /// The next tile of the present stage.
    fn next(&mut self, slide: u64) -> Option<TileKey> {
        let work = self.slides.get_mut(&slide)?;
        let key = |scale, tile| TileKey { slide, scale, tile };
        match self.stage {
            Stage::Sample if work.basis.is_some() => None,
            Stage::Sample => work.sample.next().map(|tile| key(work.anchor, tile)),
            Stage::Slide => {
                let sheet = work.sheet(work.anchor)?;
                let next = (work.swept < sheet.tiles()).then(|| sheet.tile(work.swept))?;
                work.swept += 1;
                Some(key(work.anchor, next))
            }
            _ => {
                let next = self.queue.pop_front()?;
                self.queued.remove(&next);
                Some(next)
            }
        }
    }

    fn is_over(&self, slide: u64) -> bool {
        let Some(work) = self.slides.get(&slide) else {
            return true;
        };
        match self.stage {
            Stage::Sample => work.basis.is_some() || work.sample.is_over(),
            Stage::Slide => work
                .sheet(work.anchor)
                .is_none_or(|sheet| work.swept >= sheet.tiles()),
            _ => self.queue.is_empty(),
        }
    }

    fn end_stage(&mut self, slide: u64) {
        let stage = match self.stage {
            Stage::Sample => match self.settle(slide) {
                true => Stage::Query,
                false => Stage::Done,
            },
            Stage::Query => {
                self.aim();
                Stage::Field
            }
            Stage::Field if self.sweeps() => Stage::Slide,
            _ => Stage::Done,
        };
        self.enter(stage);
    }

    /// Settles a slide's colours; whether there are any.
    fn settle(&mut self, slide: u64) -> bool {
        let Some(work) = self.slides.get_mut(&slide) else {
            return false;
        };
        if work.basis.is_none() {
            work.basis = work.sample.fit();
        }
        if work.basis.is_none() && self.failure.is_none() {
            self.failure = Some("no tissue was found on the slide".to_owned());
        }
        work.basis.is_some()
    }

    /// Whether all of the slide is to be looked through.
    fn sweeps(&self) -> bool {
        let wanted = self
            .wish
            .as_ref()
            .is_some_and(|wish| wish.whole_slide_at_10x);
        let lost = self
            .search
            .as_ref()
            .is_some_and(|search| search.direction.is_none());
        wanted && !lost
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        let tiles = match stage {
            Stage::Query => self.query_tiles(),
            Stage::Field => self.field_tiles(),
            _ => Vec::new(),
        };
        self.queued = tiles.iter().copied().collect();
        self.queue = tiles.into();
    }

    fn sheet(&self, slide: u64, scale: u8) -> Option<&TokenSheet> {
        self.slides.get(&slide)?.sheet(scale)
    }

    fn look(&mut self, key: &TileKey) -> Look {
        if self.tokens.get(key).is_some() {
            return Look::Kept;
        }
        let Some(work) = self.slides.get_mut(&key.slide) else {
            return Look::Nothing;
        };
        let without = work
            .sheet(key.scale)
            .and_then(|sheet| sheet.without.get(&key.tile));
        if let Some(reason) = without.cloned() {
            self.failure = reason.or(self.failure.take());
            return Look::Nothing;
        }
        match work.near(key.scale, key.tile) {
            Ok(near) if near.contains(&true) => return Look::New(near),
            Ok(_) => work.without(key.scale, key.tile, None),
            Err(error) => self.fail(key, &error.to_string()),
        }
        Look::Nothing
    }

    fn fail(&mut self, key: &TileKey, reason: &str) {
        if let Some(work) = self.slides.get_mut(&key.slide) {
            work.without(key.scale, key.tile, Some(reason.to_owned()));
        }
        self.failure = Some(reason.to_owned());
    }

    fn embed(&mut self, new: Vec<(TileKey, Vec<bool>)>) {
        let (mut places, mut tiles): (Vec<(TileKey, Vec<bool>)>, Vec<RgbTile>) = Default::default();
        for (key, near) in new {
            let read = self
                .slides
                .get(&key.slide)
                .map(|work| work.read(key.scale, key.tile));
            match read {
                Some(Ok(tile)) => {
                    places.push((key, near));
                    tiles.push(tile);
                }
                Some(Err(error)) => self.fail(&key, &error.to_string()),
                None => {}
            }
        }
        if tiles.is_empty() {
            return;
        }
        match embed_checked(&mut self.model, &tiles) {
            Ok(grids) => {
                for ((key, near), grid) in places.iter().zip(&grids) {
                    self.keep(key, near, grid);
                }
            }
            Err(error) => {
                for (key, _) in &places {
                    self.fail(key, &error.to_string());
                }
            }
        }
    }

    fn keep(&mut self, key: &TileKey, near: &[bool], grid: &TokenGrid) {
        let Some(sheet) = self.sheet(key.slide, key.scale) else {
            return;
        };
        let (x, y) = sheet.core(key.tile);
        let halo = sheet.halo();
        let places =
            (0..y.len() as u32).flat_map(|row| (0..x.len() as u32).map(move |at| (at, row)));
        let tokens = places
            .zip(near)
            .map(|((column, row), near)| near.then(|| grid.token(column + halo, row + halo)));
        let tokens = TileTokens::of(grid.width, tokens);
        let bytes = tokens.bytes();
        self.tokens.put(*key, tokens, bytes);
        self.embedded += 1;
        self.arrived(key);
    }

    /// A tile was embedded: it is to be drawn, and what is around it once more.
    fn arrived(&mut self, key: &TileKey) {
        self.around_is_stale(key);
        self.use_tokens(key);
    }

    /// A tile's tokens are at hand: uses them for what is being worked on.
    fn use_tokens(&mut self, key: &TileKey) {
        match self.stage {
            Stage::Sample => self.add_to_sample(key),
            Stage::Field | Stage::Slide if !self.is_drawn(key) => {
                self.stale.insert(*key);
            }
            _ => {}
        }
    }

    /// Adds a tile's tokens, without those around it, to the sample.
    fn add_to_sample(&mut self, key: &TileKey) {
        let Some(sheet) = self.sheet(key.slide, key.scale) else {
            return;
        };
        let ((x, y), token_um) = (sheet.core(key.tile), sheet.token_um());
        let core = self.patch(key.slide, key.scale, x, y);
        if let (Some(core), Some(work)) = (core, self.slides.get_mut(&key.slide)) {
            work.sample.add(&core, token_um);
        }
    }
}
