//! Four times finer: two 2×2 transposed convolutions of stride 2.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Device, Tensor};

use super::config::{Activation, DecoderConfig};
use crate::model::block::{linear, norm};

/// Pixels of the decoder's output along a token's side.
pub const FINER: usize = 4;

/// A transposed convolution whose stride is its side is a linear layer that gives every token its
/// 2×2 finer ones; nothing overlaps. (Its bias may here differ among the four.) Finer tokens stay
/// beside their token, until [`in_rows`] puts the few channels that are left in their places.
#[derive(Module, Debug)]
pub struct Upscale {
    first: Linear,
    norm: LayerNorm,
    second: Linear,
    #[module(skip)]
    activation: Activation,
}

/// Channels after the first and after the second step.
pub fn channels(config: &DecoderConfig) -> [usize; 2] {
    [config.width / 4, config.width / 8]
}

impl Upscale {
    /// An up-scaling of the shape that `config` tells.
    pub fn new(config: &DecoderConfig, device: &Device) -> Self {
        let [first, second] = channels(config);
        Self {
            first: linear(config.width, 4 * first, device),
            norm: norm(first, device),
            second: linear(first, 4 * second, device),
            activation: config.activation,
        }
    }

    /// \[B, g², D\] → \[B, 16 g², D / 8\], the sixteen of a token one after the other.
    pub fn forward(&self, image: Tensor<3>) -> Tensor<3> {
        let [batch, count, width] = image.dims();
        let first = self.first.forward(image);
        let first = first.reshape([batch, 4 * count, width / 4]);
        let second = self.second.forward(self.active(self.norm.forward(first)));
        self.active(second.reshape([batch, FINER * FINER * count, width / 8]))
    }

    fn active(&self, x: Tensor<3>) -> Tensor<3> {
        match self.activation {
            Activation::Gelu => gelu(x),
            Activation::Relu => relu(x),
        }
    }
}

/// Puts values that lie as [`Upscale::forward`] leaves them in rows: \[B, K, 16 g²\] →
/// \[B, K, 4 g, 4 g\].
pub fn in_rows(values: Tensor<3>, grid: usize) -> Tensor<4> {
    let [batch, classes, _] = values.dims();
    let side = FINER * grid;
    values
        .reshape([batch * classes, grid, grid, 2, 2, 2, 2])
        .permute([0, 1, 3, 5, 2, 4, 6])
        .reshape([batch, classes, side, side])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use burn::tensor::module::conv_transpose2d;
    use burn::tensor::ops::ConvTransposeOptions;

    /// The kernel \[in, out, 2, 2\] that a layer's weights \[in, 4 out\] are.
    fn kernel(layer: &Linear) -> Tensor<4> {
        let [d_in, d_out] = layer.weight.val().dims();
        let weight = layer.weight.val().reshape([d_in, 2, 2, d_out / 4]);
        weight.permute([0, 3, 1, 2])
    }

    #[test]
    fn two_steps_are_two_transposed_convolutions() {
        let device = Device::flex();
        let config = DecoderConfig {
            width: 16,
            ..DecoderConfig::tiny()
        };
        for activation in [Activation::Relu, Activation::Gelu] {
            let config = DecoderConfig {
                activation,
                ..config.clone()
            };
            let layer = crate::model::initial::draw(Upscale::new(&config, &device), 3, 1);
            let grid = 3;
            let normal = Distribution::Normal(0.0, 9.0);
            let image = Tensor::<3>::random([2, grid * grid, 16], normal, &device);
            let flat = layer.forward(image.clone()).swap_dims(1, 2);
            let ours = in_rows(flat, grid);

            let options = || ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], 1);
            let image = image.reshape([2, grid, grid, 16]).permute([0, 3, 1, 2]);
            let first = conv_transpose2d(image, kernel(&layer.first), None, options());
            let normed = layer.norm.forward(first.permute([0, 2, 3, 1]));
            let active = match activation {
                Activation::Gelu => gelu(normed),
                Activation::Relu => relu(normed),
            };
            let active = active.permute([0, 3, 1, 2]);
            let second = conv_transpose2d(active, kernel(&layer.second), None, options());
            let theirs = match activation {
                Activation::Gelu => gelu(second),
                Activation::Relu => relu(second),
            };
            assert_eq!(ours.dims(), [2, 2, 12, 12]);
            let apart = (ours - theirs.clone()).abs().max().into_scalar::<f32>();
            assert!(theirs.abs().max().into_scalar::<f32>() > 1e-3);
            assert!(apart < 1e-6, "{apart}");
        }
    }
}
