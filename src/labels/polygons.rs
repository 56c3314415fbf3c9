//! Polygons that others drew, as a label raster of any level.
//!
//! A px belongs to the polygon that its centre lies in, by the even-odd rule over all rings, so
//! that holes are holes. Crossings are found in `f64` slide px: neighbours that share an edge leave
//! no px between them and none twice, on whatever page and level.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LabelClass;
use super::error::LabelError;
use super::page::{FAILED, Page, Texel};
use super::polygon_index::PolygonIndex;
use super::pyramid::Ranks;
use super::raster::{PAGE_PX, PageId, Raster};
use super::source::{Coarser, LabelSource, READ_STAMP, has_page};
use crate::geometry::{SlidePoint, SlideRect};
use crate::slide::SlideInfo;

/// A closed line, level-0 px; the last point is joined to the first.
pub type Ring = Vec<SlidePoint>;

/// What belongs to one class: one or several parts, each an outline and holes in it.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelPolygon {
    /// Index of the class.
    pub class: u8,
    /// Parts; of each the outline first.
    pub parts: Vec<Vec<Ring>>,
}

impl LabelPolygon {
    fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.parts.iter().flatten()
    }

    /// Level-0 px², without the holes.
    fn area(&self) -> f64 {
        let part = |rings: &Vec<Ring>| {
            let areas: Vec<f64> = rings.iter().map(|ring| area(ring)).collect();
            areas.first().map_or(0.0, |outline| 2.0 * outline) - areas.iter().sum::<f64>()
        };
        self.parts.iter().map(part).sum()
    }

    fn bounds(&self) -> SlideRect {
        SlideRect::from_points(self.rings().flatten())
    }
}

/// Polygons over a slide.
pub struct PolygonLabels {
    path: PathBuf,
    raster: Raster,
    classes: Vec<LabelClass>,
    ranks: Ranks,
    /// Pages that were drawn.
    kept: Coarser,
    /// Those drawn over come first.
    polygons: Vec<LabelPolygon>,
    index: PolygonIndex,
}

impl PolygonLabels {
    /// Of `polygons` of a file at `path`, on the slide's level-0 px.
    ///
    /// Where polygons overlap the smaller one is seen, as in QuPath, where what lies within
    /// another belongs to it and is drawn over it; of equals the later one.
    ///
    /// # Errors
    /// When a class has no index among `classes`, a point is no number, or the slide is larger
    /// than a raster can be.
    pub fn new(
        path: &Path,
        mut polygons: Vec<LabelPolygon>,
        classes: Vec<LabelClass>,
        slide: &SlideInfo,
    ) -> Result<Self, LabelError> {
        let wrong = |reason: &str| LabelError::new(path, reason);
        let most = classes.len().min(usize::from(FAILED));
        if polygons
            .iter()
            .any(|polygon| usize::from(polygon.class) >= most)
        {
            return Err(wrong(
                "a polygon is of a class that is not among the first 253",
            ));
        }
        let finite = |polygon: &LabelPolygon| polygon.rings().flatten().all(|p| p.is_finite());
        if !polygons.iter().all(finite) {
            return Err(wrong("a point is no number"));
        }
        let (width, height) = slide.levels.first().map_or((1, 1), |level| level.size_px);
        let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
            return Err(wrong("the slide is too large"));
        };
        polygons.sort_by(|a, b| b.area().total_cmp(&a.area()));
        let mut shares = vec![0.0; classes.len()];
        polygons
            .iter()
            .for_each(|polygon| shares[usize::from(polygon.class)] += polygon.area());
        let bounds = polygons.iter().map(LabelPolygon::bounds).collect();
        let raster = Raster {
            slide_px_per_px: (1.0, 1.0),
            size_px: (width.max(1), height.max(1)),
        };
        let ranks = Ranks::by_rarity(&shares);
        Ok(Self {
            path: path.to_owned(),
            raster,
            kept: Coarser::new(raster, ranks.clone()),
            ranks,
            index: PolygonIndex::new(bounds),
            classes,
            polygons,
        })
    }
}

impl LabelSource for PolygonLabels {
    fn classes(&self) -> &[LabelClass] {
        &self.classes
    }

    fn raster(&self) -> Raster {
        self.raster
    }

    fn read_page(&self, id: PageId) -> Result<Arc<Page>, LabelError> {
        if !has_page(&self.raster, id) {
            return Err(LabelError::new(&self.path, "there is no such page"));
        }
        self.kept.page(id, id.level, &|id| Ok(self.drawn(id)))
    }
}

