//! PNG files that say what they show: the scale, the slide, the program.

use anyhow::Context as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::slide::Rgba;

/// The signature and the header chunk, which every PNG begins with.
const HEADER_BYTES: usize = 8 + 25;

/// pHYs counts pixels per metre.
const METRE: u8 = 1;

/// What is written beside the pixels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// Microns that one px of the picture covers, if known.
    pub mpp: Option<f64>,
    /// What the picture follows from: keywords of 1 to 79 ASCII characters, and words.
    pub notes: Vec<(String, String)>,
}

/// `picture` as an opaque RGB file with the provenance in it: `Software`, the notes and
/// `Microns-Per-Pixel` as text, the scale as pixels per metre too.
///
/// # Errors
/// When the encoder fails.
pub fn encode(picture: &Rgba, provenance: &Provenance) -> anyhow::Result<Vec<u8>> {
    let opaque: Vec<u8> = picture
        .data
        .chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    let mut file = Vec::new();
    // Tissue hardly compresses: the fast way costs a few per cent in size and saves most of the time.
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
        .write_image(
            &opaque,
            picture.width,
            picture.height,
            ExtendedColorType::Rgb8,
        )
        .context("the picture can't be encoded")?;
    let at = HEADER_BYTES.min(file.len());
    file.splice(at..at, chunks(provenance));
    Ok(file)
}

fn chunks(provenance: &Provenance) -> Vec<u8> {
    let software = concat!("parfocal ", env!("CARGO_PKG_VERSION"));
    let mut chunks = text_chunk("Software", software);
    for (keyword, words) in &provenance.notes {
        chunks.extend(text_chunk(keyword, words));
    }
    if let Some(mpp) = provenance.mpp {
        chunks.extend(text_chunk("Microns-Per-Pixel", &mpp.to_string()));
        // A saturating cast: a scale beyond it is none that a printer could use.
        let per_metre = ((1e6 / mpp).round() as u32).to_be_bytes();
        let data = [per_metre.as_slice(), &per_metre, &[METRE]].concat();
        chunks.extend(chunk(*b"pHYs", &data));
    }
    chunks
}

/// Text as the format has it: plain where it is ASCII, else in UTF-8 with its own kind of chunk.
fn text_chunk(keyword: &str, text: &str) -> Vec<u8> {
    let text = text.replace('\0', "");
    if text.is_ascii() {
        return chunk(*b"tEXt", format!("{keyword}\0{text}").as_bytes());
    }
    // Not compressed, in no particular language, the keyword not translated.
    chunk(*b"iTXt", format!("{keyword}\0\0\0\0\0{text}").as_bytes())
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let mut checksum = flate2::Crc::new();
    checksum.update(&body);
    let length = (data.len() as u32).to_be_bytes();
    [length.as_slice(), &body, &checksum.sum().to_be_bytes()].concat()
}

/// The texts of a file, for tests.
#[cfg(test)]
pub(crate) fn texts(file: &[u8]) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut rest = &file[8..];
    while rest.len() >= 12 {
        let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        let (kind, data) = (&rest[4..8], &rest[8..8 + length]);
        let text = String::from_utf8_lossy(data);
        if let Some((keyword, text)) = text.split_once('\0') {
            match kind {
                b"tEXt" => texts.push((keyword.to_owned(), text.to_owned())),
                b"iTXt" => texts.push((keyword.to_owned(), text.replacen('\0', "", 4))),
                _ => {}
            }
        }
        rest = &rest[12 + length..];
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_back_and_carries_its_provenance() {
        let picture = Rgba {
            width: 3,
            height: 1,
            data: vec![1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255],
        };
        let notes = [("Slide", "Schöne 図.svs"), ("Model-Hash", "sha256:12\0")];
        let provenance = Provenance {
            mpp: Some(0.5),
            notes: notes.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
        };
        let file = encode(&picture, &provenance).unwrap();
        let back = image::load_from_memory(&file).unwrap().into_rgb8();
        assert_eq!(back.into_raw(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let holds = |wanted: &[u8]| file.windows(wanted.len()).any(|bytes| bytes == wanted);
        assert!(holds(b"Model-Hash\0sha256:12"));
        assert!(holds(b"pHYs\x00\x1e\x84\x80\x00\x1e\x84\x80\x01"));
        let texts = texts(&file);
        let text = |keyword: &str| {
            texts
                .iter()
                .find(|(of, _)| of == keyword)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(text("Slide"), "Schöne 図.svs");
        assert_eq!(text("Microns-Per-Pixel"), "0.5");
        assert!(text("Software").starts_with("parfocal "));
    }
}
