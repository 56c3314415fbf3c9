//! What the phantom promises: one picture at every scale, no seams, truth that fits the picture,
//! and knobs that act.

use super::*;

/// A place of each class of a slide that has one, by trying.
fn places(source: &PhantomSource, per_class: usize) -> Vec<(u8, UmPoint)> {
    let mut draws = hash::Draws::new(source.spec.seed ^ 77);
    let mut found = vec![0; source.classes().len()];
    let mut out = Vec::new();
    for _ in 0..3000 {
        let [x, y] = source.spec.extent_um.map(|um| f64::from(draws.unit()) * um);
        let place = UmPoint::new(x, y);
        let class = source.class_at(place);
        if found[usize::from(class)] < per_class {
            found[usize::from(class)] += 1;
            out.push((class, place));
        }
    }
    out
}

fn preset(tissue: Tissue, seed: u64) -> PhantomSource {
    PhantomSource::new(PhantomSpec::preset(tissue, seed)).unwrap()
}

fn changed(tissue: Tissue, change: impl FnOnce(&mut PhantomSpec)) -> PhantomSource {
    let mut spec = PhantomSpec::preset(tissue, 5);
    change(&mut spec);
    PhantomSource::new(spec).unwrap()
}

/// The spec's knobs of a class.
fn of<'a>(spec: &'a mut PhantomSpec, class: &str) -> &'a mut ClassKnobs {
    spec.classes.iter_mut().find(|k| k.name == class).unwrap()
}

/// Mean of `factor` × `factor` blocks, RGB.
fn averaged(picture: &Rgba, factor: u32) -> Vec<f64> {
    let (width, height) = (picture.width / factor, picture.height / factor);
    let mut out = vec![0.0; (width * height * 3) as usize];
    for y in 0..height * factor {
        for x in 0..width * factor {
            let pixel = picture.pixel(x, y).unwrap();
            let at = (((y / factor) * width + x / factor) * 3) as usize;
            for (sum, value) in out[at..at + 3].iter_mut().zip(pixel) {
                *sum += f64::from(value) / f64::from(factor * factor);
            }
        }
    }
    out
}

fn mean_difference(coarse: &Rgba, fine: &[f64]) -> f64 {
    let values = coarse.data.chunks_exact(4).flat_map(|p| &p[..3]);
    let sum: f64 = values
        .zip(fine)
        .map(|(&a, b)| (f64::from(a) - b).abs())
        .sum();
    sum / fine.len() as f64
}

#[test]
fn ten_times_is_the_mean_of_forty_times() {
    for tissue in Tissue::ALL {
        let source = preset(tissue, 7);
        for (class, place) in places(&source, 3) {
            let origin = UmPoint::new(place.x.floor() - 48.0, place.y.floor() - 48.0);
            let coarse = source.render_um(origin, 1.0, 96, 96);
            let fine = averaged(&source.render_um(origin, 0.25, 384, 384), 4);
            let difference = mean_difference(&coarse, &fine);
            assert!(
                difference <= 3.0,
                "{tissue:?} class {class} at {place:?}: {difference}"
            );
        }
    }
}

#[test]
fn mean_colours_agree_from_forty_times_to_the_overview() {
    for tissue in Tissue::ALL {
        let source = preset(tissue, 7);
        let mean = |origin: UmPoint, mpp: f64, side: u32| {
            let picture = source.render_um(origin, mpp, side, side);
            averaged(&picture, side)
        };
        for (class, place) in places(&source, 1) {
            let origin = UmPoint::new(place.x - 512.0, place.y - 512.0);
            let fine = mean(origin, 2.0, 512);
            for (mpp, side) in [(4.0, 256), (8.0, 128), (32.0, 32)] {
                let coarse = mean(origin, mpp, side);
                for (a, b) in coarse.iter().zip(&fine) {
                    let off = (a - b).abs();
                    assert!(
                        off < 8.0,
                        "{tissue:?} class {class} at {mpp}: {coarse:?} {fine:?}"
                    );
                }
            }
        }
    }
}

