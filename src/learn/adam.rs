//! The optimizer: AdamW whose state is on the module's device and in its shape.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{
    AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer as _,
};
use burn::tensor::Tensor;

use super::values::{self, Values, plain};

/// AdamW (Loshchilov and Hutter, 2019) for a whole module. burn does the arithmetic; the moments
/// are kept here as modules of the same shape, because burn's own store for them reads them back
/// onto whatever device it thinks is the default, which need not exist.
#[derive(Debug, Clone)]
pub struct Adam<M> {
    /// Running mean of the gradients.
    pub first: M,
    /// Running mean of their squares.
    pub second: M,
    /// Steps taken.
    pub time: u64,
}

/// One step's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Learning rate.
    pub rate: f64,
    /// Decoupled weight decay of matrices. Parameters of one or three axes (biases, norms,
    /// tokens, positions) do not decay.
    pub decay: f64,
    /// Factor on the gradients, as clipping wants it.
    pub factor: f64,
}

impl<M: Module> Adam<M> {
    /// The state before the first step of `module`.
    pub fn new(module: &M) -> Self {
        let zero = module.valid().map(&mut Zero);
        Self {
            first: zero.clone(),
            second: zero,
            time: 0,
        }
    }

    /// Moves the parameters of `module` that have a gradient, which is used up.
    #[must_use]
    pub fn step(&mut self, module: M, gradients: &mut GradientsParams, pace: Pace) -> M {
        let mut step = Step {
            adam: AdamWConfig::new()
                .with_weight_decay(0.0)
                .with_epsilon(1e-8)
                .build(),
            time: self.time as usize,
            pace,
            gradients,
            moments: [values::of(&self.first), values::of(&self.second)],
            moved: [Values::new(), Values::new()],
        };
        let module = module.map(&mut step);
        let [first, second] = step.moved;
        self.first = values::replaced(self.first.clone(), first);
        self.second = values::replaced(self.second.clone(), second);
        self.time += 1;
        module
    }
}

struct Step<'a> {
    adam: AdamW,
    time: usize,
    pace: Pace,
    gradients: &'a mut GradientsParams,
    moments: [Values; 2],
    moved: [Values; 2],
}

impl Step<'_> {
    fn moments<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Option<AdamWState<D>> {
        let [first, second] = &mut self.moments;
        let (first, second) = (first.remove(param.id)?, second.remove(param.id)?);
        // Before the first step there is nothing to correct for.
        (self.time > 0)
            .then(|| AdamWState::new(AdaptiveMomentumState::new(self.time, first, second)))
    }
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let before = self.moments(&param);
        let gradient = plain(gradient) * self.pace.factor;
        let id = param.id;
        param.map(|value| {
            let trainable = value.is_require_grad();
            let autodiff = value.device().is_autodiff();
            let mut value = plain(value);
            if D == 2 {
                value = value * (1.0 - self.pace.rate * self.pace.decay);
            }
            let (value, after) = self.adam.step(self.pace.rate, value, gradient, before);
            if let Some(after) = after {
                self.moved[0].register(id, after.momentum.moment_1);
                self.moved[1].register(id, after.momentum.moment_2);
            }
            match autodiff {
                true => Tensor::from_inner(value).set_require_grad(trainable),
                false => value,
            }
        })
    }
}

struct Zero;

impl ModuleMapper for Zero {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.zeros_like())
    }
}

/// Norm of all gradients of `module` together.
pub fn norm<M: Module>(module: &M, gradients: &GradientsParams) -> f64 {
    let mut sum = SquareSum {
        gradients,
        sum: 0.0,
    };
    module.visit(&mut sum);
    sum.sum.sqrt()
}

struct SquareSum<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += f64::from(gradient.square().sum().into_scalar::<f32>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    const PACE: Pace = Pace {
        rate: 0.01,
        decay: 0.0,
        factor: 1.0,
    };

    fn layer() -> Linear {
        let device = Device::flex().autodiff();
        crate::model::initial::draw(LinearConfig::new(3, 2).init(&device), 1, 1)
    }

    fn gradients(layer: &Linear) -> GradientsParams {
        let device = layer.weight.val().device();
        let loss = layer.forward(Tensor::<2>::ones([1, 3], &device)).sum();
        GradientsParams::from_grads(loss.backward(), layer)
    }

    fn weights(layer: &Linear) -> Vec<f32> {
        layer.weight.val().into_data().try_to_vec().unwrap()
    }

    fn bias(layer: &Linear) -> Vec<f32> {
        let bias = layer.bias.as_ref().unwrap().val();
        bias.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_norm_is_over_all_parameters() {
        let layer = layer();
        // Six weights and two biases, each with a gradient of one.
        let found = norm(&layer, &gradients(&layer));
        assert!((found - 8.0_f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn steps_are_those_of_adam() {
        // With a constant gradient of one, Adam's step is the learning rate each time.
        let mut module = layer();
        let before = weights(&module);
        let mut adam = Adam::new(&module);
        for _ in 0..3 {
            let mut found = gradients(&module);
            assert_eq!(found.len(), 2, "still trainable");
            module = adam.step(module, &mut found, PACE);
            assert_eq!(found.len(), 0, "used up");
        }
        for (old, new) in before.iter().zip(weights(&module)) {
            assert!((old - new - 0.03).abs() < 1e-5, "{old} to {new}");
        }
        assert_eq!(adam.time, 3);
    }

    #[test]
    fn decay_shrinks_matrices_alone() {
        let module = layer();
        let pace = Pace {
            decay: 20.0,
            ..PACE
        };
        let mut found = gradients(&module);
        let moved = Adam::new(&module).step(module.clone(), &mut found, pace);
        for (old, new) in weights(&module).iter().zip(weights(&moved)) {
            assert!((new - (0.8 * old - 0.01)).abs() < 1e-5, "{old} to {new}");
        }
        for (old, new) in bias(&module).iter().zip(bias(&moved)) {
            assert!((new - (old - 0.01)).abs() < 1e-5, "{old} to {new}");
        }
    }
}
