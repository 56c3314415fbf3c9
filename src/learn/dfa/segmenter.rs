//! What is trained: the decoder, its bias, and perhaps the encoder.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::batch::Shown;
use super::mode::Start;
use crate::model::config::ConfigError;
use crate::model::dfa::{Decoded, Decoder, DecoderError};
use crate::model::{Encoder, initial};

/// Parameter ids of the bias begin here, clear of encoder, head and decoder.
const FIRST_PARAM_ID: u64 = 4_000_000;

/// Tiles or tokens that do not fit the network.
#[derive(Debug, thiserror::Error)]
pub enum SegmenterError {
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] ConfigError),
    /// The decoder.
    #[error(transparent)]
    Decoder(#[from] DecoderError),
    /// Tiles for a decoder that waits for tokens.
    #[error("tiles were given to a decoder without its encoder, which takes tokens")]
    NoEncoder,
}

/// b: what is fixed, and what training moves.
#[derive(Module, Debug)]
pub struct LearnedBias {
    /// What training moves, \[K\].
    value: Param<Tensor<1>>,
    #[module(skip)]
    fixed: Vec<f32>,
}

impl LearnedBias {
    /// The bias where a mode begins.
    pub fn new(start: &Start, device: &Device) -> Self {
        let in_f32 = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
        let value = Tensor::<1>::from_floats(in_f32(&start.moving).as_slice(), device);
        let built = Self {
            value: Param::from_tensor(value),
            fixed: in_f32(&start.fixed),
        };
        initial::numbered(built, FIRST_PARAM_ID)
    }

    /// Its part of `gradients`, \[K\]; `None` where the loss does not see b.
    pub fn gradient(&self, gradients: &GradientsParams) -> Option<Tensor<1>> {
        gradients.get(self.value.id)
    }

    /// b as the decoder takes it: both parts, centred, \[K\]. Centred within the graph, so that no
    /// gradient goes into the direction that does nothing.
    pub fn centred(&self) -> Tensor<1> {
        let moving = self.value.val();
        let fixed = Tensor::<1>::from_floats(self.fixed.as_slice(), &moving.device());
        let both = moving + fixed;
        let mean = both.clone().mean();
        both - mean
    }
}

/// Encoder, where it is trained too, decoder and bias.
#[derive(Module, Debug)]
pub struct Segmenter {
    /// The encoder; none where it is frozen, and tokens are given instead of tiles.
    pub encoder: Option<Encoder>,
    /// The decoder.
    pub decoder: Decoder,
    /// The bias.
    pub bias: LearnedBias,
}

impl Segmenter {
    /// Mask logits \[B, K, 4 g, 4 g\] and foretold IoU \[B, K\].
    ///
    /// # Errors
    /// When what is shown does not fit.
    pub fn forward(&self, shown: Shown) -> Result<Decoded, SegmenterError> {
        let tokens = self.tokens(shown)?;
        let features = self.decoder.start(tokens)?;
        Ok(self.decoder.decode(&features, self.bias.centred())?)
    }

    /// Patch tokens of what is shown, \[B, g², De\].
    ///
    /// # Errors
    /// When tiles do not fit the encoder, or there is none for them.
    pub fn tokens(&self, shown: Shown) -> Result<Tensor<3>, SegmenterError> {
        match (shown, &self.encoder) {
            (Shown::Tokens(tokens), _) => Ok(tokens),
            (Shown::Tiles(tiles), Some(encoder)) => Ok(encoder.forward(tiles)?.tokens),
            (Shown::Tiles(_), None) => Err(SegmenterError::NoEncoder),
        }
    }
}
