//! Exact Euclidean distances to the nearest px of a set, on px that need not be square.

/// Px of a row that are looked at for its places, in px of the row, before its envelope is made.
const LOOKS: usize = 8;

/// No px of the set in a column.
const NONE: u32 = u32::MAX;

/// Of each px the distance to the nearest one of a set in its own column: what distances in two
/// dimensions follow from, row by row.
pub struct ColumnDistances {
    width: usize,
    /// Px up or down, or [`NONE`].
    px: Vec<u32>,
}

impl ColumnDistances {
    /// Of a picture of `size` px to those whose places in it are given, rows from the top.
    pub fn new((width, height): (usize, usize), set: impl Iterator<Item = usize>) -> Self {
        let mut px = vec![NONE; width * height];
        set.for_each(|at| px[at] = 0);
        Self::spread(px, width)
    }

    /// To the nearest px that is not set in a mask, rows of `width` px.
    pub fn out_of(mask: &[bool], width: usize) -> Self {
        let px = mask.iter().map(|set| if *set { NONE } else { 0 });
        Self::spread(px.collect(), width)
    }

    /// From px with distances of 0 to all others of their columns.
    fn spread(mut px: Vec<u32>, width: usize) -> Self {
        let height = px.len() / width;
        let one_on = |px: &mut [u32], from: &[u32]| {
            for (px, from) in px.iter_mut().zip(from) {
                *px = (*px).min(from.saturating_add(1));
            }
        };
        for row in 1..height {
            let (above, below) = px.split_at_mut(row * width);
            one_on(&mut below[..width], &above[(row - 1) * width..]);
        }
        for row in (1..height).rev() {
            let (above, below) = px.split_at_mut(row * width);
            one_on(&mut above[(row - 1) * width..], &below[..width]);
        }
        Self { width, px }
    }

    /// Distances in µm of places, in order, to the nearest px of the set; infinite where it is
    /// empty. `px_um`: width and height of a px.
    pub fn um(&self, places: &[u32], (x_um, y_um): (f64, f64)) -> Vec<f32> {
        let um = |squared: f64| (squared.sqrt() * x_um) as f32;
        let squared = self.squared(places, y_um / x_um);
        squared.into_iter().map(um).collect()
    }

    /// Squared distances of places, in order, to the nearest px of the set, in widths of a px;
    /// infinite where it is empty. `ratio`: height of a px by its width. Whole numbers, and exact,
    /// where px are square.
    ///
    /// Each row is searched outwards from its places, which is short where distances are; where it
    /// is not, distances are the lower envelope of parabolas (Felzenszwalb & Huttenlocher 2012), in
    /// time linear in the row's px.
    pub fn squared(&self, places: &[u32], ratio: f64) -> Vec<f64> {
        let mut squared = Vec::with_capacity(places.len());
        let of_row = |place: &u32| *place as usize / self.width;
        for places in places.chunk_by(|a, b| of_row(a) == of_row(b)) {
            let start = of_row(&places[0]) * self.width;
            let row = Row::new(&self.px[start..start + self.width], ratio);
            let columns = || places.iter().map(|place| *place as usize - start);
            let known = squared.len();
            if !row.search(columns(), &mut squared) {
                squared.truncate(known);
                row.envelope(columns(), &mut squared);
            }
        }
        squared
    }
}

/// The squares of a row's distances in columns, in widths of a px; infinite where there is none.
struct Row(Vec<f64>);

impl Row {
    /// `ratio`: height of a px by its width.
    fn new(px: &[u32], ratio: f64) -> Self {
        let squared = |px: &u32| match *px {
            NONE => f64::INFINITY,
            px => (f64::from(px) * ratio).powi(2),
        };
        Self(px.iter().map(squared).collect())
    }

    /// Squared distances of columns by looking at their neighbours outwards. Gives up with `false`
    /// where that takes too long.
    fn search(&self, columns: impl Iterator<Item = usize>, out: &mut Vec<f64>) -> bool {
        let Self(row) = self;
        let mut looks_left = LOOKS * row.len();
        for column in columns {
            let mut best = row[column];
            let farthest = column.max(row.len() - 1 - column);
            for away in 1..=farthest {
                let across = (away * away) as f64;
                if across >= best {
                    break;
                }
                if looks_left == 0 {
                    return false;
                }
                looks_left -= 1;
                if away <= column {
                    best = best.min(across + row[column - away]);
                }
                if column + away < row.len() {
                    best = best.min(across + row[column + away]);
                }
            }
            out.push(best);
        }
        true
    }

