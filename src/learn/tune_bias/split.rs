//! Which strokes are held out.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// Fixed, so that the same strokes are always split in the same way.
const SEED: u64 = 0x5eed;

/// Marks whole strokes as held out: of the strokes of each of `classes` classes the `share`, rounded,
/// at least one, and at least one is left. `strokes`: the class of each; none for one that shows
/// nothing. `None` when some class has a single stroke, for then nothing can be held out of it.
pub fn held_out(strokes: &[Option<usize>], classes: usize, share: f64) -> Option<Vec<bool>> {
    let mut held = vec![false; strokes.len()];
    for class in 0..classes {
        let of_class = |n: &usize| strokes[*n] == Some(class);
        let mut own: Vec<usize> = (0..strokes.len()).filter(of_class).collect();
        if own.len() < 2 {
            return None;
        }
        own.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED + class as u64));
        let count = (own.len() as f64 * share).round() as usize;
        for n in &own[..count.clamp(1, own.len() - 1)] {
            held[*n] = true;
        }
    }
    Some(held)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_class_has_strokes_on_both_sides(
            strokes in prop::collection::vec(prop::option::of(0..3_usize), 0..40),
            share in 0.0..1.0,
        ) {
            let of = |class: usize| strokes.iter().filter(|c| **c == Some(class)).count();
            let splits = (0..3).all(|class| of(class) > 1);
            let held = held_out(&strokes, 3, share);
            prop_assert_eq!(held.is_some(), splits);
            let Some(held) = held else { return Ok(()) };
            prop_assert_eq!(held_out(&strokes, 3, share), Some(held.clone()));
            for class in 0..3 {
                let own = strokes.iter().zip(&held).filter(|(c, _)| **c == Some(class));
                let out = own.filter(|(_, held)| **held).count();
                prop_assert!(out > 0 && out < of(class));
                prop_assert!((out as f64 - of(class) as f64 * share).abs() <= 1.0);
            }
            let nothing = strokes.iter().zip(&held).filter(|(class, _)| class.is_none());
            prop_assert!(nothing.clone().all(|(_, held)| !held));
        }
    }

    #[test]
    fn a_third_of_four_is_one() {
        let strokes: Vec<Option<usize>> = (0..8).map(|n| Some(n % 2)).collect();
        let held = held_out(&strokes, 2, 1.0 / 3.0).unwrap();
        assert_eq!(held.iter().filter(|held| **held).count(), 2);
    }
}
