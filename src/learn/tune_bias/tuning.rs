//! From strokes to a bias, one decode at a time.

use std::ops::ControlFlow;
use std::time::Instant;

use super::descent::{Descent, Told};
use super::judge::{Judge, StrokeSum, balanced};
use super::problem::{Found, Problem};
use super::refusal::Refusal;
use super::split::held_out;
use super::{TuneRules, TuneTask};
use crate::model::dfa::centred;

/// A bias that suits the strokes better.
#[derive(Debug, Clone, PartialEq)]
pub struct TunedBias {
    /// b by class, centred.
    pub bias: Vec<f32>,
    /// Mean surprise of the strokes that it was fitted to, before, nat.
    pub loss_before: f64,
    /// The same, after.
    pub loss_after: f64,
    /// Share of the px of held-out strokes that are right before and after, 0–1, balanced over strokes
    /// and classes. None where a class has a single stroke: all are fitted to then.
    pub held_out: Option<(f64, f64)>,
    /// Strokes that it was fitted to.
    pub strokes_fitted: usize,
    /// Strokes that were held out.
    pub strokes_held_out: usize,
    /// Decodes of all tiles.
    pub steps: usize,
    /// Time that it took, s.
    pub seconds: f64,
}

/// How far a tuning is.
#[derive(Debug, Clone, PartialEq)]
pub enum TuneStep {
    /// There is more to do.
    Running {
        /// Decodes so far.
        step: usize,
        /// Decodes at most.
        most: usize,
        /// The loss now, nat.
        loss: f64,
    },
    /// The end.
    Done(TunedBias),
}

/// A tuning under way.
#[derive(Debug)]
pub struct BiasTuning {
    problem: Problem,
    rules: TuneRules,
    strokes: Vec<usize>,
    held_out: Option<Vec<bool>>,
    start: Vec<f64>,
    learned: Vec<f64>,
    way: Option<Way>,
    steps: usize,
    began: Instant,
}

/// Where it began and where it is.
#[derive(Debug)]
struct Way {
    descent: Descent,
    before: Vec<StrokeSum>,
    now: Vec<StrokeSum>,
}

impl BiasTuning {
    /// Splits the strokes and makes ready; decodes nothing yet.
    ///
    /// # Errors
    /// [`Refusal::ClassWithoutStroke`], and [`Refusal::Input`] when numbers do not belong together.
    pub fn new(task: TuneTask, rules: TuneRules) -> Result<Self, Refusal> {
        check(&task)?;
        let px = px_of_strokes(&task);
        let shown = task.strokes.iter().zip(&px);
        let shown: Vec<Option<usize>> = shown
            .map(|(class, px)| (*px > 0).then_some(*class))
            .collect();
        Refusal::without_strokes(&task.classes, &shown.iter().copied().flatten().collect())?;
        let held_out = held_out(&shown, task.classes.len(), rules.held_out);
        let fitted = |n: usize| held_out.as_ref().is_none_or(|held| !held[n]);
        let judge = Judge {
            tile_px: task.tile_px,
            weights: weights(&task, &px, fitted),
            strokes: task.strokes.clone(),
            offsets: task.offsets,
        };
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
        Ok(Self {
            problem: Problem::new(task.decoder, task.device, task.tiles, judge),
            rules,
            strokes: task.strokes,
            held_out,
            start: centred(&wide(&task.start)),
            learned: centred(&wide(&task.learned)),
            way: None,
            steps: 0,
            began: Instant::now(),
        })
    }

    /// Decodes all tiles once, and moves the bias.
    ///
    /// # Errors
    /// When there is nothing to be gained, held-out strokes would be worse off, or the model fails.
    pub fn step(&mut self) -> Result<TuneStep, Refusal> {
        let at = self.way.as_ref().map(|way| way.descent.trial());
        let at = at.unwrap_or_else(|| self.start.clone());
        let found = self.problem.at(&at).map_err(Refusal::Model)?;
        self.steps += 1;
        let (value, slope) = self.pulled(&at, &found);
        let told = match &mut self.way {
            Some(way) => way.tell(value, &slope, found.strokes),
            None => {
                let descent = Descent::new(&at, value, &slope, self.rules.least_gain);
                let (before, now) = (found.strokes.clone(), found.strokes);
                self.way = Some(Way {
                    descent,
                    before,
                    now,
                });
                Told::Lower
            }
        };
        match told == Told::Ended || self.steps >= self.rules.most_steps {
            true => self.end().map(TuneStep::Done),
            false => Ok(self.running()),
        }
    }

    /// The loss and its slope with the pull to what was learned. A slope along 1 is rounding.
    fn pulled(&self, at: &[f64], found: &Found) -> (f64, Vec<f64>) {
        let off: Vec<f64> = at.iter().zip(&self.learned).map(|(b, l)| b - l).collect();
        let distance2: f64 = off.iter().map(|off| off * off).sum();
        let pull = self.rules.pull;
        let slope = found.slope.iter().zip(&off);
        let slope: Vec<f64> = slope.map(|(of_px, off)| of_px + 2.0 * pull * off).collect();
        let value = self.loss(&found.strokes) + pull * distance2;
        (value, centred(&slope))
    }

