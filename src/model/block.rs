//! One block of the transformer: attention and feed-forward, each normed before and added to its
//! input. Fields are named as in timm, so that weights files are too.

use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, relu, silu};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor};

use super::config::{EncoderConfig, MlpKind};

/// As in timm and DINOv2.
const NORM_EPSILON: f64 = 1e-6;

/// A linear layer before [`super::initial`] draws its weights.
pub(super) fn linear(d_input: usize, d_output: usize, device: &Device) -> Linear {
    LinearConfig::new(d_input, d_output)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// The layer norm used throughout.
pub(super) fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width)
        .with_epsilon(NORM_EPSILON)
        .init(device)
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

impl Attention {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            qkv: linear(config.width, 3 * config.width, device),
            proj: linear(config.width, config.width, device),
            heads: config.heads,
        }
    }

    /// Shapes: \[B, T, D\] → \[B, T, D\].
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let head_width = width / self.heads;
        let qkv = self
            .qkv
            .forward(x)
            .reshape([batch, tokens, 3, self.heads, head_width])
            .permute([2, 0, 3, 1, 4]);
        let part = |n: usize| qkv.clone().narrow(0, n, 1).squeeze_dim::<4>(0);
        let options = AttentionModuleOptions::default();
        let seen = attention(part(0), part(1), part(2), None, None, options);
        let joined = seen.swap_dims(1, 2).reshape([batch, tokens, width]);
        self.proj.forward(joined)
    }
}

/// The feed-forward part.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    kind: MlpKind,
}

impl Mlp {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let inner = config.mlp.inner_width(config.mlp_width);
        Self {
            fc1: linear(config.width, inner, device),
            fc2: linear(config.mlp_width, config.width, device),
            kind: config.mlp,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        // One matrix for all tiles: on a processor faster than a matrix a tile.
        let inner = self.fc1.forward(x.reshape([batch * tokens, width]));
        let hidden = match self.kind {
            MlpKind::Gelu => gelu(inner),
            MlpKind::Relu => relu(inner),
            MlpKind::SwiGlu => {
                let half = inner.dims()[1] / 2;
                silu(inner.clone().narrow(1, 0, half)) * inner.narrow(1, half, half)
            }
        };
        self.fc2.forward(hidden).reshape([batch, tokens, width])
    }
}

/// A learned factor per channel on what a block adds (Touvron et al., CaiT, 2021).
#[derive(Module, Debug)]
pub struct LayerScale {
    gamma: Param<Tensor<1>>,
}

impl LayerScale {
    fn new(value: f64, width: usize, device: &Device) -> Self {
        let gamma = Initializer::Constant { value }.init([width], device);
        Self { gamma }
    }
}

fn scaled(scale: Option<&LayerScale>, x: Tensor<3>) -> Tensor<3> {
    match scale {
        Some(scale) => x * scale.gamma.val().unsqueeze(),
        None => x,
    }
}

/// One block.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    attn: Attention,
    ls1: Option<LayerScale>,
    norm2: LayerNorm,
    mlp: Mlp,
    ls2: Option<LayerScale>,
}

impl Block {
    /// A block of the shape that `config` tells.
    pub(super) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let scale = || {
            let start = config.layer_scale?;
            Some(LayerScale::new(start, config.width, device))
        };
        Self {
            norm1: norm(config.width, device),
            attn: Attention::new(config, device),
            ls1: scale(),
            norm2: norm(config.width, device),
            mlp: Mlp::new(config, device),
            ls2: scale(),
        }
    }

    /// Shapes: \[B, T, D\] → \[B, T, D\].
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let seen = self.attn.forward(self.norm1.forward(x.clone()));
        let x = x + scaled(self.ls1.as_ref(), seen);
        let worked = self.mlp.forward(self.norm2.forward(x.clone()));
        x + scaled(self.ls2.as_ref(), worked)
    }
}
