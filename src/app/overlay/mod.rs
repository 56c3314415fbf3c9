//! The overlay as the window knows it: which model, which map, which dials, how it looks.

mod compute;
mod dials;
mod fit;
mod work;

pub use dials::{DialSet, Dials, ResetTo};
pub(in crate::app) use work::ALL_KNOWN;
pub(in crate::app) use work::of_model;
pub use work::{DIFFERENCE_NAMES, DIFFERENCE_PALETTE, DrawnLayer, NOT_COMPARED};

use std::sync::Arc;

use crate::geometry::{Magnification, SlideRect};
use crate::gpu::overlay::OverlayStyle;
use crate::jobs::live::{
    ComputeDevice, DeviceWish, LiveModelFacts, LiveThread, ModelChoice, ModelState,
};
use crate::labels::LabelClass;
use crate::model::dfa::weights::ClassLabel;
use crate::segment::fusion::Fusion;
use crate::segment::live::{Analysis, FieldAreas, LiveStatus, MAGNIFICATIONS};

/// At which magnification a view is analysed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnalysisMode {
    /// At the one nearest to the view's own, with the context of the one a factor of 4 coarser; one
    /// of them alone where the other has no weight.
    #[default]
    Follow,
    /// At one, whatever the view's; its place in [`MAGNIFICATIONS`].
    Pinned(u8),
    /// At the finest with a partner a factor of 4 coarser, and at that one: where both differ.
    Agreement,
    /// At the one nearest to the view's own and nothing else, to hold two views against each
    /// other.
    Compare,
}

impl AnalysisMode {
    /// The map for a view at which a screen px covers `um_per_screen_px`, of the magnifications that
    /// there are; `None` where that one is not among them. `fusion` is the model's.
    pub fn analysis(
        self,
        available: &[Magnification],
        um_per_screen_px: f64,
        fusion: &Fusion,
    ) -> Option<Analysis> {
        let place = |magnification: &Magnification| {
            MAGNIFICATIONS
                .iter()
                .position(|m| m == magnification)
                .map(|at| at as u8)
        };
        let has = |scale: u8| available.iter().filter_map(place).any(|at| at == scale);
        match self {
            Self::Pinned(scale) => has(scale).then_some(Analysis::Plain(scale)),
            Self::Agreement => Analysis::agreement_of(available),
            Self::Follow | Self::Compare => {
                let away = |m: &Magnification| (m.mpp() / um_per_screen_px).log2().abs();
                let nearest = available
                    .iter()
                    .min_by(|a, b| away(a).total_cmp(&away(b)))?;
                let scale = place(nearest)?;
                let context = Analysis::Fused(scale).context();
                let uses_context = self == Self::Follow && context.is_some_and(has);
                match uses_context {
                    true => Some(Analysis::fused_by(fusion, scale)),
                    false => Some(Analysis::Plain(scale)),
                }
            }
        }
    }
}

/// What is asked of the overlay; part of [`super::command::Command`].
#[derive(Debug, Clone, PartialEq)]
pub enum OverlayCommand {
    /// Open a model in place of the present one.
    OpenModel(ModelChoice),
    /// Stop analysing and give the model up.
    CloseModel,
    /// Show or hide the overlay; the analysis stops while it is hidden.
    Show(bool),
    /// Analyse at other magnifications.
    SetMode(AnalysisMode),
    /// Change how the overlay looks.
    SetStyle(Box<OverlayStyle>),
    /// Have heat maps show the probability of one class, or of each px's own.
    ShowProbability(Option<usize>),
    /// Show or hide a class.
    ShowClass(usize, bool),
    /// Draw a class in another colour, sRGB.
    Colour(usize, [u8; 3]),
    /// Turn a dial to a value. While a hand holds it, all turns are one step to undo.
    Turn {
        /// Bias or output offsets.
        dials: DialSet,
        /// The class.
        class: usize,
        /// Its value.
        to: f32,
        /// Whether a hand holds it.
        held: bool,
    },
    /// The hand let go of its dial.
    LetGo,
    /// Put attention dials back, one class or all.
    Reset(ResetTo, Option<usize>),
    /// Take output offsets away, one class or all.
    ResetOutput(Option<usize>),
}

/// Areas of the classes in the active view's field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Areas {
    /// What they are, where they are known.
    pub now: Option<FieldAreas>,
    /// The slide, the field and the analysis that they were last told of.
    pub of: Option<(u64, SlideRect, Analysis)>,
    /// What they were when dials were last put back or the field was reached, mm²; none until all
    /// of the field is known.
    pub before_mm2: Option<Vec<f64>>,
    /// The same of all that was analysed of the slide.
    pub slide_before_mm2: Option<Vec<f64>>,
}

