//! The folder of a training run, kept by one process at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files;

/// A folder that no run can be in.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct FolderError {
    /// The folder or a file in it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done; the weights are in this file.
    Finished(PathBuf),
    /// Stopped on request after so many steps, which are kept.
    Stopped(u64),
}

/// A run's folder, locked while this lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Opens the folder at `path`, made where it is missing, for a new run or for one to `resume`.
    ///
    /// # Errors
    /// When it can't be made, another process trains in it, a new run finds an old one, or there
    /// is nothing to resume.
    pub fn open(path: &Path, resume: bool) -> Result<Self, FolderError> {
        let bad = |path: PathBuf, reason: String| FolderError { path, reason };
        let words = |error: std::io::Error| bad(path.to_owned(), error.to_string());
        std::fs::create_dir_all(path).map_err(words)?;
        let lock = File::create(path.join("lock")).map_err(words)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = "another process is training in this folder".to_owned();
                return Err(bad(path.to_owned(), reason));
            }
            Err(TryLockError::Error(error)) => return Err(words(error)),
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        let there = folder.checkpoint().exists();
        if there && !resume {
            let reason = "there is a run already: go on with --resume, or name another folder";
            return Err(bad(folder.checkpoint(), reason.to_owned()));
        }
        if !there && resume {
            let reason = "no checkpoint to resume from; start without --resume";
            return Err(bad(folder.checkpoint(), reason.to_owned()));
        }
        Ok(folder)
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.file("checkpoint.zip")
    }

    /// The table of steps.
    pub fn log(&self) -> PathBuf {
        self.file("log.csv")
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the settings of the run beside what it makes.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn keep_settings<S: Serialize>(&self, name: &str, settings: &S) -> Result<(), FolderError> {
        let path = self.file(name);
        let written = toml::to_string(settings)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                files::write_whole(&path, text.as_bytes()).map_err(|error| error.to_string())
            });
        written.map_err(|reason| FolderError { path, reason })
    }
}
