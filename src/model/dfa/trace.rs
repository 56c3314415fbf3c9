//! What a biased layer saw: where the bias can be told from what the weights do (methods 1.1).

use burn::tensor::Tensor;

/// One image→class attention, raw.
#[derive(Debug, Clone)]
pub struct BiasedLayer {
    /// Logits without the bias, \[B, heads, N, K\].
    pub logits: Tensor<4>,
    /// Softmax over K of logits and bias, \[B, heads, N, K\].
    pub weights: Tensor<4>,
}

impl BiasedLayer {
    /// Share of the attention that each class has, \[K\]; sums to 1.
    pub fn shares(&self) -> Tensor<1> {
        mean_by_class(&self.weights)
    }

    /// Mean of each class's logits without the bias, \[K\].
    pub fn mean_logits(&self) -> Tensor<1> {
        mean_by_class(&self.logits)
    }

    /// Effective offset: the bias and the mean of the rest of the logits, centred, \[K\]. This, and
    /// not the bias alone, is what the attention can be told by: a bias inside the projections
    /// yields a constant a class too.
    pub fn effective_offset(&self, bias: Tensor<1>) -> Tensor<1> {
        let offset = self.mean_logits() + bias;
        let mean = offset.clone().mean();
        offset - mean
    }
}

fn mean_by_class(x: &Tensor<4>) -> Tensor<1> {
    let [batch, heads, tokens, classes] = x.dims();
    let rows = x.clone().reshape([batch * heads * tokens, classes]);
    rows.mean_dim(0).squeeze_dim(0)
}
