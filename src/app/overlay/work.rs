//! Between the window and the model at work: wishes out, maps in.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::app::masks::Shown;
use crate::app::similar::{content_of, drawn_key as embedding_key};
use crate::app::state::{OpenedSlide, PaneIndex};
use crate::geometry::View;
use crate::gpu::UploadBudget;
use crate::gpu::overlay::{
    self, OverlayContent, OverlayInput, OverlayLayer, OverlayRenderer, OverlayStyle, PageStore,
    class_palette, texel_at,
};
use crate::jobs::live::{LiveModelFacts, ModelState};
use crate::labels::{LabelClass, Page, PageId, Raster, is_class};
use crate::segment::live::{Analysis, FieldWish, LayerKey, SharedLayers, Wish, magnifications_of};
use crate::slide::SlideSource;
use crate::slide::scaled::Scaled;
use crate::tiles::SlideId;

use super::{AnalysisMode, DialSet, Dials, OverlayCommand};
use crate::app::command::{Command, Layout};
use crate::app::undo_order::Kind;

impl App {
    /// Carries out one of the overlay's commands.
    pub(in crate::app) fn apply_overlay(&mut self, command: OverlayCommand) {
        let steps = self.state.overlay.dials.steps();
        self.carry_out(command);
        self.note_turns(steps);
    }

    /// Has the next undo take a turn back, where there was one since `steps`.
    pub(in crate::app) fn note_turns(&mut self, steps: u64) {
        if self.state.overlay.dials.steps() > steps {
            self.state.undo_order.made(Kind::Dials);
        }
    }

    fn carry_out(&mut self, command: OverlayCommand) {
        let overlay = &mut self.state.overlay;
        match command {
            OverlayCommand::OpenModel(choice) => self.open_model(choice),
            OverlayCommand::CloseModel => {
                overlay.live = None;
                overlay.model = None;
                overlay.choice = None;
                self.asked_wish = None;
                self.state.marks.brush.on = false;
                self.rejoin_mask();
            }
            OverlayCommand::Show(shown) => overlay.shown = shown,
            OverlayCommand::SetMode(mode) => {
                overlay.mode = mode;
                if mode == AnalysisMode::Compare {
                    self.apply(Command::SetLayout(Layout::Linked));
                    self.set_linked_magnifications();
                }
            }
            OverlayCommand::SetStyle(style) => overlay.style = *style,
            OverlayCommand::ShowProbability(class) => overlay.shown_class = class,
            OverlayCommand::ShowClass(class, shown) => {
                if let Some(colour) = overlay.style.palette.get_mut(class) {
                    colour[3] = if shown { 255 } else { 0 };
                }
            }
            OverlayCommand::Colour(class, [r, g, b]) => {
                if let Some(colour) = overlay.style.palette.get_mut(class) {
                    *colour = [r, g, b, colour[3]];
                }
            }
            OverlayCommand::Turn {
                dials,
                class,
                to,
                held,
            } => overlay.dials.turn(dials, class, to, held),
            OverlayCommand::Reset(to, class) => {
                if let Some(facts) = overlay.facts().cloned() {
                    overlay.dials.reset(to, class, &facts.bias);
                    overlay.areas.before_mm2 = None;
                }
            }
            OverlayCommand::ResetOutput(class) => {
                overlay.dials.reset_output(class);
                overlay.areas.before_mm2 = None;
            }
            OverlayCommand::LetGo => overlay.dials.let_go(),
        }
    }

    /// Takes in how far the model is.
    pub(in crate::app) fn follow_model(&mut self) {
        let Some(live) = self.state.overlay.live.clone() else {
            return;
        };
        let now = live.state();
        // Asked first: the status that follows is no older.
        let is_settled = live.is_settled();
        let was_ready = self.state.overlay.facts().is_some();
        self.state.overlay.model = Some(now.clone());
        self.state.overlay.status = live.status();
        match now {
            ModelState::Ready(facts) if !was_ready => self.model_ready(&facts),
            ModelState::Failed(reason) => self.model_stopped(&reason),
            _ => {}
        }
        self.take_areas(is_settled);
    }

