//! One frame of the window.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use egui::Ui;

use crate::geometry::{SlidePoint, View};
use crate::gpu::{SceneInput, SlideRenderer, UploadBudget};
use crate::slide::Rgba;
use crate::tiles::{TileKey, TilePyramid, plan};

use super::command::{Command, Layout, Panel};
use super::file_for::FileFor;
use super::state::{Notice, OpenedSlide, PaneIndex};
use super::viewport::{self, PaneArea};
use super::{App, keys, marks, masks, minimap, panels, review, scale_bar, similar, storage, theme};

/// How often positions are written while the user moves about.
const SAVE_EVERY: Duration = Duration::from_secs(3);

/// A frame that took longer than this does not let a glide jump, seconds.
const LONGEST_STEP_S: f64 = 0.1;

impl App {
    /// Draws one frame into `ui`, which spans the window.
    pub fn show(&mut self, ui: &mut Ui) {
        theme::apply(&self.ctx, self.state.settings.theme);
        while let Some(event) = self.background.poll() {
            self.take_in(event);
        }
        self.state.loader = self.loader.status();
        self.follow_model();
        self.follow_store();
        self.follow_mask();
        self.follow_review();
        self.follow_tuning();
        self.follow_export();
        self.tell_failure();
        let mut commands = keys::pressed(&self.ctx, &self.state);
        commands.extend(self.dropped_files());
        panels::show_around(ui, &self.state, &mut self.fields, &self.log, &mut commands);
        let surround = egui::Frame::NONE.fill(theme::surround(ui.visuals().dark_mode));
        egui::CentralPanel::no_frame()
            .frame(surround)
            .show(ui, |ui| self.show_panes(ui, &mut commands));
        panels::show_dialogs(ui, &self.state, &mut self.fields, &mut commands);
        for command in commands {
            self.apply(command);
            // Commands of panels come after the picture was prepared.
            self.ctx.request_repaint();
        }
        self.let_notice_pass();
        self.save_sometimes();
    }

    /// Takes a notice away whose time is over; one that came meanwhile stays.
    fn let_notice_pass(&mut self) {
        let Some((text, until)) = &self.passing else {
            return;
        };
        if self
            .state
            .notice
            .as_ref()
            .is_none_or(|notice| notice.text != *text)
        {
            self.passing = None;
            return;
        }
        match until.checked_duration_since(Instant::now()) {
            Some(left) => self.ctx.request_repaint_after(left),
            None => (self.state.notice, self.passing) = (None, None),
        }
    }

    /// Says once a slide that some of it can't be read; the log has every tile.
    fn tell_failure(&mut self) {
        if let Some((_, reason)) = self.loader.take_failure() {
            let text =
                format!("Parts of a slide can't be read and are shown as striped grey. {reason}");
            self.state.notice = Some(Notice {
                text,
                is_error: true,
            });
        }
    }

    /// Slides dropped on the window go to the active pane, a second one beside it; a model is
    /// opened, dials are read. Of one picture dropped on a slide, nobody knows but who dropped it.
    fn dropped_files(&self) -> Vec<Command> {
        let dropped = self.ctx.input(|input| input.raw.dropped_files.clone());
        if let ([file], Some(_)) = (dropped.as_slice(), &self.state.active_pane().slide)
            && FileFor::may_be_mask(file.path())
        {
            return vec![Command::WhatIsDropped(Some(file.path().to_path_buf()))];
        }
        let mut panes = [self.state.active, self.state.active.other()].into_iter();
        let paths = dropped.into_iter().map(|file| file.path().to_path_buf());
        let mut command = |path: PathBuf| match FileFor::dropped(&path) {
            Some(what) => Some(what.command(path)),
            None => panes.next().map(|pane| Command::Open(pane, path)),
        };
        paths.filter_map(&mut command).collect()
    }

