//! Notices that a file was changed or removed while the program has it open.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How old a verdict may be before a successful read asks the file system again.
const RECHECK_AFTER: Duration = Duration::from_secs(2);

/// What happened to a file since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileTrouble {
    /// Its length or modification time differs.
    #[error("the file changed on disk since it was opened; open it again")]
    Changed,
    /// It was deleted, moved or renamed.
    #[error("the file is gone: it was deleted, moved or renamed since it was opened")]
    Gone,
    /// The file system does not answer for it: a drive that went away.
    #[error("the file can't be reached any more ({0})")]
    Unreachable(String),
}

/// Length and modification time of one file, remembered from when it was opened.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    opened: Stamp,
    last: Mutex<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length_bytes: u64,
    modified: Option<SystemTime>,
}

#[derive(Debug)]
struct Verdict {
    at: Instant,
    result: Result<(), FileTrouble>,
}

impl FileWatch {
    /// Remembers how `path` looks now.
    ///
    /// # Errors
    /// When the file system does not answer for `path`.
    pub fn new(path: &Path) -> std::io::Result<Self> {
        let last = Mutex::new(Verdict {
            at: Instant::now(),
            result: Ok(()),
        });
        Ok(Self {
            path: path.to_owned(),
            opened: Stamp::of(path)?,
            last,
        })
    }

    /// Asks the file system whether the file is still the one that was opened.
    ///
    /// # Errors
    /// What happened to it.
    pub fn verify(&self) -> Result<(), FileTrouble> {
        // Not under the lock: a drive that hangs must not hold up readers that only look.
        let result = self.compare();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Verdict {
            at: Instant::now(),
            result: result.clone(),
        };
        result
    }

    /// As [`Self::verify`], but asks at most every two seconds and repeats the last verdict in
    /// between: cheap enough for every read.
    ///
    /// # Errors
    /// What happened to the file.
    pub fn verify_sometimes(&self) -> Result<(), FileTrouble> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.at.elapsed() < RECHECK_AFTER {
            return last.result.clone();
        }
        // Claimed before asking, so that one reader asks and the others read on.
        last.at = Instant::now();
        drop(last);
        self.verify()
    }

    fn compare(&self) -> Result<(), FileTrouble> {
        match Stamp::of(&self.path) {
            Ok(now) if now == self.opened => Ok(()),
            Ok(_) => Err(FileTrouble::Changed),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(FileTrouble::Gone),
            Err(error) => Err(FileTrouble::Unreachable(error.to_string())),
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            length_bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_and_removal_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svs");
        std::fs::write(&path, b"one").unwrap();
        let watch = FileWatch::new(&path).unwrap();
        assert_eq!(watch.verify(), Ok(()));
        std::fs::write(&path, b"longer").unwrap();
        assert_eq!(watch.verify(), Err(FileTrouble::Changed));
        assert_eq!(
            watch.verify_sometimes(),
            Err(FileTrouble::Changed),
            "the verdict is kept"
        );
        std::fs::remove_file(&path).unwrap();
        assert_eq!(watch.verify(), Err(FileTrouble::Gone));
    }

    #[test]
    fn a_successful_read_does_not_ask_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svs");
        std::fs::write(&path, b"one").unwrap();
        let watch = FileWatch::new(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(watch.verify_sometimes(), Ok(()));
    }
}
