//! Directories: what a level is, in tags.

use super::{Chroma, PixelKind, Span, TiffLayout, TiffLevel};

/// Directories and the values outside them start at multiples of this.
pub(super) const ALIGNMENT_BYTES: u64 = 8;

const UM_PER_CM: f64 = 10_000.0;
const SOFTWARE: &str = concat!("Parfocal ", env!("CARGO_PKG_VERSION"));

/// Width of the offsets in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// 32 bits: every reader knows it, and it ends at 4 GiB.
    Classic,
    /// BigTIFF, 64 bits.
    Big,
}

impl Container {
    /// The start of a file whose first directory is at `first`.
    pub(super) fn header(self, first: u64) -> Vec<u8> {
        let mut bytes = b"II".to_vec();
        match self {
            Self::Classic => bytes.extend(42_u16.to_le_bytes()),
            Self::Big => bytes.extend([43, 0, 8, 0, 0, 0]),
        }
        self.push_word(&mut bytes, first);
        bytes
    }

    fn word_bytes(self) -> usize {
        match self {
            Self::Classic => 4,
            Self::Big => 8,
        }
    }

    /// Appends an offset or count; the writer sees to it that a classic file has none beyond 4 GiB.
    fn push_word(self, bytes: &mut Vec<u8>, word: u64) {
        bytes.extend_from_slice(&word.to_le_bytes()[..self.word_bytes()]);
    }

    /// Bytes of a directory of `entries` entries, without the values outside it.
    fn directory_bytes(self, entries: usize) -> usize {
        match self {
            Self::Classic => 2 + entries * 12 + 4,
            Self::Big => 8 + entries * 20 + 8,
        }
    }
}

enum Value {
    Ascii(String),
    Short(Vec<u16>),
    Long(u32),
    Words(Vec<u64>),
    Rational(u32, u32),
}

impl Value {
    /// The format's number of the type, the count, and the bytes.
    fn encode(&self, container: Container) -> (u16, usize, Vec<u8>) {
        match self {
            Self::Ascii(text) => {
                // The byte 0 ends a text.
                let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
                (2, bytes.len(), bytes)
            }
            Self::Short(values) => (
                3,
                values.len(),
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            Self::Long(value) => (4, 1, value.to_le_bytes().to_vec()),
            Self::Words(values) => {
                let mut bytes = Vec::with_capacity(values.len() * container.word_bytes());
                values
                    .iter()
                    .for_each(|value| container.push_word(&mut bytes, *value));
                (
                    if container == Container::Big { 16 } else { 4 },
                    values.len(),
                    bytes,
                )
            }
            Self::Rational(numerator, denominator) => (
                5,
                1,
                [numerator.to_le_bytes(), denominator.to_le_bytes()].concat(),
            ),
        }
    }
}

/// The tags of one level, in ascending order.
pub(super) struct LevelDirectory(Vec<(u16, Value)>);

impl LevelDirectory {
    /// The directory of level `level` of `layout`, whose tiles lie at `spans`.
    pub(super) fn new(layout: &TiffLayout, level: usize, spans: &[Span]) -> Self {
        let TiffLevel { size_px, mpp } = layout.levels[level];
        let samples = layout.pixels.samples();
        let sample_bits = 8 * layout.pixels.sample_bytes() as u16;
        let mut tags = vec![
            (254, Value::Long(u32::from(level > 0))),
            (256, Value::Long(size_px.0)),
            (257, Value::Long(size_px.1)),
            (258, Value::Short(vec![sample_bits; samples])),
            (277, Value::Short(vec![samples as u16])),
            (284, Value::Short(vec![1])),
            (305, Value::Ascii(SOFTWARE.to_owned())),
            (322, Value::Long(layout.tile_px)),
            (323, Value::Long(layout.tile_px)),
            (
                324,
                Value::Words(spans.iter().map(|span| span.start).collect()),
            ),
            (
                325,
                Value::Words(spans.iter().map(|span| span.bytes).collect()),
            ),
        ];
        tags.extend(pixel_tags(&layout.pixels));
        if let Some(mpp) = mpp {
            tags.push((282, per_cm(mpp.x)));
            tags.push((283, per_cm(mpp.y)));
            tags.push((296, Value::Short(vec![3])));
        }
        if level == 0 && !layout.description.is_empty() {
            tags.push((270, Value::Ascii(layout.description.clone())));
        }
        tags.sort_by_key(|(tag, _)| *tag);
        Self(tags)
    }

    /// The directory as it stands at `at`, followed by the values that do not fit into it. Unless
    /// it is the last, the next one starts at the first multiple of the alignment behind it.
    pub(super) fn to_bytes(&self, container: Container, at: u64, last: bool) -> Vec<u8> {
        let word_bytes = container.word_bytes();
        let mut table = (self.0.len() as u64).to_le_bytes()
            [..container.directory_bytes(0) - word_bytes]
            .to_vec();
        let outside_at = at + aligned(container.directory_bytes(self.0.len()));
        let mut outside = Vec::new();
        for (tag, value) in &self.0 {
            let (kind, count, mut bytes) = value.encode(container);
            table.extend(tag.to_le_bytes());
            table.extend(kind.to_le_bytes());
            container.push_word(&mut table, count as u64);
            if bytes.len() <= word_bytes {
                bytes.resize(word_bytes, 0);
                table.extend(bytes);
            } else {
                container.push_word(&mut table, outside_at + outside.len() as u64);
                bytes.resize(aligned(bytes.len()) as usize, 0);
                outside.extend(bytes);
            }
        }
        let next = if last {
            0
        } else {
            outside_at + outside.len() as u64
        };
        container.push_word(&mut table, next);
        table.resize(aligned(table.len()) as usize, 0);
        table.extend(outside);
        table
    }
}

/// Compression, meaning of the samples, and what a decoder needs beside.
fn pixel_tags(pixels: &PixelKind) -> Vec<(u16, Value)> {
    let short = |tag, value| (tag, Value::Short(vec![value]));
    match pixels {
        PixelKind::RgbJpeg { chroma, .. } => {
            let step = if *chroma == Chroma::Halved { 2 } else { 1 };
            vec![
                short(259, 7),
                short(262, 6),
                (530, Value::Short(vec![step, step])),
            ]
        }
        PixelKind::Palette(colours) => {
            vec![
                short(259, 8),
                short(262, 3),
                (320, Value::Short(colour_map(colours))),
            ]
        }
        PixelKind::Grey | PixelKind::Numbers => vec![short(259, 8), short(262, 1)],
    }
}

/// All reds, all greens, all blues, in 16 bits; codes without a colour are black.
fn colour_map(colours: &[[u8; 3]]) -> Vec<u16> {
    let channel = |c: usize| {
        let of_code = move |code: usize| colours.get(code).map_or(0, |rgb| u16::from(rgb[c]) * 257);
        (0..256).map(of_code)
    };
    (0..3).flat_map(channel).collect()
}

/// Pixels per centimetre, with as many decimals as fit: eight digits or more are right.
fn per_cm(mpp: f64) -> Value {
    let value = UM_PER_CM / mpp;
    let mut denominator = 1_u32;
    while denominator < 1_000_000 && value * f64::from(denominator) * 10.0 <= f64::from(u32::MAX) {
        denominator *= 10;
    }
    Value::Rational((value * f64::from(denominator)).round() as u32, denominator)
}

fn aligned(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(ALIGNMENT_BYTES)
}
