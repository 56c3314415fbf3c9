//! A folder with one file a finished run.

use std::io;
use std::path::{Path, PathBuf};

use super::run::{RunKey, RunResult};
use crate::files::write_whole;
use crate::learn::report::PlotError;

/// Results that can't be kept, read or put together.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file or folder.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that is no result of this benchmark.
    #[error("{}: {reason}; move it away, or give another folder", path.display())]
    Result {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A mode that can't be part of a file name.
    #[error("the mode `{0}` is not made of letters, digits and `-`")]
    Mode(String),
    /// Results that make no table.
    #[error("{0}")]
    Table(String),
    /// A picture.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The JSON.
    #[error("the table can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The results of one benchmark.
#[derive(Debug, Clone)]
pub struct ResultFolder {
    path: PathBuf,
    settings: String,
}

impl ResultFolder {
    /// The folder at `path`, made where it is missing, for runs whose shared settings have the hash
    /// `settings`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn open(path: &Path, settings: &str) -> Result<Self, BenchError> {
        std::fs::create_dir_all(path).map_err(|error| failed(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            settings: settings.to_owned(),
        })
    }

    /// The runs of `wanted` that have no file yet, in the order given.
    ///
    /// # Errors
    /// When a file is there that is not that run's result.
    pub fn missing(&self, wanted: &[RunKey]) -> Result<Vec<RunKey>, BenchError> {
        let mut missing = Vec::new();
        for key in wanted {
            let path = self.path_of(key)?;
            match path.exists() {
                true => drop(self.read(&path)?),
                false => missing.push(key.clone()),
            }
        }
        Ok(missing)
    }

    /// Keeps a finished run: its file is there whole or not at all.
    ///
    /// # Errors
    /// When it is of another benchmark or can't be written.
    pub fn keep(&self, result: &RunResult) -> Result<(), BenchError> {
        let path = self.path_of(&result.key)?;
        self.check(&path, result)?;
        let text = serde_json::to_string_pretty(result)? + "\n";
        write_whole(&path, text.as_bytes()).map_err(|error| failed(&path, error))
    }

    /// All finished runs, by mode, seed and rotation. Files that do not end in `.json` are not
    /// looked at.
    ///
    /// # Errors
    /// When a file can't be read or is no result of this benchmark.
    pub fn results(&self) -> Result<Vec<RunResult>, BenchError> {
        let entries = std::fs::read_dir(&self.path).map_err(|error| failed(&self.path, error))?;
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(|error| failed(&self.path, error))?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        // In order, so that of several wrong files the same one is named every time.
        paths.sort();
        let results: Result<Vec<RunResult>, _> = paths.iter().map(|path| self.read(path)).collect();
        let mut results = results?;
        results.sort_by(|a: &RunResult, b| a.key.cmp(&b.key));
        Ok(results)
    }

    fn read(&self, path: &Path) -> Result<RunResult, BenchError> {
        let bytes = std::fs::read(path).map_err(|error| failed(path, error))?;
        let result: RunResult = serde_json::from_slice(&bytes)
            .map_err(|error| refused(path, format!("it is no result of a run ({error})")))?;
        self.check(path, &result)?;
        Ok(result)
    }

    fn check(&self, path: &Path, result: &RunResult) -> Result<(), BenchError> {
        let wanted = self.path_of(&result.key)?;
        if wanted.file_name() != path.file_name() {
            let key = &result.key;
            let (mode, seed, rotation) = (&key.mode, key.seed, key.rotation);
            let words = format!("it holds mode {mode}, seed {seed}, rotation {rotation}");
            return Err(refused(path, words));
        }
        if result.settings != self.settings {
            let (found, wanted) = (&result.settings, &self.settings);
            let words = format!("it was made with settings {found}, not {wanted}");
            return Err(refused(path, words));
        }
        Ok(())
    }

    fn path_of(&self, key: &RunKey) -> Result<PathBuf, BenchError> {
        let mode = &key.mode;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if mode.is_empty() || !mode.chars().all(plain) {
            return Err(BenchError::Mode(mode.clone()));
        }
        let name = format!("{mode}.seed-{}.rotation-{}.json", key.seed, key.rotation);
        Ok(self.path.join(name))
    }
}

fn failed(path: &Path, error: io::Error) -> BenchError {
    BenchError::File {
        path: path.to_owned(),
        error,
    }
}

fn refused(path: &Path, reason: String) -> BenchError {
    BenchError::Result {
        path: path.to_owned(),
        reason,
    }
}
