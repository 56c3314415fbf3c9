//! One tuning, piece by piece.

use std::time::Instant;

use burn::tensor::Device;

use super::painted::Painted;
use super::{MOST_TILES, TuneOutcome, TuneRequest, TuneState};
use crate::annotate::Stroke;
use crate::learn::tune_bias::{
    BiasTuning, PaintedPx, PaintedTile, Refusal, TuneRules, TuneStep, TuneTask, TunedBias,
};
use crate::model::ReadyModel;
use crate::model::dfa::{ClassBias, Decoder, Features, centred};
use crate::segment::TileId;
use crate::segment::live::{CellPainter, Engine, LiveModel, Step};

/// Tiles that are read and encoded in one step.
pub(super) const ENCODED_AT_ONCE: usize = 2;

/// Tunes for one request at a time.
pub struct Tuner {
    decoder: Decoder,
    device: Device,
    tile_px: usize,
    bias: ClassBias,
    /// The model's own, which the user's come on top of.
    offsets: Vec<f32>,
    pub(super) rules: TuneRules,
    pub(super) most_tiles: usize,
    /// The slide that was asked for last.
    slide_id: Option<u64>,
    state: Option<TuneState>,
    work: Option<Work>,
}

struct Work {
    request: TuneRequest,
    began: Instant,
    stage: Stage,
}

enum Stage {
    Asked,
    Encoding(Encoding),
    Tuning(Box<BiasTuning>, Counts),
}

/// Tiles on their way to be encoded.
struct Encoding {
    /// The class of each stroke that is used.
    classes: Vec<usize>,
    tiles: Vec<(TileId, Vec<PaintedPx>)>,
    encoded: Vec<PaintedTile>,
    counts: Counts,
}

/// What the outcome says of the tiles.
#[derive(Clone, Copy)]
struct Counts {
    strokes: usize,
    tiles: usize,
    tiles_painted: usize,
}

/// Why there is no outcome.
enum Stop {
    Refused(String),
    Failed(String),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Model(_) | Refusal::Input(_) => Self::Failed(refusal.to_string()),
            _ => Self::Refused(refusal.to_string()),
        }
    }
}

impl Tuner {
    /// For the decoder of a model.
    pub fn new(model: &ReadyModel) -> Self {
        Self {
            decoder: model.predictor.decoder.clone(),
            device: model.predictor.device.clone(),
            tile_px: model.card.tile_px,
            bias: model.bias.clone(),
            offsets: model.predictor.offsets.clone(),
            rules: TuneRules::default(),
            most_tiles: MOST_TILES,
            slide_id: None,
            state: None,
            work: None,
        }
    }

    /// Begins anew, in place of what was asked before.
    pub fn ask(&mut self, request: TuneRequest) {
        self.state = Some(TuneState::Preparing { done: 0, total: 0 });
        self.slide_id = Some(request.slide_id);
        self.work = Some(Work {
            request,
            began: Instant::now(),
            stage: Stage::Asked,
        });
    }

    /// Stops, and forgets what came of it.
    pub fn stop(&mut self) {
        self.slide_id = None;
        self.state = None;
        self.work = None;
    }

    /// A slide was closed: what is done for it stops, and what came of it is no longer offered.
    pub fn forget(&mut self, slide_id: u64) {
        if self.slide_id == Some(slide_id) {
            self.stop();
        }
    }

    /// How far it is; none where nothing was asked.
    pub fn state(&self) -> Option<TuneState> {
        self.state.clone()
    }

    /// Does one small piece of work: some tiles encoded, or all decoded once.
    pub fn step<M, P>(&mut self, engine: &mut Engine<M, P>) -> Step
    where
        M: LiveModel<Features = Features>,
        P: CellPainter<Scores = M::Scores>,
    {
        let Some(mut work) = self.work.take() else {
            return Step::Idle;
        };
        let state = match self.advance(&mut work, engine) {
            Ok(state) => state,
            Err(Stop::Refused(reason)) => TuneState::Refused(reason),
            Err(Stop::Failed(reason)) => TuneState::Failed(reason),
        };
        if let TuneState::Preparing { .. } | TuneState::Running { .. } = state {
            self.work = Some(work);
        }
        self.state = Some(state);
        Step::Worked
    }

    fn advance<M, P>(&self, work: &mut Work, engine: &mut Engine<M, P>) -> Result<TuneState, Stop>
    where
        M: LiveModel<Features = Features>,
        P: CellPainter<Scores = M::Scores>,
    {
        match &mut work.stage {
            Stage::Asked => {
                let encoding = self.choose(&work.request, engine)?;
                let state = encoding.state();
                work.stage = Stage::Encoding(encoding);
                Ok(state)
            }
            Stage::Encoding(encoding) if encoding.encoded.len() < encoding.tiles.len() => {
                encoding.encode_some(&work.request, engine)?;
                Ok(encoding.state())
            }
            Stage::Encoding(encoding) => {
                let counts = encoding.counts;
                let task = self.task(encoding, &work.request);
                let mut tuning = BiasTuning::new(task, self.rules)?;
                let state = self.tuned(tuning.step()?, counts, work.began);
                work.stage = Stage::Tuning(Box::new(tuning), counts);
                Ok(state)
            }
            Stage::Tuning(tuning, counts) => Ok(self.tuned(tuning.step()?, *counts, work.began)),
        }
    }