    /// A model was opened. One that only moved to another device keeps what was turned.
    fn model_ready(&mut self, facts: &LiveModelFacts) {
        let overlay = &mut self.state.overlay;
        if overlay.dials_of.as_ref() != Some(&facts.sha256) {
            overlay.dials_of = Some(facts.sha256.clone());
            overlay.dials = Dials::new(facts.card.classes.len());
            self.state.undo_order.forget(&Kind::Dials);
            let classes = facts.card.classes.iter();
            let own: Vec<[u8; 3]> = classes.map(|class| class.colour).collect();
            overlay.style.palette = class_palette(&own);
            overlay.shown_class = None;
            overlay.areas = super::Areas::default();
        }
        self.rejoin_mask();
    }

    /// Asks the model for what the views show, where that changed.
    pub(in crate::app) fn ask_model(&mut self) {
        let Some(live) = self.state.overlay.live.clone() else {
            return;
        };
        let Some(wish) = self.wish() else {
            return;
        };
        let unchanged = self
            .asked_wish
            .as_ref()
            .is_some_and(|asked| is_same(asked, &wish));
        if unchanged {
            return;
        }
        if let Some(left) = self.patience(&wish, live.is_settled()) {
            self.ctx.request_repaint_after(left);
            return;
        }
        live.ask(wish.clone());
        self.asked_wish = Some(wish);
        self.asked_at = Instant::now();
    }

    /// How long a wish waits: while a dial is held, until the field shows the turn before, or for
    /// [`DIAL_PATIENCE`], lest the middle of the field begins anew with every turn and its rim never
    /// comes.
    fn patience(&self, wish: &Wish, is_settled: bool) -> Option<Duration> {
        let asked = self.asked_wish.as_ref()?;
        let turned = Wish {
            bias: wish.bias.clone(),
            offsets: wish.offsets.clone(),
            ..asked.clone()
        };
        let waits = self.state.overlay.dials.is_held() && !is_settled && is_same(&turned, wish);
        let left = DIAL_PATIENCE.checked_sub(self.asked_at.elapsed());
        left.filter(|_| waits)
    }

    /// All that the views ask for now; `None` before the model is ready.
    fn wish(&mut self) -> Option<Wish> {
        let facts = self.state.overlay.facts()?.clone();
        let dials = &self.state.overlay.dials;
        let mut wish = Wish {
            fields: Vec::new(),
            bias: dials.total(&facts.bias),
            offsets: dials.values(DialSet::Output).to_vec(),
            shown_class: self.state.overlay.shown_class,
        };
        let active = self.state.active;
        (self.state.overlay.reason, self.state.overlay.analysis) = (None, None);
        // What is not drawn is not worked on.
        let draws_embeddings = self.state.similar.shown.is_some();
        if !self.state.overlay.shown || draws_embeddings {
            return Some(wish);
        }
        for pane in [active, active.other()] {
            if !self.state.shown_panes().contains(&pane) {
                continue;
            }
            match self.field(pane, &facts) {
                Ok(field) => {
                    if let (Some(field), true) = (&field, pane == active) {
                        self.state.overlay.analysis = Some(field.analysis);
                    }
                    wish.fields.extend(field);
                }
                Err(reason) if pane == active => self.state.overlay.reason = Some(reason),
                Err(_) => {}
            }
        }
        Some(wish)
    }

    /// What a pane asks for; none without a slide.
    fn field(&self, pane: PaneIndex, facts: &LiveModelFacts) -> Result<Option<FieldWish>, String> {
        self.field_in(pane, facts, self.state.overlay.mode)
    }

