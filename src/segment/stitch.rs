//! Blending of tiles into one picture, tile row by tile row, with little memory.
//!
//! Scores are summed with the tiles' windows as weights, beside the sum of the weights. A block
//! holds the sums of the px of one core column; only the blocks that the next tile can still change
//! are alive. What a row of tiles leaves to the row below, `2 · blend` rows of px, is carried over
//! to it, for columns that have tiles. So memory is `(K + 1) · 2 · blend · width · 4` bytes at
//! most: 90 MB for a picture 100,000 px wide, 6 classes and blending over 16 px.
//!
//! The order of additions is that of the tiles, row by row, so equal tiles give equal bits, however
//! they were batched.

use std::collections::VecDeque;
use std::ops::Range;

use super::grid::TileGrid;
use super::window::window;

/// Finished px of one core column: sums of scores and weights.
pub struct Piece<'a> {
    /// Columns of px of the analysed picture.
    pub x: Range<u32>,
    /// Rows of px of the analysed picture.
    pub y: Range<u32>,
    /// Number of classes, K.
    pub classes: usize,
    sums: &'a [f32],
    shape: Shape,
    /// Place of the first finished px in the block.
    first: (usize, usize),
}

impl<'a> Piece<'a> {
    /// The px of `x` × `y` alone: `classes` planes of sums of scores and one of weights, rows from
    /// the top.
    pub fn of_block(x: Range<u32>, y: Range<u32>, classes: usize, sums: &'a [f32]) -> Self {
        let shape = Shape {
            planes: classes + 1,
            rows: y.len(),
            columns: x.len(),
        };
        Self {
            x,
            y,
            classes,
            sums,
            shape,
            first: (0, 0),
        }
    }

    /// Sums of weight · score of class `class` in row `y` of the picture, one a column of `x`.
    pub fn scores(&self, class: usize, y: u32) -> &[f32] {
        let row = (y - self.y.start) as usize + self.first.1;
        let at = self.shape.at(class, row) + self.first.0;
        &self.sums[at..at + self.x.len()]
    }

    /// Puts the same of one px, in column `index` of `x` and row `y`, into `out`, class by class.
    fn scores_at(&self, index: usize, y: u32, out: &mut Vec<f32>) {
        let row = (y - self.y.start) as usize + self.first.1;
        let first = self.shape.at(0, row) + self.first.0 + index;
        let plane = self.shape.plane();
        out.clear();
        out.extend((0..self.classes).map(|class| self.sums[first + class * plane]));
    }

    /// Sums of weights in row `y`: 1 where all tiles were run that have a say, 0 where none was.
    pub fn weights(&self, y: u32) -> &[f32] {
        self.scores(self.classes, y)
    }

    /// Log-probabilities of the px in column `index` of `x` and row `y`; `None` where no tile was
    /// run. Blended log-probabilities, normalised: softmax of the weighted mean of the scores.
    pub fn log_probabilities(&self, index: usize, y: u32, out: &mut Vec<f32>) -> Option<()> {
        self.scores_at(index, y, out);
        self.mean_scores(index, y, out)?;
        let norm = out.iter().map(|score| score.exp()).sum::<f32>().ln();
        out.iter_mut().for_each(|score| *score -= norm);
        Some(())
    }

