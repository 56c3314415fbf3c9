//! Pictures against the slide's own pixels: scale, borders, colour, damage.

#[path = "render/colour.rs"]
mod colour;
#[path = "render/labels.rs"]
mod labels;
#[path = "render/model.rs"]
mod model;
#[path = "render/overlay.rs"]
mod overlay;
mod program;
mod shared_data;
#[path = "render/slides.rs"]
mod slides;

use std::ops::ControlFlow;
use std::path::Path;

use image::imageops;
use parfocal::geometry::{LevelRegion, ScreenPoint, SlideRect, View};
use parfocal::gpu::{DisplayAdjust, StainView};
use parfocal::slide::openslide::BareReader;
use parfocal::slide::phantom::export::{ExportOptions, write_pyramid};
use parfocal::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
use parfocal::slide::{Rgba, SlideSource};
use parfocal::tiles::TilePyramid;
use slides::{
    Made, OUTSIDE_RGB, draw, expected, largest_difference, open, plain, rgb, speckle, view_at, wave,
};

/// At a level's own scale a picture is the slide's own pixels.
fn assert_native(source: &dyn SlideSource, level: usize, corner: (i64, i64), size: (u32, u32)) {
    let scale = source.info().levels[level].scale.0;
    let view = view_at(
        corner.0 as f64 * scale,
        corner.1 as f64 * scale,
        size,
        scale,
    );
    let picture = draw(source, &view, &plain());
    assert!(picture.failures.is_empty());
    let off = largest_difference(&picture.pixels, &expected(source, level, corner, size));
    assert!(off <= 1, "level {level} at {corner:?}: off by {off}");
}

#[test]
fn native_scale_shows_the_stored_pixels_of_a_scanners_slide() {
    let Some(path) = shared_data::file("slides/CMU-1-Small-Region.svs") else {
        return;
    };
    let slide = open(&path);
    for corner in [
        (0, 0),
        (350, 410),
        (-60, -40),
        (2220 - 200, 2967 - 150),
        (1000, 1500),
        (2300, 0),
    ] {
        assert_native(slide.as_ref(), 0, corner, (300, 220));
    }
}

#[test]
fn native_scale_shows_the_stored_pixels_of_every_level_of_a_made_pyramid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.tif");
    // 2,052 x 304 px.
    let spec = PhantomSpec::preset(Tissue::Breast, 3).with_extent_um(513.0, 76.0);
    let phantom = PhantomSource::new(spec).unwrap();
    let options = ExportOptions {
        labels: false,
        ..ExportOptions::default()
    };
    let go_on = &mut |_, _| ControlFlow::Continue(());
    write_pyramid(&phantom, &path, &options, go_on).unwrap();
    let slide = open(&path);
    assert_eq!(slide.info().levels.len(), 3);
    for level in 0..3 {
        assert_native(slide.as_ref(), level, (-20, -10), (200, 60));
        assert_native(slide.as_ref(), level, (301, 7), (190, 40));
        assert_openslides_own(&path, level);
    }
}

#[test]
fn native_scale_shows_the_stored_pixels_of_every_level_of_an_odd_pyramid() {
    let Some(path) = shared_data::file("slides/openslide_fixtures/boxes.tiff") else {
        return;
    };
    let levels = open(&path).info().levels.len();
    assert!(levels > 2);
    for level in 0..levels {
        assert_openslides_own(&path, level);
    }
}

