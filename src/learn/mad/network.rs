//! Encoder and projection head, as student and teacher have them.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::losses::normalised;
use super::pool;
use crate::model::config::ConfigError;
use crate::model::{Embedding, Encoder, EncoderConfig, initial};

/// Parameter ids of the head begin here, clear of the encoder's.
const FIRST_PARAM_ID: u64 = 2_000_000;

/// Widths of the projection head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadConfig {
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Width of what is compared with the prototypes.
    pub bottleneck: usize,
    /// Number of prototypes P.
    pub prototypes: usize,
    /// Whether rows lose their running mean, that of the last `watch.rows`, before the head.
    pub centred: bool,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            hidden: 512,
            bottleneck: 64,
            prototypes: 256,
            centred: true,
        }
    }
}

/// The projection head, one for class tokens and patches of both scales: two layers to a
/// direction, compared with prototypes by cosine (as in DINO, Caron et al., 2021).
#[derive(Module, Debug)]
pub struct Head {
    hidden: Linear,
    bottleneck: Linear,
    prototypes: Param<Tensor<2>>,
}

impl Head {
    fn new(width: usize, config: &HeadConfig, seed: u64, device: &Device) -> Self {
        let linear = |from, to| {
            LinearConfig::new(from, to)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        let built = Self {
            hidden: linear(width, config.hidden),
            bottleneck: linear(config.hidden, config.bottleneck),
            prototypes: Initializer::Zeros.init([config.prototypes, config.bottleneck], device),
        };
        initial::draw(built, seed, FIRST_PARAM_ID)
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.prototypes.val().device()
    }

    /// Directions of rows, \[R, D\] → \[R, bottleneck\], each of length one.
    pub fn project(&self, rows: Tensor<2>) -> Tensor<2> {
        normalised(self.bottleneck.forward(gelu(self.hidden.forward(rows))))
    }

    /// Cosines of directions with the prototypes, \[R, bottleneck\] → \[R, P\].
    pub fn scores(&self, directions: Tensor<2>) -> Tensor<2> {
        directions.matmul(normalised(self.prototypes.val()).transpose())
    }
}

/// Encoder and head.
#[derive(Module, Debug)]
pub struct Network {
    /// What is trained for others to use.
    pub encoder: Encoder,
    /// What training alone needs.
    pub head: Head,
}

/// What a network sees in one view of a batch of families.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Class embeddings of the parents, \[B, D\].
    pub parents: Tensor<2>,
    /// Class embeddings of the children kept, \[C, D\].
    pub children: Tensor<2>,
    /// Mean of a parent's patches under each of its sixteen children, \[B · 16, D\].
    pub coarse: Tensor<2>,
    /// Mean of each child's own patches, \[C, D\].
    pub fine: Tensor<2>,
}

impl Network {
    /// An untrained network.
    ///
    /// # Errors
    /// When the encoder can't be built.
    pub fn new(
        encoder: &EncoderConfig,
        head: &HeadConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            encoder: Encoder::new(encoder, seed, device)?,
            head: Head::new(encoder.width, head, seed ^ HEAD_SEED, device),
        })
    }
}

impl Seen {
    /// What was seen of tiles of which the first `families` are parents, the others children.
    pub fn new(all: &Embedding, families: usize) -> Self {
        let [tiles, _] = all.cls.dims();
        let kept = tiles - families;
        let (cls, tokens) = (&all.cls, &all.tokens);
        Self {
            parents: cls.clone().narrow(0, 0, families),
            children: cls.clone().narrow(0, families, kept),
            coarse: pool::under_children(tokens.clone().narrow(0, 0, families)),
            fine: pool::over_tile(tokens.clone().narrow(0, families, kept)),
        }
    }
}

/// What the embeddings of many tiles have in common: a class embedding's mean and a patch's,
/// over both scales. All tissue looks much alike to an untrained network (cosine 0.8–0.9 between
/// strangers); without it the head sees what differs. One mean for both scales, so that a
/// difference between scales is still seen, and mended by the encoder itself.
#[derive(Debug, Clone)]
pub struct Centre {
    /// Mean class embedding, D values.
    pub class: Vec<f32>,
    /// Mean patch embedding, D values.
    pub patch: Vec<f32>,
}

impl Seen {
    /// What was seen, less what is common to all.
    #[must_use]
    pub fn less(&self, centre: &Centre) -> Self {
        let row = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [1, values.len()]);
            let (device, dtype) = (self.parents.device(), self.parents.dtype());
            Tensor::<2>::from_data(data, (&device, dtype))
        };
        let (class, patch) = (row(&centre.class), row(&centre.patch));
        Self {
            parents: self.parents.clone() - class.clone(),
            children: self.children.clone() - class,
            coarse: self.coarse.clone() - patch.clone(),
            fine: self.fine.clone() - patch,
        }
    }
}

/// Keeps the head's draws apart from the encoder's.
const HEAD_SEED: u64 = 0x4ead_5eed;
