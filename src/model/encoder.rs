//! The encoder: a Vision Transformer for tiles of any side that its patch divides.

use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, Linear};
use burn::tensor::{Device, Tensor, TensorData};

use super::block::{Block, linear, norm};
use super::config::{ConfigError, EncoderConfig};
use super::{initial, position};

/// Parameter ids of an encoder begin here; heads and decoders begin elsewhere.
const FIRST_PARAM_ID: u64 = 1_000_000;

/// What an encoder makes of a batch of tiles.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// One embedding a tile, \[B, D\].
    pub cls: Tensor<2>,
    /// One embedding a patch, row by row, \[B, g², D\].
    pub tokens: Tensor<3>,
}

/// Cuts tiles into patches and projects each; timm's `patch_embed`.
#[derive(Module, Debug)]
struct PatchEmbed {
    proj: Linear,
}

/// The encoder. Fields are named as in timm, so that weights files are too.
#[derive(Module, Debug)]
pub struct Encoder {
    patch_embed: PatchEmbed,
    cls_token: Param<Tensor<3>>,
    reg_token: Option<Param<Tensor<3>>>,
    pos_embed: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    #[module(skip)]
    config: EncoderConfig,
}

impl Encoder {
    /// An untrained encoder whose weights depend on `seed` alone.
    ///
    /// # Errors
    /// When `config` can't be built.
    pub fn new(config: &EncoderConfig, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        let built = Self::built(config, device)?;
        Ok(initial::draw(built, seed, FIRST_PARAM_ID))
    }

    /// An encoder of zeros, to be filled from a file.
    pub(super) fn blank(config: &EncoderConfig, device: &Device) -> Result<Self, ConfigError> {
        let built = Self::built(config, device)?;
        Ok(initial::numbered(built, FIRST_PARAM_ID))
    }

    fn built(config: &EncoderConfig, device: &Device) -> Result<Self, ConfigError> {
        config.check()?;
        let width = config.width;
        let tokens = |count: usize| Initializer::Zeros.init([1, count, width], device);
        let places = config.position_grid.pow(2) + usize::from(config.class_position);
        Ok(Self {
            patch_embed: PatchEmbed {
                proj: linear(3 * config.patch_px.pow(2), width, device),
            },
            cls_token: tokens(1),
            reg_token: (config.registers > 0).then(|| tokens(config.registers)),
            pos_embed: tokens(places),
            blocks: (0..config.depth)
                .map(|_| Block::new(config, device))
                .collect(),
            norm: norm(width, device),
            config: config.clone(),
        })
    }

    /// Its shape.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Embeds tiles of sRGB values 0–1, \[B, 3, S, S\], S a multiple of the patch.
    ///
    /// A tile's embedding does not depend on the others of its batch.
    ///
    /// # Errors
    /// When the tiles are not square or patches do not fill them.
    pub fn forward(&self, tiles: Tensor<4>) -> Result<Embedding, ConfigError> {
        let [_, channels, height, side] = tiles.dims();
        if channels != 3 || height != side {
            return Err(ConfigError::Invalid {
                name: self.config.name.clone(),
                what: format!("tiles are {channels}×{height}×{side}, not square with 3 channels"),
            });
        }
        let grid = self.config.grid(side)?;
        let mut x = self.with_positions(self.patches(tiles, grid), grid);
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = self.norm.forward(x);
        let [_, all, _] = x.dims();
        let prefix = self.config.prefix_tokens();
        Ok(Embedding {
            cls: x.clone().narrow(1, 0, 1).squeeze_dim(1),
            tokens: x.narrow(1, prefix, all - prefix),
        })
    }

    /// Projected patches, \[B, g², D\].
    fn patches(&self, tiles: Tensor<4>, grid: usize) -> Tensor<3> {
        let [batch, channels, _, _] = tiles.dims();
        let patch = self.config.patch_px;
        let tiles = self.normalised(tiles);
        let cut = tiles
            .reshape([batch, channels, grid, patch, grid, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, grid * grid, channels * patch * patch]);
        self.patch_embed.proj.forward(cut)
    }

