//! Overlays: that labels lie where they belong, and look as they are asked to.

use parfocal::geometry::{ScreenVector, SlidePoint, View};
use parfocal::gpu::overlay::{OverlayContent, OverlayLayer, OverlayShape, heat_rgb};
use parfocal::gpu::{OverlayInput, OverlayStyle};
use parfocal::labels::{
    FAILED, LabelPyramid, NOT_ANALYSED, PAGE_PX, Page, PageId, Ranks, Raster, Texel, UNKNOWN,
};
use parfocal::slide::Rgba;

use crate::labels::{BLANK_RGB, Blank, ByRule, layer, registration_error_px, speckled};
use crate::slides::{draw, draw_with, largest_difference, plain, rgb, view_at};

/// A raster of odd sides and px that are not square, 125,000 slide px wide.
const ODD: Raster = Raster {
    slide_px_per_px: (4.0, 3.7),
    size_px: (31_007, 29_333),
};

/// One page, a slide px a px.
const SMALL: Raster = Raster {
    slide_px_per_px: (1.0, 1.0),
    size_px: (256, 256),
};

fn opaque() -> OverlayStyle {
    OverlayStyle {
        opacity: 1.0,
        mark_provisional: false,
        ..OverlayStyle::default()
    }
}

fn slide() -> Blank {
    Blank::new(130_000, 115_000)
}

