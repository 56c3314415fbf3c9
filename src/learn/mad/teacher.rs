//! The teacher follows the student.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::learn::values::{self, Values};

/// Moves `teacher` towards `student`: momentum · teacher + (1 − momentum) · student for every
/// parameter, matched by id. Gradients of `student` play no part.
pub fn follow<M: Module>(teacher: M, student: &M, momentum: f64) -> M {
    teacher.map(&mut Follow {
        student: values::of(student),
        momentum,
    })
}

struct Follow {
    student: Values,
    momentum: f64,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.student.remove::<D>(param.id) {
            Some(student) => {
                param.map(|teacher| teacher * self.momentum + student * (1.0 - self.momentum))
            }
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    use crate::model::initial;

    fn weights(layer: &Linear) -> Vec<f32> {
        layer.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn is_the_weighted_mean_of_both() {
        let device = Device::flex();
        let layer = |seed, device| initial::draw(LinearConfig::new(3, 2).init(device), seed, 1);
        let teacher = layer(1, &device);
        let student = layer(2, &device.clone().autodiff());
        let moved = follow(teacher.clone(), &student, 0.75);
        let pairs = weights(&teacher).into_iter().zip(weights(&student));
        for (found, (old, new)) in weights(&moved).into_iter().zip(pairs) {
            assert!((found - (0.75 * old + 0.25 * new)).abs() < 1e-7);
        }
        assert_ne!(weights(&moved), weights(&teacher));
        assert!(!moved.weight.val().device().is_autodiff());
    }
}
