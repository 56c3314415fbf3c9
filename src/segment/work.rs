//! The work folder beside an output: what is finished of it, so that a killed run can go on.
//!
//! `settings.json` says what the rows were made with, `row-00012.bin` are finished rows, and
//! `lock` is held while a run is at it. The folder goes when the output is whole.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::SegmentError;
use super::grid::TileGrid;
use super::row_file::RowFile;
use crate::files;

/// The folder of one output, locked.
#[derive(Debug)]
pub struct WorkFolder {
    folder: PathBuf,
    grid: TileGrid,
    /// Rows that are there, from the first on.
    finished: u32,
    _lock: File,
}

impl WorkFolder {
    /// Where the unfinished parts of `output` are kept: `out.tif.unfinished` for `out.tif`.
    pub fn path_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        output.with_file_name(name)
    }

    /// Whether an unfinished run of `output` left finished rows behind.
    pub fn has_rows(output: &Path) -> bool {
        let entries = std::fs::read_dir(Self::path_for(output));
        let mut names = entries.into_iter().flatten().flatten();
        names.any(|entry| entry.path().extension().is_some_and(|end| end == "bin"))
    }

    /// Opens or makes the folder of `output` for work with `settings`, flat or nested.
    ///
    /// # Errors
    /// When another run holds it, it has rows made with other settings (unless `restart` throws
    /// them away), or it can't be read or written.
    pub fn open(
        output: &Path,
        grid: TileGrid,
        settings: &Value,
        restart: bool,
    ) -> Result<Self, SegmentError> {
        let folder = Self::path_for(output);
        std::fs::create_dir_all(&folder).map_err(|error| SegmentError::file(&folder, error))?;
        let lock = lock(&folder)?;
        let mut work = Self {
            folder,
            grid,
            finished: 0,
            _lock: lock,
        };
        if restart {
            work.clear()?;
        }
        work.finished = work.count_finished();
        work.settle(settings)?;
        Ok(work)
    }

    /// Rows of tiles that are finished, from the first on.
    pub fn finished(&self) -> u32 {
        self.finished
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a row of tiles.
    pub fn row_path(&self, row: u32) -> PathBuf {
        self.folder.join(format!("row-{row:05}.bin"))
    }

    /// A finished row.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn row(&self, row: u32) -> Result<RowFile, SegmentError> {
        RowFile::open(
            &self.row_path(row),
            &self.grid.band(row),
            self.grid.size_px.0,
        )
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// When a file can't be removed.
    pub fn remove(self) -> Result<(), SegmentError> {
        let folder = self.folder.clone();
        // Where open files can't be removed, the lock has to go first.
        drop(self);
        std::fs::remove_dir_all(&folder).map_err(|error| SegmentError::file(folder, error))
    }

    fn count_finished(&self) -> u32 {
        let whole = |row: &u32| self.row(*row).and_then(|row| row.check()).is_ok();
        let count = (0..self.grid.rows()).take_while(whole).count() as u32;
        if self.row_path(count).exists() {
            tracing::warn!(
                row = count,
                "a finished row is damaged; it and those after are made again"
            );
        }
        count
    }

    /// Keeps the settings, or sees that they are those that the rows were made with.
    fn settle(&self, settings: &Value) -> Result<(), SegmentError> {
        let path = self.folder.join("settings.json");
        let failed = |error| SegmentError::file(&path, error);
        let theirs = std::fs::read(&path).ok();
        let theirs: Option<Value> = theirs.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let text = serde_json::to_vec_pretty(settings).map_err(|error| failed(error.into()))?;
        // As read back: the last digit of a number may change on the way through a file.
        let ours: Value = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
        if self.finished > 0 && theirs.as_ref() != Some(&ours) {
            return Err(SegmentError::OtherSettings {
                folder: self.folder.clone(),
                differences: differences(&theirs.unwrap_or_default(), &ours),
            });
        }
        files::write_whole(&path, &text).map_err(failed)
    }

    fn clear(&self) -> Result<(), SegmentError> {
        let failed = |error| SegmentError::file(&self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "bin") {
                std::fs::remove_file(&path).map_err(|error| SegmentError::file(path, error))?;
            }
        }
        Ok(())
    }
}

fn lock(folder: &Path) -> Result<File, SegmentError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| SegmentError::file(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SegmentError::Busy {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => {
            // Some network drives have no locks: two runs at once are then the user's to avoid.
            tracing::warn!(%error, "the work folder can't be locked");
            Ok(file)
        }
    }
}

/// What differs, as `name: theirs, now ours`.
fn differences(theirs: &Value, ours: &Value) -> String {
    let (theirs, ours) = (flat(theirs), flat(ours));
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let said = |side: &Map<String, Value>, name: &str| {
        side.get(name)
            .map_or("nothing".to_owned(), Value::to_string)
    };
    let differing = names
        .into_iter()
        .filter(|name| theirs.get(*name) != ours.get(*name));
    let told: Vec<String> = differing
        .map(|name| format!("{name}: {}, now {}", said(&theirs, name), said(&ours, name)))
        .collect();
    told.join("; ")
}

/// Nested objects as one, names joined by dots.
fn flat(value: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        if value.is_object() {
            let inner = flat(value).into_iter();
            all.extend(inner.map(|(inner, value)| (format!("{name}.{inner}"), value)));
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differing_settings_are_named() {
        let theirs = json!({ "slide": "a", "grid": { "mpp": 1.0, "halo_px": 32 } });
        let ours = json!({ "slide": "a", "grid": { "mpp": 0.5, "halo_px": 32 }, "bias": 1 });
        assert_eq!(
            differences(&theirs, &ours),
            "bias: nothing, now 1; grid.mpp: 1.0, now 0.5"
        );
    }
}
