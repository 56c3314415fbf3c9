//! Correlations of pairs of numbers.

use super::mean;

/// Pearson's r of `x` with `y`, −1 to 1. `None` when their lengths differ, there are less than
/// three pairs, or either does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 3 {
        return None;
    }
    let (mean_x, mean_y) = (mean(x), mean(y));
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(x, y)| of(x - mean_x, y - mean_y)).sum()
    };
    let (xx, yy) = (sum(&|x, _| x * x), sum(&|_, y| y * y));
    // What differs only by the rounding of f32 does not vary.
    let varies = |squares: f64, middle: f64| squares > 1e-12 * (1.0 + middle * middle);
    (varies(xx, mean_x) && varies(yy, mean_y))
        .then(|| (sum(&|x, y| x * y) / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// Spearman's ρ: Pearson's r of the ranks, equal values sharing the mean of their ranks. `None` as
/// for [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&ranks(x), &ranks(y))
}

/// Pearson's r of `x` with `y` once what both share linearly with `z` is taken out:
/// (r_xy − r_xz r_yz) / √((1 − r_xz²)(1 − r_yz²)). `None` as for [`pearson`], with less than four
/// triples, or when `z` explains either wholly.
pub fn partial(x: &[f64], y: &[f64], z: &[f64]) -> Option<f64> {
    let (xy, xz, yz) = (pearson(x, y)?, pearson(x, z)?, pearson(y, z)?);
    let rest = (1.0 - xz * xz) * (1.0 - yz * yz);
    (x.len() > 3 && rest > 1e-12).then(|| ((xy - xz * yz) / rest.sqrt()).clamp(-1.0, 1.0))
}

/// Rank of each value from 1; equal ones share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_those_worked_out_by_hand() {
        let (x, y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]);
        // Both sums of squares are 5, that of the products 4.
        assert!((pearson(&x, &y).unwrap() - 0.8).abs() < 1e-12);
        assert!((spearman(&x, &y).unwrap() - 0.8).abs() < 1e-12);
        let cubes = x.map(|x| x * x * x);
        assert!((spearman(&x, &cubes).unwrap() - 1.0).abs() < 1e-12);
        assert!(pearson(&x, &cubes).unwrap() < 0.96);
        let less = x.map(|x| 2.0 - x);
        assert!((pearson(&x, &less).unwrap() + 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_values_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 3.0]), [3.0, 1.0, 3.0, 3.0]);
        assert_eq!(ranks(&[5.0, 5.0, 1.0]), [2.5, 2.5, 1.0]);
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        assert_eq!(pearson(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[1.0, 2.0]), None);
        let x = [1.0, 2.0, 3.0, 5.0];
        assert_eq!(partial(&x, &[2.0, 1.0, 7.0, 4.0], &x), None);
    }

    /// x and y follow z, each with its own deviation that is orthogonal to z and to the other:
    /// correlated, but not once z is taken out.
    #[test]
    fn a_shared_cause_is_taken_out() {
        let z = [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0];
        let own = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
        let other = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0];
        let plus = |a: [f64; 8]| std::array::from_fn::<f64, 8, _>(|n| z[n] + 0.5 * a[n]);
        let (x, y) = (plus(own), plus(other));
        assert!((pearson(&x, &y).unwrap() - 0.8).abs() < 1e-12);
        assert!(partial(&x, &y, &z).unwrap().abs() < 1e-12);
    }
}