    /// What a row of px says of its classes, in passes over the row: several times as fast as px by px.
    /// Where no tile was run it says nothing of use.
    pub fn shares(&self, y: u32, out: &mut RowShares) {
        let (columns, weights) = (self.x.len(), self.weights(y));
        out.columns = columns;
        out.classes.clear();
        out.classes.resize(columns, 0);
        out.greatest.clear();
        out.greatest.resize(columns, f32::NEG_INFINITY);
        for class in 0..self.classes {
            let best = out.greatest.iter_mut().zip(&mut out.classes);
            for ((greatest, code), score) in best.zip(self.scores(class, y)) {
                if *score > *greatest {
                    (*greatest, *code) = (*score, class as u8);
                }
            }
        }
        out.sums.clear();
        out.sums.resize(columns, 0.0);
        out.entropy.clear();
        out.entropy.resize(columns, 0.0);
        out.probabilities.clear();
        for class in 0..self.classes {
            let px = self.scores(class, y).iter().zip(&out.greatest).zip(weights);
            let below = px.map(|((score, greatest), weight)| (score - greatest) / weight);
            let sums = out.sums.iter_mut().zip(&mut out.entropy);
            out.probabilities
                .extend(below.zip(sums).map(|(below, (sum, entropy))| {
                    let part = below.exp();
                    *sum += part;
                    *entropy -= below * part;
                    part
                }));
        }
        // With parts e^s and their sum Z: p = e^s / Z, and the entropy is ln Z − Σ s e^s / Z.
        for (entropy, sum) in out.entropy.iter_mut().zip(&out.sums) {
            *entropy = sum.ln() + *entropy / sum;
        }
        for row in out.probabilities.chunks_mut(columns.max(1)) {
            row.iter_mut()
                .zip(&out.sums)
                .for_each(|(part, sum)| *part /= sum);
        }
    }

    /// The same as probabilities, 0–1.
    pub fn probabilities(&self, index: usize, y: u32, out: &mut Vec<f32>) -> Option<()> {
        self.scores_at(index, y, out);
        self.mean_scores(index, y, out)?;
        out.iter_mut().for_each(|score| *score = score.exp());
        let sum: f32 = out.iter().sum();
        out.iter_mut().for_each(|score| *score /= sum);
        Some(())
    }

    /// Weighted means of a px's scores, less the greatest of them, in their place.
    fn mean_scores(&self, index: usize, y: u32, scores: &mut [f32]) -> Option<()> {
        let weight = self.weights(y)[index];
        if weight <= 0.0 {
            return None;
        }
        let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scores = scores.iter_mut();
        scores.for_each(|score| *score = (*score - greatest) / weight);
        Some(())
    }
}

/// What a row of px says of its classes.
#[derive(Debug, Default)]
pub struct RowShares {
    /// The most likely class of each px, the first of equals: by the sums themselves.
    pub classes: Vec<u8>,
    /// Entropy of each px's classes, nats.
    pub entropy: Vec<f32>,
    columns: usize,
    /// Class by class.
    probabilities: Vec<f32>,
    greatest: Vec<f32>,
    sums: Vec<f32>,
}

impl RowShares {
    /// Probability of a class at a px, 0–1; 0 of a class that there is not.
    pub fn probability(&self, class: usize, at: usize) -> f32 {
        let of_class = self.probabilities.get(class * self.columns + at);
        of_class.copied().unwrap_or(0.0)
    }
}

/// Rows and columns of a block's planes.
#[derive(Debug, Clone, Copy)]
struct Shape {
    planes: usize,
    rows: usize,
    columns: usize,
}

impl Shape {
    /// Where a row of a plane begins.
    fn at(&self, plane: usize, row: usize) -> usize {
        (plane * self.rows + row) * self.columns
    }

    /// Px of a plane.
    fn plane(&self) -> usize {
        self.rows * self.columns
    }

    fn len(&self) -> usize {
        self.planes * self.plane()
    }
}

/// What takes finished px.
pub type Take<'a> = dyn FnMut(&Piece) + 'a;

/// Tiles in, finished px out.
pub struct Stitcher {
    grid: TileGrid,
    classes: usize,
    window: Vec<f32>,
    shape: Shape,
    row: u32,
    /// Blocks of the current row that are not finished, from the left.
    live: VecDeque<(u32, Vec<f32>)>,
    /// What the row of tiles above leaves to the current one, by column.
    above: Vec<Option<Vec<f32>>>,
    /// What the current row leaves to the one below.
    below: Vec<Option<Vec<f32>>>,
    /// Blocks to use again.
    spare: Vec<Vec<f32>>,
    /// Weights of the tile row of px at hand.
    line: Vec<f32>,
}