    fn normalised(&self, tiles: Tensor<4>) -> Tensor<4> {
        let device = tiles.device();
        let channel = |values: [f32; 3]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        (tiles - channel(self.config.pixel_mean)) / channel(self.config.pixel_std)
    }

    /// Puts the class token and the registers in front and adds positions.
    fn with_positions(&self, patches: Tensor<3>, grid: usize) -> Tensor<3> {
        let [batch, _, width] = patches.dims();
        let class_places = usize::from(self.config.class_position);
        let places = self.pos_embed.val();
        let stored = self.config.position_grid;
        let of_patches = places.clone().narrow(1, class_places, stored * stored);
        let patches = patches + position::resampled(of_patches, stored, grid);
        let mut cls = self.cls_token.val();
        if class_places == 1 {
            cls = cls + places.narrow(1, 0, 1);
        }
        let mut all = vec![cls.expand([batch, 1, width])];
        if let Some(registers) = &self.reg_token {
            let count = self.config.registers;
            all.push(registers.val().expand([batch, count, width]));
        }
        all.push(patches);
        Tensor::cat(all, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn little() -> EncoderConfig {
        EncoderConfig {
            width: 24,
            depth: 2,
            heads: 3,
            mlp_width: 48,
            patch_px: 8,
            position_grid: 4,
            registers: 2,
            layer_scale: Some(0.5),
            ..EncoderConfig::tiny()
        }
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn takes_any_side_that_patches_fill() {
        let device = Device::flex();
        let encoder = Encoder::new(&little(), 1, &device).unwrap();
        for (side, tokens) in [(32, 16), (64, 64), (24, 9)] {
            let tiles = Tensor::random([2, 3, side, side], Distribution::Default, &device);
            let seen = encoder.forward(tiles).unwrap();
            assert_eq!(seen.cls.dims(), [2, 24]);
            assert_eq!(seen.tokens.dims(), [2, tokens, 24]);
        }
        let odd = Tensor::zeros([1, 3, 30, 30], &device);
        assert!(
            encoder
                .forward(odd)
                .unwrap_err()
                .to_string()
                .contains("30 px")
        );
    }

    #[test]
    fn a_tile_is_embedded_alike_in_every_batch() {
        let device = Device::flex();
        let encoder = Encoder::new(&little(), 1, &device).unwrap();
        let tiles = Tensor::<4>::random([5, 3, 32, 32], Distribution::Default, &device);
        let together = values(encoder.forward(tiles.clone()).unwrap().tokens);
        let alone: Vec<f32> = (0..5)
            .flat_map(|n| {
                values(
                    encoder
                        .forward(tiles.clone().narrow(0, n, 1))
                        .unwrap()
                        .tokens,
                )
            })
            .collect();
        for (a, b) in together.iter().zip(&alone) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }

    #[test]
    fn first_weights_depend_on_the_seed_alone() {
        let device = Device::flex();
        let of_seed = |seed| {
            values(
                Encoder::new(&little(), seed, &device)
                    .unwrap()
                    .pos_embed
                    .val(),
            )
        };
        assert_eq!(of_seed(3), of_seed(3));
        assert_ne!(of_seed(3), of_seed(4));
    }

    #[test]
    fn gradients_reach_every_parameter() {
        let device = Device::flex().autodiff();
        let encoder = Encoder::new(&little(), 1, &device).unwrap();
        let tiles = Tensor::random([2, 3, 64, 64], Distribution::Default, &device);
        let seen = encoder.forward(tiles).unwrap();
        let grads = (seen.cls.powi_scalar(2).sum() + seen.tokens.powi_scalar(3).sum()).backward();
        let grads = burn::optim::GradientsParams::from_grads(grads, &encoder);
        assert_eq!(grads.len(), burn::module::list_param_ids(&encoder).len());
    }
}
