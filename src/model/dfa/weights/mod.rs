//! Weights files of decoders: safetensors, f16 on disk, with classes, bias, and the encoder that
//! the decoder belongs to in the metadata.

mod card;
#[cfg(test)]
mod fidelity_tests;
mod names;
#[cfg(test)]
mod tests;

pub use card::{
    CLASS_FRACTIONS, ClassLabel, DecoderCard, LOGIT_ADJUSTED, MODE, TAU, logit_adjustment,
};

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;

use super::config::{DecoderConfig, DecoderError};
use super::decoder::Decoder;
use crate::files;
use crate::model::weights::module::{InFile, matched, put_into, tensors_of};
use crate::model::weights::tensor_file::{TensorFile, encode_f16};
use crate::model::weights::{NOTE, WeightsError, WeightsSource, check_version, notes_of};

/// What these files say they are.
pub const FORMAT: &str = "parfocal.decoder";

/// Version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Writes a decoder and its card to `path`, whole or not at all. Equal weights and cards give equal
/// bytes.
///
/// # Errors
/// When the card is not this decoder's, a weight is none that f16 can hold, or the file can't be
/// written.
pub fn save(decoder: &Decoder, card: &DecoderCard, path: &Path) -> Result<(), WeightsError> {
    let odd = |reason: String| WeightsError::config(path, &reason);
    card.check(decoder.config()).map_err(odd)?;
    let (stated, classes) = (card.classes.len(), decoder.classes());
    if stated != classes {
        return Err(odd(format!("{stated} classes, expected {classes}")));
    }
    let tensors = tensors_of(decoder, &names::expected(decoder.config(), classes), path)?;
    let own = [
        ("format", Ok(FORMAT.to_owned())),
        ("version", Ok(VERSION.to_string())),
        ("config", serde_json::to_string(decoder.config())),
        ("card", serde_json::to_string(card)),
    ];
    let mut metadata = BTreeMap::new();
    for (key, text) in own {
        let text = text.map_err(|error| odd(error.to_string()))?;
        metadata.insert(key.to_owned(), text);
    }
    let notes = card.notes.iter();
    metadata.extend(notes.map(|(key, value)| (format!("{NOTE}{key}"), value.clone())));
    let bytes = encode_f16(path, metadata, &tensors)?;
    files::write_whole(path, &bytes).map_err(|source| WeightsError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Reads a decoder and its card, from a path or what the program ships.
///
/// # Errors
/// When anything about the file is not as it should be: see [`WeightsError`].
pub fn load(
    source: impl Into<WeightsSource>,
    device: &Device,
) -> Result<(Decoder, DecoderCard), WeightsError> {
    let mut file = TensorFile::open(source)?;
    let (config, card) = stated(&file)?;
    let tensors = tensors_in(&mut file, &config, &card)?;
    let blank = Decoder::blank(&config, card.classes.len(), device);
    let blank = blank.map_err(|error| WeightsError::config(file.path(), &error))?;
    Ok((put_into(blank, tensors, file.path())?, card))
}

/// Whether the file says that it holds a decoder, of whatever version.
pub(in crate::model) fn is_decoder(file: &TensorFile) -> bool {
    file.metadata().get("format").is_some_and(|it| it == FORMAT)
}

/// Shape and card that the file states, checked.
pub(in crate::model) fn stated(
    file: &TensorFile,
) -> Result<(DecoderConfig, DecoderCard), WeightsError> {
    check_version(file, FORMAT, VERSION)?;
    let odd = |reason: String| WeightsError::config(file.path(), &reason);
    let text = |key: &str| file.metadata().get(key).map_or("", String::as_str);
    let config: DecoderConfig =
        serde_json::from_str(text("config")).map_err(|error| odd(error.to_string()))?;
    let mut card: DecoderCard =
        serde_json::from_str(text("card")).map_err(|error| odd(error.to_string()))?;
    card.notes = notes_of(file);
    card.check(&config).map_err(odd)?;
    Ok((config, card))
}

/// All tensors, once every name, shape, value and the checksum were found to fit.
pub(in crate::model) fn tensors_in(
    file: &mut TensorFile,
    config: &DecoderConfig,
    card: &DecoderCard,
) -> Result<Vec<InFile>, WeightsError> {
    let shapes = names::expected(config, card.classes.len());
    let holder = format!("decoder '{}'", config.name);
    let tensors = matched(file, &shapes, &holder, |name| Some(name.to_owned()))?
        .into_iter()
        .map(|(name, in_file)| InFile::read(file, name, &in_file))
        .collect::<Result<_, _>>()?;
    // Last, as the other complaints name the tensor.
    file.check_checksum()?;
    Ok(tensors)
}
