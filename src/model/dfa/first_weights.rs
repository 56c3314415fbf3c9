//! First weights of a decoder.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::model::initial;

/// Parameter ids of a decoder begin here.
const FIRST_PARAM_ID: u64 = 3_000_000;

/// Deviation that [`initial::draw`] gives weights.
const DRAWN: f64 = 0.02;

/// The class tokens' field in the decoder.
const TOKENS: &str = "class_tokens";

/// Weights that depend on `seed` alone: linear layers keep the spread of what passes through them
/// (deviation 1/√in), class tokens begin as far apart as normed ones (deviation 1).
///
/// The encoder's small weights would not do: a mask passes through some eight layers with no
/// shortcut, each of which would shrink it fivefold.
pub fn drawn<M: Module>(module: M, seed: u64) -> M {
    initial::draw(module, seed, FIRST_PARAM_ID).map(&mut Spread::default())
}

/// The same ids, and values as they are.
pub fn numbered<M: Module>(module: M) -> M {
    initial::numbered(module, FIRST_PARAM_ID)
}

#[derive(Default)]
struct Spread {
    path: Vec<String>,
}

impl ModuleMapper for Spread {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D < 2 {
            return param;
        }
        let is_tokens = self.path.last().is_some_and(|name| name == TOKENS);
        param.map(|value| {
            let d_in = value.dims()[D - 2] as f64;
            let deviation = if is_tokens { 1.0 } else { d_in.powf(-0.5) };
            let learns = value.is_require_grad();
            // A new leaf, as learning asks of parameters.
            let alone = value.detach().set_require_grad(false);
            let spread = alone.mul_scalar(deviation / DRAWN);
            spread.set_require_grad(learns)
        })
    }
}
