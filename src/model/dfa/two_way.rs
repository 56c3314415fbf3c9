//! One two-way block (SAM, Kirillov et al., 2023, section A), with the biased direction left open.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::attention::Attention;
use super::config::DecoderConfig;
use crate::model::block::{linear, norm};

/// What is added to tokens wherever they are asked or ask, but not where they answer.
#[derive(Debug, Clone)]
pub struct Places {
    /// Of the class tokens, q⁰: their learned start, \[1, K, D\].
    pub classes: Tensor<3>,
    /// Of the image tokens, \[1, g², D\].
    pub image: Tensor<3>,
}

/// Class tokens look at each other and at the image and think; then image tokens look at them.
#[derive(Module, Debug)]
pub struct Block {
    self_attn: Attention,
    norm1: LayerNorm,
    class_to_image: Attention,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    norm3: LayerNorm,
    image_to_class: Attention,
    norm4: LayerNorm,
}

impl Block {
    /// A block of the shape that `config` tells.
    pub fn new(config: &DecoderConfig, device: &Device) -> Self {
        let (width, heads) = (config.width, config.heads);
        let cross = || Attention::new(width, config.cross_width, heads, device);
        Self {
            self_attn: Attention::new(width, width, heads, device),
            norm1: norm(width, device),
            class_to_image: cross(),
            norm2: norm(width, device),
            fc1: linear(width, config.mlp_width, device),
            fc2: linear(config.mlp_width, width, device),
            norm3: norm(width, device),
            image_to_class: cross(),
            norm4: norm(width, device),
        }
    }

    /// The class tokens after they saw each other and the image, \[B, K, D\]. No bias here: along
    /// the image's tokens it would cancel.
    pub fn classes(&self, classes: Tensor<3>, image: &Tensor<3>, places: &Places) -> Tensor<3> {
        let placed = classes.clone() + places.classes.clone();
        let seen = self
            .self_attn
            .forward(placed.clone(), placed, classes.clone());
        let classes = self.norm1.forward(classes + seen);
        let placed = classes.clone() + places.classes.clone();
        let keys = image.clone() + places.image.clone();
        let seen = self.class_to_image.forward(placed, keys, image.clone());
        let classes = self.norm2.forward(classes + seen);
        let thought = self.fc2.forward(relu(self.fc1.forward(classes.clone())));
        self.norm3.forward(classes + thought)
    }

    /// How much each image token is drawn to each class before the bias, \[B, heads, g², K\].
    pub fn logits(&self, image: &Tensor<3>, classes: &Tensor<3>, places: &Places) -> Tensor<4> {
        self.image_to_class.logits(
            image.clone() + places.image.clone(),
            classes.clone() + places.classes.clone(),
        )
    }

    /// The image tokens after they took from the classes by `weights`, \[B, g², D\].
    pub fn image(&self, image: Tensor<3>, classes: &Tensor<3>, weights: Tensor<4>) -> Tensor<3> {
        let fetched = self.image_to_class.fetch(weights, classes.clone());
        self.norm4.forward(image + fetched)
    }
}
