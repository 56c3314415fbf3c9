//! The decoder, cut in two where the bias first comes in.

use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm};
use burn::tensor::{Device, Tensor};

use super::attention::{Attention, class_weights};
use super::config::{DecoderConfig, DecoderError};
use super::features::{Decoded, Features};
use super::heads::{IouHead, MaskHeads};
use super::neck::Neck;
use super::trace::BiasedLayer;
use super::two_way::{Block, Places};
use super::upscale::{Upscale, in_rows};
use super::{first_weights, place};
use crate::model::block::norm;

/// Two-way mask decoder with one token a class (methods 1.3).
///
/// Where SAM leaves the first block's self-attention without its input and its positions, ours has
/// both, so that every class keeps a token of its own from the start.
#[derive(Module, Debug)]
pub struct Decoder {
    neck: Neck,
    /// q⁰: where the class tokens begin, and their positional part throughout, \[K, D\].
    class_tokens: Param<Tensor<2>>,
    blocks: Vec<Block>,
    last_attn: Attention,
    last_norm: LayerNorm,
    upscale: Upscale,
    mask_heads: MaskHeads,
    iou_head: IouHead,
    #[module(skip)]
    config: DecoderConfig,
}

impl Decoder {
    /// An untrained decoder of `classes` scored classes, whose weights depend on `seed` alone.
    ///
    /// # Errors
    /// When `config` can't be built, or there is no class or too many.
    pub fn new(
        config: &DecoderConfig,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, DecoderError> {
        let built = Self::built(config, classes, device)?;
        Ok(first_weights::drawn(built, seed))
    }

    /// A decoder of zeros, to be filled from a file.
    pub(super) fn blank(
        config: &DecoderConfig,
        classes: usize,
        device: &Device,
    ) -> Result<Self, DecoderError> {
        let built = Self::built(config, classes, device)?;
        Ok(first_weights::numbered(built))
    }

    fn built(
        config: &DecoderConfig,
        classes: usize,
        device: &Device,
    ) -> Result<Self, DecoderError> {
        config.check()?;
        config.check_classes(classes)?;
        let (width, heads) = (config.width, config.heads);
        Ok(Self {
            neck: Neck::new(config, device),
            class_tokens: Initializer::Zeros.init([classes, width], device),
            blocks: (0..config.depth)
                .map(|_| Block::new(config, device))
                .collect(),
            last_attn: Attention::new(width, config.cross_width, heads, device),
            last_norm: norm(width, device),
            upscale: Upscale::new(config, device),
            mask_heads: MaskHeads::new(config, classes, device),
            iou_head: IouHead::new(config, device),
            config: config.clone(),
        })
    }

    /// Its shape.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Number K of classes; the token of class c makes mask c.
    pub fn classes(&self) -> usize {
        self.class_tokens.val().dims()[0]
    }

    /// What does not depend on the bias, from the encoder's patch tokens, \[B, g², De\], of a square
    /// grid of any side: the neck, the first block's class tokens, and the first logits between
    /// image and classes.
    ///
    /// # Errors
    /// When the tokens are of another width, or of no square grid.
    pub fn start(&self, tokens: Tensor<3>) -> Result<Features, DecoderError> {
        let [batch, count, width] = tokens.dims();
        let grid = count.isqrt();
        if width != self.config.encoder_width || count == 0 || grid * grid != count {
            let expected = self.config.encoder_width;
            return Err(self.config.invalid(format!(
                "{count} tokens of width {width}, expected a square grid of width {expected}"
            )));
        }
        let places = self.places(grid);
        let image = self.neck.forward(tokens, grid);
        let [_, classes, width] = places.classes.dims();
        let begin = places.classes.clone().expand([batch, classes, width]);
        let block = &self.blocks[0];
        let classes = block.classes(begin, &image, &places);
        let logits = block.logits(&image, &classes, &places);
        Ok(Features {
            image,
            classes,
            logits,
        })
    }

    /// What depends on the bias \[K\]: all that follows on the first logits between image and
    /// classes. The bias may be centred or not: a number added to all of it changes nothing.
    ///
    /// # Errors
    /// When the bias or the features are of another number of classes or another width.
    pub fn decode(&self, features: &Features, bias: Tensor<1>) -> Result<Decoded, DecoderError> {
        self.run(features, bias, |_, _| ())
    }

    /// As [`Decoder::decode`], with what every biased layer saw, the first first.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_traced(
        &self,
        features: &Features,
        bias: Tensor<1>,
    ) -> Result<(Decoded, Vec<BiasedLayer>), DecoderError> {
        let mut layers = Vec::new();
        let decoded = self.run(features, bias, |logits, weights| {
            layers.push(BiasedLayer {
                logits: logits.clone(),
                weights: weights.clone(),
            });
        })?;
        Ok((decoded, layers))
    }

