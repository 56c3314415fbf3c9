//! A run on disk: one file that is whole or not there.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;

use super::config::MadConfig;
use super::network::Network;
use super::ring::Ring;
use super::trainer::{TrainError, Trainer};
use crate::files;

/// Written into every checkpoint; another version is refused.
const VERSION: u32 = 1;

const STATE: &str = "state.json";
const STUDENT: &str = "student.bpk";
const TEACHER: &str = "teacher.bpk";
const FIRST_MOMENT: &str = "first-moment.bpk";
const SECOND_MOMENT: &str = "second-moment.bpk";

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

#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: u32,
    step: u64,
    config: MadConfig,
    /// What else a continued run must share with this one, in the caller's words.
    data: String,
}

impl Trainer {
    /// Writes the run to `path`, replacing what was there once all is on the disk. `data` says
    /// what it learns from: a run that continues must say the same.
    ///
    /// # Errors
    /// When the file can't be written or the device does not give the weights.
    pub fn save(&self, path: &Path, data: &str) -> Result<(), CheckpointError> {
        let bytes = self.pack(data).map_err(|reason| CheckpointError::File {
            path: path.to_owned(),
            reason,
        })?;
        files::write_whole(path, &bytes).map_err(|error| CheckpointError::File {
            path: path.to_owned(),
            reason: format!("can't be written: {error}"),
        })
    }

    fn pack(&self, data: &str) -> Result<Vec<u8>, String> {
        let state = State {
            version: VERSION,
            step: self.step,
            config: self.config.clone(),
            data: data.to_owned(),
        };
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let state = serde_json::to_vec_pretty(&state).map_err(|e| words(&e))?;
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        // Weights hardly shrink; what matters of the format are its checksums.
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut put = |name: &str, bytes: &[u8]| {
            zip.start_file(name, options).map_err(|e| words(&e))?;
            zip.write_all(bytes).map_err(|e| words(&e))
        };
        put(STATE, &state)?;
        for (name, network) in self.networks() {
            let bytes = network.clone().into_record().into_bytes();
            put(name, &bytes.map_err(|e| words(&e))?)?;
        }
        for (name, ring) in self.rings() {
            put(name, bytemuck::cast_slice(ring.values()))?;
        }
        Ok(zip.finish().map_err(|e| words(&e))?.into_inner())
    }

    fn networks(&self) -> [(&'static str, &Network); 4] {
        [
            (STUDENT, &self.student),
            (TEACHER, &self.teacher),
            (FIRST_MOMENT, &self.adam.first),
            (SECOND_MOMENT, &self.adam.second),
        ]
    }

    fn networks_mut(&mut self) -> [(&'static str, &mut Network); 4] {
        [
            (STUDENT, &mut self.student),
            (TEACHER, &mut self.teacher),
            (FIRST_MOMENT, &mut self.adam.first),
            (SECOND_MOMENT, &mut self.adam.second),
        ]
    }

    fn rings(&self) -> [(&'static str, &Ring); 5] {
        [
            ("queue-parents.f32", &self.queues.parents),
            ("queue-coarse.f32", &self.queues.coarse),
            ("queue-fine.f32", &self.queues.fine),
            ("recent-class.f32", &self.recent.class),
            ("recent-tokens.f32", &self.recent.tokens),
        ]
    }

    fn rings_mut(&mut self) -> [&mut Ring; 5] {
        [
            &mut self.queues.parents,
            &mut self.queues.coarse,
            &mut self.queues.fine,
            &mut self.recent.class,
            &mut self.recent.tokens,
        ]
    }

    /// Reads the run at `path`, which must have been trained with `config` and `data`.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another version, or of another run; the message
    /// names the part and what was expected.
    pub fn load(
        path: &Path,
        config: &MadConfig,
        data: &str,
        tile_px: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut parts = Parts::open(path)?;
        let state = parts.state()?;
        parts.check(&state, config, data)?;
        let mut trainer = Self::new(config, tile_px, device)?;
        trainer.step = state.step;
        trainer.adam.time = state.step;
        for (name, network) in trainer.networks_mut() {
            *network = parts.network(name, network.clone())?;
        }
        let names = trainer.rings().map(|(name, _)| name);
        for (name, ring) in names.into_iter().zip(trainer.rings_mut()) {
            let bytes = parts.bytes(name)?;
            let values = bytemuck::pod_collect_to_vec::<u8, f32>(&bytes);
            if !bytes.len().is_multiple_of(4) || !ring.restore(values) {
                let wanted = format!("its {} bytes are no rows of {}", bytes.len(), ring.width());
                return Err(parts.bad(name, wanted).into());
            }
        }
        Ok(trainer)
    }
}

/// An open checkpoint.
struct Parts {
    path: PathBuf,
    zip: zip::ZipArchive<std::fs::File>,
}

impl Parts {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
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

    fn bad(&self, part: &str, reason: impl std::fmt::Display) -> CheckpointError {
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

    fn state(&mut self) -> Result<State, CheckpointError> {
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
        serde_json::from_slice(&bytes).map_err(|error| self.bad(STATE, error))
    }

    /// How often a run saves may differ; all else must agree.
    fn check(&self, state: &State, config: &MadConfig, data: &str) -> Result<(), CheckpointError> {
        let mut stored = state.config.clone();
        stored.checkpoint_minutes = config.checkpoint_minutes;
        let what = if stored != *config {
            differing(&stored, config)
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

    fn network(&mut self, part: &str, into: Network) -> Result<Network, CheckpointError> {
        let stored = Bytes::from_bytes_vec(self.bytes(part)?);
        let record = ModuleRecord::from_bytes(stored).map_err(|e| self.bad(part, e))?;
        into.try_load_record(record).map_err(|e| self.bad(part, e))
    }
}

/// Names of the settings in which two configurations differ.
fn differing(stored: &MadConfig, wanted: &MadConfig) -> String {
    let table = |config: &MadConfig| toml::Table::try_from(config).unwrap_or_default();
    let (stored, wanted) = (table(stored), table(wanted));
    let differ = |key: &&String| stored.get(*key) != wanted.get(*key);
    let names: Vec<&str> = wanted.keys().filter(differ).map(String::as_str).collect();
    names.join(", ")
}
