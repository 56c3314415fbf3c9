//! Drawing on an SVG, and the looks that all pictures share.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Where a picture is drawn.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A place, px from the area's top-left corner.
pub type Place = (i32, i32);

/// A picture that can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot can't be drawn: {0}")]
pub struct PlotError(String);

/// What plotters says, as our error.
pub fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError(error.to_string())
}

/// Words.
pub const TEXT: RGBColor = RGBColor(40, 40, 40);
/// Lines behind the data.
pub const FAINT: RGBColor = RGBColor(225, 225, 225);
/// What stands beside the data: floors, chance.
pub const GREY: RGBColor = RGBColor(130, 130, 130);

/// Colours that the colour-blind tell apart (Okabe and Ito 2008), without black and yellow.
pub const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

const FONT: &str = "sans-serif";

/// What the title takes, px.
pub const TITLE_PX: u32 = 46;

/// Text of `px` height, anchored as `at` says.
pub fn style(px: i32, colour: RGBColor, at: (HPos, VPos)) -> TextStyle<'static> {
    let pos = Pos::new(at.0, at.1);
    (FONT, px).into_font().color(&colour).pos(pos)
}

/// Words at a place.
pub fn write(area: &Area, words: &str, style: &TextStyle, at: Place) -> Result<(), PlotError> {
    area.draw_text(words, style, at).map_err(failed)
}

/// A straight line between two places.
pub fn line(area: &Area, from: Place, to: Place, style: ShapeStyle) -> Result<(), PlotError> {
    area.draw(&PathElement::new(vec![from, to], style))
        .map_err(failed)
}

/// An upright rectangle between two corners.
pub fn block(area: &Area, from: Place, to: Place, style: ShapeStyle) -> Result<(), PlotError> {
    area.draw(&Rectangle::new([from, to], style))
        .map_err(failed)
}

/// A disc with a rim.
pub fn dot(
    area: &Area,
    at: Place,
    radius_px: i32,
    (fill, rim): (RGBColor, RGBColor),
) -> Result<(), PlotError> {
    for style in [fill.filled(), rim.stroke_width(2)] {
        area.draw(&Circle::new(at, radius_px, style))
            .map_err(failed)?;
    }
    Ok(())
}

/// A diamond.
pub fn diamond(
    area: &Area,
    (x, y): Place,
    radius_px: i32,
    style: ShapeStyle,
) -> Result<(), PlotError> {
    let r = radius_px;
    let corners = vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
    area.draw(&Polygon::new(corners, style)).map_err(failed)
}

/// An interval: a line with an end on each side.
pub fn whisker(
    area: &Area,
    (from, to): (i32, i32),
    y: i32,
    style: ShapeStyle,
) -> Result<(), PlotError> {
    line(area, (from, y), (to, y), style)?;
    for x in [from, to] {
        line(area, (x, y - 4), (x, y + 4), style)?;
    }
    Ok(())
}

/// About what the longest of some words takes at 13 px, with a margin, px.
pub fn words_px<'a>(words: impl IntoIterator<Item = &'a str>) -> i32 {
    let longest = words.into_iter().map(|w| w.chars().count()).max();
    (longest.unwrap_or(0) as i32 * 7 + 30).clamp(90, 300)
}

/// A titled SVG of `size` px on white, filled by `draw`.
///
/// # Errors
/// When it can't be drawn.
pub fn picture(
    title: &str,
    size: (u32, u32),
    draw: impl FnOnce(&Area) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let words = style(18, TEXT, (HPos::Left, VPos::Top));
        write(&root, title, &words, (14, 12))?;
        draw(&root)?;
        root.present().map_err(failed)?;
    }
    Ok(svg)
}
