//! What class tokens say: a mask each, and how good they think it is.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use super::config::DecoderConfig;
use super::upscale;
use crate::model::block::linear;

/// A linear layer of its own for each class, all in one product.
#[derive(Module, Debug)]
pub struct ClassLinear {
    /// \[K, in, out\]
    weight: Param<Tensor<3>>,
    /// \[K out\], class by class: one axis, since [`crate::model::initial::draw`] leaves such zero.
    bias: Param<Tensor<1>>,
}

impl ClassLinear {
    fn new(classes: usize, d_in: usize, d_out: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([classes, d_in, d_out], device),
            bias: Initializer::Zeros.init([classes * d_out], device),
        }
    }

    /// \[K, B, in\] → \[K, B, out\].
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let weight = self.weight.val();
        let [classes, _, d_out] = weight.dims();
        x.matmul(weight) + self.bias.val().reshape([classes, 1, d_out])
    }
}

/// Three layers for each class's token; the token of class c makes mask c and no other.
#[derive(Module, Debug)]
pub struct MaskHeads {
    fc1: ClassLinear,
    fc2: ClassLinear,
    fc3: ClassLinear,
}

impl MaskHeads {
    /// Heads of `classes` classes.
    pub fn new(config: &DecoderConfig, classes: usize, device: &Device) -> Self {
        let width = config.width;
        let [_, out] = upscale::channels(config);
        Self {
            fc1: ClassLinear::new(classes, width, width, device),
            fc2: ClassLinear::new(classes, width, width, device),
            fc3: ClassLinear::new(classes, width, out, device),
        }
    }

    /// What each class looks for among the channels of the finer image: \[B, K, D\] →
    /// \[B, K, D / 8\].
    pub fn forward(&self, classes: Tensor<3>) -> Tensor<3> {
        let x = relu(self.fc1.forward(classes.swap_dims(0, 1)));
        let x = relu(self.fc2.forward(x));
        self.fc3.forward(x).swap_dims(0, 1)
    }
}

/// Predicted IoU of each class's mask, 0–1.
#[derive(Module, Debug)]
pub struct IouHead {
    fc1: Linear,
    fc2: Linear,
}

impl IouHead {
    /// One head for all classes.
    pub fn new(config: &DecoderConfig, device: &Device) -> Self {
        Self {
            fc1: linear(config.width, config.width, device),
            fc2: linear(config.width, 1, device),
        }
    }

    /// \[B, K, D\] → \[B, K\].
    pub fn forward(&self, classes: Tensor<3>) -> Tensor<2> {
        let hidden = relu(self.fc1.forward(classes));
        sigmoid(self.fc2.forward(hidden)).squeeze_dim(2)
    }
}

#[cfg(test)]
impl MaskHeads {
    pub(super) fn with_one_scaled(mut self, class: usize, factor: f32) -> Self {
        self.fc3.weight = self.fc3.weight.map(|weight| {
            let [_, d_in, d_out] = weight.dims();
            let one = weight.clone().narrow(0, class, 1) * factor;
            weight.slice_assign([class..class + 1, 0..d_in, 0..d_out], one)
        });
        self
    }
}
