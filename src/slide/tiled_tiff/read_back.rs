//! A reader of a few lines, for tests: knows what this folder writes and nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A directory: the raw bytes of every tag's values.
pub type Directory = BTreeMap<u16, Vec<u8>>;

/// A file in memory.
pub struct Reader {
    bytes: Vec<u8>,
    pub big: bool,
}

impl Reader {
    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let big = bytes[2] == 43;
        assert_eq!(&bytes[..2], b"II");
        assert_eq!(bytes[2..8] == [43, 0, 8, 0, 0, 0], big);
        Self { bytes, big }
    }

    pub fn number(&self, at: usize, bytes: usize) -> u64 {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(&self.bytes[at..at + bytes]);
        u64::from_le_bytes(word)
    }

    pub fn word_bytes(&self) -> usize {
        if self.big { 8 } else { 4 }
    }

    pub fn directories(&self) -> Vec<Directory> {
        let word = self.word_bytes();
        let mut at = self.number(word, word) as usize;
        let mut all = Vec::new();
        while at != 0 {
            assert!(at.is_multiple_of(8));
            let count_bytes = if self.big { 8 } else { 2 };
            let count = self.number(at, count_bytes) as usize;
            let entries = at + count_bytes;
            let step = 4 + 2 * word;
            let tags: Vec<_> = (0..count).map(|i| self.entry(entries + i * step)).collect();
            assert!(tags.is_sorted_by_key(|(tag, _)| *tag));
            all.push(tags.into_iter().collect());
            at = self.number(entries + count * step, word) as usize;
        }
        all
    }

    pub fn entry(&self, at: usize) -> (u16, Vec<u8>) {
        let word = self.word_bytes();
        let size = match self.number(at + 2, 2) {
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 16 => 8,
            other => panic!("type {other}"),
        };
        let length = size * self.number(at + 4, word) as usize;
        let inline = at + 4 + word;
        let start = if length <= word {
            inline
        } else {
            self.number(inline, word) as usize
        };
        (
            self.number(at, 2) as u16,
            self.bytes[start..start + length].to_vec(),
        )
    }

    pub fn words(&self, directory: &Directory, tag: u16) -> Vec<u64> {
        let word = self.word_bytes();
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | u64::from(*byte))
        };
        directory[&tag].chunks(word).map(number).collect()
    }

    pub fn inflated(&self, directory: &Directory, tile: usize) -> Vec<u8> {
        let start = self.words(directory, 324)[tile] as usize;
        let length = self.words(directory, 325)[tile] as usize;
        let mut pixels = Vec::new();
        let mut decoder = flate2::read::ZlibDecoder::new(&self.bytes[start..start + length]);
        decoder.read_to_end(&mut pixels).unwrap();
        pixels
    }

    /// All pixels of a level of JPEG tiles.
    pub fn picture(&self, directory: &Directory, side_px: u32) -> image::RgbImage {
        let (width, height) = (u32_of(directory, 256), u32_of(directory, 257));
        let mut picture = image::RgbImage::new(width, height);
        let spans = self
            .words(directory, 324)
            .into_iter()
            .zip(self.words(directory, 325));
        for (n, (start, bytes)) in (0..).zip(spans) {
            let stream = &self.bytes[start as usize..(start + bytes) as usize];
            let tile = image::load_from_memory_with_format(stream, image::ImageFormat::Jpeg);
            let (left, top) = (
                n % width.div_ceil(side_px) * side_px,
                n / width.div_ceil(side_px) * side_px,
            );
            for (x, y, pixel) in tile.unwrap().to_rgb8().enumerate_pixels() {
                if left + x < width && top + y < height {
                    picture.put_pixel(left + x, top + y, *pixel);
                }
            }
        }
        picture
    }
}

pub fn u32_of(directory: &Directory, tag: u16) -> u32 {
    u32::from_le_bytes(directory[&tag][..4].try_into().unwrap())
}

pub fn shorts_of(directory: &Directory, tag: u16) -> Vec<u16> {
    directory[&tag]
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u16::from_le_bytes(*bytes))
        .collect()
}
