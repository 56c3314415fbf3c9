//! Which tiles a wish needs, and what its spot looks like.

use super::{EmbeddingEngine, TileKey};
use crate::segment::embedding::model::TokenModel;
use crate::segment::embedding::paint::LIKENESS_UM;

impl<M: TokenModel> EmbeddingEngine<M> {
    /// The tiles around the spot that is asked for, unless that is known.
    pub(super) fn query_tiles(&self) -> Vec<TileKey> {
        let Some((slide, scale, (x, y))) = self.spot().filter(|_| !self.is_aimed()) else {
            return Vec::new();
        };
        let Some(sheet) = self.sheet(slide, scale) else {
            return Vec::new();
        };
        let (x, y) = sheet.widened(&(x..x + 1), &(y..y + 1), LIKENESS_UM);
        let tiles = sheet.tiles_of(&x, &y).into_iter();
        tiles.map(|tile| TileKey { slide, scale, tile }).collect()
    }

    /// The tiles of what is seen, from the middle out.
    pub(super) fn field_tiles(&self) -> Vec<TileKey> {
        let Some(wish) = &self.wish else {
            return Vec::new();
        };
        let (slide, scale) = (wish.slide_id, wish.scale);
        let Some(sheet) = self.sheet(slide, scale) else {
            return Vec::new();
        };
        let Some((x, y)) = sheet.seen(&wish.seen, wish.center) else {
            return Vec::new();
        };
        let tiles = sheet.nearest_first(&x, &y, wish.center).into_iter();
        tiles.map(|tile| TileKey { slide, scale, tile }).collect()
    }

    /// Whether it is known what the spot that is asked for looks like.
    fn is_aimed(&self) -> bool {
        self.search
            .as_ref()
            .is_some_and(|search| search.direction.is_some())
    }

    /// Slide, scale and token of the spot that is asked for.
    fn spot(&self) -> Option<(u64, u8, (u32, u32))> {
        let search = self.search.as_ref()?;
        let (slide, query) = (search.slide_id, search.query);
        let token = self.sheet(slide, query.scale)?.token_at(query.at)?;
        Some((slide, query.scale, token))
    }

    /// Finds the direction of what is asked for.
    pub(super) fn aim(&mut self) {
        if self.search.is_none() || self.is_aimed() {
            return;
        }
        let direction = self.spot().and_then(|(slide, scale, (x, y))| {
            let work = self.slides.get(&slide)?;
            let sheet = work.sheet(scale)?;
            let (columns, rows) = (x..x + 1, y..y + 1);
            let (wide_x, wide_y) = sheet.widened(&columns, &rows, LIKENESS_UM);
            let tokens = self.patch(slide, scale, wide_x, wide_y)?;
            let means = tokens.means(&columns, &rows, LIKENESS_UM / sheet.token_um());
            Some(work.basis.as_ref()?.direction(means.get(x, y)?))
        });
        if direction.is_none() && self.failure.is_none() {
            let reason = "no tissue at the spot whose likes are looked for: choose another";
            self.failure = Some(reason.to_owned());
        }
        if let Some(search) = &mut self.search {
            search.direction = direction;
        }
    }
}
