//! The file: how it is opened, brought up to date, and set aside when it is damaged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::StoreError;

/// How long another program may hold the file before a write is tried anew.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A step from each version of the format to the next; 0 is an empty file. Steps that were
/// released never change.
pub(super) const STEPS: [&str; 2] = [
    "
    CREATE TABLE slides (
        hash TEXT PRIMARY KEY,
        mpp_x REAL,
        mpp_y REAL,
        CHECK ((mpp_x IS NULL) = (mpp_y IS NULL))
    ) STRICT;
    CREATE TABLE strokes (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
        slide TEXT NOT NULL REFERENCES slides(hash),
        class TEXT NOT NULL,
        radius_px REAL NOT NULL,
        points_px BLOB NOT NULL CHECK (length(points_px) % 16 = 0),
        model_hash TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        erased INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX strokes_by_slide ON strokes(slide, number);
    CREATE TABLE verdicts (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
        slide TEXT NOT NULL REFERENCES slides(hash),
        left_px REAL NOT NULL,
        top_px REAL NOT NULL,
        right_px REAL NOT NULL,
        bottom_px REAL NOT NULL,
        area_px REAL NOT NULL,
        kind TEXT NOT NULL,
        score REAL NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('accept', 'flag')),
        note TEXT NOT NULL,
        model_hash TEXT NOT NULL,
        magnification_a REAL NOT NULL,
        magnification_b REAL NOT NULL,
        created_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX verdicts_by_slide ON verdicts(slide, number);
    CREATE TABLE presets (
        model_hash TEXT NOT NULL,
        name TEXT NOT NULL,
        bias TEXT NOT NULL,
        note TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        PRIMARY KEY (model_hash, name)
    ) STRICT;
",
    // A note without a judgement, and what each map says. A check can't be changed in place.
    "
    CREATE TABLE verdicts_with_notes (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
        slide TEXT NOT NULL REFERENCES slides(hash),
        left_px REAL NOT NULL,
        top_px REAL NOT NULL,
        right_px REAL NOT NULL,
        bottom_px REAL NOT NULL,
        area_px REAL NOT NULL,
        kind TEXT NOT NULL,
        score REAL NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('accept', 'flag', 'note')),
        note TEXT NOT NULL,
        model_hash TEXT NOT NULL,
        magnification_a REAL NOT NULL,
        magnification_b REAL NOT NULL,
        created_ms INTEGER NOT NULL,
        map_a TEXT NOT NULL DEFAULT '',
        class_a TEXT NOT NULL DEFAULT '',
        map_b TEXT NOT NULL DEFAULT '',
        class_b TEXT NOT NULL DEFAULT ''
    ) STRICT;
    INSERT INTO verdicts_with_notes
            (number, id, slide, left_px, top_px, right_px, bottom_px, area_px, kind, score,
             decision, note, model_hash, magnification_a, magnification_b, created_ms)
        SELECT number, id, slide, left_px, top_px, right_px, bottom_px, area_px, kind, score,
             decision, note, model_hash, magnification_a, magnification_b, created_ms
        FROM verdicts;
    DROP TABLE verdicts;
    ALTER TABLE verdicts_with_notes RENAME TO verdicts;
    CREATE INDEX verdicts_by_slide ON verdicts(slide, number);
",
];

/// A file that is ready, and where a damaged one before it was put.
#[derive(Debug)]
pub(super) struct Opened {
    pub connection: Connection,
    pub set_aside: Option<PathBuf>,
}

/// Opens the file, making it or bringing it up to date where needed. A damaged one gets another
/// name and a new one is begun.
///
/// A change that was committed survives the end of the program at any moment, as it is in the
/// file's log by then. It survives a power cut too, as the log is synced with every change
/// (`synchronous = FULL`), as far as the disk tells the truth about having written.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    match attempt(path) {
        Err(Problem::Damaged) => {
            let set_aside = set_aside(path).map_err(|error| failed(path, error))?;
            let connection = attempt(path).map_err(|problem| problem.of(path))?;
            Ok(Opened {
                connection,
                set_aside: Some(set_aside),
            })
        }
        Err(problem) => Err(problem.of(path)),
        Ok(connection) => Ok(Opened {
            connection,
            set_aside: None,
        }),
    }
}

#[derive(Debug)]
enum Problem {
    Damaged,
    Newer(i64),
    Other(rusqlite::Error),
}

impl Problem {
    fn of(self, path: &Path) -> StoreError {
        match self {
            Self::Damaged => failed(path, "it is damaged, and so is the new one"),
            Self::Newer(found) => StoreError::Newer {
                path: path.to_owned(),
                found,
                known: STEPS.len() as i64,
            },
            Self::Other(error) => failed(path, error),
        }
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            _ => Self::Other(error),
        }
    }
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn attempt(path: &Path) -> Result<Connection, Problem> {
    // A newer file is not even opened for writing.
    if std::fs::metadata(path).is_ok_and(|there| there.len() > 0) {
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        refuse_newer(&reader, STEPS.len())?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    to_wal(&connection)?;
    migrate(&mut connection, &STEPS)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" {
        Ok(connection)
    } else {
        Err(Problem::Damaged)
    }
}

/// Two programs that begin a file at once get in each other's way here, and the wait for a busy
/// file does not apply.
fn to_wal(connection: &Connection) -> Result<(), Problem> {
    let mut tries = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && tries < 100 => {
                tries += 1;
                std::thread::sleep(BUSY_TIMEOUT / 100);
            }
            result => return Ok(result?),
        }
    }
}

/// Whether another program is at the file.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn refuse_newer(connection: &Connection, known: usize) -> Result<usize, Problem> {
    let found = version(connection)?;
    match usize::try_from(found) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(Problem::Newer(found)),
    }
}

/// Takes the steps that the file has not taken yet, all or none.
fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), Problem> {
    if refuse_newer(connection, steps.len())? == steps.len() {
        return Ok(());
    }
    // Another program may do the same: the version is read again once the file is ours.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = refuse_newer(&transaction, steps.len())?;
    for step in &steps[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    Ok(transaction.commit()?)
}

/// Gives a damaged file, with its log, a name that nothing has.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = |n: u32, end: &str| path.with_file_name(format!("{stem}.damaged-{n}.sqlite{end}"));
    let free = |n: &u32| !name(*n, "").exists() && !name(*n, "-wal").exists();
    let Some(n) = (1..10_000).find(free) else {
        return Err(std::io::Error::other("too many damaged files beside it"));
    };
    // The log first: beside a new file it would be taken for that one's.
    for end in ["-wal", "-shm", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(end);
        match std::fs::rename(&from, name(n, end)) {
            Err(error) if end.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(name(n, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_taken_once_and_a_failed_one_leaves_the_file_as_it_was() {
        let mut file = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"];
        migrate(&mut file, &steps[..1]).unwrap();
        file.execute("INSERT INTO a VALUES (7)", []).unwrap();
        assert!(migrate(&mut file, &["", "ALTER TABLE a ADD COLUMN y", "nonsense"]).is_err());
        assert_eq!(version(&file).unwrap(), 1);
        migrate(&mut file, &steps).unwrap();
        migrate(&mut file, &steps).unwrap();
        let row = file.query_row("SELECT x, y FROM a", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        assert_eq!(row.unwrap(), (7, None));
        assert!(matches!(
            migrate(&mut file, &steps[..1]),
            Err(Problem::Newer(2))
        ));
    }
}
