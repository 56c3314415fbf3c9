//! A page of a label raster.

use std::sync::atomic::{AtomicU64, Ordering};

use super::raster::PAGE_PX;

/// Code of px that were looked at and are no tissue.
pub const NOT_ANALYSED: u8 = 255;

/// Code of px of which nothing is known yet: what lies under them shows.
pub const UNKNOWN: u8 = 254;

/// Code of px whose analysis failed.
pub const FAILED: u8 = 253;

/// Whether a code names a class.
pub fn is_class(code: u8) -> bool {
    code < FAILED
}

/// What is known of one px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Texel {
    /// The class, or one of the codes above; of coarser levels the most frequent one under it.
    pub code: u8,
    /// The class under it that is to stay visible however small it is; `code` on level 0.
    pub any: u8,
    /// A value 0–1 as 0–255, such as the class's probability.
    pub value: u8,
    /// Another one, such as the entropy.
    pub extra: u8,
}

impl Texel {
    /// Nothing known.
    pub const UNKNOWN: Self = Self::of(UNKNOWN);

    /// A class or code without values.
    pub const fn of(code: u8) -> Self {
        Self {
            code,
            any: code,
            value: 0,
            extra: 0,
        }
    }
}

/// [`PAGE_PX`] × [`PAGE_PX`] px.
#[derive(Debug, Clone)]
pub struct Page {
    texels: Vec<Texel>,
    /// What it was made for: greater for what was asked for later. 0 where something is missing
    /// that it should follow from.
    pub stamp: u64,
    version: u64,
}

impl Page {
    /// Nothing known.
    pub fn new(stamp: u64) -> Self {
        let px = (PAGE_PX * PAGE_PX) as usize;
        Self {
            texels: vec![Texel::UNKNOWN; px],
            stamp,
            version: next_version(),
        }
    }

    /// A number that no other content of any page has: what was copied elsewhere under it is still
    /// right.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All px, rows from the top.
    pub fn texels(&self) -> &[Texel] {
        &self.texels
    }

    /// All px, to change them; the page counts as another one from here on.
    pub fn texels_mut(&mut self) -> &mut [Texel] {
        self.version = next_version();
        &mut self.texels
    }

    /// The px in column `x` and row `y` of the page, each less than [`PAGE_PX`].
    pub fn texel(&self, x: u32, y: u32) -> Texel {
        self.texels[(y * PAGE_PX + x) as usize]
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        size_of_val(self.texels.as_slice()) as u64
    }
}

fn next_version() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
