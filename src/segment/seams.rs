//! Whether tile borders show: how much log-probabilities change from px to px, by the distance
//! from the nearest border.

use serde::{Deserialize, Serialize};

use super::grid::{GridSpec, TileGrid};
use super::stitch::Piece;

/// Of how many lines of px one is measured: tells the mean well at little cost.
const EVERY_PX: u32 = 32;

/// Smaller log-probabilities count as this, 0.01 %: a change from one next-to-nothing to another
/// shows in no picture.
const LOG_FLOOR: f32 = -9.21;

/// Energy of edges by place in a tile's core: entry `d` is about pairs of neighbouring px of which
/// the second is the `d`-th of its core, so entry 0 is about pairs across a tile border.
///
/// The energy of a pair is the mean over the classes of the squared difference of
/// log-probabilities, in nat². Both directions are measured, each on one line of px in 32; pairs
/// of which one px was not analysed are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeamProfile {
    /// Sum of the pairs' energies.
    pub energy: Vec<f64>,
    /// Number of pairs.
    pub pairs: Vec<u64>,
}

/// Energy at tile borders beside that elsewhere. A network that cuts tiles into blocks has more at
/// their borders, with which those of tiles coincide; they are compared with their like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seams {
    /// Mean energy of the pairs across a border of two tiles' cores.
    pub at_border: f64,
    /// Mean energy of those at borders of the network's blocks within reach of the blending, and of
    /// those across a border.
    pub in_blend: f64,
    /// Mean energy of those at borders of the network's blocks, a quarter of a core and more from
    /// every border.
    pub elsewhere: f64,
    /// Mean energy of all pairs.
    pub of_all: f64,
    /// Pairs across a border that were measured.
    pub border_pairs: u64,
    /// `at_border / elsewhere`; 1 where both are 0.
    pub border_ratio: f64,
    /// `in_blend / elsewhere`; 1 where both are 0.
    pub blend_ratio: f64,
}

impl SeamProfile {
    /// Nothing measured yet, for a grid's cores.
    pub fn new(spec: &GridSpec) -> Self {
        let step = spec.step_px() as usize;
        Self {
            energy: vec![0.0; step],
            pairs: vec![0; step],
        }
    }

    /// Adds what was measured elsewhere on the same grid.
    pub fn merge(&mut self, other: &Self) {
        self.energy
            .resize(self.energy.len().max(other.energy.len()), 0.0);
        self.pairs
            .resize(self.pairs.len().max(other.pairs.len()), 0);
        self.energy
            .iter_mut()
            .zip(&other.energy)
            .for_each(|(sum, more)| *sum += more);
        self.pairs
            .iter_mut()
            .zip(&other.pairs)
            .for_each(|(sum, more)| *sum += more);
    }

    /// Borders against elsewhere; blending reaches `blend_px` to both sides, and the network's
    /// blocks have sides of `block_px`, see [`super::TileModel::block_px`].
    pub fn summary(&self, blend_px: u32, block_px: u32) -> Seams {
        let (step, blend) = (self.pairs.len(), blend_px as usize);
        let like = |d: usize| d.is_multiple_of(block_px.max(1) as usize);
        let distance = |d: usize| d.min(step - d);
        let mean = |wanted: &dyn Fn(usize) -> bool| {
            let at = || (0..step).filter(|d| wanted(distance(*d)));
            let pairs: u64 = at().map(|d| self.pairs[d]).sum();
            at().map(|d| self.energy[d]).sum::<f64>() / pairs.max(1) as f64
        };
        let (at_border, elsewhere) = (mean(&|d| d == 0), mean(&|d| 4 * d >= step && like(d)));
        let in_blend = mean(&|d| d <= blend && like(d));
        Seams {
            at_border,
            in_blend,
            elsewhere,
            of_all: mean(&|_| true),
            border_pairs: self.pairs.first().copied().unwrap_or(0),
            border_ratio: ratio(at_border, elsewhere),
            blend_ratio: ratio(in_blend, elsewhere),
        }
    }

