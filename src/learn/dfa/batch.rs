//! One step's tiles and their labels.

use burn::tensor::{Device, Tensor, TensorData};

/// What the network is shown of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Tiles of sRGB 0–1, \[B, 3, S, S\], for an encoder that is trained too.
    Tiles(Vec<f32>),
    /// Patch tokens of a frozen encoder, \[B, g², De\].
    Tokens {
        /// The values.
        values: Vec<f32>,
        /// Tokens a tile, g².
        count: usize,
    },
}

/// One step's tiles and their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledBatch {
    /// What is shown.
    pub input: Input,
    /// Class of each pixel, \[B, S, S\]; [`super::target::IGNORE`] for none.
    pub labels: Vec<u8>,
    /// Side of a tile, S px.
    pub tile_px: usize,
}

impl LabelledBatch {
    /// Number of tiles, B.
    pub fn tiles(&self) -> usize {
        self.labels.len() / (self.tile_px * self.tile_px).max(1)
    }

    /// The input as a tensor whose first axis is the batch.
    pub fn shown(&self, device: &Device) -> Shown {
        let batch = self.tiles();
        match &self.input {
            Input::Tiles(values) => {
                let shape = [batch, 3, self.tile_px, self.tile_px];
                let data = TensorData::new(values.clone(), shape);
                Shown::Tiles(Tensor::from_data(data, device))
            }
            Input::Tokens { values, count } => {
                let width = values.len() / (batch * count).max(1);
                let data = TensorData::new(values.clone(), [batch, *count, width]);
                Shown::Tokens(Tensor::from_data(data, device))
            }
        }
    }
}

/// What a network is shown, on its device.
#[derive(Debug, Clone)]
pub enum Shown {
    /// Tiles, \[B, 3, S, S\].
    Tiles(Tensor<4>),
    /// Patch tokens, \[B, g², De\].
    Tokens(Tensor<3>),
}

impl Shown {
    /// Some of the batch.
    #[must_use]
    pub fn part(&self, first: usize, count: usize) -> Self {
        match self {
            Self::Tiles(tiles) => Self::Tiles(tiles.clone().narrow(0, first, count)),
            Self::Tokens(tokens) => Self::Tokens(tokens.clone().narrow(0, first, count)),
        }
    }
}
