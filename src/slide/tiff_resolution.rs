//! The resolution that a TIFF states for its first picture.
//!
//! The picture decoder does not pass it on, so the few bytes are read here.

use std::io::{Read, Seek, SeekFrom};

use super::properties::COARSEST_PLAUSIBLE_MPP;
use crate::geometry::Mpp;

const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;
const TYPE_SHORT: u16 = 3;
const TYPE_RATIONAL: u16 = 5;
const UNIT_CENTIMETRE: u32 = 3;
const UM_PER_CM: f64 = 10_000.0;

/// Directories have a few dozen entries; a damaged one may claim 65,535.
const MAX_ENTRIES: u16 = 1024;

/// What the first directory of a classic TIFF says, as far as it is needed here.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct FirstDirectory {
    /// Microns per pixel: only where the resolution is stated per centimetre, as microscopes'
    /// programs do, and finer than 20 µm. Dots per inch are a printer's or camera's habit.
    pub mpp: Option<Mpp>,
    /// Whether another directory follows: a pyramid, a thumbnail, a further page.
    pub more_follow: bool,
}

/// Reads the first directory. `None` where `file` is no classic TIFF or ends too early.
pub fn first_directory(file: &mut (impl Read + Seek)) -> Option<FirstDirectory> {
    let mut tiff = Tiff::start(file)?;
    let count = tiff.u16()?;
    if count > MAX_ENTRIES {
        return None;
    }
    let mut found = Resolution::default();
    let mut entries = vec![0; usize::from(count) * 12];
    tiff.file.read_exact(&mut entries).ok()?;
    let more_follow = tiff.u32()? != 0;
    for entry in entries.as_chunks::<12>().0 {
        tiff.note(entry, &mut found);
    }
    Some(FirstDirectory {
        mpp: found.mpp(),
        more_follow,
    })
}

#[derive(Default)]
struct Resolution {
    x_per_unit: Option<f64>,
    y_per_unit: Option<f64>,
    unit: Option<u32>,
}

impl Resolution {
    fn mpp(&self) -> Option<Mpp> {
        if self.unit != Some(UNIT_CENTIMETRE) {
            return None;
        }
        let mpp = Mpp::new(UM_PER_CM / self.x_per_unit?, UM_PER_CM / self.y_per_unit?)?;
        (mpp.mean() < COARSEST_PLAUSIBLE_MPP).then_some(mpp)
    }
}

/// Numbers of a TIFF in its own byte order.
struct Tiff<'a, F> {
    file: &'a mut F,
    little_endian: bool,
}

impl<'a, F: Read + Seek> Tiff<'a, F> {
    /// Leaves `file` at the first directory.
    fn start(file: &'a mut F) -> Option<Self> {
        let mut order = [0; 2];
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_exact(&mut order).ok()?;
        let little_endian = match &order {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut tiff = Self {
            file,
            little_endian,
        };
        if tiff.u16()? != 42 {
            return None;
        }
        let first = tiff.u32()?;
        tiff.file.seek(SeekFrom::Start(first.into())).ok()?;
        Some(tiff)
    }

    fn note(&mut self, entry: &[u8; 12], found: &mut Resolution) {
        let (tag, kind) = (
            self.u16_of([entry[0], entry[1]]),
            self.u16_of([entry[2], entry[3]]),
        );
        let value = [entry[8], entry[9], entry[10], entry[11]];
        match (tag, kind) {
            (RESOLUTION_UNIT, TYPE_SHORT) => {
                found.unit = Some(self.u16_of([value[0], value[1]]).into());
            }
            (X_RESOLUTION, TYPE_RATIONAL) => found.x_per_unit = self.rational_at(value),
            (Y_RESOLUTION, TYPE_RATIONAL) => found.y_per_unit = self.rational_at(value),
            _ => {}
        }
    }

    fn rational_at(&mut self, offset: [u8; 4]) -> Option<f64> {
        let offset = self.u32_of(offset);
        self.file.seek(SeekFrom::Start(offset.into())).ok()?;
        let (numerator, denominator) = (self.u32()?, self.u32()?);
        (denominator != 0).then(|| f64::from(numerator) / f64::from(denominator))
    }

    fn u16(&mut self) -> Option<u16> {
        let mut bytes = [0; 2];
        self.file.read_exact(&mut bytes).ok()?;
        Some(self.u16_of(bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact(&mut bytes).ok()?;
        Some(self.u32_of(bytes))
    }

    fn u16_of(&self, bytes: [u8; 2]) -> u16 {
        if self.little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    }

    fn u32_of(&self, bytes: [u8; 4]) -> u32 {
        if self.little_endian {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A directory of three entries and two rationals, and nothing else.
    fn tiff(unit: u16, per_unit: (u32, u32), next: u32) -> Vec<u8> {
        let mut bytes = b"II\x2a\0\x08\0\0\0\x03\0".to_vec();
        let values_at = 8 + 2 + 3 * 12 + 4;
        for (tag, kind, value) in [
            (282, 5, values_at),
            (283, 5, values_at),
            (296, 3, u32::from(unit)),
        ] {
            bytes.extend(u16::to_le_bytes(tag));
            bytes.extend(u16::to_le_bytes(kind));
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(u32::to_le_bytes(value));
        }
        bytes.extend(next.to_le_bytes());
        bytes.extend(per_unit.0.to_le_bytes());
        bytes.extend(per_unit.1.to_le_bytes());
        bytes
    }

    fn mpp(unit: u16, per_unit: (u32, u32)) -> Option<Mpp> {
        first_directory(&mut Cursor::new(tiff(unit, per_unit, 0)))?.mpp
    }

    #[test]
    fn only_centimetres_and_microscopes_count() {
        assert_eq!(mpp(3, (20_000, 1)), Mpp::square(0.5));
        assert_eq!(mpp(2, (50_800, 1)), None, "inches");
        assert_eq!(mpp(3, (118, 1)), None, "300 dots an inch, in centimetres");
        assert_eq!(mpp(3, (1, 0)), None, "a division by zero");
        assert_eq!(mpp(3, (0, 1)), None);
    }

    #[test]
    fn no_cut_is_a_panic() {
        let whole = tiff(3, (20_000, 1), 99);
        assert!(first_directory(&mut Cursor::new(&whole)).is_some_and(|d| d.more_follow));
        for length in 0..whole.len() {
            let cut = first_directory(&mut Cursor::new(&whole[..length]));
            assert!(
                cut.is_none_or(|directory| directory.mpp.is_none()),
                "{length} bytes"
            );
        }
    }
}
