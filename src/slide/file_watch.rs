//! Notices that a slide's files were changed or removed while the program has them open.

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
    /// Something happened to one of the slide's other files: its name, and what.
    #[error("{0}, a part of the slide: {1}")]
    Other(String, Box<FileTrouble>),
}

/// Length and modification time of a slide's files, remembered from when it was opened.
#[derive(Debug)]
pub struct FileWatch {
    /// The file that was opened.
    opened: Watched,
    others: Vec<Watched>,
    last: Mutex<Verdict>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    stamp: Stamp,
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
            opened: Watched::new(path.to_owned())?,
            others: Vec::new(),
            last,
        })
    }

    /// Remembers how the slide's other files look now too; those that are not there are left out.
    #[must_use]
    pub fn with_others(mut self, paths: Vec<PathBuf>) -> Self {
        let watched = paths.into_iter().map(Watched::new);
        self.others = watched.filter_map(Result::ok).collect();
        self
    }

    /// Asks the file system whether the files are still those that were opened.
    ///
    /// # Errors
    /// What happened to one of them.
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
        self.opened.compare()?;
        let of_others = |other: &Watched| {
            let name = || super::short_name(&other.path);
            other
                .compare()
                .map_err(|trouble| FileTrouble::Other(name(), Box::new(trouble)))
        };
        self.others.iter().try_for_each(of_others)
    }
}

impl Watched {
    fn new(path: PathBuf) -> std::io::Result<Self> {
        let stamp = Stamp::of(&path)?;
        Ok(Self { path, stamp })
    }

    fn compare(&self) -> Result<(), FileTrouble> {
        match Stamp::of(&self.path) {
            Ok(now) if now == self.stamp => Ok(()),
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
    fn the_other_files_are_watched_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.mrxs"), b"one").unwrap();
        std::fs::write(path("Data0.dat"), b"two").unwrap();
        let others = vec![path("Data0.dat"), path("missing.dat")];
        let watch = FileWatch::new(&path("a.mrxs")).unwrap().with_others(others);
        assert_eq!(watch.verify(), Ok(()));
        std::fs::remove_file(path("Data0.dat")).unwrap();
        let said = watch.verify().unwrap_err().to_string();
        assert!(
            said.starts_with("Data0.dat, a part of the slide: the file is gone"),
            "{said}"
        );
        std::fs::remove_file(path("a.mrxs")).unwrap();
        assert_eq!(
            watch.verify(),
            Err(FileTrouble::Gone),
            "the file itself first"
        );
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
