//! What the engine makes of tokens: px of maps, and the likest spots.

use std::ops::Range;

use super::{EmbeddingEngine, MOST_DRAWN, Stage, TileKey};
use crate::labels::{LabelPyramid, PAGE_PX, PageId, Ranks, Texel, UNKNOWN};
use crate::segment::embedding::model::TokenModel;
use crate::segment::embedding::paint::{COLOUR_UM, LIKENESS_UM, Place};
use crate::segment::embedding::patch::Patch;
use crate::segment::embedding::published::{EmbeddingKey, EmbeddingView};

impl<M: TokenModel> EmbeddingEngine<M> {
    /// Kept tokens of columns `x` and rows `y`.
    pub(super) fn patch(
        &self,
        slide: u64,
        scale: u8,
        x: Range<u32>,
        y: Range<u32>,
    ) -> Option<Patch> {
        let sheet = self.sheet(slide, scale)?;
        let mut patch = Patch::unknown(x.clone(), y.clone(), self.model.width());
        for tile in sheet.tiles_of(&x, &y) {
            let Some(tokens) = self.tokens.peek(&TileKey { slide, scale, tile }) else {
                continue;
            };
            let core = sheet.core(tile);
            for row in both(&core.1, &y) {
                for column in both(&core.0, &x) {
                    let line = (row - core.1.start) as usize * core.0.len();
                    let index = line + (column - core.0.start) as usize;
                    if tokens.is_known(index) {
                        tokens.read(index, patch.set(column, row));
                    }
                }
            }
        }
        Some(patch)
    }

    /// The tiles whose tokens count in the means of a tile, itself among them; and the other way
    /// round.
    fn around(&self, key: &TileKey) -> Vec<TileKey> {
        let Some(sheet) = self.sheet(key.slide, key.scale) else {
            return Vec::new();
        };
        let core = sheet.core(key.tile);
        let (x, y) = sheet.widened(&core.0, &core.1, self.side_um(key.slide));
        let tiles = sheet.tiles_of(&x, &y).into_iter();
        tiles.map(|tile| TileKey { tile, ..*key }).collect()
    }

    /// Side of the largest squares whose means are drawn of a slide, µm.
    fn side_um(&self, slide: u64) -> f64 {
        match self.direction(slide) {
            Some(_) => LIKENESS_UM,
            None => COLOUR_UM,
        }
    }

    /// The direction that is looked for on a slide.
    fn direction(&self, slide: u64) -> Option<&Vec<f32>> {
        let search = self
            .search
            .as_ref()
            .filter(|search| search.slide_id == slide)?;
        search.direction.as_ref()
    }

    /// Notes that what is drawn around a tile was drawn without it.
    pub(super) fn around_is_stale(&mut self, key: &TileKey) {
        for other in self.around(key) {
            if other != *key && self.tokens.peek(&other).is_some() && self.has_px(&other) {
                self.stale.insert(other);
            }
        }
    }

    /// Draws tiles that were not drawn yet, and those around which all is there now.
    pub(super) fn draw_stale(&mut self) {
        let ready = |key: &&TileKey| !self.has_px(key) || !self.is_waiting(key);
        let ready: Vec<TileKey> = self.stale.iter().filter(ready).copied().collect();
        for key in ready.into_iter().take(MOST_DRAWN) {
            self.stale.remove(&key);
            // What was dropped in between stays as it was drawn.
            if self.tokens.peek(&key).is_some() {
                self.draw(&key);
            }
        }
    }

    /// Whether some of what is around a tile is still to be looked at.
    fn is_waiting(&self, key: &TileKey) -> bool {
        let around = self.around(key);
        around
            .iter()
            .any(|other| self.queued.contains(other) || self.is_ahead(other))
    }

