//! Where scale bar and legend go: a strip below the picture, so that nothing covers tissue.
//!
//! Plain numbers: what is measured is told, what is drawn comes out.

use crate::geometry::ScaleBar;
use crate::gpu::overlay::OverlayShape;

use super::legend::{Legend, LegendClass, LegendKey};

/// Colour of the strip.
pub const PLATE_RGB: [u8; 3] = [0xFF; 3];

/// Colour of text and bar.
pub const INK_RGB: [u8; 3] = [0x10; 3];

/// Frame of a colour, so that a light one is seen on the plate.
const FRAME_RGB: [u8; 3] = [0x80; 3];

/// Around the strip and between things in it, points.
const MARGIN_PT: f32 = 10.0;

/// Between a colour and its name, points.
const GAP_PT: f32 = 5.0;

/// The scale bar's stroke and the ticks at its ends, points.
const STROKE_PT: f32 = 2.0;
const TICK_PT: f32 = 8.0;

/// A heat map's colours, points wide.
const HEAT_PT: f32 = 120.0;

/// A rectangle of the picture, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PxRect {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Number of columns.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl PxRect {
    /// Smaller by `by` px on every side; empty where there is no more.
    fn within(self, by: u32) -> Self {
        Self {
            left: self.left + by,
            top: self.top + by,
            width: self.width.saturating_sub(2 * by),
            height: self.height.saturating_sub(2 * by),
        }
    }
}

/// Something in the strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A line of text.
    Text(PxRect, String),
    /// An area of one colour.
    Area(PxRect, [u8; 3]),
    /// A heat map's colours from left to right.
    Heat(PxRect),
}

/// The picture with its strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// Width and height of picture and strip together, px. The picture is at the top left.
    pub size_px: (u32, u32),
    /// What is in the strip; later ones lie on earlier ones.
    pub marks: Vec<Mark>,
}

/// How large text is.
pub struct TextSize<'a> {
    /// Width of a line, px.
    pub width_px: &'a mut dyn FnMut(&str) -> u32,
    /// Height of a line, px.
    pub line_px: u32,
    /// Px of the picture a point: greater than 1 on fine screens and where pictures are enlarged.
    pub px_per_pt: f32,
}

/// Something that stands on a line, unbroken.
struct Piece {
    width_px: u32,
    marks: Vec<Mark>,
}

impl Strip {
    /// Lays out a strip below a picture: bar and title, then classes, then notes, as many on a line
    /// as there is room for. Lengths of the bar are px. A picture too narrow for a class's name
    /// gets a wider strip.
    pub fn below(
        picture_px: (u32, u32),
        bar: Option<&ScaleBar>,
        legend: Option<&Legend>,
        text: &mut TextSize<'_>,
    ) -> Self {
        let mut lines: Vec<Vec<Piece>> =
            vec![bar.map(|bar| bar_piece(bar, text)).into_iter().collect()];
        if let Some(legend) = legend {
            lines[0].extend(words(&legend.title, picture_px.0, text));
            lines.push(key_pieces(&legend.key, text));
            let notes = legend.notes.iter();
            lines.extend(notes.map(|note| words(note, picture_px.0, text)));
        }
        lines.retain(|line| !line.is_empty());
        Flow::new(picture_px, &lines, text).place(lines)
    }
}

/// Pieces set one after the other.
struct Flow {
    left: u32,
    top: u32,
    margin: u32,
    line_px: u32,
    size_px: (u32, u32),
    marks: Vec<Mark>,
}

impl Flow {
    fn new(picture_px: (u32, u32), lines: &[Vec<Piece>], text: &TextSize<'_>) -> Self {
        let margin = px(MARGIN_PT, text);
        let widest = lines.iter().flatten().map(|piece| piece.width_px).max();
        let width = widest.map_or(0, |widest| widest + 2 * margin);
        Self {
            left: margin,
            top: picture_px.1 + margin,
            margin,
            line_px: text.line_px,
            size_px: (picture_px.0.max(width), picture_px.1),
            marks: Vec::new(),
        }
    }

