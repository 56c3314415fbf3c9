//! First weights, drawn the same way on every device.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Standard deviation of first weights, as in timm and DINO.
const DEVIATION: f64 = 0.02;

/// Fills every parameter of two or more axes with normal values cut off at two deviations, and
/// leaves the others (biases, norms, scales) as they were built.
///
/// Parameters also get the ids `first_id`, `first_id + 1`, … in the order in which the module is
/// walked: what an optimizer stores under an id is found again by another run of the program.
pub fn draw<M: Module>(module: M, seed: u64, first_id: u64) -> M {
    module.map(&mut Draw {
        rng: ChaCha8Rng::seed_from_u64(seed),
        next_id: first_id,
    })
}

/// Gives every parameter the id that [`draw`] would give it, and leaves its value.
pub fn numbered<M: Module>(module: M, first_id: u64) -> M {
    module.map(&mut Number { next_id: first_id })
}

struct Number {
    next_id: u64,
}

impl ModuleMapper for Number {
    fn map_float<const D: usize>(&mut self, mut param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.id = ParamId::from(self.next_id);
        self.next_id += 1;
        param
    }
}

struct Draw {
    rng: ChaCha8Rng,
    next_id: u64,
}

impl Draw {
    /// Box and Muller's normal values, drawn again until within two deviations.
    fn normal(&mut self) -> f32 {
        loop {
            let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
            let value = radius * (std::f64::consts::TAU * self.rng.random::<f64>()).cos();
            if value.abs() <= 2.0 {
                return (value * DEVIATION) as f32;
            }
        }
    }
}

impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = ParamId::from(self.next_id);
        self.next_id += 1;
        let (_, built, mapper) = param.consume();
        let value = if D < 2 {
            built
        } else {
            let shape = built.shape();
            let values: Vec<f32> = (0..shape.num_elements()).map(|_| self.normal()).collect();
            let drawn = Tensor::from_data(TensorData::new(values, shape), &built.device());
            drawn.set_require_grad(built.is_require_grad())
        };
        Param::from_mapped_value(id, value, mapper)
    }
}
