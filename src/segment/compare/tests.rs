//! Maps whose differences are known.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::geometry::SlidePoint;
use crate::labels::{FAILED, LabelSource, NO_STAMP, PAGE_PX, Page, PageId, Raster, Texel, UNKNOWN};
use crate::segment::agreement::{AGREES, DIFFERS};

/// A map whose codes follow from places on the slide, level-0 px of 0.25 µm.
pub(super) struct Drawn<F: Fn(f64, f64) -> u8> {
    raster: Raster,
    code: F,
    /// Stamp of its pages, and the one that is asked for.
    stamps: (u64, u64),
    /// Pages from this column on can't be read.
    broken_from: u32,
}

pub(super) fn drawn<F: Fn(f64, f64) -> u8>(scale: f64, size_px: (u32, u32), code: F) -> Drawn<F> {
    Drawn {
        raster: Raster {
            slide_px_per_px: (scale, scale),
            size_px,
        },
        code,
        stamps: (5, 5),
        broken_from: u32::MAX,
    }
}

impl<F: Fn(f64, f64) -> u8> LabelMap for Drawn<F> {
    fn raster(&self) -> Raster {
        self.raster
    }

    fn page(&self, id: PageId) -> Result<Option<Arc<Page>>, LabelError> {
        if id.col >= self.broken_from {
            return Err(LabelError::new(Path::new("mask.png"), "it is cut off"));
        }
        let raster = self.raster.level(id.level);
        let mut page = Page::new(self.stamps.0);
        for (n, texel) in (0..).zip(page.texels_mut()) {
            let (x, y) = (
                id.col * PAGE_PX + n % PAGE_PX,
                id.row * PAGE_PX + n / PAGE_PX,
            );
            if x < raster.size_px.0 && y < raster.size_px.1 {
                let at = raster.slide_rect(x..x + 1, y..y + 1).center();
                *texel = Texel::of((self.code)(at.x, at.y));
            }
        }
        Ok(Some(Arc::new(page)))
    }

    fn stamp(&self) -> u64 {
        self.stamps.1
    }
}

pub(super) fn classes(names: &[&str]) -> Vec<LabelClass> {
    let class = |name: &&str| LabelClass {
        name: (*name).to_owned(),
        rgb: [0; 3],
    };
    names.iter().map(class).collect()
}

pub(super) fn rect(x: f64, y: f64, width: f64, height: f64) -> SlideRect {
    let min = SlidePoint::new(x, y);
    SlideRect::new(min, SlidePoint::new(x + width, y + height))
}

