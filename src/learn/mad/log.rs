//! What each step was like, as a table on disk.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::trainer::StepReport;
use crate::files;

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
    pub fn open(path: &Path, next: u64) -> Result<Self, String> {
        let kept: Vec<StepReport> = match next {
            0 => Vec::new(),
            _ => read(path)?.into_iter().filter(|r| r.step < next).collect(),
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
    pub fn push(&mut self, report: &StepReport) -> Result<(), String> {
        let written = self.writer.serialize(report).map_err(|e| e.to_string());
        let flushed = written.and_then(|()| self.writer.flush().map_err(|e| e.to_string()));
        flushed.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// All whole lines of the table at `path`. A last line that was cut off by a kill is left out.
///
/// # Errors
/// When the file can't be read.
pub fn read(path: &Path) -> Result<Vec<StepReport>, String> {
    let reader = csv::Reader::from_path(path);
    let mut reader = reader.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(reader.deserialize().map_while(Result::ok).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64) -> StepReport {
        StepReport {
            step,
            loss: 1.5,
            global: 1.0,
            context: 0.5,
            tokens: 0.25,
            koleo: 0.1,
            contrast: 0.0,
            gradient: 2.0,
            learning_rate: 1e-3,
            momentum: 0.99,
            temperature: 0.04,
            children: 12,
            rank_class: step.is_multiple_of(2).then_some(17.5),
            rank_tokens: None,
            seconds: 0.5,
            waited: 0.1,
        }
    }

    #[test]
    fn lost_work_and_cut_lines_go_when_a_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let mut log = Log::open(&path, 0).unwrap();
        (0..6).for_each(|step| log.push(&row(step)).unwrap());
        drop(log);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("6,1.5,1.0");
        std::fs::write(&path, text).unwrap();
        let mut log = Log::open(&path, 4).unwrap();
        log.push(&row(4)).unwrap();
        drop(log);
        assert_eq!(read(&path).unwrap(), (0..5).map(row).collect::<Vec<_>>());
        let missing = folder.path().join("no.csv");
        assert!(Log::open(&missing, 3).unwrap_err().contains("no.csv"));
    }
}