    fn place(mut self, lines: Vec<Vec<Piece>>) -> Strip {
        let is_empty = lines.is_empty();
        for line in lines {
            for piece in line {
                let right = self.left + piece.width_px + self.margin;
                if right > self.size_px.0 && self.left > self.margin {
                    self.new_line();
                }
                let (left, top) = (self.left, self.top);
                self.marks
                    .extend(piece.marks.into_iter().map(|mark| mark.moved(left, top)));
                self.left += piece.width_px + self.margin;
            }
            self.new_line();
        }
        // A line's distance to the next is half the margin; the last one's to the edge all of it.
        let bottom = self.top + self.margin - self.margin / 2;
        Strip {
            size_px: (
                self.size_px.0,
                if is_empty { self.size_px.1 } else { bottom },
            ),
            marks: self.marks,
        }
    }

    fn new_line(&mut self) {
        self.left = self.margin;
        self.top += self.line_px + self.margin / 2;
    }
}

impl Mark {
    fn moved(self, left: u32, top: u32) -> Self {
        let moved = |rect: PxRect| PxRect {
            left: rect.left + left,
            top: rect.top + top,
            ..rect
        };
        match self {
            Self::Text(rect, text) => Self::Text(moved(rect), text),
            Self::Area(rect, rgb) => Self::Area(moved(rect), rgb),
            Self::Heat(rect) => Self::Heat(moved(rect)),
        }
    }
}

/// Points as whole px, at least one.
fn px(pt: f32, text: &TextSize<'_>) -> u32 {
    (pt * text.px_per_pt).round().max(1.0) as u32
}

/// The bar with its text to the right.
fn bar_piece(bar: &ScaleBar, text: &mut TextSize<'_>) -> Piece {
    let (stroke, tick, gap) = (px(STROKE_PT, text), px(TICK_PT, text), px(GAP_PT, text));
    let length = bar.length.round() as u32;
    let top = text.line_px.saturating_sub(tick) / 2;
    let upright = |left: u32| PxRect {
        left,
        top,
        width: stroke,
        height: tick,
    };
    let line = PxRect {
        left: 0,
        top: top + (tick - stroke.min(tick)) / 2,
        width: length,
        height: stroke,
    };
    let ticks = [upright(0), upright(length.saturating_sub(stroke))];
    let areas = [line].into_iter().chain(ticks);
    let marks = areas.map(|rect| Mark::Area(rect, INK_RGB)).collect();
    named(marks, length + gap, &bar.text, text)
}

/// Marks with a text to the right, from column `left` on.
fn named(mut marks: Vec<Mark>, left: u32, name: &str, text: &mut TextSize<'_>) -> Piece {
    let width = (text.width_px)(name);
    let rect = PxRect {
        left,
        top: 0,
        width,
        height: text.line_px,
    };
    marks.push(Mark::Text(rect, name.to_owned()));
    Piece {
        width_px: left + width,
        marks,
    }
}

fn key_pieces(key: &LegendKey, text: &mut TextSize<'_>) -> Vec<Piece> {
    match key {
        LegendKey::Classes(classes, shape) => classes
            .iter()
            .map(|class| class_piece(class, *shape, text))
            .collect(),
        LegendKey::Heat { low, high } => vec![heat_piece(low, high, text)],
        LegendKey::Unnamed => Vec::new(),
    }
}

/// A square as regions are drawn, and the class's name.
fn class_piece(class: &LegendClass, shape: OverlayShape, text: &mut TextSize<'_>) -> Piece {
    let side = text.line_px * 3 / 4;
    let whole = PxRect {
        left: 0,
        top: (text.line_px - side) / 2,
        width: side,
        height: side,
    };
    let line = px(STROKE_PT, text);
    let outline = crate::gpu::overlay::outline_rgb(class.rgb);
    let marks = match shape {
        OverlayShape::Fill => vec![
            Mark::Area(whole, FRAME_RGB),
            Mark::Area(whole.within(1), class.rgb),
        ],
        OverlayShape::Outline => vec![
            Mark::Area(whole, outline),
            Mark::Area(whole.within(line), PLATE_RGB),
        ],
        OverlayShape::Both => vec![
            Mark::Area(whole, outline),
            Mark::Area(whole.within(line), class.rgb),
        ],
    };
    let gap = px(GAP_PT, text);
    named(marks, side + gap, &class.name, text)
}

/// A heat map's colours between the words for their ends.
fn heat_piece(low: &str, high: &str, text: &mut TextSize<'_>) -> Piece {
    let gap = px(GAP_PT, text);
    let first = named(Vec::new(), 0, low, text);
    let heat = PxRect {
        left: first.width_px + gap,
        top: text.line_px / 8,
        width: px(HEAT_PT, text),
        height: text.line_px * 3 / 4,
    };
    let mut marks = first.marks;
    marks.push(Mark::Heat(heat));
    named(marks, heat.left + heat.width + gap, high, text)
}

