//! Opens whatever a user names: a slide, a DICOM folder, a picture.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::image_file::ImageFileSource;
use super::openslide::{OpenSlideSource, detect_vendor};
use super::{SlideError, SlideSource, tiff_resolution};

/// How long a reader may take to open a slide before the user is told.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// What Git stores in place of a large file that was not fetched begins with this.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Files of these names are a scanner's. Where OpenSlide does not recognise one, it is damaged or
/// cut off, and its first picture is not what the user means to see.
const SCANNER_EXTENSIONS: [&str; 9] = [
    "bif", "dcm", "mrxs", "ndpi", "scn", "svs", "svslide", "vms", "vmu",
];

/// A DICOM file has this after a preamble of 128 bytes.
const DICOM_MARK: &[u8; 4] = b"DICM";
const DICOM_MARK_AT: u64 = 128;

/// Files of a folder that are looked at in search of a DICOM series, and how many of those that
/// are DICOM are tried: a folder dropped by mistake must not be read for minutes.
const MAX_FOLDER_FILES: usize = 4096;
const MAX_DICOM_TRIES: usize = 8;

/// Opens the slide, DICOM folder or picture at `path`.
///
/// OpenSlide goes first; what it does not recognise is tried as a picture. A file that OpenSlide
/// recognises but refuses is **not** opened as a picture, nor is one that is only named like a
/// scanner's: the first picture in a scanner's file may be a thumbnail, a label or a part, and
/// showing that as the slide would be wrong in a way nobody notices. The exception is a plain TIFF
/// that holds a single picture.
///
/// # Errors
/// A distinct reason, naming the file, for: missing, no permission, empty, a folder without DICOM,
/// not a regular file, a Git LFS pointer, damaged, unsupported.
pub fn open(path: &Path) -> Result<Arc<dyn SlideSource>, SlideError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreachable(path, &error))?;
    if metadata.is_dir() {
        return Ok(Arc::new(open_folder(path)?));
    }
    if !metadata.is_file() {
        return Err(refuse(path, "this is not a regular file"));
    }
    if metadata.len() == 0 {
        return Err(refuse(
            path,
            "the file is empty (0 bytes); copy or download it again",
        ));
    }
    if starts_with_lfs_pointer(path)? {
        return Err(refuse(
            path,
            "this is a Git LFS pointer, not the slide itself; run `git lfs pull` where it is from",
        ));
    }
    open_file(path)
}

/// As [`open`], on a thread of its own, giving up after `limit`.
///
/// The thread can't be stopped: where a reader hangs for good, in a damaged file or on a drive
/// that went away, it stays behind until the program ends.
///
/// # Errors
/// Those of [`open`], and one that says the reader did not answer.
pub fn open_with_timeout(path: &Path, limit: Duration) -> Result<Arc<dyn SlideSource>, SlideError> {
    let (sender, receiver) = sync_channel(1);
    let wanted = path.to_owned();
    let job = move || {
        // Nobody listens any more after the limit.
        let _ = sender.send(open(&wanted));
    };
    std::thread::Builder::new()
        .name("slide-open".to_owned())
        .spawn(job)
        .map_err(|error| refuse(path, &format!("no thread to open it on ({error})")))?;
    receiver.recv_timeout(limit).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => refuse(
                path,
                &format!(
                    "the reader did not answer within {} s; the file may be damaged or its drive \
                     out of reach",
                    limit.as_secs_f64()
                ),
            ),
            RecvTimeoutError::Disconnected => refuse(path, "the reader failed on it"),
        })
    })
}

fn open_file(path: &Path) -> Result<Arc<dyn SlideSource>, SlideError> {
    let Some(vendor) = detect_vendor(path) else {
        return open_unrecognised(path);
    };
    match OpenSlideSource::open(path) {
        Ok(slide) => Ok(Arc::new(slide)),
        Err(error) if vendor == "generic-tiff" && holds_one_picture(path) => {
            open_picture(path, error.reason())
        }
        Err(error) => Err(SlideError::Damaged {
            path: path.to_owned(),
            reason: format!(
                "recognised as a slide ({vendor}), but it can't be opened: {}",
                error.reason()
            ),
        }),
    }
}

fn open_unrecognised(path: &Path) -> Result<Arc<dyn SlideSource>, SlideError> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if SCANNER_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
        return Err(SlideError::Unsupported {
            path: path.to_owned(),
            reason: format!(
                "it is named like a scanner's slide (.{extension}), but OpenSlide does not \
                 recognise the content: damaged, incomplete or something else"
            ),
        });
    }
    open_picture(path, "not a format it knows")
}

fn open_picture(path: &Path, openslide_says: &str) -> Result<Arc<dyn SlideSource>, SlideError> {
    let both = |reason: &str| format!("as a picture: {reason}; OpenSlide: {openslide_says}");
    match ImageFileSource::open(path) {
        Ok(picture) => Ok(Arc::new(picture)),
        Err(SlideError::Damaged { path, reason }) => Err(SlideError::Damaged {
            path,
            reason: both(&reason),
        }),
        Err(error) => Err(SlideError::Unsupported {
            path: path.to_owned(),
            reason: both(error.reason()),
        }),
    }
}

/// The first file of the folder, by name, that OpenSlide opens as DICOM; it finds the others of
/// its series itself.
fn open_folder(folder: &Path) -> Result<OpenSlideSource, SlideError> {
    let mut failure = None;
    for path in dicom_files(folder)?.into_iter().take(MAX_DICOM_TRIES) {
        match OpenSlideSource::open(&path) {
            Ok(slide) => return Ok(slide.of_folder(folder)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(match failure {
        Some(error) => SlideError::Damaged {
            path: folder.to_owned(),
            reason: format!("no slide in its DICOM files: {}", error.reason()),
        },
        None => refuse(
            folder,
            "this is a folder without DICOM files; open a slide file, or for MIRAX the .mrxs file \
             beside its folder",
        ),
    })
}

fn dicom_files(folder: &Path) -> Result<Vec<PathBuf>, SlideError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreachable(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .take(MAX_FOLDER_FILES)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.retain(|path| path.is_file() && is_dicom(path));
    Ok(paths)
}

fn is_dicom(path: &Path) -> bool {
    let mut mark = [0; 4];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(DICOM_MARK_AT))?;
        file.read_exact(&mut mark)
    });
    read.is_ok() && &mark == DICOM_MARK
}

fn starts_with_lfs_pointer(path: &Path) -> Result<bool, SlideError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|error| unreachable(path, &error))?;
    let read = file.take(LFS_POINTER.len() as u64).read_to_end(&mut start);
    read.map_err(|error| unreachable(path, &error))?;
    Ok(start == LFS_POINTER)
}

fn holds_one_picture(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    tiff_resolution::first_directory(&mut file).is_some_and(|first| !first.more_follow)
}

fn unreachable(path: &Path, error: &std::io::Error) -> SlideError {
    let reason = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => {
            "no permission to read it; ask its owner or copy it elsewhere"
        }
        _ => return refuse(path, &format!("can't be read ({error})")),
    };
    refuse(path, reason)
}

fn refuse(path: &Path, reason: &str) -> SlideError {
    SlideError::Path {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
