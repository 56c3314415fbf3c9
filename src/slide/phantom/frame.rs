//! The pixel grid of one picture, and the coarse lattice on which anatomy is evaluated under it.
//!
//! Both are anchored to the slide: whatever rectangle is drawn, a pixel's centre and the nodes
//! around it are the same numbers, so neighbouring tiles meet without a seam.

use super::anatomy::{Anatomy, FIELDS, Fields, Noises};
use super::hash::floor_i64;

/// A rectangle of the infinite pixel grid of one scale.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Microns per pixel.
    pub mpp: f64,
    /// Left column, grid px.
    pub x0: i64,
    /// Top row, grid px.
    pub y0: i64,
    /// Offset of the grid's origin from the slide's, µm.
    pub shift_um: (f64, f64),
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Frame {
    /// Centre of column `col` of this rectangle, µm.
    #[inline]
    pub fn x_um(&self, col: i64) -> f64 {
        ((self.x0 + col) as f64 + 0.5) * self.mpp + self.shift_um.0
    }

    /// Centre of row `row` of this rectangle, µm.
    #[inline]
    pub fn y_um(&self, row: i64) -> f64 {
        ((self.y0 + row) as f64 + 0.5) * self.mpp + self.shift_um.1
    }

    /// The rectangle grown by `margin_um` on every side: min x, min y, max x, max y, µm.
    pub fn bounds_um(&self, margin_um: f64) -> [f64; 4] {
        let margin = margin_um + self.mpp;
        [
            self.x_um(0) - margin,
            self.y_um(0) - margin,
            self.x_um(self.width as i64) + margin,
            self.y_um(self.height as i64) + margin,
        ]
    }

    /// Columns whose centres lie within `reach_um` of `x_um`, clipped to the rectangle.
    #[inline]
    pub fn columns(&self, x_um: f64, reach_um: f64) -> std::ops::Range<usize> {
        span(
            (x_um - self.shift_um.0) / self.mpp - 0.5,
            reach_um / self.mpp,
            self.x0,
            self.width,
        )
    }

    /// Rows whose centres lie within `reach_um` of `y_um`, clipped to the rectangle.
    #[inline]
    pub fn rows(&self, y_um: f64, reach_um: f64) -> std::ops::Range<usize> {
        span(
            (y_um - self.shift_um.1) / self.mpp - 0.5,
            reach_um / self.mpp,
            self.y0,
            self.height,
        )
    }
}

#[inline]
fn span(centre_px: f64, reach_px: f64, first: i64, count: usize) -> std::ops::Range<usize> {
    let low = (centre_px - reach_px).ceil() as i64 - first;
    let high = (centre_px + reach_px).floor() as i64 + 1 - first;
    let limit = count as i64;
    low.clamp(0, limit) as usize..high.clamp(0, limit) as usize
}

/// Level-0 pixels between the nodes of the finest lattice, on which classes are defined.
const FINEST_NODES_PX: f64 = 32.0;

/// Level-0 pixels between nodes beyond which a picture has a node a pixel and not one every four.
const CLOSER_NODES_PX: f64 = 128.0;

/// Microns between lattice nodes for pixels of `mpp`: 4 px (up to 8 where steps double), but from
/// [`CLOSER_NODES_PX`] on they stay where they are until a pixel is as large as they are apart.
/// A step takes with it the octaves that are too fine for it, and outlines such as those of folds
/// magnify what is taken: at four pixels a node they jumped by pixels wherever the step doubled.
pub fn lattice_step_um(base_mpp: f64, mpp: f64) -> f64 {
    let doubled_to = |least_um: f64| {
        let mut step = base_mpp * FINEST_NODES_PX;
        while step < least_um && step < 1e6 {
            step *= 2.0;
        }
        step
    };
    let closer = doubled_to((mpp * 0.97).max(base_mpp * CLOSER_NODES_PX));
    doubled_to(mpp * 3.9).min(closer)
}

/// Fields of the anatomy at the nodes under a frame; in between, bilinear.
#[derive(Debug)]
pub struct Lattice {
    step_um: f64,
    first: (i64, i64),
    columns: usize,
    rows: usize,
    nodes: Vec<Fields>,
}

