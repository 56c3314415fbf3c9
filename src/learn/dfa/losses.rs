//! The losses of methods 1.3: focal, soft Dice, and how well a mask's IoU is foretold.
//!
//! Pixels that are ignored have no share in any class, so every sum is without them, above and
//! below the line, and their gradient is exactly zero.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::target::Target;

/// Exponent γ of the focal loss.
const FOCUS: f32 = 2.0;

/// Keeps a ratio of small areas a number; cells.
const SMALL: f64 = 1e-6;

/// Probabilities of the classes, from mask logits \[B, K, s, s\].
#[derive(Debug, Clone)]
pub struct Said {
    /// ln p, \[B, K, s, s\].
    pub log: Tensor<4>,
    /// p.
    pub probability: Tensor<4>,
}

impl Said {
    /// Softmax over the classes.
    pub fn of(logits: Tensor<4>) -> Self {
        let log = log_softmax(logits, 1);
        Self {
            probability: log.clone().exp(),
            log,
        }
    }
}

/// Focal loss (Lin et al., 2017) over the pixels that count, each class times its weight \[K\]:
/// −Σ w t (1 − p)^γ ln p / Σ w t. Zero where nothing counts.
pub fn focal(said: &Said, target: &Target, weights: Tensor<1>) -> Tensor<1> {
    let [classes] = weights.dims();
    let wanted = target.shares.clone() * weights.reshape([1, classes, 1, 1]);
    let unsure = (said.probability.clone().neg() + 1.0).powf_scalar(FOCUS);
    let each = unsure * said.log.clone() * wanted.clone();
    each.sum().neg() / (wanted.sum() + SMALL)
}

/// Soft Dice over the batch, 1 − 2 Σ p t / (Σ p + Σ t), mean over the classes in it. A class that
/// no pixel of the batch has is left out: it has nothing to overlap with.
pub fn soft_dice(said: &Said, target: &Target) -> Tensor<1> {
    let (dice, present) = soft_dice_by_class(said, target);
    (dice * present.clone()).sum() / (present.sum() + SMALL)
}

/// Each class's soft Dice loss, \[K\], and 1 where a pixel of the batch has it, else 0.
pub fn soft_dice_by_class(said: &Said, target: &Target) -> (Tensor<1>, Tensor<1>) {
    let over_pixels = |x: Tensor<4>| -> Tensor<1> {
        let [batch, classes, rows, columns] = x.dims();
        let x = x.reshape([batch, classes, rows * columns]);
        x.sum_dim(2).sum_dim(0).reshape([classes])
    };
    let both = over_pixels(said.probability.clone() * target.shares.clone());
    let said = over_pixels(said.probability.clone() * target.counted());
    let there = over_pixels(target.shares.clone());
    let present = there.clone().greater_elem(0.0).float().cast(there.dtype());
    let dice = both * 2.0 / (said + there + SMALL);
    (dice.neg() + 1.0, present)
}

/// Mean squared error of the foretold IoU \[B, K\] against that of the classes chosen, over the
/// masks that anything is in. What is measured takes no gradient.
pub fn iou_error(foretold: Tensor<2>, said: &Said, target: &Target) -> Tensor<1> {
    let (measured, there) = measured_iou(said, target);
    let off = (foretold - measured).square() * there.clone();
    off.sum() / (there.sum() + SMALL)
}

