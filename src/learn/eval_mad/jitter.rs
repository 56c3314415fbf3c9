//! Another stain and light for every tile, so that its mean colour no longer names it.
//!
//! Reading a place at two scales keeps its mean colour to a fraction of an 8-bit step: by colour
//! alone a child is found again nearly always, which says nothing of seeing. With every tile
//! changed by itself, what is left is form.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::geometry::UmPoint;
use crate::learn::embed::Tile;

/// Optical density of each channel is multiplied by a factor between these.
const FACTORS: [f64; 2] = [0.7, 1.4];

/// `tiles` of the parent at `origin`, each with densities of its own; equal arguments give equal
/// tiles.
pub fn jittered(tiles: &[Tile], origin: UmPoint, seed: u64) -> Vec<Tile> {
    let place = origin.x.to_bits().rotate_left(17) ^ origin.y.to_bits();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ place);
    tiles.iter().map(|tile| changed(tile, &mut rng)).collect()
}

fn changed(tile: &Tile, rng: &mut ChaCha8Rng) -> Tile {
    let [low, high] = FACTORS;
    let tables: [[u8; 256]; 3] = std::array::from_fn(|_| {
        // As often darker as lighter.
        let factor = low * (high / low).powf(rng.random::<f64>());
        std::array::from_fn(|value| (255.0 * (value as f64 / 255.0).powf(factor)).round() as u8)
    });
    let value = |(n, value): (usize, &u8)| tables[n % 3][usize::from(*value)];
    Tile {
        side_px: tile.side_px,
        rgb: tile.rgb.iter().enumerate().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_change_by_themselves_and_alike_every_time() {
        let tile = Tile {
            side_px: 1,
            rgb: vec![180, 90, 160],
        };
        let tiles = [tile.clone(), tile.clone()];
        let at = UmPoint::new(12.5, 99.0);
        let changed = jittered(&tiles, at, 1);
        assert_ne!(changed[0], changed[1]);
        assert_ne!(changed[0], tile);
        assert_eq!(changed, jittered(&tiles, at, 1));
        assert_ne!(changed, jittered(&tiles, at, 2));
        assert_ne!(changed, jittered(&tiles, UmPoint::new(99.0, 12.5), 1));
        let glass = Tile {
            side_px: 1,
            rgb: vec![255; 3],
        };
        assert_eq!(jittered(std::slice::from_ref(&glass), at, 1), [glass]);
    }
}
