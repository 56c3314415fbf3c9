//! Carries out what is asked of masks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    FrozenLayer, MaskCommand, MaskPages, OpenMask, Shown, SwipeWith, UnnamedCodes, joined,
};
use crate::annotate::MaskFile;
use crate::app::App;
use crate::app::overlay::DrawnLayer;
use crate::app::review::ReviewOf;
use crate::app::state::PaneIndex;
use crate::gpu::overlay;
use crate::labels::{LabelClass, LabelSource};
use crate::slide::SlideHash;

/// A mask that was read, before its classes are matched with the model's.
struct ReadMask {
    slide: SlideHash,
    path: PathBuf,
    name: String,
    labels: Arc<dyn LabelSource>,
    unnamed: Option<UnnamedCodes>,
}

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_masks(&mut self, command: MaskCommand) {
        match command {
            MaskCommand::Open(path) => self.open_mask(path, None),
            MaskCommand::Classes(classes) => {
                if let Some(path) = self.state.masks.open.as_ref().map(|mask| mask.path.clone()) {
                    self.open_mask(path, Some(classes));
                }
            }
            MaskCommand::Code(edit) => self.edit_code(edit),
            MaskCommand::SaveClasses(path) => self.save_codes(path),
            MaskCommand::Close => self.close_mask(),
            MaskCommand::Show(shown) => self.state.masks.shown = shown,
            MaskCommand::Keep => self.keep_overlay(),
            MaskCommand::Swipe(at, with) => {
                self.state.masks.swipe = at.map(|at| (at.clamp(0.0, 1.0), with));
            }
        }
    }

    fn open_mask(&mut self, path: PathBuf, classes: Option<PathBuf>) {
        let Some(slide) = self.state.active_pane().slide.clone() else {
            self.tell("Open the slide of the mask first.".to_owned(), true);
            return;
        };
        let source = self.scaled_source(&slide);
        self.state.masks.opening = Some(path.clone());
        self.background.open_mask(path, classes, source);
    }

    /// A mask was opened, or could not be.
    pub(in crate::app) fn mask_opened(
        &mut self,
        path: &Path,
        slide: SlideHash,
        result: Result<MaskFile, String>,
    ) {
        if self.state.masks.opening.as_deref() != Some(path) {
            return;
        }
        self.state.masks.opening = None;
        let file = match result {
            Ok(file) => file,
            Err(reason) => return self.tell(format!("The mask can't be used: {reason}"), true),
        };
        if !file.warnings.is_empty() {
            self.tell(file.warnings.join("\n"), false);
        }
        let unnamed = file.unnamed.as_deref().and_then(UnnamedCodes::of);
        let numbered = unnamed.as_ref().map(|codes| Arc::clone(&codes.file) as _);
        self.join_mask(ReadMask {
            slide,
            path: path.to_owned(),
            name: file.name,
            labels: numbered.unwrap_or(file.labels),
            unnamed,
        });
        self.state.masks.shown = Shown::Mask;
        self.state.overlay.shown = true;
    }

    /// Has the mask's classes be those of the model where they are called the same.
    fn join_mask(&mut self, mask: ReadMask) {
        let ReadMask {
            slide,
            path,
            name,
            labels,
            unnamed,
        } = mask;
        let model = self.state.overlay.model_classes();
        let (classes, recode) = joined(&model, labels.classes());
        let ctx = self.ctx.clone();
        let key = self.next_layer_key();
        let wake = move || ctx.request_repaint();
        match MaskPages::start(Arc::clone(&labels), key, recode, wake) {
            Ok(pages) => {
                self.extend_palette(&classes, model.len());
                self.state.masks.open = Some(OpenMask {
                    slide,
                    path,
                    name,
                    labels,
                    pages: Arc::new(pages),
                    classes,
                    unnamed,
                });
            }
            Err(error) => self.tell(format!("The mask can't be read: {error}"), true),
        }
    }

    /// The model changed: the mask's classes are matched anew.
    pub(in crate::app) fn rejoin_mask(&mut self) {
        self.state.masks.kept.clear();
        self.rejoin_open_mask();
    }

    /// The model or the mask has other classes: they are matched anew.
    pub(super) fn rejoin_open_mask(&mut self) {
        if let Some(mask) = self.state.masks.open.take() {
            self.drop_layer(mask.pages.key());
            self.join_mask(ReadMask {
                slide: mask.slide,
                path: mask.path,
                name: mask.name,
                labels: mask.labels,
                unnamed: mask.unnamed,
            });
        }
    }

    /// Classes that only the mask has come after the model's, in the mask's colours.
    pub(super) fn extend_palette(&mut self, classes: &[LabelClass], of_model: usize) {
        let palette = &mut self.state.overlay.style.palette;
        palette.truncate(of_model);
        let own = classes.iter().skip(palette.len());
        palette.extend(own.map(|LabelClass { rgb: [r, g, b], .. }| [*r, *g, *b, 255]));
    }

    fn close_mask(&mut self) {
        if let Some(mask) = self.state.masks.open.take() {
            self.drop_layer(mask.pages.key());
        }
        let masks = &mut self.state.masks;
        (masks.opening, masks.shown) = (None, Shown::Model);
        masks.swipe = masks.swipe.filter(|(_, with)| *with != SwipeWith::Mask);
    }

    /// Gives up what is held against the maps of a slide that was closed.
    pub(in crate::app) fn forget_masks(&mut self, slide: &SlideHash, number: u64) {
        if self
            .state
            .masks
            .open
            .as_ref()
            .is_some_and(|mask| mask.slide == *slide)
        {
            self.close_mask();
        }
        self.state.masks.kept.retain(|layer| layer.slide != number);
        let review = &self.state.review;
        let kept = review.kept.as_ref().map(|(of, _)| of);
        if review.found().map(|found| &found.slide) == Some(slide) {
            self.end_review();
        } else if kept == Some(slide) {
            self.keep_note();
            self.state.review.kept = None;
            self.note_is_of_visited();
        }
    }

    /// Keeps what the model says of the active slide as it is now.
    fn keep_overlay(&mut self) {
        let Some(live) = self.state.overlay.live.clone() else {
            return;
        };
        let gone: Vec<_> = self
            .state
            .masks
            .kept
            .drain(..)
            .map(|layer| layer.key)
            .collect();
        gone.into_iter().for_each(|key| self.drop_layer(key));
        for (key, _) in self.overlay_layers(self.state.active) {
            let Some((raster, pages)) = live.layers().snapshot(key) else {
                continue;
            };
            let pages: HashMap<_, _> = pages;
            let frozen = FrozenLayer::new(self.next_layer_key(), key.slide, raster, pages);
            self.state.masks.kept.push(Arc::new(frozen));
        }
        if !self.state.masks.kept.is_empty() {
            self.state.masks.swipe = Some((0.5, SwipeWith::Kept));
        }
    }

    /// The mask over a pane, where it is of its slide.
    pub(in crate::app) fn mask_layer(&self, pane: PaneIndex) -> Option<DrawnLayer> {
        let mask = self.state.masks.open.as_ref()?;
        let pages = Arc::clone(&mask.pages);
        (self.slide_hash(pane)? == mask.slide).then(|| DrawnLayer {
            key: pages.key(),
            raster: pages.raster(),
            pages,
            is_provisional: false,
        })
    }

    /// Draws no longer where maps differ.
    pub(in crate::app) fn drop_difference(&mut self) {
        if let Some(gone) = self.state.masks.difference.take() {
            self.drop_layer(gone.key);
        }
    }

    /// Draws where model and mask differ. Where two magnifications do, the agreement shows.
    pub(in crate::app) fn draw_difference(&mut self) {
        self.drop_difference();
        let found = self.state.review.found().cloned();
        let Some(found) = found.filter(|found| found.of == ReviewOf::Mask) else {
            return;
        };
        let pyramid = found.comparison.difference();
        let pages = pyramid.pages().map(|(id, page)| (id, Arc::clone(page)));
        let (key, raster) = (self.next_layer_key(), *pyramid.raster());
        let layer = FrozenLayer::new(key, found.slide_number, raster, pages.collect());
        self.state.masks.difference = Some(Arc::new(layer));
        self.state.masks.shown = Shown::Difference;
    }

    /// Where the maps of a review differ, over a pane of their slide.
    pub(in crate::app) fn difference_layer(&self, pane: PaneIndex) -> Option<DrawnLayer> {
        let layer = self.state.masks.difference.as_ref()?;
        let slide = self.state.pane(pane).slide.as_ref()?;
        (u64::from(slide.id.0) == layer.slide).then(|| drawn(layer))
    }

    /// What is drawn to the left of a swipe.
    pub(in crate::app) fn swiped_layers(&self, pane: PaneIndex) -> Vec<DrawnLayer> {
        let slide = self.state.pane(pane).slide.as_ref();
        let slide = slide.map(|slide| u64::from(slide.id.0));
        let of_slide = |layer: &&Arc<FrozenLayer>| Some(layer.slide) == slide;
        match self.state.masks.swipe {
            Some((_, SwipeWith::Mask)) => self.mask_layer(pane).into_iter().collect(),
            Some((_, SwipeWith::Kept)) => {
                let kept = self.state.masks.kept.iter();
                kept.filter(of_slide).map(drawn).collect()
            }
            None => Vec::new(),
        }
    }

    /// Says what of the mask can't be read.
    pub(in crate::app) fn follow_mask(&mut self) {
        let mask = self.state.masks.open.as_ref();
        let failure = mask.and_then(|mask| mask.pages.take_failure());
        if let Some(reason) = failure {
            self.tell(format!("Parts of the mask can't be read: {reason}"), true);
        }
    }

    /// A name for a layer that is no map of the model's.
    fn next_layer_key(&mut self) -> overlay::LayerKey {
        self.layers_named += 1;
        overlay::LayerKey(1 << 63 | self.layers_named)
    }

    fn drop_layer(&self, key: overlay::LayerKey) {
        if let Some(renderer) = &self.overlay_renderer {
            let mut renderer = renderer
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            renderer.remove_layer(key);
        }
    }
}

fn drawn(layer: &Arc<FrozenLayer>) -> DrawnLayer {
    DrawnLayer {
        key: layer.key,
        raster: layer.raster,
        pages: Arc::clone(layer) as _,
        is_provisional: false,
    }
}