/// IoU of each mask \[B, K\] by the class that has the greatest probability, and 1 where the mask
/// or the class is not empty.
fn measured_iou(said: &Said, target: &Target) -> (Tensor<2>, Tensor<2>) {
    let p = said.probability.clone().detach();
    let chosen = p
        .clone()
        .equal(p.max_dim(1).expand(said.log.dims()))
        .float();
    let over_tile = |x: Tensor<4>| -> Tensor<2> {
        let [batch, classes, rows, columns] = x.dims();
        x.reshape([batch, classes, rows * columns])
            .sum_dim(2)
            .reshape([batch, classes])
    };
    let both = over_tile(chosen.clone() * target.shares.clone());
    let any =
        over_tile(chosen * target.counted()) + over_tile(target.shares.clone()) - both.clone();
    let there = any.clone().greater_elem(0.0).float();
    (both / (any + SMALL), there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dfa::target::IGNORE;
    use burn::tensor::{DType, Device, Distribution, TensorData};

    const LABELS: [u8; 32] = [
        0, 0, 1, 1, 0, 2, 1, IGNORE, 2, 2, 1, 1, 2, IGNORE, IGNORE, IGNORE, //
        1, 1, 1, 0, 0, 0, IGNORE, 0, 1, 1, 0, 0, 1, IGNORE, 0, 0,
    ];

    fn target(device: &Device) -> Target {
        Target::of(&LABELS, 4, 4, 3, device)
    }

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn focal_is_the_formula_pixel_by_pixel() {
        let device = Device::flex();
        let logits = Tensor::<4>::random([2, 3, 4, 4], Distribution::Normal(0.0, 2.0), &device);
        let weights = [0.5_f32, 1.0, 2.0];
        let found = value(focal(
            &Said::of(logits.clone()),
            &target(&device),
            Tensor::from_floats(weights, &device),
        ));
        let z: Vec<f32> = logits.into_data().try_to_vec().unwrap();
        let (mut sum, mut whole) = (0.0, 0.0);
        for (n, label) in LABELS.iter().enumerate().filter(|(_, l)| **l != IGNORE) {
            let at = |class: usize| z[n / 16 * 48 + class * 16 + n % 16].exp();
            let p = at(usize::from(*label)) / (at(0) + at(1) + at(2));
            let weight = weights[usize::from(*label)];
            sum -= weight * (1.0 - p).powi(2) * p.ln();
            whole += weight;
        }
        assert!((found - sum / whole).abs() < 1e-5, "{found}");
    }

    #[test]
    fn a_perfect_mask_has_no_loss_and_a_wrong_one_all_of_it() {
        let device = Device::flex();
        let target = target(&device);
        let logits = target.shares.clone() * 60.0;
        let said = Said::of(logits.clone());
        let ones = Tensor::ones([3], &device);
        assert!(value(focal(&said, &target, ones)) < 1e-6);
        assert!(value(soft_dice(&said, &target)).abs() < 1e-5);
        let foretold = Tensor::<2>::ones([2, 3], &device);
        // The class that is nowhere in the second tile takes no part.
        assert!(value(iou_error(foretold, &said, &target)) < 1e-6);
        let wrong = Said::of(logits.neg());
        assert!(value(soft_dice(&wrong, &target)) > 0.9);
    }

    #[test]
    fn ignored_pixels_have_exactly_no_gradient() {
        let device = Device::flex().autodiff();
        let logits = Tensor::<4>::random([2, 3, 4, 4], Distribution::Default, &device)
            .detach()
            .require_grad();
        let target = target(&device);
        let said = Said::of(logits.clone());
        let loss = focal(&said, &target, Tensor::ones([3], &device)) + soft_dice(&said, &target);
        let gradient = logits.grad(&loss.backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().try_to_vec().unwrap();
        for (n, label) in LABELS.iter().enumerate() {
            let of = (0..3).map(|class| gradient[n / 16 * 48 + class * 16 + n % 16]);
            let any = of.clone().any(|g| g != 0.0);
            assert_eq!(any, *label != IGNORE, "{n}: {:?}", of.collect::<Vec<_>>());
        }
    }

    #[test]
    fn gradients_are_those_of_the_values() {
        let plain = Device::flex();
        let shape = [2, 3, 4, 4];
        let start: Vec<f64> = (0..96)
            .map(|n| f64::from(n * 37 % 19) / 9.5 - 1.0)
            .collect();
        let of = |logits: Tensor<4>, device: &Device| {
            let shares = target(device).shares.cast(DType::F64);
            let target = Target { shares };
            let said = Said::of(logits);
            let weights = Tensor::<1>::ones([3], device).cast(DType::F64);
            focal(&said, &target, weights) + soft_dice(&said, &target)
        };
        let tensor = |values: &[f64], device: &Device| {
            let data = TensorData::new(values.to_vec(), shape);
            Tensor::<4>::from_data(data, (device, DType::F64))
        };
        let device = plain.clone().autodiff();
        let leaf = tensor(&start, &device).require_grad();
        let found = leaf.grad(&of(leaf.clone(), &device).backward()).unwrap();
        let found: Vec<f64> = found.into_data().try_to_vec().unwrap();
        for n in (0..96).step_by(5) {
            let at = |by: f64| {
                let mut values = start.clone();
                values[n] += by;
                of(tensor(&values, &plain), &plain).into_scalar::<f64>()
            };
            let meant = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((found[n] - meant).abs() < 1e-7, "{n}: {} {meant}", found[n]);
        }
    }
}
