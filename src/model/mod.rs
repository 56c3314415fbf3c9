//! Networks: the encoder, the decoder and their weights files. The same code runs on every burn device.

pub mod block;
pub mod config;
pub mod dfa;
pub mod encoder;
pub mod initial;
pub mod parallel;
pub mod position;
pub mod weights;

pub use config::{EncoderConfig, MlpKind};
pub use encoder::{Embedding, Encoder};
