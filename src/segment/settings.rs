//! What a segmentation depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::error::SegmentError;
use super::grid::{GridSpec, TileGrid};
use super::model::MOST_CLASSES;
use crate::labels::LabelClass;
use crate::slide::SlideInfo;

/// The program and its version, as it is written into outputs.
pub const PROGRAM: &str = concat!("parfocal ", env!("CARGO_PKG_VERSION"));

/// What the result depends on, beside slide and model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// How the slide is cut.
    pub grid: GridSpec,
    /// Gaps in tissue that no disc of this radius fits into are filled, µm; see [`super::TissueMap`].
    pub fill_um: f64,
    /// Whether px beside tissue are left out although their tile was run. With it
    /// the result does not depend on where tile borders fall; without it, models that know glass
    /// as a class tell where it is.
    pub only_near_tissue: bool,
    /// Whether probabilities are written, a file a class.
    pub probabilities: bool,
    /// Hash of the model's weights.
    pub model_hash: String,
    /// Hash of the weights of the encoder under it; empty where it has none.
    pub encoder_hash: String,
    /// Attention bias by class name; empty where the model has none.
    pub bias: BTreeMap<String, f64>,
}

impl Settings {
    /// A grid of tiles of `tile_px` px of `mpp` µm with [`GridSpec::new`]'s overlap, gaps of
    /// up to 96 µm filled (empty fat cells, lumens), no probabilities, no bias.
    pub fn new(mpp: f64, tile_px: u32, model_hash: &str) -> Self {
        Self {
            grid: GridSpec::new(mpp, tile_px),
            fill_um: 48.0,
            only_near_tissue: true,
            probabilities: false,
            model_hash: model_hash.to_owned(),
            encoder_hash: String::new(),
            bias: BTreeMap::new(),
        }
    }

    /// Sees that the settings go with a model of these classes and this tile.
    ///
    /// # Errors
    /// In words, when they do not.
    pub fn check(&self, classes: &[LabelClass], tile_px: u32) -> Result<(), SegmentError> {
        let refuse = |reason| Err(SegmentError::Settings { reason });
        if classes.is_empty() || classes.len() > MOST_CLASSES {
            return refuse(format!(
                "a model of {} classes, not 1 to {MOST_CLASSES}",
                classes.len()
            ));
        }
        if tile_px != self.grid.tile_px {
            let asked = self.grid.tile_px;
            return refuse(format!(
                "tiles of {asked} px for a model that takes {tile_px} px"
            ));
        }
        if !(self.fill_um.is_finite() && (0.0..=1e4).contains(&self.fill_um)) {
            return refuse(format!(
                "gaps filled by {} um, not 0 to 10000",
                self.fill_um
            ));
        }
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        match self
            .bias
            .keys()
            .find(|name| !names.contains(&name.as_str()))
        {
            Some(name) => refuse(format!(
                "a bias for class '{name}', which the model does not have; it has {}",
                names.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// All that rows depend on, to tell whether a run goes on with the same work.
    pub fn fingerprint(&self, slide: &SlideInfo, grid: &TileGrid, classes: &[LabelClass]) -> Value {
        json!({
            "program": PROGRAM,
            "slide_hash": slide.hash.0,
            "slide_mpp": slide.mpp.map(|mpp| [mpp.x, mpp.y]),
            "size_px": grid.size_px,
            "settings": self,
            "classes": classes,
        })
    }
}

/// The files that a run makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// The label map.
    pub labels: PathBuf,
    /// Areas and provenance.
    pub report: PathBuf,
    /// Probabilities, a file a class; empty where they are not asked for.
    pub probabilities: Vec<PathBuf>,
}

impl Outputs {
    /// `out.tif`, `out.json` and `out.p0-tumor.tif`… beside each other.
    pub fn beside(labels: &Path, classes: &[LabelClass], probabilities: bool) -> Self {
        let of_class = |(index, class): (usize, &LabelClass)| {
            let plain = |c: char| {
                if c.is_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            };
            let name: String = class.name.chars().map(plain).collect();
            labels.with_extension(format!("p{index}-{name}.tif"))
        };
        let asked = if probabilities { classes } else { &[] };
        Self {
            labels: labels.to_owned(),
            report: labels.with_extension("json"),
            probabilities: asked.iter().enumerate().map(of_class).collect(),
        }
    }

    /// Sees that nothing is overwritten that must not be.
    ///
    /// # Errors
    /// When an output is the slide, two are one file, or one is there and `overwrite` is not set.
    pub fn check(&self, slide: &SlideInfo, overwrite: bool) -> Result<(), SegmentError> {
        if self.report == self.labels {
            let reason = "a label map named .json would be its own report: name it .tif".to_owned();
            return Err(SegmentError::Settings { reason });
        }
        let slide = slide
            .path
            .as_ref()
            .and_then(|path| path.canonicalize().ok());
        for path in [&self.labels, &self.report]
            .into_iter()
            .chain(&self.probabilities)
        {
            if slide.is_some() && path.canonicalize().ok() == slide {
                return Err(SegmentError::IsTheSlide { path: path.clone() });
            }
            if path.exists() && !overwrite {
                return Err(SegmentError::Exists { path: path.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<LabelClass> {
        let class = |name: &&str| LabelClass {
            name: (*name).to_owned(),
            rgb: [1, 2, 3],
        };
        names.iter().map(class).collect()
    }

    #[test]
    fn settings_that_do_not_fit_the_model_are_refused() {
        let said = |change: &dyn Fn(&mut Settings), names: &[&str]| {
            let mut settings = Settings::new(1.0, 128, "abc");
            change(&mut settings);
            settings
                .check(&classes(names), 128)
                .map_err(|error| error.to_string())
        };
        assert!(said(&|_| {}, &["a", "b"]).is_ok());
        assert!(said(&|_| {}, &[]).unwrap_err().contains("0 classes"));
        let other_tile = said(&|s| s.grid.tile_px = 256, &["a"]).unwrap_err();
        assert!(other_tile.contains("tiles of 256 px for a model that takes 128 px"));
        assert!(
            said(&|s| s.fill_um = -1.0, &["a"])
                .unwrap_err()
                .contains("gaps filled")
        );
        let other_class = |s: &mut Settings| s.bias = BTreeMap::from([("c".into(), 1.0)]);
        let bias = said(&other_class, &["a", "b"]).unwrap_err();
        assert!(
            bias.contains("class 'c'") && bias.contains("a, b"),
            "{bias}"
        );
    }

    #[test]
    fn outputs_have_names_that_any_system_takes() {
        let outputs = Outputs::beside(Path::new("x/out.tif"), &classes(&["a b/c", "glia"]), true);
        assert_eq!(outputs.report, Path::new("x/out.json"));
        let names = ["x/out.p0-a_b_c.tif", "x/out.p1-glia.tif"].map(PathBuf::from);
        assert_eq!(outputs.probabilities, names);
    }
}