/// At a level's own scale all of it is what OpenSlide's own call gives.
fn assert_openslides_own(path: &Path, level: usize) {
    let slide = open(path);
    let info = &slide.info().levels[level];
    let (width, height) = (info.size_px.0 as u32, info.size_px.1 as u32);
    let whole = LevelRegion {
        x: 0,
        y: 0,
        width,
        height,
    };
    let bare = BareReader::open(path).unwrap();
    let mut own = bare.read(level as u32, whole).unwrap();
    for pixel in own.as_chunks_mut::<4>().0 {
        let [a, r, g, b] = u32::from_ne_bytes(*pixel).to_be_bytes();
        assert_eq!(a, 255, "nothing here was left out by a scanner");
        *pixel = [r, g, b, a];
    }
    let view = view_at(0.0, 0.0, (width, height), info.scale.0);
    let drawn = draw(slide.as_ref(), &view, &plain()).pixels;
    let own = Rgba {
        width,
        height,
        data: own,
    };
    let off = largest_difference(&drawn, &own);
    assert!(off <= 1, "level {level}: off by {off}");
}

#[test]
fn native_scale_shows_the_stored_pixels_of_every_level_of_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speckle.png");
    let colour = |x, y| image::Rgba(speckle(x, y));
    image::RgbaImage::from_fn(1337, 1101, colour)
        .save(&path)
        .unwrap();
    let slide = open(&path);
    assert!(slide.info().levels.len() > 1);
    for corner in [(0, 0), (400, 450), (-50, -30), (1337 - 250, 1101 - 200)] {
        assert_native(slide.as_ref(), 0, corner, (300, 220));
    }
    assert_native(slide.as_ref(), 1, (400, 300), (200, 200));
}

#[test]
fn quarter_turns_and_mirroring_move_pixels_and_change_none() {
    let slide = Made::new(1300, 1100, speckle);
    let upright = view_at(390.0, 440.0, (320, 240), 1.0);
    let picture = |view: &View| image_of(draw(&slide, view, &plain()).pixels);
    let reference = picture(&upright);
    let turned = |quarters: f64, size: (u32, u32)| View {
        rotation_rad: quarters * std::f64::consts::FRAC_PI_2,
        size: (f64::from(size.0), f64::from(size.1)).into(),
        ..upright
    };
    assert!(picture(&turned(1.0, (240, 320))) == imageops::rotate90(&reference));
    assert!(picture(&turned(2.0, (320, 240))) == imageops::rotate180(&reference));
    assert!(picture(&turned(3.0, (240, 320))) == imageops::rotate270(&reference));
    let mirrored = View {
        mirrored: true,
        ..upright
    };
    assert!(picture(&mirrored) == imageops::flip_horizontal(&reference));
}

fn image_of(pixels: Rgba) -> image::RgbaImage {
    image::RgbaImage::from_raw(pixels.width, pixels.height, pixels.data).unwrap()
}

#[test]
fn no_seam_shows_at_any_zoom_and_angle() {
    let slide = Made::new(2600, 2300, wave);
    for zoom in [0.37, 0.5, 0.77, 1.0, 1.7, 3.1, 7.3] {
        for degrees in [0.0_f64, 17.0, 30.0, 45.0, 90.0] {
            let mut view = view_at(0.0, 0.0, (360, 300), 1.0 / zoom);
            // Where four tiles of the first two levels meet, and off by a fraction of a pixel.
            view.center = (1024.3, 1023.8).into();
            view.rotation_rad = degrees.to_radians();
            let pixels = draw(&slide, &view, &plain()).pixels;
            let (near, elsewhere) = roughness(&pixels, &view, 512.0);
            assert!(
                near <= elsewhere + 1,
                "{zoom}x at {degrees}°: {near} near the borders, {elsewhere} elsewhere"
            );
        }
    }
}

/// Largest second differences along the rows: near tile borders, and elsewhere.
fn roughness(pixels: &Rgba, view: &View, tile_px: f64) -> (i32, i32) {
    let reach = 1.5_f64.max(2.0 * view.slide_px_per_screen_px);
    let near_border = |v: f64| (v / tile_px - (v / tile_px).round()).abs() * tile_px < reach;
    let (mut near, mut elsewhere) = (0, 0);
    for (x, y) in (0..pixels.height).flat_map(|y| (1..pixels.width - 1).map(move |x| (x, y))) {
        let row = [x - 1, x, x + 1].map(|x| rgb(pixels, x, y).map(i32::from));
        let bend = (0..3)
            .map(|c| (row[0][c] - 2 * row[1][c] + row[2][c]).abs())
            .max()
            .unwrap();
        let at = view.slide_at(ScreenPoint::new(f64::from(x) + 0.5, f64::from(y) + 0.5));
        let worst = if near_border(at.x) || near_border(at.y) {
            &mut near
        } else {
            &mut elsewhere
        };
        *worst = bend.max(*worst);
    }
    (near, elsewhere)
}

