//! Carries out what is asked of embeddings.

use std::sync::Arc;

use super::SimilarCommand;
use crate::app::App;
use crate::app::command::{CameraMove, Command, Panel};
use crate::app::overlay::{AnalysisMode, DrawnLayer, of_model};
use crate::app::state::PaneIndex;
use crate::geometry::SlidePoint;
use crate::gpu::overlay::{LayerKey, OverlayContent, PageStore};
use crate::labels::{Page, PageId};
use crate::segment::embedding::{
    EmbeddingKey, EmbeddingView, EmbeddingWish, Query, SharedEmbeddings,
};

/// Names of embeddings among the overlay pass's layers.
const KEYS: u64 = 1 << 62;

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_similar(&mut self, command: SimilarCommand) {
        let similar = &mut self.state.similar;
        match command {
            SimilarCommand::Show(shown) => similar.shown = shown,
            SimilarCommand::Pick(pick) => similar.picking = pick,
            SimilarCommand::Ask(pane, at) => self.look_for(pane, at),
            SimilarCommand::AskUnderPointer => {
                if let Some((pane, at)) = self.state.pointed_at() {
                    self.look_for(pane, at);
                }
            }
            SimilarCommand::Clear => {
                (similar.query, similar.at, similar.picking) = (None, None, false);
                if similar.shown == Some(EmbeddingView::Likeness) {
                    similar.shown = None;
                }
            }
            SimilarCommand::Visit(index) => self.visit_match(index),
        }
    }

    fn look_for(&mut self, pane: PaneIndex, at: SlidePoint) {
        self.state.similar.picking = false;
        let Some(slide) = self.slide_hash(pane) else {
            return;
        };
        let Some(scale) = self.plain_scale(pane) else {
            let reason = self.state.overlay.reason.clone();
            let reason = reason.unwrap_or_else(|| "open a model first (E)".to_owned());
            self.tell(format!("Nothing similar can be looked for: {reason}"), true);
            return;
        };
        self.state.shown.insert(Panel::Similar);
        self.state.overlay.shown = true;
        let similar = &mut self.state.similar;
        similar.query = Some((slide, Query { at, scale }));
        (similar.at, similar.shown) = (None, Some(EmbeddingView::Likeness));
    }

    /// The magnification nearest to a pane's, as its place in the list.
    pub(in crate::app) fn plain_scale(&self, pane: PaneIndex) -> Option<u8> {
        let facts = self.state.overlay.facts()?;
        let field = self.field_in(pane, facts, AnalysisMode::Compare);
        Some(field.ok()??.analysis.scale())
    }

    fn visit_match(&mut self, index: usize) {
        let search = self.state.similar.status.search.as_ref();
        let found = search.and_then(|search| search.matches.get(index)).copied();
        if let Some(found) = found {
            self.state.similar.at = Some(index);
            let active = self.state.active;
            self.apply(Command::Camera(active, CameraMove::CenterOn(found.at)));
        }
    }

    /// What is asked of embeddings now.
    pub(in crate::app) fn embedding_wish(&self) -> Option<EmbeddingWish> {
        let similar = &self.state.similar;
        let active = self.state.active;
        let slide = self.slide_hash(active);
        let query = similar
            .query
            .as_ref()
            .filter(|(of, _)| Some(of) == slide.as_ref());
        let query = query.map(|(_, query)| *query);
        if similar.shown.is_none() || !self.state.overlay.shown {
            return None;
        }
        let facts = self.state.overlay.facts()?;
        let field = self.field_in(active, facts, AnalysisMode::Compare);
        let field = field.ok()??;
        Some(EmbeddingWish {
            slide: field.slide,
            slide_id: field.slide_id,
            scale: field.analysis.scale(),
            seen: field.seen,
            center: field.center,
            query,
            whole_slide_at_10x: query.is_some(),
        })
    }

    /// Asks for embeddings where that changed, and takes in how far they are.
    pub(in crate::app) fn follow_embeddings(&mut self) {
        let Some(live) = self.state.overlay.live.clone() else {
            return;
        };
        let wish = self.embedding_wish();
        let is_same = match (&wish, &self.asked_embeddings) {
            (Some(wish), Some(asked)) => same(wish, asked),
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            live.embed(wish.clone());
            self.asked_embeddings = wish;
        }
        self.state.similar.status = live.embedding_status();
    }

    /// The embeddings over a pane: of its own magnification, then coarser ones.
    pub(in crate::app) fn embedding_layers(
        &self,
        pane: PaneIndex,
        view: EmbeddingView,
    ) -> Vec<DrawnLayer> {
        let (Some(live), Some(slide)) = (&self.state.overlay.live, &self.state.pane(pane).slide)
        else {
            return Vec::new();
        };
        let wanted = self.plain_scale(pane).unwrap_or_default();
        let slide = u64::from(slide.id.0);
        let mut keys: Vec<EmbeddingKey> = live.embeddings().lock().keys().copied().collect();
        keys.retain(|key| key.slide == slide && key.view == view);
        keys.sort_by_key(|key| (key.scale < wanted, key.scale.abs_diff(wanted)));
        let drawn = |key: EmbeddingKey| {
            Some(DrawnLayer {
                key: drawn_key(live.number(), key),
                raster: live.embeddings().raster(key)?,
                pages: Arc::new(EmbeddingPages {
                    maps: live.embeddings().clone(),
                    key,
                }),
                is_provisional: key.scale != wanted,
            })
        };
        keys.into_iter().filter_map(drawn).collect()
    }
}

/// Which part of a texel embeddings are drawn from.
pub fn content_of(view: EmbeddingView) -> OverlayContent {
    match view {
        EmbeddingView::Colours => OverlayContent::Colours,
        EmbeddingView::Likeness => OverlayContent::Value,
    }
}

/// The overlay pass's name for a map.
pub fn drawn_key(model: u64, key: EmbeddingKey) -> LayerKey {
    let view = match key.view {
        EmbeddingView::Colours => 0,
        EmbeddingView::Likeness => 1,
    };
    LayerKey(KEYS | of_model(model) | key.slide << 8 | view << 7 | u64::from(key.scale))
}

/// A map as the overlay pass looks pages up.
struct EmbeddingPages {
    maps: SharedEmbeddings,
    key: EmbeddingKey,
}

impl PageStore for EmbeddingPages {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        self.maps.page(self.key, id)
    }
}

fn same(a: &EmbeddingWish, b: &EmbeddingWish) -> bool {
    let of = |wish: &EmbeddingWish| {
        let mpp = wish.slide.info().mpp.map(|mpp| (mpp.x, mpp.y));
        let field = (wish.slide_id, wish.scale, wish.seen, wish.center);
        (field, wish.query, wish.whole_slide_at_10x, mpp)
    };
    of(a) == of(b)
}
