//! Between the window and the model at work: wishes out, maps in.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::app::state::{Notice, OpenedSlide, PaneIndex};
use crate::geometry::View;
use crate::gpu::overlay::{
    self, OverlayContent, OverlayInput, OverlayLayer, OverlayRenderer, PageStore, class_palette,
    texel_at,
};
use crate::jobs::live::{ComputeDevice, LiveThread, ModelChoice, ModelState};
use crate::labels::{Page, PageId, Raster, is_class};
use crate::segment::live::{
    Analysis, FieldWish, LayerKey, Limits, SharedLayers, Wish, magnifications_of,
};
use crate::slide::SlideSource;
use crate::slide::scaled::Scaled;
use crate::tiles::SlideId;

use super::{DialSet, Dials, OverlayCommand};

impl App {
    /// Carries out one of the overlay's commands.
    pub(in crate::app) fn apply_overlay(&mut self, command: OverlayCommand) {
        let overlay = &mut self.state.overlay;
        match command {
            OverlayCommand::OpenModel(choice) => self.open_model(choice),
            OverlayCommand::ChooseModel => self.background.choose_weights(),
            OverlayCommand::CloseModel => {
                overlay.live = None;
                overlay.model = None;
                self.asked_wish = None;
            }
            OverlayCommand::Show(shown) => overlay.shown = shown,
            OverlayCommand::SetMode(mode) => overlay.mode = mode,
            OverlayCommand::SetStyle(style) => overlay.style = *style,
            OverlayCommand::ShowProbability(class) => overlay.shown_class = class,
            OverlayCommand::ShowClass(class, shown) => {
                if let Some(colour) = overlay.style.palette.get_mut(class) {
                    colour[3] = if shown { 255 } else { 0 };
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
            OverlayCommand::LetGo => overlay.dials.let_go(),
            OverlayCommand::Undo => overlay.dials.undo(),
            OverlayCommand::Redo => overlay.dials.redo(),
        }
    }

    fn open_model(&mut self, choice: ModelChoice) {
        let ctx = self.ctx.clone();
        let device = self.compute_device();
        let wake = Box::new(move || ctx.request_repaint());
        let tell_every = match self.state.adapter_is_real {
            true => TELL_EVERY,
            false => TELL_EVERY_SOFTWARE,
        };
        let started = LiveThread::start(choice, device, Limits::default(), tell_every, wake);
        match started {
            Ok(live) => {
                let overlay = &mut self.state.overlay;
                overlay.live = Some(Arc::new(live));
                overlay.model = Some(ModelState::Opening);
                overlay.device = Some(device);
                overlay.shown = true;
                self.asked_wish = None;
            }
            Err(error) => self.tell_model_failure(&format!("no thread can be started: {error}")),
        }
    }

    /// A graphics card where the window has a real one, else the processor.
    fn compute_device(&self) -> ComputeDevice {
        let wanted = self.state.overlay.device;
        let real = self.state.adapter_is_real.then_some(ComputeDevice::Wgpu);
        wanted.or(real).unwrap_or(ComputeDevice::Processor)
    }

    fn tell_model_failure(&mut self, reason: &str) {
        self.state.notice = Some(Notice {
            text: format!("The model can't be used: {reason}"),
            is_error: true,
        });
    }

    /// Takes in how far the model is.
    pub(in crate::app) fn follow_model(&mut self) {
        let Some(live) = self.state.overlay.live.clone() else {
            return;
        };
        let now = live.state();
        let was_ready = self.state.overlay.facts().is_some();
        match &now {
            ModelState::Ready(facts) if !was_ready => {
                let overlay = &mut self.state.overlay;
                overlay.dials = Dials::new(facts.card.classes.len());
                let classes = facts.card.classes.iter();
                let own: Vec<[u8; 3]> = classes.map(|class| class.colour).collect();
                overlay.style.palette = class_palette(&own);
                overlay.shown_class = None;
                overlay.areas = super::Areas::default();
            }
            ModelState::Failed(reason) => {
                let reason = reason.clone();
                self.tell_model_failure(&reason);
                self.state.overlay.live = None;
            }
            _ => {}
        }
        self.state.overlay.model = Some(now);
        self.state.overlay.status = live.status();
        self.take_areas();
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
        if !unchanged {
            live.ask(wish.clone());
            self.asked_wish = Some(wish);
        }
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
        self.state.overlay.reason = None;
        if !self.state.overlay.shown {
            return Some(wish);
        }
        for pane in [active, active.other()] {
            if !self.state.shown_panes().contains(&pane) {
                continue;
            }
            match self.field(pane, facts.card.mpp) {
                Ok(field) => wish.fields.extend(field),
                Err(reason) if pane == active => self.state.overlay.reason = Some(reason),
                Err(_) => {}
            }
        }
        Some(wish)
    }

    /// What a pane asks for; none without a slide.
    fn field(&self, pane: PaneIndex, domain: [f64; 2]) -> Result<Option<FieldWish>, String> {
        let shown = self.state.pane(pane);
        let (Some(slide), Some(view)) = (&shown.slide, self.state.view(pane)) else {
            return Ok(None);
        };
        let mpp = self.state.mpp(pane).ok_or(
            "This slide does not state its scale. Type it in (µm per pixel) to have it analysed.",
        )?;
        let source = self.scaled_source(slide);
        let available = magnifications_of(source.info(), domain);
        let um_per_screen_px = view.slide_px_per_screen_px * mpp.x;
        let mode = self.state.overlay.mode;
        let analysis = mode.analysis(&available, um_per_screen_px).ok_or(
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

    /// The slide with the scale that is used for it.
    fn scaled_source(&self, slide: &OpenedSlide) -> Arc<dyn SlideSource> {
        let typed = self.state.session.typed_mpp(&slide.source.info().hash);
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
        keys.retain(|key| key.slide == slide);
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
    ) {
        let stores = self.layer_pages(pane);
        let layers = as_layers(&stores);
        let Some(view) = self
            .state
            .view(pane)
            .filter(|_| self.state.overlay.is_drawn())
        else {
            renderer.clear(pane.slot());
            return;
        };
        let input = OverlayInput {
            view,
            layers: &layers,
            before_layers: &[],
            style: &self.state.overlay.style,
        };
        let coverage = renderer.prepare(pane.slot(), &input, OverlayRenderer::frame_budget());
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
                renderer.remove_layer(drawn_key(*key));
            }
        }
        live.close_slide(slide);
        self.asked_wish = None;
    }

    /// The maps of a pane with where they lie, and whether each stands in for another.
    fn layer_pages(&self, pane: PaneIndex) -> Vec<(LayerPages, Raster, bool)> {
        let Some(live) = &self.state.overlay.live else {
            return Vec::new();
        };
        let with_raster = |(key, stands_in): (LayerKey, bool)| {
            let raster = live.layers().raster(key)?;
            let layers = live.layers().clone();
            Some((LayerPages { layers, key }, raster, stands_in))
        };
        self.overlay_layers(pane)
            .into_iter()
            .filter_map(with_raster)
            .collect()
    }

    /// The class under the pointer and its probability.
    pub(in crate::app) fn class_under_pointer(&self) -> Option<(String, f32)> {
        let facts = self
            .state
            .overlay
            .facts()
            .filter(|_| self.state.overlay.is_drawn())?;
        let (pane, at) = self.state.pointed_at()?;
        let scale = self.state.view(pane)?.slide_px_per_screen_px;
        let stores = self.layer_pages(pane);
        let seen = texel_at(&as_layers(&stores), OverlayContent::Classes, at, scale)?.texel;
        let name = &facts.card.classes.get(usize::from(seen.code))?.name;
        let probability = f32::from(seen.value) / 255.0;
        is_class(seen.code).then(|| (name.clone(), probability))
    }

    /// Takes in the areas of the active view's field; they may be of where it was a moment ago.
    fn take_areas(&mut self) {
        let active = self.state.active;
        let slide = self.state.pane(active).slide.as_ref();
        let slide = slide.map(|slide| u64::from(slide.id.0));
        let seen = self.state.view(active).map(View::bounding_rect);
        let overlay = &mut self.state.overlay;
        let now = overlay.status.areas.take();
        let now = now.filter(|areas| Some(areas.slide) == slide && Some(areas.seen) == seen);
        let areas = &mut overlay.areas;
        let before = areas.now.as_ref().map(|areas| (areas.slide, areas.seen));
        if now.as_ref().map(|areas| (areas.slide, areas.seen)) != before {
            areas.before_mm2 = None;
        }
        let known = now.as_ref().filter(|areas| areas.known > ALL_KNOWN);
        if let (None, Some(known), 0) = (&areas.before_mm2, known, overlay.status.waiting) {
            areas.before_mm2 = Some(known.field_mm2.clone());
        }
        areas.now = now;
    }
}

/// The picture is drawn anew at most this often because tiles come.
const TELL_EVERY: Duration = Duration::from_millis(40);

/// Where the processor draws, every picture takes it from the model.
const TELL_EVERY_SOFTWARE: Duration = Duration::from_millis(250);

/// A field of which at least so much was looked at is known: cells at its edge may be cut.
const ALL_KNOWN: f64 = 0.999;

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

fn as_layers(stores: &[(LayerPages, Raster, bool)]) -> Vec<OverlayLayer<'_>> {
    let mut layers = Vec::with_capacity(stores.len());
    for (pages, raster, is_provisional) in stores {
        layers.push(OverlayLayer {
            key: drawn_key(pages.key),
            raster: *raster,
            pages,
            is_provisional: *is_provisional,
        });
    }
    layers
}

/// The overlay pass's name for a map.
fn drawn_key(key: LayerKey) -> overlay::LayerKey {
    let of_slide = match key.analysis {
        Analysis::Plain(scale) => u64::from(scale),
        Analysis::Fused(scale) => 128 + u64::from(scale),
    };
    overlay::LayerKey(key.slide << 8 | of_slide)
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
