//! The Dynamic Focal Attention decoder (arXiv 2604.13479, as this project reads it): a two-way mask
//! decoder with one token a class, whose image tokens choose among the classes by an attention that
//! carries one bias a class.
//!
//! Everything before that attention does not depend on the bias: [`Decoder::start`] computes it
//! once, [`Decoder::decode`] again for every bias.

mod attention;
pub mod bias;
mod bias_file;
pub mod config;
pub mod decoder;
pub mod features;
mod first_weights;
mod heads;
mod neck;
mod place;
pub mod prior;
pub mod speed;
#[cfg(test)]
mod tests;
pub mod to_tile;
pub mod trace;
mod two_way;
mod upscale;
pub mod weights;

pub use bias::{BiasError, ClassBias, centred};
pub use config::{Activation, DecoderConfig, DecoderError};
pub use decoder::Decoder;
pub use features::{Decoded, Features};
pub use prior::{Prior, PriorKind};
pub use to_tile::to_tile;
pub use trace::BiasedLayer;