    /// What a pane would ask for in another mode.
    pub(in crate::app) fn field_in(
        &self,
        pane: PaneIndex,
        facts: &LiveModelFacts,
        mode: AnalysisMode,
    ) -> Result<Option<FieldWish>, String> {
        let shown = self.state.pane(pane);
        let (Some(slide), Some(view)) = (&shown.slide, self.state.view(pane)) else {
            return Ok(None);
        };
        let mpp = self.state.mpp(pane).ok_or(
            "This slide does not state its scale. Type it in (µm per pixel) to have it analysed.",
        )?;
        let source = self.scaled_source(slide);
        let available = magnifications_of(source.info(), facts.card.mpp);
        let um_per_screen_px = view.slide_px_per_screen_px * mpp.x;
        let analysis = mode.analysis(&available, um_per_screen_px, &facts.fusion);
        let analysis = analysis.ok_or(
            "This slide has no pixels at the magnification that is asked for, or the model was \
             not trained for it.",
        )?;
        Ok(Some(FieldWish {
            slide: source,
            slide_id: u64::from(slide.id.0),
            analysis,
            seen: view.bounding_rect(),
            center: view.center,
        }))
    }

    /// What the model was asked for last for a pane, where its view is still the same.
    pub(in crate::app) fn asked_field(&self, pane: PaneIndex) -> Option<FieldWish> {
        let slide = u64::from(self.state.pane(pane).slide.as_ref()?.id.0);
        let seen = self.state.view(pane)?.bounding_rect();
        let fields = &self.asked_wish.as_ref()?.fields;
        let is_it = |field: &&FieldWish| field.slide_id == slide && field.seen == seen;
        fields.iter().find(is_it).cloned()
    }

    /// Whether the model was asked for what is wanted now.
    pub(in crate::app) fn wish_is_asked(&mut self) -> bool {
        let wish = self.wish();
        wish.zip(self.asked_wish.as_ref())
            .is_some_and(|(wish, asked)| is_same(&wish, asked))
    }

    /// The slide with the scale that is used for it.
    pub(in crate::app) fn scaled_source(&self, slide: &OpenedSlide) -> Arc<dyn SlideSource> {
        let typed = self.state.marks.typed_mpp(&slide.source.info().hash);
        match typed {
            Some(mpp) => Arc::new(Scaled::new(Arc::clone(&slide.source), mpp)),
            None => Arc::clone(&slide.source),
        }
    }

    /// The maps of a pane's slide, the wanted one first, then those that may stand in for it.
    pub(in crate::app) fn overlay_layers(&self, pane: PaneIndex) -> Vec<(LayerKey, bool)> {
        let overlay = &self.state.overlay;
        let (Some(live), Some(wish)) = (&overlay.live, &self.asked_wish) else {
            return Vec::new();
        };
        let Some(slide) = self
            .state
            .pane(pane)
            .slide
            .as_ref()
            .map(|s| u64::from(s.id.0))
        else {
            return Vec::new();
        };
        let rank = |pane: PaneIndex| usize::from(pane != self.state.active);
        let fields = wish.fields.iter().filter(|field| field.slide_id == slide);
        let Some(field) = fields
            .clone()
            .nth(rank(pane))
            .or_else(|| fields.clone().next())
        else {
            return Vec::new();
        };
        let wanted = field.analysis;
        let mut keys: Vec<LayerKey> = live.layers().lock().keys().copied().collect();
        // Codes of agreement are no classes: one can't stand in for the other.
        let is_agreement = |analysis: Analysis| analysis != analysis.class_map();
        let is_alike = |key: &LayerKey| is_agreement(key.analysis) == is_agreement(wanted);
        keys.retain(|key| key.slide == slide && is_alike(key));
        // Coarser maps stand in before finer ones: they cover more.
        let away = |key: &LayerKey| {
            let (scale, of) = (key.analysis.scale(), wanted.scale());
            (
                key.analysis != wanted,
                scale < of,
                scale.abs_diff(of),
                key.analysis,
            )
        };
        keys.sort_by_key(away);
        keys.into_iter()
            .map(|key| (key, key.analysis != wanted))
            .collect()
    }

