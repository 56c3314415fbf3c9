//! Where a slide has tissue: an overview that decides which tiles are worth a network.

use std::ops::Range;

use rayon::prelude::*;

use crate::geometry::{ColumnDistances, UmPoint};
use crate::slide::tissue::{is_tissue, over_glass};
use crate::slide::{SlideError, SlideSource};

/// Scale of the overview, µm/px: a membrane between two empty fat cells still colours its px. Never finer
/// than the slide's own px.
const OVERVIEW_MPP: f64 = 4.0;

/// Overview rows that are read at a time.
const STRIP_PX: u32 = 512;

/// Tissue on an overview of a slide, its gaps filled.
///
/// Memory: a byte for every 4 × 4 µm of the slide, 31 MB for 25 × 20 mm.
#[derive(Debug, Clone)]
pub struct TissueMap {
    overview: Overview,
    /// Whether each overview px lies on tissue or in a gap of it; rows from the top.
    near: Vec<bool>,
    /// Overview px with tissue.
    tissue_px: u64,
}

impl TissueMap {
    /// Reads an overview of the slide; a gap that no disc of radius `fill_um` fits into counts as tissue:
    /// empty fat cells, lumens.
    ///
    /// # Errors
    /// When the slide has no scale or can't be read.
    pub fn of(slide: &dyn SlideSource, fill_um: f64) -> Result<Self, SlideError> {
        let overview = Overview::of(slide, fill_um);
        let (columns, rows) = (0..overview.columns, overview.rows);
        let strip = |top: u32| {
            let bottom = (top + STRIP_PX).min(rows);
            Window::read(slide, &overview, &columns, &(top..bottom))
        };
        // The first is read outside of the pool: what a source prepares at its first read, it may
        // prepare in the pool itself, and a pool that waits for that would wait for ever.
        let first = strip(0)?;
        let others: Vec<u32> = (STRIP_PX..rows).step_by(STRIP_PX as usize).collect();
        let others: Result<Vec<Window>, SlideError> = others.into_par_iter().map(strip).collect();
        let mut map = Self {
            overview,
            near: first.near,
            tissue_px: first.tissue_px,
        };
        for strip in others? {
            map.near.extend(strip.near);
            map.tissue_px += strip.tissue_px;
        }
        Ok(map)
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
        Ok(Window::read(slide, overview, x, y)?.near)
    }

    /// Whether any of the px of `mpp` µm in `columns` × `rows` lies near tissue.
    pub fn touches(&self, mpp: f64, columns: &Range<u32>, rows: &Range<u32>) -> bool {
        if columns.is_empty() || rows.is_empty() {
            return false;
        }
        let under = |range: &Range<u32>, side: u32| {
            let first = self.overview.under(mpp, range.start, side) as usize;
            first..self.overview.under(mpp, range.end - 1, side) as usize + 1
        };
        let columns = under(columns, self.overview.columns);
        under(rows, self.overview.rows).any(|row| self.row(row)[columns.clone()].contains(&true))
    }

    /// Whether each px of the analysed row `y`, one of the raster of `mpp` µm, lies near tissue;
    /// as overview px, to be looked up by [`Self::column_of`].
    pub fn near_row(&self, mpp: f64, y: u32) -> &[bool] {
        self.row(self.overview.under(mpp, y, self.overview.rows) as usize)
    }

    fn row(&self, row: usize) -> &[bool] {
        let columns = self.overview.columns as usize;
        &self.near[row * columns..][..columns]
    }

    /// Which overview px lies under the middle of an analysed px, along x.
    pub fn column_of(&self, mpp: f64, x: u32) -> usize {
        self.overview.under(mpp, x, self.overview.columns) as usize
    }