impl Stitcher {
    /// Begins with the tiles of `first_row`; those above count as not run.
    pub fn new(grid: TileGrid, classes: usize, first_row: u32) -> Self {
        let step = grid.spec.step_px() as usize;
        let overlap = 2 * grid.spec.blend_px as usize;
        let shape = Shape {
            planes: classes + 1,
            rows: step + overlap,
            columns: step,
        };
        Self {
            grid,
            classes,
            window: window(&grid.spec),
            shape,
            row: first_row,
            live: VecDeque::new(),
            above: vec![None; grid.columns() as usize],
            below: vec![None; grid.columns() as usize],
            spare: Vec::new(),
            line: vec![0.0; grid.spec.tile_px as usize],
        }
    }

    /// Adds the scores (K × S × S) of the tile in `column` of the current row, right of those before
    /// it. `take` gets px that this finishes.
    pub fn push(&mut self, column: u32, scores: &[f32], take: &mut Take) {
        let reach = u32::from(self.grid.spec.blend_px > 0);
        let last = self.grid.columns().saturating_sub(1);
        for to in column.saturating_sub(reach)..=(column + reach).min(last) {
            let index = self.live_block(to);
            let (_, mut block) = std::mem::take(&mut self.live[index]);
            self.add(&mut block, to, column, scores);
            self.live[index] = (to, block);
        }
        while self.live.front().is_some_and(|(live, _)| *live < column) {
            self.finish_first(take);
        }
    }

    /// The row whose tiles come next.
    pub fn row(&self) -> u32 {
        self.row
    }

    /// Ends the current row of tiles; `take` gets what is left of its px.
    pub fn end_row(&mut self, take: &mut Take) {
        while !self.live.is_empty() {
            self.finish_first(take);
        }
        // Columns without a tile in this row, but with one above.
        for column in 0..self.above.len() {
            if self.above[column].is_some() {
                let block = self.blank();
                self.finish(column as u32, block, take);
            }
        }
        std::mem::swap(&mut self.above, &mut self.below);
        self.row += 1;
    }

    /// Place of a column's block among those alive.
    fn live_block(&mut self, column: u32) -> usize {
        let found = self.live.iter().position(|(live, _)| *live == column);
        found.unwrap_or_else(|| {
            let block = self.blank();
            self.live.push_back((column, block));
            self.live.len() - 1
        })
    }

    fn blank(&mut self) -> Vec<f32> {
        let mut block = self.spare.pop().unwrap_or_default();
        block.clear();
        block.resize(self.shape.len(), 0.0);
        block
    }

    /// Adds what the tile in column `from` says of the px of the block of column `to`.
    fn add(&mut self, block: &mut [f32], to: u32, from: u32, scores: &[f32]) {
        let spec = &self.grid.spec;
        let (tile, margin) = (
            spec.tile_px as usize,
            (spec.halo_px - spec.blend_px) as usize,
        );
        let Some((first, columns)) = self.shared_columns(to, from) else {
            return;
        };
        let length = columns.len();
        for row in 0..self.shape.rows {
            let of_row = self.window[row + margin];
            let line = &mut self.line[..length];
            let of_columns = &self.window[columns.clone()];
            line.iter_mut()
                .zip(of_columns)
                .for_each(|(weight, w)| *weight = of_row * w);
            for class in 0..self.classes {
                let at = (class * tile + row + margin) * tile;
                let scores = &scores[at..at + tile][columns.clone()];
                let sums = &mut block[self.shape.at(class, row) + first..][..length];
                for ((sum, weight), score) in sums.iter_mut().zip(&*line).zip(scores) {
                    *sum += weight * score;
                }
            }
            let sums = &mut block[self.shape.at(self.classes, row) + first..][..length];
            sums.iter_mut()
                .zip(&*line)
                .for_each(|(sum, weight)| *sum += weight);
        }
    }

    /// The first column of a block on which a tile has a say, and the tile's columns that do.
    fn shared_columns(&self, to: u32, from: u32) -> Option<(usize, Range<usize>)> {
        let spec = &self.grid.spec;
        let (step, halo, blend) = (spec.step_px(), spec.halo_px, spec.blend_px);
        let (first, columns) = match i64::from(to) - i64::from(from) {
            0 => (0, halo..halo + step),
            -1 => (step - blend, halo - blend..halo),
            1 => (0, halo + step..halo + step + blend),
            _ => return None,
        };
        Some((first as usize, columns.start as usize..columns.end as usize))
    }

