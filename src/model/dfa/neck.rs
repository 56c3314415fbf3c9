//! From the encoder's tokens to the decoder's: 1×1 convolution, norm, 3×3 convolution, norm.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Tensor};

use super::config::DecoderConfig;
use crate::model::block::{linear, norm};

/// Side of the second convolution.
pub const SIDE: usize = 3;

/// SAM's neck on tokens, channels last. A 1×1 convolution is a linear layer; a 3×3 one is a linear
/// layer on each token's neighbourhood, which on a processor is far quicker than a convolution.
#[derive(Module, Debug)]
pub struct Neck {
    narrow: Linear,
    norm1: LayerNorm,
    around: Linear,
    norm2: LayerNorm,
}

impl Neck {
    /// A neck of the shape that `config` tells.
    pub fn new(config: &DecoderConfig, device: &Device) -> Self {
        let width = config.width;
        Self {
            narrow: linear(config.encoder_width, width, device),
            norm1: norm(width, device),
            around: linear(SIDE * SIDE * width, width, device),
            norm2: norm(width, device),
        }
    }

    /// \[B, g², De\] → \[B, g², D\].
    pub fn forward(&self, tokens: Tensor<3>, grid: usize) -> Tensor<3> {
        let narrow = self.norm1.forward(self.narrow.forward(tokens));
        self.norm2
            .forward(self.around.forward(neighbourhoods(narrow, grid)))
    }
}

/// Each token with its eight neighbours, row by row, zeros beyond the edge:
/// \[B, g², D\] → \[B, g², 9 D\].
fn neighbourhoods(tokens: Tensor<3>, grid: usize) -> Tensor<3> {
    let [batch, count, width] = tokens.dims();
    let edge = (SIDE / 2, SIDE / 2);
    let padded = tokens
        .reshape([batch, grid, grid, width])
        .pad([edge, edge, (0, 0)], 0.0);
    let shifted = |n: usize| {
        let rows = padded.clone().narrow(1, n / SIDE, grid);
        rows.narrow(2, n % SIDE, grid)
    };
    let all = (0..SIDE * SIDE).map(shifted).collect();
    Tensor::cat(all, 3).reshape([batch, count, SIDE * SIDE * width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;

    #[test]
    fn a_linear_layer_on_neighbourhoods_is_the_convolution() {
        let device = Device::flex();
        let (grid, width) = (5, 4);
        let normal = || Distribution::Normal(0.0, 1.0);
        let tokens = Tensor::<3>::random([2, grid * grid, width], normal(), &device);
        let weight = Tensor::<2>::random([SIDE * SIDE * width, width], normal(), &device);
        let ours = neighbourhoods(tokens.clone(), grid).matmul(weight.clone().unsqueeze());
        let kernel = weight
            .reshape([SIDE, SIDE, width, width])
            .permute([3, 2, 0, 1]);
        let image = tokens.reshape([2, grid, grid, width]).permute([0, 3, 1, 2]);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let theirs = conv2d(image, kernel, None, options)
            .permute([0, 2, 3, 1])
            .reshape([2, grid * grid, width]);
        let apart = (ours - theirs).abs().max().into_scalar::<f32>();
        assert!(apart < 1e-4, "{apart}");
    }
}
