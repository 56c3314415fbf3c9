//! What every claim about magnification rests on: one picture at every scale, no seams, and labels
//! that say the same wherever they are asked.

use super::hash::{Draws, mix};
use super::*;

/// A small slide: 3 × 2.6 mm.
fn slide(tissue: Tissue, seed: u64) -> PhantomSource {
    PhantomSource::new(PhantomSpec::preset(tissue, seed).with_extent_um(3000.0, 2600.0)).unwrap()
}

fn region(x: i64, y: i64, width: u32, height: u32) -> LevelRegion {
    LevelRegion {
        x,
        y,
        width,
        height,
    }
}

/// Places on the slide where each class is found.
fn places(source: &PhantomSource, per_class: usize) -> Vec<UmPoint> {
    let [w, h] = source.spec().extent_um;
    let mut draws = Draws::new(mix(17));
    let mut found = vec![0; source.classes().len()];
    let mut places = Vec::new();
    for _ in 0..4000 {
        let at = UmPoint::new(f64::from(draws.unit()) * w, f64::from(draws.unit()) * h);
        let class = usize::from(source.class_at(at));
        if found[class] < per_class {
            found[class] += 1;
            places.push(at);
        }
    }
    places
}

/// Mean absolute and mean signed difference of a `coarse` picture and the box average of the one
/// `factor` times finer, 8-bit units.
fn differences(
    source: &PhantomSource,
    at: UmPoint,
    coarse: f64,
    factor: u32,
    side: u32,
) -> (f64, f64) {
    let snap = |v: f64| (v / coarse - f64::from(side) * 0.5).floor() * coarse;
    let origin = UmPoint::new(snap(at.x), snap(at.y));
    let low = source.render_um(origin, coarse, side, side);
    let high = source.render_um(
        origin,
        coarse / f64::from(factor),
        side * factor,
        side * factor,
    );
    let (mut absolute, mut signed) = (0.0, 0.0);
    for y in 0..side {
        for x in 0..side {
            for lane in 0..3 {
                let mut sum = 0.0;
                for (dx, dy) in (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dx, dy))) {
                    sum += f64::from(high.pixel(x * factor + dx, y * factor + dy).unwrap()[lane]);
                }
                let d =
                    f64::from(low.pixel(x, y).unwrap()[lane]) - sum / f64::from(factor * factor);
                absolute += d.abs();
                signed += d;
            }
        }
    }
    let count = f64::from(side * side * 3);
    (absolute / count, signed / count)
}

#[test]
fn ten_x_is_the_box_average_of_forty_x() {
    for tissue in Tissue::ALL {
        let source = slide(tissue, 5);
        for at in places(&source, 2) {
            let (absolute, signed) = differences(&source, at, 1.0, 4, 96);
            assert!(
                absolute <= 3.0 && signed.abs() <= 1.0,
                "{tissue:?} at {at:?}: {absolute:.2}, {signed:.2}"
            );
        }
    }
}

#[test]
fn coarser_pictures_keep_the_mean_colour() {
    for tissue in Tissue::ALL {
        let source = slide(tissue, 6);
        let middle = UmPoint::new(1500.0, 1300.0);
        for (coarse, factor) in [(4.0, 4), (16.0, 8)] {
            let side = if coarse < 10.0 { 200 } else { 100 };
            let (_, signed) = differences(&source, middle, coarse, factor, side);
            assert!(signed.abs() <= 3.0, "{tissue:?} at {coarse}: {signed:.2}");
        }
    }
}

#[test]
fn a_part_is_cut_from_the_whole() {
    for tissue in Tissue::ALL {
        let source = slide(tissue, 7);
        for level in 0..source.info().levels.len() {
            let (w, h) = source.info().levels[level].size_px;
            let (x, y) = (w as i64 / 2 - 40, h as i64 / 2 - 40);
            let whole = source.read_region(level, region(x, y, 96, 96)).unwrap();
            let part = source
                .read_region(level, region(x + 37, y + 11, 40, 50))
                .unwrap();
            for (px, py) in (0..40).flat_map(|px| (0..50).map(move |py| (px, py))) {
                assert_eq!(
                    part.pixel(px, py),
                    whole.pixel(px + 37, py + 11),
                    "{tissue:?} level {level} at {px}, {py}"
                );
            }
        }
    }
}

#[test]
fn a_point_and_a_raster_agree_on_the_class_and_the_instance() {
    for tissue in Tissue::ALL {
        let source = slide(tissue, 8);
        for level in [0, 2, 3] {
            let mpp = 0.25 * f64::from(1 << level);
            let (w, h) = source.info().levels[level].size_px;
            let at = region(w as i64 / 2 - 24, h as i64 / 2 - 24, 48, 48);
            let classes = source.label_region(level, at).unwrap();
            let glands = source.instance_region(level, at).unwrap();
            for i in (0..48 * 48).step_by(29) {
                let centre = |start: i64, n: usize| (start as f64 + n as f64 + 0.5) * mpp;
                let point = UmPoint::new(centre(at.x, i % 48), centre(at.y, i / 48));
                assert_eq!(
                    classes[i],
                    source.class_at(point),
                    "{tissue:?} level {level} at {point:?}"
                );
                assert_eq!(glands[i], source.instance_at(point));
            }
        }
    }
}