    fn finish_first(&mut self, take: &mut Take) {
        if let Some((column, block)) = self.live.pop_front() {
            self.finish(column, block, take);
        }
    }

    /// Adds what was left from above, hands over the finished rows and leaves the others.
    fn finish(&mut self, column: u32, mut block: Vec<f32>, take: &mut Take) {
        let above = self.above[column as usize].take();
        if let Some(above) = &above {
            self.add_above(&mut block, above);
        }
        self.hand_over(column, &block, take);
        if self.grid.spec.blend_px > 0 && self.row + 1 < self.grid.rows() {
            let left = self.left_below(&block, above.unwrap_or_default());
            self.below[column as usize] = Some(left);
        }
        self.spare.push(block);
    }

    fn add_above(&self, block: &mut [f32], above: &[f32]) {
        let length = self.overlap_rows() * self.shape.columns;
        for plane in 0..self.shape.planes {
            let sums = &mut block[self.shape.at(plane, 0)..][..length];
            let left = &above[plane * length..][..length];
            sums.iter_mut()
                .zip(left)
                .for_each(|(sum, left)| *sum += left);
        }
    }

    /// The last rows of a block, in a buffer that is of no more use. Not one of a block's size:
    /// there is one for every column.
    fn left_below(&self, block: &[f32], mut buffer: Vec<f32>) -> Vec<f32> {
        buffer.clear();
        for plane in 0..self.shape.planes {
            let first = self.shape.at(plane, self.shape.rows - self.overlap_rows());
            buffer.extend_from_slice(&block[first..self.shape.at(plane, self.shape.rows)]);
        }
        buffer
    }

    fn overlap_rows(&self) -> usize {
        2 * self.grid.spec.blend_px as usize
    }

    fn hand_over(&self, column: u32, block: &[f32], take: &mut Take) {
        let (x, y) = (self.grid.core_columns(column), self.grid.band(self.row));
        if x.is_empty() || y.is_empty() {
            return;
        }
        let blend = i64::from(self.grid.spec.blend_px);
        let first_column = i64::from(x.start) - self.grid.core_start(column);
        let first_row = i64::from(y.start) - (self.grid.core_start(self.row) - blend);
        take(&Piece {
            x,
            y,
            classes: self.classes,
            sums: block,
            shape: self.shape,
            first: (first_column as usize, first_row as usize),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_its_px_say() {
        const CLASSES: usize = 5;
        let (x, y) = (7..40_u32, 3..6_u32);
        let px = x.len() * y.len();
        let value = |n: usize| ((n * 2_654_435_761) % 1999) as f32 / 150.0 - 6.0;
        let mut sums: Vec<f32> = (0..CLASSES * px).map(value).collect();
        // Weights between none and one; two classes alike somewhere.
        sums.extend((0..px).map(|at| (at % 4) as f32 / 3.0));
        sums[px + 9] = sums[9];
        let piece = Piece::of_block(x.clone(), y.clone(), CLASSES, &sums);
        let (mut row, mut logs, mut seen) = (RowShares::default(), Vec::new(), 0);
        for y in y {
            piece.shares(y, &mut row);
            for at in 0..x.len() {
                let Some(()) = piece.log_probabilities(at, y, &mut logs) else {
                    continue;
                };
                let entropy: f32 = logs.iter().map(|log| -log * log.exp()).sum();
                assert!((row.entropy[at] - entropy).abs() < 1e-5);
                for (class, log) in logs.iter().enumerate() {
                    assert!((row.probability(class, at) - log.exp()).abs() < 1e-6);
                }
                let greatest = (0..CLASSES).rev().max_by(|a, b| {
                    let score = |class: usize| piece.scores(class, y)[at];
                    score(*a).total_cmp(&score(*b))
                });
                assert_eq!(Some(usize::from(row.classes[at])), greatest);
                assert_eq!(row.probability(CLASSES, at), 0.0);
                seen += 1;
            }
        }
        assert_eq!(seen, px - px.div_ceil(4));
    }
}
