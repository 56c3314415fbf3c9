//! What the window shows. Plain data: panels read it, `apply` changes it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::geometry::{Mpp, ScreenPoint, ScreenVector, SlidePoint, View};
use crate::gpu::overlay::OverlayContent;
use crate::gpu::{Coverage, DisplayAdjust};
use crate::segment::embedding::EmbeddingView;
use crate::slide::{Rgba, ScaleOrigin, SlideSource};
use crate::tiles::queue::ViewSlot;
use crate::tiles::{LoaderStatus, SlideId, TilePyramid};

use super::camera::Camera;
use super::command::{Layout, Panel};
use super::export::{HeatScale, Writing};
use super::file_for::FileFor;
use super::marks::Marks;
use super::masks::{Masks, Shown};
use super::overlay::{AnalysisMode, OverlayState};
use super::panels::{FolderLister, GoToUnit, LeastLevel};
use super::review::Review;
use super::session::Session;
use super::settings::Settings;
use super::similar::Similar;
use super::undo_order::UndoOrder;

/// Left or right view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum PaneIndex {
    /// The only or left-hand view.
    #[default]
    First,
    /// The right-hand view.
    Second,
}

impl PaneIndex {
    /// Both, left first.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The loader's and renderer's name for this view.
    pub fn slot(self) -> ViewSlot {
        ViewSlot(self as u8)
    }
}

/// A slide that is open; both panes may show the same one.
#[derive(Clone)]
pub struct OpenedSlide {
    /// The loader's name for it.
    pub id: SlideId,
    /// Where its pixels come from.
    pub source: Arc<dyn SlideSource>,
    /// Its levels.
    pub pyramid: Arc<TilePyramid>,
    /// What it was opened by: a path or `phantom:…`.
    pub opened_as: PathBuf,
    /// Label, macro and thumbnail, once they were asked for; `Err` holds why one can't be shown.
    pub associated: BTreeMap<String, Result<Arc<Rgba>, String>>,
    /// Whether the slide has a colour profile that can be applied.
    pub has_profile: bool,
}

/// One view.
#[derive(Default)]
pub struct Pane {
    /// The slide shown.
    pub slide: Option<Arc<OpenedSlide>>,
    /// Where on it.
    pub camera: Option<Camera>,
    /// How complete its picture was in the last frame.
    pub coverage: Coverage,
    /// The path being opened, since when.
    pub opening: Option<(PathBuf, Instant)>,
    /// The pointer over this pane, screen px.
    pub pointer: Option<ScreenPoint>,
}

/// Something that a person should know now: shown on top of the view until dismissed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened, to which file, and what to do.
    pub text: String,
    /// Whether something failed.
    pub is_error: bool,
}

/// Texts being typed and choices being made: the only state that panels change themselves.
#[derive(Debug, Default)]
pub struct Fields {
    /// Filter of the metadata panel.
    pub metadata_filter: String,
    /// Text of the go-to dialog.
    pub go_to_text: String,
    /// What the path dialog asks for.
    pub path_for: FileFor,
    /// A file that is there already and is replaced when the path is entered once more.
    pub path_there: Option<PathBuf>,
    /// Name and note of a preset to be saved.
    pub preset: (String, String),
    /// The note on the region that is visited.
    pub review_note: String,
    /// The note wants the keyboard.
    pub focus_note: bool,
    /// Text of the path field.
    pub path_text: String,
    /// Said above the path field, such as why there is no dialog.
    pub path_hint: Option<String>,
    /// Which proposed completion is marked.
    pub path_choice: Option<usize>,
    /// Lists folders for the path field.
    pub folders: FolderLister,
    /// Unit of the go-to dialog.
    pub go_to_unit: GoToUnit,
    /// The least grave messages that the log lists.
    pub log_level: LeastLevel,
    /// Text of the scale dialog, µm per px.
    pub scale_text: String,
    /// A dialog that has just opened wants the keyboard.
    pub focus_dialog: bool,
}

