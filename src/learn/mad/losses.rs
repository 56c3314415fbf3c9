//! The losses of methods 2.2.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// H(p_T, p_S): mean over rows of the cross-entropy of the student's `scores` \[R, P\] at
/// `temperature` against `targets` \[R, P\], whose rows sum to one.
pub fn cross_entropy(targets: Tensor<2>, scores: Tensor<2>, temperature: f64) -> Tensor<1> {
    let log = log_softmax(scores / temperature, 1);
    (targets * log).sum_dim(1).mean().neg()
}

/// Rows of length one, \[R, D\].
pub fn normalised(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
    rows / length
}

/// KoLeo: −mean ln of the distance to the nearest other row, on normalised rows \[R, D\]
/// (Sablayrolles et al., 2019, as in DINOv2). Zero for fewer than two rows.
pub fn koleo(rows: Tensor<2>) -> Tensor<1> {
    let [count, _] = rows.dims();
    let device = rows.device();
    if count < 2 {
        return Tensor::zeros([1], &device);
    }
    let rows = normalised(rows);
    let cosines = rows.clone().matmul(rows.transpose());
    // A row is no neighbour of itself.
    let cosines = cosines.clone() - identity(&cosines) * 4.0;
    let nearest = cosines.max_dim(1);
    let distance = (nearest.neg() * 2.0 + 2.0).clamp_min(NEAREST).sqrt();
    distance.log().mean().neg()
}

/// Squared distance below which rows count as equal; the gradient of a root ends there.
const NEAREST: f64 = 1e-8;

/// Contrast within a parent (InfoNCE, van den Oord et al., 2018): of the children kept of one
/// family, `coarse` row n is to recognise `fine` row n. `family` \[C\] tells each row's family.
pub fn contrast(
    coarse: Tensor<2>,
    fine: Tensor<2>,
    family: Tensor<1, Int>,
    temperature: f64,
) -> Tensor<1> {
    let [count, _] = coarse.dims();
    let across = family.clone().reshape([count, 1]).repeat_dim(1, count);
    let strangers = across.clone().not_equal(across.transpose());
    let alike = normalised(coarse).matmul(normalised(fine).transpose()) / temperature;
    let log = log_softmax(alike.mask_fill(strangers, -1e4), 1);
    let found = log.clone() * identity(&log);
    found.sum().neg() / count as f64
}

/// Ones on the diagonal, of the shape, device and kind of `square`.
fn identity(square: &Tensor<2>) -> Tensor<2> {
    let [side, _] = square.dims();
    Tensor::<2>::eye(side, &square.device()).cast(square.dtype())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, TensorData};

    /// Compares autodiff's gradient of `loss` with central differences.
    fn check_gradient(rows: usize, width: usize, loss: impl Fn(Tensor<2>) -> Tensor<1>) {
        let plain = Device::flex();
        let start: Vec<f64> = (0..rows * width)
            .map(|n| ((n * 7919 % 101) as f64 / 50.0 - 1.0) * 0.8)
            .collect();
        let at = |values: &[f64]| {
            let data = TensorData::new(values.to_vec(), [rows, width]);
            let options = (&plain, burn::tensor::DType::F64);
            loss(Tensor::from_data(data, options)).into_scalar::<f64>()
        };
        let device = plain.clone().autodiff();
        let data = TensorData::new(start.clone(), [rows, width]);
        let options = (&device, burn::tensor::DType::F64);
        let leaf = Tensor::<2>::from_data(data, options).require_grad();
        let grads = loss(leaf.clone()).backward();
        let found: Vec<f64> = leaf.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
        let step = 1e-5;
        for n in 0..start.len() {
            let moved = |by: f64| {
                let mut values = start.clone();
                values[n] += by;
                at(&values)
            };
            let meant = (moved(step) - moved(-step)) / (2.0 * step);
            let error = (found[n] - meant).abs();
            assert!(
                error < 1e-6 + 1e-4 * meant.abs(),
                "{n}: {} for {meant}",
                found[n]
            );
        }
    }

    fn like<const D: usize>(tensor: &Tensor<2>, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        let device = tensor.device();
        Tensor::from_data(TensorData::new(values, shape), (&device, tensor.dtype()))
    }

    #[test]
    fn cross_entropy_has_the_gradient_of_its_value() {
        check_gradient(3, 4, |scores| {
            let targets = like(
                &scores,
                vec![
                    0.7, 0.1, 0.1, 0.1, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.25, 0.25,
                ],
                [3, 4],
            );
            cross_entropy(targets, scores, 0.1)
        });
    }

    #[test]
    fn koleo_has_the_gradient_of_its_value() {
        check_gradient(5, 3, koleo);
    }

    #[test]
    fn contrast_has_the_gradient_of_its_value() {
        check_gradient(4, 3, |coarse| {
            let fine = like(
                &coarse,
                vec![
                    0.3, -0.2, 0.5, -0.4, 0.8, 0.1, 0.9, 0.2, -0.6, 0.1, 0.4, 0.7,
                ],
                [4, 3],
            );
            let family = Tensor::from_ints([0, 0, 1, 1], &coarse.device());
            contrast(coarse, fine, family, 0.2)
        });
    }

    #[test]
    fn contrast_knows_only_siblings() {
        let device = Device::flex();
        let rows = Tensor::<2>::eye(4, &device);
        let alone = Tensor::from_ints([0, 1, 2, 3], &device);
        let loss = contrast(rows.clone(), rows, alone, 0.1).into_scalar::<f32>();
        assert!(loss.abs() < 1e-5, "an only child is always found: {loss}");
    }

    #[test]
    fn koleo_falls_as_rows_spread() {
        let device = Device::flex();
        device.seed(1);
        let wide = Tensor::<2>::random([16, 8], Distribution::Normal(0.0, 1.0), &device);
        let narrow = wide.clone() * 0.01 + Tensor::ones([16, 8], &device);
        let of = |rows| koleo(rows).into_scalar::<f32>();
        assert!(of(wide) + 1.0 < of(narrow));
        assert_eq!(of(Tensor::ones([1, 8], &device)), 0.0);
    }
}
