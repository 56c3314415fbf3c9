//! What tiles are sampled from, as settings name it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SamplingError;
use crate::geometry::Mpp;
use crate::slide::phantom::spec::FORMULA_VERSION;
use crate::slide::phantom::{PhantomSource, PhantomSpec, SlideKnobs, Tissue};
use crate::slide::scaled::Scaled;
use crate::slide::{self, SlideSource};

/// Phantom seeds that nothing is trained on: those of the evaluation of encoders, of the colour
/// criterion and of its calibration. First and last of each run.
pub const RESERVED_SEEDS: [(u64, u64); 4] = [
    (700_000, 899_999),
    (900_001, 900_006),
    (900_101, 900_104),
    (910_001, 910_004),
];

/// Names that a folder's pictures end with.
const PICTURES: [&str; 6] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff"];

/// A folder holds at most this many pictures: all are kept in memory.
const MAX_PICTURES: usize = 1000;

/// How long a slide may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// One source: exactly one of `phantom`, `slide` and `folder` is given.
///
/// ```toml
/// [[source]]
/// phantom = "brain"
/// seeds = [1, 2, 3]
/// vary = true
/// weight = 2.0
///
/// [[source]]
/// slide = "slides/a.svs"
///
/// [[source]]
/// folder = "fields"
/// mpp = 0.5
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// Phantom slides of this tissue, one a seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phantom: Option<Tissue>,
    /// The phantoms' seeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// Whether the phantoms' stain, blur and noise vary more widely than the presets' do.
    pub vary: bool,
    /// Width and height of each phantom, mm; 1–100.
    pub extent_mm: f64,
    /// A slide file or DICOM folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slide: Option<PathBuf>,
    /// A folder of pictures (PNG, JPEG, TIFF, BMP) of one scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Of the folder, these pictures only; all where it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// µm per px: needed for a folder, and for a slide that does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<f64>,
    /// Share of the draws, relative to the other sources'; > 0. A source's slides share it evenly.
    pub weight: f64,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            phantom: None,
            seeds: Vec::new(),
            vary: false,
            extent_mm: 8.0,
            slide: None,
            folder: None,
            files: Vec::new(),
            mpp: None,
            weight: 1.0,
        }
    }
}

/// A source that is open.
pub(super) struct Opened {
    pub slides: Vec<Arc<dyn SlideSource>>,
    pub provenance: String,
}

