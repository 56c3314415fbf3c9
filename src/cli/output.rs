//! Writing results: whole files or none, and text that may meet a closed pipe.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// Writes `bytes` to `path`: a reader sees the old file or the whole new one, never a part.
///
/// # Errors
/// When the folder does not exist or can't be written to; the message names the file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("{} can't be written", path.display());
    // A device or a pipe is written into; renaming would replace it by a file.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return std::fs::write(path, bytes).with_context(cannot);
    }
    let mut file = beside(path).with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    keep(file, path)
}

/// An empty file in the folder of `path`, which goes away unless it is kept.
///
/// # Errors
/// When the folder does not exist or can't be written to.
pub fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".parfocal-").suffix(".part");
    // The usual permissions, of which the umask takes its part: results are no secrets.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// Gives a finished file its name.
///
/// # Errors
/// When something is in the way that can't be replaced; the message names the file.
pub fn keep(file: NamedTempFile, path: &Path) -> anyhow::Result<()> {
    let kept = file.persist(path).map_err(|failed| failed.error);
    kept.with_context(|| format!("{} can't be written", path.display()))?;
    Ok(())
}

/// Refuses to write over the slide that is read.
///
/// # Errors
/// When both are the same file.
pub fn refuse_same_file(slide: &Path, output: &Path) -> anyhow::Result<()> {
    let same = slide
        .canonicalize()
        .is_ok_and(|slide| output.canonicalize().is_ok_and(|output| output == slide));
    anyhow::ensure!(
        !same,
        "{} is the slide itself: name another output",
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

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
