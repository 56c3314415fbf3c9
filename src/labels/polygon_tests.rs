//! Polygons as rasters, beside a test of every px on its own.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::geometry::SlidePoint;
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use crate::slide::{SlideInfo, SlideSource};

fn slide(size_px: (u64, u64)) -> SlideInfo {
    let spec = PhantomSpec::preset(Tissue::Colon, 3).with_extent_um(100.0, 100.0);
    let mut info = PhantomSource::new(spec).unwrap().info().clone();
    info.levels[0].size_px = size_px;
    info
}

fn classes(count: usize) -> Vec<LabelClass> {
    let class = |n| LabelClass {
        name: format!("c{n}"),
        rgb: [n as u8; 3],
    };
    (0..count).map(class).collect()
}

fn ring(points: &[(f64, f64)]) -> Ring {
    points
        .iter()
        .map(|(x, y)| SlidePoint::new(*x, *y))
        .collect()
}

fn labels(polygons: Vec<LabelPolygon>, count: usize) -> PolygonLabels {
    let slide = slide((1000, 700));
    PolygonLabels::new(Path::new("p.geojson"), polygons, classes(count), &slide).unwrap()
}

/// Even-odd: how many lines a ray to the left meets.
fn inside(polygon: &LabelPolygon, x: f64, y: f64) -> bool {
    let mut odd = false;
    for ring in polygon.parts.iter().flatten() {
        for (n, b) in ring.iter().enumerate() {
            let a = ring[(n + ring.len() - 1) % ring.len()];
            if (a.y <= y) != (b.y <= y) {
                let at = a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x);
                odd ^= at <= x;
            }
        }
    }
    odd
}

/// Two stars, and a hole in the first.
fn polygon_strategy() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-200.0..1200.0, -200.0..900.0), 3..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_px_belongs_to_the_polygon_that_its_centre_lies_in(
        outline in polygon_strategy(), hole in polygon_strategy(), level in 0_u8..3,
        col in 0_u32..4, row in 0_u32..3,
    ) {
        let polygon = LabelPolygon { class: 1, parts: vec![vec![ring(&outline), ring(&hole)]] };
        let source = labels(vec![polygon.clone()], 2);
        let raster = source.raster().level(level);
        let pages = raster.pages();
        let id = PageId { level, col: col % pages.0, row: row % pages.1 };
        let page = source.read_page(id).unwrap();
        for (n, texel) in (0..).zip(page.texels()) {
            let (x, y) = (id.col * PAGE_PX + n % PAGE_PX, id.row * PAGE_PX + n / PAGE_PX);
            let centre = |px: u32, scale: f64| (f64::from(px) + 0.5) * scale;
            let scale = raster.slide_px_per_px;
            let there = x < raster.size_px.0 && y < raster.size_px.1
                && inside(&polygon, centre(x, scale.0), centre(y, scale.1));
            prop_assert_eq!(texel.code, if there { 1 } else { UNKNOWN }, "({}, {})", x, y);
        }
    }
}

fn square(class: u8, x: f64, y: f64, side: f64) -> LabelPolygon {
    let corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)];
    LabelPolygon {
        class,
        parts: vec![vec![ring(&corners)]],
    }
}

fn code(source: &PolygonLabels, level: u8, x: u32, y: u32) -> (u8, u8) {
    let id = PageId {
        level,
        col: x / PAGE_PX,
        row: y / PAGE_PX,
    };
    let texel = source
        .read_page(id)
        .unwrap()
        .texel(x % PAGE_PX, y % PAGE_PX);
    (texel.code, texel.any)
}

#[test]
fn the_smaller_is_seen_over_the_larger_and_of_equals_the_later() {
    let source = labels(
        vec![
            square(0, 100.0, 100.0, 20.0),
            square(1, 50.0, 50.0, 400.0),
            square(2, 300.0, 300.0, 20.0),
            square(3, 300.0, 300.0, 20.0),
        ],
        4,
    );
    assert_eq!(code(&source, 0, 110, 110).0, 0);
    assert_eq!(code(&source, 0, 99, 110).0, 1);
    assert_eq!(code(&source, 0, 310, 310).0, 3);
    assert_eq!(code(&source, 0, 600, 600).0, UNKNOWN);
}

#[test]
fn what_falls_between_px_stays_visible_at_low_power() {
    let source = labels(
        vec![square(0, 0.0, 0.0, 900.0), square(1, 401.0, 401.0, 1.0)],
        2,
    );
    assert_eq!(code(&source, 0, 401, 401), (1, 1));
    assert_eq!(
        code(&source, 2, 100, 100),
        (0, 1),
        "outvoted, and still there"
    );
    assert_eq!(code(&source, 2, 101, 100), (0, 0));
}

#[test]
fn points_far_away_and_files_that_can_not_be() {
    let source = labels(vec![square(0, -1e300, -1e300, 2e300)], 1);
    assert_eq!(code(&source, 0, 999, 699).0, 0);
    let open = |polygon, count| {
        let (path, slide) = (Path::new("p.geojson"), slide((1000, 700)));
        let opened = PolygonLabels::new(path, vec![polygon], classes(count), &slide);
        opened
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(open(square(3, 0.0, 0.0, 1.0), 3).contains("p.geojson: a polygon is of a class"));
    assert!(open(square(0, f64::NAN, 0.0, 1.0), 3).contains("no number"));
    assert!(
        source
            .read_page(PageId {
                level: 9,
                col: 0,
                row: 0
            })
            .is_err()
    );
}
