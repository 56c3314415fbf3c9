//! How many directions an embedding uses.

use nalgebra::{DMatrix, SymmetricEigen};

/// Effective rank of embeddings: exp of the entropy of the singular values σ of the N × D matrix
/// of embeddings, as shares p_k = σ_k / Σ σ (RankMe: Garrido, Balestriero, Najman, LeCun, ICML
/// 2023, equation 1; not centred, as there). From 1 (all alike up to a factor) to min(N, D).
///
/// `rows` holds N rows of `width` = D values each, one after the other; a last row that is not
/// whole is left out. The singular values are the roots of the eigenvalues of the D × D Gram
/// matrix, in f64. 0 without rows, without values, and where a value is not finite or all are 0.
pub fn effective_rank(rows: &[f32], width: usize) -> f64 {
    let Some(count) = rows.len().checked_div(width).filter(|count| *count > 0) else {
        return 0.0;
    };
    let values = rows.iter().take(count * width).map(|v| f64::from(*v));
    let columns = DMatrix::from_iterator(width, count, values);
    let gram = &columns * columns.transpose();
    if gram.iter().any(|value| !value.is_finite()) {
        return 0.0;
    }
    let eigenvalues = SymmetricEigen::new(gram).eigenvalues;
    exp_of_entropy(eigenvalues.iter().map(|value| value.max(0.0).sqrt()))
}

fn exp_of_entropy(parts: impl Iterator<Item = f64> + Clone) -> f64 {
    let sum: f64 = parts.clone().sum();
    if sum <= 0.0 {
        return 0.0;
    }
    let shares = parts.map(|part| part / sum).filter(|share| *share > 0.0);
    shares.map(|share| -share * share.ln()).sum::<f64>().exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn orthogonal_rows_use_as_many_directions_as_there_are() {
        let mut rows = vec![0.0; 4 * 8];
        for n in 0..4 {
            rows[n * 8 + 2 * n] = 3.0;
        }
        assert!((effective_rank(&rows, 8) - 4.0).abs() < 1e-6);
    }

    #[test]
    fn singular_values_weigh_as_in_the_formula() {
        // Singular values 3 and 1: p = ¾, ¼.
        let rows = [3.0, 0.0, 0.0, 1.0];
        let entropy = -(0.75_f64 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!((effective_rank(&rows, 2) - entropy.exp()).abs() < 1e-9);
    }

    #[test]
    fn a_collapsed_embedding_has_rank_one_and_noise_nearly_the_full_one() {
        let alike: Vec<f32> = (0..50)
            .flat_map(|n| [n as f32, 2.0 * n as f32, -(n as f32)])
            .collect();
        assert!((effective_rank(&alike, 3) - 1.0).abs() < 1e-5);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f32> = (0..600 * 16).map(|_| rng.random::<f32>() - 0.5).collect();
        assert!(effective_rank(&noise, 16) > 15.5);
    }

    #[test]
    fn what_has_no_rank_is_zero() {
        assert_eq!(effective_rank(&[], 4), 0.0);
        assert_eq!(effective_rank(&[1.0], 0), 0.0);
        assert_eq!(effective_rank(&[0.0; 8], 4), 0.0);
        assert_eq!(effective_rank(&[1.0, f32::NAN], 2), 0.0);
    }
}
