//! Targets that use all prototypes alike.

use burn::tensor::Tensor;

/// Balanced assignment of rows to prototypes by Sinkhorn and Knopp's scaling (Cuturi, 2013; used
/// so by SwAV, Caron et al., 2020, and DINOv2).
///
/// `scores` is \[R, P\], cosines from −1 to 1; the answer has the same shape. After each
/// iteration rows sum to one; columns approach R / P. `temperature` ≥ 0.02, so that the
/// exponentials stay within the range of 32-bit floats.
pub fn sinkhorn(scores: Tensor<2>, temperature: f64, iterations: usize) -> Tensor<2> {
    let [rows, prototypes] = scores.dims();
    let share = rows as f64 / prototypes as f64;
    // One constant for the whole matrix: it cancels in the first column sums.
    let greatest = scores.clone().max().unsqueeze();
    let mut plan = ((scores - greatest) / temperature).exp();
    for _ in 0..iterations {
        let columns = plan.clone().sum_dim(0).clamp_min(TINY);
        plan = plan / columns * share;
        let sums = plan.clone().sum_dim(1).clamp_min(TINY);
        plan = plan / sums;
    }
    plan
}

/// Below it a sum is no number to divide by.
const TINY: f64 = 1e-30;

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    fn sums(plan: &Tensor<2>, dim: usize) -> Vec<f32> {
        let sums = plan.clone().sum_dim(dim).into_data();
        sums.try_to_vec().unwrap()
    }

    #[test]
    fn both_marginals_are_met() {
        let device = Device::flex();
        device.seed(5);
        let scores = Tensor::<2>::random([96, 24], Distribution::Uniform(-0.3, 0.3), &device);
        // A prototype that every row likes most: without balance all would choose it.
        let favourite = Tensor::<2>::ones([96, 1], &device) * 0.6;
        let scores = Tensor::cat(vec![favourite, scores.narrow(1, 1, 23)], 1);
        let plan = sinkhorn(scores.clone(), 0.05, 200);
        assert!(sums(&plan, 1).iter().all(|sum| (sum - 1.0).abs() < 1e-4));
        assert!(sums(&plan, 0).iter().all(|sum| (sum - 4.0).abs() < 0.05));
        let quick = sinkhorn(scores, 0.05, 3);
        assert!(sums(&quick, 1).iter().all(|sum| (sum - 1.0).abs() < 1e-4));
        assert!(sums(&quick, 0).iter().all(|sum| (1.0..16.0).contains(sum)));
    }

    #[test]
    fn cosines_at_the_lowest_temperature_stay_numbers() {
        let device = Device::flex();
        let row = Tensor::<1>::from_floats([1.0, -1.0, -1.0, -1.0], &device);
        let scores = row.unsqueeze::<2>().repeat_dim(0, 8);
        let plan: Vec<f32> = sinkhorn(scores, 0.02, 3).into_data().try_to_vec().unwrap();
        assert!(plan.iter().all(|p| p.is_finite()), "{plan:?}");
    }
}