    /// Draws nothing but prepares what the overlay of a pane is drawn from.
    pub(in crate::app) fn prepare_overlay(
        &mut self,
        renderer: &mut OverlayRenderer,
        pane: PaneIndex,
        budget: &mut UploadBudget,
    ) {
        let is_drawn = self.state.overlay.is_drawn();
        let Some(view) = self.state.view(pane).filter(|_| is_drawn) else {
            renderer.clear(pane.slot());
            return;
        };
        let (now, before) = (self.drawn_layers(pane), self.swiped_layers(pane));
        let style = self.drawn_style();
        let input = OverlayInput {
            view,
            layers: &as_layers(&now),
            before_layers: &as_layers(&before),
            style: &style,
        };
        let coverage = renderer.prepare(pane.slot(), &input, budget);
        if coverage.more_to_upload {
            self.ctx.request_repaint();
        }
    }

    /// Drops what is held for a slide that was closed.
    pub(in crate::app) fn forget_overlay(&mut self, slide: SlideId) {
        let slide = u64::from(slide.0);
        let Some(live) = &self.state.overlay.live else {
            return;
        };
        if let Some(renderer) = &self.overlay_renderer {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            let layers = live.layers().lock();
            for key in layers.keys().filter(|key| key.slide == slide) {
                renderer.remove_layer(drawn_key(live.number(), *key));
            }
            let embeddings = live.embeddings().lock();
            for key in embeddings.keys().filter(|key| key.slide == slide) {
                renderer.remove_layer(embedding_key(live.number(), *key));
            }
        }
        live.close_slide(slide);
        self.asked_wish = None;
        self.asked_embeddings = None;
    }

    /// How it is drawn: where maps differ has colours of its own.
    pub(in crate::app) fn drawn_style(&self) -> OverlayStyle {
        let overlay = &self.state.overlay;
        let mut style = OverlayStyle {
            swipe: self.state.masks.swipe.map(|(at, _)| at),
            ..overlay.style.clone()
        };
        if let Some(view) = self.state.similar.shown {
            style.content = content_of(view);
            return style;
        }
        if self.state.draws_difference() {
            style.palette = DIFFERENCE_PALETTE.to_vec();
            style.show_any = true;
            style.veils_rest = true;
        }
        style
    }

    /// What is drawn over a pane, finest first.
    pub(in crate::app) fn drawn_layers(&self, pane: PaneIndex) -> Vec<DrawnLayer> {
        if let Some(view) = self.state.similar.shown {
            return self.embedding_layers(pane, view);
        }
        match self.state.masks.shown {
            Shown::Mask => self.mask_layer(pane).into_iter().collect(),
            Shown::Difference => self.difference_layer(pane).into_iter().collect(),
            Shown::Model => self.model_layers(pane),
        }
    }

    /// The model's maps of a pane, the wanted one first.
    fn model_layers(&self, pane: PaneIndex) -> Vec<DrawnLayer> {
        let Some(live) = &self.state.overlay.live else {
            return Vec::new();
        };
        let drawn = |(key, is_provisional): (LayerKey, bool)| {
            let layers = live.layers().clone();
            Some(DrawnLayer {
                key: drawn_key(live.number(), key),
                raster: live.layers().raster(key)?,
                pages: Arc::new(LayerPages { layers, key }),
                is_provisional,
            })
        };
        let layers = self.overlay_layers(pane).into_iter();
        layers.filter_map(drawn).collect()
    }

    /// The class under the pointer and its probability.
    pub(in crate::app) fn class_under_pointer(&self) -> Option<(String, f32)> {
        let (pane, at) = self.state.pointed_at()?;
        let scale = self.state.view(pane)?.slide_px_per_screen_px;
        if self.state.similar.shown.is_some() || !self.state.overlay.is_drawn() {
            return None;
        }
        let layers = self.drawn_layers(pane);
        let content = OverlayContent::Classes;
        let seen = texel_at(&as_layers(&layers), content, at, scale)?;
        let name = self.class_name(seen.texel.code)?;
        Some((name, f32::from(seen.texel.value) / 255.0))
    }

