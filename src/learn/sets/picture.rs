//! Decoding images and masks.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::SetError;

/// The largest image of a set, px: 1 GiB with its labels.
pub const MAX_ITEM_PX: u64 = 1 << 28;

/// What decoders may allocate.
const MAX_DECODER_BYTES: u64 = MAX_ITEM_PX * 12;

/// Colour type of a PNG whose px are numbers of a palette.
const PALETTE: u8 = 3;

/// A picture as 8-bit RGB, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
    /// `width · height · 3` bytes.
    pub data: Vec<u8>,
}

/// The codes of a mask, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeMask {
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
    /// One code a px.
    pub codes: Vec<u16>,
}

/// Width and height, px, from the header alone.
///
/// # Errors
/// When the file is no picture, or larger than [`MAX_ITEM_PX`].
pub fn size_px(path: &Path) -> Result<(usize, usize), SetError> {
    let (width, height) = decoder(path)?.dimensions();
    Ok((width as usize, height as usize))
}

/// Decodes a picture.
///
/// # Errors
/// When the file can't be decoded, or its px are not whole numbers.
pub fn read_rgb(path: &Path) -> Result<Rgb, SetError> {
    let picture = decode(path)?;
    if matches!(
        picture,
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)
    ) {
        return Err(SetError::file(path, "its px must be 8- or 16-bit numbers"));
    }
    let rgb = picture.into_rgb8();
    Ok(Rgb {
        width: rgb.width() as usize,
        height: rgb.height() as usize,
        data: rgb.into_raw(),
    })
}

/// Decodes a mask of 1 to 16 bits of grey; 8-bit colour is taken where all px are grey.
///
/// # Errors
/// When the file can't be decoded, or does not hold one code a px.
pub fn read_codes(path: &Path) -> Result<CodeMask, SetError> {
    let step = grey_step(path)?;
    let picture = decode(path)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let codes = match picture {
        DynamicImage::ImageLuma8(grey) => {
            let codes = grey.iter().map(|value| u16::from(*value) / step);
            Some(codes.collect())
        }
        DynamicImage::ImageLuma16(grey) => Some(grey.into_raw()),
        DynamicImage::ImageLumaA8(pixels) => Some(every_second(&pixels, step)),
        DynamicImage::ImageRgb8(pixels) => grey_of(&pixels, 3),
        DynamicImage::ImageRgba8(pixels) => grey_of(&pixels, 4),
        _ => None,
    };
    let codes = codes.ok_or_else(|| {
        let expected = "a mask must hold one code a px: 8- or 16-bit grey, no colours";
        SetError::file(path, expected)
    })?;
    Ok(CodeMask {
        width,
        height,
        codes,
    })
}

fn every_second(pixels: &[u8], step: u16) -> Vec<u16> {
    let grey = pixels.iter().step_by(2);
    grey.map(|value| u16::from(*value) / step).collect()
}

/// The first of `channels` bytes a px, if the first three are equal everywhere.
fn grey_of(pixels: &[u8], channels: usize) -> Option<Vec<u16>> {
    let pixels = pixels.chunks_exact(channels);
    let code = |pixel: &[u8]| {
        let grey = pixel[0] == pixel[1] && pixel[1] == pixel[2];
        grey.then_some(u16::from(pixel[0]))
    };
    pixels.map(code).collect()
}

fn decode(path: &Path) -> Result<DynamicImage, SetError> {
    DynamicImage::from_decoder(decoder(path)?).map_err(|error| SetError::file(path, error))
}

fn decoder(path: &Path) -> Result<Box<dyn ImageDecoder>, SetError> {
    let words = |error: &dyn std::fmt::Display| SetError::file(path, error);
    let file = File::open(path).map_err(|error| words(&error))?;
    let mut reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(|error| words(&error))?;
    if reader.format().is_none() {
        return Err(words(&"not a picture (PNG, JPEG, TIFF, BMP)"));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| words(&error))?;
    let (width, height) = decoder.dimensions();
    let area = u64::from(width) * u64::from(height);
    if area == 0 || area > MAX_ITEM_PX {
        let reason = format!("{width} x {height} px: an image of a set has 1 to {MAX_ITEM_PX} px");
        return Err(words(&reason));
    }
    Ok(Box::new(decoder))
}

/// What codes are multiplied with by the decoder, which stretches 1, 2 and 4 bits of grey to 8.
fn grey_step(path: &Path) -> Result<u16, SetError> {
    let words = |error: std::io::Error| SetError::file(path, error);
    let mut head = Vec::new();
    let file = File::open(path).map_err(words)?;
    file.take(26).read_to_end(&mut head).map_err(words)?;
    let [bits, kind] = match head.get(24..26) {
        Some(&[bits, kind]) if head.starts_with(b"\x89PNG") => [bits, kind],
        _ => return Ok(1),
    };
    if kind == PALETTE {
        let reason = "a mask must hold codes, not colours of a palette: save it as 8-bit grey";
        return Err(SetError::file(path, reason));
    }
    Ok(match bits {
        1 => 255,
        2 => 85,
        4 => 17,
        _ => 1,
    })
}