    fn run(
        &self,
        features: &Features,
        bias: Tensor<1>,
        mut see: impl FnMut(&Tensor<4>, &Tensor<4>),
    ) -> Result<Decoded, DecoderError> {
        self.check_fit(features, &bias)?;
        let grid = features.grid();
        let places = self.places(grid);
        let (mut image, mut classes) = (features.image.clone(), features.classes.clone());
        for (n, block) in self.blocks.iter().enumerate() {
            let logits = if n == 0 {
                features.logits.clone()
            } else {
                classes = block.classes(classes, &image, &places);
                block.logits(&image, &classes, &places)
            };
            let weights = class_weights(logits.clone(), bias.clone());
            see(&logits, &weights);
            image = block.image(image, &classes, weights);
        }
        Ok(self.finish(image, classes, &places, grid))
    }

    /// The last look of the class tokens at the image, masks and predicted IoU.
    fn finish(
        &self,
        image: Tensor<3>,
        classes: Tensor<3>,
        places: &Places,
        grid: usize,
    ) -> Decoded {
        let seen = self.last_attn.forward(
            classes.clone() + places.classes.clone(),
            image.clone() + places.image.clone(),
            image.clone(),
        );
        let classes = self.last_norm.forward(classes + seen);
        Decoded {
            logits: self.masks_from(classes.clone(), image, grid),
            iou: self.iou_head.forward(classes),
        }
    }

    /// Mask c: what the token of class c looks for in the finer image.
    fn masks_from(&self, classes: Tensor<3>, image: Tensor<3>, grid: usize) -> Tensor<4> {
        let wanted = self.mask_heads.forward(classes);
        let finer = self.upscale.forward(image).swap_dims(1, 2);
        in_rows(wanted.matmul(finer), grid)
    }

    fn places(&self, grid: usize) -> Places {
        let classes = self.class_tokens.val();
        Places {
            image: place::places(grid, self.config.width, &classes.device()).cast(classes.dtype()),
            classes: classes.unsqueeze(),
        }
    }

    fn check_fit(&self, features: &Features, bias: &Tensor<1>) -> Result<(), DecoderError> {
        let (classes, width) = (self.classes(), self.config.width);
        let [given] = bias.dims();
        if given != classes {
            return Err(self.config.invalid(format!(
                "a bias of {given} classes, expected one of {classes}"
            )));
        }
        let (batch, heads) = (features.tiles(), self.config.heads);
        let count = features.grid().pow(2);
        let fits = features.image.dims() == [batch, count, width]
            && features.classes.dims() == [batch, classes, width]
            && features.logits.dims() == [batch, heads, count, classes];
        match fits {
            true => Ok(()),
            false => Err(self.config.invalid(format!(
                "features {:?}, {:?} and {:?}, of another decoder: expected width {width}, \
                 {classes} classes, {heads} heads",
                features.image.dims(),
                features.classes.dims(),
                features.logits.dims()
            ))),
        }
    }
}

#[cfg(test)]
impl Decoder {
    /// The same decoder, of whose mask heads one gives `factor` times as much.
    pub(super) fn with_mask_head_scaled(mut self, class: usize, factor: f32) -> Self {
        self.mask_heads = self.mask_heads.with_one_scaled(class, factor);
        self
    }

    /// How the masks move when the token of one class, as it leaves the transformer, is another,
    /// over an image that stays.
    pub(crate) fn masks_of_nudged(&self, features: &Features, class: usize) -> Tensor<4> {
        let [batch, _, width] = features.classes.dims();
        let other = features.classes.clone().narrow(1, class, 1) + 0.5;
        let range = [0..batch, class..class + 1, 0..width];
        let nudged = features.classes.clone().slice_assign(range, other);
        let masks = |classes| self.masks_from(classes, features.image.clone(), features.grid());
        masks(nudged) - masks(features.classes.clone())
    }
}
