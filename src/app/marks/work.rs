//! Carries out what is asked of strokes, verdicts and presets, and has it kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{BrushHand, DialPreset, MarkCommand, by_id, erased};
use crate::annotate::{AnnotationEdit, Change, Preset, StoreEvent, geojson, now_ms, touched};
use crate::app::App;
use crate::app::command::Panel;
use crate::app::overlay::DialSet;
use crate::app::state::{Notice, PaneIndex};
use crate::app::undo_order::Kind;
use crate::geometry::SlidePoint;
use crate::jobs::tune::{TuneRequest, TuneState};
use crate::labels::LabelClass;
use crate::slide::SlideHash;

/// How long it is said that a file is written, where there is no more to say.
const PASSES_AFTER: Duration = Duration::from_secs(8);

impl App {
    /// Carries out one of these commands.
    pub(in crate::app) fn apply_marks(&mut self, command: MarkCommand) {
        let brush = &mut self.state.marks.brush;
        match command {
            MarkCommand::UseBrush(on) => {
                brush.on = on && self.state.overlay.facts().is_some();
                brush.hand = None;
                if brush.on {
                    self.state.shown.insert(Panel::Strokes);
                }
            }
            MarkCommand::BrushClass(class) => {
                let classes = self
                    .state
                    .overlay
                    .facts()
                    .map(|facts| facts.card.classes.len());
                if class.is_none_or(|class| classes.is_some_and(|classes| class < classes)) {
                    brush.class = class;
                }
            }
            MarkCommand::BrushWidth(width_pt) => brush.width_pt = width_pt.clamp(2.0, 200.0),
            MarkCommand::BrushTo(pane, at) => self.brush_to(pane, at),
            MarkCommand::BrushUp => self.brush_up(),
            MarkCommand::EraseAll => self.erase_all(),
            MarkCommand::Tune => self.tune(),
            MarkCommand::StopTuning => {
                if let Some(live) = &self.state.overlay.live {
                    live.stop_tuning();
                }
            }
            MarkCommand::UseTuned => self.use_tuned(),
            MarkCommand::SavePreset(name, note) => self.save_preset(&name, &note),
            MarkCommand::UsePreset(index) => self.use_preset(index),
            MarkCommand::RemovePreset(index) => self.remove_preset(index),
            MarkCommand::ImportDials(path) => self.background.read_dials(path),
            MarkCommand::ExportDials(id, path) => self.export_preset(&id, path),
            MarkCommand::Export(path) => self.export_marks(path),
        }
    }

    /// Has changes kept; without a store they last as long as the program.
    pub(in crate::app) fn keep(&self, changes: Vec<Change>) {
        if let Some(store) = &self.store {
            changes.into_iter().for_each(|change| store.put(change));
        }
    }

    /// Makes a step that can be undone, and has it kept.
    pub(in crate::app) fn edit_marks(&mut self, slide: &SlideHash, edits: Vec<AnnotationEdit>) {
        if !edits.is_empty() {
            let changes = self.state.marks.edit(slide, edits);
            self.state.undo_order.made(Kind::Marks(slide.clone()));
            self.keep(changes);
        }
    }

    /// Takes in what the store has to tell.
    pub(in crate::app) fn follow_store(&mut self) {
        let Some(store) = self.store.clone() else {
            return;
        };
        while let Some(event) = store.take_event() {
            let text = match event {
                StoreEvent::SetAside(path) => format!(
                    "The file of strokes, verdicts and presets was damaged. It is kept as {}; a \
                     new one is begun.",
                    path.display()
                ),
                StoreEvent::Failed(error) => error.to_string(),
            };
            self.tell(text, true);
        }
        let Some(presets) = self
            .presets
            .as_ref()
            .and_then(|answer| answer.try_recv().ok())
        else {
            return;
        };
        self.presets = None;
        match presets {
            Ok(presets) => self.state.marks.presets = presets,
            Err(error) => self.tell(format!("Presets can't be read: {error}"), true),
        }
    }

    /// Shows something that a person should know now.
    pub(in crate::app) fn tell(&mut self, text: String, is_error: bool) {
        match is_error {
            true => tracing::error!("{text}"),
            false => tracing::info!("{text}"),
        }
        self.state.notice = Some(Notice { text, is_error });
    }

    /// The hash of a pane's slide.
    pub(in crate::app) fn slide_hash(&self, pane: PaneIndex) -> Option<SlideHash> {
        let slide = self.state.pane(pane).slide.as_ref()?;
        Some(slide.source.info().hash.clone())
    }