#[test]
fn a_picture_does_not_depend_on_where_it_is_cut() {
    let slide = Made::new(1600, 1200, speckle);
    // The tile border at 512 px is at the part's left and top edge.
    let zoom = 5.0;
    let whole = draw(
        &slide,
        &view_at(462.0, 462.0, (500, 500), 1.0 / zoom),
        &plain(),
    )
    .pixels;
    let part = draw(
        &slide,
        &view_at(512.0, 512.0, (250, 250), 1.0 / zoom),
        &plain(),
    )
    .pixels;
    let off = largest_difference(&part, &whole.crop(250, 250, 250, 250));
    assert!(off <= 1, "off by {off}");
}

#[test]
fn minification_is_the_mean_over_the_area() {
    let slide = Made::new(900, 900, |x, y| {
        let [r, g, b, a] = wave(x * 6, y * 6);
        [r, g, b, a]
    });
    let factor = 1.5;
    let view = view_at(60.0, 90.0, (300, 300), factor);
    let pixels = draw(&slide, &view, &plain()).pixels;
    let (mut worst, mut sum) = (0.0_f64, 0.0);
    for (x, y) in (0..300).flat_map(|y| (0..300).map(move |x| (x, y))) {
        let left = 60.0 + f64::from(x) * factor;
        let top = 90.0 + f64::from(y) * factor;
        let mean = area_mean(&slide.pixels, left, top, factor);
        for (drawn, mean) in rgb(&pixels, x, y).iter().zip(mean) {
            let off = (f64::from(*drawn) - mean).abs();
            worst = worst.max(off);
            sum += off;
        }
    }
    let mean_off = sum / (300.0 * 300.0 * 3.0);
    assert!(
        worst <= 4.0 && mean_off <= 1.0,
        "worst {worst}, mean {mean_off}"
    );
}

/// Mean over the square from (`left`, `top`), with pixels at its rim counted in part.
fn area_mean(pixels: &Rgba, left: f64, top: f64, side: f64) -> [f64; 3] {
    let overlap = |px: u32, from: f64| {
        let px = f64::from(px);
        ((px + 1.0).min(from + side) - px.max(from)).max(0.0)
    };
    let span = |from: f64| from.floor() as u32..=(from + side).floor() as u32;
    let mut sum = [0.0; 3];
    for y in span(top) {
        for x in span(left) {
            let weight = overlap(x, left) * overlap(y, top) / (side * side);
            for (total, value) in sum.iter_mut().zip(rgb(pixels, x, y)) {
                *total += weight * f64::from(value);
            }
        }
    }
    sum
}

#[test]
fn an_edge_stays_in_place_over_all_levels() {
    let Some(path) = shared_data::file("slides/openslide_fixtures/boxes.tiff") else {
        return;
    };
    let slide = open(&path);
    // A blue box from (67, 72) to (204, 205); left and below it is white, right of it green.
    for level in TilePyramid::new(slide.info()).levels() {
        let view = view_at(-8.0, -8.0, (320, 280), level.scale.0);
        let pixels = draw(slide.as_ref(), &view, &plain()).pixels;
        let left = edge_px(&pixels, &view, ((45.0, 170.0), (120.0, 170.0)), 0);
        let right = edge_px(&pixels, &view, ((170.0, 150.0), (235.0, 150.0)), 2);
        let bottom = edge_px(&pixels, &view, ((110.0, 170.0), (110.0, 235.0)), 0);
        for (found, edge) in [(left, 67.0), (right, 204.0), (bottom, 205.0)] {
            let off = (found - edge).abs();
            assert!(off <= 0.5, "scale {}: {found} for {edge}", level.scale.0);
        }
    }
}

