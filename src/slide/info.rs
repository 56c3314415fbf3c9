//! What is known of a slide without reading its pixels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::geometry::{Mpp, SlidePoint, SlideRect, SlideSize};

/// One level of the pyramid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelInfo {
    /// Width and height, level px.
    pub size_px: (u64, u64),
    /// Level-0 px per level px, x and y; see [`crate::geometry::level_scale`].
    pub scale: (f64, f64),
    /// Width and height of the tiles the file itself is cut into, level px.
    pub native_tile_px: Option<(u32, u32)>,
}

/// Where a slide's scale was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleOrigin {
    /// Microns per pixel stated by the file.
    Mpp,
    /// Only an objective power is stated; mpp = 10 / power, which is approximate.
    ObjectivePower,
    /// Typed in by a person.
    Typed,
    /// Not known: lengths are shown in pixels.
    Missing,
}

/// A picture stored beside the tissue: label, macro, thumbnail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssociatedImage {
    /// The name to read it by.
    pub name: String,
    /// Width and height, px.
    pub size_px: (u64, u64),
}

/// Identity of a slide's content, for provenance: stable over renaming and moving.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SlideHash(pub String);

/// Everything a slide says about itself.
#[derive(Debug, Clone, Serialize)]
pub struct SlideInfo {
    /// Short name shown to the user: the file's name, or the phantom's description.
    pub name: String,
    /// The file or folder it was opened from; `None` for the phantom.
    pub path: Option<PathBuf>,
    /// The reader's word for the format: `aperio`, `dicom`, `image`, `phantom`…
    pub vendor: String,
    /// Level 0 (the finest) first. Never empty; every side at least 1 px.
    pub levels: Vec<LevelInfo>,
    /// Scale of level 0, if known.
    pub mpp: Option<Mpp>,
    /// Where `mpp` was taken from.
    pub scale_origin: ScaleOrigin,
    /// Objective power as the file states it: a label, never used for measuring where mpp is.
    pub objective_power: Option<f64>,
    /// The scanned part of the slide, level-0 px; `None` where the whole level is.
    #[serde(serialize_with = "serialize_rect")]
    pub bounds: Option<SlideRect>,
    /// Colour of glass that was not scanned.
    pub background_rgb: [u8; 3],
    /// ICC profile of the tissue pixels, as stored.
    #[serde(serialize_with = "serialize_profile_bytes")]
    pub icc_profile: Option<Vec<u8>>,
    /// The reader's raw properties.
    pub properties: BTreeMap<String, String>,
    /// Label, macro, thumbnail; may carry patient data.
    pub associated: Vec<AssociatedImage>,
    /// Content identity.
    pub hash: SlideHash,
}

impl SlideInfo {
    /// Level-0 size in slide px.
    pub fn size(&self) -> SlideSize {
        let (width, height) = self.levels.first().map_or((1, 1), |level| level.size_px);
        SlideSize::new(width as f64, height as f64)
    }

    /// The part worth showing: the scanned bounds, else all of level 0.
    pub fn content(&self) -> SlideRect {
        self.bounds
            .unwrap_or_else(|| SlideRect::from_origin_and_size(SlidePoint::origin(), self.size()))
    }
}

fn serialize_rect<S: serde::Serializer>(rect: &Option<SlideRect>, s: S) -> Result<S::Ok, S::Error> {
    rect.map(|r| [r.min.x, r.min.y, r.width(), r.height()])
        .serialize(s)
}

fn serialize_profile_bytes<S: serde::Serializer>(
    profile: &Option<Vec<u8>>,
    s: S,
) -> Result<S::Ok, S::Error> {
    profile.as_ref().map(Vec::len).serialize(s)
}
