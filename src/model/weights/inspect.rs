//! What a weights file says about itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::tensor_file::TensorFile;
use super::{NOTE, WeightsError, config_of, fitting, is_ours};
use crate::model::config::EncoderConfig;

/// What a weights file holds.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The file as it was named.
    pub path: String,
    /// Format and version that it states; none for a foreign checkpoint.
    pub format: Option<String>,
    /// Shape of the encoder, stated by the file or told from its tensors.
    pub config: Option<EncoderConfig>,
    /// Why no encoder can be loaded from it; none if one can.
    pub problem: Option<String>,
    /// Number of weights in all tensors.
    pub parameters: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Where the weights come from, as the writer noted it; a foreign file's whole metadata.
    pub notes: BTreeMap<String, String>,
    /// By name, in the order of the alphabet.
    pub tensors: Vec<TensorInfo>,
}

/// One tensor of a weights file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Kind of number: `F32`, `F16`, `BF16`, …
    pub dtype: String,
    /// Its axes, the slowest first.
    pub shape: Vec<u64>,
}

/// Tells what a weights file holds, and whether an encoder can be loaded from it.
///
/// # Errors
/// When it can't be read or is no whole safetensors file. One that is, but holds no encoder, is
/// described with its [`Inspection::problem`].
pub fn inspect(path: &Path) -> Result<Inspection, WeightsError> {
    let mut file = TensorFile::open(path)?;
    let config = config_of(&file);
    let checked = config
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|config| {
            let names = fitting(&file, config).map_err(|error| error.to_string())?;
            let mut values = names.values().map(|name| file.values(name));
            let odd = values.find_map(Result::err);
            odd.map_or(Ok(()), |error| Err(error.to_string()))
        });
    let tensors: Vec<TensorInfo> = file
        .entries()
        .iter()
        .map(|(name, entry)| TensorInfo {
            name: name.clone(),
            dtype: entry.dtype.clone(),
            shape: entry.shape.clone(),
        })
        .collect();
    Ok(Inspection {
        path: path.display().to_string(),
        format: is_ours(&file).then(|| {
            let stated = |key: &str| file.metadata().get(key).map_or("", String::as_str);
            format!("{} {}", stated("format"), stated("version"))
        }),
        problem: checked.err(),
        config: config.ok(),
        parameters: tensors
            .iter()
            .map(TensorInfo::parameters)
            .fold(0, u64::saturating_add),
        sha256: hash_of(path)?,
        notes: notes_of(&file),
        tensors,
    })
}

/// SHA-256 of a file, hexadecimal: what tells which weights made a result.
///
/// # Errors
/// When the file can't be read.
pub fn hash_of(path: &Path) -> Result<String, WeightsError> {
    let hashed = || -> io::Result<_> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut part = vec![0; 1 << 16];
        loop {
            match file.read(&mut part)? {
                0 => return Ok(hash.finalize()),
                read => hash.update(&part[..read]),
            }
        }
    };
    let hash = hashed().map_err(|source| WeightsError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn notes_of(file: &TensorFile) -> BTreeMap<String, String> {
    let all = file.metadata().iter();
    if !is_ours(file) {
        return all
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
    }
    all.filter_map(|(key, value)| Some((key.strip_prefix(NOTE)?.to_owned(), value.clone())))
        .collect()
}

impl TensorInfo {
    /// Number of its values.
    fn parameters(&self) -> u64 {
        self.shape
            .iter()
            .fold(1, |all, axis| all.saturating_mul(*axis))
    }
}
