//! The thread that owns the file.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rusqlite::{Connection, ErrorCode};

use super::database;
use super::error::StoreError;
use super::records::{Change, Preset, SlideRecords};
use super::schema;
use super::store::StoreEvent;
use crate::slide::SlideHash;

/// Time after which changes that could not be stored are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What the thread is asked for.
pub(super) enum Command {
    Put(Change),
    Load(SlideHash, Sender<Result<SlideRecords, StoreError>>),
    Presets(Sender<Result<Vec<Preset>, StoreError>>),
    /// Tells whether all is stored.
    Flush(Sender<bool>),
}

/// Opens the file at `path` and does what is asked for until nobody can ask any more.
pub(super) fn run(path: &Path, commands: &Receiver<Command>, events: &Sender<StoreEvent>) {
    let tell = |event: StoreEvent| {
        tracing::warn!(?event, "annotations");
        if let Err(TrySendError::Full(event)) = events.try_send(event) {
            tracing::error!(?event, "nobody looks at what the annotation store says");
        }
    };
    let mut writer = Writer {
        path,
        tell: &tell,
        file: open(path, &tell),
        waiting: VecDeque::new(),
        told: false,
    };
    loop {
        match commands.recv_timeout(RETRY) {
            Ok(command) => writer.obey(command),
            Err(RecvTimeoutError::Timeout) => writer.write_waiting(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    writer.write_waiting();
}

fn open(path: &Path, tell: &dyn Fn(StoreEvent)) -> Result<Connection, StoreError> {
    let folder = path.parent().unwrap_or(path);
    let made = std::fs::create_dir_all(folder).map_err(|error| StoreError::File {
        path: folder.to_owned(),
        reason: format!("the folder can't be made: {error}"),
    });
    let opened = made.and_then(|()| schema::open(path));
    let opened = opened.inspect_err(|error| tell(StoreEvent::Failed(error.clone())))?;
    opened
        .set_aside
        .map(StoreEvent::SetAside)
        .into_iter()
        .for_each(tell);
    Ok(opened.connection)
}

struct Writer<'a> {
    path: &'a Path,
    tell: &'a dyn Fn(StoreEvent),
    file: Result<Connection, StoreError>,
    /// Changes not stored yet, the oldest first.
    waiting: VecDeque<Change>,
    /// Whether it was said that some wait.
    told: bool,
}

impl Writer<'_> {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Put(change) => {
                self.waiting.push_back(change);
                self.write_waiting();
            }
            // Who no longer listens needs no answer.
            Command::Load(slide, answer) => {
                let _ = answer.send(self.read(|file| database::slide(file, &slide)));
            }
            Command::Presets(answer) => {
                let _ = answer.send(self.read(|file| database::presets(file)));
            }
            Command::Flush(answer) => {
                self.write_waiting();
                let _ = answer.send(self.file.is_ok() && self.waiting.is_empty());
            }
        }
    }

    fn read<T>(
        &mut self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let file = self.file.as_mut().map_err(|error| error.clone())?;
        job(file).map_err(|error| StoreError::File {
            path: self.path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Stores what waits, in order, until something is in the way.
    fn write_waiting(&mut self) {
        while let (Ok(file), Some(change)) = (&mut self.file, self.waiting.front()) {
            match database::write(file, change) {
                Ok(()) => self.told = false,
                Err(error) => {
                    let passes = may_pass(&error);
                    if !passes || !self.told {
                        self.told = passes;
                        (self.tell)(StoreEvent::Failed(StoreError::Change {
                            path: self.path.to_owned(),
                            what: change.what().to_owned(),
                            reason: error.to_string(),
                        }));
                    }
                    if passes {
                        return;
                    }
                }
            }
            self.waiting.pop_front();
        }
        // Without a file nothing will change until the program is started again.
        if let (Err(error), false) = (&self.file, self.waiting.is_empty()) {
            (self.tell)(StoreEvent::Failed(error.clone()));
            self.waiting.clear();
        }
    }
}

/// Whether trying again may help: the change is not at fault.
fn may_pass(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
        )
    )
}