impl PolygonLabels {
    fn drawn(&self, id: PageId) -> Page {
        let raster = self.raster.level(id.level);
        let along =
            |n: u32, side: u32| n * PAGE_PX..(n * PAGE_PX).saturating_add(PAGE_PX).min(side);
        let (x, y) = (
            along(id.col, raster.size_px.0),
            along(id.row, raster.size_px.1),
        );
        let rect = raster.slide_rect(x.clone(), y.clone());
        let mut page = Page::new(READ_STAMP);
        let mut brush = Brush::new(page.texels_mut(), &raster, x, y);
        let touched = self.index.touching(&rect);
        for n in &touched {
            brush.fill(&self.polygons[*n], self.index.bounds(*n));
        }
        if id.level > 0 {
            for polygon in touched.iter().map(|n| &self.polygons[*n]) {
                brush.mark(polygon, &self.ranks);
            }
        }
        page
    }
}

/// Draws on a page.
struct Brush<'a> {
    texels: &'a mut [Texel],
    scale: (f64, f64),
    /// Columns and rows of the raster that the page covers.
    x: Range<u32>,
    y: Range<u32>,
    /// Where a polygon's lines cross the middle of each row, slide px; empty between polygons.
    crossings: Vec<Vec<f64>>,
}

impl<'a> Brush<'a> {
    fn new(texels: &'a mut [Texel], raster: &Raster, x: Range<u32>, y: Range<u32>) -> Self {
        Self {
            texels,
            scale: raster.slide_px_per_px,
            crossings: vec![Vec::new(); y.len()],
            x,
            y,
        }
    }

    fn fill(&mut self, polygon: &LabelPolygon, bounds: &SlideRect) {
        for ring in polygon.rings() {
            let Some(last) = ring.last() else { continue };
            let mut from = (*last, self.row_of(*last));
            for point in ring {
                let to = (*point, self.row_of(*point));
                self.cross(from, to);
                from = to;
            }
        }
        let texel = Texel::of(polygon.class);
        for row in self.row_of(bounds.min)..self.row_of(bounds.max) {
            let mut crossings = std::mem::take(&mut self.crossings[row]);
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.as_chunks::<2>().0 {
                let [from, to] = pair.map(|at| first(at / self.scale.0, &self.x));
                let start = row * PAGE_PX as usize;
                self.texels[start + from..start + to].fill(texel);
            }
            crossings.clear();
            self.crossings[row] = crossings;
        }
    }

    /// The first row of the page whose middle is not above a point.
    fn row_of(&self, point: SlidePoint) -> usize {
        first(point.y / self.scale.1, &self.y)
    }

    /// Notes where a line, given with the rows of its ends, crosses the middles of rows. It ends
    /// before the row that it ends on.
    fn cross(&mut self, (a, from): (SlidePoint, usize), (b, to): (SlidePoint, usize)) {
        for n in from.min(to)..from.max(to) {
            let y = (f64::from(self.y.start + n as u32) + 0.5) * self.scale.1;
            self.crossings[n].push(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
        }
    }

    /// Keeps a polygon visible in px that it touches and does not get: in those of its points.
    fn mark(&mut self, polygon: &LabelPolygon, ranks: &Ranks) {
        let columns = self.x.start as f64..self.x.end as f64;
        let rows = self.y.start as f64..self.y.end as f64;
        for point in polygon.rings().flatten() {
            let (x, y) = (point.x / self.scale.0, point.y / self.scale.1);
            if columns.contains(&x) && rows.contains(&y) {
                let (col, row) = (x as u32 - self.x.start, y as u32 - self.y.start);
                let texel = &mut self.texels[(row * PAGE_PX + col) as usize];
                if ranks.of(polygon.class) >= ranks.of(texel.any) {
                    texel.any = polygon.class;
                }
            }
        }
    }
}

/// The first px of `within`, counted from its start, whose centre is not before `at`.
fn first(at: f64, within: &Range<u32>) -> usize {
    let px = (at - 0.5 - f64::from(within.start)).clamp(0.0, within.len() as f64);
    // Rounds up; `f64::ceil` is a call of a function on older processors, for every point.
    let whole = px as usize;
    whole + usize::from(whole as f64 != px)
}

/// What a ring encloses, by the shoelace formula.
fn area(ring: &[SlidePoint]) -> f64 {
    let Some(last) = ring.last() else {
        return 0.0;
    };
    let from = std::iter::once(last).chain(ring);
    let twice: f64 = from.zip(ring).map(|(a, b)| a.x * b.y - b.x * a.y).sum();
    (twice / 2.0).abs()
}
