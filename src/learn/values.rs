//! The parameters of a module by their ids.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

pub use crate::model::values::read;

/// Tensors of any rank by parameter id: burn's map, which it names after its main use.
pub type Values = GradientsParams;

/// All parameters of `module`, without autodiff.
pub fn of<M: Module>(module: &M) -> Values {
    let mut collect = Collect(Values::new());
    module.visit(&mut collect);
    collect.0
}

/// `module` with those parameters replaced that `values` has; the rest stays.
pub fn replaced<M: Module>(module: M, values: Values) -> M {
    module.map(&mut Replace(values))
}

/// A tensor without autodiff.
pub fn plain<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    match value.device().is_autodiff() {
        true => value.inner(),
        false => value,
    }
}

struct Collect(Values);

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, plain(param.val()));
    }
}

struct Replace(Values);

impl ModuleMapper for Replace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.remove::<D>(param.id) {
            Some(value) => param.map(|_| value),
            None => param,
        }
    }
}
