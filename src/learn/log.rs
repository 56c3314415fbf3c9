//! What each step was like, as a table on disk.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files;

/// What a step says of itself: a line of the table.
pub trait Line: Serialize + DeserializeOwned {
    /// Number of the step, from 0.
    fn step(&self) -> u64;
}

/// The table of a run, open for more lines.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl Log {
    /// Opens the table at `path` for a run that goes on with step `next`: lines from there on
    /// are of work that was lost, and go.
    ///
    /// # Errors
    /// When the file can't be read or written; the message names it.
    pub fn open<L: Line>(path: &Path, next: u64) -> Result<Self, String> {
        let kept: Vec<L> = match next {
            0 => Vec::new(),
            _ => read::<L>(path)?
                .into_iter()
                .filter(|line| line.step() < next)
                .collect(),
        };
        let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let file = files::beside(path).map_err(|e| words(&e))?;
        let mut writer = csv::Writer::from_writer(file);
        for row in kept {
            writer.serialize(row).map_err(|e| words(&e))?;
        }
        let file = writer.into_inner().map_err(|e| words(&e))?;
        files::keep(file, path).map_err(|e| words(&e))?;
        let file = File::options()
            .append(true)
            .open(path)
            .map_err(|e| words(&e))?;
        let length = file.metadata().map_err(|e| words(&e))?.len();
        Ok(Self {
            path: path.to_owned(),
            // The first line of a new table is its header.
            writer: csv::WriterBuilder::new()
                .has_headers(length == 0)
                .from_writer(file),
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn push<L: Line>(&mut self, line: &L) -> Result<(), String> {
        let written = self.writer.serialize(line).map_err(|e| e.to_string());
        let flushed = written.and_then(|()| self.writer.flush().map_err(|e| e.to_string()));
        flushed.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// All whole lines of the table at `path`. A last line that was cut off by a kill is left out.
///
/// # Errors
/// When the file can't be read.
pub fn read<L: Line>(path: &Path) -> Result<Vec<L>, String> {
    let reader = csv::Reader::from_path(path);
    let mut reader = reader.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(reader.deserialize().map_while(Result::ok).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Row {
        step: u64,
        loss: f32,
        rank: Option<f64>,
    }

    impl Line for Row {
        fn step(&self) -> u64 {
            self.step
        }
    }

    fn row(step: u64) -> Row {
        Row {
            step,
            loss: 1.5,
            rank: step.is_multiple_of(2).then_some(17.5),
        }
    }

    #[test]
    fn lost_work_and_cut_lines_go_when_a_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let mut log = Log::open::<Row>(&path, 0).unwrap();
        (0..6).for_each(|step| log.push(&row(step)).unwrap());
        drop(log);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("6,1.5");
        std::fs::write(&path, text).unwrap();
        let mut log = Log::open::<Row>(&path, 4).unwrap();
        log.push(&row(4)).unwrap();
        drop(log);
        assert_eq!(
            read::<Row>(&path).unwrap(),
            (0..5).map(row).collect::<Vec<_>>()
        );
        let missing = folder.path().join("no.csv");
        assert!(
            Log::open::<Row>(&missing, 3)
                .unwrap_err()
                .contains("no.csv")
        );
    }
}
