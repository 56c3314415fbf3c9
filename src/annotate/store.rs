//! What a user would cry over losing, written as it is made, on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::error::StoreError;
use super::records::{Change, Preset, SlideRecords};
use super::writer::{self, Command};
use crate::slide::SlideHash;

/// Name of the file in its folder.
const FILE_NAME: &str = "annotations.sqlite";

/// Changes that may wait for the disk before the window would.
const WAITING: usize = 4096;

/// Events that wait to be looked at; later ones are only logged.
const EVENTS: usize = 256;

/// Something that the user has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// The file was damaged and is kept under this name; a new one is begun.
    SetAside(PathBuf),
    /// What failed. Changes that the disk or another program is in the way of are tried again.
    Failed(StoreError),
}

/// `annotations.sqlite` in a folder, behind the thread `annotation-store`.
///
/// A change is one transaction, made at once. What is committed survives the end of the program
/// at any moment and, as far as the disk tells the truth, a power cut. Several programs may use
/// one file at a time.
pub struct Store {
    path: PathBuf,
    /// `None` once the store is being closed.
    commands: Option<Sender<Command>>,
    events: Receiver<StoreEvent>,
    thread: Option<JoinHandle<()>>,
    told_end: AtomicBool,
}

impl Store {
    /// Starts the thread, which makes the folder and opens the file. What is wrong with the file
    /// comes as an event; until that is mended nothing is kept.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let (commands, to_do) = bounded(WAITING);
        let (tell, events) = bounded(EVENTS);
        let for_thread = path.clone();
        let thread = std::thread::Builder::new()
            .name("annotation-store".to_owned())
            .spawn(move || writer::run(&for_thread, &to_do, &tell))
            .map_err(|error| StoreError::File {
                path: path.clone(),
                reason: format!("no thread can be started: {error}"),
            })?;
        Ok(Self {
            path,
            commands: Some(commands),
            events,
            thread: Some(thread),
            told_end: AtomicBool::new(false),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has a change stored. Waits only where thousands wait already.
    pub fn put(&self, change: Change) {
        if !self.send(Command::Put(change)) {
            tracing::error!("{}", self.ended());
        }
    }

    /// Asks for all that is kept of a slide, with what was put before.
    pub fn load(&self, slide: SlideHash) -> Receiver<Result<SlideRecords, StoreError>> {
        let (answer, answers) = bounded(1);
        if !self.send(Command::Load(slide, answer.clone())) {
            let _ = answer.send(Err(self.ended()));
        }
        answers
    }

    /// Asks for all presets, by name, with those put before.
    pub fn presets(&self) -> Receiver<Result<Vec<Preset>, StoreError>> {
        let (answer, answers) = bounded(1);
        if !self.send(Command::Presets(answer.clone())) {
            let _ = answer.send(Err(self.ended()));
        }
        answers
    }

    /// Waits until all that was put before is tried. Tells whether nothing is left to store: not
    /// so while a change waits for the disk or another program, and without a file.
    pub fn flush(&self) -> bool {
        let (answer, answers) = bounded(1);
        self.send(Command::Flush(answer)) && answers.recv().unwrap_or(false)
    }

    /// The next thing that the user has to know.
    pub fn take_event(&self) -> Option<StoreEvent> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            // The thread is at fault and gone: told once.
            Err(TryRecvError::Disconnected) => {
                let told = self.told_end.swap(true, Ordering::Relaxed);
                (!told).then(|| StoreEvent::Failed(self.ended()))
            }
        }
    }

    fn send(&self, command: Command) -> bool {
        let commands = self.commands.as_ref();
        commands.is_some_and(|commands| commands.send(command).is_ok())
    }

    fn ended(&self) -> StoreError {
        StoreError::Ended {
            path: self.path.clone(),
        }
    }
}

impl Drop for Store {
    /// Waits until all is written.
    fn drop(&mut self) {
        self.commands = None;
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("annotations may not have been stored");
        }
    }
}
