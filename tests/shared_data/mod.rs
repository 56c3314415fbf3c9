//! Where the tests' slides are from: a folder of real ones, and files that are made here.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write as _;
use std::path::PathBuf;

/// Says why a test checks less here. Straight to stderr: what a test that passes prints is kept
/// from those who should know.
pub fn say_skipped(reason: &str) {
    let line = format!("skipped: {reason}\n");
    // Who has closed stderr does not want to know.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The folder of real slides, or `None` with a word on stderr: a test that needs it is skipped.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("PARFOCAL_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    say_skipped(&format!(
        "no real slides at {} (PARFOCAL_SHARED_DATA names the folder)",
        folder.display()
    ));
    None
}

/// A file of the folder of real slides.
pub fn file(relative: &str) -> Option<PathBuf> {
    folder().map(|folder| folder.join(relative))
}

/// What [`tiled_tiff`] paints: every pixel of a 256 x 256 field has its own colour.
pub fn colour(x: u32, y: u32, level: usize) -> [u8; 3] {
    [
        x as u8,
        y as u8,
        (x / 256 + y / 256) as u8 * 16 + level as u8,
    ]
}

/// A classic little-endian TIFF of uncompressed RGB tiles, one directory a level.
pub fn tiled_tiff(levels_px: &[(u32, u32)], tile_px: u32) -> Vec<u8> {
    // 72 dots an inch, as programs write that know no scale.
    scaled_tiff(levels_px, tile_px, 72, 2)
}

/// As [`tiled_tiff`], with a resolution of `per_unit` px per inch (`unit` 2) or centimetre (3).
pub fn scaled_tiff(levels_px: &[(u32, u32)], tile_px: u32, per_unit: u32, unit: u32) -> Vec<u8> {
    let mut file = b"II\x2a\0\0\0\0\0".to_vec();
    let mut link_at = 4;
    for (level, size_px) in levels_px.iter().enumerate() {
        let offsets = add_tiles(&mut file, level, *size_px, tile_px);
        let counts = vec![tile_px * tile_px * 3; offsets.len()];
        let bits_at = add(&mut file, &[8, 0, 8, 0, 8, 0, 0, 0]);
        let offsets_at = add_longs(&mut file, &offsets);
        let counts_at = add_longs(&mut file, &counts);
        let resolution_at = add_longs(&mut file, &[per_unit, 1]);
        let directory_at = file.len() as u32;
        file[link_at..link_at + 4].copy_from_slice(&directory_at.to_le_bytes());
        let tiles = offsets.len() as u32;
        let entries = [
            (254, 4, 1, u32::from(level > 0)),
            (256, 4, 1, size_px.0),
            (257, 4, 1, size_px.1),
            (258, 3, 3, bits_at),
            (259, 3, 1, 1),
            (262, 3, 1, 2),
            (277, 3, 1, 3),
            (282, 5, 1, resolution_at),
            (283, 5, 1, resolution_at),
            (284, 3, 1, 1),
            (296, 3, 1, unit),
            (322, 4, 1, tile_px),
            (323, 4, 1, tile_px),
            (
                324,
                4,
                tiles,
                if tiles == 1 { offsets[0] } else { offsets_at },
            ),
            (
                325,
                4,
                tiles,
                if tiles == 1 { counts[0] } else { counts_at },
            ),
        ];
        add(&mut file, &(entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            add(&mut file, &u16::to_le_bytes(tag));
            add(&mut file, &u16::to_le_bytes(kind));
            add_longs(&mut file, &[count, value]);
        }
        link_at = add_longs(&mut file, &[0]) as usize;
    }
    file
}

fn add_tiles(file: &mut Vec<u8>, level: usize, size_px: (u32, u32), tile_px: u32) -> Vec<u32> {
    let mut offsets = Vec::new();
    for top in (0..size_px.1).step_by(tile_px as usize) {
        for left in (0..size_px.0).step_by(tile_px as usize) {
            offsets.push(file.len() as u32);
            for i in 0..tile_px * tile_px {
                file.extend(colour(left + i % tile_px, top + i / tile_px, level));
            }
        }
    }
    offsets
}

fn add(file: &mut Vec<u8>, bytes: &[u8]) -> u32 {
    let at = file.len() as u32;
    file.extend(bytes);
    at
}

fn add_longs(file: &mut Vec<u8>, values: &[u32]) -> u32 {
    let at = file.len() as u32;
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    at
}

/// A slide of 64 × 64 px whose only tile says that it is larger than memory: it opens, and nothing of it
/// can be read.
pub fn tiff_with_a_huge_tile() -> Vec<u8> {
    let mut content = tiled_tiff(&[(64, 64)], 64);
    for tag in [322_u16, 323] {
        let entry = [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0, 64, 0, 0, 0]].concat();
        let mut places = content.windows(12);
        let found = places.rposition(|window| window == entry).unwrap();
        content[found + 8..found + 12].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    }
    content
}

