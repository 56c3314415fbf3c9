//! Fields of which more is asked than is kept at a time.

use super::tests::{engine, finish, rect, small_slide, texels, wish};
use super::*;
use crate::labels::{NO_STAMP, PAGE_PX, Page, Texel, UNKNOWN};
use crate::segment::live::field::Sheet;
use crate::segment::test_slide::{Painted, pattern};
use crate::slide::SlideSource;

/// Of a tile of the test's network, which has three classes.
const SCORE_BYTES: u64 = 32 * 32 * 3 * 4;

/// Px of a map that lie in a field, and how many cells of it are not what is asked for.
fn in_field(
    layers: &SharedLayers,
    analysis: Analysis,
    seen: &crate::geometry::SlideRect,
) -> (Vec<Texel>, usize) {
    let key = LayerKey { slide: 7, analysis };
    let raster = layers.raster(key).unwrap();
    let (x, y) = raster.px_in(seen).unwrap();
    let (all, width) = (texels(layers, analysis), raster.size_px.0);
    let px = y
        .clone()
        .flat_map(|row| x.clone().map(move |column| (row * width + column) as usize));
    let ids = raster.pages_in(0, &raster.slide_rect(x.clone(), y.clone()));
    let layers = layers.lock();
    let pyramid = &layers[&key].pyramid;
    let stale = ids.iter().map(|id| {
        let within = |px: &std::ops::Range<u32>, page: u32| {
            px.start.max(page * PAGE_PX) - page * PAGE_PX
                ..px.end.min((page + 1) * PAGE_PX) - page * PAGE_PX
        };
        let (x, y) = (within(&x, id.col), within(&y, id.row));
        if x.is_empty() || y.is_empty() {
            return 0;
        }
        let page = pyramid.peek(*id);
        let oldest = page.map_or(NO_STAMP, |page| page.oldest_in(&x, &y));
        usize::from(oldest == NO_STAMP || oldest < pyramid.stamp())
    });
    (px.map(|at| all[at]).collect(), stale.sum())
}

#[test]
fn a_field_of_more_tiles_than_scores_are_kept_of_is_finished_and_the_same() {
    let slide = small_slide();
    let seen = rect(100.0, 80.0, 480.0, 290.0);
    for analysis in [
        Analysis::Agreement(0),
        Analysis::Plain(0),
        Analysis::Fused(0),
    ] {
        let run = |limits: Limits| {
            let mut engine = engine(limits);
            let mut waited = Vec::new();
            for bias in [[0.0; 3], [-20.0, 0.0, 5.0]] {
                engine.ask(wish(&slide, analysis, seen, bias));
                waited.push(engine.status().waiting);
                finish(&mut engine);
                assert_eq!(engine.status().waiting, 0, "{analysis}");
            }
            let maps: Vec<_> = analysis
                .maps()
                .iter()
                .map(|map| in_field(&engine.layers(), *map, &seen))
                .collect();
            (maps, waited, engine.status())
        };
        // Some 600 tiles of 40x, and scores of a tenth of them.
        let (ours, waited, status) = run(Limits {
            score_bytes: 60 * SCORE_BYTES,
            ..Limits::default()
        });
        let (meant, waited_meant, status_meant) = run(Limits::default());
        assert!(
            waited[0] > 300 && waited == waited_meant,
            "{waited:?}: all of it is counted"
        );
        for ((ours, stale), (meant, none)) in ours.iter().zip(&meant) {
            assert_eq!(
                (*stale, *none),
                (0, 0),
                "{analysis}: nothing stays provisional"
            );
            assert!(ours == meant, "{analysis}");
            assert!(ours.iter().all(|texel| texel.code != UNKNOWN));
        }
        assert!(status.score_bytes <= 60 * SCORE_BYTES);
        // Tiles on the borders of parts are decoded once more; nothing is done for nothing.
        assert!(
            status.decoded < 3 * status_meant.decoded,
            "{} of {}",
            status.decoded,
            status_meant.decoded
        );
    }
}

#[test]
fn all_that_is_worked_on_of_a_field_has_room() {
    let slide = Painted::new(200_000, 150_000, Some(0.25), pattern);
    let sheet = Sheet::new(&slide, 128, 0.25).unwrap();
    let center = slide.info().content().center();
    let page_bytes = Page::in_blocks(8).bytes();
    for (width, height) in [
        (200_000.0, 150_000.0),
        (9_000.0, 7_000.0),
        (60_000.0, 900.0),
        (500.0, 90_000.0),
        (7_680.0, 7_680.0),
    ] {
        let seen = rect(
            center.x - width / 2.0,
            center.y - height / 2.0,
            width,
            height,
        );
        let (x, y) = sheet.wanted_px(&seen, center).unwrap();
        let pages = |level: u32| {
            let along = |px: &std::ops::Range<u32>| {
                u64::from((px.end - 1) / (PAGE_PX << level) - px.start / (PAGE_PX << level) + 1)
            };
            along(&x) * along(&y)
        };
        let bytes = (0..10).map(pages).sum::<u64>() * page_bytes;
        assert!(
            bytes <= Limits::default().page_bytes,
            "{width} x {height}: {} MiB",
            bytes >> 20
        );
        let is_all = x.len() as f64 >= width && y.len() as f64 >= height;
        assert_eq!(sheet.is_cut(&seen), !is_all, "{width} x {height}");
        let wanted = (x.len() as f64 / width) / (y.len() as f64 / height);
        assert!(
            width.max(height) > 15_000.0 || (0.9..1.1).contains(&wanted),
            "its shape"
        );
    }
}