/// A fold's outline magnifies what its field loses where nodes are far apart.
#[test]
fn the_outline_of_a_fold_stays_where_it_is_from_eight_microns_a_pixel_outwards() {
    let source = preset(Tissue::Brain, 7);
    let origin = |side_um: f64| UmPoint::new(10_800.0 - side_um / 2.0, 9_800.0 - side_um / 2.0);
    for (mpp, factor, most) in [(16.0, 2, 120), (64.0, 8, 140)] {
        let origin = origin(128.0 * mpp);
        let coarse = source.render_um(origin, mpp, 128, 128);
        let fine = source.render_um(origin, 8.0, 128 * factor, 128 * factor);
        let fine = averaged(&fine, factor);
        let pixels = coarse.data.chunks_exact(4).zip(fine.chunks_exact(3));
        let off = |&(a, b): &(&[u8], &[f64])| {
            let channels = a.iter().zip(b);
            channels
                .map(|(&a, b)| (f64::from(a) - b).abs())
                .any(|off| off > 20.0)
        };
        let moved = pixels.filter(off).count();
        assert!(moved <= most, "{moved} of 128 x 128 px at {mpp} µm/px");
    }
}

#[test]
fn a_part_holds_the_pixels_of_the_whole() {
    for tissue in Tissue::ALL {
        let source = preset(tissue, 3);
        for level in [0, 2, 4, 6] {
            let (x, y) = ((30_000_i64 >> level) + 3, (41_000_i64 >> level) + 1);
            let whole = LevelRegion {
                x,
                y,
                width: 96,
                height: 80,
            };
            let part = LevelRegion {
                x: x + 37,
                y: y + 22,
                width: 41,
                height: 33,
            };
            let (all, some) = (
                source.read_region(level, whole).unwrap(),
                source.read_region(level, part).unwrap(),
            );
            let (labels, few) = (
                source.label_region(level, whole).unwrap(),
                source.label_region(level, part).unwrap(),
            );
            for row in 0..33 {
                for col in 0..41 {
                    let inside = all.pixel(col + 37, row + 22);
                    assert_eq!(
                        some.pixel(col, row),
                        inside,
                        "{tissue:?} {level} {col} {row}"
                    );
                    let at = (row * 41 + col) as usize;
                    assert_eq!(few[at], labels[((row + 22) * 96 + col + 37) as usize]);
                }
            }
        }
    }
}

#[test]
fn labels_of_places_and_of_regions_agree() {
    for tissue in Tissue::ALL {
        let source = preset(tissue, 11);
        for (class, place) in places(&source, 4) {
            let (x, y) = ((place.x / 0.25) as i64, (place.y / 0.25) as i64);
            let region = LevelRegion {
                x,
                y,
                width: 1,
                height: 1,
            };
            let centre = UmPoint::new((x as f64 + 0.5) * 0.25, (y as f64 + 0.5) * 0.25);
            assert_eq!(
                source.label_region(0, region).unwrap(),
                [source.class_at(centre)]
            );
            let instance = source.instance_region(0, region).unwrap()[0];
            assert_eq!(instance, source.instance_at(centre));
            let in_gland = tissue == Tissue::Colon && source.class_at(centre) == 1;
            assert_eq!(instance > 0, in_gland, "class {class}");
        }
    }
}

#[test]
fn odd_regions_are_answered() {
    let source = preset(Tissue::Breast, 2);
    let far = LevelRegion {
        x: i64::MAX - 5,
        y: i64::MIN,
        width: 7,
        height: 3,
    };
    assert!(
        source
            .read_region(0, far)
            .unwrap()
            .data
            .iter()
            .all(|&b| b == 0)
    );
    let corner = LevelRegion {
        x: -2,
        y: -1,
        width: 4,
        height: 2,
    };
    let picture = source.read_region(3, corner).unwrap();
    assert_eq!(picture.pixel(1, 1), Some([0; 4]));
    assert_eq!(picture.pixel(2, 1).map(|p| p[3]), Some(255));
    let empty = LevelRegion {
        x: 5,
        y: 5,
        width: 0,
        height: 9,
    };
    assert!(source.read_region(0, empty).unwrap().data.is_empty());
    assert!(source.label_region(0, empty).unwrap().is_empty());
    assert!(source.read_region(99, corner).is_err());
    let huge = LevelRegion {
        x: 0,
        y: 0,
        width: 1 << 20,
        height: 1 << 20,
    };
    assert!(source.read_region(0, huge).is_err());
    assert_eq!(
        source
            .render_um(UmPoint::new(0.0, 0.0), f64::NAN, 4, 4)
            .width,
        0
    );
    assert_eq!(
        source.render_um(UmPoint::new(-1e6, 0.0), 1.0, 4, 4).data[3],
        255
    );
}

