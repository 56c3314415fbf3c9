//! Materials (what lies between the cells) and populations (the cells that lie in them).

use super::anatomy::MATERIALS;
use super::stain::{Colour, GLASS, Stain, sub};

/// Texture channels: four of the fibre table, then four of the grain table.
pub const CHANNELS: usize = 8;

/// What lies between the cells of one kind of tissue.
#[derive(Debug, Clone)]
pub struct Material {
    /// Class index.
    pub class: u8,
    /// Haematoxylin, optical density.
    pub h: f32,
    /// Eosin, optical density.
    pub e: f32,
    /// Amplitudes: fibrils (E), bundles (E), clefts (share of glass), streaks (H), granules (E and
    /// H), mesh (share of glass), vacuoles (share of glass), blotches (E and H).
    pub amplitude: [f32; CHANNELS],
    /// Amplitude of the slow unevenness, optical density.
    pub tint: f32,
    /// A colour of its own, for what no dye made.
    pub ink: Option<[f32; 3]>,
}

impl Material {
    /// A stained material.
    pub fn new(class: u8, h: f32, e: f32, amplitude: [f32; CHANNELS]) -> Self {
        Self {
            class,
            h,
            e,
            amplitude,
            tint: 0.045,
            ink: None,
        }
    }

    /// Bare glass.
    pub fn glass() -> Self {
        Self {
            tint: 0.0,
            ..Self::new(0, 0.0, 0.0, [0.0; CHANNELS])
        }
    }

    /// Draws densities and amplitudes towards `other`'s by `t` in 0–1.
    #[must_use]
    pub fn towards(&self, other: &Self, t: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        Self {
            h: mix(self.h, other.h),
            e: mix(self.e, other.e),
            amplitude: std::array::from_fn(|i| mix(self.amplitude[i], other.amplitude[i])),
            ..self.clone()
        }
    }

    /// The colours of this material under `stain`.
    pub fn look(&self, stain: &Stain) -> Look {
        if let Some([r, g, b]) = self.ink {
            return Look {
                base: [r, g, b, 0.0],
                ..Look::default()
            };
        }
        let base = stain.colour(self.h, self.e);
        let pale = sub(GLASS, base);
        let a = &self.amplitude;
        let slope = |dh: f32, de: f32| stain.slope(self.h, self.e, dh, de);
        let glassy = |k: f32| pale.map(|v| v * k);
        Look {
            base,
            channels: [
                slope(0.0, a[0]),
                slope(0.0, a[1]),
                glassy(a[2]),
                slope(a[3], 0.0),
                slope(a[4] * 0.4, a[4]),
                glassy(a[5]),
                glassy(a[6]),
                slope(a[7] * 0.5, a[7]),
            ],
            tint: slope(self.tint * 0.6, self.tint),
        }
    }
}

/// A material's colours under one stain, linear in the textures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Colour where every texture is 0.
    pub base: Colour,
    /// Change a unit of each texture channel.
    pub channels: [Colour; CHANNELS],
    /// Change a unit of slow unevenness.
    pub tint: Colour,
}

/// Which way the long axis of a cell points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Orientation {
    /// Any way.
    Random,
    /// Along the fibres of the material.
    Fibres,
    /// Up the slope of a field.
    Slope(usize),
}

/// Cytoplasm or retraction space around a nucleus.
#[derive(Debug, Clone, Copy)]
pub struct Surround {
    /// Length and breadth as multiples of the nucleus's.
    pub scale: (f32, f32),
    /// Densities; both 0 is a clear space.
    pub h: f32,
    /// Eosin, optical density.
    pub e: f32,
    /// Opacity, 0–1.
    pub alpha: f32,
    /// Narrowing towards one end, 0–0.6: a pyramidal cell.
    pub taper: f32,
    /// Share of the cells that have it, 0–1.
    pub chance: f32,
}

/// One kind of cell.
#[derive(Debug, Clone)]
pub struct Population {
    /// Mean distance between candidate places, µm.
    pub pitch_um: f64,
    /// Chance that a candidate place in each material holds a cell.
    pub chance: [f32; MATERIALS],
    /// Half length of the nucleus, µm: least and greatest.
    pub length_um: (f32, f32),
    /// Length over breadth: least and greatest.
    pub aspect: (f32, f32),
    /// Long axis.
    pub orientation: Orientation,
    /// Curvature of the outline, 0–1.
    pub bend: f32,
    /// Haematoxylin, optical density.
    pub h: f32,
    /// Spread of `h` from cell to cell.
    pub h_spread: f32,
    /// Extra haematoxylin at the membrane, optical density.
    pub rim: f32,
    /// Amplitude of the chromatin's texture, optical density.
    pub chromatin: f32,
    /// Chance of a nucleolus.
    pub nucleolus: f32,
    /// Clear space behind the cell.
    pub halo: Option<Surround>,
    /// Cytoplasm.
    pub body: Option<Surround>,
    /// Up to this many in a row along the long axis.
    pub row: u32,
}

impl Population {
    /// Round cells that live nowhere: a start for a program to change.
    pub fn round(pitch_um: f64, radius_um: (f32, f32), h: f32) -> Self {
        Self {
            pitch_um,
            chance: [0.0; MATERIALS],
            length_um: radius_um,
            aspect: (1.0, 1.3),
            orientation: Orientation::Random,
            bend: 0.15,
            h,
            h_spread: 0.12,
            rim: 0.25,
            chromatin: 0.18,
            nucleolus: 0.0,
            halo: None,
            body: None,
            row: 1,
        }
    }

    /// Slender cells along the fibres.
    pub fn spindle(pitch_um: f64, length_um: (f32, f32), h: f32) -> Self {
        Self {
            aspect: (3.2, 5.5),
            orientation: Orientation::Fibres,
            bend: 0.5,
            rim: 0.15,
            ..Self::round(pitch_um, length_um, h)
        }
    }

    /// Sets the chance in each of the listed materials.
    #[must_use]
    pub fn living_in(mut self, places: &[(usize, f32)]) -> Self {
        for &(material, chance) in places {
            if let Some(slot) = self.chance.get_mut(material) {
                *slot = chance;
            }
        }
        self
    }

    /// Widens the spread of sizes and shapes by a class's variability, 0–1 (0.4 leaves it).
    #[must_use]
    pub fn varied(mut self, variability: f64) -> Self {
        let k = 0.6 + variability as f32;
        let (low, high) = self.length_um;
        let (mid, half) = ((low + high) * 0.5, (high - low) * 0.5 * k);
        self.length_um = ((mid - half).max(0.4), mid + half);
        self.aspect.1 = 1.0 + (self.aspect.1 - 1.0) * k;
        self.h_spread *= k;
        self
    }

    /// Farthest any part of a cell reaches from its place, µm.
    pub fn reach_um(&self) -> f64 {
        let scale = |s: &Option<Surround>| s.map_or(1.0, |s| s.scale.0.max(s.scale.1) * 1.5);
        let row = f64::from(self.row.saturating_sub(1)) * ROW_STEP_UM;
        f64::from(self.length_um.1 * 1.3 * scale(&self.halo).max(scale(&self.body))) + 6.0 + row
    }
}

/// Distance between neighbours in a row of cells, µm.
pub const ROW_STEP_UM: f64 = 11.0;
