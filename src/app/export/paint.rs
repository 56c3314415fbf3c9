//! The strip's marks as px.

use egui::FontInsert;

use crate::geometry::ScaleBar;
use crate::gpu::overlay::heat_rgb;
use crate::slide::Rgba;

use super::legend::{Legend, LegendKey};
use super::lettering::Lettering;
use super::strip::{INK_RGB, Mark, PLATE_RGB, PxRect, Strip, TextSize};

/// Size of text, points.
const TEXT_PT: f32 = 13.0;

/// What stands below a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StripContent {
    /// A scale bar whose length is in px of the picture.
    pub bar: Option<ScaleBar>,
    /// What the overlay's colours mean.
    pub legend: Option<Legend>,
}

/// A picture with its strip.
pub struct Labelled {
    /// The picture, at the top left, and the strip below it; opaque.
    pub pixels: Rgba,
    /// Texts with letters that no font has; those stand there as `[U+56F3]`.
    pub unwritten: Vec<String>,
}

/// Puts a strip below a picture, unless there is nothing to stand in it. `px_per_pt`: px of the picture a point; `others` as in
/// [`Lettering::new`].
pub fn with_strip(
    picture: Rgba,
    content: &StripContent,
    px_per_pt: f32,
    others: &[FontInsert],
) -> Labelled {
    if *content == StripContent::default() {
        let unwritten = Vec::new();
        return Labelled {
            pixels: picture,
            unwritten,
        };
    }
    let px_per_pt = px_per_pt.max(1.0);
    let mut letters = Lettering::new((TEXT_PT * px_per_pt).round(), others);
    let mut unwritten = Vec::new();
    let legend = content.legend.clone();
    let legend = legend.map(|legend| writable(legend, &mut letters, &mut unwritten));
    let mut text = TextSize {
        line_px: letters.line_px(),
        width_px: &mut |text| letters.width_px(text),
        px_per_pt,
    };
    let size_px = (picture.width, picture.height);
    let strip = Strip::below(size_px, content.bar.as_ref(), legend.as_ref(), &mut text);
    let mut pixels = plate(strip.size_px);
    pixels.paste(&picture, 0, 0);
    for mark in &strip.marks {
        draw(mark, &mut pixels, &mut letters);
    }
    Labelled { pixels, unwritten }
}

/// The legend in letters that there are.
fn writable(mut legend: Legend, letters: &mut Lettering, unwritten: &mut Vec<String>) -> Legend {
    let mut change = |text: &mut String| {
        let (writable, lacks) = letters.writable(text);
        if lacks {
            unwritten.push(std::mem::take(text));
        }
        *text = writable;
    };
    change(&mut legend.title);
    legend.notes.iter_mut().for_each(&mut change);
    match &mut legend.key {
        LegendKey::Classes(classes, _) => {
            classes.iter_mut().for_each(|class| change(&mut class.name));
        }
        LegendKey::Heat { low, high } => [low, high].into_iter().for_each(change),
        LegendKey::Unnamed => {}
    }
    legend
}

fn plate((width, height): (u32, u32)) -> Rgba {
    let [r, g, b] = PLATE_RGB;
    Rgba {
        width,
        height,
        data: [r, g, b, 255].repeat(width as usize * height as usize),
    }
}

fn draw(mark: &Mark, picture: &mut Rgba, letters: &mut Lettering) {
    match mark {
        Mark::Text(rect, text) => letters.write(picture, (rect.left, rect.top), text, INK_RGB),
        Mark::Area(rect, rgb) => fill(picture, *rect, |_| *rgb),
        Mark::Heat(rect) => {
            let last = rect.width.saturating_sub(1).max(1);
            fill(picture, *rect, |column| {
                heat_rgb((column * 255 / last) as u8)
            });
        }
    }
}

/// Fills a rectangle within the picture with a colour for each of its columns.
fn fill(picture: &mut Rgba, rect: PxRect, rgb: impl Fn(u32) -> [u8; 3]) {
    let row_bytes = picture.width as usize * 4;
    let rows = picture.data.chunks_exact_mut(row_bytes.max(4));
    for row in rows.skip(rect.top as usize).take(rect.height as usize) {
        let px = row.chunks_exact_mut(4).skip(rect.left as usize);
        for (px, column) in px.zip(0..rect.width) {
            px[..3].copy_from_slice(&rgb(column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::export::legend::LegendClass;
    use crate::gpu::overlay::{OverlayShape, outline_rgb};

    const RGB: [[u8; 3]; 2] = [[230, 159, 0], [0, 114, 178]];

    fn content(shape: OverlayShape) -> StripContent {
        let class = |(name, rgb): (&str, [u8; 3])| LegendClass {
            name: name.into(),
            rgb,
        };
        let classes = [("tumor", RGB[0]), ("図", RGB[1])].map(class);
        StripContent {
            bar: Some(ScaleBar {
                text: "200 µm".into(),
                length: 90.0,
            }),
            legend: Some(Legend {
                title: "breast, 10x: areas".into(),
                key: LegendKey::Classes(classes.into(), shape),
                notes: vec!["Research use.".into()],
            }),
        }
    }

    fn picture() -> Rgba {
        Rgba {
            width: 320,
            height: 50,
            data: [90, 91, 92, 255].repeat(320 * 50),
        }
    }

    /// Number of px of a colour.
    fn count(picture: &Rgba, rgb: [u8; 3]) -> usize {
        let px = picture.data.chunks_exact(4);
        px.filter(|px| px[..3] == rgb).count()
    }

    #[test]
    fn the_picture_is_untouched_and_every_class_has_its_colour() {
        let shapes = [
            OverlayShape::Fill,
            OverlayShape::Outline,
            OverlayShape::Both,
        ];
        for shape in shapes {
            let labelled = with_strip(picture(), &content(shape), 1.0, &[]);
            let pixels = &labelled.pixels;
            assert_eq!(pixels.width, 320);
            let own = pixels.data.iter().take(320 * 50 * 4).copied();
            assert!(own.eq(picture().data), "{shape:?}");
            for rgb in RGB {
                let (areas, lines) = (count(pixels, rgb), count(pixels, outline_rgb(rgb)));
                let (area, line) = (areas > 30, lines > 30);
                let is_outline = shape == OverlayShape::Outline;
                assert_eq!((area, line), (!is_outline, shape != OverlayShape::Fill));
            }
            assert_eq!(labelled.unwritten, ["図"], "told, not drawn as a box");
        }
    }

    #[test]
    fn the_bar_is_as_long_in_px_as_asked() {
        let labelled = with_strip(picture(), &content(OverlayShape::Fill), 1.0, &[]);
        let pixels = labelled.pixels;
        let run = |y: u32| {
            let row =
                (0..pixels.width).map(|x| pixels.pixel(x, y) == Some([0x10, 0x10, 0x10, 255]));
            row.fold((0, 0), |(run, longest): (u32, u32), ink| {
                let run = if ink { run + 1 } else { 0 };
                (run, longest.max(run))
            })
        };
        let longest = (50..pixels.height).map(|y| run(y).1).max();
        assert_eq!(longest, Some(90));
    }

    #[test]
    fn twice_the_points_are_twice_the_size() {
        let height = |scale| {
            let labelled = with_strip(picture(), &content(OverlayShape::Fill), scale, &[]);
            labelled.pixels.height - 50
        };
        assert!(height(2.0) > height(1.0) * 3 / 2);
    }
}