/// Everything the window knows of the overlay.
#[derive(Default)]
pub struct OverlayState {
    /// The model at work.
    pub live: Option<Arc<LiveThread>>,
    /// Which it is.
    pub choice: Option<ModelChoice>,
    /// How far it is opened.
    pub model: Option<ModelState>,
    /// What is to compute.
    pub device_wish: DeviceWish,
    /// What computes.
    pub device: Option<ComputeDevice>,
    /// Whether a graphics card that the window has stopped computing.
    pub card_failed: bool,
    /// Whether the overlay is shown.
    pub shown: bool,
    /// Whether it is hidden for as long as a key is held.
    pub peeking: bool,
    /// At which magnification views are analysed.
    pub mode: AnalysisMode,
    /// How it looks.
    pub style: OverlayStyle,
    /// The class whose probability heat maps show; none: that of the px's own class.
    pub shown_class: Option<usize>,
    /// What the user turned.
    pub dials: Dials,
    /// Hash of the model that the dials belong to, once it was open.
    pub dials_of: Option<String>,
    /// How far the work is.
    pub status: LiveStatus,
    /// Areas of the active view.
    pub areas: Areas,
    /// What speaks against the model on the active slide, in words.
    pub doubts: Vec<String>,
    /// Number of the slide and hash of the model that these doubts are about.
    pub doubted: (Option<u64>, Option<String>),
    /// Why the active slide is not analysed, in words.
    pub reason: Option<String>,
    /// Which map the active view asks for; none where it asks for none.
    pub analysis: Option<Analysis>,
    /// Class and its probability under the pointer.
    pub under_pointer: Option<(String, f32)>,
}

impl OverlayState {
    /// What is known of the model, once it is ready.
    pub fn facts(&self) -> Option<&Arc<LiveModelFacts>> {
        match &self.model {
            Some(ModelState::Ready(facts)) => Some(facts),
            _ => None,
        }
    }

    /// Whether wgpu computes, not the processor.
    pub fn computes_on_card(&self) -> bool {
        !matches!(self.device, None | Some(ComputeDevice::Processor))
    }

    /// What computes, in words; a window's adapter may be the processor in disguise.
    pub fn device_words(&self, adapter_is_real: bool) -> &'static str {
        match (self.computes_on_card(), adapter_is_real) {
            (false, _) => "processor",
            (true, true) => "graphics card",
            (true, false) => "processor, through wgpu",
        }
    }

    /// The model's classes with the colours that they are shown in; none without a model.
    pub fn label_classes(&self) -> Vec<LabelClass> {
        let Some(facts) = self.facts() else {
            return Vec::new();
        };
        let classes = facts.card.classes.iter().zip(&self.style.palette);
        let class = |(class, [r, g, b, _]): (&ClassLabel, &[u8; 4])| LabelClass {
            name: class.name.clone(),
            rgb: [*r, *g, *b],
        };
        classes.map(class).collect()
    }

    /// SHA-256 of the decoder's file, hexadecimal; none without a model.
    pub fn model_hash(&self) -> Option<String> {
        Some(self.facts()?.sha256.clone())
    }

    /// The model's classes in its own colours; none without a model.
    pub fn model_classes(&self) -> Vec<LabelClass> {
        let classes = self.facts().map(|facts| facts.card.classes.as_slice());
        let class = |class: &ClassLabel| LabelClass {
            name: class.name.clone(),
            rgb: class.colour,
        };
        classes.unwrap_or_default().iter().map(class).collect()
    }

    /// Whether the model is one that ships: trained on computed tissue.
    pub fn is_starter(&self) -> bool {
        self.facts()
            .is_some_and(|facts| matches!(facts.choice, ModelChoice::Shipped(_)))
    }

    /// Whether an overlay is to be drawn now, if there is one.
    pub fn is_drawn(&self) -> bool {
        self.shown && !self.peeking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_magnification_is_followed_and_context_used_where_there_is_one() {
        let fusion = Fusion::default();
        let follow =
            |available: &[Magnification], um| AnalysisMode::Follow.analysis(available, um, &fusion);
        let all = &MAGNIFICATIONS;
        assert_eq!(follow(all, 0.25), Some(Analysis::Fused(0)));
        assert_eq!(follow(all, 0.1), Some(Analysis::Fused(0)));
        assert_eq!(follow(all, 0.6), Some(Analysis::Fused(1)));
        assert_eq!(follow(all, 1.2), Some(Analysis::Plain(2)));
        assert_eq!(follow(all, 40.0), Some(Analysis::Plain(3)));
        // A 20x slide has no 40x map; one without 5x no context for it.
        assert_eq!(follow(&all[1..3], 0.25), Some(Analysis::Plain(1)));
        assert_eq!(follow(&[], 1.0), None);
        let compare = AnalysisMode::Compare;
        assert_eq!(
            compare.analysis(all, 0.25, &fusion),
            Some(Analysis::Plain(0))
        );
        assert_eq!(
            AnalysisMode::Pinned(0).analysis(&all[1..], 0.25, &fusion),
            None
        );
        assert_eq!(
            AnalysisMode::Pinned(2).analysis(all, 9.0, &fusion),
            Some(Analysis::Plain(2))
        );
        // As was chosen for the models that ship: brain at 40x, breast at 20x.
        let weight_of_fine = [(0, 0.0), (1, 1.0)].into();
        let one_sided = Fusion {
            weight_of_fine,
            ..Fusion::default()
        };
        let follow = |um| AnalysisMode::Follow.analysis(all, um, &one_sided);
        assert_eq!(follow(0.25), Some(Analysis::InPlace(0)));
        assert_eq!(follow(0.5), Some(Analysis::Alone(1)));
        assert_eq!(
            AnalysisMode::Pinned(0).analysis(all, 0.25, &one_sided),
            Some(Analysis::Plain(0))
        );
    }
}
