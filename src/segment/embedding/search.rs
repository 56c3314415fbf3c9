//! The spots of a slide that look most like one.

use std::collections::HashMap;

use super::sheet::TokenSheet;
use super::wish::Query;
use crate::geometry::SlidePoint;
use crate::segment::grid::TileId;

/// Matches nearer to each other, or to the spot that was asked for, are one: µm between middles.
pub const MATCHES_APART_UM: f64 = 256.0;

/// Matches that are listed at most.
pub const MOST_MATCHES: usize = 20;

/// A spot that looks like the one asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Its middle, level-0 px.
    pub at: SlidePoint,
    /// Cosine between both embeddings less the slide's mean, −1 to 1.
    pub similarity: f32,
}

/// How far a search is, and what it found so far.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchStatus {
    /// What is looked for.
    pub query: Query,
    /// Tiles of the slide that were looked at, glass too.
    pub done: u64,
    /// Tiles of the slide.
    pub total: u64,
    /// The best matches, the best first, at most [`MOST_MATCHES`].
    pub matches: Vec<Match>,
}

/// A spot of the slide: its token's column and row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Column and row.
    pub token: (u32, u32),
    /// As in [`Match`].
    pub similarity: f32,
}

/// A search under way.
pub struct Search {
    /// The slide.
    pub slide_id: u64,
    /// What is looked for.
    pub query: Query,
    /// Its direction from the slide's mean, once it is known.
    pub direction: Option<Vec<f32>>,
    /// The best spot of each tile at 10x; a tile is smaller than what matches are apart.
    best: HashMap<TileId, Spot>,
}

impl Search {
    /// Nothing known yet.
    pub fn new(slide_id: u64, query: Query) -> Self {
        Self {
            slide_id,
            query,
            direction: None,
            best: HashMap::new(),
        }
    }

    /// Takes a tile's best spot in place of what it had.
    pub fn note(&mut self, tile: TileId, best: Spot) {
        self.best.insert(tile, best);
    }

    /// The best matches on the sheet at 10x: the best spot, then the best of those far enough from
    /// all before, and so on.
    pub fn matches(&self, sheet: &TokenSheet) -> Vec<Match> {
        let mut spots: Vec<&Spot> = self.best.values().collect();
        spots.sort_by(|a, b| {
            let by_place = || (a.token.1, a.token.0).cmp(&(b.token.1, b.token.0));
            b.similarity.total_cmp(&a.similarity).then_with(by_place)
        });
        let apart = MATCHES_APART_UM / sheet.token_um();
        let mut taken = vec![sheet.in_tokens(self.query.at)];
        let mut matches = Vec::new();
        for spot in spots {
            let at = (f64::from(spot.token.0) + 0.5, f64::from(spot.token.1) + 0.5);
            if matches.len() == MOST_MATCHES {
                break;
            }
            if taken
                .iter()
                .all(|other| (other.0 - at.0).hypot(other.1 - at.1) >= apart)
            {
                taken.push(at);
                matches.push(as_match(sheet, at, spot.similarity));
            }
        }
        matches
    }

    /// How far it is: `done` tiles of the sheet at 10x were looked at.
    pub fn status(&self, done: u64, sheet: &TokenSheet) -> SearchStatus {
        SearchStatus {
            query: self.query,
            done,
            total: sheet.tiles(),
            matches: self.matches(sheet),
        }
    }
}

fn as_match(sheet: &TokenSheet, (x, y): (f64, f64), similarity: f32) -> Match {
    let scale = sheet.raster.slide_px_per_px;
    Match {
        at: SlidePoint::new(x * scale.0, y * scale.1),
        similarity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::test_slide::Painted;

    #[test]
    fn the_best_come_first_and_keep_apart() {
        let slide = Painted::new(8000, 4000, Some(0.25), |_, _| [200; 3]);
        let sheet = TokenSheet::new(&slide, (128, 16), 1.0).unwrap();
        let at = SlidePoint::new(32.0, 32.0);
        let mut search = Search::new(1, Query { at, scale: 2 });
        // 16 tokens are 256 um.
        for (n, (x, similarity)) in [(3, 1.0), (40, 0.5), (30, 0.8), (47, 0.4), (80, 0.9)]
            .into_iter()
            .enumerate()
        {
            let tile = TileId {
                column: n as u32,
                row: 0,
            };
            let token = (x, 0);
            search.note(tile, Spot { token, similarity });
        }
        let found = search.matches(&sheet);
        let found: Vec<(f64, f32)> = found
            .iter()
            .map(|m| (m.at.x / 64.0, m.similarity))
            .collect();
        assert_eq!(found, [(80.5, 0.9), (30.5, 0.8), (47.5, 0.4)]);
    }
}