    fn show_panes(&mut self, ui: &mut Ui, commands: &mut Vec<Command>) {
        let areas = viewport::divide(
            ui,
            ui.max_rect(),
            self.state.layout,
            self.state.shown_panes(),
        );
        // Pointer first, picture after: what is drawn is where the pointer is now.
        let early = std::mem::take(commands);
        for command in early {
            self.apply(command);
        }
        for area in &areas {
            let interaction = viewport::interact(ui, area, &self.state);
            self.state.pane_mut(area.index).pointer = interaction.pointer;
            for command in interaction.commands {
                self.apply(command);
            }
        }
        self.move_cameras(ui, &areas);
        self.state.cursor_rgb = self.colour_under_pointer();
        let mut budget = UploadBudget::of_frame();
        if let Some(renderer) = self.renderer.clone() {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            renderer.begin_frame();
            for area in &areas {
                self.prepare(&mut renderer, area.index, &mut budget);
            }
        }
        self.show_overlay(ui, &areas, budget.for_overlays());
        for area in &areas {
            self.draw_pane(ui, area, commands);
        }
    }

    /// Asks the model for what is seen now and prepares its overlay.
    fn show_overlay(&mut self, ui: &Ui, areas: &[PaneArea], mut budget: UploadBudget) {
        let typing = ui.ctx().egui_wants_keyboard_input();
        let held = ui.input(|input| input.key_down(keys::PEEK));
        self.state.overlay.peeking = held && !typing;
        self.ask_model();
        self.follow_embeddings();
        self.state.overlay.under_pointer = self.class_under_pointer();
        if let Some(renderer) = self.overlay_renderer.clone() {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            renderer.begin_frame();
            for area in areas {
                self.prepare_overlay(&mut renderer, area.index, &mut budget);
            }
        }
    }

    fn move_cameras(&mut self, ui: &Ui, areas: &[PaneArea]) {
        let elapsed_s = f64::from(ui.input(|input| input.stable_dt)).min(LONGEST_STEP_S);
        for area in areas {
            if let Some(camera) = &mut self.state.pane_mut(area.index).camera {
                camera.resize(area.size());
                let held = ui.input(|input| input.pointer.any_down());
                if !held && camera.glide(elapsed_s) {
                    self.ctx.request_repaint();
                }
            }
        }
        if self.state.layout == Layout::Linked {
            self.follow_leader();
        }
    }

    fn follow_leader(&mut self) {
        let Some(leader) = self.state.pane(self.leader).camera.clone() else {
            return;
        };
        if let Some(follower) = &mut self.state.pane_mut(self.leader.other()).camera {
            follower.follow(&leader);
        }
    }

    /// Asks the readers for what the pane needs and builds its scene.
    fn prepare(
        &mut self,
        renderer: &mut SlideRenderer,
        index: PaneIndex,
        budget: &mut UploadBudget,
    ) {
        let pane = self.state.pane(index);
        let (Some(slide), Some(camera)) = (pane.slide.clone(), pane.camera.as_ref()) else {
            return;
        };
        let plan = plan(slide.id, &slide.pyramid, &camera.view, camera.velocity);
        let input = SceneInput {
            slide: slide.id,
            pyramid: &slide.pyramid,
            view: &camera.view,
            plan: &plan,
            background_rgb: slide.source.info().background_rgb,
            store: &self.loader,
            display: &self.state.display,
        };
        let coverage = renderer.prepare(index.slot(), &input, budget);
        if coverage.more_to_upload {
            self.ctx.request_repaint();
        }
        let before = self.state.pane(index).coverage;
        if before.missing > 0 && coverage.missing == 0 {
            // The panels of this frame said that tiles are missing.
            self.ctx.request_repaint();
        }
        let idle = self.state.loader.waiting == 0 && !coverage.more_to_upload;
        self.ask_for(index, &plan.wanted, coverage.missing > 0 && idle);
        self.state.pane_mut(index).coverage = coverage;
    }

    /// `again` asks although nothing changed: what was read has been dropped from both caches.
    fn ask_for(&mut self, index: PaneIndex, wanted: &[TileKey], again: bool) {
        if let Some(asked) = self.asked.get_mut(index as usize) {
            // An unmoved view has nothing new to say, and its list must not undo the queue's order.
            if again || asked.as_slice() != wanted {
                self.loader.want(index.slot(), wanted);
                *asked = wanted.to_vec();
            }
        }
    }