    fn brush_to(&mut self, pane: PaneIndex, at: SlidePoint) {
        let Some(view) = self.state.view(pane) else {
            return;
        };
        let px_per_point = f64::from(self.ctx.pixels_per_point());
        let brush = &self.state.marks.brush;
        let radius_px =
            f64::from(brush.width_pt) / 2.0 * px_per_point * view.slide_px_per_screen_px;
        let (on, erases) = (brush.on, brush.class.is_none());
        let hand = self.state.marks.brush.hand.take();
        let mut hand = match hand.filter(|hand| hand.pane == pane) {
            Some(hand) => hand,
            None => BrushHand::at(pane, at, radius_px),
        };
        hand.go_to(at);
        if let (true, Some(slide)) = (erases, self.slide_hash(pane)) {
            self.erase_under(&slide, at, &mut hand);
        }
        self.state.marks.brush.hand = on.then_some(hand);
    }

    fn erase_under(&self, slide: &SlideHash, at: SlidePoint, hand: &mut BrushHand) {
        let strokes = self.state.marks.strokes(slide);
        let lines = strokes.iter().map(|record| &record.stroke);
        for index in touched(lines, at, hand.radius_px) {
            let id = strokes[index].id;
            if !hand.erased.contains(&id) {
                hand.erased.push(id);
            }
        }
    }

    fn brush_up(&mut self) {
        let Some(hand) = self.state.marks.brush.hand.take() else {
            return;
        };
        let (Some(slide), Some(facts)) = (self.slide_hash(hand.pane), self.state.overlay.facts())
        else {
            return;
        };
        let edits = match self.state.marks.brush.class {
            None => {
                let strokes = self.state.marks.strokes(&slide);
                by_id(strokes, &hand.erased).map(erased).collect()
            }
            Some(class) => {
                let Some(class) = facts.card.classes.get(class) else {
                    return;
                };
                let record = hand.into_record(class.name.clone(), facts.sha256.clone());
                vec![super::added(record)]
            }
        };
        self.edit_marks(&slide, edits);
    }

    fn erase_all(&mut self) {
        if let Some(slide) = self.slide_hash(self.state.active) {
            let edits = self
                .state
                .marks
                .strokes(&slide)
                .iter()
                .map(erased)
                .collect();
            self.edit_marks(&slide, edits);
        }
    }

    /// Asks for dials that suit the strokes of the active slide, at the magnification nearest to
    /// the view's.
    fn tune(&mut self) {
        let active = self.state.active;
        let (Some(slide), Some(hash)) = (&self.state.pane(active).slide, self.slide_hash(active))
        else {
            return;
        };
        let overlay = &self.state.overlay;
        let (Some(live), Some(facts)) = (&overlay.live, overlay.facts()) else {
            return;
        };
        let Some(scale) = self.plain_scale(active) else {
            let reason = overlay.reason.clone().unwrap_or_default();
            return self.tell(format!("Nothing can be tuned: {reason}"), true);
        };
        let strokes = self.state.marks.strokes(&hash).iter();
        live.tune(TuneRequest {
            slide: self.scaled_source(slide),
            slide_id: u64::from(slide.id.0),
            scale,
            strokes: strokes.map(|record| record.stroke.clone()).collect(),
            bias: overlay.dials.total(&facts.bias),
            offsets: overlay.dials.values(DialSet::Output).to_vec(),
        });
    }

    /// Takes in how far that is.
    pub(in crate::app) fn follow_tuning(&mut self) {
        let live = self.state.overlay.live.as_ref();
        self.state.marks.tuning = live.and_then(|live| live.tuning());
    }

    fn use_tuned(&mut self) {
        let Some(TuneState::Done(outcome)) = &self.state.marks.tuning else {
            return;
        };
        let overlay = &self.state.overlay;
        let Some(live) = overlay.live.clone() else {
            return;
        };
        let added = outcome.dials.clone();
        let outputs = overlay.dials.values(DialSet::Output).to_vec();
        let steps = overlay.dials.steps();
        self.state.overlay.dials.set_all(added, outputs);
        self.note_turns(steps);
        live.stop_tuning();
    }

