//! Tiles for evaluation: together they cover an image, and each px is scored in one of them.

use super::resample::Window;
use super::{IGNORE, Labelled, SetError};

/// A tile of an image at the scale of evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalTile {
    /// Column and row among the tiles: with the item a key of its own.
    pub place: (usize, usize),
    /// Left and top edge in the image, px.
    pub corner_px: (usize, usize),
    /// `3 · S · S` values, sRGB 0–1; white beyond an image that is smaller than a tile.
    pub tile: Vec<f32>,
    /// `S · S` class indices; [`IGNORE`] also where another tile scores the px.
    pub labels: Vec<u8>,
    /// Columns of the tile, from and up to, that it scores.
    pub columns: (usize, usize),
    /// Rows of the tile, from and up to, that it scores.
    pub rows: (usize, usize),
}

/// A tile along one axis: where it begins in the image, and the part of the image that it scores.
type Stretch = (usize, usize, usize);

/// The tiles of `image` (see [`Labelled::at_mpp`]) of `tile_px` px a side, rows from the top. At
/// least `halo_px` px lie between what a tile scores and its edge, save at the image's own border.
///
/// # Errors
/// When the halo leaves nothing of a tile.
pub fn eval_tiles(
    image: &Labelled,
    tile_px: usize,
    halo_px: usize,
) -> Result<impl ExactSizeIterator<Item = EvalTile> + '_, SetError> {
    if tile_px <= 2 * halo_px {
        let expected = format!("must be below half a tile of {tile_px} px");
        return Err(SetError::setting("halo_px", halo_px, expected));
    }
    let columns = stretches(image.width, tile_px, halo_px);
    let rows = stretches(image.height, tile_px, halo_px);
    let count = columns.len() * rows.len();
    Ok((0..count).map(move |index| {
        let place = (index % columns.len(), index / columns.len());
        tile(image, tile_px, place, (columns[place.0], rows[place.1]))
    }))
}

/// As few tiles as the halo allows, evenly spread; neighbours meet in the middle of what both see.
fn stretches(side: usize, tile: usize, halo: usize) -> Vec<Stretch> {
    if side <= tile {
        return vec![(0, 0, side)];
    }
    let gaps = (side - tile).div_ceil(tile - 2 * halo);
    let starts: Vec<usize> = (0..=gaps).map(|i| i * (side - tile) / gaps).collect();
    let meet = |pair: &[usize]| (pair[0] + tile + pair[1]) / 2;
    let cuts: Vec<usize> = starts.windows(2).map(meet).collect();
    let from = [0].into_iter().chain(cuts.iter().copied());
    let to = cuts.iter().copied().chain([side]);
    let scored = from.zip(to);
    starts
        .iter()
        .zip(scored)
        .map(|(start, (from, to))| (*start, from, to))
        .collect()
}

fn tile(
    image: &Labelled,
    side: usize,
    place: (usize, usize),
    (column, row): (Stretch, Stretch),
) -> EvalTile {
    let window = Window {
        start: (column.0 as f64, row.0 as f64),
        step: (1.0, 1.0),
        count: (side, side),
    };
    let (rgb, mut labels) = (image.rgb_in(&window), image.labels_in(&window));
    let within = |(start, from, to): Stretch| (from - start, to - start);
    let (columns, rows) = (within(column), within(row));
    for (index, label) in labels.iter_mut().enumerate() {
        let (x, y) = (index % side, index / side);
        if !(columns.0..columns.1).contains(&x) || !(rows.0..rows.1).contains(&y) {
            *label = IGNORE;
        }
    }
    EvalTile {
        place,
        corner_px: (column.0, row.0),
        tile: planes(&rgb),
        labels,
        columns,
        rows,
    }
}

/// RGB px to planes, 0–1.
fn planes(rgb: &[u8]) -> Vec<f32> {
    let lane = |lane: usize| {
        rgb.iter()
            .skip(lane)
            .step_by(3)
            .map(|value| f32::from(*value) / 255.0)
    };
    (0..3).flat_map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_px_is_scored_once_with_its_halo() {
        for (width, height, tile_px, halo) in [
            (100, 60, 32, 6),
            (33, 32, 32, 15),
            (20, 300, 32, 0),
            (64, 64, 32, 0),
            (7, 5, 32, 8),
        ] {
            let image = Labelled {
                rgb: (0..width * height * 3).map(|i| (i % 251) as u8).collect(),
                mask: (0..width * height).map(|i| (i % 5) as u8).collect(),
                width,
                height,
                mpp: 1.0,
            };
            let mut scored = vec![IGNORE; width * height];
            for tile in eval_tiles(&image, tile_px, halo).unwrap() {
                let (left, top) = tile.corner_px;
                for (i, label) in tile
                    .labels
                    .iter()
                    .enumerate()
                    .filter(|(_, l)| **l != IGNORE)
                {
                    let (x, y) = (i % tile_px, i / tile_px);
                    let near = |at: usize, side: usize, corner: usize| {
                        let before = at >= halo || corner == 0;
                        let after = at + halo < tile_px || corner + tile_px >= side;
                        before && after
                    };
                    assert!(
                        near(x, width, left) && near(y, height, top),
                        "{width}: {x} {y}"
                    );
                    let at = (top + y) * width + left + x;
                    assert_eq!(scored[at], IGNORE, "scored twice");
                    scored[at] = *label;
                    let green = f32::from(image.rgb[at * 3 + 1]) / 255.0;
                    assert_eq!(tile.tile[tile_px * tile_px + i], green);
                }
            }
            assert_eq!(scored, image.mask, "{width} x {height}");
        }
    }

    #[test]
    fn a_halo_that_leaves_nothing_is_refused() {
        let image = Labelled {
            rgb: vec![0; 3],
            mask: vec![0],
            width: 1,
            height: 1,
            mpp: 1.0,
        };
        assert!(eval_tiles(&image, 32, 16).is_err());
    }
}
