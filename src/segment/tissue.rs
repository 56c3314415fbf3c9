//! Where a slide has tissue: an overview that decides which tiles are worth a network.

use std::ops::Range;

use rayon::prelude::*;

use crate::geometry::UmPoint;
use crate::slide::tissue::{is_tissue, over_glass};
use crate::slide::{SlideError, SlideSource};

/// Scale of the overview, µm/px: a cell or two. Never finer than the slide's own px.
const OVERVIEW_MPP: f64 = 8.0;

/// Overview rows that are read at a time.
const STRIP_PX: u32 = 256;

/// Tissue on an overview of a slide, its gaps filled.
///
/// Memory: 6 bytes for every 8 × 8 µm of the slide, 47 MB for 25 × 20 mm.
#[derive(Debug, Clone)]
pub struct TissueMap {
    mpp: f64,
    columns: usize,
    rows: usize,
    /// Whether each overview px lies on tissue or in a gap of it; rows from the top.
    near: Vec<bool>,
    near_counts: Counts,
    /// Overview px with tissue.
    tissue_px: u64,
}

impl TissueMap {
    /// Reads an overview of the slide; what lies between tissue, at most twice `fill_um` apart along
    /// either axis, counts as tissue: empty fat cells, lumens.
    ///
    /// # Errors
    /// When the slide has no scale or can't be read.
    pub fn of(slide: &dyn SlideSource, fill_um: f64) -> Result<Self, SlideError> {
        let overview = Overview::of(slide, fill_um);
        let tissue = read_overview(slide, &overview)?;
        Ok(Self::from_px(
            overview.mpp,
            overview.columns as usize,
            tissue,
            overview.reach_px,
        ))
    }

    /// Whether each overview px of a window lies near tissue, rows from the top: the same answers as
    /// of the whole slide, for as much reading as the window asks for.
    ///
    /// # Errors
    /// When the slide can't be read there.
    pub fn near_in(
        slide: &dyn SlideSource,
        overview: &Overview,
        x: &Range<u32>,
        y: &Range<u32>,
    ) -> Result<Vec<bool>, SlideError> {
        // What is near depends on what was grown around it, and that on tissue around that.
        let margin = 2 * overview.reach_px as u32;
        let wide = |range: &Range<u32>, side: u32| {
            range.start.saturating_sub(margin)..(range.end + margin).min(side)
        };
        let (wide_x, wide_y) = (wide(x, overview.columns), wide(y, overview.rows));
        let tissue = read_window(slide, overview.mpp, &wide_x, &wide_y)?;
        let columns = wide_x.len();
        let map = Self::from_px(overview.mpp, columns, tissue, overview.reach_px);
        let left = (x.start - wide_x.start) as usize;
        let row = |y: u32| &map.near[(y - wide_y.start) as usize * columns + left..][..x.len()];
        Ok(y.clone().flat_map(row).copied().collect())
    }

    fn from_px(mpp: f64, columns: usize, tissue: Vec<bool>, reach_px: usize) -> Self {
        let rows = tissue.len() / columns.max(1);
        let counts = Counts::of(columns, &tissue);
        let px = || (0..tissue.len()).map(|px| (px % columns, px / columns));
        let around =
            |at: usize, side: usize| at.saturating_sub(reach_px)..(at + reach_px + 1).min(side);
        // Grown and shrunk again: gaps close, and the outline stays where it is.
        let grown = px().map(|(x, y)| counts.within(around(x, columns), around(y, rows)) > 0);
        let grown = Counts::of(columns, &grown.collect::<Vec<bool>>());
        let all_grown = |(x, y): (usize, usize)| {
            let (x, y) = (around(x, columns), around(y, rows));
            grown.within(x.clone(), y.clone()) as usize == x.len() * y.len()
        };
        let near: Vec<bool> = px().map(all_grown).collect();
        Self {
            mpp,
            columns,
            rows,
            near_counts: Counts::of(columns, &near),
            near,
            tissue_px: counts.within(0..columns, 0..rows).into(),
        }
    }

    /// Whether any of the px of `mpp` µm in `columns` × `rows` lies near tissue.
    pub fn touches(&self, mpp: f64, columns: &Range<u32>, rows: &Range<u32>) -> bool {
        if columns.is_empty() || rows.is_empty() {
            return false;
        }
        let under = |range: &Range<u32>, side: usize| {
            self.under(mpp, range.start, side)..self.under(mpp, range.end - 1, side) + 1
        };
        self.near_counts
            .within(under(columns, self.columns), under(rows, self.rows))
            > 0
    }

