//! Training passes that keep every core of the processor busy.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor};

use crate::model::config::ConfigError;
use crate::model::parallel::{runs, side_by_side};
use crate::model::{Embedding, Encoder};

/// A module's pass over a batch in parts that run side by side, there and back. What it sees is two
/// tensors, of P and of Q axes, whose first is the batch.
///
/// Each part has a graph of its own, on a copy of the module that shares its numbers. What the
/// parts gave is joined into fresh leaves, on which the loss is computed as ever; the leaves'
/// gradients then flow back through each part on its own. The sum over the parts is the gradient
/// of the whole batch, by the chain rule. In one part it is the usual pass.
#[derive(Debug)]
pub struct SplitPass<M, const P: usize, const Q: usize> {
    parts: Vec<Part<M, P, Q>>,
    leaves: (Tensor<P>, Tensor<Q>),
}

#[derive(Debug)]
struct Part<M, const P: usize, const Q: usize> {
    module: M,
    seen: (Tensor<P>, Tensor<Q>),
    run: Range<usize>,
}

impl<M: Module + Sync, const P: usize, const Q: usize> SplitPass<M, P, Q> {
    /// Lets `module`, on the autodiff `device`, `see` a batch of so many in at most `parts` parts.
    ///
    /// # Errors
    /// As `see` has them.
    pub fn forward<E: Send>(
        module: &M,
        device: &Device,
        batch: usize,
        parts: usize,
        see: impl Fn(&M, Range<usize>) -> Result<(Tensor<P>, Tensor<Q>), E> + Sync + Send,
    ) -> Result<Self, E> {
        let parts = side_by_side(runs(batch, parts), |run| {
            let module = module.clone().fork(device);
            let seen = see(&module, run.clone())?;
            Ok(Part { module, seen, run })
        });
        let parts = parts.into_iter().collect::<Result<Vec<_>, E>>()?;
        let leaves = (
            leaf(parts.iter().map(|part| part.seen.0.clone())),
            leaf(parts.iter().map(|part| part.seen.1.clone())),
        );
        Ok(Self { parts, leaves })
    }

    /// What the module sees, to compute a loss on.
    pub fn seen(&self) -> &(Tensor<P>, Tensor<Q>) {
        &self.leaves
    }

    /// Gradients of the module's parameters, from those that the loss gave of [`Self::seen`].
    pub fn gradients(self, of_loss: &Gradients) -> GradientsParams {
        let first = self.leaves.0.grad(of_loss);
        let second = self.leaves.1.grad(of_loss);
        let found = side_by_side(self.parts, |part| {
            let pull = [
                part.pull(&part.seen.0, first.as_ref()),
                part.pull(&part.seen.1, second.as_ref()),
            ];
            let pull = pull.into_iter().flatten().reduce(|a, b| a + b)?;
            let gradients = GradientsParams::from_grads(pull.backward(), &part.module);
            Some((part.module, gradients))
        });
        let mut sum = GradientsParams::new();
        for (module, more) in found.into_iter().flatten() {
            add(&module, &mut sum, more);
        }
        sum
    }
}

impl<M, const P: usize, const Q: usize> Part<M, P, Q> {
    /// A value whose gradient, by what this part gave, is its share of `gradient`.
    fn pull<const D: usize>(
        &self,
        seen: &Tensor<D>,
        gradient: Option<&Tensor<D>>,
    ) -> Option<Tensor<1>> {
        let share = gradient?.clone().narrow(0, self.run.start, self.run.len());
        Some((seen.clone() * Tensor::from_inner(share)).sum())
    }
}

fn leaf<const D: usize>(parts: impl Iterator<Item = Tensor<D>>) -> Tensor<D> {
    let joined = Tensor::cat(parts.map(Tensor::inner).collect(), 0);
    Tensor::from_inner(joined).require_grad()
}

/// An encoder's pass over tiles \[B, 3, S, S\]: class embeddings and tokens.
pub type EncoderPass = SplitPass<Encoder, 2, 3>;

impl EncoderPass {
    /// Embeds tiles in at most `parts` parts; `encoder` is on an autodiff device.
    ///
    /// # Errors
    /// When tiles do not suit the encoder.
    pub fn embed(encoder: &Encoder, tiles: &Tensor<4>, parts: usize) -> Result<Self, ConfigError> {
        let [batch, ..] = tiles.dims();
        Self::forward(encoder, &tiles.device(), batch, parts, |encoder, run| {
            let seen = encoder.forward(tiles.clone().narrow(0, run.start, run.len()))?;
            Ok((seen.cls, seen.tokens))
        })
    }

    /// What the encoder sees, to compute a loss on.
    pub fn embedding(&self) -> Embedding {
        let (cls, tokens) = self.seen().clone();
        Embedding { cls, tokens }
    }
}

/// Adds `more` to `sum`, for the parameters of `module`.
pub fn add<M: Module>(module: &M, sum: &mut GradientsParams, more: GradientsParams) {
    module.visit(&mut Add { sum, more });
}

struct Add<'a> {
    sum: &'a mut GradientsParams,
    more: GradientsParams,
}

impl ModuleVisitor for Add<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(more) = self.more.remove::<D>(param.id) else {
            return;
        };
        let sum = match self.sum.remove::<D>(param.id) {
            Some(sum) => sum + more,
            None => more,
        };
        self.sum.register(param.id, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::values;
    use crate::model::EncoderConfig;
    use burn::tensor::{Device, Distribution};

    fn loss(seen: &Embedding) -> Tensor<1> {
        // The last term ties all tiles of the batch together.
        let together = seen.cls.clone().sum_dim(0).powi_scalar(2).sum();
        seen.tokens.clone().powi_scalar(3).sum() + together
    }

    #[test]
    fn parts_give_the_gradients_of_the_whole() {
        let config = EncoderConfig {
            width: 24,
            depth: 2,
            mlp_width: 48,
            patch_px: 8,
            position_grid: 4,
            ..EncoderConfig::tiny()
        };
        let device = Device::flex().autodiff();
        let encoder = Encoder::new(&config, 1, &device).unwrap();
        let tiles = Tensor::<4>::random([5, 3, 32, 32], Distribution::Default, &device);
        let whole = loss(&encoder.forward(tiles.clone()).unwrap()).backward();
        let whole = values::replaced(
            encoder.valid(),
            GradientsParams::from_grads(whole, &encoder),
        );
        for parts in [1, 2, 5] {
            let pass = EncoderPass::embed(&encoder, &tiles, parts).unwrap();
            let gradients = loss(&pass.embedding()).backward();
            let found = values::replaced(encoder.valid(), pass.gradients(&gradients));
            let mut apart = Apart {
                whole: values::of(&whole),
                most: 0.0,
                seen: 0,
            };
            found.visit(&mut apart);
            assert!(
                apart.seen > 20 && apart.most < 1e-4,
                "{parts}: {}",
                apart.most
            );
        }
    }

    struct Apart {
        whole: values::Values,
        most: f32,
        seen: usize,
    }

    impl ModuleVisitor for Apart {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let whole = self.whole.get::<D>(param.id).unwrap();
            let size = whole.clone().abs().max().into_scalar::<f32>().max(1.0);
            let apart = (param.val() - whole).abs().max().into_scalar::<f32>();
            self.most = self.most.max(apart / size);
            self.seen += 1;
        }
    }
}