/// Where `channel` steps between two points of one row or column, slide px: the integral along
/// the way, which blur does not move.
fn edge_px(
    pixels: &Rgba,
    view: &View,
    (from, to): ((f64, f64), (f64, f64)),
    channel: usize,
) -> f64 {
    let screen = |at: (f64, f64)| view.screen_from_slide().transform_point(at.into());
    let (start, end) = (screen(from), screen(to));
    let across = (end.x - start.x).abs() > (end.y - start.y).abs();
    let (first, last) = if across {
        (start.x, end.x)
    } else {
        (start.y, end.y)
    };
    let (first, last) = (first.floor() as u32, last.floor() as u32);
    let value = |i: u32| {
        let (x, y) = if across {
            (i, start.y as u32)
        } else {
            (start.x as u32, i)
        };
        f64::from(rgb(pixels, x, y)[channel])
    };
    let (before, after) = (value(first), value(last));
    assert!(
        (before - after).abs() > 200.0,
        "no edge: {before} to {after}"
    );
    let share = |i: u32| (value(i) - before) / (after - before);
    let beyond: f64 = (first..=last).map(share).sum();
    let at = f64::from(last + 1) - beyond;
    let at = view.slide_at(ScreenPoint::new(at, at));
    if across { at.x } else { at.y }
}

#[test]
fn a_colour_profile_is_applied_as_the_library_would() {
    let profile = moxcms::ColorProfile::new_adobe_rgb();
    let mut slide = Made::new(256, 256, |x, y| [x as u8, y as u8, (x ^ y) as u8, 255]);
    slide.info.icc_profile = Some(profile.encode().unwrap());
    let layout = moxcms::Layout::Rgba;
    let srgb = moxcms::ColorProfile::new_srgb();
    let transform = profile
        .create_transform_8bit(layout, &srgb, layout, Default::default())
        .unwrap();
    let mut direct = slide.pixels.clone();
    transform
        .transform(&slide.pixels.data, &mut direct.data)
        .unwrap();
    let view = view_at(0.0, 0.0, (256, 256), 1.0);
    let drawn = draw(&slide, &view, &DisplayAdjust::default()).pixels;
    let mut far_off = 0;
    for (x, y) in (0..256).flat_map(|y| (0..256).map(move |x| (x, y))) {
        let (drawn, direct) = (rgb(&drawn, x, y), rgb(&direct, x, y));
        let off = drawn.iter().zip(direct).map(|(a, b)| a.abs_diff(b)).max();
        far_off += u32::from(off > Some(2));
        // Colours that sRGB can't show are cut off, and a table rounds such corners; all others
        // are as the library has them.
        let shows = direct.iter().all(|v| (56..=240).contains(v));
        assert!(!shows || off <= Some(2), "{drawn:?} for {direct:?}");
    }
    assert!(far_off <= 65_536 / 50, "{far_off} colours");
    assert!(
        largest_difference(&drawn, &slide.pixels) > 20,
        "the profile does something"
    );
    let stored = draw(&slide, &view, &plain()).pixels;
    assert!(
        largest_difference(&stored, &slide.pixels) <= 1,
        "and can be left out"
    );
}