/// Compares maps of the classes a, b and c.
fn compared(
    first: &dyn LabelMap,
    second: &dyn LabelMap,
    field: SlideRect,
) -> Result<Comparison, CompareError> {
    let classes = classes(&["a", "b", "c"]);
    let side = |map| Side {
        map,
        classes: &classes,
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    compare(side(first), side(second), &field, mpp(), &mut go_on)
}

pub(super) fn mpp() -> Mpp {
    Mpp::square(0.25).unwrap()
}

/// Stripes of the classes a and b, 64 px each.
fn stripes(x: f64, _: f64) -> u8 {
    u8::from(x % 128.0 >= 64.0)
}

/// The same with one square of c, a sliver, a wide and a small region of the other class.
fn with_faults(x: f64, y: f64) -> u8 {
    let within = |left: f64, top: f64, width: f64, height: f64| {
        (left..left + width).contains(&x) && (top..top + height).contains(&y)
    };
    match () {
        () if within(8.0, 300.0, 40.0, 40.0) => 2,
        () if within(64.0, 0.0, 1.0, 500.0) => 0,
        () if within(260.0, 100.0, 3.0, 300.0) => 1,
        () if within(330.0, 500.0, 20.0, 20.0) => 0,
        () => stripes(x, y),
    }
}

#[test]
fn figures_are_those_of_the_px() {
    let (first, second) = (
        drawn(1.0, (600, 700), stripes),
        drawn(1.0, (600, 700), with_faults),
    );
    let found = compared(&first, &second, rect(0.0, 0.0, 600.0, 600.0)).unwrap();
    assert_eq!((found.grid.px_um, found.grid.px()), ((0.25, 0.25), 360_000));
    // 1600 px of a are c, 500 of b and 400 of b are a, 900 of a are b.
    let pairs = |a, b| found.pairs.px(a, b);
    assert_eq!(
        [pairs(0, 2), pairs(1, 0), pairs(0, 1), pairs(2, 2)],
        [1600, 900, 900, 0]
    );
    assert_eq!(found.agreement.px, 360_000);
    assert!((found.agreement.share - (1.0 - 3400.0 / 360_000.0)).abs() < 1e-12);
    // a: 128 · 4 + 64 + 24 columns of 600 rows.
    let a_px = 320.0 * 600.0;
    let dice = 2.0 * (a_px - 2500.0) / (a_px + a_px - 2500.0 + 900.0);
    assert!((found.agreement.dice[0].unwrap() - dice).abs() < 1e-12);
    assert_eq!(found.agreement.dice[2], Some(0.0));
    assert!(found.displacement[2].is_none(), "the first map has no c");
    let all = found.displacement_of_all.unwrap();
    assert_eq!((all.median_um, all.alone_px), (0.0, 156));
    assert!(all.mean_um > 0.0);
    assert!(!found.provisional);
}

#[test]
fn the_worst_regions_come_first_and_slivers_not_at_all() {
    let (first, second) = (
        drawn(1.0, (600, 700), stripes),
        drawn(1.0, (600, 700), with_faults),
    );
    let found = compared(&first, &second, rect(0.0, 0.0, 600.0, 600.0)).unwrap();
    assert_eq!((found.regions_found, found.regions.len()), (3, 3));
    let rects: Vec<SlideRect> = found.regions.iter().map(|region| region.rect).collect();
    let meant = [
        rect(8.0, 300.0, 40.0, 40.0),
        // A small square is worse than a long strip of twice its area.
        rect(330.0, 500.0, 20.0, 20.0),
        rect(260.0, 100.0, 3.0, 300.0),
    ];
    assert_eq!(rects, meant);
    let worst = &found.regions[0];
    assert_eq!((worst.first, worst.second, worst.share), (0, 2, 1.0));
    assert_eq!(worst.area_um2, 100.0);
    assert!((worst.area_mm2() - 1e-4).abs() < 1e-12);
    assert!((worst.depth_um - 1.8).abs() < 0.1, "{}", worst.depth_um);
    assert!(rect(26.0, 318.0, 4.0, 4.0).contains(worst.deepest));
    let strip = &found.regions[2];
    // Depths of 1, 2 and 1 px of 0.25 µm, less at the ends.
    assert!(
        (strip.depth_um - 1.0 / 3.0).abs() < 0.01,
        "{}",
        strip.depth_um
    );
}

#[test]
fn regions_touch_at_corners_and_the_list_is_capped() {
    let first = drawn(1.0, (600, 600), |_, _| 0);
    let second = drawn(1.0, (600, 600), |x, y| {
        let (col, row) = (x as u32 / 2, y as u32 / 2);
        let diagonal = col == row && col < 50;
        let alone = col > 100 && (col % 5 == 0) && (row % 5 == 0);
        u8::from(diagonal || alone)
    });
    let found = compared(&first, &second, rect(0.0, 0.0, 600.0, 600.0)).unwrap();
    assert_eq!(found.regions[0].rect, rect(0.0, 0.0, 100.0, 100.0));
    assert_eq!(found.regions[0].area_um2, 200.0 / 16.0);
    assert_eq!(found.regions.len(), MOST_REGIONS);
    assert_eq!(found.regions_found, 1 + 39 * 60);
}

#[test]
fn a_coarser_map_is_sampled_at_the_middles_of_the_finer_ones_px() {
    let fine = drawn(1.0, (401, 303), stripes);
    let coarse = drawn(4.0, (101, 76), |x, _| u8::from(x % 128.0 >= 62.0));
    let field = rect(33.3, 21.0, 300.0, 200.0);
    for (first, second) in [
        (&fine as &dyn LabelMap, &coarse as &dyn LabelMap),
        (&coarse, &fine),
    ] {
        let found = compared(first, second, field).unwrap();
        assert_eq!(found.grid.raster, fine.raster);
        assert_eq!(
            (found.grid.x.clone(), found.grid.y.clone()),
            (33..334, 21..221)
        );
        let meant = |at: usize| {
            let x = 33 + at % 301;
            let coarse = (x / 4 * 4 + 2) as f64;
            u8::from(stripes(x as f64 + 0.5, 0.0) != u8::from(coarse % 128.0 >= 62.0))
        };
        let meant: Vec<u8> = (0..found.grid.px()).map(meant).collect();
        assert!(found.codes() == meant && meant.contains(&DIFFERS));
        // As wide as a px of the coarser map: sampling alone can do that.
        assert_eq!(found.regions_found, 0);
    }
}

#[test]
fn a_large_field_is_compared_on_coarser_px() {
    let map = || drawn(1.0, (8192, 4001), stripes);
    let found = compared(&map(), &map(), rect(0.0, 0.0, 9000.0, 9000.0)).unwrap();
    assert_eq!(found.grid.size_px(), (2048, 1001));
    assert_eq!(found.grid.px_um, (1.0, 1.0));
    assert_eq!((found.agreement.share, found.regions_found), (1.0, 0));
    let coarse = drawn(2.0, (4096, 2001), stripes);
    let found = compared(&map(), &coarse, rect(0.0, 0.0, 9000.0, 9000.0)).unwrap();
    assert_eq!((found.grid.px_um, found.agreement.share), ((1.0, 1.0), 1.0));
}

#[test]
pub(super) fn classes_match_by_name_and_others_never() {
    let first = drawn(1.0, (64, 64), |x, _| u8::from(x >= 32.0));
    let second = drawn(1.0, (64, 64), |x, y| match (x >= 32.0, y >= 32.0) {
        (false, _) => 7,
        (true, false) => 4,
        (true, true) => 1,
    });
    let (own, theirs) = (
        classes(&["tumor", "stroma"]),
        classes(&["x", "nerve", "x", "x", "Stroma ", "x", "x", "TUMOR"]),
    );
    let sides = [(&first as &dyn LabelMap, &own), (&second, &theirs)];
    let [first, second] = sides.map(|(map, classes)| Side { map, classes });
    let mut go_on = |_, _| ControlFlow::Continue(());
    let found = compare(
        first,
        second,
        &rect(0.0, 0.0, 64.0, 64.0),
        mpp(),
        &mut go_on,
    )
    .unwrap();
    assert_eq!(found.agreement.share, 0.75);
    assert_eq!(found.classes.only_second, ["x", "nerve"]);
    let region = &found.regions[0];
    let names = [region.first, region.second].map(|code| &found.classes.names[usize::from(code)]);
    assert_eq!(names, ["stroma", "nerve"]);
}

#[test]
fn differences_are_labels_that_stay_visible_at_low_power() {
    let first = drawn(1.0, (2000, 600), |x, _| match x as u32 {
        500..510 => NOT_ANALYSED,
        520..530 => FAILED,
        540..550 => UNKNOWN,
        _ => 0,
    });
    let second = drawn(1.0, (2000, 600), |x, y| match (x as u32, y as u32) {
        (100, 200) => 1,
        (0..400, 300..302) => 1,
        _ => 0,
    });
    let found = compared(&first, &second, rect(40.0, 0.0, 700.0, 600.0)).unwrap();
    let px = 700 * 600;
    assert_eq!(
        (found.agreement.px, found.agreement.only_one_px),
        (px - 18_000, 18_000)
    );
    let pyramid = found.difference();
    let texel = |level: u8, x: u32, y: u32| {
        let id = PageId {
            level,
            col: x / PAGE_PX,
            row: y / PAGE_PX,
        };
        pyramid.peek(id).unwrap().texel(x % PAGE_PX, y % PAGE_PX)
    };
    for (x, y, code) in [
        (100, 200, DIFFERS),
        (101, 200, AGREES),
        (399, 301, DIFFERS),
        (505, 300, NOT_ANALYSED),
        (525, 300, FAILED),
        (545, 300, UNKNOWN),
        (39, 300, UNKNOWN),
        (740, 300, UNKNOWN),
    ] {
        assert_eq!(texel(0, x, y).code, code, "{x}, {y}");
    }
    let coarse = texel(3, 100 / 8, 200 / 8);
    assert_eq!((coarse.code, coarse.any), (AGREES, DIFFERS));
    // Two of eight rows differ.
    assert_eq!(texel(3, 20, 300 / 8).value, 64);
    assert!(
        pyramid.is_current(
            pyramid
                .peek(PageId {
                    level: 0,
                    col: 0,
                    row: 0
                })
                .unwrap()
        )
    );
}

#[test]
fn what_is_not_yet_asked_for_is_told() {
    let map = |stamp: u64| {
        let mut map = drawn(1.0, (300, 300), stripes);
        map.stamps.0 = stamp;
        map
    };
    let field = rect(0.0, 0.0, 300.0, 300.0);
    for (stamp, provisional) in [(0, true), (4, true), (5, false), (NO_STAMP, false)] {
        let found = compared(&map(stamp), &map(5), field).unwrap();
        assert_eq!(found.provisional, provisional);
        let pyramid = found.difference();
        let page = pyramid
            .peek(PageId {
                level: 0,
                col: 0,
                row: 0,
            })
            .unwrap();
        assert_eq!(pyramid.is_current(page), !provisional);
    }
}

#[test]
fn masks_from_elsewhere_are_maps() {
    struct Mask(Vec<LabelClass>);
    impl LabelSource for Mask {
        fn classes(&self) -> &[LabelClass] {
            &self.0
        }

        fn raster(&self) -> Raster {
            drawn(1.0, (300, 300), stripes).raster
        }

        fn read_page(&self, id: PageId) -> Result<Arc<Page>, LabelError> {
            let page = drawn(1.0, (300, 300), stripes).page(id)?;
            page.ok_or_else(|| LabelError::new(Path::new("mask"), "no page"))
        }
    }
    let mask: Arc<dyn LabelSource> = Arc::new(Mask(classes(&["a", "b"])));
    let found = compared(&mask, &mask, rect(0.0, 0.0, 300.0, 300.0)).unwrap();
    assert_eq!((found.agreement.share, found.provisional), (1.0, false));
}

#[test]
fn it_can_be_stopped_at_every_step_and_says_what_fails() {
    let (first, second) = (
        drawn(1.0, (600, 600), stripes),
        drawn(2.0, (300, 300), with_faults),
    );
    let classes = classes(&["a", "b", "c"]);
    let of = |map| Side {
        map,
        classes: &classes,
    };
    let field = rect(0.0, 0.0, 600.0, 600.0);
    let mut seen = Vec::new();
    let mut watch = |done, total| {
        seen.push((done, total));
        ControlFlow::Continue(())
    };
    compare(of(&first), of(&second), &field, mpp(), &mut watch).unwrap();
    // Nine pages and four, two lists of boundaries, two ways for three classes, regions.
    let total = 9 + 4 + 2 + 6 + 3;
    assert_eq!(
        seen,
        (1..=total).map(|done| (done, total)).collect::<Vec<_>>()
    );
    for last in 1..=total {
        let mut stop = |done, _| match done == last {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let stopped = compare(of(&first), of(&second), &field, mpp(), &mut stop);
        assert_eq!(stopped.unwrap_err(), CompareError::Stopped);
    }
    let beyond = compared(&first, &second, rect(900.0, 0.0, 9.0, 9.0)).unwrap_err();
    assert_eq!(beyond, CompareError::NoField);
    let mut broken = drawn(1.0, (600, 600), stripes);
    broken.broken_from = 2;
    let refused = compared(&first, &broken, field).unwrap_err();
    assert_eq!(refused.to_string(), "mask.png: it is cut off");
    assert!(compared(&first, &broken, rect(0.0, 0.0, 400.0, 600.0)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Which map is called the first does not matter, and a map agrees with itself.
    #[test]
    fn a_comparison_is_the_same_from_both_sides(
        seed in any::<u32>(),
        blob in 1..9_u32,
        width in 1..80_u32,
        height in 1..60_u32,
    ) {
        let noise = |seed: u32| move |x: f64, y: f64| {
            let at = (x as u32 / blob) * 7919 + (y as u32 / blob) * 104_729;
            let mixed = (at ^ seed).wrapping_mul(2_654_435_761) >> 13;
            [0, 1, 2, 0, 1, 2, 0, NOT_ANALYSED][mixed as usize % 8]
        };
        let (a, b) = (
            drawn(1.0, (width, height), noise(seed)),
            drawn(1.0, (width, height), noise(seed ^ 0x55)),
        );
        let field = rect(0.0, 0.0, 100.0, 100.0);
        let (there, back) = (compared(&a, &b, field).unwrap(), compared(&b, &a, field).unwrap());
        prop_assert_eq!(&there.agreement, &back.agreement);
        prop_assert_eq!(there.codes(), back.codes());
        for (one, other) in there.displacement.iter().zip(&back.displacement) {
            let figures = |d: &Displacement| (d.median_um, d.p95_um, d.px, d.alone_px);
            prop_assert_eq!(one.as_ref().map(figures), other.as_ref().map(figures));
        }
        let rects = |found: &Comparison| found.regions.iter().map(|r| r.rect).collect::<Vec<_>>();
        prop_assert_eq!(rects(&there), rects(&back));
        prop_assert_eq!(there.regions_found, back.regions_found);
        let same = compared(&a, &a, field).unwrap();
        prop_assert_eq!((same.agreement.share, same.regions_found), (1.0, 0));
        prop_assert!(same.displacement_of_all.is_none_or(|d| d.mean_um == 0.0));
    }
}
