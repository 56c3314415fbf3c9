//! What to open, and how it is damaged first.

use std::path::{Path, PathBuf};

use parfocal::geometry::LevelRegion;

use super::MAX_TILES_A_LEVEL;
use crate::shared_data;

/// One line of the child's list: what to open and how it differs from `path`.
#[derive(Debug, Clone)]
pub struct Job {
    pub path: PathBuf,
    pub damage: Damage,
    /// Tiles read of each level; the first, the last and some between where there are more.
    pub max_tiles: usize,
}

#[derive(Debug, Clone, Copy)]
pub enum Damage {
    None,
    Cut {
        bytes: usize,
    },
    Flip {
        byte: usize,
        bit: usize,
    },
    /// Some bytes of the structure become random.
    Scramble {
        seed: usize,
    },
    /// The child ends itself, to see that this is noticed.
    Abort,
}

impl Job {
    pub fn intact(path: PathBuf) -> Self {
        Self {
            path,
            damage: Damage::None,
            max_tiles: MAX_TILES_A_LEVEL,
        }
    }

    pub fn to_line(&self) -> String {
        let (kind, a, b) = match self.damage {
            Damage::None => ("none", 0, 0),
            Damage::Cut { bytes } => ("cut", bytes, 0),
            Damage::Flip { byte, bit } => ("flip", byte, bit),
            Damage::Scramble { seed } => ("scramble", seed, 0),
            Damage::Abort => ("abort", 0, 0),
        };
        format!(
            "{kind}\t{a}\t{b}\t{}\t{}",
            self.max_tiles,
            self.path.display()
        )
    }

    pub fn from_line(line: &str) -> Self {
        let parts: Vec<&str> = line.splitn(5, '\t').collect();
        let number = |at: usize| parts[at].parse().unwrap();
        let damage = match parts[0] {
            "cut" => Damage::Cut { bytes: number(1) },
            "flip" => Damage::Flip {
                byte: number(1),
                bit: number(2),
            },
            "scramble" => Damage::Scramble { seed: number(1) },
            "abort" => Damage::Abort,
            _ => Damage::None,
        };
        Self {
            path: PathBuf::from(parts[4]),
            damage,
            max_tiles: number(3),
        }
    }

    /// The tile whose bytes the flipped bit is among, and its level.
    pub fn damaged_tile(&self) -> Option<(usize, LevelRegion)> {
        let Damage::Flip { byte, .. } = self.damage else {
            return None;
        };
        let content = std::fs::read(&self.path).unwrap();
        let (level, (x, y), side) = shared_data::tile_around(&content, byte)?;
        let tile = LevelRegion {
            x: x.into(),
            y: y.into(),
            width: side,
            height: side,
        };
        Some((level, tile))
    }

    /// The file to open: itself, or a damaged copy in `folder`, which the next one replaces.
    pub fn materialise(&self, folder: &Path) -> PathBuf {
        if matches!(self.damage, Damage::None) {
            return self.path.clone();
        }
        let mut content = std::fs::read(&self.path).unwrap();
        match self.damage {
            Damage::None => {}
            Damage::Cut { bytes } => content.truncate(bytes),
            Damage::Flip { byte, bit } => content[byte] ^= 1 << bit,
            Damage::Scramble { seed } => scramble(&mut content, seed as u64),
            Damage::Abort => std::process::abort(),
        }
        let copy = folder.join(self.path.file_name().unwrap());
        std::fs::write(&copy, content).unwrap();
        copy
    }
}

/// Numbers that are the same on every machine (splitmix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// Gives up to four bytes of a TIFF's structure, or of the first 4 KiB, another value.
fn scramble(content: &mut [u8], seed: u64) {
    let mut random = Seeded(seed);
    let mut bytes: Vec<usize> = shared_data::tiff_structure(content)
        .into_iter()
        .flatten()
        .collect();
    if !content.starts_with(b"II") {
        bytes = (0..content.len().min(4096)).collect();
    }
    for _ in 0..=random.below(4) {
        let byte = bytes[random.below(bytes.len())];
        content[byte] = match random.below(3) {
            0 => 0xff,
            1 => content[byte] ^ 1 << random.below(8),
            _ => random.below(256) as u8,
        };
    }
}
