//! A contact sheet: what the encoder is shown, for a person to judge.

use image::{Rgb, RgbImage};

use super::{CHILDREN, FamilyBatch, GRID, View};

/// Width between pictures, px, and its colour; children that were left out have it too.
const GAP_PX: u32 = 6;
const GAP: Rgb<u8> = Rgb([96, 96, 96]);

/// The first `shown` families, one a row: the first view's parent and its children in place at
/// half size, then the second view's.
pub fn contact_sheet(batch: &FamilyBatch, shown: usize) -> RgbImage {
    let side = batch.tile_px as u32 * 2;
    let rows = shown.min(batch.families) as u32;
    let mut sheet = RgbImage::from_pixel(4 * (side + GAP_PX), rows * (side + GAP_PX), GAP);
    for row in 0..rows {
        for (view, pictures) in (0_u32..).zip(&batch.views) {
            let corner = (view * 2 * (side + GAP_PX), row * (side + GAP_PX));
            draw_family(&mut sheet, corner, batch, pictures, row as usize);
        }
    }
    sheet
}

fn draw_family(
    sheet: &mut RgbImage,
    (left, top): (u32, u32),
    batch: &FamilyBatch,
    view: &View,
    family: usize,
) {
    let tile_px = batch.tile_px;
    let values = 3 * tile_px * tile_px;
    let parent = &view.parents[family * values..(family + 1) * values];
    for (x, y) in square(tile_px * 2) {
        let pixel = pixel_of(parent, tile_px, &[(x / 2, y / 2)]);
        sheet.put_pixel(left + x as u32, top + y as u32, pixel);
    }
    let left = left + tile_px as u32 * 2 + GAP_PX;
    let half = tile_px / 2;
    let children = batch
        .child_places
        .iter()
        .zip(view.children.chunks_exact(values));
    for (place, tile) in children.filter(|(place, _)| **place / CHILDREN == family) {
        let (row, column) = (place % CHILDREN / GRID, place % GRID);
        for (x, y) in square(half) {
            let (fx, fy) = (2 * x, 2 * y);
            let fine = [(fx, fy), (fx + 1, fy), (fx, fy + 1), (fx + 1, fy + 1)];
            let at = ((column * half + x) as u32, (row * half + y) as u32);
            sheet.put_pixel(left + at.0, top + at.1, pixel_of(tile, tile_px, &fine));
        }
    }
}

fn square(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |i| (i % side, i / side))
}

/// Mean of some px of a tile of planes.
fn pixel_of(planes: &[f32], side: usize, places: &[(usize, usize)]) -> Rgb<u8> {
    let lane = |lane: usize| {
        let of = |&(x, y): &(usize, usize)| planes[(lane * side + y) * side + x];
        let mean = places.iter().map(of).sum::<f32>() / places.len() as f32;
        (mean * 255.0 + 0.5) as u8
    };
    Rgb([lane(0), lane(1), lane(2)])
}
