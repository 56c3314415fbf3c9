//! Weights files: safetensors in timm's names and PyTorch's layout, f16 on disk.
//!
//! Our own files state format, version and configuration in their metadata. A foreign Vision
//! Transformer or DINOv2 checkpoint, in timm's names or DINOv2's own, loads too: its configuration
//! is told from its tensors. Nothing is built before every name and shape was found to fit, so that
//! a false file costs no more memory than its own size.

mod error;
#[cfg(test)]
mod fidelity_tests;
mod infer;
mod inspect;
mod names;
mod tensor_file;
#[cfg(test)]
mod tests;

pub use error::WeightsError;
pub use inspect::{Inspection, TensorInfo, hash_of, inspect};

use std::collections::BTreeMap;
use std::path::Path;

use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot as _, PyTorchToBurnAdapter, bridge};
use burn::tensor::{Device, TensorData};

use super::config::EncoderConfig;
use super::encoder::Encoder;
use crate::files;
use tensor_file::{TensorFile, encode_f16};

/// What our files say they are.
pub const FORMAT: &str = "parfocal.encoder";

/// Version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Before a note's key in the metadata.
const NOTE: &str = "note.";

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
    let shapes = names::expected(encoder.config());
    let mut tensors = Vec::new();
    for tensor in encoder.collect(None, Some(Box::new(BurnToPyTorchAdapter)), false) {
        let name = tensor.name.clone();
        let shape = shapes.get(&name).cloned();
        let shape = shape.ok_or_else(|| refused(format!("tensor '{name}' has no shape")))?;
        let data = bridge::into_data(tensor).map_err(|error| refused(error.to_string()))?;
        let values = data.convert::<f32>().try_to_vec::<f32>();
        let values = values.map_err(|error| refused(format!("tensor '{name}': {error:?}")))?;
        tensors.push((name, shape, values));
    }
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

/// Reads an encoder: our own file, or a ViT or DINOv2 checkpoint.
///
/// A foreign file's heads are taken as 64 channels wide and its pixel statistics as ImageNet's;
/// [`load_as`] is for others.
///
/// # Errors
/// When anything about the file is not as it should be: see [`WeightsError`].
pub fn load(path: &Path, device: &Device) -> Result<Encoder, WeightsError> {
    let file = TensorFile::open(path)?;
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
    let stated = |key: &str| file.metadata().get(key).map_or("", String::as_str);
    let expected = format!("{FORMAT} {VERSION}");
    let found = format!("{} {}", stated("format"), stated("version"));
    if found != expected {
        let path = path.to_owned();
        return Err(WeightsError::Version {
            path,
            found,
            expected,
        });
    }
    serde_json::from_str(stated("config")).map_err(|error| WeightsError::Config {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Names in the file by timm's name, once every name and shape was found to fit `config`.
fn fitting(
    file: &TensorFile,
    config: &EncoderConfig,
) -> Result<BTreeMap<String, String>, WeightsError> {
    let path = || file.path().to_owned();
    config
        .check()
        .map_err(|error| WeightsError::config(path(), &error))?;
    let shapes = names::expected(config);
    let mut found = BTreeMap::new();
    for (tensor, entry) in file.entries() {
        let Some(name) = names::timm_name(tensor) else {
            continue;
        };
        let (tensor, encoder) = (tensor.clone(), config.name.clone());
        match shapes.get(&name) {
            Some(shape) if *shape != entry.shape => {
                let (found, expected) = (format!("{:?}", entry.shape), format!("{shape:?}"));
                return Err(WeightsError::Shape {
                    path: path(),
                    tensor,
                    found,
                    expected,
                });
            }
            Some(_) if !found.contains_key(&name) => found.insert(name, tensor),
            _ => {
                return Err(WeightsError::Unexpected {
                    path: path(),
                    tensor,
                    encoder,
                });
            }
        };
    }
    match shapes
        .into_iter()
        .find(|(name, _)| !found.contains_key(name))
    {
        None => Ok(found),
        Some((tensor, shape)) => {
            let expected = format!("{shape:?}");
            Err(WeightsError::Missing {
                path: path(),
                tensor,
                expected,
            })
        }
    }
}

/// An encoder with the file's weights.
fn fill(
    mut file: TensorFile,
    config: &EncoderConfig,
    device: &Device,
) -> Result<Encoder, WeightsError> {
    let mut tensors = Vec::new();
    for (name, in_file) in fitting(&file, config)? {
        let shape = &file.entries()[&in_file].shape;
        let mut shape: Vec<usize> = shape.iter().map(|axis| *axis as usize).collect();
        if name == names::PATCH_WEIGHTS {
            // A convolution's weights for us, who multiply patches cut out beforehand.
            shape = vec![shape[0], shape[1..].iter().product()];
        }
        let data = TensorData::new(file.values(&in_file)?, shape);
        tensors.push(bridge::from_data(data, name, None));
    }
    let path = file.path();
    let built = Encoder::blank(config, device);
    let mut encoder = built.map_err(|error| WeightsError::config(path, &error))?;
    let applied = encoder.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), false);
    let odd = applied.errors.iter().map(ToString::to_string);
    let odd = odd
        .chain(applied.unused)
        .chain(applied.missing.into_iter().map(|(name, _)| name));
    match odd.reduce(|all, next| all + ", " + &next) {
        None => Ok(encoder),
        Some(reason) => Err(WeightsError::Refused {
            path: path.to_owned(),
            reason,
        }),
    }
}
