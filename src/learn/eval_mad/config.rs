//! What is evaluated, and how much of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::EvalError;
use crate::learn::probe::ProbeConfig;
use crate::slide::phantom::Tissue;

/// A real slide or picture on which retrieval is tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The file; relative to the settings file.
    pub path: PathBuf,
    /// Microns per px of its finest level, where the file does not state them.
    pub mpp: Option<f64>,
    /// Whether encoders were trained on it: said beside every figure.
    pub in_training: bool,
}

/// Settings of an evaluation; equal settings and encoders give equal figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvalConfig {
    /// Side S of every tile, px: a multiple of 8, and of four patches of every encoder.
    pub tile_px: usize,
    /// Each seed, below 1000, draws its own phantom slides, places and untrained encoders.
    pub seeds: Vec<u64>,
    /// Phantom tissues.
    pub tissues: Vec<Tissue>,
    /// Slides of each tissue that probes are trained on.
    pub training_slides: usize,
    /// Slides of each tissue that everything is tested on.
    pub held_out_slides: usize,
    /// Footprints of each class on each slide, where the slide has that many.
    pub footprints: usize,
    /// Least share of a footprint that one class covers, 0–1.
    pub least_share: f64,
    /// Parents of each tissue, and of each field, for retrieval.
    pub families: usize,
    /// Least share of tissue in a child that takes part in retrieval, 0–1.
    pub least_tissue: f64,
    /// Tiles embedded at a time.
    pub batch: usize,
    /// The probe.
    pub probe: ProbeConfig,
    /// Draws of the bootstrap.
    pub bootstrap: usize,
    /// Real slides and pictures.
    pub fields: Vec<Field>,
    /// Folder of `index.csv` of the nine-class colorectal tiles; relative to the settings file.
    pub colorectal: Option<PathBuf>,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            tile_px: 128,
            seeds: vec![1],
            tissues: Tissue::ALL.to_vec(),
            training_slides: 8,
            held_out_slides: 6,
            footprints: 12,
            least_share: 0.8,
            families: 36,
            least_tissue: 0.5,
            batch: 32,
            probe: ProbeConfig::default(),
            bootstrap: 2000,
            fields: Vec::new(),
            colorectal: None,
        }
    }
}

impl EvalConfig {
    /// As little as shows that everything runs; its figures mean nothing.
    #[must_use]
    pub fn quick(self) -> Self {
        Self {
            training_slides: 2,
            held_out_slides: 2,
            footprints: 3,
            families: 3,
            bootstrap: 200,
            ..self
        }
    }

    /// Reads settings; paths in them are taken relative to their file.
    ///
    /// # Errors
    /// When the file can't be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let refuse = |reason: String| EvalError::Settings {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for field in &mut config.fields {
            field.path = folder.join(&field.path);
        }
        config.colorectal = config.colorectal.map(|at| folder.join(at));
        config.check().map_err(|error| refuse(error.to_string()))?;
        Ok(config)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// With the first that can't be.
    pub fn check(&self) -> Result<(), EvalError> {
        let sizes = [
            ("training_slides", self.training_slides, 90),
            ("held_out_slides", self.held_out_slides, 90),
            ("footprints", self.footprints, 1000),
            ("families", self.families, 10_000),
            ("batch", self.batch, 1024),
            ("bootstrap", self.bootstrap, 1_000_000),
            ("seeds", self.seeds.len(), 100),
            ("tissues", self.tissues.len(), 3),
        ];
        for (what, value, most) in sizes {
            if !(1..=most).contains(&value) {
                return refuse(format!("{what}: {value} is not in 1..={most}"));
            }
        }
        if !self.tile_px.is_multiple_of(8) || !(32..=1024).contains(&self.tile_px) {
            let side = self.tile_px;
            return refuse(format!("tile_px: {side} is no multiple of 8 in 32..=1024"));
        }
        if self.seeds.iter().any(|seed| *seed >= 1000) {
            return refuse("seeds: each must be below 1000".to_owned());
        }
        let shares = [self.least_share, self.least_tissue];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return refuse("least_share and least_tissue must be from 0 to 1".to_owned());
        }
        Ok(())
    }
}

fn refuse(what: String) -> Result<(), EvalError> {
    Err(EvalError::Config(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_toml_and_paths_follow_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eval.toml");
        let text = "footprints = 4\ncolorectal = \"tiles\"\n\
                    [[fields]]\npath = \"a.svs\"\nin_training = false\n";
        std::fs::write(&path, text).unwrap();
        let config = EvalConfig::read(&path).unwrap();
        assert_eq!(config.footprints, 4);
        assert_eq!(config.fields[0].path, folder.path().join("a.svs"));
        assert_eq!(config.colorectal, Some(folder.path().join("tiles")));
        let again: EvalConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn what_can_not_be_is_named() {
        let wrong = |text: &str| {
            let config: EvalConfig = toml::from_str(text).unwrap();
            config.check().unwrap_err().to_string()
        };
        assert!(wrong("tile_px = 100").contains("tile_px"));
        assert!(wrong("batch = 0").contains("batch"));
        assert!(wrong("seeds = [1000]").contains("seeds"));
        assert!(wrong("least_share = 1.5").contains("least_share"));
        assert!(toml::from_str::<EvalConfig>("footprint = 1").is_err());
        EvalConfig::default().quick().check().unwrap();
    }
}
