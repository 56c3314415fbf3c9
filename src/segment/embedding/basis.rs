//! One set of colours for a slide: the first three principal components of its tissue.

use nalgebra::{DMatrix, SymmetricEigen};

/// Share of the sample below the least and above the greatest colour.
const CLIPPED: f64 = 0.02;

/// How embeddings of one slide become colours, at every magnification.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourBasis {
    /// Mean of the sample, D values.
    mean: Vec<f32>,
    /// Unit vectors of D values, the one along which the sample differs most first.
    axes: [Vec<f32>; 3],
    /// What becomes 0 and what 255 along each.
    range: [(f32, f32); 3],
}

impl ColourBasis {
    /// From a sample: `regions`, whose covariance gives the components (Jolliffe, Principal
    /// Component Analysis, 2002), and `shown`, vectors as they are drawn, which give each
    /// component's range: all but 2 % at either end. An eigenvector's sign is arbitrary; here the
    /// value of greatest size is positive. `None` where either is empty or of no values.
    pub fn fit(regions: &[Vec<f32>], shown: &[Vec<f32>]) -> Option<Self> {
        let mean = mean_of(regions)?;
        let axes = components(regions, &mean);
        let range = axes.each_ref().map(|axis| {
            let mut along: Vec<f32> = shown.iter().map(|row| along(row, &mean, axis)).collect();
            along.sort_by(f32::total_cmp);
            let at = |share: f64| along.get(((along.len() - 1) as f64 * share).round() as usize);
            Some((*at(CLIPPED)?, *at(1.0 - CLIPPED)?))
        });
        let [Some(first), Some(second), Some(third)] = range else {
            return None;
        };
        Some(Self {
            mean,
            axes,
            range: [first, second, third],
        })
    }

    /// The colour of an embedding of D values: a component each for red, green and blue.
    pub fn rgb(&self, embedding: &[f32]) -> [u8; 3] {
        std::array::from_fn(|n| {
            let (low, high) = self.range[n];
            let at = along(embedding, &self.mean, &self.axes[n]) - low;
            // A sample without differences has no colours but this.
            let part = if high > low { at / (high - low) } else { 0.5 };
            (part.clamp(0.0, 1.0) * 255.0).round() as u8
        })
    }

    /// The direction in which an embedding lies from the slide's mean, of length 1; zeros for the
    /// mean itself.
    pub fn direction(&self, embedding: &[f32]) -> Vec<f32> {
        let less = embedding.iter().zip(&self.mean).map(|(v, m)| v - m);
        let mut less: Vec<f32> = less.collect();
        let length = dot(&less, &less).sqrt();
        if length > 0.0 {
            less.iter_mut().for_each(|value| *value /= length);
        }
        less
    }
}

/// Sum of products.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn along(row: &[f32], mean: &[f32], axis: &[f32]) -> f32 {
    let parts = row.iter().zip(mean).zip(axis);
    parts.map(|((v, m), a)| (v - m) * a).sum()
}

fn mean_of(rows: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sums = vec![0.0_f64; rows.first()?.len()];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    let mean = sums.into_iter().map(|sum| (sum / rows.len() as f64) as f32);
    Some(mean.collect::<Vec<f32>>()).filter(|mean| !mean.is_empty())
}

/// The first three eigenvectors of the covariance; zeros beyond the number of values.
fn components(rows: &[Vec<f32>], mean: &[f32]) -> [Vec<f32>; 3] {
    let width = mean.len();
    let centred = DMatrix::from_fn(rows.len(), width, |row, column| {
        f64::from(rows[row][column]) - f64::from(mean[column])
    });
    let eigen = SymmetricEigen::new(centred.transpose() * &centred / rows.len() as f64);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    std::array::from_fn(|n| {
        let Some(at) = order.get(n) else {
            return vec![0.0; width];
        };
        let axis = eigen.eigenvectors.column(*at);
        let sign = axis.iter().fold(
            0.0_f64,
            |most, v| if v.abs() > most.abs() { *v } else { most },
        );
        axis.iter().map(|v| (v * sign.signum()) as f32).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most different along the second value, then the first, then the fourth.
    fn sample() -> Vec<Vec<f32>> {
        let row = |n: usize| {
            let part = |period: usize| (n % period) as f32 / (period - 1) as f32 - 0.5;
            vec![10.0 + 4.0 * part(7), -8.0 * part(5), 3.0, 2.0 * part(11)]
        };
        (0..5 * 7 * 11).map(row).collect()
    }

    #[test]
    fn components_are_in_order_with_fixed_signs_and_fill_the_range() {
        let rows = sample();
        let basis = ColourBasis::fit(&rows, &rows).unwrap();
        for (axis, along) in basis.axes.iter().zip([1, 0, 3]) {
            assert!((axis[along] - 1.0).abs() < 1e-4, "{axis:?}");
        }
        assert_eq!(basis.rgb(&[10.0, -4.0, 3.0, 0.0]), [0, 128, 128]);
        assert_eq!(basis.rgb(&[12.0, 4.0, 3.0, 5.0]), [255; 3]);
        let mirrored: Vec<Vec<f32>> = rows.iter().rev().cloned().collect();
        let other = ColourBasis::fit(&mirrored, &mirrored).unwrap();
        for (a, b) in rows
            .iter()
            .zip(&rows)
            .map(|(a, b)| (basis.rgb(a), other.rgb(b)))
        {
            assert!(a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1));
        }
    }

    #[test]
    fn directions_have_length_one_and_little_samples_do_no_harm() {
        let rows = sample();
        let basis = ColourBasis::fit(&rows, &rows).unwrap();
        let direction = basis.direction(&[10.0, 7.0, 3.0, 0.0]);
        assert!((direction[1] - 1.0).abs() < 1e-5);
        assert_eq!(basis.direction(&basis.mean.clone()), [0.0; 4]);
        let one = [vec![1.0, 2.0]];
        let flat = ColourBasis::fit(&one, &one).unwrap();
        assert_eq!(flat.rgb(&[5.0, 5.0]), [128; 3]);
        assert_eq!(ColourBasis::fit(&[], &one), None);
        assert_eq!(ColourBasis::fit(&one, &[]), None);
    }
}
