//! Weights files: safetensors in timm's names and PyTorch's layout, f16 on disk.
//!
//! Our own files state format, version and configuration in their metadata. A foreign Vision
//! Transformer or DINOv2 checkpoint, in timm's names or DINOv2's own, loads too: its configuration
//! is told from its tensors. Nothing is built before every name and shape was found to fit, so that
//! a false file costs no more memory than its own size.
//!
//! Our files hold a checksum of their tensors, which loading compares; a file without one loads too.

mod checksum;
mod error;
#[cfg(test)]
mod fidelity_tests;
mod infer;
mod inspect;
pub(super) mod module;
mod names;
mod source;
pub(super) mod tensor_file;
#[cfg(test)]
mod tests;

pub use checksum::Checksum;
pub use error::WeightsError;
pub(super) use inspect::notes_of;
pub use inspect::{Inspection, TensorInfo, hash_of, inspect};
pub use source::{Shipped, WeightsSource};

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;

use super::config::EncoderConfig;
use super::encoder::Encoder;
use crate::files;
use module::{InFile, matched, put_into, tensors_of};
use tensor_file::{TensorFile, encode_f16};

/// What our files say they are.
pub const FORMAT: &str = "parfocal.encoder";

/// Version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Before a note's key in the metadata.
pub(super) const NOTE: &str = "note.";

/// Writes an encoder to `path`, whole or not at all. `notes` say where the weights come from.
///
/// Equal weights and notes give equal bytes.
///
/// # Errors
/// When a weight is none that f16 can hold, or the file can't be written.
pub fn save(
    encoder: &Encoder,
    notes: &BTreeMap<String, String>,
    path: &Path,
) -> Result<(), WeightsError> {
    let refused = |reason: String| WeightsError::Refused {
        path: path.to_owned(),
        reason,
    };
    let tensors = tensors_of(encoder, &names::expected(encoder.config()), path)?;
    let config = serde_json::to_string(encoder.config());
    let config = config.map_err(|error| refused(error.to_string()))?;
    let own = [
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_string()),
        ("config", config),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    let notes = notes
        .iter()
        .map(|(key, value)| (format!("{NOTE}{key}"), value.clone()));
    let bytes = encode_f16(path, own.chain(notes).collect(), &tensors)?;
    files::write_whole(path, &bytes).map_err(|source| WeightsError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Reads an encoder, from a path or what the program ships: our own file, or a ViT or DINOv2 checkpoint.
///
/// A foreign file's heads are taken as those of published models of its width, and its pixel
/// statistics as ImageNet's; a width of none is refused. [`load_as`] is for others.
///
/// # Errors
/// When anything about the file is not as it should be: see [`WeightsError`].
pub fn load(source: impl Into<WeightsSource>, device: &Device) -> Result<Encoder, WeightsError> {
    let file = TensorFile::open(source)?;
    let config = config_of(&file)?;
    fill(file, &config, device)
}

/// Reads an encoder whose shape is known; what the file says about it is not asked.
///
/// # Errors
/// When anything about the file is not as `config` has it: see [`WeightsError`].
pub fn load_as(
    path: &Path,
    config: &EncoderConfig,
    device: &Device,
) -> Result<Encoder, WeightsError> {
    fill(TensorFile::open(path)?, config, device)
}

/// Whether a program of ours wrote the file, going by what it states.
fn is_ours(file: &TensorFile) -> bool {
    let format = file.metadata().get("format");
    format.is_some_and(|format| format.starts_with("parfocal."))
}

/// The configuration that the file states, or what its tensors tell.
fn config_of(file: &TensorFile) -> Result<EncoderConfig, WeightsError> {
    let path = file.path();
    if !is_ours(file) {
        let shapes = file.entries().iter();
        let named: Vec<(String, &[u64])> = shapes
            .filter_map(|(name, entry)| Some((names::timm_name(name)?, entry.shape.as_slice())))
            .collect();
        let shapes = named.iter().map(|(name, shape)| (name.as_str(), *shape));
        let reason_to = |reason| WeightsError::Unclear {
            path: path.to_owned(),
            reason,
        };
        return infer::config(&shapes.collect()).map_err(reason_to);
    }
    check_version(file, FORMAT, VERSION)?;
    let stated = file.metadata().get("config").map_or("", String::as_str);
    serde_json::from_str(stated).map_err(|error| WeightsError::Config {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Checks what the file says it is.
pub(super) fn check_version(
    file: &TensorFile,
    format: &str,
    version: u32,
) -> Result<(), WeightsError> {
    let expected = format!("{format} {version}");
    let found = stated_format(file);
    match found == expected {
        true => Ok(()),
        false => Err(WeightsError::Version {
            path: file.path().to_owned(),
            found,
            expected,
        }),
    }
}

/// Format and version as the file states them.
fn stated_format(file: &TensorFile) -> String {
    let stated = |key: &str| file.metadata().get(key).map_or("", String::as_str);
    format!("{} {}", stated("format"), stated("version"))
}

/// Names in the file by timm's name, once every name and shape was found to fit `config`.
fn fitting(
    file: &TensorFile,
    config: &EncoderConfig,
) -> Result<BTreeMap<String, String>, WeightsError> {
    config
        .check()
        .map_err(|error| WeightsError::config(file.path(), &error))?;
    let holder = format!("encoder '{}'", config.name);
    matched(file, &names::expected(config), &holder, names::timm_name)
}

/// An encoder with the file's weights.
fn fill(
    mut file: TensorFile,
    config: &EncoderConfig,
    device: &Device,
) -> Result<Encoder, WeightsError> {
    let mut tensors = Vec::new();
    for (name, in_file) in fitting(&file, config)? {
        let mut tensor = InFile::read(&mut file, name, &in_file)?;
        if tensor.name == names::PATCH_WEIGHTS {
            // A convolution's weights for us, who multiply patches cut out beforehand.
            let shape = &tensor.shape;
            tensor.shape = vec![shape[0], shape[1..].iter().product()];
        }
        tensors.push(tensor);
    }
    // Last, as the other complaints name the tensor.
    file.check_checksum()?;
    let built = Encoder::blank(config, device);
    let encoder = built.map_err(|error| WeightsError::config(file.path(), &error))?;
    put_into(encoder, tensors, file.path())
}
