//! Lists folders on short threads: a folder on a network may take a minute to answer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No more entries of a folder are looked at.
const MOST_ENTRIES: usize = 20_000;

/// So many folders may be waited for; a thread stuck on a dead network can't be stopped.
const MOST_THREADS: usize = 6;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_folder: bool,
}

/// What a folder holds, or why that can't be told.
pub type Listing = Result<Arc<[Entry]>, String>;

#[derive(Debug, Default)]
struct Shared {
    /// The folder asked for last.
    wanted: Option<PathBuf>,
    /// Counts the questions, so that an answer to an earlier one is known as such.
    question: u64,
    answer: Option<Listing>,
    threads: usize,
}

/// Answers for the folder asked for last; clones share it.
#[derive(Debug, Clone, Default)]
pub struct FolderLister {
    shared: Arc<Mutex<Shared>>,
}

impl FolderLister {
    /// What `folder` holds, folders first; `None` while it is being read. Asking for another
    /// folder drops the earlier question. `wake` is called when the answer is there.
    pub fn list(&self, folder: &Path, wake: impl Fn() + Send + 'static) -> Option<Listing> {
        let mut shared = self.lock();
        if shared.wanted.as_deref() == Some(folder) {
            return shared.answer.clone();
        }
        shared.wanted = Some(folder.to_path_buf());
        shared.question += 1;
        shared.answer = None;
        if shared.threads < MOST_THREADS {
            shared.threads += 1;
            let lister = self.clone();
            let thread = std::thread::Builder::new().name("folder-list".into());
            if let Err(error) = thread.spawn(move || lister.run(&wake)) {
                shared.threads -= 1;
                shared.answer = Some(Err(error.to_string()));
            }
        }
        shared.answer.clone()
    }

    /// Forgets the answer, so that the next question reads the folder anew.
    pub fn forget(&self) {
        let mut shared = self.lock();
        shared.wanted = None;
        shared.answer = None;
    }

    /// Answers questions until the newest one is answered.
    fn run(&self, wake: &dyn Fn()) {
        loop {
            let (question, folder) = {
                let mut shared = self.lock();
                match (&shared.answer, shared.wanted.clone()) {
                    (None, Some(folder)) => (shared.question, folder),
                    _ => {
                        shared.threads -= 1;
                        return;
                    }
                }
            };
            let listing = read(&folder);
            let mut shared = self.lock();
            if shared.question == question {
                shared.answer = Some(listing);
                drop(shared);
                wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names that are not Unicode can't be typed either and are left out.
fn read(folder: &Path) -> Listing {
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let entry = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        // Follows links, as opening does.
        let is_folder = std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        Some(Entry { name, is_folder })
    };
    let mut entries: Vec<Entry> = entries
        .flatten()
        .take(MOST_ENTRIES)
        .filter_map(entry)
        .collect();
    entries.sort_by_cached_key(|entry| (!entry.is_folder, entry.name.to_lowercase()));
    Ok(entries.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn answer(lister: &FolderLister, folder: &Path) -> Listing {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if let Some(listing) = lister.list(folder, || {}) {
                return listing;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("no answer".into())
    }

    #[test]
    fn folders_come_first_and_names_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.svs", "A.tiff", "ö.ndpi"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("zebra")).unwrap();
        let listing = answer(&FolderLister::default(), folder.path()).unwrap();
        let names: Vec<_> = listing
            .iter()
            .map(|entry| (entry.name.as_str(), entry.is_folder))
            .collect();
        assert_eq!(
            names,
            [
                ("zebra", true),
                ("A.tiff", false),
                ("b.svs", false),
                ("ö.ndpi", false)
            ]
        );
    }

    #[test]
    fn the_newest_question_is_the_one_that_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let lister = FolderLister::default();
        for n in 0..50 {
            let _ = lister.list(&folder.path().join(n.to_string()), || {});
        }
        std::fs::write(folder.path().join("here"), "").unwrap();
        assert_eq!(answer(&lister, folder.path()).unwrap().len(), 1);
        assert!(answer(&lister, &folder.path().join("missing")).is_err());
    }
}