#[test]
fn adjustments_and_stains_follow_their_formulas() {
    let slide = Made::new(256, 256, |x, y| {
        [x as u8, y as u8, (x * 7 + y * 3) as u8, 255]
    });
    let stains = [
        StainView::Haematoxylin,
        StainView::Eosin,
        StainView::Residual,
    ];
    let mut displays: Vec<DisplayAdjust> = stains
        .map(|stain| DisplayAdjust { stain, ..plain() })
        .into();
    displays.extend([
        DisplayAdjust {
            brightness: 0.2,
            ..plain()
        },
        DisplayAdjust {
            contrast: 1.7,
            ..plain()
        },
        DisplayAdjust {
            gamma: 2.2,
            ..plain()
        },
        DisplayAdjust {
            brightness: -0.1,
            contrast: 0.6,
            gamma: 0.5,
            stain: StainView::Eosin,
            ..plain()
        },
    ]);
    let view = view_at(0.0, 0.0, (256, 256), 1.0);
    for display in displays {
        let drawn = draw(&slide, &view, &display).pixels;
        for (x, y) in (0..256).flat_map(|y| (0..256).map(move |x| (x, y))) {
            let stored = rgb(&slide.pixels, x, y);
            let wanted = colour::shown(stored, &display);
            let off = rgb(&drawn, x, y)
                .iter()
                .zip(wanted)
                .map(|(a, b)| a.abs_diff(b))
                .max();
            assert!(off <= Some(2), "{stored:?} with {display:?}: {wanted:?}");
        }
    }
}

#[test]
fn what_can_not_be_read_is_striped_grey() {
    let mut slide = Made::new(1024, 512, |_, _| [200, 40, 90, 255]);
    slide.broken_at = vec![(0, 0)];
    let picture = draw(&slide, &view_at(0.0, 0.0, (1024, 512), 1.0), &plain());
    assert_eq!((picture.failures.len(), picture.tiles), (1, 2));
    for (x, y) in [(3, 3), (100, 200), (505, 505), (256, 255)] {
        let [r, g, b] = rgb(&picture.pixels, x, y);
        assert!(
            r == g && g == b && (100..170).contains(&r),
            "{r} {g} {b} at {x},{y}"
        );
    }
    assert_eq!(rgb(&picture.pixels, 700, 100), [200, 40, 90]);
}

#[test]
fn glass_shows_through_transparent_pixels() {
    let mut slide = Made::new(600, 100, |x, _| match x / 200 {
        0 => [0, 0, 0, 0],
        1 => [100, 0, 0, 128],
        _ => [1, 2, 3, 255],
    });
    slide.info.background_rgb = [10, 200, 30];
    let drawn = draw(&slide, &view_at(0.0, 0.0, (700, 100), 1.0), &plain()).pixels;
    assert_eq!(rgb(&drawn, 50, 50), [10, 200, 30]);
    let [r, g, b] = rgb(&drawn, 300, 50);
    assert!(r.abs_diff(105) <= 1 && g.abs_diff(100) <= 1 && b.abs_diff(15) <= 1);
    assert_eq!(rgb(&drawn, 500, 50), [1, 2, 3]);
    assert_eq!(rgb(&drawn, 650, 50), OUTSIDE_RGB);
}

#[test]
fn the_atlas_grows_and_large_pictures_are_put_together_from_parts() {
    let slide = Made::new(4700, 4700, speckle);
    // 100 tiles in one part, then a picture wider than a part may be.
    for size in [(4090, 4090), (4700, 300)] {
        let picture = draw(&slide, &view_at(0.0, 0.0, size, 1.0), &plain());
        assert!(picture.tiles >= 10);
        let off = largest_difference(&picture.pixels, &expected(&slide, 0, (0, 0), size));
        assert!(off <= 1, "{size:?}: off by {off}");
    }
}

#[test]
fn a_fit_shows_the_whole_slide() {
    let slide = Made::new(1000, 400, |_, _| [5, 6, 7, 255]);
    let whole = SlideRect::new((0.0, 0.0).into(), (1000.0, 400.0).into());
    let view = View::fit(whole, 1.0, (300.0, 300.0).into());
    let drawn = draw(&slide, &view, &plain()).pixels;
    assert_eq!(rgb(&drawn, 150, 150), [5, 6, 7]);
    assert_eq!(rgb(&drawn, 1, 150), OUTSIDE_RGB);
}
