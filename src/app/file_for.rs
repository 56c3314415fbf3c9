//! Files that a person chooses: for what, and how the dialogs that ask for them look.

use std::path::{Path, PathBuf};

use super::command::Command;
use super::export::ExportCommand;
use super::marks::MarkCommand;
use super::masks::MaskCommand;
use super::overlay::OverlayCommand;
use super::state::PaneIndex;
use crate::jobs::live::ModelChoice;

/// What a file is chosen for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFor {
    /// A slide to open in a pane.
    Slide(PaneIndex),
    /// A decoder's weights.
    Weights,
    /// A mask of the active slide.
    Mask,
    /// What the mask's codes stand for.
    MaskClasses,
    /// Where to write what a person says that the mask's codes stand for.
    MaskClassesOut,
    /// Dials to take over.
    DialsIn,
    /// Where to write a preset to: its name and the hash of its model, since its place in the list
    /// may change meanwhile.
    DialsOut((String, String)),
    /// Where to write a picture of the active view to.
    FieldOut,
    /// Where to write what was analysed of the active slide to.
    MapOut,
    /// Where to write strokes and verdicts of the active slide to.
    MarksOut,
}

impl Default for FileFor {
    fn default() -> Self {
        Self::Slide(PaneIndex::First)
    }
}

/// How a dialog looks.
pub struct FileDialog {
    /// Its title.
    pub title: &'static str,
    /// Kind of file in words, and endings.
    pub filter: Option<(&'static str, &'static [&'static str])>,
    /// The name that is proposed, of a file that is to be written.
    pub save_as: Option<&'static str>,
    /// What may be typed.
    pub hint: &'static str,
}

impl FileFor {
    /// How one asks for it.
    pub fn dialog(&self) -> FileDialog {
        let of = |title, filter, save_as, hint| FileDialog {
            title,
            filter,
            save_as,
            hint,
        };
        match self {
            Self::Slide(_) => of(
                "Open a slide",
                None,
                None,
                "A file, a folder of DICOM files, or phantom:brain.",
            ),
            Self::Weights => of(
                "Open a model's weights",
                Some(("Weights", &["safetensors"])),
                None,
                "A decoder's weights, .safetensors.",
            ),
            Self::Mask => of(
                "Open a mask",
                Some(("Masks", &["tif", "tiff", "png", "geojson"])),
                None,
                "A label TIFF or PNG, or QuPath's .geojson.",
            ),
            Self::MaskClasses => of(
                "Open the mask's classes",
                Some(("Classes", &["csv", "toml", "json"])),
                None,
                "Codes and what they stand for: .csv, .toml, .json.",
            ),
            Self::MaskClassesOut => of(
                "Save the mask's classes",
                Some(("Classes", &["json"])),
                Some("classes.json"),
                "A new .json file; with the mask's own name beside it, it is read by itself.",
            ),
            Self::DialsIn => of(
                "Open dials",
                Some(("Dials", &["json"])),
                None,
                "Dials that were saved, .json.",
            ),
            Self::DialsOut(_) => of(
                "Save dials",
                Some(("Dials", &["json"])),
                Some("dials.json"),
                "A new .json file.",
            ),
            Self::FieldOut => of(
                "Save the view as a picture",
                Some(("PNG", &["png"])),
                Some("field.png"),
                "A new .png file.",
            ),
            Self::MapOut => of(
                "Save what was analysed",
                Some(("TIFF", &["tif"])),
                Some("analysed.tif"),
                "A new .tif file; its report comes beside it.",
            ),
            Self::MarksOut => of(
                "Save strokes and verdicts",
                Some(("GeoJSON", &["geojson"])),
                Some("review.geojson"),
                "A new .geojson file, which QuPath opens.",
            ),
        }
    }

    /// What a file that is dropped on the window is for, where it is no slide.
    pub fn dropped(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "safetensors" => Some(Self::Weights),
            "json" => Some(Self::DialsIn),
            "geojson" => Some(Self::Mask),
            _ => None,
        }
    }

    /// Whether a file is a picture that may be a mask as well as a slide, by its ending.
    pub fn may_be_mask(path: &Path) -> bool {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let endings = ["tif", "tiff", "png"];
        ending.is_some_and(|ending| endings.iter().any(|of| ending.eq_ignore_ascii_case(of)))
    }

    /// What is done with the file.
    pub fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Slide(pane) => Command::Open(pane, path),
            Self::Weights => Command::Overlay(OverlayCommand::OpenModel(ModelChoice::File(path))),
            Self::Mask => Command::Masks(MaskCommand::Open(path)),
            Self::MaskClasses => Command::Masks(MaskCommand::Classes(path)),
            Self::MaskClassesOut => Command::Masks(MaskCommand::SaveClasses(path)),
            Self::DialsIn => Command::Marks(MarkCommand::ImportDials(path)),
            Self::DialsOut(preset) => Command::Marks(MarkCommand::ExportDials(preset, path)),
            Self::FieldOut => Command::Export(ExportCommand::Field(path)),
            Self::MapOut => Command::Export(ExportCommand::Map(path)),
            Self::MarksOut => Command::Marks(MarkCommand::Export(path)),
        }
    }
}
