//! Saves settings and session on a thread of its own, so that the window never waits for a disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Folder, Saved};

/// Time between two writes: a picture that moves changes the session with every frame.
const PAUSE: Duration = Duration::from_secs(1);

/// The newest values that are not written yet.
#[derive(Default)]
struct Slot {
    newest: Option<Saved>,
    /// Why the last write failed, until someone has asked.
    failure: Option<String>,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // The slot's values are replaced whole, so a poisoned slot is still sound.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the newest values in the background; dropping it writes what is left and waits for it.
pub struct Saver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: Folder) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("saver".into());
        let thread = builder.spawn(move || run(&for_thread, &folder))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Has values written soon; newer ones replace those that wait. Never waits itself.
    pub fn save(&self, newest: Saved) {
        self.shared.lock().newest = Some(newest);
        self.shared.changed.notify_one();
    }

    /// Why the last write failed, told once.
    pub fn take_failure(&self) -> Option<String> {
        self.shared.lock().failure.take()
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_one();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("settings may not have been saved");
        }
    }
}

fn run(shared: &Shared, folder: &Folder) {
    let mut on_disk: Option<Saved> = None;
    loop {
        let slot = shared.lock();
        let idle = |slot: &mut Slot| slot.newest.is_none() && !slot.stopping;
        let mut slot = shared
            .changed
            .wait_while(slot, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = slot.newest.take() else {
            return;
        };
        drop(slot);
        match write(folder, &newest, on_disk.as_ref()) {
            Ok(()) => on_disk = Some(newest),
            Err(error) => {
                tracing::warn!("{error:#}");
                shared.lock().failure = Some(format!("{error:#}"));
            }
        }
        // A pause that the end of the program cuts short.
        let slot = shared.lock();
        let _ = shared
            .changed
            .wait_timeout_while(slot, PAUSE, |slot| !slot.stopping);
    }
}

/// Writes what differs from what this thread wrote before.
fn write(folder: &Folder, newest: &Saved, on_disk: Option<&Saved>) -> anyhow::Result<()> {
    let settings = if on_disk.is_none_or(|old| old.settings != newest.settings) {
        folder.save_settings(&newest.settings)
    } else {
        Ok(())
    };
    if on_disk.is_none_or(|old| old.session != newest.session) {
        folder.save_session(&newest.session)?;
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Settings;

    fn saved(tile_cache_mib: u64) -> Saved {
        let mut saved = Saved {
            settings: Settings {
                tile_cache_mib: Some(tile_cache_mib),
                ..Settings::default()
            },
            ..Saved::default()
        };
        saved.session.note_opened(std::path::Path::new("last.svs"));
        saved
    }

    #[test]
    fn the_newest_value_is_on_disk_when_the_saver_is_gone() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = Folder::at(temporary.path().to_path_buf());
        let saver = Saver::start(folder.clone()).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let saver = &saver;
                scope.spawn(move || {
                    (0..200).for_each(|n| saver.save(saved(1000 * writer + n + 100)))
                });
            }
        });
        saver.save(saved(9999));
        drop(saver);
        let (loaded, notices) = folder.load();
        assert_eq!((loaded, notices), (saved(9999), Vec::new()));
        // Nothing but the two files is left behind.
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_failure_is_told_once() {
        let temporary = tempfile::tempdir().unwrap();
        let blocked = temporary.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let saver = Saver::start(Folder::at(blocked.join("below"))).unwrap();
        saver.save(saved(100));
        let told = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(10));
            saver.take_failure()
        });
        assert!(told.take(500).flatten().next().is_some());
        assert!(saver.take_failure().is_none());
    }
}