    fn draw_pane(&mut self, ui: &mut Ui, area: &PaneArea, commands: &mut Vec<Command>) {
        let thumbnail = self.thumbnail(area.index);
        let state = &self.state;
        let pane = state.pane(area.index);
        if let Some((path, since)) = &pane.opening {
            let name = path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy();
            viewport::paint_message(
                ui,
                area,
                &format!("Opening {name}… {:.0} s", since.elapsed().as_secs_f64()),
            );
            self.ctx.request_repaint_after(Duration::from_millis(200));
        }
        let (Some(_), Some(camera)) = (&pane.slide, &pane.camera) else {
            if pane.opening.is_none() {
                viewport::paint_message(ui, area, "Drop a slide here, or press Ctrl+O to open one");
            }
            return;
        };
        match &self.renderer {
            Some(renderer) => viewport::paint_pass(ui, area, renderer),
            None => viewport::paint_message(
                ui,
                area,
                "No graphics driver answers: the slide can't be drawn",
            ),
        }
        if let Some(renderer) = &self.overlay_renderer {
            viewport::paint_pass(ui, area, renderer);
        }
        self.draw_marks(ui, area, &camera.view);
        if state.overlay.is_drawn() {
            masks::show_swipe(ui, area, &state.masks, commands);
        }
        let linked_field = state
            .view(area.index.other())
            .filter(|_| state.layout == Layout::Linked);
        if let Some(other) = linked_field {
            viewport::paint_other_field(ui, area, &camera.view, other);
        }
        if state.layout != Layout::Single && state.active == area.index {
            viewport::paint_active_frame(ui, area);
        }
        let of_model = state.overlay.is_drawn() && state.masks.shown != masks::Shown::Mask;
        let starter = state
            .overlay
            .is_starter()
            .then_some("Starter model: research use only");
        let doubts = !state.overlay.doubts.is_empty();
        let doubted = doubts.then_some("it may not suit the slide: see Model");
        let notes = starter.into_iter().chain(doubted);
        let notes = notes.chain(state.overlay.dials.turned_words());
        let notes: Vec<&str> = notes.collect();
        if of_model && !notes.is_empty() {
            viewport::paint_note(ui, area, &notes.join(" · "));
        }
        scale_bar::show(
            ui,
            area.rect,
            &camera.view,
            state.mpp(area.index),
            ui.pixels_per_point(),
        );
        if state.shows(Panel::Minimap) {
            minimap::show(ui, area.rect, area.index, state, thumbnail, commands);
        }
    }

    /// Strokes lie on top of the overlay, and are hidden with it.
    fn draw_marks(&self, ui: &Ui, area: &PaneArea, view: &View) {
        let state = &self.state;
        let (Some(slide), false) = (&state.pane(area.index).slide, state.overlay.peeking) else {
            return;
        };
        let names = state.overlay.facts().map(|facts| facts.card.class_names());
        let colours = marks::ClassColours {
            names: &names.unwrap_or_default(),
            palette: &state.overlay.style.palette,
        };
        let strokes = match state.shows(Panel::Strokes) || state.marks.brush.on {
            true => state.marks.strokes(&slide.source.info().hash),
            false => &[],
        };
        marks::paint(ui, area, view, strokes, &state.marks.brush, &colours);
        let hash = &slide.source.info().hash;
        let is_asked = state
            .similar
            .query
            .as_ref()
            .is_some_and(|(of, _)| of == hash);
        if is_asked && state.shows(Panel::Similar) {
            similar::paint(ui, area, view, &state.similar);
        }
        let lists_regions = state.shows(Panel::Review);
        let draws_difference = state.overlay.is_drawn() && state.draws_difference();
        if lists_regions || draws_difference {
            let verdicts = state.marks.verdicts(hash);
            let marks = review::marks(&state.review, hash, verdicts, lists_regions);
            review::paint(ui, area, view, &marks);
        }
    }

    /// The overview for the minimap, once the coarsest tile has been read.
    fn thumbnail(&mut self, index: PaneIndex) -> Option<egui::TextureId> {
        let slide = Arc::clone(self.state.pane(index).slide.as_ref()?);
        if let Some(texture) = self.thumbnails.get(&slide.id) {
            return Some(texture.id());
        }
        let level = slide.pyramid.coarsest();
        if slide.pyramid.level(level)?.grid() != (1, 1) {
            return None;
        }
        let tile = self.loader.get(&TileKey {
            slide: slide.id,
            level,
            col: 0,
            row: 0,
        })?;
        let image = over_background(&tile, slide.source.info().background_rgb);
        let texture = self
            .ctx
            .load_texture("overview", image, egui::TextureOptions::LINEAR);
        let id = texture.id();
        self.thumbnails.insert(slide.id, texture);
        Some(id)
    }