    /// What a code of the overlay is called.
    fn class_name(&self, code: u8) -> Option<String> {
        let names = is_class(code).then(|| self.drawn_names());
        names?.into_iter().nth(usize::from(code))
    }

    /// What codes of the overlay are called.
    fn drawn_names(&self) -> Vec<String> {
        if self.state.draws_difference() {
            return DIFFERENCE_NAMES.map(str::to_owned).to_vec();
        }
        let mask = self.state.masks.open.as_ref();
        let classes = mask.map(|mask| mask.classes.clone());
        let classes = classes.unwrap_or_else(|| self.state.overlay.model_classes());
        classes.into_iter().map(|class| class.name).collect()
    }

    /// What codes of the overlay stand for, in the colours that they are drawn in.
    pub(in crate::app) fn drawn_classes(&self) -> Vec<LabelClass> {
        let classes = self.drawn_names().into_iter();
        let classes = classes.zip(self.drawn_style().palette);
        let class = |(name, [r, g, b, _]): (String, [u8; 4])| LabelClass {
            name,
            rgb: [r, g, b],
        };
        classes.map(class).collect()
    }

    /// Says what speaks against the model on the active slide.
    fn doubt(&mut self) {
        let slide = self.state.active_pane().slide.clone();
        let overlay = &self.state.overlay;
        // Probabilities of one class say nothing of how sure the choice is.
        let areas = overlay.areas.now.as_ref();
        let areas = areas.filter(|_| overlay.shown_class.is_none());
        let doubts = overlay
            .facts()
            .zip(slide)
            .map(|(facts, slide)| super::fit::doubts(facts, slide.source.info(), areas));
        self.state.overlay.doubts = doubts.unwrap_or_default();
    }

    /// Takes in the areas of the active view's field; they may be of where it was a moment ago.
    /// Takes in areas. What they are compared with is of one field and analysis, and of a field that
    /// is done as it is asked for.
    fn take_areas(&mut self, is_settled: bool) {
        let is_missing = self.state.overlay.areas.before_mm2.is_none();
        let is_done = is_missing && is_settled && self.wish_is_asked();
        let active = self.state.active;
        let analysis = self.asked_field(active).map(|field| field.analysis);
        let slide = self.state.pane(active).slide.as_ref();
        let slide = slide.map(|slide| u64::from(slide.id.0));
        let seen = self.state.view(active).map(View::bounding_rect);
        let overlay = &mut self.state.overlay;
        let now = overlay.status.areas.take();
        let now = now.filter(|areas| Some(areas.slide) == slide && Some(areas.seen) == seen);
        let areas = &mut overlay.areas;
        let of = now.as_ref().zip(analysis);
        let of = of.map(|(areas, analysis)| (areas.slide, areas.seen, analysis));
        if of.is_some() && of != areas.of {
            (areas.before_mm2, areas.slide_before_mm2) = (None, None);
            areas.of = of;
        }
        let known = now.as_ref().filter(|areas| areas.known > ALL_KNOWN);
        if let (None, Some(known), true) = (&areas.before_mm2, known, is_done) {
            areas.before_mm2 = Some(known.field_mm2.clone());
            areas.slide_before_mm2 = Some(known.slide_mm2.clone());
        }
        let doubted = (slide, overlay.model_hash());
        let is_new = now != overlay.areas.now || doubted != overlay.doubted;
        overlay.areas.now = now;
        if is_new {
            overlay.doubted = doubted;
            self.doubt();
        }
    }
}

/// Where maps name the same class, and where different ones: nothing, and vermilion.
pub const DIFFERENCE_PALETTE: [[u8; 4]; 2] = [[0, 158, 115, 0], [213, 94, 0, 255]];
/// What both are called.
pub const DIFFERENCE_NAMES: [&str; 2] = ["agree", "differ"];
/// What is called that lies under a veil: one of both has no class there, or not yet.
pub const NOT_COMPARED: &str = "not compared";

/// A turn of a dial that is held is followed by the next one after this at the latest.
const DIAL_PATIENCE: Duration = Duration::from_millis(800);