fn overlaid(
    view: &View,
    layers: &[OverlayLayer<'_>],
    before_layers: &[OverlayLayer<'_>],
    style: &OverlayStyle,
) -> Rgba {
    let input = OverlayInput {
        view,
        layers,
        before_layers,
        style,
    };
    draw_with(&slide(), view, &plain(), Some(&input)).pixels
}

/// The default palette's colour of a class.
fn class_rgb(code: usize) -> [u8; 3] {
    parfocal::labels::default_palette()[code]
}

fn id(level: u8, col: u32, row: u32) -> PageId {
    PageId { level, col, row }
}

#[test]
fn labels_lie_where_they_belong_at_every_zoom_and_turn() {
    let pages = ByRule::new(speckled);
    let layers = [layer(ODD, &pages)];
    let turns = [(0.0, false), (0.4, true), (1.57, false), (-2.9, true)];
    for (n, scale) in [0.06, 0.9, 4.0, 4.3, 31.0, 150.0].into_iter().enumerate() {
        let (rotation_rad, mirrored) = turns[n % turns.len()];
        let view = View {
            center: SlidePoint::new(100_003.3, 90_011.7),
            rotation_rad,
            mirrored,
            pixel_aspect: 1.07,
            ..view_at(0.0, 0.0, (241, 160), scale)
        };
        let picture = overlaid(&view, &layers, &[], &opaque());
        let off = registration_error_px(&picture, &layers, &opaque(), &view);
        assert!(off.clone().is_ok_and(|off| off <= 0.5), "{off:?}");
    }
}

#[test]
fn a_raster_ends_where_its_last_px_does_at_every_level() {
    let pages = ByRule::new(speckled);
    let layers = [layer(ODD, &pages)];
    let far_corner = SlidePoint::new(4.0 * 31_007.0, 3.7 * 29_333.0);
    for (scale, rotation_rad) in [(0.3, 0.2), (3.0, 0.0), (20.0, -0.7), (60.0, 0.1)] {
        let view = View {
            center: far_corner,
            rotation_rad,
            ..view_at(0.0, 0.0, (180, 151), scale)
        };
        let picture = overlaid(&view, &layers, &[], &opaque());
        registration_error_px(&picture, &layers, &opaque(), &view).unwrap();
    }
}

#[test]
fn coarser_pages_then_other_layers_stand_in_for_what_is_missing() {
    let mut fine = ByRule::new(|level, x, _| match (level, x) {
        (0, 512..600) => Texel::of(UNKNOWN),
        (0, _) => Texel::of(0),
        _ => Texel::of(1),
    });
    fine.levels = 0..2;
    fine.missing = vec![id(0, 1, 0), id(0, 3, 0), id(1, 1, 0)];
    let coarse = ByRule::plain(2);
    let raster = Raster {
        size_px: (1024, 256),
        ..SMALL
    };
    let wide = Raster {
        slide_px_per_px: (8.0, 8.0),
        size_px: (128, 32),
    };
    let layers = [layer(raster, &fine), layer(wide, &coarse)];
    let view = view_at(0.0, 0.0, (1024, 256), 1.0);
    let picture = overlaid(&view, &layers, &[], &opaque());
    let at = |x: u32| rgb(&picture, x, 100);
    assert_eq!(
        (at(255), at(256), at(511)),
        (class_rgb(0), class_rgb(1), class_rgb(1))
    );
    assert_eq!(
        (at(512), at(599)),
        (class_rgb(2), class_rgb(2)),
        "unknown texels"
    );
    assert_eq!((at(600), at(767)), (class_rgb(0), class_rgb(0)));
    assert_eq!(
        (at(768), at(1023)),
        (class_rgb(2), class_rgb(2)),
        "no level has it"
    );
    assert_eq!(
        registration_error_px(&picture, &layers, &opaque(), &view),
        Ok(0.0)
    );
}

#[test]
fn hidden_classes_and_glass_show_the_slide_and_not_what_is_coarser() {
    let fine = ByRule::new(|_, x, _| Texel::of(if x < 128 { 1 } else { NOT_ANALYSED }));
    let coarse = ByRule::plain(2);
    let layers = [layer(SMALL, &fine), layer(SMALL, &coarse)];
    let mut style = opaque();
    style.palette[1][3] = 0;
    let view = view_at(0.0, 0.0, (256, 256), 1.0);
    let picture = overlaid(&view, &layers, &[], &style);
    let bare = draw(&slide(), &view, &plain()).pixels;
    assert_eq!(largest_difference(&picture, &bare), 0);
}

#[test]
fn without_opacity_or_layers_the_picture_is_untouched() {
    let pages = ByRule::new(speckled);
    let layers = [layer(SMALL, &pages)];
    let view = view_at(-20.0, -30.0, (300, 300), 0.7);
    let invisible = OverlayStyle {
        opacity: 0.0,
        shape: OverlayShape::Both,
        ..opaque()
    };
    let bare = draw(&slide(), &view, &plain()).pixels;
    // Draws something first, which must not stay.
    assert_ne!(overlaid(&view, &layers, &[], &opaque()).data, bare.data);
    assert_eq!(overlaid(&view, &layers, &[], &invisible).data, bare.data);
    assert_ne!(overlaid(&view, &layers, &[], &opaque()).data, bare.data);
    assert_eq!(overlaid(&view, &[], &layers, &opaque()).data, bare.data);
    assert_eq!(draw(&slide(), &view, &plain()).pixels.data, bare.data);
}

#[test]
fn opacity_lets_as_much_of_the_slide_through_as_it_says() {
    let pages = ByRule::plain(3);
    let layers = [layer(SMALL, &pages)];
    let mut style = opaque();
    (style.opacity, style.palette[3][3]) = (0.5, 128);
    let picture = overlaid(&view_at(0.0, 0.0, (60, 60), 1.0), &layers, &[], &style);
    let alpha = 0.5 * 128.0 / 255.0;
    let seen = rgb(&picture, 30, 30);
    for ((seen, over), under) in seen.into_iter().zip(class_rgb(3)).zip(BLANK_RGB) {
        let wanted = f64::from(over) * alpha + f64::from(under) * (1.0 - alpha);
        let off = f64::from(seen) - wanted;
        assert!(off.abs() <= 1.0, "off by {off}");
    }
}

#[test]
fn rare_regions_stay_visible_on_coarser_levels_when_asked_for() {
    let raster = Raster {
        size_px: (1024, 1024),
        ..SMALL
    };
    let mut pyramid = LabelPyramid::new(raster, Ranks::by_rarity(&[9.0, 0.1]), 1 << 30);
    let mut page = Page::new(1);
    page.texels_mut().fill(Texel::of(0));
    page.texels_mut()[(100 * PAGE_PX + 60) as usize] = Texel::of(1);
    pyramid.put([(id(0, 0, 0), page)]);
    let by_level = ByRule::new(move |level, x, y| {
        let page = pyramid.peek(id(level, x / PAGE_PX, y / PAGE_PX));
        page.map_or(Texel::UNKNOWN, |page| page.texel(x % PAGE_PX, y % PAGE_PX))
    });
    let layers = [layer(raster, &by_level)];
    let view = view_at(0.0, 0.0, (64, 64), 4.0);
    let any = OverlayStyle {
        show_any: true,
        ..opaque()
    };
    let (x, y) = (60 / 4, 100 / 4);
    let [mode, any] = [opaque(), any].map(|style| overlaid(&view, &layers, &[], &style));
    assert_eq!(
        (rgb(&mode, x, y), rgb(&any, x, y)),
        (class_rgb(0), class_rgb(1))
    );
    assert_eq!(rgb(&any, x + 1, y), class_rgb(0));
}

#[test]
fn a_page_that_changes_is_copied_again() {
    let (old, new) = (ByRule::plain(4), ByRule::plain(5));
    let mut layers = [layer(SMALL, &old)];
    let view = view_at(0.0, 0.0, (40, 40), 1.0);
    assert_eq!(
        rgb(&overlaid(&view, &layers, &[], &opaque()), 9, 9),
        class_rgb(4)
    );
    // The same raster, other content of its pages.
    layers[0].pages = &new;
    assert_eq!(
        rgb(&overlaid(&view, &layers, &[], &opaque()), 9, 9),
        class_rgb(5)
    );
}

#[test]
fn a_swipe_shows_before_on_its_left_now_on_its_right_and_a_line_between() {
    let (now, before) = (ByRule::plain(0), ByRule::plain(1));
    let raster = Raster {
        slide_px_per_px: (40.0, 40.0),
        size_px: (256, 256),
    };
    let (layers, earlier) = ([layer(raster, &now)], [layer(raster, &before)]);
    // So wide that it is drawn in parts.
    let view = view_at(0.0, 0.0, (5000, 20), 1.0);
    let mut style = opaque();
    for swipe in [0.25, 0.8] {
        style.swipe = Some(swipe);
        let line = (swipe * 5000.0) as u32;
        for (before_layers, left) in [(&earlier[..], class_rgb(1)), (&[], BLANK_RGB)] {
            let picture = overlaid(&view, &layers, before_layers, &style);
            let at = |x: u32| rgb(&picture, x, 10);
            assert_eq!((at(0), at(line - 3)), (left, left));
            assert_eq!((at(line - 1), at(line)), ([255; 3], [255; 3]));
            assert_eq!((at(line + 2), at(4999)), (class_rgb(0), class_rgb(0)));
        }
    }
    style.swipe = None;
    assert_eq!(
        rgb(&overlaid(&view, &layers, &earlier, &style), 0, 10),
        class_rgb(0)
    );
}

#[test]
fn what_failed_is_striped() {
    let pages = ByRule::plain(FAILED);
    let layers = [layer(SMALL, &pages)];
    for shape in [OverlayShape::Fill, OverlayShape::Outline] {
        let style = OverlayStyle { shape, ..opaque() };
        let picture = overlaid(&view_at(0.0, 0.0, (200, 200), 1.0), &layers, &[], &style);
        let share = |level: u8| {
            let px = picture.data.chunks_exact(4);
            let like = px.filter(|px| px[..3].iter().all(|v| v.abs_diff(level) <= 1));
            like.count() as f64 / 40_000.0
        };
        assert!(
            share(38) > 0.3 && share(204) > 0.3,
            "{} {}",
            share(38),
            share(204)
        );
    }
}

#[test]
fn outlines_are_as_wide_on_screen_as_they_are_asked_to_be() {
    let halves = ByRule::new(|_, x, _| Texel::of(u8::from(x >= 128)));
    let layers = [layer(SMALL, &halves)];
    for (width, scale) in [(2.0, 1.0), (4.0, 1.0), (2.0, 0.25), (3.0, 0.25)] {
        let style = OverlayStyle {
            shape: OverlayShape::Outline,
            outline_px: width,
            ..opaque()
        };
        let view = view_at(128.0 - 50.0 * scale, 20.0, (100, 40), scale);
        let picture = overlaid(&view, &layers, &[], &style);
        let drawn: Vec<u32> = (0..100)
            .filter(|x| rgb(&picture, *x, 20) != BLANK_RGB)
            .collect();
        assert!(
            (drawn.len() as f32 - width).abs() <= 1.0,
            "{width}: {drawn:?}"
        );
        assert!(drawn.contains(&49) && drawn.contains(&50), "{drawn:?}");
        let darker = class_rgb(0).map(|v| (f32::from(v) * 0.7).round() as u8);
        assert_eq!(rgb(&picture, 49, 20), darker);
    }
}

#[test]
fn outlines_go_on_where_a_large_picture_is_drawn_in_parts() {
    let halves = ByRule::new(|_, x, _| Texel::of(u8::from(x >= 125)));
    let raster = Raster {
        slide_px_per_px: (20.0, 20.0),
        size_px: (256, 256),
    };
    let style = OverlayStyle {
        shape: OverlayShape::Outline,
        outline_px: 4.0,
        ..opaque()
    };
    // Cut in the middle, where the border is.
    let view = view_at(0.0, 0.0, (5000, 8), 1.0);
    let picture = overlaid(&view, &[layer(raster, &halves)], &[], &style);
    let drawn: Vec<u32> = (0..5000)
        .filter(|x| rgb(&picture, *x, 4) != BLANK_RGB)
        .collect();
    assert_eq!(drawn, [2498, 2499, 2500, 2501]);
}

#[test]
fn only_borders_that_are_known_and_shown_are_outlined() {
    let pages = ByRule::new(|_, x, _| {
        Texel::of([0, UNKNOWN, 1, NOT_ANALYSED, 2, 0][(x / 40).min(5) as usize])
    });
    let layers = [layer(SMALL, &pages)];
    let mut style = OverlayStyle {
        shape: OverlayShape::Outline,
        ..opaque()
    };
    style.palette[2][3] = 0;
    let picture = overlaid(&view_at(0.0, 0.0, (256, 40), 1.0), &layers, &[], &style);
    let border = |x: u32| [x - 1, x].map(|x| rgb(&picture, x, 20) != BLANK_RGB);
    assert_eq!(border(40), [false; 2], "where the unknown begins");
    assert_eq!(border(80), [false; 2]);
    assert_eq!(border(120), [true; 2], "a class that ends at glass");
    assert_eq!(border(160), [false; 2], "glass and a hidden class");
    assert_eq!(
        border(200),
        [true; 2],
        "a hidden class and one that is shown"
    );
}

#[test]
fn only_what_is_provisional_is_hatched_and_the_hatch_moves_with_the_slide() {
    let mut pages = ByRule::plain(0);
    let style = OverlayStyle {
        mark_provisional: true,
        ..opaque()
    };
    let raster = Raster {
        size_px: (600, 600),
        ..SMALL
    };
    let view = view_at(40.0, 30.0, (200, 150), 1.0);
    let plain_px = |picture: &Rgba| {
        let px = picture.data.chunks_exact(4);
        px.filter(|px| px[..3] == class_rgb(0)).count()
    };
    let current = overlaid(&view, &[layer(raster, &pages)], &[], &style);
    assert_eq!(plain_px(&current), 200 * 150);
    // Only the first column of the page's parts is: it ends before the view begins.
    pages.current = 0x0101_0101_0101_0101;
    let layers = [layer(raster, &pages)];
    let hatched = overlaid(&view, &layers, &[], &style);
    let share = plain_px(&hatched) as f64 / (200.0 * 150.0);
    assert!((0.4..0.95).contains(&share), "{share}");
    let mut moved_view = view;
    moved_view.pan(ScreenVector::new(-37.0, -21.0));
    let moved = overlaid(&moved_view, &layers, &[], &style);
    for (x, y) in [(0, 0), (5, 77), (100, 100), (160, 128), (162, 3)] {
        let pair = (rgb(&hatched, x + 37, y + 21), rgb(&moved, x, y));
        assert!(
            (0..3).all(|c| pair.0[c].abs_diff(pair.1[c]) <= 2),
            "{pair:?}"
        );
    }
}

#[test]
fn a_veil_lies_where_a_map_says_nothing_and_nowhere_else() {
    // Left uncoloured, coloured, not analysed, failed, unknown.
    let pages = ByRule::new(|_, x, _| {
        Texel::of(match x {
            0..40 => 0,
            40..80 => 1,
            80..120 => NOT_ANALYSED,
            120..160 => FAILED,
            _ => UNKNOWN,
        })
    });
    let layers = [layer(SMALL, &pages)];
    let style = |veils_rest: bool| OverlayStyle {
        palette: vec![[9, 9, 9, 0], [213, 94, 0, 255]],
        veils_rest,
        ..opaque()
    };
    let view = view_at(0.0, 0.0, (300, 40), 1.0);
    let veiled = overlaid(&view, &layers, &[], &style(true));
    let plain = overlaid(&view, &layers, &[], &style(false));
    for (x, is_veiled) in [
        (20, false),
        (60, false),
        (100, true),
        (140, false),
        (200, true),
        (280, false),
    ] {
        let (with, without) = (rgb(&veiled, x, 20), rgb(&plain, x, 20));
        assert_eq!(with != without, is_veiled, "{x}: {with:?} for {without:?}");
        let meant = BLANK_RGB.map(|c| f64::from(c) * 0.4 + 96.0 * 0.6);
        let near = |(c, meant): (u8, f64)| (f64::from(c) - meant).abs() <= 2.0;
        assert!(
            !is_veiled || with.into_iter().zip(meant).all(near),
            "{with:?}"
        );
    }
    let swiped = OverlayStyle {
        swipe: Some(1.0),
        ..style(true)
    };
    let swiped = overlaid(&view, &layers, &layers, &swiped);
    assert_eq!(
        rgb(&swiped, 100, 20),
        BLANK_RGB,
        "other maps are no comparison"
    );
}

#[test]
fn values_are_shown_as_heat_and_colours_as_themselves() {
    let texel = |x: u32, known: u8| Texel {
        code: if known > 0 { 3 } else { UNKNOWN },
        any: 200,
        value: x as u8,
        extra: if known > 0 { 255 - x as u8 } else { 0 },
    };
    let pages = ByRule::new(move |_, x, y| texel(x, u8::from(y < 100)));
    let layers = [layer(SMALL, &pages)];
    let view = view_at(0.0, 0.0, (256, 120), 1.0);
    let drawn = |content| {
        let style = OverlayStyle {
            content,
            shape: OverlayShape::Fill,
            ..opaque()
        };
        overlaid(&view, &layers, &[], &style)
    };
    let [value, extra, colours] = [
        OverlayContent::Value,
        OverlayContent::Extra,
        OverlayContent::Colours,
    ]
    .map(drawn);
    for x in [0, 77, 130, 254] {
        assert_eq!(rgb(&value, x, 50), heat_rgb(x as u8));
        assert_eq!(rgb(&extra, x, 50), heat_rgb(255 - x as u8));
        assert_eq!(rgb(&colours, x, 50), [3, 200, x as u8]);
        assert_eq!(rgb(&value, x, 110), BLANK_RGB);
        assert_eq!(rgb(&colours, x, 110), BLANK_RGB);
    }
}
