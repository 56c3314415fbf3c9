//! Sets of labelled images, all seen through one trait.
//!
//! ```text
//! settings ─→ MaskSet (items, classes; headers checked) ─→ census (codes checked, px counted)
//!                │                                            │
//!                ├── Split by groups ─→ Crops ─→ CropLoader ─→ CropBatch      training
//!                └── Labelled at one scale ─→ tiles, every px scored once     evaluation
//! ```

pub mod bcss;
pub mod bdsa;
mod cache;
pub mod census;
pub mod classes;
pub mod config;
pub mod cortex;
pub mod crag;
pub mod crop;
pub mod crops;
pub mod error;
pub mod eval_tiles;
pub mod file_set;
pub mod folder;
pub mod kidney;
pub mod labelled;
pub mod phantom;
pub mod picture;
pub mod place;
mod resample;
pub mod split;

#[cfg(test)]
mod bad_input_tests;
#[cfg(test)]
mod crop_tests;
#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod phantom_tests;
#[cfg(test)]
mod real_tests;
#[cfg(test)]
mod split_tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use census::{Census, Frequencies, census};
pub use classes::{ClassInfo, ClassTable};
pub use config::SetConfig;
pub use crop::CropConfig;
pub use crops::{CropBatch, CropLoader, Crops};
pub use error::SetError;
pub use eval_tiles::{EvalTile, eval_tiles};
pub use file_set::FileSet;
pub use labelled::{Labelled, Mask};
pub use phantom::{PhantomSet, PhantomSetConfig};
pub use split::{FoldConfig, Split, SplitConfig, folds, split};

/// Label of a px that no loss and no score may count.
pub const IGNORE: u8 = 255;

/// Labelled images with one class table. Several threads may read at once.
pub trait MaskSet: Send + Sync {
    /// Short name, such as `bcss`.
    fn name(&self) -> &str;

    /// The scored classes; labels are indices into them.
    fn classes(&self) -> &ClassTable;

    /// The items, ascending by id.
    fn items(&self) -> &[Item];

    /// Image and labels of item number `index`.
    ///
    /// # Errors
    /// When there is no such item, a file can't be read, or the mask holds unknown codes.
    fn read(&self, index: usize) -> Result<Labelled, SetError>;

    /// The labels alone.
    ///
    /// # Errors
    /// Those of [`Self::read`] that concern the mask.
    fn read_mask(&self, index: usize) -> Result<Mask, SetError>;

    /// One line for a model card: where the items come from.
    fn provenance(&self) -> String;
}

/// One labelled image, known without reading its px.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name in tables and messages; no two items of a set share it.
    pub id: String,
    /// Patient, slide or region: items of one group never lie in two parts of a split.
    pub group: String,
    /// The part that the set's authors put it in.
    pub official: Option<Part>,
    /// Its files; none for a phantom.
    pub files: Option<ItemFiles>,
    /// µm per px, both axes.
    pub mpp: f64,
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
}

impl Item {
    /// Area on the glass, µm².
    pub fn area_um2(&self) -> f64 {
        self.width as f64 * self.height as f64 * self.mpp * self.mpp
    }
}

/// Where an item's px are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFiles {
    /// The picture.
    pub image: PathBuf,
    /// The codes.
    pub mask: PathBuf,
}

/// A part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are fitted to it.
    #[serde(alias = "train")]
    Training,
    /// Settings are chosen on it.
    #[serde(alias = "valid", alias = "val")]
    Validation,
    /// Looked at once, at the end.
    Test,
}

impl Part {
    /// Lower-case name, as in `splits.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}