/// A field of which at least so much was looked at is known: cells at its edge may be cut.
pub(in crate::app) const ALL_KNOWN: f64 = 0.999;

/// One map as the overlay pass looks pages up.
pub struct LayerPages {
    /// The maps.
    pub layers: SharedLayers,
    /// Which of them.
    pub key: LayerKey,
}

impl PageStore for LayerPages {
    fn page(&self, id: PageId) -> Option<(Arc<Page>, u64)> {
        self.layers.page(self.key, id)
    }
}

/// A layer that a pane's overlay is drawn from.
pub struct DrawnLayer {
    /// The overlay pass's name for it.
    pub key: overlay::LayerKey,
    /// Where its px lie.
    pub raster: Raster,
    /// Its pages.
    pub pages: Arc<dyn PageStore + Send + Sync>,
    /// Whether all of it stands in for something else.
    pub is_provisional: bool,
}

fn as_layers(drawn: &[DrawnLayer]) -> Vec<OverlayLayer<'_>> {
    drawn.iter().map(DrawnLayer::layer).collect()
}

impl DrawnLayer {
    /// As the passes take it.
    pub fn layer(&self) -> OverlayLayer<'_> {
        OverlayLayer {
            key: self.key,
            raster: self.raster,
            pages: self.pages.as_ref(),
            is_provisional: self.is_provisional,
        }
    }
}

/// The overlay pass's name for a map of the model of a number. A page that the pass still has of
/// another model is not taken for one of this one's, however late this one's is copied.
fn drawn_key(model: u64, key: LayerKey) -> overlay::LayerKey {
    let of_slide = match key.analysis {
        Analysis::Plain(scale) => u64::from(scale),
        Analysis::Alone(scale) => 32 + u64::from(scale),
        Analysis::Fused(scale) => 128 + u64::from(scale),
        Analysis::InPlace(scale) => 192 + u64::from(scale),
        Analysis::Agreement(scale) => 64 + u64::from(scale),
    };
    overlay::LayerKey(of_model(model) | key.slide << 8 | of_slide)
}

/// Bits of the overlay pass's names that tell models apart, above those of 32 bits of a slide and
/// below those of what is no map of a model's.
pub(in crate::app) fn of_model(number: u64) -> u64 {
    (number & 0xf_ffff) << 40
}

/// Whether two wishes ask for the same.
fn is_same(a: &Wish, b: &Wish) -> bool {
    let of = |wish: &Wish| {
        let fields = wish.fields.iter();
        let what = fields.map(|field| {
            let mpp = field.slide.info().mpp.map(|mpp| (mpp.x, mpp.y));
            (
                field.slide_id,
                field.analysis,
                field.seen,
                field.center,
                mpp,
            )
        });
        what.collect::<Vec<_>>()
    };
    a.decodes_as(b) && of(a) == of(b)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::segment::embedding::{EmbeddingKey, EmbeddingView};

    #[test]
    fn maps_of_other_models_slides_and_magnifications_have_other_names() {
        let mut names = HashSet::new();
        for model in [0, 1, 2, 0xf_ffff] {
            for slide in [0, 1, u64::from(u32::MAX)] {
                for scale in 0..4 {
                    let analyses = [
                        Analysis::Plain(scale),
                        Analysis::Fused(scale),
                        Analysis::InPlace(scale),
                        Analysis::Alone(scale),
                        Analysis::Agreement(scale),
                    ];
                    for analysis in analyses {
                        let key = LayerKey { slide, analysis };
                        assert!(names.insert(drawn_key(model, key)), "{model}, {key:?}");
                    }
                    for view in [EmbeddingView::Colours, EmbeddingView::Likeness] {
                        let key = EmbeddingKey { slide, scale, view };
                        assert!(names.insert(embedding_key(model, key)), "{model}, {key:?}");
                    }
                }
            }
        }
        // Masks and kept maps count up from the highest bit.
        assert!(names.iter().all(|name| name.0 < 1 << 63));
    }
}
