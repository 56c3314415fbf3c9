//! Tokens of a part of a slide side by side, and their means over squares.

use std::ops::Range;

/// How much of the token `away` tokens off lies in a square of `side` tokens around a token.
fn share(away: i64, side: f64) -> f32 {
    (side / 2.0 + 0.5 - away.abs() as f64).clamp(0.0, 1.0) as f32
}

/// How many tokens a square of `side` tokens around a token reaches to each side.
pub fn reach(side: f64) -> u32 {
    (side / 2.0 - 0.5).ceil().max(0.0) as u32
}

/// Tokens of columns `x` and rows `y`.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Columns.
    pub x: Range<u32>,
    /// Rows.
    pub y: Range<u32>,
    /// Values of a token, D.
    pub width: usize,
    /// Row by row; zeros where a token is not known.
    values: Vec<f32>,
    known: Vec<bool>,
}

impl Patch {
    /// Nothing known.
    pub fn unknown(x: Range<u32>, y: Range<u32>, width: usize) -> Self {
        let count = x.len() * y.len();
        Self {
            x,
            y,
            width,
            values: vec![0.0; count * width],
            known: vec![false; count],
        }
    }

    fn index(&self, x: u32, y: u32) -> usize {
        (y - self.y.start) as usize * self.x.len() + (x - self.x.start) as usize
    }

    /// The token in column `x` and row `y` of the slide, where it is known.
    pub fn get(&self, x: u32, y: u32) -> Option<&[f32]> {
        let at = self.index(x, y);
        let row = || &self.values[at * self.width..(at + 1) * self.width];
        self.known[at].then(row)
    }

    /// Makes a token known; its values are to be written.
    pub fn set(&mut self, x: u32, y: u32) -> &mut [f32] {
        let at = self.index(x, y);
        self.known[at] = true;
        &mut self.values[at * self.width..(at + 1) * self.width]
    }

    /// All known tokens, row by row.
    pub fn tokens(&self) -> impl Iterator<Item = &[f32]> {
        let rows = self.values.chunks_exact(self.width.max(1));
        let known = rows.zip(&self.known).filter(|(_, known)| **known);
        known.map(|(row, _)| row)
    }

    /// Means over squares of `side` tokens around each token of columns `x` and rows `y`, which lie
    /// within the patch. Tokens that a square covers in part count in part, those that are not known
    /// not at all; where the middle is not known, nor is the mean.
    pub fn means(&self, x: &Range<u32>, y: &Range<u32>, side: f64) -> Self {
        let mut means = Self::unknown(x.clone(), y.clone(), self.width);
        let lines = self.means_along_rows(x, side);
        for row in y.clone() {
            for column in x.clone().filter(|column| self.get(*column, row).is_some()) {
                let mean = means.set(column, row);
                let mut sum = 0.0;
                for from in within(row, side, &self.y) {
                    let weight = share(i64::from(from) - i64::from(row), side);
                    let at = (from - self.y.start) as usize * x.len() + (column - x.start) as usize;
                    sum += weight * lines.counts[at];
                    add(mean, &lines.sums[at * self.width..][..self.width], weight);
                }
                mean.iter_mut().for_each(|value| *value /= sum);
            }
        }
        means
    }

    fn means_along_rows(&self, x: &Range<u32>, side: f64) -> Lines {
        let count = x.len() * self.y.len();
        let mut lines = Lines {
            sums: vec![0.0; count * self.width],
            counts: vec![0.0; count],
        };
        let places = self
            .y
            .clone()
            .flat_map(|row| x.clone().map(move |at| (at, row)));
        for (at, (column, row)) in places.enumerate() {
            let sums = &mut lines.sums[at * self.width..(at + 1) * self.width];
            for from in within(column, side, &self.x) {
                if let Some(token) = self.get(from, row) {
                    let weight = share(i64::from(from) - i64::from(column), side);
                    lines.counts[at] += weight;
                    add(sums, token, weight);
                }
            }
        }
        lines
    }
}

/// Weighted sums along rows, and what the weights add up to.
struct Lines {
    sums: Vec<f32>,
    counts: Vec<f32>,
}

fn within(middle: u32, side: f64, all: &Range<u32>) -> Range<u32> {
    let reach = reach(side);
    middle.saturating_sub(reach).max(all.start)..(middle + reach + 1).min(all.end)
}

fn add(sums: &mut [f32], values: &[f32], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Patch {
        let mut patch = Patch::unknown(10..20, 5..15, 2);
        for y in 5..15 {
            for x in 10..20 {
                patch.set(x, y).copy_from_slice(&[x as f32, y as f32]);
            }
        }
        patch
    }

    #[test]
    fn squares_of_even_sides_lie_in_the_middle_of_their_token() {
        assert_eq!(
            [0.5, 1.0, 2.0, 3.0, 4.0, 16.0].map(reach),
            [0, 0, 1, 1, 2, 8]
        );
        let patch = ramp();
        for side in [0.5, 1.0, 2.0, 3.0, 4.0] {
            let means = patch.means(&(13..16), &(8..11), side);
            let mean = means.get(14, 9).unwrap();
            assert!((mean[0] - 14.0).abs() < 1e-5 && (mean[1] - 9.0).abs() < 1e-5);
        }
        // 10 and half of 11: nothing is known further left.
        let edge = patch.means(&(10..11), &(9..10), 2.0);
        assert!((edge.get(10, 9).unwrap()[0] - (10.0 + 5.5) / 1.5).abs() < 1e-5);
    }

    #[test]
    fn what_is_not_known_does_not_count() {
        let mut patch = Patch::unknown(0..3, 0..1, 1);
        patch.set(0, 0)[0] = 4.0;
        patch.set(1, 0)[0] = 8.0;
        let means = patch.means(&(0..3), &(0..1), 3.0);
        assert_eq!(means.get(1, 0).unwrap(), [6.0]);
        assert_eq!(means.get(2, 0), None);
        assert_eq!(means.tokens().count(), 2);
    }
}
