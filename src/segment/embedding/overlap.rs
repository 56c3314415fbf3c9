//! Do 10x and 40x give the same answer? Spots asked for at both, and how much the answers share.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::engine::EmbeddingEngine;
use super::model::TokenModel;
use super::published::{EmbeddingKey, EmbeddingView};
use super::search::{MATCHES_APART_UM, Match};
use super::wish::{EmbeddingWish, Query};
use crate::geometry::{SlidePoint, SlideRect, SlideVector};
use crate::labels::{PAGE_PX, PageId, Raster, Texel, UNKNOWN};
use crate::segment::live::Step;
use crate::slide::SlideSource;

/// 40x and 10x, by their places in [`crate::segment::live::MAGNIFICATIONS`].
const X40: u8 = 0;
const X10: u8 = 2;

/// Tokens of 40x along a token of 10x.
const FINE: u32 = 4;

/// Share of the tokens that are an answer: those most alike.
const TOP: f64 = 0.05;

/// The slide's number: the engine serves no other meanwhile.
const SLIDE: u64 = u64::MAX;

/// What is measured on a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverlapPlan {
    /// Spots that are asked for, at least 2.
    pub spots: usize,
    /// Side of the field around each spot that is embedded at 40x too, µm.
    pub field_um: f64,
    /// Of the draw of spots.
    pub seed: u64,
}

/// What both answers to a spot share. Overlaps are intersection over union of the 5 % of tokens
/// most alike, on the tokens of 10x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpotOverlap {
    /// The spot, level-0 px.
    pub at: SlidePoint,
    /// Overlap over the slide at 10x of what was asked for at 10x and at 40x.
    pub slide_iou: f64,
    /// Part of the listed matches of either that have one of the other within
    /// [`MATCHES_APART_UM`].
    pub matches_shared: f64,
    /// Overlap in the field around the spot of what 10x says there of its spot, and 40x of its own.
    pub field_iou: f64,
    /// [`Self::slide_iou`] with another spot's answer at 40x.
    pub unrelated_slide_iou: f64,
    /// [`Self::matches_shared`] with another spot's answer at 40x.
    pub unrelated_matches_shared: f64,
    /// [`Self::field_iou`] with what 10x says there of another spot.
    pub unrelated_field_iou: f64,
    /// Mean difference of the colours of a place of the field at 10x and at 40x, 0–255 a channel.
    pub colour_apart: f64,
    /// The same between places of the field that have nothing to do with each other.
    pub unrelated_colour_apart: f64,
}