/// The tile of a classic little-endian TIFF that `byte` is a part of: its level, counted over the
/// directories that have tiles, its top-left corner and its side, px of the level.
pub fn tile_around(file: &[u8], byte: usize) -> Option<(usize, (u32, u32), u32)> {
    let long = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().unwrap()))
    };
    let (mut at, mut level) = (long(4)? as usize, 0);
    while at != 0 {
        let entries = long(at)? as usize & 0xffff;
        let tag = |wanted: u32| {
            let mut all = (0..entries).map(|n| at + 2 + n * 12);
            all.find(|entry| long(*entry).is_some_and(|word| word & 0xffff == wanted))
        };
        // A value of 16 bits stands in the lower half of its field.
        let one = |wanted| {
            let entry = tag(wanted)?;
            let is_short = long(entry)? >> 16 == 3;
            Some(long(entry + 8)? & if is_short { 0xffff } else { u32::MAX })
        };
        if let (Some(side), Some(offsets), Some(counts)) = (one(322), tag(324), tag(325)) {
            let (count, columns) = (long(offsets + 4)?, one(256)?.div_ceil(side.max(1)));
            let nth = |entry: usize, n: usize| match count {
                1 => long(entry + 8),
                _ => long(long(entry + 8)? as usize + 4 * n),
            };
            for n in 0..count as usize {
                let start = nth(offsets, n)? as usize;
                if (start..start + nth(counts, n)? as usize).contains(&byte) {
                    let n = n as u32;
                    return Some((level, (n % columns * side, n / columns * side), side));
                }
            }
            level += 1;
        }
        at = long(at + 2 + entries * 12)? as usize;
    }
    None
}

/// Where a classic little-endian TIFF keeps its structure: header, directories and the tables and
/// texts they point to, as ranges of bytes.
pub fn tiff_structure(file: &[u8]) -> Vec<std::ops::Range<usize>> {
    let long = |at: usize| {
        file.get(at..at + 4)
            .map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()))
    };
    let short = |at: usize| {
        file.get(at..at + 2)
            .map_or(0, |b| u16::from_le_bytes(b.try_into().unwrap()))
    };
    let mut ranges: Vec<std::ops::Range<usize>> = std::iter::once(0..8).collect();
    let mut at = long(4) as usize;
    while at != 0 && at < file.len() && ranges.len() < 1000 {
        let entries = usize::from(short(at));
        let end = at + 2 + entries * 12;
        ranges.push(at..end + 4);
        for entry in (at + 2..end).step_by(12) {
            let width = [0, 1, 1, 2, 4, 8]
                .get(usize::from(short(entry + 2)))
                .copied()
                .unwrap_or(8);
            let bytes = width * long(entry + 4) as usize;
            let start = long(entry + 8) as usize;
            if bytes > 4 && start + bytes <= file.len() {
                ranges.push(start..start + bytes.min(4096));
            }
        }
        at = long(end) as usize;
    }
    ranges
}
