//! Slivers taken off a mask.

/// What is left of a mask, rows of `width` px, when all is taken off in which no square of `side`
/// px fits: its morphological opening by that square. Beyond the edge nothing is set.
pub fn opened(mask: &[bool], width: usize, side: usize) -> Vec<bool> {
    if !mask.contains(&true) {
        return mask.to_vec();
    }
    let mut corners = vec![false; mask.len()];
    // Rows, and px of a row, that end here and are all set.
    let mut down = vec![0_usize; width];
    for (line, corners) in mask.chunks(width).zip(corners.chunks_mut(width)) {
        let mut across = 0;
        for ((set, corner), down) in line.iter().zip(corners).zip(&mut down) {
            across = if *set { across + 1 } else { 0 };
            *down = if across >= side { *down + 1 } else { 0 };
            *corner = *down >= side;
        }
    }
    // Each corner fills its square, up and to the left.
    let mut left_up = vec![0_usize; width];
    for line in corners.chunks_mut(width).rev() {
        let mut left = 0_usize;
        for (corner, up) in line.iter_mut().zip(&mut left_up).rev() {
            *up = if *corner { side } else { up.saturating_sub(1) };
            left = if *up > 0 {
                side
            } else {
                left.saturating_sub(1)
            };
            *corner = left > 0;
        }
    }
    corners
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Squares that fit are what is left.
        #[test]
        fn what_is_left_is_the_squares_that_fit(
            width in 1..20_usize,
            side in 1..5_usize,
            mask in proptest::collection::vec(proptest::bool::weighted(0.8), 20..200),
        ) {
            let mask = &mask[..mask.len() / width * width];
            let height = mask.len() / width;
            let mut meant = vec![false; mask.len()];
            for top in 0..(height + 1).saturating_sub(side) {
                for left in 0..(width + 1).saturating_sub(side) {
                    let places = || (0..side * side)
                        .map(|n| (top + n / side) * width + left + n % side);
                    if places().all(|at| mask[at]) {
                        places().for_each(|at| meant[at] = true);
                    }
                }
            }
            prop_assert_eq!(opened(mask, width, side), meant);
        }
    }
}
