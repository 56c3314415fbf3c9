//! What is compared: encoders, an untrained one, and colour alone.

use burn::tensor::Device;
use serde::Serialize;

use super::EvalError;
use super::footprint::GRID;
use crate::learn::embed::{Features, Tile};
use crate::model::Encoder;

/// An encoder under test.
#[derive(Debug)]
pub struct NamedEncoder {
    /// What the report calls it; no two alike.
    pub name: String,
    /// The encoder.
    pub encoder: Encoder,
    /// Hash of its weights file.
    pub hash: String,
    /// Whether it was trained without the context and token losses: a floor.
    pub without: bool,
}

/// What an arm stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmKind {
    /// A trained encoder.
    Trained,
    /// The same training without L_ctx and L_tok.
    Without,
    /// An encoder of the same shape with first weights.
    Untrained,
    /// The mean colour.
    MeanRgb,
}

/// One arm of the comparison.
#[derive(Debug)]
pub struct Arm<'a> {
    /// What the report calls it.
    pub name: String,
    /// What it stands for.
    pub kind: ArmKind,
    /// Hash of the weights file, of those that have one.
    pub hash: Option<String>,
    eye: Eye<'a>,
}

#[derive(Debug)]
enum Eye<'a> {
    Given(&'a Encoder),
    Own(Box<Encoder>),
    Colour,
}

/// Tokens along a side of a tile in the colour arm: two a child, as the `tiny` encoder has them
/// in tiles of 128 px.
const COLOUR_GRID: usize = 2 * GRID;

impl<'a> Arm<'a> {
    /// Every encoder, one untrained encoder for each of their shapes, and the mean colour.
    ///
    /// # Errors
    /// When names repeat or tiles of `tile_px` can't be cut into an encoder's tokens.
    pub fn all(
        encoders: &'a [NamedEncoder],
        tile_px: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Vec<Self>, EvalError> {
        let mut arms: Vec<Self> = Vec::new();
        for named in encoders {
            check(named, tile_px)?;
            if arms.iter().any(|arm| arm.name == named.name) {
                let what = format!("two encoders are called '{}'", named.name);
                return Err(EvalError::Config(what));
            }
            arms.push(Self::given(named));
        }
        for (n, named) in encoders.iter().enumerate() {
            let shape = named.encoder.config();
            if !encoders[..n].iter().any(|e| e.encoder.config() == shape) {
                arms.push(Self::untrained(&named.encoder, seed, device)?);
            }
        }
        arms.push(Self {
            name: "mean RGB".to_owned(),
            kind: ArmKind::MeanRgb,
            hash: None,
            eye: Eye::Colour,
        });
        Ok(arms)
    }

    fn given(named: &'a NamedEncoder) -> Self {
        Self {
            name: named.name.clone(),
            kind: if named.without {
                ArmKind::Without
            } else {
                ArmKind::Trained
            },
            hash: Some(named.hash.clone()),
            eye: Eye::Given(&named.encoder),
        }
    }

    fn untrained(like: &Encoder, seed: u64, device: &Device) -> Result<Self, EvalError> {
        let encoder = Encoder::new(like.config(), seed, device)?;
        Ok(Self {
            name: format!("untrained {}", like.config().name),
            kind: ArmKind::Untrained,
            hash: None,
            eye: Eye::Own(Box::new(encoder)),
        })
    }

    /// Values of an embedding.
    pub fn width(&self) -> usize {
        match &self.eye {
            Eye::Given(encoder) => encoder.config().width,
            Eye::Own(encoder) => encoder.config().width,
            Eye::Colour => 3,
        }
    }

    /// Embeds tiles of one side.
    ///
    /// # Errors
    /// When the encoder does not take them.
    pub fn see(&self, tiles: &[Tile], device: &Device) -> Result<Features, EvalError> {
        Ok(match &self.eye {
            Eye::Given(encoder) => Features::of(encoder, tiles, device)?,
            Eye::Own(encoder) => Features::of(encoder, tiles, device)?,
            Eye::Colour => colours(tiles),
        })
    }
}

fn check(named: &NamedEncoder, tile_px: usize) -> Result<(), EvalError> {
    let grid = named.encoder.config().grid(tile_px)?;
    if grid.is_multiple_of(GRID) {
        return Ok(());
    }
    let (name, patch_px) = (&named.name, named.encoder.config().patch_px);
    Err(EvalError::Config(format!(
        "tile_px: {tile_px} px are {grid} patches of '{name}' ({patch_px} px) a side; it must be a \
         multiple of {GRID} patches, so that every child covers whole tokens"
    )))
}

/// Mean red, green and blue, 0–1, as an embedding of each tile and of each part of it.
fn colours(tiles: &[Tile]) -> Features {
    let mean = |tile: &Tile, left: u32, top: u32, side: u32| {
        let mut sums = [0_u64; 3];
        let mut count = 0_u64;
        for pixel in tile.pixels(left, top, side) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(value);
            }
            count += 1;
        }
        sums.map(|sum| (sum as f64 / (255 * count.max(1)) as f64) as f32)
    };
    let grid = COLOUR_GRID as u32;
    let of_tile = |tile: &Tile| {
        let side = tile.side_px / grid;
        let part = |n: u32| mean(tile, n % grid * side, n / grid * side, side);
        (0..grid * grid).flat_map(part).collect::<Vec<f32>>()
    };
    let whole = |tile: &Tile| mean(tile, 0, 0, tile.side_px);
    Features {
        width: 3,
        grid: COLOUR_GRID,
        cls: tiles.iter().flat_map(whole).collect(),
        tokens: tiles.iter().flat_map(of_tile).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::embed::Block;
    use crate::model::EncoderConfig;

    #[test]
    fn colour_is_the_mean_of_the_right_part() {
        // Red grows along x, green along y.
        let at = |n: u32| [(n % 16) as u8, (n / 16) as u8, 255];
        let rgb = (0..256).flat_map(at).collect();
        let features = colours(&[Tile { side_px: 16, rgb }]);
        let part = features.mean(0, Block::part(COLOUR_GRID, GRID, (3, 1)));
        let expected = [13.5, 5.5, 255.0].map(|v: f32| v / 255.0);
        for (a, b) in part.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{part:?}");
        }
        assert!((features.cls(0)[0] - 7.5 / 255.0).abs() < 1e-6);
    }

    #[test]
    fn floors_are_always_there_once_a_shape() {
        let device = Device::flex();
        let config = EncoderConfig {
            width: 24,
            depth: 1,
            mlp_width: 24,
            ..EncoderConfig::tiny()
        };
        let named = |name: &str| NamedEncoder {
            name: name.to_owned(),
            encoder: Encoder::new(&config, 1, &device).unwrap(),
            hash: String::new(),
            without: name == "b",
        };
        let encoders = [named("a"), named("b")];
        let arms = Arm::all(&encoders, 128, 1, &device).unwrap();
        let kinds: Vec<ArmKind> = arms.iter().map(|arm| arm.kind).collect();
        let expected = [
            ArmKind::Trained,
            ArmKind::Without,
            ArmKind::Untrained,
            ArmKind::MeanRgb,
        ];
        assert_eq!(kinds, expected);
        let odd = Arm::all(&encoders, 80, 1, &device).unwrap_err().to_string();
        assert!(odd.contains("4 patches"), "{odd}");
        assert!(Arm::all(&[named("a"), named("a")], 128, 1, &device).is_err());
    }
}
