//! Files that are there whole or not at all.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes `bytes` to `path`: a reader sees the old file or the whole new one, never a part, also
/// after the power failed.
///
/// # Errors
/// When the folder does not exist or can't be written to.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A device or a pipe is written into; renaming would replace it by a file.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return std::fs::write(path, bytes);
    }
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    keep(file, path)
}

/// The text of a file that is not longer than `most_bytes`.
///
/// # Errors
/// When it can't be read, is longer, or is no text.
pub fn read_at_most(path: &Path, most_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    io::Read::take(file, most_bytes + 1).read_to_string(&mut text)?;
    match text.len() as u64 > most_bytes {
        true => Err(io::Error::other(format!("longer than {most_bytes} bytes"))),
        false => Ok(text),
    }
}

/// An empty file in the folder of `path`, which goes away unless it is kept.
///
/// # Errors
/// When the folder does not exist or can't be written to.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".parfocal-").suffix(".part");
    // The usual permissions, of which the umask takes its part: results are no secrets.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let folder = folder_of(path);
    let file = builder.tempfile_in(&folder);
    file.map_err(|error| without_passing_name(&folder, &error))
}

/// The same error in words about the folder: the file's passing name tells nobody anything.
fn without_passing_name(folder: &Path, error: &io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        let words = format!("there is no folder {}", folder.display());
        return io::Error::new(error.kind(), words);
    }
    let words = format!("in the folder {}: {}", folder.display(), error.kind());
    io::Error::new(error.kind(), words)
}

/// Gives a finished file its name, once its bytes are on the disk.
///
/// # Errors
/// When something is in the way that can't be replaced.
pub fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    // The new name lasts once the folder is on disk too; where folders can't be synced, the
    // system sees to it.
    if let Ok(folder) = std::fs::File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Bytes, such as a hash, as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_file_replaces_the_old_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_and_no_passing_file() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such");
        let said = write_whole(&missing.join("a.bin"), b"x")
            .unwrap_err()
            .to_string();
        assert_eq!(said, format!("there is no folder {}", missing.display()));
        // A file in the place of the folder.
        std::fs::write(folder.path().join("plain"), b"").unwrap();
        let inside = folder.path().join("plain/a.bin");
        let said = write_whole(&inside, b"x").unwrap_err().to_string();
        assert!(said.contains("plain") && !said.contains(".part"), "{said}");
    }
}
