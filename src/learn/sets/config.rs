//! Which set, as a settings file says.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::phantom::{PhantomSet, PhantomSetConfig};
use super::place::Place;
use super::{MaskSet, SetError, bcss, bdsa, cortex, crag, folder, kidney};

/// A set, by its layout.
///
/// ```toml
/// [data.set]
/// kind = "bcss"
/// folder = "data/bcss"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SetConfig {
    /// See [`bcss`].
    Bcss(Place),
    /// See [`crag`].
    Crag(Place),
    /// See [`bdsa`].
    Bdsa(Place),
    /// See [`folder`].
    Folder(Place),
    /// See [`kidney`].
    Kidney(Place),
    /// See [`cortex`].
    Cortex(Place),
    /// See [`super::phantom`].
    Phantom(Box<PhantomSetConfig>),
}

impl SetConfig {
    /// Opens the set and checks all that can be known without reading px; relative paths are
    /// relative to `base`, the folder of the settings file.
    ///
    /// # Errors
    /// The first file or setting that does not fit.
    pub fn open(&self, base: &Path) -> Result<Arc<dyn MaskSet>, SetError> {
        Ok(match self {
            Self::Bcss(place) => Arc::new(bcss::open(&place.within(base))?),
            Self::Crag(place) => Arc::new(crag::open(&place.within(base))?),
            Self::Bdsa(place) => Arc::new(bdsa::open(&place.within(base))?),
            Self::Folder(place) => Arc::new(folder::open(&place.within(base))?),
            Self::Kidney(place) => Arc::new(kidney::open(&place.within(base))?),
            Self::Cortex(place) => Arc::new(cortex::open(&place.within(base))?),
            Self::Phantom(config) => Arc::new(PhantomSet::open(config)?),
        })
    }
}
