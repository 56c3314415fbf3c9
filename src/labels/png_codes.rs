//! Codes out of a PNG file: grey of 8 or 16 bits, or numbers of a palette.

use std::io::Cursor;
use std::path::Path;

use flate2::Crc;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, Limits};

use super::error::LabelError;
use super::tiff_codes::guarded;
use crate::slide::image_file::MAX_IMAGE_PX;

/// The first bytes of every PNG.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Longer files are no masks within the limit of px, bytes.
const MAX_FILE_BYTES: u64 = 3 * MAX_IMAGE_PX;

const MAX_DECODER_BYTES: u64 = 4 * MAX_IMAGE_PX;

/// Where the header has its bits per sample and its kind of colour, from the file's first byte.
const DEPTH_AT: usize = 24;
const KIND_AT: usize = 25;
const GREY: u8 = 0;
const PALETTE: u8 = 3;

/// A mask in memory.
pub(super) struct PngCodes {
    pub size_px: (u32, u32),
    /// Rows from the top.
    pub codes: Vec<u16>,
    /// Colours of the codes.
    pub palette: Vec<[u8; 3]>,
}

/// Decodes the file.
pub(super) fn read(path: &Path) -> Result<PngCodes, LabelError> {
    let wrong = |reason: String| LabelError::new(path, reason);
    let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if length.len() > MAX_FILE_BYTES {
        return Err(wrong("too long for a mask without tiles".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    guarded(path, || decode(bytes).map_err(wrong))
}

fn decode(mut bytes: Vec<u8>) -> Result<PngCodes, String> {
    let (Some(depth), Some(kind)) = (bytes.get(DEPTH_AT).copied(), bytes.get(KIND_AT).copied())
    else {
        return Err("the file ends too early".to_owned());
    };
    let mut palette = Vec::new();
    if kind == PALETTE {
        palette = numbers_as_grey(&mut bytes)?;
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits);
    let decoder = decoder.map_err(|error| error.to_string())?;
    let size_px = decoder.dimensions();
    if u64::from(size_px.0) * u64::from(size_px.1) > MAX_IMAGE_PX {
        return Err(format!(
            "{} x {} px are more than the {MAX_IMAGE_PX} px that a mask without tiles may have; \
             convert it to a tiled TIFF",
            size_px.0, size_px.1
        ));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    // The decoder spreads fewer bits over the whole of a byte.
    let spread = 255 / ((1_u16 << depth.min(8)) - 1);
    let codes = match picture {
        DynamicImage::ImageLuma8(grey) => grey.iter().map(|v| u16::from(*v) / spread).collect(),
        DynamicImage::ImageLuma16(grey) => grey.into_raw(),
        _ => return Err("a picture in colours: a label map has one number a px".to_owned()),
    };
    Ok(PngCodes {
        size_px,
        codes,
        palette,
    })
}

/// Makes a picture of palette numbers one of grey values, as the decoder would give the colours
/// in place of the numbers. Gives the palette.
fn numbers_as_grey(bytes: &mut Vec<u8>) -> Result<Vec<[u8; 3]>, String> {
    bytes[KIND_AT] = GREY;
    let mut grey = SIGNATURE.to_vec();
    let mut palette = Vec::new();
    let mut at = SIGNATURE.len();
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (kind, end) = (&head[4..], at + 8 + length);
        let cut_off = || "the file ends too early".to_owned();
        let chunk = bytes.get(at + 4..end).ok_or_else(cut_off)?;
        match kind {
            b"PLTE" => palette = chunk[4..].as_chunks::<3>().0.to_vec(),
            b"IHDR" => {
                let mut sum = Crc::new();
                sum.update(chunk);
                grey.extend(&bytes[at..end]);
                grey.extend(sum.sum().to_be_bytes());
            }
            b"IDAT" | b"IEND" => grey.extend(bytes.get(at..end + 4).ok_or_else(cut_off)?),
            _ => {}
        }
        at = end + 4;
    }
    *bytes = grey;
    Ok(palette)
}
