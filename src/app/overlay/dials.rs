//! The dials: what a user adds to each class, with its history.

use crate::model::dfa::ClassBias;

/// Steps that can be undone.
const MOST_STEPS: usize = 200;

/// Which dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialSet {
    /// The attention bias of Dynamic Focal Attention.
    Bias,
    /// Added to the scores themselves after the network, z_c + τ_c: no part of it.
    Output,
}

/// To what dials go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetTo {
    /// The bias that was learned.
    Learned,
    /// The bias that training began with.
    Prior,
    /// No bias at all.
    Zero,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Values {
    bias: Vec<f32>,
    output: Vec<f32>,
}

/// What the user added, and what it was before.
#[derive(Debug, Clone, Default)]
pub struct Dials {
    now: Values,
    /// The dial that is held, once it was turned.
    held: Option<(DialSet, usize)>,
    undo: Vec<Values>,
    redo: Vec<Values>,
    /// Steps made so far, whether or not they were undone.
    steps: u64,
}

impl Dials {
    /// Nothing added to so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            now: Values {
                bias: vec![0.0; classes],
                output: vec![0.0; classes],
            },
            ..Self::default()
        }
    }

    /// What is added, by class.
    pub fn values(&self, dials: DialSet) -> &[f32] {
        match dials {
            DialSet::Bias => &self.now.bias,
            DialSet::Output => &self.now.output,
        }
    }

    /// Turns a dial. `held`: by a hand that holds it, all of whose turns are one step until
    /// [`Self::let_go`].
    pub fn turn(&mut self, dials: DialSet, class: usize, to: f32, held: bool) {
        let before = self.now.clone();
        let values = match dials {
            DialSet::Bias => &mut self.now.bias,
            DialSet::Output => &mut self.now.output,
        };
        if let (Some(value), true) = (values.get_mut(class), to.is_finite()) {
            *value = to;
        }
        if self.now == before {
            return;
        }
        let dial = held.then_some((dials, class));
        if dial.is_none() || self.held != dial {
            self.note(before);
        }
        self.held = dial;
    }

    /// Whether a hand holds a dial.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The hand let go of its dial.
    pub fn let_go(&mut self) {
        self.held = None;
    }

    /// Puts the attention of one class or all back; output offsets stay, see [`Self::reset_output`].
    pub fn reset(&mut self, to: ResetTo, class: Option<usize>, bias: &ClassBias) {
        let before = self.now.clone();
        let parts = bias.prior().iter().zip(bias.learned());
        let targets = parts.map(|(prior, learned)| match to {
            ResetTo::Learned => 0.0,
            ResetTo::Prior => -learned,
            ResetTo::Zero => -(prior + learned),
        });
        for (index, target) in targets.enumerate() {
            if class.is_none_or(|class| class == index) {
                self.now.bias[index] = target;
            }
        }
        if self.now != before {
            self.note(before);
        }
    }

    /// Takes the output offset of one class or all away.
    pub fn reset_output(&mut self, class: Option<usize>) {
        let before = self.now.clone();
        for (index, value) in self.now.output.iter_mut().enumerate() {
            if class.is_none_or(|class| class == index) {
                *value = 0.0;
            }
        }
        if self.now != before {
            self.note(before);
        }
    }

    /// Says whether dials, output offsets or both are turned; none where what the model learned is
    /// in use. All attention dials by the same amount are none.
    pub fn turned_words(&self) -> Option<&'static str> {
        let apart = |values: &[f32]| {
            let first = values.first().copied().unwrap_or_default();
            values.iter().any(|value| (value - first).abs() > 1e-4)
        };
        match (apart(&self.now.bias), apart(&self.now.output)) {
            (true, true) => Some("Dials and output offsets turned"),
            (true, false) => Some("Dials turned"),
            (false, true) => Some("Output offsets turned"),
            (false, false) => None,
        }
    }

    /// Sets all dials as one step; values of other numbers of classes are not taken.
    pub fn set_all(&mut self, bias: Vec<f32>, output: Vec<f32>) {
        let fits = |values: &Vec<f32>, of: &Vec<f32>| values.len() == of.len();
        let new = Values { bias, output };
        if fits(&new.bias, &self.now.bias) && fits(&new.output, &self.now.output) && new != self.now
        {
            let before = std::mem::replace(&mut self.now, new);
            self.note(before);
        }
    }

    /// How many steps were made; grows with each that can be undone.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes the last turn back.
    pub fn undo(&mut self) {
        self.held = None;
        if let Some(before) = self.undo.pop() {
            self.redo.push(std::mem::replace(&mut self.now, before));
        }
    }

    /// Turns again what was taken back.
    pub fn redo(&mut self) {
        if let Some(after) = self.redo.pop() {
            self.undo.push(std::mem::replace(&mut self.now, after));
        }
    }

    /// Whether there is something to undo, and to redo.
    pub fn history(&self) -> (bool, bool) {
        (!self.undo.is_empty(), !self.redo.is_empty())
    }

    /// b as the decoder gets it: prior, learned part and dials, centred.
    pub fn total(&self, bias: &ClassBias) -> Vec<f32> {
        let parts = bias.prior().iter().zip(bias.learned()).zip(&self.now.bias);
        let sum: Vec<f32> = parts
            .map(|((prior, learned), dial)| prior + learned + dial)
            .collect();
        let mean = sum.iter().sum::<f32>() / sum.len().max(1) as f32;
        sum.iter().map(|value| value - mean).collect()
    }

    fn note(&mut self, before: Values) {
        self.held = None;
        self.steps += 1;
        self.redo.clear();
        self.undo.push(before);
        if self.undo.len() > MOST_STEPS {
            self.undo.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bias() -> ClassBias {
        let names = ["a", "b", "c"].map(str::to_owned);
        let bias = ClassBias::new(&names, &[0.5, 0.0, -0.5]).unwrap();
        bias.trained_to(&[1.0, -0.5, -0.5]).unwrap()
    }

    fn near(a: &[f32], b: [f32; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn all_dials_by_the_same_amount_change_nothing() {
        let mut dials = Dials::new(3);
        assert!(near(&dials.total(&bias()), [1.0, -0.5, -0.5]));
        for class in 0..3 {
            dials.turn(DialSet::Bias, class, 1.75, false);
        }
        assert!(near(&dials.total(&bias()), [1.0, -0.5, -0.5]));
        dials.turn(DialSet::Bias, 0, 4.75, false);
        assert!(near(&dials.total(&bias()), [3.0, -1.5, -1.5]));
    }

    #[test]
    fn dials_go_back_to_learned_prior_and_zero() {
        let mut dials = Dials::new(3);
        dials.turn(DialSet::Bias, 1, 2.0, false);
        dials.reset(ResetTo::Prior, None, &bias());
        assert!(near(&dials.total(&bias()), [0.5, 0.0, -0.5]));
        dials.reset(ResetTo::Zero, None, &bias());
        assert!(near(&dials.total(&bias()), [0.0; 3]));
        dials.reset(ResetTo::Learned, None, &bias());
        assert!(near(&dials.total(&bias()), [1.0, -0.5, -0.5]));
        dials.turn(DialSet::Bias, 1, 2.0, false);
        dials.turn(DialSet::Bias, 2, 1.0, false);
        dials.reset(ResetTo::Learned, Some(1), &bias());
        assert_eq!(dials.values(DialSet::Bias), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn output_offsets_have_a_reset_of_their_own_and_what_is_turned_is_told() {
        let mut dials = Dials::new(3);
        assert_eq!(dials.turned_words(), None);
        (0..3).for_each(|class| dials.turn(DialSet::Bias, class, 1.5, false));
        assert_eq!(dials.turned_words(), None, "all by the same amount");
        dials.turn(DialSet::Output, 0, 0.5, false);
        dials.turn(DialSet::Output, 2, -1.0, false);
        assert_eq!(dials.turned_words(), Some("Output offsets turned"));
        dials.turn(DialSet::Bias, 1, 2.0, false);
        assert_eq!(
            dials.turned_words(),
            Some("Dials and output offsets turned")
        );
        dials.reset(ResetTo::Learned, None, &bias());
        assert_eq!(dials.values(DialSet::Bias), [0.0; 3]);
        assert_eq!(dials.values(DialSet::Output), [0.5, 0.0, -1.0], "they stay");
        dials.reset_output(Some(0));
        assert_eq!(dials.values(DialSet::Output), [0.0, 0.0, -1.0]);
        dials.reset_output(None);
        assert_eq!(dials.turned_words(), None);
        dials.undo();
        assert_eq!(dials.values(DialSet::Output), [0.0, 0.0, -1.0]);
    }

    #[test]
    fn a_held_dial_is_one_step_and_steps_go_both_ways() {
        let mut dials = Dials::new(3);
        assert_eq!(dials.history(), (false, false));
        for to in [0.1, 0.5, 0.9] {
            dials.turn(DialSet::Bias, 0, to, true);
        }
        dials.let_go();
        dials.turn(DialSet::Output, 2, -1.0, false);
        dials.undo();
        assert_eq!(dials.values(DialSet::Output), [0.0; 3]);
        dials.undo();
        assert_eq!(
            (dials.values(DialSet::Bias), dials.history()),
            (&[0.0; 3][..], (false, true))
        );
        dials.redo();
        assert_eq!(dials.values(DialSet::Bias), [0.9, 0.0, 0.0]);
        dials.turn(DialSet::Bias, 1, 3.0, false);
        assert_eq!(dials.history(), (true, false));
        dials.turn(DialSet::Bias, 1, f32::NAN, false);
        assert_eq!(dials.values(DialSet::Bias)[1], 3.0);
    }
}