    /// Whether each px of the analysed row `y`, one of the raster of `mpp` µm, lies near tissue;
    /// as overview px, to be looked up by [`Self::column_of`].
    pub fn near_row(&self, mpp: f64, y: u32) -> &[bool] {
        let row = self.under(mpp, y, self.rows);
        &self.near[row * self.columns..][..self.columns]
    }

    /// Which overview px lies under the middle of an analysed px, along x.
    pub fn column_of(&self, mpp: f64, x: u32) -> usize {
        self.under(mpp, x, self.columns)
    }

    /// Area of tissue, without its gaps, mm².
    pub fn tissue_mm2(&self) -> f64 {
        self.tissue_px as f64 * self.mpp * self.mpp / 1e6
    }

    fn under(&self, mpp: f64, px: u32, side: usize) -> usize {
        let at = (f64::from(px) + 0.5) * mpp / self.mpp;
        (at as usize).min(side.saturating_sub(1))
    }
}

/// The raster on which tissue is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overview {
    /// Scale, µm/px.
    pub mpp: f64,
    /// Width, px.
    pub columns: u32,
    /// Height, px.
    pub rows: u32,
    /// How far tissue grows to close gaps, px.
    pub reach_px: usize,
}

impl Overview {
    /// That of a slide; gaps of up to twice `fill_um` are to be closed.
    pub fn of(slide: &dyn SlideSource, fill_um: f64) -> Self {
        let mpp = OVERVIEW_MPP.max(slide.finest_mpp().unwrap_or(0.0));
        let info = slide.info();
        let base = info.mpp.map_or((1.0, 1.0), |mpp| (mpp.x, mpp.y));
        let side = |um: f64| (um / mpp).ceil().max(1.0) as u32;
        Self {
            mpp,
            columns: side(info.size().width * base.0),
            rows: side(info.size().height * base.1),
            reach_px: (fill_um.max(0.0) / mpp).ceil() as usize,
        }
    }

    /// The overview px under the middle of an analysed px of `mpp` µm, in a row of `side`.
    pub fn under(&self, mpp: f64, px: u32, side: u32) -> u32 {
        let at = (f64::from(px) + 0.5) * mpp / self.mpp;
        (at as u32).min(side.saturating_sub(1))
    }
}

/// Which overview px are tissue. Glass is white here, whatever the slide says of itself.
fn read_overview(slide: &dyn SlideSource, overview: &Overview) -> Result<Vec<bool>, SlideError> {
    let (columns, rows) = (0..overview.columns, overview.rows);
    let strip = |top: u32| {
        let bottom = (top + STRIP_PX).min(rows);
        read_window(slide, overview.mpp, &columns, &(top..bottom))
    };
    // The first is read outside of the pool: what a source prepares at its first read, it may
    // prepare in the pool itself, and a pool that waits for that would wait for ever.
    let mut tissue: Vec<bool> = strip(0)?;
    let others: Vec<u32> = (STRIP_PX..rows).step_by(STRIP_PX as usize).collect();
    let rest: Result<Vec<Vec<bool>>, SlideError> = others.into_par_iter().map(strip).collect();
    tissue.extend(rest?.into_iter().flatten());
    Ok(tissue)
}

fn read_window(
    slide: &dyn SlideSource,
    mpp: f64,
    x: &Range<u32>,
    y: &Range<u32>,
) -> Result<Vec<bool>, SlideError> {
    let origin = UmPoint::new(f64::from(x.start) * mpp, f64::from(y.start) * mpp);
    let picture = slide.read_um(origin, mpp, x.len() as u32, y.len() as u32)?;
    let rgb = over_glass(&picture, [255; 3]);
    let px = rgb.as_chunks::<3>().0;
    Ok(px.iter().map(|px| is_tissue(*px)).collect())
}

/// Sums over rectangles in four look-ups (summed-area table).
#[derive(Debug, Clone)]
struct Counts {
    stride: usize,
    sums: Vec<u32>,
}