    /// Whether a tile is one of those of the whole slide that are still to come.
    fn is_ahead(&self, key: &TileKey) -> bool {
        let Some(work) = self
            .slides
            .get(&key.slide)
            .filter(|_| self.stage == Stage::Slide)
        else {
            return false;
        };
        let number = work.sheet(work.anchor).map(|sheet| sheet.number(key.tile));
        key.scale == work.anchor && number.is_some_and(|number| number >= work.swept)
    }

    /// Whether all maps that are wanted show a tile, and nothing of it is stale.
    pub(super) fn is_drawn(&self, key: &TileKey) -> bool {
        self.has_px(key) && !self.stale.contains(key)
    }

    /// Whether all maps that are wanted have px of a tile.
    fn has_px(&self, key: &TileKey) -> bool {
        let Some((sheet, tokens)) = self.sheet(key.slide, key.scale).zip(self.tokens.peek(key))
        else {
            return true;
        };
        let (Some(first), (x, y)) = (tokens.first_known(), sheet.core(key.tile)) else {
            return true;
        };
        let at = (
            x.start + (first % x.len()) as u32,
            y.start + (first / x.len()) as u32,
        );
        let colours = self.texel(key, EmbeddingView::Colours, at);
        let likeness = || self.texel(key, EmbeddingView::Likeness, at);
        let asked = self.direction(key.slide).is_some();
        colours.is_some_and(|texel| texel.extra != 0)
            && (!asked || likeness().is_some_and(|texel| texel.code != UNKNOWN))
    }

    fn texel(&self, key: &TileKey, view: EmbeddingView, (x, y): (u32, u32)) -> Option<Texel> {
        let maps = self.shared.lock();
        let id = PageId {
            level: 0,
            col: x / PAGE_PX,
            row: y / PAGE_PX,
        };
        let page = maps.get(&map_of(key, view))?.peek(id)?;
        Some(page.texel(x % PAGE_PX, y % PAGE_PX))
    }

    /// Draws a tile's core from its tokens and those around.
    fn draw(&mut self, key: &TileKey) {
        let Some(work) = self.slides.get(&key.slide) else {
            return;
        };
        let (Some(sheet), Some(basis)) = (work.sheet(key.scale), work.basis.as_ref()) else {
            return;
        };
        let (x, y) = sheet.core(key.tile);
        let (wide_x, wide_y) = sheet.widened(&x, &y, self.side_um(key.slide));
        let Some(tokens) = self.patch(key.slide, key.scale, wide_x, wide_y) else {
            return;
        };
        let token_um = sheet.token_um();
        let place = Place { x, y, token_um };
        let direction = self.direction(key.slide);
        let likeness = direction.map(|direction| place.likeness(&tokens, basis, direction));
        let is_anchor = key.scale == work.anchor;
        self.publish(
            key,
            &place,
            EmbeddingView::Colours,
            &place.colours(&tokens, basis),
        );
        let Some((texels, best)) = likeness else {
            return;
        };
        self.publish(key, &place, EmbeddingView::Likeness, &texels);
        if let (Some(search), Some(best), true) = (&mut self.search, best, is_anchor) {
            search.note(key.tile, best);
        }
    }

    fn publish(&self, key: &TileKey, place: &Place, view: EmbeddingView, texels: &[Texel]) {
        let Some(sheet) = self.sheet(key.slide, key.scale) else {
            return;
        };
        let (raster, most) = (sheet.raster, self.limits.page_bytes);
        let mut maps = self.shared.lock();
        let map = maps.entry(map_of(key, view)).or_insert_with(|| match view {
            EmbeddingView::Colours => LabelPyramid::of_colours(raster, most),
            EmbeddingView::Likeness => LabelPyramid::new(raster, Ranks::by_rarity(&[1.0]), most),
        });
        place.write(map, texels);
    }
}

fn map_of(key: &TileKey, view: EmbeddingView) -> EmbeddingKey {
    EmbeddingKey {
        slide: key.slide,
        scale: key.scale,
        view,
    }
}

/// What two ranges share; empty where they share nothing.
fn both(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}
