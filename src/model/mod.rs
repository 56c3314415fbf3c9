//! Networks: the encoder, the decoder and their weights files. The same code runs on every burn device.

pub mod block;
pub mod config;
pub mod dfa;
pub mod encoder;
pub mod initial;
pub mod parallel;
pub mod position;
pub mod predictor;
pub mod ready;
pub mod shipped;
#[cfg(test)]
pub mod test_model;
pub mod values;
pub mod weights;

pub use config::{EncoderConfig, MlpKind};
pub use encoder::{Embedding, Encoder};
pub use predictor::{PredictError, Predictor};
pub use ready::{ReadyError, ReadyModel};