    /// Which tiles.
    fn choose<M, P>(
        &self,
        request: &TuneRequest,
        engine: &mut Engine<M, P>,
    ) -> Result<Encoding, Stop>
    where
        M: LiveModel<Features = Features>,
    {
        let sheet = engine.sheet(request.slide.as_ref(), request.slide_id, request.scale);
        let sheet = sheet.map_err(|error| Stop::Failed(error.to_string()))?;
        let names = self.bias.classes();
        let class_of = |stroke: &Stroke| names.iter().position(|name| *name == stroke.class);
        let known = request.strokes.iter();
        let known = known.filter_map(|stroke| Some((class_of(stroke)?, stroke)));
        let (classes, strokes): (Vec<usize>, Vec<&Stroke>) = known.unzip();
        let painted = Painted::by(&strokes, &sheet.raster, &sheet.grid);
        let tiles = painted.chosen(&classes, self.most_tiles);
        // Told before anything is encoded for nothing.
        let px = tiles.iter().flat_map(|(_, px)| px);
        let shown = px.map(|px| classes[px.stroke as usize]).collect();
        Refusal::without_strokes(names, &shown)?;
        let counts = Counts {
            strokes: request.strokes.len(),
            tiles: tiles.len(),
            tiles_painted: painted.len(),
        };
        Ok(Encoding {
            classes,
            tiles,
            encoded: Vec::new(),
            counts,
        })
    }

    fn task(&self, encoding: &mut Encoding, request: &TuneRequest) -> TuneTask {
        let offsets = self.offsets.iter().zip(&request.offsets);
        TuneTask {
            decoder: self.decoder.clone(),
            device: self.device.clone(),
            tile_px: self.tile_px,
            classes: self.bias.classes().to_vec(),
            strokes: encoding.classes.clone(),
            tiles: std::mem::take(&mut encoding.encoded),
            start: request.bias.clone(),
            learned: self.learned(),
            offsets: offsets.map(|(own, user)| own + user).collect(),
        }
    }

    /// Prior and learned part of the bias, centred.
    fn learned(&self) -> Vec<f32> {
        let parts = self.bias.prior().iter().zip(self.bias.learned());
        let sum: Vec<f64> = parts.map(|(p, l)| f64::from(*p) + f64::from(*l)).collect();
        centred(&sum)
            .into_iter()
            .map(|value| value as f32)
            .collect()
    }

    fn tuned(&self, step: TuneStep, counts: Counts, began: Instant) -> TuneState {
        match step {
            TuneStep::Running { step, most, loss } => TuneState::Running { step, most, loss },
            TuneStep::Done(tuned) => TuneState::Done(self.outcome(tuned, counts, began)),
        }
    }

    fn outcome(&self, tuned: TunedBias, counts: Counts, began: Instant) -> TuneOutcome {
        let dials = tuned.bias.iter().zip(self.learned());
        TuneOutcome {
            dials: dials.map(|(bias, learned)| bias - learned).collect(),
            bias: tuned.bias,
            loss_before: tuned.loss_before,
            loss_after: tuned.loss_after,
            accuracy_before: tuned.held_out.map(|(before, _)| before),
            accuracy_after: tuned.held_out.map(|(_, after)| after),
            strokes_fitted: tuned.strokes_fitted,
            strokes_held_out: tuned.strokes_held_out,
            strokes_left_out: counts.strokes - tuned.strokes_fitted - tuned.strokes_held_out,
            tiles: counts.tiles,
            tiles_painted: counts.tiles_painted,
            steps: tuned.steps,
            seconds: began.elapsed().as_secs_f64(),
        }
    }
}

impl Encoding {
    fn state(&self) -> TuneState {
        TuneState::Preparing {
            done: self.encoded.len(),
            total: self.tiles.len(),
        }
    }

    fn encode_some<M, P>(
        &mut self,
        request: &TuneRequest,
        engine: &mut Engine<M, P>,
    ) -> Result<(), Stop>
    where
        M: LiveModel<Features = Features>,
    {
        let done = self.encoded.len();
        let next = &self.tiles[done..self.tiles.len().min(done + ENCODED_AT_ONCE)];
        let ids: Vec<TileId> = next.iter().map(|(tile, _)| *tile).collect();
        let slide = request.slide.as_ref();
        let features = engine.features_of(slide, request.slide_id, request.scale, &ids);
        let features = features.map_err(|error| Stop::Failed(error.to_string()))?;
        let px = next.iter().map(|(_, px)| px.clone());
        let tiles = features.into_iter().zip(px);
        let tiles = tiles.map(|(features, px)| PaintedTile { features, px });
        self.encoded.extend(tiles);
        Ok(())
    }
}