/// A text, broken between words into lines that fit into a picture of this width.
fn words(line: &str, picture_width_px: u32, text: &mut TextSize<'_>) -> Vec<Piece> {
    let room = picture_width_px.saturating_sub(2 * px(MARGIN_PT, text));
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer.filter(|longer| (text.width_px)(longer) <= room) {
            Some(longer) => {
                lines.pop();
                lines.push(longer);
            }
            None => lines.push(word.to_owned()),
        }
    }
    let piece = |line: &String| named(Vec::new(), 0, line, text);
    lines.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Mpp;
    use proptest::prelude::*;

    fn text(px_per_pt: f32, width_px: &mut dyn FnMut(&str) -> u32) -> TextSize<'_> {
        TextSize {
            width_px,
            line_px: (16.0 * px_per_pt) as u32,
            px_per_pt,
        }
    }

    fn rect(mark: &Mark) -> PxRect {
        match mark {
            Mark::Text(rect, _) | Mark::Area(rect, _) | Mark::Heat(rect) => *rect,
        }
    }

    fn overlap(a: PxRect, b: PxRect) -> bool {
        a.left < b.left + b.width
            && b.left < a.left + a.width
            && a.top < b.top + b.height
            && b.top < a.top + a.height
    }

    fn legend(classes: usize, shape: OverlayShape) -> Legend {
        let class = |n: usize| LegendClass {
            name: format!("class {}", "x".repeat(n % 9)),
            rgb: [n as u8, 100, 200],
        };
        Legend {
            title: "breast, 40x with the context of 10x: areas".into(),
            key: LegendKey::Classes((0..classes).map(class).collect(), shape),
            notes: vec!["Research use. Starter weights trained on synthetic tissue.".into()],
        }
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_covers_the_picture(
            width in 1_u32..4000,
            classes in 0_usize..40,
            scale in 1_u32..4,
            has_bar: bool,
        ) {
            let per_letter = 7 * scale;
            let mut measure = |text: &str| text.chars().count() as u32 * per_letter;
            let bar = ScaleBar { text: "100 µm".into(), length: 80.0 };
            let legend = legend(classes, OverlayShape::Both);
            let strip = Strip::below(
                (width, 300),
                has_bar.then_some(&bar),
                Some(&legend),
                &mut text(scale as f32, &mut measure),
            );
            for mark in &strip.marks {
                let rect = rect(mark);
                prop_assert!(rect.top >= 300 && rect.top + rect.height <= strip.size_px.1);
                prop_assert!(rect.left + rect.width <= strip.size_px.0);
            }
            let is_text = |mark: &&Mark| matches!(mark, Mark::Text(..));
            let texts: Vec<PxRect> = strip.marks.iter().filter(is_text).map(rect).collect();
            for (n, a) in texts.iter().enumerate() {
                prop_assert!(texts[n + 1..].iter().all(|b| !overlap(*a, *b)));
                let areas = strip.marks.iter().filter(|mark| !is_text(mark));
                prop_assert!(areas.map(rect).all(|b| !overlap(*a, b)));
            }
            let named = texts.len() - usize::from(has_bar);
            prop_assert!(named >= classes + 2, "all are there");
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_text_says() {
        // 2 level-0 px a px, 0.25 µm each: 0.5 µm a px, so that 50 µm are 100 px.
        let bar = ScaleBar::new(2.0, Mpp::square(0.25), 120.0).unwrap();
        let mut measure = |text: &str| text.len() as u32 * 7;
        let strip = Strip::below((800, 600), Some(&bar), None, &mut text(1.0, &mut measure));
        assert_eq!(bar.text, "50 µm");
        let areas: Vec<PxRect> = strip.marks[..3].iter().map(rect).collect();
        let right = areas.iter().map(|rect| rect.left + rect.width).max();
        let left = areas.iter().map(|rect| rect.left).min();
        assert_eq!(right.unwrap() - left.unwrap(), 100);
        assert_eq!(strip.size_px, (800, 600 + 10 + 16 + 5 + 5));
    }

    #[test]
    fn without_anything_to_say_there_is_no_strip() {
        let mut measure = |_: &str| 9;
        let strip = Strip::below((80, 60), None, None, &mut text(1.0, &mut measure));
        assert_eq!(
            strip,
            Strip {
                size_px: (80, 60),
                marks: Vec::new()
            }
        );
    }
}
