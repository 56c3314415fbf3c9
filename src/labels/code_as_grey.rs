//! Lets the TIFF decoder read codes of a palette.
//!
//! The decoder refuses pictures with a palette, though it needs nothing of it: one byte a px is
//! one byte a px. Told that the px are grey it decodes them, so the one byte that says otherwise is
//! changed on its way from the file. The same goes for grey from white to black, which it would
//! turn around.

use std::io::{Read, Result, Seek, SeekFrom};

const PHOTOMETRIC_INTERPRETATION: u64 = 262;
const BLACK_IS_ZERO: u8 = 1;

/// Directories have a few dozen entries.
const MAX_ENTRIES: u64 = 1024;

/// A TIFF file whose px are all said to be grey from black on.
#[derive(Debug)]
pub(super) struct CodeAsGrey<R> {
    file: R,
    at: u64,
    /// Where the bytes lie that say what px mean.
    patched: Vec<u64>,
}

impl<R: Read + Seek> CodeAsGrey<R> {
    /// `file` with the directories that begin at `directories`.
    pub fn new(mut file: R, directories: &[u64]) -> Result<Self> {
        let patched = directories.iter().map(|at| patch(&mut file, *at));
        let patched = patched.collect::<Result<Vec<Option<u64>>>>()?;
        file.rewind()?;
        Ok(Self {
            file,
            at: 0,
            patched: patched.into_iter().flatten().collect(),
        })
    }
}

impl<R: Read> Read for CodeAsGrey<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.file.read(buffer)?;
        for at in &self.patched {
            let inside = at.checked_sub(self.at).filter(|n| *n < count as u64);
            if let Some(n) = inside {
                buffer[n as usize] = BLACK_IS_ZERO;
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for CodeAsGrey<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

/// Where the directory at `at` keeps the low byte of what px mean, unless they are colours.
fn patch(file: &mut (impl Read + Seek), at: u64) -> Result<Option<u64>> {
    file.rewind()?;
    let mut head = [0; 4];
    file.read_exact(&mut head)?;
    let little = &head[..2] == b"II";
    let big = head.contains(&43);
    let (count_bytes, entry_bytes, value_at) = if big { (8, 20, 12) } else { (2, 12, 8) };
    file.seek(SeekFrom::Start(at))?;
    let count = number(file, count_bytes, little)?.min(MAX_ENTRIES);
    for n in 0..count {
        let entry = at + count_bytes as u64 + n * entry_bytes;
        file.seek(SeekFrom::Start(entry))?;
        if number(file, 2, little)? != PHOTOMETRIC_INTERPRETATION {
            continue;
        }
        file.seek(SeekFrom::Start(entry + value_at))?;
        // 0 is grey from white on, 3 a palette.
        let codes = [0, 3].contains(&number(file, 2, little)?);
        return Ok(codes.then_some(entry + value_at + u64::from(!little)));
    }
    Ok(None)
}

fn number(file: &mut impl Read, bytes: usize, little: bool) -> Result<u64> {
    let mut word = [0; 8];
    file.read_exact(&mut word[..bytes])?;
    if !little {
        word[..bytes].reverse();
    }
    Ok(u64::from_le_bytes(word))
}
