//! A decoder, the encoder that it belongs to and a bias, opened together.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::dfa::weights::{self as decoder_weights, DecoderCard};
use super::dfa::{BiasError, ClassBias};
use super::predictor::Predictor;
use super::shipped;
use super::weights::{self, WeightsError, WeightsSource, hash_of};

/// Name of the encoder that a training run leaves beside the decoder that it was trained with.
const BESIDE: &str = "encoder.safetensors";

/// A model that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The weights of decoder or encoder.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The bias.
    #[error(transparent)]
    Bias(#[from] BiasError),
    /// An encoder that is not the decoder's.
    #[error(
        "{} was trained on an encoder with SHA-256 {expected}, {} has {found}: name the right one \
         with --encoder", decoder.display(), encoder.display()
    )]
    OtherEncoder {
        /// The decoder's file.
        decoder: PathBuf,
        /// Hash of its encoder's file.
        expected: String,
        /// The encoder's file.
        encoder: PathBuf,
        /// Its hash.
        found: String,
    },
    /// No encoder to be found.
    #[error(
        "{} was trained on an encoder with SHA-256 {expected}, which does not ship and is not \
         beside it as {BESIDE}: name it with --encoder", decoder.display()
    )]
    NoEncoder {
        /// The decoder's file.
        decoder: PathBuf,
        /// Hash of its encoder's file.
        expected: String,
    },
    /// A decoder that can tell nothing from anything.
    #[error(
        "{} knows the one class '{class}', expected at least two to tell apart", decoder.display()
    )]
    OneClass {
        /// The decoder's file.
        decoder: PathBuf,
        /// The class.
        class: String,
    },
    /// Notes that its use depends on.
    #[error("{}: {reason}", decoder.display())]
    Notes {
        /// The decoder's file.
        decoder: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
}

/// A model that is ready to be used, and what is known of it.
#[derive(Debug, Clone)]
pub struct ReadyModel {
    /// The networks.
    pub predictor: Predictor,
    /// What the decoder's file says: classes, tile, scales, its encoder's hash.
    pub card: DecoderCard,
    /// The bias in its parts, in the order of the classes: the file's own or another.
    pub bias: ClassBias,
    /// SHA-256 of the decoder's file, hexadecimal.
    pub decoder_sha256: String,
}

impl ReadyModel {
    /// Opens a decoder with its encoder: `encoder`, else the shipped one, else
    /// `encoder.safetensors` beside the decoder, whichever it was trained on; and with `bias` in
    /// place of its own.
    ///
    /// # Errors
    /// When a file can't be read, the encoder is another or not to be found, the bias is of other
    /// classes, or there is only one class.
    pub fn open(
        decoder: &WeightsSource,
        encoder: Option<&WeightsSource>,
        bias: Option<&Path>,
        device: &Device,
    ) -> Result<Self, ReadyError> {
        let (network, card) = decoder_weights::load(decoder, device)?;
        if let [class] = card.classes.as_slice() {
            return Err(ReadyError::OneClass {
                decoder: decoder.path(),
                class: class.name.clone(),
            });
        }
        let encoder = encoder_of(decoder, &card.encoder_sha256, encoder)?;
        let bias = match bias {
            Some(path) => ClassBias::load(path, &card.class_names())?,
            None => card.bias.clone(),
        };
        let offsets = card.logit_offsets().map_err(|reason| ReadyError::Notes {
            decoder: decoder.path(),
            reason,
        })?;
        let predictor = Predictor {
            encoder: weights::load(&encoder, device)?,
            decoder: network,
            bias: bias.tensor(device),
            offsets,
            device: device.clone(),
        };
        Ok(Self {
            predictor,
            bias,
            decoder_sha256: hash_of(decoder)?,
            card,
        })
    }

    /// How the decoder was trained, such as `dfa`; empty where its file does not say.
    pub fn mode(&self) -> &str {
        let mode = self.card.notes.get(decoder_weights::MODE);
        mode.map_or("", String::as_str)
    }
}

/// The encoder whose file has the hash `expected`.
fn encoder_of(
    decoder: &WeightsSource,
    expected: &str,
    named: Option<&WeightsSource>,
) -> Result<WeightsSource, ReadyError> {
    let shipped = WeightsSource::Shipped(shipped::ENCODER);
    if named.is_none() && hash_of(&shipped)? == expected {
        return Ok(shipped);
    }
    let beside = || {
        let path = decoder.file()?.with_file_name(BESIDE);
        path.is_file().then(|| WeightsSource::from(&path))
    };
    let Some(encoder) = named.cloned().or_else(beside) else {
        return Err(ReadyError::NoEncoder {
            decoder: decoder.path(),
            expected: expected.to_owned(),
        });
    };
    let found = hash_of(&encoder)?;
    match found == expected {
        true => Ok(encoder),
        false => Err(ReadyError::OtherEncoder {
            decoder: decoder.path(),
            expected: expected.to_owned(),
            encoder: encoder.path(),
            found,
        }),
    }
}
