//! Fat: a foam of large empty cells. Cells are the power diagram of a jittered grid; what is seen
//! are the thin walls between them.

use super::hash::{Draws, cell_hash};

/// Mean distance between fat cells, µm.
const PITCH_UM: f64 = 58.0;

/// Thickness of two membranes side by side, µm.
const WALL_UM: f32 = 2.3;

/// A fat cell: centre and weight of the power diagram (µm²).
#[derive(Debug, Clone, Copy)]
struct Cell {
    x: f64,
    y: f64,
    weight: f32,
}

/// The fat cells under a picture.
#[derive(Debug)]
pub struct Foam {
    first: (i64, i64),
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

impl Foam {
    /// The cells that may show within `bounds` (µm).
    pub fn new(seed: u64, bounds: [f64; 4]) -> Self {
        let index = |v: f64| (v / PITCH_UM).floor() as i64;
        let first = (index(bounds[0]) - 2, index(bounds[1]) - 2);
        let columns = (index(bounds[2]) - first.0 + 4).max(5) as usize;
        let rows = (index(bounds[3]) - first.1 + 4).max(5) as usize;
        let cell = |i: usize| {
            let (ix, iy) = (
                first.0 + (i % columns) as i64,
                first.1 + (i / columns) as i64,
            );
            let mut draws = Draws::new(cell_hash(seed ^ 0xfa7, ix, iy));
            // Lines are staggered so that the walls do not run along the grid.
            let stagger = 0.5 * iy.rem_euclid(2) as f64;
            let x = (ix as f64 + stagger + 0.5 + 0.72 * f64::from(draws.unit() - 0.5)) * PITCH_UM;
            let y = (iy as f64 + 0.5 + 0.72 * f64::from(draws.unit() - 0.5)) * PITCH_UM;
            Cell {
                x,
                y,
                weight: draws.range(0.0, 700.0),
            }
        };
        Self {
            first,
            columns,
            rows,
            cells: (0..columns * rows).map(cell).collect(),
        }
    }

    /// Share of a pixel at (`x`, `y`) µm that is wall; edges are ramps of `edge_um`.
    pub fn wall(&self, x: f64, y: f64, edge_um: f32) -> f32 {
        let at = |v: f64, first: i64, count: usize| {
            ((v / PITCH_UM).floor() as i64 - first).clamp(2, count as i64 - 3) as usize
        };
        let (cx, cy) = (
            at(x, self.first.0, self.columns),
            at(y, self.first.1, self.rows),
        );
        let (mut best, mut second) = ((f32::MAX, 0), (f32::MAX, 0));
        for row in cy - 1..=cy + 1 {
            for i in row * self.columns + cx - 2..=row * self.columns + cx + 2 {
                let cell = &self.cells[i];
                let (dx, dy) = ((x - cell.x) as f32, (y - cell.y) as f32);
                let power = dx * dx + dy * dy - cell.weight;
                if power < best.0 {
                    second = best;
                    best = (power, i);
                } else if power < second.0 {
                    second = (power, i);
                }
            }
        }
        let (a, b) = (&self.cells[best.1], &self.cells[second.1]);
        let apart = (((a.x - b.x).powi(2) + (a.y - b.y).powi(2)) as f32)
            .sqrt()
            .max(1.0);
        let distance = (second.0 - best.0) / (2.0 * apart);
        slab(distance, WALL_UM, edge_um)
    }
}

/// Share of a ramp of `edge` around `distance` that lies within a slab of `thickness`.
fn slab(distance: f32, thickness: f32, edge: f32) -> f32 {
    let high = (distance + edge * 0.5).min(thickness * 0.5);
    let low = (distance - edge * 0.5).max(-thickness * 0.5);
    ((high - low) / edge).clamp(0.0, 1.0)
}