#[test]
fn a_gland_is_an_instance_and_nothing_else_is() {
    let source = slide(Tissue::Colon, 9);
    let (w, h) = source.info().levels[4].size_px;
    let all = region(0, 0, w as u32, h as u32);
    let classes = source.label_region(4, all).unwrap();
    let glands = source.instance_region(4, all).unwrap();
    assert!(
        classes
            .iter()
            .zip(&glands)
            .all(|(&class, &gland)| (class == 1) == (gland != 0))
    );
    let distinct: std::collections::BTreeSet<u32> = glands.into_iter().collect();
    assert!(distinct.len() > 30, "{} glands", distinct.len());
}

/// Share of the tissue that each class has.
fn shares(source: &PhantomSource) -> Vec<f64> {
    let level = source.info().levels.len() - 1;
    let (w, h) = source.info().levels[level].size_px;
    let labels = source
        .label_region(level, region(0, 0, w as u32, h as u32))
        .unwrap();
    let tissue = labels.iter().filter(|&&l| l > 0).count().max(1) as f64;
    (0..source.classes().len())
        .map(|c| labels.iter().filter(|&&l| usize::from(l) == c).count() as f64 / tissue)
        .collect()
}

#[test]
fn frequency_moves_the_share_of_the_area() {
    for (tissue, class) in [(Tissue::Brain, 2), (Tissue::Breast, 1), (Tissue::Colon, 1)] {
        let share = |frequency: f64| {
            let mut spec = PhantomSpec::preset(tissue, 10);
            spec.classes[class].frequency = frequency;
            shares(&PhantomSource::new(spec).unwrap())[class]
        };
        let (few, many) = (share(0.12), share(0.5));
        assert!(many > few + 0.08, "{tissue:?}: {few:.2} {many:.2}");
    }
}

#[test]
fn every_class_of_every_preset_is_there() {
    for tissue in Tissue::ALL {
        let source = PhantomSource::new(PhantomSpec::preset(tissue, 11)).unwrap();
        for (class, share) in source.classes().iter().zip(shares(&source)).skip(1) {
            assert!(share > 0.004, "{tissue:?} {}: {share:.4}", class.name);
        }
    }
}

#[test]
fn silly_regions_are_answered() {
    let source = slide(Tissue::Breast, 12);
    let outside = source.read_region(0, region(-500, -500, 32, 32)).unwrap();
    assert!(outside.data.iter().all(|&b| b == 0));
    let corner = source.read_region(0, region(-8, -8, 16, 16)).unwrap();
    assert_eq!(corner.pixel(7, 7), Some([0; 4]));
    assert_eq!(corner.pixel(8, 8).unwrap()[3], 255);
    for (x, y) in [(i64::MIN, i64::MAX), (i64::MAX, 0), (-1 << 62, 1 << 62)] {
        assert!(source.read_region(1, region(x, y, 8, 8)).is_ok());
    }
    assert!(source.read_region(99, region(0, 0, 1, 1)).is_err());
    assert!(
        source
            .read_region(0, region(0, 0, u32::MAX, u32::MAX))
            .is_err()
    );
    assert!(
        source
            .read_region(0, region(0, 0, 0, 0))
            .unwrap()
            .data
            .is_empty()
    );
    assert!(source.read_associated("label").is_err());
    assert_eq!(source.class_at(UmPoint::new(f64::NAN, 0.0)), 0);
    for mpp in [0.0, -1.0, f64::NAN, 1e9] {
        assert!(
            source
                .render_um(UmPoint::new(0.0, 0.0), mpp, 8, 8)
                .data
                .is_empty()
        );
    }
    assert!(
        source
            .render_um(UmPoint::new(f64::INFINITY, 0.0), 1.0, 8, 8)
            .data
            .is_empty()
    );
}

#[test]
fn extreme_extents_and_knobs_draw() {
    for tissue in Tissue::ALL {
        for extent in [64.0, 200_000.0] {
            let mut spec = PhantomSpec::preset(tissue, 13).with_extent_um(extent, extent);
            for knobs in &mut spec.classes {
                (
                    knobs.frequency,
                    knobs.variability,
                    knobs.ambiguity_um,
                    knobs.similarity,
                ) = (0.0, 1.0, 0.0, 1.0);
            }
            let source = PhantomSource::new(spec).unwrap();
            let last = source.info().levels.len() - 1;
            assert!(source.read_region(0, region(40, 40, 64, 64)).is_ok());
            assert!(source.read_region(last, region(0, 0, 64, 64)).is_ok());
        }
    }
}

#[test]
fn the_demo_opens_at_once_and_has_a_pyramid() {
    let source = PhantomSource::new(PhantomSpec::preset(Tissue::Brain, 1)).unwrap();
    let info = source.info();
    assert_eq!(info.levels[0].size_px, (100_000, 80_000));
    assert_eq!(info.levels.last().unwrap().size_px, (782, 625));
    assert_eq!(info.name, "Phantom brain, seed 1");
    assert_eq!(info.hash.0.len(), 64);
}
