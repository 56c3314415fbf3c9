//! The smallest network that has all parts, for tests.

use burn::tensor::{Device, Tensor};

use super::dfa::{Decoder, DecoderConfig};
use super::predictor::{PredictError, Predictor};
use super::{Encoder, EncoderConfig};

/// An untrained predictor of three classes on a processor; patches of 8 px.
pub fn little_predictor(bias: [f32; 3], offsets: [f32; 3]) -> Result<Predictor, PredictError> {
    let device = Device::flex();
    let encoder = EncoderConfig {
        width: 24,
        depth: 1,
        mlp_width: 48,
        patch_px: 8,
        ..EncoderConfig::tiny()
    };
    let decoder = DecoderConfig {
        width: 16,
        heads: 2,
        cross_width: 8,
        mlp_width: 24,
        ..DecoderConfig::tiny().on(encoder.width)
    };
    Ok(Predictor {
        encoder: Encoder::new(&encoder, 1, &device)?,
        decoder: Decoder::new(&decoder, 3, 2, &device)?,
        bias: Tensor::from_floats(bias, &device),
        offsets: offsets.to_vec(),
        device,
    })
}