    fn save_preset(&mut self, name: &str, note: &str) {
        let name = name.trim();
        let Some(facts) = self.state.overlay.facts().filter(|_| !name.is_empty()) else {
            return;
        };
        let dials = &self.state.overlay.dials;
        let saved = DialPreset::of(facts, dials, name.to_owned(), note.trim().to_owned());
        self.add_preset(&saved);
    }

    /// Puts a preset into the list, in place of one of the same name and model.
    fn add_preset(&mut self, saved: &DialPreset) {
        let json = match saved.to_json() {
            Ok(json) => json,
            Err(reason) => return self.tell(format!("The dials can't be saved: {reason}"), true),
        };
        let preset = Preset {
            name: saved.name.clone(),
            model_hash: saved.model_sha256.clone(),
            bias: json,
            note: saved.note.clone(),
            created_ms: now_ms(),
        };
        let presets = &mut self.state.marks.presets;
        presets.retain(|old| (&old.name, &old.model_hash) != (&preset.name, &preset.model_hash));
        presets.push(preset.clone());
        presets.sort_by(|a, b| a.name.cmp(&b.name));
        self.keep(vec![Change::Preset(preset)]);
    }

    fn use_preset(&mut self, index: usize) {
        let Some(preset) = self.state.marks.presets.get(index) else {
            return;
        };
        let name = preset.name.clone();
        let used = DialPreset::from_json(&preset.bias).and_then(|saved| self.set_dials(&saved));
        if let Err(reason) = used {
            self.tell(
                format!("The dials '{name}' can't be used here: {reason}"),
                true,
            );
        }
    }

    fn set_dials(&mut self, saved: &DialPreset) -> Result<(), String> {
        let facts = self.state.overlay.facts().ok_or("no model is open")?;
        let (bias, outputs) = saved.for_model(facts.bias.classes(), &facts.sha256)?;
        let before = self.state.overlay.dials.steps();
        self.state.overlay.dials.set_all(bias, outputs);
        self.note_turns(before);
        Ok(())
    }

    fn remove_preset(&mut self, index: usize) {
        let presets = &mut self.state.marks.presets;
        if index < presets.len() {
            let preset = presets.remove(index);
            self.keep(vec![Change::RemovePreset(preset.model_hash, preset.name)]);
        }
    }

    /// Dials that were read from a file go into the list and, where they fit, into use.
    pub(in crate::app) fn dials_read(&mut self, saved: Result<DialPreset, String>) {
        match saved {
            Err(reason) => self.tell(reason, true),
            Ok(saved) => {
                self.add_preset(&saved);
                if let Err(reason) = self.set_dials(&saved) {
                    let name = &saved.name;
                    let text = format!("The dials '{name}' are kept but not used: {reason}");
                    self.tell(text, true);
                }
            }
        }
    }

    fn export_preset(&mut self, (name, model_hash): &(String, String), path: PathBuf) {
        let presets = &self.state.marks.presets;
        let is_it = |preset: &&Preset| preset.name == *name && preset.model_hash == *model_hash;
        match presets.iter().find(is_it) {
            Some(preset) => self
                .background
                .write(path, preset.bias.clone().into_bytes()),
            None => self.tell(format!("There is no preset {name} any more."), true),
        }
    }

    fn export_marks(&mut self, path: PathBuf) {
        self.keep_note();
        let Some(slide) = &self.state.active_pane().slide else {
            return;
        };
        let info = slide.source.info();
        let provenance = BTreeMap::from([
            ("slide".to_owned(), info.name.clone()),
            ("slide_hash".to_owned(), info.hash.0.clone()),
            (
                "program".to_owned(),
                format!("parfocal {}", env!("CARGO_PKG_VERSION")),
            ),
        ]);
        let classes: Vec<LabelClass> = self.state.overlay.label_classes();
        let records = self.state.marks.of(&info.hash).cloned().unwrap_or_default();
        let text = geojson::write(&records, &classes, &provenance);
        self.background.write(path, text.into_bytes());
    }

    /// A background thread wrote a file, or could not.
    pub(in crate::app) fn written(&mut self, path: &Path, result: Result<String, String>) {
        match result {
            Ok(more) => {
                let text = format!("Written: {}\n{more}", path.display());
                let text = text.trim_end().to_owned();
                // What there is more to say is to be read.
                if more.is_empty() {
                    self.passing = Some((text.clone(), Instant::now() + PASSES_AFTER));
                }
                self.tell(text, false);
            }
            Err(reason) => {
                self.tell(
                    format!("{} can't be written: {reason}", path.display()),
                    true,
                );
            }
        }
    }
}
