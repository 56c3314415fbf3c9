//! What goes into the part that depends on the bias, and what comes out.

use std::ops::Range;

use burn::tensor::Tensor;

/// Everything of a batch of tiles that does not depend on the bias: plain tensors, to be kept and
/// decoded again under another bias.
#[derive(Debug, Clone)]
pub struct Features {
    /// Image tokens after the neck, row by row, \[B, g², D\].
    pub image: Tensor<3>,
    /// Class tokens after the first block's part of them, \[B, K, D\].
    pub classes: Tensor<3>,
    /// Logits of the first image→class attention without the bias, \[B, heads, g², K\].
    pub logits: Tensor<4>,
}

/// What a decoder says of a batch of tiles.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Mask logits, \[B, K, 4 g, 4 g\]; their softmax over K are the classes' probabilities.
    pub logits: Tensor<4>,
    /// Predicted IoU of each mask, 0–1, \[B, K\].
    pub iou: Tensor<2>,
}

impl Features {
    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.image.dims()[0]
    }

    /// Tokens along a tile's side.
    pub fn grid(&self) -> usize {
        self.image.dims()[1].isqrt()
    }

    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        let (image, classes) = (self.image.dims(), self.classes.dims());
        let logits = self.logits.dims();
        let values: usize = [&image[..], &classes, &logits]
            .iter()
            .map(|dims| dims.iter().product::<usize>())
            .sum();
        values * size_of::<f32>()
    }

    /// Some of the tiles.
    #[must_use]
    pub fn part(&self, tiles: Range<usize>) -> Self {
        let (first, count) = (tiles.start, tiles.len());
        Self {
            image: self.image.clone().narrow(0, first, count),
            classes: self.classes.clone().narrow(0, first, count),
            logits: self.logits.clone().narrow(0, first, count),
        }
    }

    /// Tiles of several batches of one grid, in their order; none of none.
    pub fn together(parts: Vec<Self>) -> Option<Self> {
        let first = parts.first()?.clone();
        if parts.len() == 1 {
            return Some(first);
        }
        let all = |pick: fn(&Self) -> Tensor<3>| Tensor::cat(parts.iter().map(pick).collect(), 0);
        Some(Self {
            image: all(|part| part.image.clone()),
            classes: all(|part| part.classes.clone()),
            logits: Tensor::cat(parts.iter().map(|part| part.logits.clone()).collect(), 0),
        })
    }
}
