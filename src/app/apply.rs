//! The one place where commands and background events change the state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::annotate::SlideRecords;
use crate::geometry::{Mpp, SlidePoint};
use crate::slide::SlideHash;
use crate::slide::argument::is_phantom;
use crate::tiles::cache::default_limit_bytes;

use super::camera::Camera;
use super::command::{CameraMove, Command, Layout, Panel};
use super::file_for::FileFor;
use super::opening::{Event, Opened};
use super::state::{Notice, OpenedSlide, PaneIndex};
use super::undo_order::Kind;
use super::{App, panels};

/// How notices begin that end when a slide is opened.
const CANT_OPEN: &str = "Can't open";

/// The magnifications that linked views start with.
const LINKED_MAGNIFICATIONS: (f64, f64) = (10.0, 40.0);

impl App {
    /// Carries out one command.
    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Choose(what) => self.background.choose(what),
            Command::Open(pane, path) => self.open(pane, path),
            Command::Close(pane) => self.close(pane),
            Command::Activate(pane) => self.activate(pane),
            Command::SetLayout(layout) => self.set_layout(layout),
            Command::Camera(pane, step) => self.move_camera(pane, step),
            Command::SetDisplay(display) => {
                self.state.display = display;
                self.state.settings.display = display;
            }
            Command::SetScale(pane, mpp) => self.set_scale(pane, mpp),
            Command::Toggle(panel) => self.toggle(panel),
            Command::RevealAssociated(reveal) => self.reveal_associated(reveal),
            Command::SetTheme(theme) => self.state.settings.theme = theme,
            Command::SetCacheLimit(mib) => {
                self.state.settings.tile_cache_mib = mib;
                self.loader
                    .set_cache_limit_bytes(mib.map_or_else(default_limit_bytes, |mib| mib << 20));
            }
            Command::ClearRecent => self.state.session.clear_recent(),
            Command::Copy(text) => self.ctx.copy_text(text),
            Command::Overlay(command) => self.apply_overlay(command),
            Command::Marks(command) => self.apply_marks(command),
            Command::Masks(command) => self.apply_masks(command),
            Command::Export(command) => self.apply_export(command),
            Command::Similar(command) => self.apply_similar(command),
            Command::Review(command) => self.apply_review(command),
            Command::FocusNote => {
                self.state.shown.insert(Panel::Review);
                self.fields.focus_note = true;
            }
            Command::Undo => self.undo(),
            Command::Redo => self.redo(),
            Command::WhatIsDropped(path) => self.state.dropped = path,
            Command::DismissNotice => self.state.notice = None,
        }
    }

    /// Takes in what a background thread has to tell.
    pub(super) fn take_in(&mut self, event: Event) {
        match event {
            Event::Opened {
                pane,
                asked,
                result,
            } => self.opened(pane, asked, result),
            Event::Chosen {
                what,
                path: Some(path),
                ..
            } => self.apply(what.command(path)),
            // Cancelled, or a portal that failed slowly: nobody can tell.
            Event::Chosen { answered: true, .. } => {
                tracing::info!("no file was chosen; Ctrl+L takes a path");
            }
            Event::Chosen { what, .. } => {
                self.ask_for_path(what);
                self.fields.path_hint =
                    Some("No file dialog of the desktop answers here, or it was closed at once: type the path.".into());
            }
            Event::DialsRead(saved) => self.dials_read(saved),
            Event::MaskOpened {
                path,
                slide,
                result,
            } => self.mask_opened(&path, slide, result),
            Event::Written { path, result } => self.written(&path, result),
            Event::Exported { writing, result } => {
                self.end_writing(&writing);
                if !writing.is_stopped() || result.is_ok() {
                    self.written(writing.path(), result);
                }
            }
            Event::Associated {
                slide,
                name,
                result,
            } => {
                for pane in &mut self.state.panes {
                    let holds = |held: &&mut Arc<OpenedSlide>| held.source.info().hash == slide;
                    if let Some(held) = pane.slide.as_mut().filter(holds) {
                        Arc::make_mut(held)
                            .associated
                            .insert(name.clone(), result.clone());
                    }
                }
            }
        }
    }

    /// Asks for a path by typing.
    pub(super) fn ask_for_path(&mut self, what: FileFor) {
        self.fields.path_text.clear();
        self.fields.path_there = None;
        self.fields.path_for = what;
        self.show_panel(Panel::OpenPath);
    }

    fn undo(&mut self) {
        // A note that is typed is the last step.
        self.keep_note();
        match self.state.undo_order.undo() {
            Some(Kind::Dials) => self.state.overlay.dials.undo(),
            Some(Kind::Marks(slide)) => {
                let changes = self.state.marks.undo(&slide);
                self.keep(changes);
                self.note_is_of_visited();
            }
            None => {}
        }
    }

    fn redo(&mut self) {
        self.keep_note();
        match self.state.undo_order.redo() {
            Some(Kind::Dials) => self.state.overlay.dials.redo(),
            Some(Kind::Marks(slide)) => {
                let changes = self.state.marks.redo(&slide);
                self.keep(changes);
                self.note_is_of_visited();
            }
            None => {}
        }
    }

    /// Takes in what is kept of a slide. Scales used to be kept with the session.
    fn take_records(&mut self, slide: &SlideHash, records: Result<SlideRecords, String>) {
        match records {
            Ok(records) => self.state.marks.take_in(slide, records),
            Err(reason) => {
                let text = format!("What is kept of this slide can't be read: {reason}");
                self.tell(text, true);
            }
        }
        let earlier = self.state.session.take_typed_mpp(slide);
        if let (Some(mpp), None) = (earlier, self.state.marks.typed_mpp(slide)) {
            let change = self.state.marks.set_typed_mpp(slide, Some(mpp));
            self.keep(vec![change]);
        }
    }

    fn open(&mut self, pane: PaneIndex, path: PathBuf) {
        self.state.shown.remove(&Panel::OpenPath);
        self.state.pane_mut(pane).opening = Some((path.clone(), Instant::now()));
        self.background.open(pane, path, self.store.clone());
    }

    fn opened(&mut self, pane: PaneIndex, asked: PathBuf, result: Result<Opened, String>) {
        // Newest wins: an answer to an earlier question is dropped.
        if self.state.pane(pane).opening.as_ref().map(|(path, _)| path) != Some(&asked) {
            return;
        }
        self.state.pane_mut(pane).opening = None;
        match result {
            Ok(opened) => {
                let of_opening = |notice: &Notice| notice.text.starts_with(CANT_OPEN);
                if self.state.notice.as_ref().is_some_and(of_opening) {
                    self.state.notice = None;
                }
                self.show_opened(pane, asked, opened);
            }
            Err(reason) => {
                tracing::error!("can't open a slide: {reason}");
                self.state.notice = Some(Notice {
                    text: format!("{CANT_OPEN} {reason}"),
                    is_error: true,
                });
            }
        }
    }

    fn show_opened(&mut self, pane: PaneIndex, opened_as: PathBuf, opened: Opened) {
        self.close(pane);
        let Opened {
            source,
            pyramid,
            profile,
            records,
        } = opened;
        self.take_records(&source.info().hash, records);
        let id = self
            .loader
            .add_slide(Arc::clone(&source), Arc::clone(&pyramid));
        let has_profile = matches!(profile, Some(Ok(_)));
        match profile {
            Some(Ok(table)) => self.with_renderer(|renderer| renderer.set_profile(id, &table)),
            Some(Err(reason)) => tracing::warn!(
                slide = source.info().name,
                "shown without its profile: {reason}"
            ),
            None => {}
        }
        if !is_phantom(&opened_as) {
            let absolute = std::path::absolute(&opened_as).unwrap_or_else(|_| opened_as.clone());
            self.state.session.note_opened(&absolute);
        }
        tracing::info!(slide = source.info().name, "opened");
        let associated = std::collections::BTreeMap::new();
        let slide = Arc::new(OpenedSlide {
            id,
            source,
            pyramid,
            opened_as,
            associated,
            has_profile,
        });
        self.state.associated_revealed = false;
        self.put(pane, slide);
        if self.state.layout == Layout::Linked {
            self.show_same_in_other(pane);
            self.set_linked_magnifications();
        }
    }

    /// Shows a slide in a pane, where it was last looked at.
    fn put(&mut self, pane: PaneIndex, slide: Arc<OpenedSlide>) {
        let (mpp, _) = self.state.scale_of(&slide);
        let info = slide.source.info();
        let mut camera = Camera::new(info.content(), mpp);
        if let Some(last) = self.state.session.last_view(&info.hash) {
            let center = SlidePoint::from(last.center_px);
            camera.restore(
                center,
                last.slide_px_per_screen_px,
                last.rotation_rad,
                last.mirrored,
            );
        }
        let target = self.state.pane_mut(pane);
        target.slide = Some(slide);
        target.camera = Some(camera);
    }

    fn close(&mut self, pane: PaneIndex) {
        self.note_view(pane);
        let target = self.state.pane_mut(pane);
        target.camera = None;
        let Some(slide) = target.slide.take() else {
            return;
        };
        self.loader.want(pane.slot(), &[]);
        let shown_elsewhere = self
            .state
            .pane(pane.other())
            .slide
            .as_ref()
            .is_some_and(|other| other.id == slide.id);
        if !shown_elsewhere {
            self.loader.remove_slide(slide.id);
            self.thumbnails.remove(&slide.id);
            self.with_renderer(|renderer| renderer.remove_slide(slide.id));
            self.forget_overlay(slide.id);
            self.forget_masks(&slide.source.info().hash, u64::from(slide.id.0));
        }
    }

    /// Remembers where a pane's slide is looked at.
    pub(super) fn note_view(&mut self, pane: PaneIndex) {
        let shown = self.state.pane(pane);
        if let (Some(slide), Some(camera)) = (&shown.slide, &shown.camera) {
            let (hash, view) = (slide.source.info().hash.clone(), camera.view);
            self.state.session.note_view(&hash, &view);
        }
    }

    fn activate(&mut self, pane: PaneIndex) {
        if self.state.shown_panes().contains(&pane) {
            self.state.active = pane;
            self.read_associated();
        }
    }

    fn set_layout(&mut self, layout: Layout) {
        if layout == self.state.layout {
            return;
        }
        let from = self.state.active;
        self.state.layout = layout;
        match layout {
            Layout::Single => self.keep_only(from),
            Layout::Linked => {
                self.show_same_in_other(from);
                self.set_linked_magnifications();
            }
            Layout::Split if self.state.pane(from.other()).slide.is_none() => {
                self.show_same_in_other(from)
            }
            Layout::Split => {}
        }
    }

    /// One view shows what the active one showed.
    fn keep_only(&mut self, pane: PaneIndex) {
        if pane == PaneIndex::Second {
            self.state.panes.swap(0, 1);
        }
        self.close(PaneIndex::Second);
        self.state.active = PaneIndex::First;
        self.leader = PaneIndex::First;
    }

    fn show_same_in_other(&mut self, pane: PaneIndex) {
        let other = pane.other();
        let (slide, camera) = (
            self.state.pane(pane).slide.clone(),
            self.state.pane(pane).camera.clone(),
        );
        let same =
            slide.as_ref().map(|s| s.id) == self.state.pane(other).slide.as_ref().map(|s| s.id);
        if !same {
            self.close(other);
        }
        let target = self.state.pane_mut(other);
        target.slide = slide;
        target.camera = camera;
        self.leader = pane;
    }

    /// One view at 10x, the other at 40x.
    pub(super) fn set_linked_magnifications(&mut self) {
        let (low, high) = LINKED_MAGNIFICATIONS;
        for (pane, magnification) in [(PaneIndex::First, low), (PaneIndex::Second, high)] {
            let mpp = self.state.mpp(pane);
            if let Some(camera) = &mut self.state.pane_mut(pane).camera {
                camera.apply(CameraMove::Magnification(magnification), mpp);
            }
        }
    }

    fn move_camera(&mut self, pane: PaneIndex, step: CameraMove) {
        let mpp = self.state.mpp(pane);
        if let Some(camera) = &mut self.state.pane_mut(pane).camera {
            camera.apply(step, mpp);
            self.leader = pane;
        }
    }

    fn set_scale(&mut self, pane: PaneIndex, mpp: Option<Mpp>) {
        let Some(slide) = self.state.pane(pane).slide.clone() else {
            return;
        };
        let change = self
            .state
            .marks
            .set_typed_mpp(&slide.source.info().hash, mpp);
        self.keep(vec![change]);
        let (mpp, _) = self.state.scale_of(&slide);
        for pane in &mut self.state.panes {
            let shows_it = pane
                .slide
                .as_ref()
                .is_some_and(|other| other.id == slide.id);
            if let (true, Some(camera)) = (shows_it, &mut pane.camera) {
                camera.set_mpp(mpp);
            }
        }
    }

    fn toggle(&mut self, panel: Panel) {
        if panel == Panel::Review {
            // Its field goes with it.
            self.keep_note();
        }
        if !self.state.shown.remove(&panel) {
            if panel == Panel::OpenPath && !matches!(self.fields.path_for, FileFor::Slide(_)) {
                self.ask_for_path(FileFor::Slide(self.state.active));
            }
            self.show_panel(panel);
        }
        self.state.settings.minimap = self.state.shows(Panel::Minimap);
    }

    fn show_panel(&mut self, panel: Panel) {
        self.state.shown.insert(panel);
        self.fields.focus_dialog = true;
        panels::note_opened(&self.ctx, panel);
    }

    /// Hidden pictures are not kept in memory either.
    fn forget_associated(&mut self) {
        for slide in self.state.panes.iter_mut().flat_map(|pane| &mut pane.slide) {
            Arc::make_mut(slide).associated.clear();
        }
    }

    fn reveal_associated(&mut self, reveal: bool) {
        self.state.associated_revealed = reveal;
        if !reveal {
            self.forget_associated();
        }
        self.read_associated();
    }

    /// Reads the label and macro images of the active slide where they are to be seen.
    fn read_associated(&mut self) {
        if !self.state.associated_revealed {
            return;
        }
        let Some(slide) = self.state.active_pane().slide.clone() else {
            return;
        };
        for image in &slide.source.info().associated {
            if !slide.associated.contains_key(&image.name) {
                self.background
                    .read_associated(Arc::clone(&slide.source), image.name.clone());
            }
        }
    }
}