impl SourceConfig {
    /// Opens what is named; relative paths are relative to `folder`.
    pub(super) fn open(&self, folder: &Path) -> Result<Opened, SamplingError> {
        let refuse = |reason: &str| Err(SamplingError::source(self.name(), reason));
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return refuse("its weight must be a number above 0");
        }
        let mpp = match self.mpp {
            Some(mpp) => match Mpp::square(mpp) {
                Some(mpp) => Some(mpp),
                None => return refuse("its mpp must be µm per px, such as 0.5"),
            },
            None => None,
        };
        match (self.phantom, &self.slide, &self.folder) {
            (Some(tissue), None, None) => self.open_phantoms(tissue),
            (None, Some(path), None) => self.open_slide(path, folder, mpp),
            (None, None, Some(path)) => match mpp {
                Some(mpp) => self.open_folder(path, folder, mpp),
                None => refuse("pictures have no scale; state their µm per px as `mpp`"),
            },
            _ => refuse("needs exactly one of `phantom`, `slide` and `folder`"),
        }
    }

    /// What messages call it.
    fn name(&self) -> String {
        let path = self.slide.as_ref().or(self.folder.as_ref());
        match (self.phantom, path) {
            (Some(tissue), _) => format!("phantom {}", tissue.name()),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => "unnamed".to_owned(),
        }
    }

    fn open_phantoms(&self, tissue: Tissue) -> Result<Opened, SamplingError> {
        let refuse = |reason: String| SamplingError::source(self.name(), reason);
        if self.seeds.is_empty() {
            return Err(refuse(
                "needs `seeds`, one a slide, such as [1, 2, 3]".to_owned(),
            ));
        }
        if !(1.0..=100.0).contains(&self.extent_mm) {
            return Err(refuse("extent_mm must be 1 to 100".to_owned()));
        }
        let open = |&seed: &u64| -> Result<Arc<dyn SlideSource>, SamplingError> {
            if RESERVED_SEEDS
                .iter()
                .any(|&(first, last)| (first..=last).contains(&seed))
            {
                let reason = "is reserved for measuring and must not be trained on";
                return Err(refuse(format!("seed {seed} {reason}")));
            }
            let spec = phantom_spec(tissue, seed, self.vary, self.extent_mm * 1e3);
            let source = PhantomSource::new(spec).map_err(|error| refuse(error.to_string()))?;
            Ok(Arc::new(source))
        };
        Ok(Opened {
            slides: self.seeds.iter().map(open).collect::<Result<_, _>>()?,
            provenance: format!(
                "phantom {}, formula {FORMULA_VERSION}, seeds {:?}, {} mm, {} stain and optics",
                tissue.name(),
                self.seeds,
                self.extent_mm,
                if self.vary { "widely varied" } else { "preset" }
            ),
        })
    }

    fn open_slide(
        &self,
        path: &Path,
        folder: &Path,
        mpp: Option<Mpp>,
    ) -> Result<Opened, SamplingError> {
        let slide = slide::open_with_timeout(&folder.join(path), OPEN_TIMEOUT)?;
        let slide = with_scale(slide, mpp);
        let info = slide.info();
        let scale = info.mpp.map_or(0.0, |mpp| mpp.mean());
        let stated = if mpp.is_some() { " (stated)" } else { "" };
        let hash = &info.hash.0;
        let provenance = format!("slide {}, {scale:.4} µm/px{stated}, {hash}", info.name);
        Ok(Opened {
            slides: vec![slide],
            provenance,
        })
    }

    fn open_folder(&self, path: &Path, base: &Path, mpp: Mpp) -> Result<Opened, SamplingError> {
        let folder = base.join(path);
        let paths = if self.files.is_empty() {
            pictures_in(&folder).map_err(|reason| SamplingError::source(self.name(), reason))?
        } else {
            self.files.iter().map(|name| folder.join(name)).collect()
        };
        let open = |path: &PathBuf| -> Result<Arc<dyn SlideSource>, SamplingError> {
            let picture = slide::open_with_timeout(path, OPEN_TIMEOUT)?;
            Ok(with_scale(picture, Some(mpp)))
        };
        let slides: Vec<_> = paths.iter().map(open).collect::<Result<_, _>>()?;
        let named = |slide: &Arc<dyn SlideSource>| {
            let info = slide.info();
            format!("{} ({})", info.name, info.hash.0)
        };
        let names: Vec<String> = slides.iter().map(named).collect();
        Ok(Opened {
            provenance: format!(
                "pictures at {:.4} µm/px (stated): {}",
                mpp.mean(),
                names.join(", ")
            ),
            slides,
        })
    }
}

fn with_scale(slide: Arc<dyn SlideSource>, mpp: Option<Mpp>) -> Arc<dyn SlideSource> {
    match mpp {
        Some(mpp) => Arc::new(Scaled::new(slide, mpp)),
        None => slide,
    }
}

/// The pictures of a folder, by name.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("can't be read: {error}"))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        PICTURES.contains(&extension.to_lowercase().as_str()) && path.is_file()
    });
    paths.sort();
    if paths.is_empty() {
        return Err(format!("has no pictures ({})", PICTURES.join(", ")));
    }
    if paths.len() > MAX_PICTURES {
        let count = paths.len();
        return Err(format!(
            "has {count} pictures, more than the {MAX_PICTURES} kept in memory"
        ));
    }
    Ok(paths)
}

/// The preset of `tissue`; with `vary`, with the stain and optics of a laboratory that may lie far
/// from the preset's.
pub fn phantom_spec(tissue: Tissue, seed: u64, vary: bool, side_um: f64) -> PhantomSpec {
    let mut spec = PhantomSpec::preset(tissue, seed).with_extent_um(side_um, side_um);
    if vary {
        spec.slide = SlideKnobs::of_any_laboratory(seed);
    }
    spec
}