    /// Squared distances of columns, in order, by the lower envelope of one parabola a column.
    fn envelope(&self, columns: impl Iterator<Item = usize>, out: &mut Vec<f64>) {
        let Self(row) = self;
        // Columns whose parabola is lowest somewhere, and from where on.
        let mut lowest: Vec<(usize, f64)> = Vec::new();
        for column in (0..row.len()).filter(|column| row[*column].is_finite()) {
            let raised = |column: usize| row[column] + (column * column) as f64;
            let mut from = f64::NEG_INFINITY;
            while let Some((last, start)) = lowest.last() {
                from = (raised(column) - raised(*last)) / (2 * (column - last)) as f64;
                if from > *start {
                    break;
                }
                lowest.pop();
                from = f64::NEG_INFINITY;
            }
            lowest.push((column, from));
        }
        let mut next = 0;
        for column in columns {
            while lowest
                .get(next + 1)
                .is_some_and(|(_, from)| *from <= column as f64)
            {
                next += 1;
            }
            let squared = lowest.get(next).map_or(f64::INFINITY, |(nearest, _)| {
                nearest.abs_diff(column).pow(2) as f64 + row[*nearest]
            });
            out.push(squared);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture() -> impl Strategy<Value = (usize, Vec<bool>, f64)> {
        let sides = (1..40_usize, 1..40_usize, 0.1..4.0_f64);
        sides.prop_flat_map(|(width, height, y_um)| {
            let share = prop_oneof![Just(0.003), Just(0.05), Just(0.6)];
            let set = share.prop_flat_map(move |share| {
                proptest::collection::vec(proptest::bool::weighted(share), width * height)
            });
            (Just(width), set, Just(y_um))
        })
    }

    proptest! {
        /// Both ways to a row's distances give those of every pair of px.
        #[test]
        fn distances_are_those_of_brute_force((width, set, y_um) in picture()) {
            let size = (width, set.len() / width);
            let members = || (0..set.len()).filter(|at| set[*at]);
            let columns = ColumnDistances::new(size, members());
            let places: Vec<u32> = (0..set.len() as u32).filter(|at| at % 3 != 1).collect();
            let found = columns.um(&places, (0.5, y_um));
            for (place, um) in places.iter().zip(found) {
                let (x, y) = (*place as usize % width, *place as usize / width);
                let away = |at: usize| {
                    let (dx, dy) = ((at % width).abs_diff(x), (at / width).abs_diff(y));
                    (dx as f64 * 0.5).hypot(dy as f64 * y_um)
                };
                let meant = members().map(away).fold(f64::INFINITY, f64::min);
                prop_assert!(f64::from(um) == meant || (f64::from(um) - meant).abs() < 1e-4);
            }
            for (place, squared) in places.iter().zip(columns.squared(&places, 1.0)) {
                let (x, y) = (*place as usize % width, *place as usize / width);
                let away = |at: usize| (at % width).abs_diff(x).pow(2) + (at / width).abs_diff(y).pow(2);
                let meant = members().map(away).min();
                prop_assert_eq!(squared, meant.map_or(f64::INFINITY, |px| px as f64));
            }
            for row in 0..size.1 {
                let row = Row::new(&columns.px[row * width..][..width], y_um / 0.5);
                let (mut searched, mut enveloped) = (Vec::new(), Vec::new());
                let all = row.search(0..width, &mut searched);
                row.envelope(0..width, &mut enveloped);
                for (a, b) in searched.iter().zip(&enveloped) {
                    prop_assert!(a == b || (a - b).abs() < 1e-9 * a, "{} {}", a, b);
                }
                prop_assert!(!all || searched.len() == width);
            }
        }
    }

    #[test]
    fn a_far_row_takes_the_envelope_and_gives_the_same() {
        let size = (400, 3);
        let columns = ColumnDistances::new(size, [399_usize].into_iter());
        let row = Row::new(&columns.px[400..800], 2.0);
        assert!(!row.search(0..400, &mut Vec::new()));
        let found = columns.um(&[400, 401, 799], (1.0, 2.0));
        let meant = [(399.0_f32).hypot(2.0), (398.0_f32).hypot(2.0), 2.0];
        for (found, meant) in found.iter().zip(meant) {
            assert!((found - meant).abs() < 1e-3);
        }
    }
}
