//! The teacher follows the student.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::learn::values::{self, Values};

/// Moves `teacher` towards `student`: momentum · teacher + (1 − momentum) · student for every
/// parameter, matched by id; one that `student` does not have stays. Gradients of `student` play no
/// part.
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
    use burn::module::ModuleVisitor;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    use crate::learn::mad::network::{HeadConfig, Network};
    use crate::model::{EncoderConfig, initial};

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

    #[test]
    fn no_parameter_of_a_network_stays_behind() {
        let shape = EncoderConfig {
            width: 24,
            depth: 2,
            heads: 3,
            mlp_width: 48,
            registers: 2,
            layer_scale: Some(0.5),
            ..EncoderConfig::tiny()
        };
        let network = |seed, device: &Device| {
            Network::new(&shape, &HeadConfig::default(), seed, device).unwrap()
        };
        let (plain, autodiff) = (Device::flex(), Device::flex().autodiff());
        let student = network(2, &autodiff);
        let teacher = follow(network(1, &plain), &student, 0.0);
        let (mut theirs, mut meant) = (Numbers::default(), Numbers::default());
        teacher.visit(&mut theirs);
        student.visit(&mut meant);
        assert!(theirs.0.len() > 20, "{} parameters", theirs.0.len());
        assert_eq!(theirs.0, meant.0);
    }

    /// The numbers of each parameter.
    #[derive(Default)]
    struct Numbers(Vec<Vec<f32>>);

    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().into_data().try_to_vec().unwrap());
        }
    }
}