impl Counts {
    fn of(columns: usize, px: &[bool]) -> Self {
        let stride = columns + 1;
        let mut sums = vec![0_u32; stride];
        for row in px.chunks(columns.max(1)) {
            let above = sums.len() - stride;
            let mut in_row = 0;
            sums.push(0);
            for (x, set) in row.iter().enumerate() {
                in_row += u32::from(*set);
                sums.push(sums[above + x + 1] + in_row);
            }
        }
        Self { stride, sums }
    }

    fn within(&self, columns: Range<usize>, rows: Range<usize>) -> u32 {
        let at = |x: usize, y: usize| self.sums[y * self.stride + x];
        at(columns.end, rows.end) + at(columns.start, rows.start)
            - at(columns.start, rows.end)
            - at(columns.end, rows.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::test_slide::Painted;

    #[test]
    fn tissue_is_found_where_it_is_and_gaps_are_filled() {
        // 400 x 240 um; tissue at x 80..160 um, y 80..120 um, with a gap of 24 um in it.
        let slide = Painted::new(1600, 960, Some(0.25), |x, y| {
            let gap = (384..480).contains(&x) && (352..448).contains(&y);
            let stained = (320..640).contains(&x) && (320..480).contains(&y) && !gap;
            if stained {
                [180, 90, 150]
            } else {
                [243, 242, 244]
            }
        });
        let map = TissueMap::of(&slide, 16.0).unwrap();
        assert!(
            (map.tissue_mm2() - 0.0032 + 0.000_576).abs() < 1e-9,
            "{}",
            map.tissue_mm2()
        );
        // In px of 1 um: x 80..160, y 80..120.
        let touches = |x: Range<u32>, y: Range<u32>| map.touches(1.0, &x, &y);
        assert!(touches(0..81, 0..81) && !touches(0..80, 0..240) && !touches(0..400, 0..80));
        assert!(touches(159..400, 119..240) && !touches(160..400, 0..240) && !touches(5..5, 0..9));
        let row = map.near_row(1.0, 100);
        let near: Vec<u32> = (0..400).filter(|x| row[map.column_of(1.0, *x)]).collect();
        assert_eq!(
            (near.first(), near.last(), near.len()),
            (Some(&80), Some(&159), 80)
        );
    }

    #[test]
    fn a_window_has_the_answers_of_the_whole() {
        let slide = Painted::new(900, 700, Some(2.0), |x, y| {
            let stained = (x / 37 + y / 29) % 5 == 0 || (x * 7 + y * 3) % 97 < 2;
            if stained {
                [180, 90, 150]
            } else {
                [243, 242, 244]
            }
        });
        let overview = Overview::of(&slide, 24.0);
        assert_eq!(
            (overview.columns, overview.rows, overview.reach_px),
            (225, 175, 3)
        );
        let whole = TissueMap::of(&slide, 24.0).unwrap();
        for (x, y) in [
            (0..225, 0..175),
            (0..9, 3..80),
            (100..164, 60..124),
            (200..225, 170..175),
        ] {
            let near = TissueMap::near_in(&slide, &overview, &x, &y).unwrap();
            let columns = x.len();
            for (at, found) in near.into_iter().enumerate() {
                let (x, y) = (
                    x.start + (at % columns) as u32,
                    y.start + (at / columns) as u32,
                );
                let meant = whole.near[y as usize * whole.columns + x as usize];
                assert_eq!(found, meant, "{x} {y}");
            }
        }
    }

    #[test]
    fn a_slide_of_glass_has_none() {
        let slide = Painted::new(700, 500, Some(0.5), |_, _| [243, 242, 244]);
        let map = TissueMap::of(&slide, 64.0).unwrap();
        assert_eq!(map.tissue_mm2(), 0.0);
        assert!(!map.touches(0.5, &(0..700), &(0..500)));
    }

    #[test]
    fn strips_join() {
        // Taller than one strip of the overview: 6 mm are 750 rows.
        let slide = Painted::new(64, 1500, Some(4.0), |_, y| {
            if y == 1300 || y == 1301 {
                [100; 3]
            } else {
                [255; 3]
            }
        });
        let map = TissueMap::of(&slide, 0.0).unwrap();
        let rows: Vec<u32> = (0..1500).filter(|y| map.near_row(4.0, *y)[3]).collect();
        assert_eq!(rows, [1300, 1301]);
    }
}