    fn add(&mut self, at: u32, before: &[f32], after: &[f32]) {
        let energy: f32 = before
            .iter()
            .zip(after)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        let at = at as usize % self.pairs.len().max(1);
        self.energy[at] += f64::from(energy) / before.len().max(1) as f64;
        self.pairs[at] += 1;
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if a == b { 1.0 } else { a / b }
}

/// Measures the pieces of one band.
pub struct SeamMeter {
    grid: TileGrid,
    classes: usize,
    profile: SeamProfile,
    /// Measured rows of px of the band, their log-probabilities px by px; NaN where there are none.
    lines: Vec<(u32, Vec<f32>)>,
}

impl SeamMeter {
    /// For the px that the tiles of `row` finish.
    pub fn new(grid: TileGrid, classes: usize, row: u32) -> Self {
        let line = || vec![f32::NAN; grid.size_px.0 as usize * classes];
        let measured = grid.band(row).filter(|y| y.is_multiple_of(EVERY_PX));
        Self {
            grid,
            classes,
            profile: SeamProfile::new(&grid.spec),
            lines: measured.map(|y| (y, line())).collect(),
        }
    }

    /// Measures a piece; `analysed` says of a column and row of the picture whether it counts.
    pub fn take(&mut self, piece: &Piece, analysed: &dyn Fn(u32, u32) -> bool) {
        for (y, line) in &mut self.lines {
            let mut at = Vec::new();
            for (index, x) in piece
                .x
                .clone()
                .enumerate()
                .filter(|(_, x)| analysed(*x, *y))
            {
                if piece.log_probabilities(index, *y, &mut at).is_some() {
                    let place = x as usize * self.classes;
                    line[place..place + self.classes].copy_from_slice(&at);
                    line[place..].iter_mut().take(self.classes).for_each(floor);
                }
            }
        }
        let columns = piece.x.clone().enumerate();
        for (index, x) in columns.filter(|(_, x)| x.is_multiple_of(EVERY_PX)) {
            self.measure_column(piece, index, &|y| analysed(x, y));
        }
    }

    fn measure_column(&mut self, piece: &Piece, index: usize, analysed: &dyn Fn(u32) -> bool) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut has_before = false;
        for y in piece.y.clone() {
            let has_after = analysed(y) && piece.log_probabilities(index, y, &mut after).is_some();
            after.iter_mut().for_each(floor);
            if has_before && has_after {
                self.profile
                    .add(y + self.grid.spec.offset_px(), &before, &after);
            }
            std::mem::swap(&mut before, &mut after);
            has_before = has_after;
        }
    }

    /// What was measured.
    pub fn finish(mut self) -> SeamProfile {
        for (_, line) in std::mem::take(&mut self.lines) {
            let px: Vec<&[f32]> = line.chunks_exact(self.classes).collect();
            for (x, pair) in (1_u32..).zip(px.windows(2)) {
                if !pair[0][0].is_nan() && !pair[1][0].is_nan() {
                    self.profile
                        .add(x + self.grid.spec.offset_px(), pair[0], pair[1]);
                }
            }
        }
        self.profile
    }
}

fn floor(log_probability: &mut f32) {
    *log_probability = log_probability.max(LOG_FLOOR);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_compared_with_borders_of_blocks() {
        let spec = GridSpec::new(1.0, 128);
        let mut profile = SeamProfile::new(&spec);
        for x in 1..640 {
            let jump = if x % 16 == 0 { 3.0 } else { 1.0 };
            profile.add(x, &[0.0], &[jump]);
        }
        assert_eq!(profile.summary(spec.blend_px, 16).border_ratio, 1.0);
        assert!(profile.summary(spec.blend_px, 1).border_ratio > 5.0);
        for x in (64..640).step_by(64) {
            profile.add(x, &[0.0], &[6.0]);
        }
        assert!(profile.summary(spec.blend_px, 16).border_ratio > 2.0);
    }

    #[test]
    fn borders_are_told_from_elsewhere() {
        let spec = GridSpec {
            mpp: 1.0,
            tile_px: 24,
            halo_px: 4,
            blend_px: 2,
            shifted: false,
        };
        let mut profile = SeamProfile::new(&spec);
        for x in 1..160 {
            let jump = if x % 16 == 0 { 3.0 } else { 1.0 };
            profile.add(x, &[0.0, 0.0], &[jump, jump]);
        }
        let seams = profile.summary(spec.blend_px, 1);
        assert_eq!(
            (seams.at_border, seams.elsewhere, seams.border_pairs),
            (9.0, 1.0, 9)
        );
        assert_eq!(seams.border_ratio, 9.0);
        // Of five distances within reach of the blending, one is the border.
        assert!(
            (seams.in_blend - (9.0 * 9.0 + 38.0) / 47.0).abs() < 0.1,
            "{}",
            seams.in_blend
        );
        let mut twice = profile.clone();
        twice.merge(&profile);
        assert_eq!(twice.summary(2, 1).at_border, seams.at_border);
        assert_eq!(SeamProfile::default().summary(2, 1).border_ratio, 1.0);
    }
}
