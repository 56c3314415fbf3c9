//! Writing results: whole files or none, and text that may meet a closed pipe.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::files;

/// Writes `bytes` to `path`: a reader sees the old file or the whole new one, never a part.
///
/// # Errors
/// When the folder does not exist or can't be written to; the message names the file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    files::write_whole(path, bytes).with_context(|| format!("{} can't be written", path.display()))
}

/// Refuses to write over what is read: the slide, weights.
///
/// # Errors
/// When both are the same file.
pub fn refuse_same_file(input: &Path, output: &Path) -> anyhow::Result<()> {
    let same = input
        .canonicalize()
        .is_ok_and(|input| output.canonicalize().is_ok_and(|output| output == input));
    anyhow::ensure!(
        !same,
        "{} is what this command reads: name another output",
        output.display()
    );
    Ok(())
}

/// Prints to stdout.
///
/// # Errors
/// When stdout is closed, as by `head`.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
