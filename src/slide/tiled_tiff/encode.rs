//! Tiles as bytes: JPEG streams and deflate.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

/// How finely a JPEG stores colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// At every px (4:4:4).
    Full,
    /// At every second px both ways (4:2:0): smaller, and colours bleed over edges.
    Halved,
}

/// What a pixel is and how tiles are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PixelKind {
    /// Three bytes of sRGB, a complete JPEG stream a tile.
    RgbJpeg {
        /// 1 to 100.
        quality: u8,
        /// Resolution of colour.
        chroma: Chroma,
    },
    /// One byte, a code, deflate; the colours of the codes from 0 on, at most 256.
    Palette(Vec<[u8; 3]>),
    /// One byte, from black to white, deflate.
    Grey,
    /// Two bytes, a number, the lower byte first, deflate.
    Numbers,
}

impl PixelKind {
    /// Samples a pixel.
    pub fn samples(&self) -> usize {
        match self {
            Self::RgbJpeg { .. } => 3,
            Self::Palette(_) | Self::Grey | Self::Numbers => 1,
        }
    }

    /// Bytes a sample.
    pub fn sample_bytes(&self) -> usize {
        if *self == Self::Numbers { 2 } else { 1 }
    }

    /// Bytes a pixel.
    pub fn px_bytes(&self) -> usize {
        self.samples() * self.sample_bytes()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::RgbJpeg { quality, .. } if !(1..=100).contains(quality) => {
                Err(format!("JPEG quality {quality} is not 1 to 100"))
            }
            Self::Palette(colours) if colours.len() > 256 => Err(format!(
                "{} colours are more than a palette's 256",
                colours.len()
            )),
            _ => Ok(()),
        }
    }
}

/// Compresses a whole tile: `tile_px`² pixels, rows from the top, also at the slide's edges.
///
/// # Errors
/// In words, when `pixels` are not that many.
pub fn encode_tile(kind: &PixelKind, tile_px: u32, pixels: &[u8]) -> Result<Vec<u8>, String> {
    let expected = tile_px as usize * tile_px as usize * kind.px_bytes();
    if pixels.len() != expected {
        return Err(format!("a tile of {} bytes, not {expected}", pixels.len()));
    }
    match *kind {
        PixelKind::RgbJpeg { quality, chroma } => jpeg(quality, chroma, tile_px, pixels),
        PixelKind::Palette(_) | PixelKind::Grey | PixelKind::Numbers => {
            deflate(pixels).map_err(|error| error.to_string())
        }
    }
}

fn jpeg(quality: u8, chroma: Chroma, tile_px: u32, pixels: &[u8]) -> Result<Vec<u8>, String> {
    let side = u16::try_from(tile_px).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(match chroma {
        Chroma::Full => SamplingFactor::F_1_1,
        Chroma::Halved => SamplingFactor::F_2_2,
    });
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    let encoded = encoder.encode(pixels, side, side, ColorType::Rgb);
    encoded.map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn deflate(pixels: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(pixels)?;
    encoder.finish()
}
