//! The program itself, run in a folder.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// Runs it to its end.
pub fn parfocal(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parfocal"));
    command.current_dir(folder).args(args).output().unwrap()
}

/// What it printed, having succeeded.
pub fn succeeds(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// That it failed, with all of `words` in its message.
pub fn fails(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no '{word}' in: {stderr}");
    }
}
