//! What a weights file says about itself.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::checksum::Checksum;
use super::source::WeightsSource;
use super::tensor_file::TensorFile;
use super::{NOTE, WeightsError, config_of, fitting, is_ours, stated_format};
use crate::files::hex;
use crate::model::config::EncoderConfig;
use crate::model::dfa::DecoderConfig;
use crate::model::dfa::weights::{self as decoder, DecoderCard};

/// What a weights file holds.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The file as it was named.
    pub path: String,
    /// Format and version that it states; none for a foreign checkpoint.
    pub format: Option<String>,
    /// Shape of the encoder, stated by the file or told from its tensors.
    pub config: Option<EncoderConfig>,
    /// Shape and card of the decoder, where the file states that it holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<(DecoderConfig, DecoderCard)>,
    /// Why neither an encoder nor a decoder can be loaded from it; none if one can.
    pub problem: Option<String>,
    /// Number of weights in all tensors.
    pub parameters: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Whether its tensors match the checksum in its metadata.
    pub checksum: Checksum,
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

/// Tells what a weights file holds, and whether an encoder or decoder can be loaded from it.
///
/// # Errors
/// When it can't be read or is no whole safetensors file. One that is, but holds neither, is
/// described with its [`Inspection::problem`].
pub fn inspect(source: impl Into<WeightsSource>) -> Result<Inspection, WeightsError> {
    let source = source.into();
    let mut file = TensorFile::open(&source)?;
    let (mut config, mut decoder) = (None, None);
    let checked = match decoder::is_decoder(&file) {
        true => check_decoder(&mut file, &mut decoder),
        false => check_encoder(&mut file, &mut config),
    };
    let checksum = file.checksum()?;
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
        path: source.to_string(),
        format: is_ours(&file).then(|| stated_format(&file)),
        config,
        decoder,
        problem: checked.err().map(|error| error.to_string()),
        parameters: tensors
            .iter()
            .map(TensorInfo::parameters)
            .fold(0, u64::saturating_add),
        sha256: hash_of(&source)?,
        checksum,
        notes: notes_of(&file),
        tensors,
    })
}

/// Whether an encoder can be loaded; `seen` gets its shape as soon as that is known.
fn check_encoder(
    file: &mut TensorFile,
    seen: &mut Option<EncoderConfig>,
) -> Result<(), WeightsError> {
    let config = seen.insert(config_of(file)?);
    for name in fitting(file, config)?.values() {
        file.values(name)?;
    }
    file.check_checksum()
}

/// Whether a decoder can be loaded; `seen` gets its shape and card as soon as they are known.
fn check_decoder(
    file: &mut TensorFile,
    seen: &mut Option<(DecoderConfig, DecoderCard)>,
) -> Result<(), WeightsError> {
    let (config, card) = seen.insert(decoder::stated(file)?);
    decoder::tensors_in(file, config, card).map(drop)
}

/// SHA-256 of a weights file, hexadecimal: what tells which weights made a result.
///
/// # Errors
/// When the file can't be read.
pub fn hash_of(source: impl Into<WeightsSource>) -> Result<String, WeightsError> {
    let source = source.into();
    let hashed = || -> io::Result<_> {
        let mut file = source.open()?;
        let mut hash = Sha256::new();
        let mut part = vec![0; 1 << 16];
        loop {
            match file.read(&mut part)? {
                0 => return Ok(hash.finalize()),
                read => hash.update(&part[..read]),
            }
        }
    };
    let hash = hashed().map_err(|error| WeightsError::Read {
        path: source.path(),
        source: error,
    })?;
    Ok(hex(&hash))
}

/// The writer's notes; a foreign file's whole metadata.
pub(in crate::model) fn notes_of(file: &TensorFile) -> BTreeMap<String, String> {
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
