//! Training passes that keep every core of the processor busy.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};

use crate::model::config::ConfigError;
use crate::model::parallel::{runs, side_by_side};
use crate::model::{Embedding, Encoder};

/// An encoder's pass over a batch in parts that run side by side, there and back.
///
/// Each part has a graph of its own, on a copy of the encoder that shares its numbers. What the
/// parts gave is joined into fresh leaves, on which the loss is computed as ever; the leaves'
/// gradients then flow back through each part on its own. The sum over the parts is the gradient
/// of the whole batch, by the chain rule. In one part it is the usual pass.
#[derive(Debug)]
pub struct SplitPass {
    parts: Vec<Part>,
    leaves: Embedding,
}

#[derive(Debug)]
struct Part {
    encoder: Encoder,
    seen: Embedding,
    run: Range<usize>,
}

impl SplitPass {
    /// Embeds tiles \[B, 3, S, S\] in at most `parts` parts; `encoder` is on an autodiff device.
    ///
    /// # Errors
    /// When tiles do not suit the encoder.
    pub fn forward(
        encoder: &Encoder,
        tiles: &Tensor<4>,
        parts: usize,
    ) -> Result<Self, ConfigError> {
        let parts = side_by_side(runs(tiles.dims()[0], parts), |run| {
            let encoder = encoder.clone().fork(&tiles.device());
            let some = tiles.clone().narrow(0, run.start, run.len());
            let seen = encoder.forward(some)?;
            Ok(Part { encoder, seen, run })
        });
        let parts = parts
            .into_iter()
            .collect::<Result<Vec<Part>, ConfigError>>()?;
        let leaves = Embedding {
            cls: leaf(parts.iter().map(|part| part.seen.cls.clone())),
            tokens: leaf(parts.iter().map(|part| part.seen.tokens.clone())),
        };
        Ok(Self { parts, leaves })
    }

    /// What the encoder sees, to compute a loss on.
    pub fn seen(&self) -> &Embedding {
        &self.leaves
    }

    /// Gradients of the encoder's parameters, from those that the loss gave of [`Self::seen`].
    pub fn gradients(self, of_loss: &Gradients) -> GradientsParams {
        let cls = self.leaves.cls.grad(of_loss);
        let tokens = self.leaves.tokens.grad(of_loss);
        let found = side_by_side(self.parts, |part| {
            let pull = [
                part.pull(&part.seen.cls, cls.as_ref()),
                part.pull(&part.seen.tokens, tokens.as_ref()),
            ];
            let pull = pull.into_iter().flatten().reduce(|a, b| a + b)?;
            let gradients = GradientsParams::from_grads(pull.backward(), &part.encoder);
            Some((part.encoder, gradients))
        });
        let mut sum = GradientsParams::new();
        for (encoder, more) in found.into_iter().flatten() {
            add(&encoder, &mut sum, more);
        }
        sum
    }
}

impl Part {
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
            let pass = SplitPass::forward(&encoder, &tiles, parts).unwrap();
            let gradients = loss(pass.seen()).backward();
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