#[test]
fn the_smallest_slide_can_be_made() {
    for tissue in Tissue::ALL {
        let spec = PhantomSpec::preset(tissue, 1).with_extent_um(64.0, 200.0);
        let source = PhantomSource::new(spec).unwrap();
        let region = LevelRegion {
            x: 0,
            y: 0,
            width: 256,
            height: 800,
        };
        assert_eq!(source.read_region(0, region).unwrap().height, 800);
    }
}

/// Share of each class among the points of a grid that are not background.
fn shares(source: &PhantomSource) -> Vec<f64> {
    let mut counts = vec![0.0; source.classes().len()];
    let [w, h] = source.spec.extent_um;
    for i in 0..80 * 64 {
        let at = |n: i32, of: f64, length: f64| (f64::from(n) + 0.37) / of * length;
        let place = UmPoint::new(at(i % 80, 80.0, w), at(i / 80, 64.0, h));
        counts[usize::from(source.class_at(place))] += 1.0;
    }
    let tissue: f64 = counts[1..].iter().sum();
    counts.iter().map(|n| n / tissue).collect()
}

#[test]
fn frequency_moves_the_share_of_the_area() {
    for (tissue, class) in [
        (Tissue::Brain, "white_matter"),
        (Tissue::Brain, "leptomeninges"),
        (Tissue::Breast, "tumor"),
        (Tissue::Breast, "inflammatory"),
        (Tissue::Breast, "necrosis"),
        (Tissue::Breast, "other"),
        (Tissue::Colon, "gland"),
    ] {
        let index = tissue
            .classes()
            .iter()
            .position(|c| c.name == class)
            .unwrap();
        for factor in [1.0, 0.5] {
            let source = changed(tissue, |spec| of(spec, class).frequency *= factor);
            let total: f64 = source.spec.classes.iter().map(|k| k.frequency).sum();
            let wanted = source.spec.knobs(class).frequency / total;
            let got = shares(&source)[index];
            let near = (got / wanted - 1.0).abs() < 0.4;
            assert!(near, "{class}: {got:.3} of the area, {wanted:.3} wanted");
        }
    }
}

/// Shares of coarse colours at 10x where a class is.
fn colours(source: &PhantomSource, class: u8) -> Vec<f64> {
    let (mut bins, mut count) = (vec![0.0; 4096], 0.0);
    for (_, place) in places(source, 10).into_iter().filter(|p| p.0 == class) {
        let (x, y) = (place.x as i64 - 24, place.y as i64 - 24);
        let region = LevelRegion {
            x,
            y,
            width: 48,
            height: 48,
        };
        let picture = source.read_region(2, region).unwrap();
        let labels = source.label_region(2, region).unwrap();
        for (pixel, label) in picture.data.chunks_exact(4).zip(labels) {
            if label == class {
                let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(|v| usize::from(v / 16));
                bins[r * 256 + g * 16 + b] += 1.0;
                count += 1.0;
            }
        }
    }
    bins.iter().map(|n| n / f64::max(count, 1.0)).collect()
}