impl Lattice {
    /// Evaluates `anatomy` on the lattice of `step_um` that covers `bounds` (µm).
    pub fn new(anatomy: &dyn Anatomy, bounds: [f64; 4], step_um: f64) -> Self {
        let index = |v: f64| (v / step_um).floor() as i64;
        let first = (index(bounds[0]), index(bounds[1]));
        let columns = (index(bounds[2]) - first.0 + 2).max(2) as usize;
        let rows = (index(bounds[3]) - first.1 + 2).max(2) as usize;
        let mut nodes = Vec::with_capacity(columns * rows);
        let mut values = vec![0.0; columns * anatomy.noises().len()];
        for row in 0..rows {
            let y = (first.1 + row as i64) as f64 * step_um;
            for (field, line) in anatomy
                .noises()
                .iter()
                .zip(values.chunks_exact_mut(columns))
            {
                field.row(|i| (first.0 + i as i64) as f64 * step_um, y, step_um, line);
            }
            for column in 0..columns {
                let x = (first.0 + column as i64) as f64 * step_um;
                let mut noises = Noises::default();
                for (noise, line) in noises.iter_mut().zip(values.chunks_exact(columns)) {
                    *noise = line[column];
                }
                nodes.push(anatomy.compose(x, y, &noises));
            }
        }
        Self {
            step_um,
            first,
            columns,
            rows,
            nodes,
        }
    }

    /// Index of the node left of (or above) `v_um` along one axis, and the fraction beyond it.
    #[inline]
    fn locate(v_um: f64, step_um: f64, first: i64, count: usize) -> (usize, f32) {
        let at = v_um / step_um;
        let floor = floor_i64(at);
        let index = (floor - first).clamp(0, count as i64 - 2) as usize;
        (index, (at - floor as f64) as f32)
    }

    /// Column index and fraction of `x_um`.
    #[inline]
    pub fn column(&self, x_um: f64) -> (usize, f32) {
        Self::locate(x_um, self.step_um, self.first.0, self.columns)
    }

    /// Fields at the nodes, rows from the top.
    pub fn nodes(&self) -> &[Fields] {
        &self.nodes
    }

    /// A number that is known at the nodes, at one point.
    #[inline]
    pub fn scalar_at(&self, values: &[f32], x_um: f64, y_um: f64) -> f32 {
        let (column, tx) = self.column(x_um);
        let (row, ty) = Self::locate(y_um, self.step_um, self.first.1, self.rows);
        let i = row * self.columns + column;
        let left = values[i] + (values[i + self.columns] - values[i]) * ty;
        let i = i + 1;
        let right = values[i] + (values[i + self.columns] - values[i]) * ty;
        left + (right - left) * tx
    }

    /// Fields along the row at `y_um`, one entry a lattice column.
    pub fn row(&self, y_um: f64, out: &mut Vec<Fields>) {
        let (row, t) = Self::locate(y_um, self.step_um, self.first.1, self.rows);
        let upper = &self.nodes[row * self.columns..(row + 1) * self.columns];
        let lower = &self.nodes[(row + 1) * self.columns..(row + 2) * self.columns];
        out.clear();
        out.extend(upper.iter().zip(lower).map(|(a, b)| lerp_fields(a, b, t)));
    }

    /// Fields at one point.
    #[inline]
    pub fn at(&self, x_um: f64, y_um: f64) -> Fields {
        let (column, tx) = self.column(x_um);
        let (row, ty) = Self::locate(y_um, self.step_um, self.first.1, self.rows);
        let i = row * self.columns + column;
        // Rows first, as the picture does, so that both give the same number.
        let left = lerp_fields(&self.nodes[i], &self.nodes[i + self.columns], ty);
        let right = lerp_fields(&self.nodes[i + 1], &self.nodes[i + 1 + self.columns], ty);
        lerp_fields(&left, &right, tx)
    }

    /// Slope of field `index` at a point, per µm along x and y.
    pub fn slope(&self, index: usize, x_um: f64, y_um: f64) -> (f32, f32) {
        let d = self.step_um * 0.5;
        let along = |a: Fields, b: Fields| (b[index] - a[index]) / (2.0 * d as f32);
        (
            along(self.at(x_um - d, y_um), self.at(x_um + d, y_um)),
            along(self.at(x_um, y_um - d), self.at(x_um, y_um + d)),
        )
    }
}

/// From `a` to `b`.
#[inline]
pub fn lerp_fields(a: &Fields, b: &Fields, t: f32) -> Fields {
    let mut out = [0.0; FIELDS];
    for i in 0..FIELDS {
        out[i] = a[i] + (b[i] - a[i]) * t;
    }
    out
}