    /// Area of tissue, without its gaps, mm².
    pub fn tissue_mm2(&self) -> f64 {
        self.tissue_px as f64 * self.overview.mpp.powi(2) / 1e6
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
    /// That of a slide; gaps that no disc of radius `fill_um` fits into are to be closed.
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

/// A part of the overview.
struct Window {
    near: Vec<bool>,
    tissue_px: u64,
}

impl Window {
    fn read(
        slide: &dyn SlideSource,
        overview: &Overview,
        x: &Range<u32>,
        y: &Range<u32>,
    ) -> Result<Self, SlideError> {
        // What is near depends on what was grown around it, that on tissue around it, and that on its
        // neighbours.
        let margin = 2 * overview.reach_px as u32 + 1;
        let wide = |range: &Range<u32>, side: u32| {
            range.start.saturating_sub(margin)..(range.end + margin).min(side)
        };
        let (wide_x, wide_y) = (wide(x, overview.columns), wide(y, overview.rows));
        let columns = wide_x.len();
        let tissue = read_tissue(slide, overview.mpp, &wide_x, &wide_y)?;
        let tissue = without_specks(&tissue, columns);
        let near = closed(&tissue, columns, overview.reach_px);
        let left = (x.start - wide_x.start) as usize;
        let row = |y: u32| {
            let start = (y - wide_y.start) as usize * columns + left;
            start..start + x.len()
        };
        let of_rows =
            |px: &[bool]| -> Vec<bool> { y.clone().flat_map(|y| &px[row(y)]).copied().collect() };
        let tissue_px = of_rows(&tissue).into_iter().filter(|is| *is).count();
        Ok(Self {
            near: of_rows(&near),
            tissue_px: tissue_px as u64,
        })
    }
}

/// Which overview px are tissue. Glass is white here, whatever the slide says of itself.
fn read_tissue(
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

/// Leaves out px with fewer than two of their kind around them: dust, no membrane.
fn without_specks(tissue: &[bool], columns: usize) -> Vec<bool> {
    let rows = tissue.len() / columns.max(1);
    let around = |at: usize, side: usize| at.saturating_sub(1)..(at + 2).min(side);
    let is_more = |at: usize| {
        let of_row = |row: usize| {
            let columns_around = around(at % columns, columns);
            let px = &tissue[row * columns..][columns_around];
            px.iter().filter(|is| **is).count()
        };
        around(at / columns, rows).map(of_row).sum::<usize>() > 2
    };
    let px = tissue.iter().enumerate();
    px.map(|(at, is)| *is && is_more(at)).collect()
}

/// Grown by a disc and shrunk again (morphological closing): gaps close, and the outline stays where it
/// is. A square in place of the disc would draw its sides into every hollow.
fn closed(tissue: &[bool], columns: usize, reach_px: usize) -> Vec<bool> {
    let is_plain = reach_px == 0 || tissue.iter().all(|is| *is == tissue[0]);
    if is_plain {
        return tissue.to_vec();
    }
    let reach = (reach_px * reach_px) as f64;
    let size = (columns, tissue.len() / columns);
    let all: Vec<u32> = (0..tissue.len() as u32).collect();
    let squared = |distances: ColumnDistances| distances.squared(&all, 1.0);
    let set = (0..tissue.len()).filter(|at| tissue[*at]);
    let grown = squared(ColumnDistances::new(size, set)).into_iter();
    let grown: Vec<bool> = grown.map(|squared| squared <= reach).collect();
    let left = squared(ColumnDistances::out_of(&grown, columns)).into_iter();
    left.map(|squared| squared > reach).collect()
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

    /// Empty cells of 80 µm between membranes of 1.5 µm, as in fat; glass beside them.
    #[test]
    fn fat_is_tissue_up_to_its_last_membrane() {
        let slide = Painted::new(2400, 1600, Some(0.25), |x, y| {
            let membrane = x % 320 < 6 || y % 320 < 6;
            if membrane && x < 1286 {
                [214, 160, 190]
            } else {
                [243, 242, 244]
            }
        });
        let map = TissueMap::of(&slide, 48.0).unwrap();
        let near = |x_um: u32, y_um: u32| map.near_row(1.0, y_um)[map.column_of(1.0, x_um)];
        for (x_um, y_um) in [(40, 40), (120, 200), (300, 280), (200, 120)] {
            assert!(near(x_um, y_um), "{x_um}, {y_um}");
        }
        assert!(!near(340, 200) && !near(500, 40));
    }

    #[test]
    fn specks_are_no_tissue_and_what_is_larger_is() {
        let slide = Painted::new(800, 400, Some(1.0), |x, y| {
            let speck = (100..104).contains(&x) && (100..108).contains(&y);
            let cells = (600..608).contains(&x) && (200..208).contains(&y);
            if speck || cells {
                [120, 80, 150]
            } else {
                [243, 242, 244]
            }
        });
        let map = TissueMap::of(&slide, 48.0).unwrap();
        assert!(!map.touches(1.0, &(0..400), &(0..400)));
        assert!(map.touches(1.0, &(600..608), &(200..208)));
    }

    #[test]
    fn hollows_stay_round() {
        // Glass of 200 µm across inside of tissue: a disc of 48 µm fits, into its corners too.
        let slide = Painted::new(400, 400, Some(1.0), |x, y| {
            let (x, y) = (f64::from(x) - 200.0, f64::from(y) - 200.0);
            if x.hypot(y) > 100.0 {
                [180, 90, 150]
            } else {
                [243, 242, 244]
            }
        });
        let map = TissueMap::of(&slide, 48.0).unwrap();
        let hole = (0..400).map(|y| {
            let row = map.near_row(1.0, y);
            (0..400).filter(|x| !row[map.column_of(1.0, *x)]).count()
        });
        let area = hole.sum::<usize>() as f64 / (std::f64::consts::PI * 1e4);
        assert!((0.95..1.05).contains(&area), "{area} of the hole");
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
            (450, 350, 6)
        );
        let whole = TissueMap::of(&slide, 24.0).unwrap();
        for (x, y) in [
            (0..450, 0..350),
            (0..9, 3..80),
            (100..164, 60..124),
            (400..450, 340..350),
        ] {
            let near = TissueMap::near_in(&slide, &overview, &x, &y).unwrap();
            let columns = x.len();
            for (at, found) in near.into_iter().enumerate() {
                let (x, y) = (
                    x.start + (at % columns) as u32,
                    y.start + (at / columns) as u32,
                );
                let meant = whole.row(y as usize)[x as usize];
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
        // Taller than one strip of the overview: 6 mm are 1500 rows.
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