    fn is_held_out(&self, stroke: usize) -> bool {
        self.held_out.as_ref().is_some_and(|held| held[stroke])
    }

    fn loss(&self, sums: &[StrokeSum]) -> f64 {
        let fitted = |n| !self.is_held_out(n);
        balanced(&self.strokes, sums, fitted, StrokeSum::mean_surprise)
    }

    /// Share of held-out px that are right.
    fn score(&self, sums: &[StrokeSum]) -> f64 {
        let held = |n| self.is_held_out(n);
        balanced(&self.strokes, sums, held, StrokeSum::share_right)
    }

    fn running(&self) -> TuneStep {
        TuneStep::Running {
            step: self.steps,
            most: self.rules.most_steps,
            loss: self.way.as_ref().map_or(0.0, |way| self.loss(&way.now)),
        }
    }

    fn end(&self) -> Result<TunedBias, Refusal> {
        let Some(way) = &self.way else {
            return Err(Refusal::Cancelled);
        };
        let (before, after) = (self.loss(&way.before), self.loss(&way.now));
        if after >= before * (1.0 - self.rules.least_gain) {
            return Err(Refusal::NothingGained { before, after });
        }
        let scores = || (self.score(&way.before), self.score(&way.now));
        let held_out = self.held_out.as_ref().map(|_| scores());
        if let Some((before, after)) = held_out.filter(|(before, after)| after < before) {
            return Err(Refusal::HeldOutFell { before, after });
        }
        let shown = (0..self.strokes.len()).filter(|n| way.now[*n].px > 0);
        let (out, fitted): (Vec<usize>, Vec<usize>) = shown.partition(|n| self.is_held_out(*n));
        let bias = centred(&way.descent.place()).into_iter();
        Ok(TunedBias {
            bias: bias.map(|value| value as f32).collect(),
            loss_before: before,
            loss_after: after,
            held_out,
            strokes_fitted: fitted.len(),
            strokes_held_out: out.len(),
            steps: self.steps,
            seconds: self.began.elapsed().as_secs_f64(),
        })
    }
}

impl Way {
    fn tell(&mut self, value: f64, slope: &[f64], strokes: Vec<StrokeSum>) -> Told {
        let place = self.descent.place();
        let told = self.descent.tell(value, slope);
        if self.descent.place() != place {
            self.now = strokes;
        }
        told
    }
}

/// All steps at once. `progress` is told decodes so far and at most after each, and may stop it.
///
/// # Errors
/// As [`BiasTuning::new`] and [`BiasTuning::step`], and [`Refusal::Cancelled`].
pub fn tune(
    task: TuneTask,
    rules: TuneRules,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<TunedBias, Refusal> {
    let mut tuning = BiasTuning::new(task, rules)?;
    loop {
        match tuning.step()? {
            TuneStep::Done(tuned) => return Ok(tuned),
            TuneStep::Running { step, most, .. } => {
                if progress(step as u64, most as u64).is_break() {
                    return Err(Refusal::Cancelled);
                }
            }
        }
    }
}

fn check(task: &TuneTask) -> Result<(), Refusal> {
    let classes = task.classes.len();
    let refuse = |words: String| Err(Refusal::Input(words));
    for (what, values) in [
        ("start", &task.start),
        ("learned bias", &task.learned),
        ("offsets", &task.offsets),
    ] {
        if values.len() != classes || !values.iter().all(|value| value.is_finite()) {
            return refuse(format!("{what} {values:?}, expected {classes} numbers"));
        }
    }
    if let Some(class) = task.strokes.iter().find(|class| **class >= classes) {
        return refuse(format!("class {class} of {classes}"));
    }
    let plane = task.tile_px * task.tile_px;
    let is_beyond = |painted: &&super::PaintedPx| {
        painted.px as usize >= plane || painted.stroke as usize >= task.strokes.len()
    };
    let mut px = task.tiles.iter().flat_map(|tile| &tile.px);
    match px.find(is_beyond) {
        Some(painted) => refuse(format!("{painted:?} in a tile of {plane} px")),
        None => Ok(()),
    }
}

fn px_of_strokes(task: &TuneTask) -> Vec<u64> {
    let mut px = vec![0; task.strokes.len()];
    for painted in task.tiles.iter().flat_map(|tile| &tile.px) {
        px[painted.stroke as usize] += 1;
    }
    px
}

/// What a px of each stroke counts, so that the weighted sum of surprises is the balanced loss.
fn weights(task: &TuneTask, px: &[u64], fitted: impl Fn(usize) -> bool) -> Vec<f64> {
    let counts = |n: usize| px[n] > 0 && fitted(n);
    let of_class = |class: usize| {
        let own = (0..px.len()).filter(|n| task.strokes[*n] == class && counts(*n));
        own.count()
    };
    let weight = |n: usize| match counts(n) {
        true => 1.0 / (task.classes.len() * of_class(task.strokes[n])) as f64 / px[n] as f64,
        false => 0.0,
    };
    (0..px.len()).map(weight).collect()
}