    /// The stored colour of the pixel under the pointer, from the finest level in memory.
    fn colour_under_pointer(&self) -> Option<[u8; 3]> {
        let (index, at) = self.state.pointed_at()?;
        let slide = self.state.pane(index).slide.as_ref()?;
        let view = self.state.view(index)?;
        let target = slide.pyramid.level_for(view.slide_px_per_screen_px);
        (target..=slide.pyramid.coarsest()).find_map(|level| self.stored_colour(slide, level, at))
    }

    fn stored_colour(&self, slide: &OpenedSlide, level: u8, at: SlidePoint) -> Option<[u8; 3]> {
        let (key, x, y) = texel_at(slide, &slide.pyramid, level, at)?;
        let [r, g, b, a] = self.loader.get(&key)?.pixel(x, y)?;
        let background = slide.source.info().background_rgb;
        let over = |value: u8, under: u8| {
            value.saturating_add((u32::from(under) * u32::from(255 - a) / 255) as u8)
        };
        Some([
            over(r, background[0]),
            over(g, background[1]),
            over(b, background[2]),
        ])
    }

    fn save_sometimes(&mut self) {
        if let Some(text) = self.saver.as_ref().and_then(storage::Saver::take_failure) {
            self.state.notice = Some(Notice {
                text,
                is_error: true,
            });
        }
        if self.saver.is_some() && Instant::now() >= self.next_save {
            self.next_save = Instant::now() + SAVE_EVERY;
            self.save_now();
        }
    }

    /// Hands changed settings and positions to the saver; never waits for the disk.
    pub(super) fn save_now(&mut self) {
        for pane in PaneIndex::BOTH {
            self.note_view(pane);
        }
        let now = storage::Saved {
            settings: self.state.settings.clone(),
            session: self.state.session.clone(),
        };
        if let (Some(saver), true) = (&self.saver, self.saved.as_ref() != Some(&now)) {
            saver.save(now.clone());
            self.saved = Some(now);
        }
    }
}

/// Which tile of `level` holds a slide point, and which of its pixels.
fn texel_at(
    slide: &OpenedSlide,
    pyramid: &TilePyramid,
    level: u8,
    at: SlidePoint,
) -> Option<(TileKey, u32, u32)> {
    let info = pyramid.level(level)?;
    if !info.slide_extent().contains(at) {
        return None;
    }
    let (x, y) = ((at.x / info.scale.0) as u32, (at.y / info.scale.1) as u32);
    let (col, row) = (x / info.tile_px.0, y / info.tile_px.1);
    let key = TileKey {
        slide: slide.id,
        level,
        col,
        row,
    };
    Some((key, x % info.tile_px.0, y % info.tile_px.1))
}

fn over_background(tile: &Rgba, background: [u8; 3]) -> egui::ColorImage {
    let pixels = tile.data.chunks_exact(4).map(|pixel| {
        let over = |channel: usize| {
            let under = u32::from(background[channel]) * u32::from(255 - pixel[3]) / 255;
            pixel[channel].saturating_add(under as u8)
        };
        egui::Color32::from_rgb(over(0), over(1), over(2))
    });
    egui::ColorImage::new(
        [tile.width as usize, tile.height as usize],
        pixels.collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_said_for_a_while_and_what_is_to_be_read_stays() {
        let ctx = egui::Context::default();
        let mut app = App::new(&ctx, None, Default::default()).unwrap();
        let said = |app: &App| app.state.notice.as_ref().map(|notice| notice.text.clone());
        let path = std::path::Path::new("field.png");
        app.written(path, Ok(String::new()));
        app.let_notice_pass();
        assert_eq!(said(&app).as_deref(), Some("Written: field.png"));
        app.passing = app.passing.take().map(|(text, _)| (text, Instant::now()));
        app.let_notice_pass();
        assert_eq!(said(&app), None);
        for more in [
            Ok("3 of 12 tiles can't be read".to_owned()),
            Err("no room".to_owned()),
        ] {
            app.written(path, Ok(String::new()));
            app.written(path, more);
            app.passing = app.passing.take().map(|(text, _)| (text, Instant::now()));
            app.let_notice_pass();
            assert!(said(&app).is_some_and(|text| text.contains('\n') || text.contains("no room")));
        }
    }
}