/// Everything the window shows.
pub struct AppState {
    /// Both views; the second one is used by two-view layouts only.
    pub panes: [Pane; 2],
    /// The view that keys and buttons act on.
    pub active: PaneIndex,
    /// How the window is divided.
    pub layout: Layout,
    /// Display adjustments.
    pub display: DisplayAdjust,
    /// What is kept between runs because the user chose it.
    pub settings: Settings,
    /// What is kept between runs by itself: recent files, positions.
    pub session: Session,
    /// Panels that are shown.
    pub shown: HashSet<Panel>,
    /// Whether label and macro images are revealed; they may carry patient data.
    pub associated_revealed: bool,
    /// What a person should know now.
    pub notice: Option<Notice>,
    /// A picture that was dropped, until it is said what it is.
    pub dropped: Option<PathBuf>,
    /// Files that are being written.
    pub writing: Vec<Arc<Writing>>,
    /// How far the readers are.
    pub loader: LoaderStatus,
    /// The graphics adapter in words; `None` without one.
    pub adapter: Option<String>,
    /// Whether that is a graphics card, not the processor.
    pub adapter_is_real: bool,
    /// Stored colour of the slide px under the pointer, where it is in memory.
    pub cursor_rgb: Option<[u8; 3]>,
    /// The overlay of the model.
    pub overlay: OverlayState,
    /// What people added to slides.
    pub marks: Marks,
    /// What the overlay is held against.
    pub masks: Masks,
    /// Two maps held against each other.
    pub review: Review,
    /// Embeddings one can see.
    pub similar: Similar,
    /// What the next undo takes back.
    pub undo_order: UndoOrder,
}

impl AppState {
    /// A pane.
    pub fn pane(&self, index: PaneIndex) -> &Pane {
        let [first, second] = &self.panes;
        match index {
            PaneIndex::First => first,
            PaneIndex::Second => second,
        }
    }

    /// A pane, to change.
    pub fn pane_mut(&mut self, index: PaneIndex) -> &mut Pane {
        let [first, second] = &mut self.panes;
        match index {
            PaneIndex::First => first,
            PaneIndex::Second => second,
        }
    }

    /// The pane that keys and buttons act on.
    pub fn active_pane(&self) -> &Pane {
        self.pane(self.active)
    }

    /// The panes that the layout shows.
    pub fn shown_panes(&self) -> &'static [PaneIndex] {
        match self.layout {
            Layout::Single => &[PaneIndex::First],
            Layout::Linked | Layout::Split => &PaneIndex::BOTH,
        }
    }

    /// Whether a panel is shown.
    pub fn shows(&self, panel: Panel) -> bool {
        self.shown.contains(&panel)
    }

    /// The scale used for a slide: typed in, else what the file says; and where it came from.
    pub fn scale_of(&self, slide: &OpenedSlide) -> (Option<Mpp>, ScaleOrigin) {
        let info = slide.source.info();
        match self.marks.typed_mpp(&info.hash) {
            Some(mpp) => (Some(mpp), ScaleOrigin::Typed),
            None => (info.mpp, info.scale_origin),
        }
    }

    /// A pane's scale.
    pub fn mpp(&self, index: PaneIndex) -> Option<Mpp> {
        self.pane(index)
            .slide
            .as_ref()
            .and_then(|slide| self.scale_of(slide).0)
    }

    /// A pane's view, where it shows a slide.
    pub fn view(&self, index: PaneIndex) -> Option<&View> {
        self.pane(index).camera.as_ref().map(|camera| &camera.view)
    }

    /// The slide point under the pointer, with the pane it is over.
    pub fn pointed_at(&self) -> Option<(PaneIndex, SlidePoint)> {
        self.shown_panes().iter().find_map(|&index| {
            let at = self.pane(index).pointer?;
            self.view(index).map(|view| (index, view.slide_at(at)))
        })
    }

    /// Whether the overlay says where two maps differ, not which class there is.
    pub fn draws_difference(&self) -> bool {
        match self.masks.shown {
            Shown::Difference => true,
            Shown::Model => self.draws_agreement(),
            Shown::Mask => false,
        }
    }

    /// Whether the overlay is of two magnifications, and its values are their divergence.
    pub fn draws_agreement(&self) -> bool {
        self.masks.shown == Shown::Model && self.overlay.mode == AnalysisMode::Agreement
    }

    /// What the overlay's heat map of `content` shows; none where it is none.
    pub fn heat_scale(&self, content: OverlayContent) -> Option<HeatScale> {
        if self.similar.shown == Some(EmbeddingView::Likeness) {
            return Some(HeatScale::of_likeness());
        }
        let class = self.overlay.facts().zip(self.overlay.shown_class);
        let class = class.filter(|_| self.masks.shown == Shown::Model);
        let class = class.and_then(|(facts, class)| facts.card.classes.get(class));
        let class = class.map(|class| class.name.as_str());
        HeatScale::of(content, self.draws_agreement(), class)
    }

    /// Whether any picture moves by itself.
    pub fn is_moving(&self) -> bool {
        self.panes
            .iter()
            .flat_map(|pane| &pane.camera)
            .any(|camera| camera.velocity != ScreenVector::zero())
    }
}