#[test]
fn similarity_draws_a_class_towards_its_neighbour() {
    for (tissue, class, a, b) in [
        (Tissue::Brain, "white_matter", 2, 1),
        (Tissue::Breast, "necrosis", 4, 2),
        (Tissue::Breast, "tumor", 1, 3),
        (Tissue::Colon, "gland", 1, 2),
    ] {
        let apart = |similarity: f64| {
            let source = changed(tissue, |spec| of(spec, class).similarity = similarity);
            let (a, b) = (colours(&source, a), colours(&source, b));
            a.iter().zip(&b).map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0
        };
        let (unlike, alike) = (apart(0.0), apart(1.0));
        assert!(
            alike < unlike - 0.03,
            "{class}: {unlike:.2} apart, {alike:.2} when similar"
        );
    }
}

#[test]
fn ambiguity_widens_the_transitions() {
    let mixed = |source: &PhantomSource| {
        let anatomy = source.renderer.anatomy.as_ref();
        let widths = anatomy.widths(1.0);
        let [w, h] = source.spec.extent_um;
        let mut draws = hash::Draws::new(9);
        let mut count = 0;
        for _ in 0..3000 {
            let (x, y) = (f64::from(draws.unit()) * w, f64::from(draws.unit()) * h);
            let weights = anatomy.weights(&anatomy.fields(x, y, 8.0), &widths);
            let mut by_class = [0.0; 8];
            for (material, weight) in weights.iter().enumerate() {
                if *weight > 0.0 {
                    by_class[usize::from(anatomy.class_of(material))] += weight;
                }
            }
            count += i32::from(by_class.iter().all(|&share| share < 0.98));
        }
        count
    };
    for (tissue, class) in [
        (Tissue::Brain, "grey_matter"),
        (Tissue::Breast, "inflammatory"),
        (Tissue::Breast, "tumor"),
    ] {
        let [sharp, soft] =
            [2.0, 300.0].map(|um| mixed(&changed(tissue, |s| of(s, class).ambiguity_um = um)));
        assert!(
            soft > sharp,
            "{class}: {sharp} mixed places, {soft} when ambiguous"
        );
    }
}

#[test]
fn variability_widens_the_sizes_of_nuclei() {
    for (tissue, class) in [
        (Tissue::Brain, "grey_matter"),
        (Tissue::Breast, "tumor"),
        (Tissue::Colon, "stroma"),
    ] {
        let spreads = |variability: f64| {
            let source = changed(tissue, |s| of(s, class).variability = variability);
            let cells = source.renderer.anatomy.populations();
            cells
                .iter()
                .map(|p| p.length_um.1 - p.length_um.0)
                .collect::<Vec<f32>>()
        };
        let (narrow, wide) = (spreads(0.0), spreads(1.0));
        let mut pairs = narrow.iter().zip(&wide);
        assert!(pairs.clone().all(|(a, b)| b >= a), "{class}");
        assert!(pairs.any(|(a, b)| *b > a * 2.0), "{class}");
    }
}

#[test]
fn stain_blur_and_noise_act() {
    let picture = |change: &dyn Fn(&mut SlideKnobs)| {
        let source = changed(Tissue::Breast, |spec| {
            (spec.slide.noise, spec.slide.blur_um) = (0.0, 0.2);
            change(&mut spec.slide);
        });
        source.render_um(UmPoint::new(12_000.0, 9_000.0), 0.25, 128, 128)
    };
    let sum = |p: &Rgba, lane: usize| {
        p.data
            .chunks_exact(4)
            .map(|p| i64::from(p[lane]))
            .sum::<i64>()
    };
    let steps = |p: &Rgba| {
        p.data
            .windows(5)
            .map(|w| i64::from(w[0].abs_diff(w[4])))
            .sum::<i64>()
    };
    let plain = picture(&|_| {});
    assert!(steps(&picture(&|s| s.blur_um = 2.0)) < steps(&plain));
    assert!(steps(&picture(&|s| s.noise = 8.0)) > steps(&plain));
    assert!(sum(&picture(&|s| s.haematoxylin = 1.6), 0) < sum(&plain, 0));
    assert!(sum(&picture(&|s| s.eosin = 1.6), 1) < sum(&plain, 1));
    assert_ne!(picture(&|s| s.stain_jitter = 0.2), plain);
}