/// An overlap that can't be measured.
#[derive(Debug, thiserror::Error)]
pub enum OverlapError {
    /// The slide can't be embedded.
    #[error("{slide}: {reason}")]
    Slide {
        /// The slide.
        slide: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The caller stopped it.
    #[error("stopped: nothing was kept")]
    Stopped,
}

/// Asks for random spots of a slide's tissue at 10x and at 40x and compares the answers.
///
/// # Errors
/// When the slide has no px of 40x or too little tissue, can't be read, or `progress` stops it.
pub fn measure_overlap<M: TokenModel>(
    engine: &mut EmbeddingEngine<M>,
    slide: &Arc<dyn SlideSource>,
    plan: &OverlapPlan,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Vec<SpotOverlap>, OverlapError> {
    let mut asker = Asker {
        engine,
        slide,
        field_um: plan.field_um,
        done: 0,
        total: 1 + 3 * plan.spots as u64,
        progress,
    };
    let spots = asker.spots(plan)?;
    let answers: Result<Vec<Answers>, OverlapError> =
        spots.iter().map(|at| asker.answers(*at)).collect();
    asker.engine.forget(SLIDE);
    let answers = answers?;
    let others = answers.iter().cycle().skip(answers.len() / 2);
    Ok(answers
        .iter()
        .zip(others)
        .map(|(own, other)| own.beside(other))
        .collect())
}

/// Likeness or colour by token of 10x.
type Map<T> = HashMap<(u32, u32), T>;

/// What the engine says of a spot.
struct Answers {
    at: SlidePoint,
    um_per_px: (f64, f64),
    /// Over the slide, asked for at 10x and at 40x.
    slide: [Map<f64>; 2],
    matches: [Vec<Match>; 2],
    /// Around the spot, tokens of 40x brought to those of 10x.
    field: Map<f64>,
    colours: [Map<[f64; 3]>; 2],
}

impl Answers {
    fn beside(&self, other: &Self) -> SpotOverlap {
        let in_field = |map: &Map<f64>| {
            let within = map
                .iter()
                .filter(|(token, _)| self.field.contains_key(token));
            within
                .map(|(token, value)| (*token, *value))
                .collect::<Map<f64>>()
        };
        let own_field = in_field(&self.slide[0]);
        let shared = |a: &[Match], b: &[Match]| (self.near_part(a, b) + self.near_part(b, a)) / 2.0;
        let [colours_10x, colours_40x] = &self.colours;
        SpotOverlap {
            at: self.at,
            slide_iou: iou(&self.slide[0], &self.slide[1]),
            matches_shared: shared(&self.matches[0], &self.matches[1]),
            field_iou: iou(&own_field, &self.field),
            unrelated_slide_iou: iou(&self.slide[0], &other.slide[1]),
            unrelated_matches_shared: shared(&self.matches[0], &other.matches[1]),
            unrelated_field_iou: iou(&in_field(&other.slide[0]), &self.field),
            colour_apart: apart(colours_10x, colours_40x),
            unrelated_colour_apart: apart(colours_10x, &turned(colours_40x)),
        }
    }

    /// Part of `a` near to one of `b`.
    fn near_part(&self, a: &[Match], b: &[Match]) -> f64 {
        let near = |a: &&Match| {
            b.iter().any(|b| {
                let away = a.at - b.at;
                (away.x * self.um_per_px.0).hypot(away.y * self.um_per_px.1) <= MATCHES_APART_UM
            })
        };
        a.iter().filter(near).count() as f64 / a.len().max(1) as f64
    }
}

/// Intersection over union of the tokens most alike, of tokens that both know.
fn iou(a: &Map<f64>, b: &Map<f64>) -> f64 {
    let top = |map: &Map<f64>, other: &Map<f64>| {
        let both = map.iter().filter(|(token, _)| other.contains_key(token));
        let mut order: Vec<(f64, (u32, u32))> = both.map(|(token, v)| (*v, *token)).collect();
        // Of equals, those that come first on the slide.
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.truncate((order.len() as f64 * TOP).ceil() as usize);
        order
            .into_iter()
            .map(|(_, token)| token)
            .collect::<std::collections::HashSet<_>>()
    };
    let (a, b) = (top(a, b), top(b, a));
    a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
}

/// Mean difference a channel, of tokens that both know.
fn apart(a: &Map<[f64; 3]>, b: &Map<[f64; 3]>) -> f64 {
    let both = a.iter().filter_map(|(token, a)| Some((a, b.get(token)?)));
    let each = both.map(|(a, b)| (0..3).map(|c| (a[c] - b[c]).abs()).sum::<f64>() / 3.0);
    let each: Vec<f64> = each.collect();
    each.iter().sum::<f64>() / each.len().max(1) as f64
}

/// A map turned by half a circle.
fn turned(map: &Map<[f64; 3]>) -> Map<[f64; 3]> {
    let ends = |pick: fn(&(u32, u32)) -> u32| {
        let all = || map.keys().map(pick);
        all().min().unwrap_or(0) + all().max().unwrap_or(0)
    };
    let (x, y) = (ends(|token| token.0), ends(|token| token.1));
    map.iter()
        .map(|(token, colour)| ((x - token.0, y - token.1), *colour))
        .collect()
}

/// Asks the engine and reads what it shows.
struct Asker<'a, M: TokenModel> {
    engine: &'a mut EmbeddingEngine<M>,
    slide: &'a Arc<dyn SlideSource>,
    field_um: f64,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl<M: TokenModel> Asker<'_, M> {
    fn um_per_px(&self) -> (f64, f64) {
        let mpp = self.slide.info().mpp;
        mpp.map_or((1.0, 1.0), |mpp| (mpp.x, mpp.y))
    }

    /// The field around a place, whole tokens of 10x.
    fn field(&self, at: SlidePoint) -> SlideRect {
        let (um_x, um_y) = self.um_per_px();
        let half = SlideVector::new(self.field_um / 2.0 / um_x, self.field_um / 2.0 / um_y);
        SlideRect::new(at - half, at + half)
    }

    fn ask(&mut self, at: SlidePoint, scale: u8, query: Option<Query>) -> Result<(), OverlapError> {
        let whole_slide_at_10x = scale == X10;
        self.engine.ask(EmbeddingWish {
            slide: Arc::clone(self.slide),
            slide_id: SLIDE,
            scale,
            seen: self.field(at),
            center: at,
            query,
            whole_slide_at_10x,
        });
        while self.engine.step() == Step::Worked {
            if (self.progress)(self.done, self.total).is_break() {
                return Err(OverlapError::Stopped);
            }
        }
        self.done += 1;
        self.engine
            .status()
            .failure
            .map_or(Ok(()), |reason| self.refuse(&reason))
    }

    fn refuse<T>(&self, reason: &str) -> Result<T, OverlapError> {
        Err(OverlapError::Slide {
            slide: self.slide.info().name.clone(),
            reason: reason.to_owned(),
        })
    }

    /// Random places of the tissue, the middles of tokens.
    fn spots(&mut self, plan: &OverlapPlan) -> Result<Vec<SlidePoint>, OverlapError> {
        self.ask(SlidePoint::origin(), X10, None)?;
        let colours = self.read(
            X10,
            EmbeddingView::Colours,
            |texel| texel.extra != 0,
            |_| (),
        );
        let raster = self.raster(X10)?;
        let mut known: Vec<(u32, u32)> = colours.into_keys().collect();
        known.sort_unstable();
        if known.len() < plan.spots.max(2) {
            return self.refuse("too little tissue for so many spots: ask for fewer");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let spot = |_| {
            let (x, y) = known[rng.random_range(0..known.len())];
            raster.slide_rect(x..x + 1, y..y + 1).center()
        };
        Ok((0..plan.spots.max(2)).map(spot).collect())
    }

    fn answers(&mut self, at: SlidePoint) -> Result<Answers, OverlapError> {
        let at_10x = Query { at, scale: X10 };
        let at_40x = Query { at, scale: X40 };
        self.ask(at, X10, Some(at_10x))?;
        let first = (self.likeness(X10), self.matches());
        self.ask(at, X10, Some(at_40x))?;
        let second = (self.likeness(X10), self.matches());
        self.ask(at, X40, Some(at_40x))?;
        let inside = self.tokens_in(at)?;
        let fine = self.brought(&self.likeness(X40).into_iter().map(one).collect(), &inside);
        let colours = [X10, X40].map(|scale| {
            self.read(
                scale,
                EmbeddingView::Colours,
                |t| t.extra != 0,
                |t| [t.code, t.any, t.value].map(f64::from),
            )
        });
        let [coarse_colours, fine_colours] = colours;
        let fine_colours = self.brought(&fine_colours, &inside);
        Ok(Answers {
            at,
            um_per_px: self.um_per_px(),
            slide: [first.0, second.0],
            matches: [first.1, second.1],
            field: fine
                .into_iter()
                .map(|(token, [value])| (token, value))
                .collect(),
            colours: [coarse_colours, fine_colours],
        })
    }

    fn matches(&self) -> Vec<Match> {
        let search = self.engine.status().search;
        search.map_or_else(Vec::new, |search| search.matches)
    }

    fn likeness(&self, scale: u8) -> Map<f64> {
        let is_known = |texel: Texel| texel.code != UNKNOWN;
        self.read(scale, EmbeddingView::Likeness, is_known, |texel| {
            f64::from(texel.value)
        })
    }

    fn raster(&self, scale: u8) -> Result<Raster, OverlapError> {
        let view = EmbeddingView::Colours;
        let key = EmbeddingKey {
            slide: SLIDE,
            scale,
            view,
        };
        let raster = self.engine.layers().raster(key);
        raster.map_or_else(|| self.refuse("nothing was drawn of it"), Ok)
    }

    /// The tokens of 10x that lie in the field around a place.
    fn tokens_in(&self, at: SlidePoint) -> Result<(Range<u32>, Range<u32>), OverlapError> {
        let found = self.raster(X10)?.px_in(&self.field(at));
        found.map_or_else(|| self.refuse("the field lies beyond it"), Ok)
    }

    /// Known px of a map.
    fn read<T>(
        &self,
        scale: u8,
        view: EmbeddingView,
        is_known: impl Fn(Texel) -> bool,
        value: impl Fn(Texel) -> T,
    ) -> Map<T> {
        let layers = self.engine.layers();
        let maps = layers.lock();
        let Some(map) = maps.get(&EmbeddingKey {
            slide: SLIDE,
            scale,
            view,
        }) else {
            return Map::new();
        };
        let (columns, rows) = map.raster().pages();
        let ids =
            (0..rows).flat_map(|row| (0..columns).map(move |col| PageId { level: 0, col, row }));
        let mut found = Map::new();
        for (id, page) in ids.filter_map(|id| Some((id, map.peek(id)?))) {
            for (at, texel) in (0..)
                .zip(page.texels())
                .filter(|(_, texel)| is_known(**texel))
            {
                let token = (
                    id.col * PAGE_PX + at % PAGE_PX,
                    id.row * PAGE_PX + at / PAGE_PX,
                );
                found.insert(token, value(*texel));
            }
        }
        found
    }

    /// Tokens of 40x on those of 10x: means, where all are known.
    fn brought<const N: usize>(
        &self,
        fine: &Map<[f64; N]>,
        (x, y): &(Range<u32>, Range<u32>),
    ) -> Map<[f64; N]> {
        let under = |(x, y): (u32, u32)| {
            let mut sums = [0.0; N];
            for n in 0..FINE * FINE {
                let values = fine.get(&(x * FINE + n % FINE, y * FINE + n / FINE))?;
                sums.iter_mut()
                    .zip(values)
                    .for_each(|(sum, value)| *sum += value);
            }
            Some(sums.map(|sum| sum / f64::from(FINE * FINE)))
        };
        let tokens = y
            .clone()
            .flat_map(|row| x.clone().map(move |column| (column, row)));
        tokens
            .filter_map(|token| Some((token, under(token)?)))
            .collect()
    }
}

fn one((token, value): ((u32, u32), f64)) -> ((u32, u32), [f64; 1]) {
    (token, [value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_of_the_most_alike() {
        let map = |offset: u32| -> Map<f64> {
            (0..100)
                .map(|n| ((n, 0), f64::from((n + offset) % 100)))
                .collect()
        };
        assert_eq!(iou(&map(0), &map(0)), 1.0);
        // 95…99 and 93…97 share three of seven.
        assert_eq!(iou(&map(0), &map(2)), 3.0 / 7.0);
        assert_eq!(iou(&map(0), &map(50)), 0.0);
        assert_eq!(iou(&map(0), &Map::new()), 0.0);
    }

    #[test]
    fn colours_are_compared_where_both_are_known() {
        let a = Map::from([((0, 0), [0.0; 3]), ((4, 2), [30.0, 0.0, 0.0])]);
        assert_eq!(apart(&a, &a), 0.0);
        assert_eq!(apart(&a, &turned(&a)), 10.0);
        assert_eq!(apart(&a, &Map::from([((4, 2), [0.0; 3])])), 10.0);
    }
}
