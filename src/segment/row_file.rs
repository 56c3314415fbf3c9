//! A finished row on disk: codes and probabilities, compressed, and what the row cost.
//!
//! A mark, the header's length (4 bytes, little-endian) and SHA-256 in hexadecimal digits, the
//! header as JSON, then the sections one after the other: codes, and a section a class of
//! probabilities. The header has each section's length and SHA-256, so that a section can be read
//! alone and a damaged one is never taken for a finished row.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::band::{FinishedBand, RowStats};
use super::error::SegmentError;
use super::model::sha256;
use crate::files;

const MARK: &[u8; 8] = b"PFROWS01";
const DIGEST_BYTES: usize = 64;

/// No header comes near this: a damaged length must not make the program allocate.
const MOST_HEADER_BYTES: usize = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Section {
    bytes: u64,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    rows: Range<u32>,
    width: u32,
    sections: Vec<Section>,
    stats: RowStats,
}

/// A finished row whose header was read and found whole.
#[derive(Debug)]
pub struct RowFile {
    path: PathBuf,
    header: Header,
    first_section_at: u64,
}

/// Writes a row, whole or not at all.
///
/// # Errors
/// When the file can't be written.
pub fn write(path: &Path, band: &FinishedBand, stats: &RowStats) -> Result<(), SegmentError> {
    let failed = |error| SegmentError::file(path, error);
    let planes: Vec<&Vec<u8>> = std::iter::once(&band.codes)
        .chain(&band.probabilities)
        .collect();
    let sections: io::Result<Vec<Vec<u8>>> =
        planes.par_iter().map(|plane| deflated(plane)).collect();
    let sections = sections.map_err(failed)?;
    let told = |section: &Vec<u8>| Section {
        bytes: section.len() as u64,
        sha256: sha256(section),
    };
    let header = Header {
        rows: band.rows.clone(),
        width: band.width,
        sections: sections.iter().map(told).collect(),
        stats: stats.clone(),
    };
    let header = serde_json::to_vec(&header).map_err(|error| failed(error.into()))?;
    let mut bytes = MARK.to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(sha256(&header).bytes());
    bytes.extend(header);
    sections.iter().for_each(|section| bytes.extend(section));
    files::write_whole(path, &bytes).map_err(failed)
}

impl RowFile {
    /// Opens a row of `rows` of a picture `width` px wide.
    ///
    /// # Errors
    /// When it can't be read, its header is damaged or it is a row of something else.
    pub fn open(path: &Path, rows: &Range<u32>, width: u32) -> Result<Self, SegmentError> {
        let damaged = |reason: &str| SegmentError::Row {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let bytes = read_header(path).map_err(|_| damaged("the header is damaged"))?;
        let header: Header =
            serde_json::from_slice(&bytes).map_err(|_| damaged("the header is no header"))?;
        if header.rows != *rows || header.width != width {
            return Err(damaged("it holds other rows"));
        }
        let first_section_at = (MARK.len() + 4 + DIGEST_BYTES + bytes.len()) as u64;
        Ok(Self {
            path: path.to_owned(),
            header,
            first_section_at,
        })
    }

    /// What the row cost and brought.
    pub fn stats(&self) -> &RowStats {
        &self.header.stats
    }

    /// Number of sections: one of codes and one a class of probabilities.
    pub fn sections(&self) -> usize {
        self.header.sections.len()
    }

    /// Whether all sections are as they were written.
    ///
    /// # Errors
    /// When one is not.
    pub fn check(&self) -> Result<(), SegmentError> {
        (0..self.sections()).try_for_each(|index| self.compressed(index).map(drop))
    }

    /// The bytes of a section, one a px.
    ///
    /// # Errors
    /// When it can't be read or is damaged.
    pub fn read(&self, index: usize) -> Result<Vec<u8>, SegmentError> {
        let compressed = self.compressed(index)?;
        let expected = self.header.rows.len() * self.header.width as usize;
        let mut plane = Vec::with_capacity(expected);
        let decoder = ZlibDecoder::new(compressed.as_slice());
        let read = decoder.take(expected as u64 + 1).read_to_end(&mut plane);
        if read.is_err() || plane.len() != expected {
            return Err(self.damaged("it can't be decompressed"));
        }
        Ok(plane)
    }

    fn compressed(&self, index: usize) -> Result<Vec<u8>, SegmentError> {
        let sections = &self.header.sections;
        let section = sections
            .get(index)
            .ok_or_else(|| self.damaged("a part is missing"))?;
        let before: u64 = sections
            .iter()
            .take(index)
            .map(|section| section.bytes)
            .sum();
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.first_section_at + before))?;
            file.take(section.bytes).read_to_end(&mut bytes)
        });
        read.map_err(|error| SegmentError::file(&self.path, error))?;
        if sha256(&bytes) != section.sha256 {
            return Err(self.damaged("it is damaged"));
        }
        Ok(bytes)
    }

    fn damaged(&self, reason: &str) -> SegmentError {
        SegmentError::Row {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut file = File::open(path)?;
    let (mut mark, mut length, mut digest) = ([0; 8], [0; 4], [0; DIGEST_BYTES]);
    file.read_exact(&mut mark)?;
    file.read_exact(&mut length)?;
    file.read_exact(&mut digest)?;
    let length = u32::from_le_bytes(length) as usize;
    if &mark != MARK || length > MOST_HEADER_BYTES {
        return Err(wrong());
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header)?;
    if sha256(&header).as_bytes() == digest {
        Ok(header)
    } else {
        Err(wrong())
    }
}

/// Fast: the rows are read once and then go.
fn deflated(plane: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plane)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("row");
        let band = FinishedBand {
            rows: 7..10,
            width: 5,
            codes: (0..15).collect(),
            probabilities: vec![vec![9; 15], (100..115).collect()],
        };
        let stats = RowStats {
            tiles_run: 3,
            class_px: vec![4, 5],
            ..RowStats::default()
        };
        write(&path, &band, &stats).unwrap();
        let row = RowFile::open(&path, &(7..10), 5).unwrap();
        assert_eq!((row.stats(), row.sections()), (&stats, 3));
        assert_eq!(row.read(0).unwrap(), band.codes);
        assert_eq!(row.read(2).unwrap(), band.probabilities[1]);
        row.check().unwrap();
        assert!(row.read(3).is_err());
        assert!(RowFile::open(&path, &(7..11), 5).is_err(), "other rows");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            let checked = RowFile::open(&path, &(7..10), 5).and_then(|row| row.check());
            assert!(checked.is_err(), "byte {at}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let checked = RowFile::open(&path, &(7..10), 5).and_then(|row| row.check());
            assert!(checked.is_err(), "{length} bytes");
        }
    }
}
