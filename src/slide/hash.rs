//! Identity of a slide's content where the format's reader has none of its own.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::SlideHash;
use crate::files::hex;

/// Up to this length the whole file is hashed: well below a second.
const WHOLE_UP_TO_BYTES: u64 = 64 << 20;

/// Of longer files, this much of the head, the middle and the tail.
const SAMPLE_BYTES: u64 = 1 << 20;

const BUFFER_BYTES: usize = 256 << 10;

/// Hash of the file's content: `sha256:` and 64 hexadecimal digits up to 64 MiB, beyond that
/// `sha256-sampled:` over the length (8 bytes, little-endian) and three samples of 1 MiB. Neither
/// name nor place matters.
///
/// # Errors
/// When the file can't be read.
pub fn of_file(path: &Path) -> std::io::Result<SlideHash> {
    let file = File::open(path)?;
    let length_bytes = file.metadata()?.len();
    of_reader(file, length_bytes, WHOLE_UP_TO_BYTES)
}

fn of_reader(
    mut reader: impl Read + Seek,
    length_bytes: u64,
    whole_up_to_bytes: u64,
) -> std::io::Result<SlideHash> {
    let mut hasher = Sha256::new();
    if length_bytes <= whole_up_to_bytes {
        feed(&mut hasher, reader)?;
        return Ok(SlideHash(format!("sha256:{}", hex(&hasher.finalize()))));
    }
    hasher.update(length_bytes.to_le_bytes());
    let last = length_bytes.saturating_sub(SAMPLE_BYTES);
    for start in [0, last / 2, last] {
        reader.seek(SeekFrom::Start(start))?;
        feed(&mut hasher, reader.by_ref().take(SAMPLE_BYTES))?;
    }
    Ok(SlideHash(format!(
        "sha256-sampled:{}",
        hex(&hasher.finalize())
    )))
}

fn feed(hasher: &mut Sha256, mut reader: impl Read) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_short_file_has_its_sha256() {
        let hash = of_reader(Cursor::new(b"abc"), 3, WHOLE_UP_TO_BYTES).unwrap();
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.0, known);
    }

    #[test]
    fn a_long_file_is_sampled_at_head_middle_and_tail() {
        let mut content = vec![7_u8; 5 << 20];
        let hash = |content: &[u8]| {
            of_reader(Cursor::new(content), content.len() as u64, 1 << 20).unwrap()
        };
        let before = hash(&content);
        assert!(before.0.starts_with("sha256-sampled:"));
        for at in [0, content.len() / 2, content.len() - 1] {
            content[at] ^= 1;
            assert_ne!(hash(&content), before, "byte {at} is seen");
            content[at] ^= 1;
        }
        content.push(7);
        assert_ne!(hash(&content), before, "the length is seen");
    }
}
