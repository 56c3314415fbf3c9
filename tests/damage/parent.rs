//! The parent's side: starts children, and notices which file ends one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::{FIRST, JOBS, Job};
use crate::shared_data;

/// No file may take longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Nor more memory than this.
const LIMIT_KIB: u64 = 1 << 20;

#[derive(Debug, Default)]
pub struct Tally {
    pub refused: Vec<String>,
    pub opened: usize,
    pub with_unreadable_parts: usize,
    pub peak_kib: u64,
    pub crimes: Vec<String>,
}

/// Opens every file in child processes. Fails where one crashed, hung or took too much memory.
pub fn survive(what: &str, jobs: &[Job]) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("jobs");
    let lines: Vec<String> = jobs.iter().map(Job::to_line).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    let mut tally = Tally::default();
    let mut next = 0;
    while next < jobs.len() {
        next = run_child(&list, next, jobs, &mut tally);
    }
    if tally.peak_kib == 0 {
        shared_data::say_skipped("this system does not say how much memory a file took");
    }
    println!(
        "{what}: {} files, {} refused, {} opened ({} with unreadable parts), peak {} MiB",
        jobs.len(),
        tally.refused.len(),
        tally.opened,
        tally.with_unreadable_parts,
        tally.peak_kib >> 10
    );
    assert!(
        tally.crimes.is_empty(),
        "{what}:\n{}",
        tally.crimes.join("\n")
    );
    tally
}

/// Runs the files from `first` on until the list ends or one of them ends the child. Returns the
/// first file that was not started.
fn run_child(list: &Path, first: usize, jobs: &[Job], tally: &mut Tally) -> usize {
    let (mut child, lines) = spawn_child(list, first);
    let mut current: Option<usize> = None;
    let crime = loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if line.starts_with("@done") => break None,
            Ok(line) => {
                if let Some(index) = line.strip_prefix("@begin ") {
                    current = index.trim().parse().ok();
                } else if let Some(outcome) = line.strip_prefix("@end ") {
                    note(outcome, &jobs[current.unwrap()], tally);
                }
            }
            Err(RecvTimeoutError::Timeout) => break Some("hung"),
            Err(_) => break Some("crashed"),
        }
    };
    let Some(crime) = crime else {
        child.wait().unwrap();
        return jobs.len();
    };
    let _ = child.kill();
    let status = child.wait().unwrap();
    let guilty = current.expect("the child did not begin");
    tally
        .crimes
        .push(format!("{crime} ({status}): {:?}", jobs[guilty]));
    guilty + 1
}

fn spawn_child(list: &Path, first: usize) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(JOBS, list)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // The test runner writes before the first of our lines, without a line break.
            if let Some(at) = line.find('@') {
                let _ = sender.send(line[at..].to_owned());
            }
        }
    });
    (child, receiver)
}

fn note(outcome: &str, job: &Job, tally: &mut Tally) {
    let mut parts = outcome.splitn(3, ' ');
    let peak_kib: u64 = parts.next().unwrap().parse().unwrap();
    tally.peak_kib = tally.peak_kib.max(peak_kib);
    if peak_kib > LIMIT_KIB {
        tally
            .crimes
            .push(format!("took {} MiB: {job:?}", peak_kib >> 10));
    }
    match (parts.next(), parts.next()) {
        (Some("opened"), unreadable) => {
            tally.opened += 1;
            tally.with_unreadable_parts += usize::from(unreadable != Some("0"));
        }
        (_, error) => tally.refused.push(error.unwrap_or_default().to_owned()),
    }
}
