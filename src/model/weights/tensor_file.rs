//! Files of named tensors in the safetensors format: eight bytes that tell the header's length, the
//! header as JSON, then the tensors' bytes without gaps.
//!
//! Read here and not by burn's store, which hides the metadata, maps the file into memory (a file
//! cut short meanwhile ends the program) and writes metadata in an order that differs from run to
//! run: equal weights shall give equal files.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::{bf16, f16};
use serde::{Deserialize, Serialize};

use super::checksum::{self, Checksum, TensorHash};
use super::error::WeightsError;
use super::source::{Bytes, WeightsSource};

/// The header's length is in so many bytes.
const LENGTH_BYTES: u64 = 8;

/// Longest header: a thousand times that of the largest encoder.
const MOST_HEADER_BYTES: u64 = 64 << 20;

/// What the header says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Kind of number: `F32`, `F16`, `BF16`, …
    pub dtype: String,
    /// Its axes, the slowest first.
    pub shape: Vec<u64>,
    /// Where its bytes begin and end, counted from the header's end.
    data_offsets: (u64, u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    entries: BTreeMap<String, Entry>,
}

/// An open file whose header was read and holds together.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: Box<dyn Bytes>,
    first_byte: u64,
    header: Header,
}

impl TensorFile {
    /// Opens weights and checks their header against their length. Takes memory in proportion to
    /// the header, which is part of the file.
    ///
    /// # Errors
    /// When it can't be read, is no safetensors file, or was cut off.
    pub fn open(source: impl Into<WeightsSource>) -> Result<Self, WeightsError> {
        let source = source.into();
        let path = source.path();
        let unread = |error| read_failed(&path, error);
        let damaged = |reason: String| damaged(&path, reason);
        let mut file = source.open().map_err(unread)?;
        let file_bytes = file.seek(SeekFrom::End(0)).map_err(unread)?;
        file.rewind().map_err(unread)?;
        let after_length = file_bytes.checked_sub(LENGTH_BYTES).ok_or_else(|| {
            let least = LENGTH_BYTES;
            damaged(format!(
                "it has {file_bytes} bytes, expected at least {least}"
            ))
        })?;
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(unread)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > after_length.min(MOST_HEADER_BYTES) {
            return Err(damaged(format!(
                "its header should have {header_bytes} bytes, where {after_length} follow"
            )));
        }
        let header = read_header(file.as_mut(), header_bytes).map_err(|error| {
            // JSON that is none comes as "invalid data".
            damaged(format!("its header can't be read: {error}"))
        })?;
        check(&header, after_length - header_bytes).map_err(damaged)?;
        Ok(Self {
            path,
            file,
            first_byte: LENGTH_BYTES + header_bytes,
            header,
        })
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the writer said about the whole.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The tensors by name.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.header.entries
    }

    /// Values of one tensor in the file's order, as f32.
    ///
    /// # Errors
    /// When there is none of that name, its numbers are no f32, f16 or bf16, or one of them is not
    /// finite.
    pub fn values(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let path = self.path.clone();
        let Some(entry) = self.header.entries.get(name) else {
            let (tensor, expected) = (name.to_owned(), "any".to_owned());
            return Err(WeightsError::Missing {
                path,
                tensor,
                expected,
            });
        };
        let decode: fn(&[u8]) -> Vec<f32> = match entry.dtype.as_str() {
            "F32" => |bytes| numbers(bytes, f32::from_le_bytes),
            "F16" => |bytes| numbers(bytes, |two| f16::from_le_bytes(two).to_f32()),
            "BF16" => |bytes| numbers(bytes, |two| bf16::from_le_bytes(two).to_f32()),
            other => {
                let (tensor, found) = (name.to_owned(), other.to_owned());
                return Err(WeightsError::NumberKind {
                    path,
                    tensor,
                    found,
                });
            }
        };
        let bytes = read_at(self.file.as_mut(), self.first_byte, entry.data_offsets)
            .map_err(|source| read_failed(&path, source))?;
        let values = decode(&bytes);
        all_finite(&path, name, &values, f32::MAX)?;
        Ok(values)
    }

    /// Whether the tensors are those that the file's checksum was made of. Reads all of them.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn checksum(&mut self) -> Result<Checksum, WeightsError> {
        Ok(match self.checksums()? {
            None => Checksum::Absent,
            Some((stated, found)) if stated == found => Checksum::Good,
            Some(_) => Checksum::Wrong,
        })
    }

    /// Refuses tensors that do not match the file's checksum; a file without one passes.
    ///
    /// # Errors
    /// When they do not, or can't be read.
    pub fn check_checksum(&mut self) -> Result<(), WeightsError> {
        match self.checksums()? {
            Some((stated, found)) if stated != found => Err(WeightsError::Checksum {
                path: self.path.clone(),
                found,
                stated,
            }),
            _ => Ok(()),
        }
    }

    /// The checksum that the file states and that of its tensors; none where it states none.
    fn checksums(&mut self) -> Result<Option<(String, String)>, WeightsError> {
        let Some(stated) = self.header.metadata.get(checksum::KEY).cloned() else {
            return Ok(None);
        };
        let mut hash = TensorHash::default();
        for (name, entry) in &self.header.entries {
            let bytes = read_at(self.file.as_mut(), self.first_byte, entry.data_offsets);
            let bytes = bytes.map_err(|source| read_failed(&self.path, source))?;
            hash.add(name, entry, &bytes);
        }
        Ok(Some((stated, hash.finish())))
    }
}

