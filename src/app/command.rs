//! What a person can ask for. Panels and keys emit commands; `apply` alone carries them out.

use std::path::PathBuf;

use crate::geometry::{Mpp, ScreenPoint, ScreenVector, SlidePoint};
use crate::gpu::DisplayAdjust;

use super::export::ExportCommand;
use super::file_for::FileFor;
use super::marks::MarkCommand;
use super::masks::MaskCommand;
use super::overlay::OverlayCommand;
use super::review::ReviewCommand;
use super::settings::Theme;
use super::similar::SimilarCommand;
use super::state::PaneIndex;

/// A panel or dialog that can be shown or hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Panel {
    /// What the slide says about itself.
    Metadata,
    /// Label, macro and thumbnail.
    Associated,
    /// The model, and how its overlay looks.
    Model,
    /// The dials of the attention bias.
    Bias,
    /// The brush, and what was painted.
    Strokes,
    /// Where two maps differ, and verdicts on that.
    Review,
    /// Colours of embeddings, and what looks like a spot.
    Similar,
    /// Brightness, contrast, gamma, stains, colour profile.
    Display,
    /// Messages since the program started.
    Log,
    /// The keys.
    Keys,
    /// Go to a position.
    GoTo,
    /// Open by typing a path.
    OpenPath,
    /// Type in the scale of a slide that states none.
    Scale,
    /// The overview with the viewport's box.
    Minimap,
}

/// How the window is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// One view.
    #[default]
    Single,
    /// Two views of one slide with the same centre, each at its own magnification.
    Linked,
    /// Two independent views, of the same or of different slides.
    Split,
}

/// Moves one pane's camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CameraMove {
    /// Show all of the slide.
    Fit,
    /// Show at an objective-equivalent magnification; at level-0 px where the scale is unknown.
    Magnification(f64),
    /// Enlarge about the middle of the view.
    Zoom(f64),
    /// Enlarge about a screen point of the view.
    ZoomAbout(ScreenPoint, f64),
    /// The picture follows the pointer by so many screen px.
    Drag(ScreenVector),
    /// The pointer let go at a speed, screen px per second; the picture glides to rest.
    Throw(ScreenVector),
    /// Push the picture, screen px per second, on top of the speed it has.
    Push(ScreenVector),
    /// Turn the picture clockwise, radians.
    Rotate(f64),
    /// Upright and not mirrored.
    Upright,
    /// Mirror left to right.
    Mirror,
    /// Mirror top to bottom.
    Flip,
    /// Bring a slide point to the middle.
    CenterOn(SlidePoint),
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Ask the desktop for a file.
    Choose(FileFor),
    /// Open a file, folder or `phantom:…` in a pane.
    Open(PaneIndex, PathBuf),
    /// Close the slide of a pane.
    Close(PaneIndex),
    /// Make a pane the one that keys and buttons act on.
    Activate(PaneIndex),
    /// Divide the window.
    SetLayout(Layout),
    /// Move a pane's camera.
    Camera(PaneIndex, CameraMove),
    /// Change how slides are shown.
    SetDisplay(DisplayAdjust),
    /// Use a typed-in scale for a pane's slide (`None`: what the file says).
    SetScale(PaneIndex, Option<Mpp>),
    /// Show or hide a panel.
    Toggle(Panel),
    /// Show or hide label and macro images, which may carry patient data.
    RevealAssociated(bool),
    /// Light or dark.
    SetTheme(Theme),
    /// How many MiB of decoded tiles are kept (`None`: the default).
    SetCacheLimit(Option<u64>),
    /// Forget the list of recent files.
    ClearRecent,
    /// Put text on the clipboard.
    Copy(String),
    /// Something about the overlay.
    Overlay(OverlayCommand),
    /// Something about strokes, verdicts or presets.
    Marks(MarkCommand),
    /// Something about masks from elsewhere, or what is kept of before.
    Masks(MaskCommand),
    /// Write what is seen or was analysed to a file.
    Export(ExportCommand),
    /// Something about embeddings.
    Similar(SimilarCommand),
    /// Something about a review.
    Review(ReviewCommand),
    /// Write a note on the region that is visited.
    FocusNote,
    /// Take back the last turn of a dial, stroke or verdict.
    Undo,
    /// Do again what was taken back.
    Redo,
    /// Ask what a dropped picture is, or no longer (`None`).
    WhatIsDropped(Option<PathBuf>),
    /// Dismiss the notice on top of the view.
    DismissNotice,
}
