//! Exact Euclidean distances to a set of pixels, in time linear in the pixels.

/// Squared distance, px², of each pixel's centre to that of the nearest one that is set: 0 on it.
/// `None` when nothing is set. `set` holds rows of `width` px from the top.
///
/// Whole numbers throughout, so exact (Meijster, Roerdink and Hesselink 2000).
pub fn squared_distance_px(set: &[bool], width: usize) -> Option<Vec<u64>> {
    if width == 0 || !set.contains(&true) {
        return None;
    }
    let columns = distance_in_columns(set, width);
    let rows = columns.chunks_exact(width);
    Some(rows.flat_map(lower_envelope).collect())
}

/// Distance to the nearest set pixel above or below; where there is none, more than any distance
/// within the picture.
fn distance_in_columns(set: &[bool], width: usize) -> Vec<i64> {
    let far = (width + set.len() / width) as i64;
    let mut distances: Vec<i64> = set.iter().map(|set| if *set { 0 } else { far }).collect();
    for at in width..distances.len() {
        distances[at] = distances[at].min(distances[at - width] + 1);
    }
    for at in (width..distances.len()).rev() {
        distances[at - width] = distances[at - width].min(distances[at] + 1);
    }
    distances
}

/// For each x of a row the least (x − i)² + g_i² over all i: the lower envelope of parabolas.
fn lower_envelope(row: &[i64]) -> Vec<u64> {
    let height = |x: i64, i: usize| (x - i as i64).pow(2) + row[i].pow(2);
    // The first x from which parabola `u` lies below `i`, for i < u.
    let from = |i: usize, u: usize| {
        let (a, b) = (i as i64, u as i64);
        (b * b - a * a + row[u].pow(2) - row[i].pow(2)).div_euclid(2 * (b - a)) + 1
    };
    // Parabolas of the envelope and where each begins.
    let mut envelope: Vec<(usize, i64)> = Vec::with_capacity(row.len());
    for u in 0..row.len() {
        while envelope
            .last()
            .is_some_and(|(i, start)| height(*start, *i) > height(*start, u))
        {
            envelope.pop();
        }
        let start = envelope.last().map_or(0, |(i, _)| from(*i, u));
        if start < row.len() as i64 {
            envelope.push((u, start));
        }
    }
    let mut squared = vec![0; row.len()];
    let mut end = row.len();
    for (i, start) in envelope.into_iter().rev() {
        for (x, value) in squared
            .iter_mut()
            .enumerate()
            .take(end)
            .skip(start as usize)
        {
            *value = height(x as i64, i) as u64;
        }
        end = start as usize;
    }
    squared
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn brute_force(set: &[bool], width: usize) -> Vec<u64> {
        let place = |n: usize| ((n % width) as i64, (n / width) as i64);
        let squared = |n: usize, m: usize| {
            let ((x, y), (u, v)) = (place(n), place(m));
            ((x - u).pow(2) + (y - v).pow(2)) as u64
        };
        let nearest = |n| {
            let set = (0..set.len()).filter(|m| set[*m]);
            set.map(|m| squared(n, m)).min().unwrap()
        };
        (0..set.len()).map(nearest).collect()
    }

    #[test]
    fn it_equals_brute_force_at_any_shape_and_density() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (width, height) in [(1, 1), (1, 23), (23, 1), (2, 3), (17, 31), (40, 25)] {
            for density in [0.002, 0.02, 0.3, 1.0] {
                let mut set: Vec<bool> = (0..width * height)
                    .map(|_| rng.random::<f64>() < density)
                    .collect();
                let any = rng.random_range(0..set.len());
                set[any] = true;
                let found = squared_distance_px(&set, width).unwrap();
                assert_eq!(found, brute_force(&set, width), "{width} × {height}");
            }
        }
    }

    #[test]
    fn nothing_set_has_no_distance() {
        assert_eq!(squared_distance_px(&[false; 6], 3), None);
        assert_eq!(squared_distance_px(&[], 0), None);
        let corner = [true, false, false, false, false, false];
        assert_eq!(squared_distance_px(&corner, 3).unwrap(), [0, 1, 4, 1, 2, 5]);
    }
}
