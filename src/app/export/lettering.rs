//! Text in pictures, with the window's fonts and without a window.

use egui::epaint::text::TextOptions;
use egui::text::{Fonts, Galley};
use egui::{Color32, FontDefinitions, FontFamily, FontId, FontInsert};
use std::sync::Arc;

use crate::slide::Rgba;

/// Writes text of one size.
pub struct Lettering {
    fonts: Fonts,
    font: FontId,
}

impl Lettering {
    /// Letters of `size_px`. `others`: fonts that are asked where the program's own have no letter,
    /// such as those that the window found among the system's.
    pub fn new(size_px: f32, others: &[FontInsert]) -> Self {
        let mut definitions = FontDefinitions::default();
        for font in others {
            let data = Arc::new(font.data.clone());
            definitions.font_data.insert(font.name.clone(), data);
            let family = definitions.families.entry(FontFamily::Proportional);
            family.or_default().push(font.name.clone());
        }
        let options = TextOptions {
            // A letter looks the same wherever it stands: crisp, and the same in every file.
            subpixel_binning: false,
            ..TextOptions::default()
        };
        Self {
            fonts: Fonts::new(options, definitions),
            font: FontId::proportional(size_px),
        }
    }

    /// Height of a line, px.
    pub fn line_px(&mut self) -> u32 {
        let mut fonts = self.fonts.with_pixels_per_point(1.0);
        fonts.row_height(&self.font).ceil() as u32
    }

    /// Width of a line of text, px.
    pub fn width_px(&mut self, text: &str) -> u32 {
        self.lay_out(text).size().x.ceil() as u32
    }

    /// The text with what no font has a letter for as `[U+56F3]`, so that nothing turns into a box
    /// that stands for anything; and whether there was such.
    pub fn writable(&mut self, text: &str) -> (String, bool) {
        let mut writable = String::with_capacity(text.len());
        let mut lacks = false;
        for letter in text.chars() {
            match letter {
                letter if letter.is_whitespace() || letter.is_control() => writable.push(' '),
                letter if self.fonts.has_glyph(&self.font, letter) => writable.push(letter),
                letter => {
                    lacks = true;
                    writable.push_str(&format!("[U+{:04X}]", u32::from(letter)));
                }
            }
        }
        (writable, lacks)
    }

    /// Writes a line of text into a picture; (`left`, `top`) is the corner of its line, px. What
    /// would lie beyond the picture is cut off.
    pub fn write(&mut self, picture: &mut Rgba, (left, top): (u32, u32), text: &str, ink: [u8; 3]) {
        let galley = self.lay_out(text);
        let atlas = self.fonts.texture_atlas().image();
        for row in &galley.rows {
            for glyph in &row.row.glyphs {
                let place = row.pos.to_vec2() + glyph.pos.to_vec2() + glyph.uv_rect.offset;
                let x = i64::from(left) + place.x.round() as i64;
                let y = i64::from(top) + place.y.round() as i64;
                let [u, v] = glyph.uv_rect.min.map(usize::from);
                let [right, bottom] = glyph.uv_rect.max.map(usize::from);
                for (row, v) in (y..).zip(v..bottom) {
                    for (column, u) in (x..).zip(u..right) {
                        let texel = atlas.pixels[v * atlas.size[0] + u];
                        lay_on(picture, (column, row), texel, ink, glyph.is_color);
                    }
                }
            }
        }
    }

    fn lay_out(&mut self, text: &str) -> Arc<Galley> {
        let mut fonts = self.fonts.with_pixels_per_point(1.0);
        fonts.layout_no_wrap(text.to_owned(), self.font.clone(), Color32::BLACK)
    }
}

/// Lays a px of a letter on a px of the picture: ink as far as the letter covers it, or the
/// letter's own colour.
fn lay_on(picture: &mut Rgba, (x, y): (i64, i64), texel: Color32, ink: [u8; 3], own_colour: bool) {
    let (width, height) = (i64::from(picture.width), i64::from(picture.height));
    if texel.a() == 0 || !(0..width).contains(&x) || !(0..height).contains(&y) {
        return;
    }
    let at = (y * width + x) as usize * 4;
    let alpha = u32::from(texel.a());
    let own = [texel.r(), texel.g(), texel.b()].map(u32::from);
    for (n, value) in picture.data[at..at + 3].iter_mut().enumerate() {
        let over = if own_colour {
            own[n] * 255
        } else {
            u32::from(ink[n]) * alpha
        };
        *value = ((u32::from(*value) * (255 - alpha) + over + 127) / 255).min(255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn white(width: u32, height: u32) -> Rgba {
        Rgba {
            width,
            height,
            data: vec![255; width as usize * height as usize * 4],
        }
    }

    /// Columns and rows of the px that are not white.
    fn inked(picture: &Rgba) -> Vec<(u32, u32)> {
        let px = (0..picture.height).flat_map(|y| (0..picture.width).map(move |x| (x, y)));
        px.filter(|(x, y)| picture.pixel(*x, *y) != Some([255; 4]))
            .collect()
    }

    #[test]
    fn text_lies_within_its_line_and_is_as_wide_as_told() {
        let mut letters = Lettering::new(13.0, &[]);
        let (width, line) = (letters.width_px("100 µm, Glia"), letters.line_px());
        let mut picture = white(200, 60);
        letters.write(&mut picture, (20, 30), "100 µm, Glia", [16; 3]);
        let px = inked(&picture);
        assert!(px.len() > 100, "{}", px.len());
        let inside =
            |(x, y): &(u32, u32)| (20..20 + width).contains(x) && (30..30 + line).contains(y);
        assert!(px.iter().all(inside), "{width} x {line}");
        let darkest = px.iter().filter_map(|(x, y)| picture.pixel(*x, *y));
        assert!(darkest.map(|px| px[0]).min().unwrap() < 80, "crisp strokes");
        assert!((60..110).contains(&width) && (13..20).contains(&line));
    }

    #[test]
    fn what_sticks_out_is_cut_off() {
        let mut letters = Lettering::new(13.0, &[]);
        let mut picture = white(9, 9);
        letters.write(&mut picture, (4, 0), "WWW", [0; 3]);
        assert!(!inked(&picture).is_empty());
    }

    #[test]
    fn letters_that_no_font_has_are_named() {
        let mut letters = Lettering::new(13.0, &[]);
        let plain = "Drüse, στρώμα, железа: µm² +0.5";
        assert_eq!(letters.writable(plain), (plain.to_owned(), false));
        let named = letters.writable("図 a\tb");
        assert_eq!(named, ("[U+56F3] a b".to_owned(), true));
    }
}
