//! A checksum over what a weights file's tensors are, kept in its metadata.
//!
//! It is of the tensors and not of the file, which can't hold a hash of itself. The file's own hash
//! still is what results and decoders name weights by.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::tensor_file::Entry;
use crate::files::hex;

/// Its key in the metadata.
pub const KEY: &str = "tensors_sha256";

/// What a file's checksum says of its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// The tensors are those that were written.
    Good,
    /// They are others: the file was damaged or edited.
    Wrong,
    /// The file has none: a foreign one, or one of before they were written.
    Absent,
}

/// A SHA-256 in the making: over name, kind of number, axes and bytes of every tensor. Each text
/// and each list of axes comes after its length, so that no two files give the same stream.
#[derive(Debug, Default)]
pub struct TensorHash(Sha256);

impl TensorHash {
    /// Takes the next tensor in; the order is that of the names.
    pub fn add(&mut self, name: &str, entry: &Entry, bytes: &[u8]) {
        for text in [name, &entry.dtype] {
            self.number(text.len() as u64);
            self.0.update(text);
        }
        self.number(entry.shape.len() as u64);
        entry.shape.iter().for_each(|axis| self.number(*axis));
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn number(&mut self, value: u64) {
        self.0.update(value.to_le_bytes());
    }

    /// The hash, 64 hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