/// The bytes of a file of f16 tensors, with their checksum. The order of `tensors` is that of the
/// file.
///
/// # Errors
/// When a value is none that f16 can hold; `path` is only for the message.
pub fn encode_f16(
    path: &Path,
    mut metadata: BTreeMap<String, String>,
    tensors: &[(String, Vec<u64>, Vec<f32>)],
) -> Result<Vec<u8>, WeightsError> {
    let mut entries = BTreeMap::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        all_finite(path, name, values, f16::MAX.to_f32())?;
        let begin = data.len() as u64;
        data.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()));
        let entry = Entry {
            dtype: "F16".to_owned(),
            shape: shape.clone(),
            data_offsets: (begin, data.len() as u64),
        };
        entries.insert(name.clone(), entry);
    }
    metadata.insert(checksum::KEY.to_owned(), checksum_of(&entries, &data));
    let mut header = serde_json::to_vec(&Header { metadata, entries })
        .map_err(|error| damaged(path, error.to_string()))?;
    // Tensors begin at a multiple of eight bytes, as the format's own library writes them.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    Ok([&length[..], &header, &data].concat())
}

fn checksum_of(entries: &BTreeMap<String, Entry>, data: &[u8]) -> String {
    let mut hash = TensorHash::default();
    for (name, entry) in entries {
        let (begin, end) = entry.data_offsets;
        hash.add(name, entry, &data[begin as usize..end as usize]);
    }
    hash.finish()
}

fn read_header(file: &mut dyn Bytes, bytes: u64) -> io::Result<Header> {
    let text = read_at(file, LENGTH_BYTES, (0, bytes))?;
    Ok(serde_json::from_slice(&text)?)
}

fn read_at(file: &mut dyn Bytes, first_byte: u64, (begin, end): (u64, u64)) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(first_byte + begin))?;
    // The header was checked against the file's length, so this is no more than the file has.
    let mut bytes = vec![0; usize::try_from(end - begin).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Tensors must have the bytes that their shapes need, and fill the file without gap or overlap.
fn check(header: &Header, data_bytes: u64) -> Result<(), String> {
    let mut in_order: Vec<(&String, &Entry)> = header.entries.iter().collect();
    in_order.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut filled = 0;
    for (name, entry) in in_order {
        let (begin, end) = entry.data_offsets;
        if begin != filled || end < begin {
            return Err(format!(
                "tensor '{name}' is at bytes {begin} to {end}, expected from {filled} on"
            ));
        }
        let needed = entry.bytes_needed();
        if needed.is_some_and(|needed| needed != u128::from(end - begin)) {
            return Err(format!(
                "tensor '{name}' ({} {:?}) has {} bytes, its shape needs another number",
                entry.dtype,
                entry.shape,
                end - begin
            ));
        }
        filled = end;
    }
    if filled != data_bytes {
        return Err(format!(
            "its tensors need {filled} bytes, where {data_bytes} follow the header"
        ));
    }
    Ok(())
}

impl Entry {
    /// None for numbers that can't be read here anyway. Saturates, which fits no file.
    fn bytes_needed(&self) -> Option<u128> {
        let each = match self.dtype.as_str() {
            "F32" => 4,
            "F16" | "BF16" => 2,
            _ => return None,
        };
        let axes = self.shape.iter().map(|axis| u128::from(*axis));
        Some(axes.fold(each, u128::saturating_mul))
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (each, _) = bytes.as_chunks::<N>();
    each.iter().map(|bytes| number(*bytes)).collect()
}

fn all_finite(path: &Path, name: &str, values: &[f32], most: f32) -> Result<(), WeightsError> {
    let odd = |value: &f32| !value.is_finite() || value.abs() > most;
    match values.iter().position(odd) {
        None => Ok(()),
        Some(index) => Err(WeightsError::NotFinite {
            path: path.to_owned(),
            tensor: name.to_owned(),
            index,
            value: values[index],
            most,
        }),
    }
}

fn read_failed(path: &Path, source: io::Error) -> WeightsError {
    let path = path.to_owned();
    WeightsError::Read { path, source }
}

fn damaged(path: &Path, reason: String) -> WeightsError {
    let path = path.to_owned();
    WeightsError::Damaged { path, reason }
}
