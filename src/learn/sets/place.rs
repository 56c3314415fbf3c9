//! Where a set of files lies.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ClassTable, SetError};

/// Folder, class table and scale of a set of files.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its folder; a relative one is relative to the settings file.
    pub folder: PathBuf,
    /// A class table in place of the one that ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<PathBuf>,
    /// µm per px where the files don't say, or in place of what is usual for the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mpp: Option<f64>,
}

impl Place {
    /// The folder `folder`, all else as usual.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            ..Self::default()
        }
    }

    /// The same place with paths relative to `base`.
    #[must_use]
    pub fn within(&self, base: &Path) -> Self {
        Self {
            folder: base.join(&self.folder),
            classes: self.classes.as_ref().map(|path| base.join(path)),
            mpp: self.mpp,
        }
    }

    /// The class table of the settings, else the one that ships as `name`.
    pub(super) fn table(&self, name: &str) -> Result<ClassTable, SetError> {
        match &self.classes {
            Some(path) => ClassTable::read(path),
            None => ClassTable::shipped(name),
        }
    }
}
