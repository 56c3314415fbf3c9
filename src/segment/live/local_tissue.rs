//! Where tissue is, for the places that are looked at: blocks of the overview, read when they are
//! first asked for.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::segment::tissue::{Overview, TissueMap};
use crate::slide::{SlideError, SlideSource};

/// Overview px along a block's side.
const BLOCK_PX: u32 = 128;

/// What is known of a slide's tissue; the same answers as [`TissueMap`] gives.
pub struct LocalTissue {
    slide: Arc<dyn SlideSource>,
    overview: Overview,
    blocks: HashMap<(u32, u32), Vec<bool>>,
}

impl LocalTissue {
    /// Nothing read yet; gaps of up to twice `fill_um` are to be closed.
    pub fn new(slide: Arc<dyn SlideSource>, fill_um: f64) -> Self {
        let overview = Overview::of(slide.as_ref(), fill_um);
        Self {
            slide,
            overview,
            blocks: HashMap::new(),
        }
    }

    /// Whether any of the px of `mpp` µm in `columns` × `rows` lies near tissue.
    ///
    /// # Errors
    /// When the slide can't be read there.
    pub fn touches(
        &mut self,
        mpp: f64,
        columns: &Range<u32>,
        rows: &Range<u32>,
    ) -> Result<bool, SlideError> {
        if columns.is_empty() || rows.is_empty() {
            return Ok(false);
        }
        let overview = self.overview;
        let under = |range: &Range<u32>, side: u32| {
            overview.under(mpp, range.start, side)..overview.under(mpp, range.end - 1, side) + 1
        };
        let (x, y) = (under(columns, overview.columns), under(rows, overview.rows));
        for row in y {
            for column in x.clone() {
                if self.near(column, row)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether each px of `mpp` µm in `columns` × `rows` lies near tissue, rows from the top.
    ///
    /// # Errors
    /// When the slide can't be read there.
    pub fn near_px(
        &mut self,
        mpp: f64,
        columns: &Range<u32>,
        rows: &Range<u32>,
    ) -> Result<Vec<bool>, SlideError> {
        let overview = self.overview;
        let under = columns
            .clone()
            .map(|x| overview.under(mpp, x, overview.columns));
        let under: Vec<u32> = under.collect();
        let mut near = Vec::with_capacity(columns.len() * rows.len());
        // Many px share an overview px, and many rows a row of them.
        let (mut line, mut of_row) = (Vec::new(), None);
        for y in rows.clone() {
            let row = overview.under(mpp, y, overview.rows);
            if of_row != Some(row) {
                of_row = Some(row);
                self.near_line(&under, row, &mut line)?;
            }
            near.extend_from_slice(&line);
        }
        Ok(near)
    }

    fn near_line(
        &mut self,
        columns: &[u32],
        row: u32,
        line: &mut Vec<bool>,
    ) -> Result<(), SlideError> {
        line.clear();
        let mut last = None;
        for column in columns {
            let near = match last {
                Some((of, near)) if of == *column => near,
                _ => self.near(*column, row)?,
            };
            last = Some((*column, near));
            line.push(near);
        }
        Ok(())
    }

    /// Whether an overview px lies near tissue.
    fn near(&mut self, column: u32, row: u32) -> Result<bool, SlideError> {
        let block = (column / BLOCK_PX, row / BLOCK_PX);
        let range = |index: u32, side: u32| index * BLOCK_PX..((index + 1) * BLOCK_PX).min(side);
        let (x, y) = (
            range(block.0, self.overview.columns),
            range(block.1, self.overview.rows),
        );
        if !self.blocks.contains_key(&block) {
            let near = TissueMap::near_in(self.slide.as_ref(), &self.overview, &x, &y)?;
            self.blocks.insert(block, near);
        }
        let at = (row - y.start) as usize * x.len() + (column - x.start) as usize;
        Ok(self.blocks.get(&block).is_some_and(|near| near[at]))
    }
}
