//! A run on disk: one file that is whole or not there.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;

use crate::files;

/// Written into every checkpoint; another version is refused.
const VERSION: u32 = 2;

const STATE: &str = "state.json";

/// A checkpoint that can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk.
    #[error("checkpoint {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A part that is missing or damaged.
    #[error("checkpoint {path}: its part {part} can't be used: {reason}")]
    Part {
        /// The file.
        path: PathBuf,
        /// Which part.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of another program or time.
    #[error("checkpoint {path} has version {found}; this program reads {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A checkpoint of another run.
    #[error(
        "checkpoint {path} belongs to another configuration: {what} differs; start anew in \
         another folder"
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
}

/// Where a run is, and what a run that goes on must share with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State<C> {
    /// Steps done.
    pub step: u64,
    /// Settings.
    pub config: C,
    /// What it learns from, in the caller's words.
    pub data: String,
}

/// A state as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<S> {
    version: u32,
    #[serde(flatten)]
    state: S,
}

/// A checkpoint in the making.
#[derive(Debug)]
pub struct Writer {
    zip: zip::ZipWriter<Cursor<Vec<u8>>>,
    /// The first part that could not be added; told by [`Writer::keep`].
    failed: Option<String>,
}

impl Writer {
    /// Begins with `state`.
    pub fn new<C: Serialize>(state: &State<C>) -> Self {
        let mut writer = Self {
            zip: zip::ZipWriter::new(Cursor::new(Vec::new())),
            failed: None,
        };
        let stored = Stored {
            version: VERSION,
            state,
        };
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| error.to_string());
        writer.add(STATE, text);
        writer
    }

    /// Adds a module's parameters.
    pub fn module<M: Module>(&mut self, part: &str, module: &M) {
        let bytes = module.clone().into_record().into_bytes();
        let bytes = bytes.map(|bytes| bytes.to_vec());
        self.add(part, bytes.map_err(|error| error.to_string()));
    }

    /// Adds numbers.
    pub fn values(&mut self, part: &str, values: &[f32]) {
        self.add(part, Ok(bytemuck::cast_slice(values).to_vec()));
    }

    fn add(&mut self, part: &str, bytes: Result<Vec<u8>, String>) {
        // Weights hardly shrink; what matters of the format are its checksums.
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let added = bytes.and_then(|bytes| {
            let started = self.zip.start_file(part, options);
            started.map_err(|error| error.to_string())?;
            self.zip
                .write_all(&bytes)
                .map_err(|error| error.to_string())
        });
        if let Err(reason) = added {
            self.failed.get_or_insert(format!("{part}: {reason}"));
        }
    }

    /// Writes it to `path`, replacing what was there once all is on the disk.
    ///
    /// # Errors
    /// When a part could not be added or the file can't be written.
    pub fn keep(self, path: &Path) -> Result<(), CheckpointError> {
        let failed = |reason: String| CheckpointError::File {
            path: path.to_owned(),
            reason,
        };
        if let Some(reason) = self.failed {
            return Err(failed(reason));
        }
        let bytes = self
            .zip
            .finish()
            .map_err(|error| failed(error.to_string()))?;
        files::write_whole(path, bytes.get_ref())
            .map_err(|error| failed(format!("can't be written: {error}")))
    }
}

/// An open checkpoint.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    zip: zip::ZipArchive<std::fs::File>,
}

impl Reader {
    /// Opens the checkpoint at `path`.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let cannot = |reason: String| CheckpointError::File {
            path: path.to_owned(),
            reason,
        };
        let file = std::fs::File::open(path);
        let file = file.map_err(|error| cannot(format!("can't be opened: {error}")))?;
        let zip = zip::ZipArchive::new(file);
        let zip = zip.map_err(|error| cannot(format!("is damaged or no checkpoint: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            zip,
        })
    }

    /// Its state, as settings of the kind C.
    ///
    /// # Errors
    /// When it is damaged, of another version, or holds other settings.
    pub fn state<C: DeserializeOwned>(&mut self) -> Result<State<C>, CheckpointError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let bytes = self.bytes(STATE)?;
        let version = serde_json::from_slice::<Version>(&bytes);
        let found = version.map_err(|error| self.bad(STATE, error))?.version;
        if found != VERSION {
            let path = self.path.clone();
            return Err(CheckpointError::Version { path, found });
        }
        let stored = serde_json::from_slice::<Stored<State<C>>>(&bytes);
        Ok(stored.map_err(|error| self.bad(STATE, error))?.state)
    }

    /// Checks that the run was one of `config` and `data`.
    ///
    /// # Errors
    /// With the names of the settings that differ.
    pub fn check<C: Serialize + PartialEq>(
        &self,
        state: &State<C>,
        config: &C,
        data: &str,
    ) -> Result<(), CheckpointError> {
        let what = if state.config != *config {
            differing(&state.config, config)
        } else if state.data != data {
            "what it learns from".to_owned()
        } else {
            return Ok(());
        };
        Err(CheckpointError::OtherRun {
            path: self.path.clone(),
            what,
        })
    }

    /// Puts the parameters of a part into a module of the same shape.
    ///
    /// # Errors
    /// When the part is missing, damaged or of another shape.
    pub fn module<M: Module>(&mut self, part: &str, into: M) -> Result<M, CheckpointError> {
        let stored = Bytes::from_bytes_vec(self.bytes(part)?);
        let record = ModuleRecord::from_bytes(stored).map_err(|e| self.bad(part, e))?;
        into.try_load_record(record).map_err(|e| self.bad(part, e))
    }

    /// The numbers of a part.
    ///
    /// # Errors
    /// When the part is missing or damaged.
    pub fn values(&mut self, part: &str) -> Result<Vec<f32>, CheckpointError> {
        let bytes = self.bytes(part)?;
        if !bytes.len().is_multiple_of(4) {
            let reason = format!("its {} bytes are no 32-bit numbers", bytes.len());
            return Err(self.bad(part, reason));
        }
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// An error about a part.
    pub fn bad(&self, part: &str, reason: impl std::fmt::Display) -> CheckpointError {
        CheckpointError::Part {
            path: self.path.clone(),
            part: part.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// The bytes of a part, its checksum met. Grows with what is read, not with what the file
    /// says of itself.
    fn bytes(&mut self, part: &str) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = Vec::new();
        let read = match self.zip.by_name(part) {
            Ok(mut entry) => entry.read_to_end(&mut bytes).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        read.map_err(|reason| self.bad(part, reason))?;
        Ok(bytes)
    }
}

/// Names of the settings in which two configurations differ.
fn differing<C: Serialize>(stored: &C, wanted: &C) -> String {
    let table = |config: &C| toml::Table::try_from(config).unwrap_or_default();
    let (stored, wanted) = (table(stored), table(wanted));
    let differ = |key: &&String| stored.get(*key) != wanted.get(*key);
    let names: Vec<&str> = wanted.keys().filter(differ).map(String::as_str).collect();
    names.join(", ")
}
